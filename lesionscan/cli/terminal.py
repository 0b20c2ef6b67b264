"""What every command says to the terminal: notes, complaints, errors in words."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class RefusedError(Exception):
    """A command that cannot start; the message is for the user."""


class StoppedError(Exception):
    """Ctrl-C where no command listens for it (typer would end without a word)."""


GOES_ON = "stopped; rerun the command to resume"


@contextmanager
def stoppable(message: str = GOES_ON) -> Iterator[None]:
    """Turn Ctrl-C into a `StoppedError` that says what is left."""
    try:
        yield
    except KeyboardInterrupt:
        raise StoppedError(message) from None


def one_line(name: str) -> str:
    """Show control characters of a file name as escapes, so that one film stays one line."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in name)


def os_error_in_words(error: OSError) -> str:
    """Return what failed where."""
    if error.errno is None:  # one of ours: its message says it all
        return str(error)
    where = "the terminal or pipe" if error.filename is None else error.filename
    return f"{where}: {error.strerror}; results written so far are kept"


def say(line: str) -> None:
    """Print one line on stdout.

    Whatever a name holds, it stays one line and no command to the terminal: everything that is
    printed passes here or through `note`.
    """
    print(one_line(line), flush=True)


def note(line: str) -> None:
    """Print one line on stderr, as `say` does."""
    print(one_line(line), file=sys.stderr, flush=True)


def announce_stop() -> None:
    """Say, from inside a signal handler, that the run ends with the films in hand."""
    # not print: the handler may have interrupted one, and streams cannot be entered twice
    os.write(2, b"stopping after the films in hand; once more to stop now\n")


def complain(text: str) -> None:
    """Print what went wrong, under the program's name, on stderr."""
    note(f"lesionscan: {text}")
