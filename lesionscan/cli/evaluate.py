"""`lesionscan evaluate`: compare results with truth; print tables and write files."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionscan.cli.terminal import RefusedError, one_line, say, stoppable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from lesionscan.evaluation.evaluate import ProgramOnSet, SetEvaluation
    from lesionscan.evaluation.summary import Figure
    from lesionscan.evaluation.truth import TruthFilm

GroupsOption = Annotated[
    Path | None,
    typer.Option(
        "--groups", help="films.csv of `lesionscan exams`: the bootstrap resamples its patients."
    ),
]
ResamplesOption = Annotated[
    int, typer.Option("--resamples", min=0, max=20_000, help="Number of bootstrap resamples.")
]
SeedOption = Annotated[
    int, typer.Option("--seed", "-s", min=0, help="Random seed of the bootstrap.")
]
_FAMILIES = {
    "lesion_to_bone_width": "lesion / bone width",
    "contrast_to_noise": "contrast-to-noise",
    "size": "diameter / long side",
    "body_part": "body part",
}
"""Strata printed; the files have all."""
_MAX_NAMES = 5


def evaluate(
    results: Annotated[
        Path,
        typer.Argument(
            metavar="RESULTS", help="Output folder of `lesionscan scan` for the images of TRUTH."
        ),
    ],
    truth: Annotated[
        Path,
        typer.Argument(metavar="TRUTH", help="Folder with index.json, images/ and masks/."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Output folder (default: RESULTS/evaluation)."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            help="Results of another program or of other settings on the same films, to "
            "compare with.",
        ),
    ] = None,
    groups: GroupsOption = None,
    resamples: ResamplesOption = 2000,
    seed: SeedOption = 0,
) -> None:
    """Compare results with known lesions: FROC, image AUC, outlines, confidence intervals."""
    from rich.console import Console

    from lesionscan.evaluation.evaluate import evaluate as judge
    from lesionscan.evaluation.files import own_files, write_evaluation
    from lesionscan.evaluation.results import ResultsError
    from lesionscan.evaluation.truth import TruthError
    from lesionscan.results.record import DISCLAIMER

    # suppress the message that matplotlib builds its font cache
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    out = results / "evaluation" if out is None else out
    with stoppable("stopped; nothing was written"):
        own = own_files(results, out)  # before the work starts
        try:
            evaluation = judge(
                results,
                truth,
                against=against,
                groups=groups,
                resamples=resamples,
                seed=seed,
                progress=with_bar,
            )
        except (TruthError, ResultsError) as error:
            raise RefusedError(one_line(str(error))) from error
        paths = write_evaluation(evaluation, own)
    console = Console()
    for one in evaluation.sets:
        _print_set(console, one)
    say(f"figures: {paths.record}")
    say(f"lesions: {paths.lesions}")
    say(f"curves:  {paths.figure_png}, {paths.figure_svg.name}")
    say(DISCLAIMER)
    raise typer.Exit(0 if evaluation.complete else 1)


def with_bar(films: "Sequence[TruthFilm]") -> "Iterable[TruthFilm]":
    """Iterate over films, with a progress bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(films, "comparing films", console=console, disable=not console.is_terminal)


def _print_set(console: "Console", one: "SetEvaluation") -> None:
    from lesionscan.evaluation.wording import notes

    figures = one.program.figures
    say(
        f"{one_line(one.name)}: {figures.lesions:,} lesions on {figures.lesion_films:,} films, "
        f"{figures.lesion_free_films:,} lesion-free films"
    )
    if figures.curve is not None:
        console.print(_figures_table(one))
    lines = (*_lines(one.program), *notes(one.program))
    for line in lines:
        say(line)
    for line in () if one.other is None else notes(one.other):
        if line not in lines:
            say(f"other results: {line}")
    for what, names in (
        ("missing", one.program.missing),
        ("failed", tuple(name for name, _ in one.program.failed)),
    ):
        if names:
            more = f" and {len(names) - _MAX_NAMES:,} more" if len(names) > _MAX_NAMES else ""
            say(f"{what}: {', '.join(one_line(name) for name in names[:_MAX_NAMES])}{more}")
    if figures.curve is not None:
        console.print(_strata_table(one))
    say("")


def _figures_table(one: "SetEvaluation") -> "Table":
    """Return the sensitivities with intervals, by chance, and those of the other program."""
    from rich.table import Table

    from lesionscan.evaluation.froc import RATE_NAMES

    figures = one.program.figures
    table = Table(title="sensitivity by false positives per lesion-free film", title_justify="left")
    table.add_column("")
    for rate in (*RATE_NAMES, "CPM"):
        table.add_column(rate, justify="right")
    _add(table, "these results", (*figures.sensitivity, figures.cpm))
    table.add_row("random points", *map(_two, (*figures.chance, figures.chance_cpm)))
    if one.other is not None and one.difference is not None:
        table.add_section()
        other = one.other.figures
        _add(table, "other results", (*other.sensitivity, other.cpm))
        table.add_section()
        _add(table, "difference", (*one.difference.sensitivity, one.difference.cpm))
    return table


def _add(table: "Table", name: str, figures: "Sequence[Figure]") -> None:
    """Add a row of figures, and rows with their intervals if there are any."""
    table.add_row(name, *(_two(one.value) for one in figures))
    if any(one.low is not None for one in figures):
        table.add_row("  95 % from", *(_two(one.low) for one in figures), style="dim")
        table.add_row("  95 % to", *(_two(one.high) for one in figures), style="dim")


def _lines(program: "ProgramOnSet") -> Iterator[str]:
    """Yield the other figures of a program, one per line."""
    figures, shown = program.figures, program.shown
    if figures.image_auc.value is not None:
        yield f"image AUC: {_words(figures.image_auc)}"
    if figures.lesions:
        yield (
            f"any listed candidate: sensitivity {_words(figures.sensitivity_all_listed)}; medians "
            f"of these hits: Dice {_words(figures.on_hits['dice_median'])}, "
            f"area error {_words(figures.on_hits['area_error_median'])}"
        )
    own = f"{_words(shown.false_positives_per_film)} false positives per lesion-free film"
    if figures.lesions:
        own = f"sensitivity {_words(shown.sensitivity)}, {own}, Dice {_words(shown.dice_median)}"
    yield f"shown candidates: {own}"


def _strata_table(one: "SetEvaluation") -> "Table":
    """Return a short table of strata; the JSON has all of them at all rates."""
    from rich.table import Table
    from rich.text import Text

    from lesionscan.evaluation.froc import RATE_NAMES

    table = Table(title="the same by kind of lesion", title_justify="left")
    table.add_column("")
    for name in ("lesions", "at 1", "random", "at 4", "random", "CPM", "Dice"):
        table.add_column(name, justify="right")
    for family, words in _FAMILIES.items():
        rows = [stratum for stratum in one.strata if stratum.family == family]
        if [stratum.name for stratum in rows] in ([], ["unknown"]):
            continue
        table.add_section()
        table.add_row(Text(words, style="italic"))
        for stratum in rows:
            table.add_row(
                Text(f"  {one_line(stratum.name)}"),
                f"{stratum.lesions:,}",
                *(
                    _two(values[RATE_NAMES.index(rate)])
                    for rate in ("1", "4")
                    for values in (stratum.sensitivity, stratum.chance)
                ),
                _two(stratum.cpm),
                _two(stratum.dice_median),
            )
    return table


def _two(value: float | None) -> str:
    return "-" if value is None else f"{value:z.2f}"


def _words(one: "Figure") -> str:
    if one.low is None or one.high is None:
        return "unknown" if one.value is None else _two(one.value)
    return f"{_two(one.value)} ({_two(one.low)} to {_two(one.high)})"
