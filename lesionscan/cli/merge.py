"""`lesionscan merge`: join the parts of a run."""

from pathlib import Path
from typing import Annotated

import typer

from lesionscan.cli.export_options import (
    ExportOption,
    chosen_exports,
    refuse_per_film_exports,
)
from lesionscan.cli.extras import require_for
from lesionscan.cli.scan import print_end, tally_lines
from lesionscan.cli.terminal import RefusedError, one_line, say, stoppable


def merge(
    outs: Annotated[
        list[Path],
        typer.Argument(metavar="OUT...", help="Output folders of `lesionscan scan --shard`."),
    ],
    into: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Output folder (default: the folder of the parts, if they share one).",
        ),
    ] = None,
    export: ExportOption = None,
) -> None:
    """Join the parts of a run (scan --shard): tables, report, and all results in one folder."""
    from lesionscan.batch.shards import MergeError, checked_parts, merge_shards

    if into is None:
        if len({out.resolve() for out in outs}) > 1:
            raise RefusedError("the parts are in several folders; give an output folder (--out)")
        into = outs[0]
    exports = chosen_exports(export)
    refuse_per_film_exports(exports)
    with stoppable("stopped; run the command again"):
        try:
            checked_parts(outs, into)
            require_for(exports)
            report, run = merge_shards(outs, into, exports=exports)
        except MergeError as error:
            raise RefusedError(one_line(str(error))) from error
    for line in tally_lines(run.tally, run.settings, skipped=run.skipped):
        say(line)
    print_end(report)
    raise typer.Exit(1 if run.tally.failed else 0)
