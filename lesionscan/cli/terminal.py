"""Printing and error messages of all commands."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class RefusedError(Exception):
    """A command that cannot run as given; the message is for the user."""


class StoppedError(Exception):
    """Ctrl-C; unlike KeyboardInterrupt, typer passes it on, so that a message can be printed."""


RESUME_HINT = "stopped; rerun the command to resume"


@contextmanager
def stoppable(message: str = RESUME_HINT) -> Iterator[None]:
    """Turn Ctrl-C into a `StoppedError` with a message."""
    try:
        yield
    except KeyboardInterrupt:
        raise StoppedError(message) from None


def one_line(name: str) -> str:
    """Escape control characters, so that a file name does not break a line."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in name)


def os_error_message(error: OSError) -> str:
    """Return a message with the path and the cause."""
    if error.errno is None:  # raised by lesionscan, with a complete message
        return str(error)
    where = "the terminal or pipe" if error.filename is None else error.filename
    return f"{where}: {error.strerror}; results written so far are kept"


def say(line: str) -> None:
    """Print one line on stdout.

    All output passes through here or `note`, so that names cannot contain terminal commands.
    """
    print(one_line(line), flush=True)


def note(line: str) -> None:
    """Print one line on stderr, as `say` does."""
    print(one_line(line), file=sys.stderr, flush=True)


def announce_stop() -> None:
    """Announce, from a signal handler, that the run stops after the films in progress."""
    # not print, because the handler may have interrupted one, and streams are not reentrant
    os.write(2, b"stopping after the films in progress; press Ctrl-C again to stop now\n")


def complain(text: str) -> None:
    """Print an error with the program's name on stderr."""
    note(f"lesionscan: {text}")
