"""The files about a whole run: images.csv, candidates.csv (Parquet too), run.json, report.html.

Tables and page are built from the per-image JSON files, read back one at a time in the films'
order: so they have the same bytes for every number of workers and for every way of running, and
memory does not grow with the results.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from lesionscan.batch.account import DoneFilms, RunRecord, Tally
from lesionscan.batch.job import outcome_of
from lesionscan.batch.results import MadeWith
from lesionscan.reporting.atomic import open_atomic, write_bytes
from lesionscan.reporting.gallery import RunFacts, failure_line, film_card, report_html
from lesionscan.reporting.records import DISCLAIMER, SCHEMA_VERSION
from lesionscan.reporting.tables import (
    CANDIDATE_COLUMNS,
    IMAGE_COLUMNS,
    Cell,
    RowWriter,
    candidate_rows,
    image_row,
    table_writer,
)

MadeT = TypeVar("MadeT")

REPORT_NAME = "report.html"


def write_summaries(
    out: Path, done: DoneFilms, run: RunRecord, *, parquet: bool
) -> tuple[Path, Tally]:
    """Write the summaries.

    Parameters
    ----------
    out
        The output folder.
    done
        The films to tell of.
    run
        What else to say.
    parquet
        Whether the tables are written as Parquet too.

    Returns
    -------
    report : Path
        The report page.
    tally : Tally
        What the tables list, which is what run.json counts.

    Raises
    ------
    lesionscan.reporting.atomic.OutputError
        When a file cannot be written.
    """
    tool = run.made_with
    listed = _write_tables(out, done, tool, parquet=parquet)
    tally = listed.tally
    tally.resumed, tally.altered = run.tally.resumed, run.tally.altered  # no result tells of it
    write_bytes(out / "run.json", _run_json(replace(run, tally=tally)))
    facts = RunFacts(
        run.version, run.settings.shown_score, run.not_done, ok=tally.ok, failed=tally.failed
    )
    report = out / REPORT_NAME
    with open_atomic(report) as page:
        page.writelines(
            report_html(
                _each(film_card, out, done, tool, (place[1:] for place in sorted(listed.read))),
                _each(failure_line, out, done, tool, listed.failed),
                facts,
            )
        )
    return report, tally


@dataclass(frozen=True, slots=True)
class _Listed:
    """What the tables list: how much, and the numbers of each film and of its picture.

    Attributes
    ----------
    tally
        How much of what.
    read
        Films that were read, with what puts the best candidates first and films without last.
    failed
        The others.
    """

    tally: Tally
    read: list[tuple[float, int, int]]
    failed: list[tuple[int, int]]


def _write_tables(out: Path, done: DoneFilms, tool: MadeWith, *, parquet: bool) -> _Listed:
    listed = _Listed(Tally(), [], [])
    with ExitStack() as stack:
        images: list[RowWriter] = []
        candidates: list[RowWriter] = []
        for name, columns, tables in (
            ("images", IMAGE_COLUMNS, images),
            ("candidates", CANDIDATE_COLUMNS, candidates),
        ):
            stream = stack.enter_context(open_atomic(out / f"{name}.csv"))
            tables.append(table_writer(stream, columns))
            if parquet:
                from lesionscan.reporting.parquet import parquet_writer  # an extra

                tables.append(stack.enter_context(parquet_writer(out / f"{name}.parquet", columns)))
        for film, picture, result in done.results(out, tool):
            outcome = outcome_of(result)
            listed.tally.add(outcome)
            _write_row(images, image_row(result))
            for row in candidate_rows(result):
                _write_row(candidates, row)
            if outcome.status != "ok":
                listed.failed.append((film, picture))
                continue
            best = -1.0 if outcome.best_score is None else outcome.best_score
            listed.read.append((-best, film, picture))
    return listed


def _write_row(tables: Iterable[RowWriter], row: Sequence[Cell]) -> None:
    for table in tables:
        table.writerow(row)


def _each(
    made: Callable[[dict[str, Any]], MadeT],
    out: Path,
    done: DoneFilms,
    tool: MadeWith,
    places: Iterable[tuple[int, int]],
) -> Iterator[MadeT]:
    """Make something of each of some results, which are read again, since all fill the memory."""
    for film, picture in places:
        yield made(done.result(out, tool, film, picture))


def _run_json(run: RunRecord) -> bytes:
    tally = run.tally
    summary = {
        "schema_version": SCHEMA_VERSION,
        "tool": {
            "name": "lesionscan",
            "version": run.version,
            "settings_sha256": run.settings.sha256(),
            "scorer_sha256": run.scorer_sha256,
        },
        "settings": run.settings.model_dump(mode="json"),
        "counts": {
            "found": run.found,
            "pictures": tally.pictures,
            "ok": tally.ok,
            "failed": tally.failed,
            "not_done": run.not_done,
            "resumed": tally.resumed,
            "altered": tally.altered,
            "skipped": run.skipped,
            "candidates": tally.candidates,
            "candidates_shown": tally.shown,
        },
        "failures": dict(sorted(tally.codes.items())),
        "interrupted": run.interrupted,
        "workers": run.workers,
        "seconds": round(run.seconds, 1),
        "pictures_an_hour": round(3600 * (tally.pictures - tally.resumed) / run.seconds)
        if run.seconds
        else None,
        "disclaimer": DISCLAIMER,
    }
    return (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
