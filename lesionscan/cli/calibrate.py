"""`lesionscan calibrate`: shown_score for a given rate of false positives, as settings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionscan.cli.evaluate import GroupsOption, ResamplesOption, SeedOption, with_bar
from lesionscan.cli.scan import listed_films
from lesionscan.cli.terminal import RefusedError, note, one_line, say, stoppable

if TYPE_CHECKING:
    from lesionscan.evaluation.calibration_films import CalibrationFilms, KnownLesions


def calibrate(
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="Output folder of `lesionscan scan`.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Settings file to write (.toml).")],
    false_positives: Annotated[
        float,
        typer.Option(
            "--false-positives",
            "-f",
            min=0.001,
            max=100,
            help="Highest number of candidates shown per film without lesions, on average.",
        ),
    ] = 0.5,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", help="Folder with index.json, images/ and masks/."),
    ] = None,
    set_name: Annotated[
        str | None, typer.Option("--set", help="With --truth: use only this set of the index.")
    ] = None,
    review: Annotated[
        Path | None,
        typer.Option("--review", help="Use the films that were reviewed in this review.json."),
    ] = None,
    normal: Annotated[
        Path | None,
        typer.Option(
            "--normal",
            help="Text file that lists the films without lesions, with names as in images.csv.",
        ),
    ] = None,
    groups: GroupsOption = None,
    resamples: ResamplesOption = 2000,
    seed: SeedOption = 0,
) -> None:
    """Choose shown_score for a given rate of false positives per film, from films without lesions.

    Without --truth, --review or --normal, every film of RESULTS must be free of lesions.
    """
    from lesionscan.evaluation.calibrate import CalibrationError
    from lesionscan.evaluation.calibrate import calibrate as threshold
    from lesionscan.evaluation.calibration_file import (
        body_part_lines,
        check_target,
        figure_lines,
        write_calibration,
    )
    from lesionscan.evaluation.results import ResultsError
    from lesionscan.evaluation.truth import TruthError
    from lesionscan.results.record import DISCLAIMER
    from lesionscan.results.run import RunError, run_settings
    from lesionscan.settings import Settings

    if sum(one is not None for one in (truth, review, normal)) > 1:
        raise RefusedError("--truth, --review and --normal cannot be combined; give one of them")
    if set_name is not None and truth is None:
        raise RefusedError("--set needs --truth")
    with stoppable("stopped; nothing was written"):
        try:
            check_target(out)  # before the work starts
            found = _films(results, truth, set_name, review, normal, groups)
            own = found.tool.name == "lesionscan"
            settings = run_settings(results, found.tool.settings_sha256) if own else Settings()
            calibration = threshold(
                found.films,
                false_positives=false_positives,
                before=settings.shown_score if own else None,
                resamples=resamples,
                seed=seed,
            )
            chosen = settings.model_copy(update={"shown_score": calibration.shown.shown_score})
            write_calibration(calibration, found.tool, chosen.to_toml(), out)
        except (CalibrationError, ResultsError, RunError, TruthError) as error:
            raise RefusedError(one_line(str(error))) from error
    for line in (*figure_lines(calibration), *body_part_lines(calibration)):
        say(line)
    for line in calibration.warnings():
        note(f"warning: {line}")
    say(f"settings: {out}")
    say(DISCLAIMER)


def _films(
    results: Path,
    truth: Path | None,
    set_name: str | None,
    review: Path | None,
    normal: Path | None,
    groups: Path | None,
) -> "CalibrationFilms":
    from lesionscan.evaluation.calibration_films import films_of_run, films_of_truth

    if truth is not None:
        return films_of_truth(results, truth, set_name=set_name, groups=groups, progress=with_bar)
    return films_of_run(
        results,
        normal=None if normal is None else {path.as_posix() for path in listed_films(normal)},
        known=None if review is None else _reviewed(results, review),
        groups=groups,
    )


def _reviewed(results: Path, review: Path) -> "dict[str, KnownLesions]":
    """Return the lesions decided in a review by film, and report the undecided films."""
    from lesionscan.evaluation.calibration_films import KnownLesions
    from lesionscan.results.run import listed_pictures
    from lesionscan.review.applied import reviewed_films
    from lesionscan.review.record import ReviewError, load_review
    from lesionscan.review.truth import decided_lesions

    try:
        decisions = load_review(review)
    except ReviewError as error:
        raise RefusedError(one_line(str(error))) from error
    films, changed = reviewed_films(results, decisions, set(listed_pictures(results)))
    lesions, undecided = decided_lesions(films)
    for name, reason in (*changed, *undecided):
        note(f"{one_line(name)}: left out: {one_line(reason)}")
    return {name: KnownLesions(*decided) for name, decided in lesions.items()}
