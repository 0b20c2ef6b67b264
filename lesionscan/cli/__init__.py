"""The command line: arguments, printing, exit status; no logic.

Exit status: 0 all files were processed; 1 some files failed or were left out; 2 usage error, or
output that cannot be written; 130 stopped with Ctrl-C, 143 with SIGTERM (128 + signal number, as in
shells).

Large packages are imported inside the commands, so that `lesionscan --help` is fast.
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
    RESUME_HINT,
    RefusedError,
    StoppedError,
    complain,
    os_error_message,
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
            # characters that the terminal cannot encode are escaped
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except (KeyboardInterrupt, StoppedError) as stop:
        complain(str(stop) or RESUME_HINT)
        sys.exit(130)
    except BrokenPipeError:
        # the reader of the output has ended (`lesionscan ... | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except RefusedError as error:
        complain(str(error))
    except MemoryError:
        complain("memory ran out; use fewer jobs (--jobs 1)")
    except OSError as error:
        complain(os_error_message(error))
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
    """Accept the options before a command."""


def _show_version(*, wanted: bool) -> None:
    if wanted:
        say(f"lesionscan {__version__}")
        raise typer.Exit
