"""The command line: arguments, printing, exit status; no logic.

Exit status: 0 every file read, 1 some file failed or was left out (the others are done), 2 wrong
usage or a place that cannot be written, 130 stopped with Ctrl-C, 143 stopped with SIGTERM (128 +
the signal's number, as shells have it).

Heavy imports stand inside the commands, so that `lesionscan --help` answers at once.
"""

import io
import os
import sys
from typing import Annotated

import typer

from lesionscan import __version__
from lesionscan.cli import (
    calibrate,
    compare,
    evaluate,
    exams,
    explain,
    inspect,
    merge,
    phantom,
    plant,
    review,
    scan,
    train,
)
from lesionscan.cli.terminal import (
    GOES_ON,
    RefusedError,
    StoppedError,
    complain,
    os_error_in_words,
    say,
)

app = typer.Typer(
    help="Find, locate, measure and show candidate lytic lesions in bone radiographs. "
    "Research use only; not a diagnosis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(scan.scan)
app.command()(scan.demo)
app.command()(merge.merge)
app.command()(review.review)
app.command()(inspect.inspect)
app.command()(explain.explain)
app.command()(compare.compare)
app.command()(evaluate.evaluate)
app.command()(calibrate.calibrate)
app.command()(exams.exams)
app.command()(phantom.phantom)
app.command()(plant.plant)
app.command()(train.train)


def main() -> None:
    """Run the command line; a user never sees a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that lacks a letter of a file name shows an escape instead of failing.
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except (KeyboardInterrupt, StoppedError) as stop:
        complain(str(stop) or GOES_ON)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output is gone (`lesionscan ... | head`); there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except RefusedError as error:
        complain(str(error))
    except MemoryError:
        complain("memory ran out; use fewer jobs (--jobs 1)")
    except OSError as error:
        complain(os_error_in_words(error))
    except Exception as error:  # noqa: BLE001 - the last line of defence
        complain(f"internal error ({type(error).__name__}); please report this")
    sys.exit(2)


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda wanted: _show_version(wanted=wanted),
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def _show_version(*, wanted: bool) -> None:
    if wanted:
        say(f"lesionscan {__version__}")
        raise typer.Exit
