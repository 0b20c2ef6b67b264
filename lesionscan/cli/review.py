"""`lesionscan review`: serve the report for a reviewer's decisions, or apply these decisions."""

import logging
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionscan.cli.terminal import RefusedError, complain, note, one_line, say, stoppable

if TYPE_CHECKING:
    from lesionscan.review.apply import AppliedReview


def review(
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="Output folder of `lesionscan scan`.")
    ],
    port: Annotated[
        int | None,
        typer.Option("--port", min=1024, max=65535, help="Local port (default: any free port)."),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the report in a browser.")
    ] = False,
    apply: Annotated[
        Path | None,
        typer.Option(
            "--apply", metavar="REVIEW", help="Write tables and truth masks from this review.json."
        ),
    ] = None,
    films: Annotated[
        Path | None,
        typer.Option("--films", help="With --apply: the scanned folder, needed for truth masks."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="With --apply: output folder (default: RESULTS/reviewed)."
        ),
    ] = None,
) -> None:
    """Serve the report on this machine and save a reviewer's decisions; --apply applies them."""
    if apply is None:
        if films is not None or out is not None:
            raise RefusedError("--films and --out need --apply with a review.json")
        _serve(results, port or 0, open_page=open_page)
    elif port is not None or open_page:
        raise RefusedError("--port and --open are for serving the report; omit them with --apply")
    else:
        _apply(results, apply, films, results / "reviewed" if out is None else out)


def _serve(results: Path, port: int, *, open_page: bool) -> None:
    from lesionscan.review.record import ReviewError
    from lesionscan.review.server import ReviewServer

    # suppress messages about closed connections and queues
    logging.getLogger("waitress").setLevel(logging.CRITICAL)
    with stoppable("stopped"):
        try:
            server = ReviewServer(results, port=port)
        except ReviewError as error:
            raise RefusedError(one_line(str(error))) from error
        with suppress(KeyboardInterrupt):  # the regular way to end it
            say(f"report: {server.address}")
            say("for this machine only; Ctrl-C ends it; decisions are saved immediately")
            if open_page:
                import webbrowser

                if not webbrowser.open(server.address):
                    note("no browser could be started; open the address yourself")
            server.run()
    say("")
    if server.kept_at.is_file():
        say(f"decisions: {one_line(str(server.kept_at))}")
        apply = f"lesionscan review {_quoted(results)} --apply {_quoted(server.kept_at)}"
        say(f"next: {apply} --films FOLDER (the scanned folder)")
    else:
        say("no decision was saved")


def _apply(results: Path, review: Path, films: Path | None, out: Path) -> None:
    from lesionscan.review.apply import apply_review
    from lesionscan.review.record import ReviewError, load_review

    if films is not None and not films.is_dir():
        raise RefusedError(f"--films {one_line(str(films))}: the folder does not exist")
    with stoppable("stopped; apply the review again"):
        try:
            applied = apply_review(results, load_review(review), films=films, out=out)
        except ReviewError as error:
            raise RefusedError(one_line(str(error))) from error
    _name_others(applied)
    _print_applied(applied)
    if applied.truth is not None and applied.truth.entries:
        truth = _quoted(applied.truth_folder)
        say(f"next: lesionscan evaluate {_quoted(results)} {truth}")
    from lesionscan.results.record import DISCLAIMER

    say(DISCLAIMER)
    raise typer.Exit(0 if applied.complete else 1)


def _name_others(applied: "AppliedReview") -> None:
    """Print the films that were not applied or are not in the truth, on stderr."""
    for name, reason in applied.not_applied:
        complain(f"{one_line(name)}: not applied: {one_line(reason)}")
    if applied.truth is not None:
        for name, reason in (*applied.truth.missing, *applied.truth.left_out):
            note(f"{one_line(name)}: not in the truth: {one_line(reason)}")


def _print_applied(applied: "AppliedReview") -> None:
    films = applied.films
    reviewed = sum(film.review.reviewed for film in films)
    counts = {
        name: sum(len(film.decided(name)) for film in films)
        for name in ("accepted", "rejected", "unsure")
    }
    missed = sum(len(film.review.missed) for film in films)
    words = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    say(
        f"{reviewed:,} of {applied.listed:,} films reviewed: {words}, "
        f"{missed:,} missed lesion{'' if missed == 1 else 's'}"
    )
    say(f"tables: {one_line(str(applied.out / 'images.csv'))}, candidates.csv")
    truth = applied.truth
    if truth is None:
        say("truth: none written; name the folder that was scanned (--films)")
    elif not truth.entries:
        say("truth: none written; no reviewed film can be counted")
    else:
        others = len(truth.left_out) + len(truth.missing)
        left_out = f", {others:,} reviewed films not in it" if others else ""
        say(
            f"truth: {len(truth.entries):,} films, {truth.lesions:,} lesions{left_out}: "
            f"{one_line(str(applied.truth_folder))}"
        )


def _quoted(path: Path) -> str:
    return shlex.quote(one_line(str(path)))
