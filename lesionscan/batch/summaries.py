"""The files about a whole run: images.csv, candidates.csv, run.json, report.html."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lesionscan import __version__
from lesionscan.batch.job import Outcome
from lesionscan.batch.results import ResultPaths, read_result
from lesionscan.reporting.atomic import open_atomic, write_bytes
from lesionscan.reporting.conversion import failed_record
from lesionscan.reporting.gallery import (
    FailureLine,
    FilmCard,
    RunFacts,
    failure_line,
    film_card,
    report_html,
)
from lesionscan.reporting.records import DISCLAIMER, SCHEMA_VERSION, InputRecord
from lesionscan.reporting.tables import (
    CANDIDATE_COLUMNS,
    IMAGE_COLUMNS,
    candidate_rows,
    image_row,
    table_writer,
)
from lesionscan.settings import Settings

REPORT_NAME = "report.html"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Facts about the run that its outcomes do not tell.

    Attributes
    ----------
    settings
        What was searched with.
    scorer_sha256
        Hash of the scorer's file, hexadecimal.
    found
        Number of films in the inputs.
    not_done
        Number of those that a stopped run did not reach.
    skipped
        Number of other files there.
    jobs
        Number of worker processes.
    interrupted
        Whether the run was stopped before its end.
    seconds
        Wall time of the work.
    """

    settings: Settings
    scorer_sha256: str
    found: int
    not_done: int
    skipped: int
    jobs: int
    interrupted: bool
    seconds: float


def write_summaries(out: Path, outcomes: Sequence[Outcome], run: RunRecord) -> Path:
    """Write the four summaries and return the report page's path.

    Parameters
    ----------
    out
        The output folder.
    outcomes
        Films that are done, in the order in which they are to be listed.
    run
        What else to say.

    Raises
    ------
    lesionscan.reporting.atomic.OutputError
        When a file cannot be written.
    """
    cards: list[FilmCard] = []
    failures: list[FailureLine] = []
    with (
        open_atomic(out / "images.csv") as images,
        open_atomic(out / "candidates.csv") as candidates,
    ):
        image_table = table_writer(images, IMAGE_COLUMNS)
        candidate_table = table_writer(candidates, CANDIDATE_COLUMNS)
        for result in _results(out, outcomes, run):
            image_table.writerow(image_row(result))
            for row in candidate_rows(result):
                candidate_table.writerow(row)
            if result["status"] == "ok":
                cards.append(film_card(result))
            else:
                failures.append(failure_line(result))
    facts = RunFacts(__version__, run.settings.shown_score, run.not_done)
    write_bytes(out / "run.json", _run_json(outcomes, run))
    report = out / REPORT_NAME
    write_bytes(report, report_html(cards, failures, facts).encode("utf-8"))
    return report


def _results(out: Path, outcomes: Sequence[Outcome], run: RunRecord) -> Iterator[dict[str, Any]]:
    """Read the films' JSON files back, one at a time: a large run's do not fit into memory."""
    for outcome in outcomes:
        result = read_result(ResultPaths.of(out, outcome.name))
        if result is None and outcome.error is not None:  # a name too long for any result
            result = failed_record(
                InputRecord(file=outcome.name, frame=1, frames=1, sha256=None),
                outcome.error,
                settings_sha256=run.settings.sha256(),
                scorer_sha256=run.scorer_sha256,
            ).model_dump(mode="json")
        if result is not None:
            yield result


def _run_json(outcomes: Sequence[Outcome], run: RunRecord) -> bytes:
    codes = Counter(outcome.error.code for outcome in outcomes if outcome.error is not None)
    summary = {
        "schema_version": SCHEMA_VERSION,
        "tool": {
            "name": "lesionscan",
            "version": __version__,
            "settings_sha256": run.settings.sha256(),
            "scorer_sha256": run.scorer_sha256,
        },
        "settings": run.settings.model_dump(mode="json"),
        "counts": {
            "found": run.found,
            "pictures": len(outcomes),
            "ok": sum(outcome.status == "ok" for outcome in outcomes),
            "failed": sum(outcome.status == "failed" for outcome in outcomes),
            "not_done": run.not_done,
            "resumed": sum(outcome.resumed for outcome in outcomes),
            "skipped": run.skipped,
            "candidates": sum(outcome.candidates for outcome in outcomes),
            "candidates_shown": sum(outcome.shown for outcome in outcomes),
        },
        "failures": dict(sorted(codes.items())),
        "interrupted": run.interrupted,
        "jobs": run.jobs,
        "seconds": round(run.seconds, 1),
        "disclaimer": DISCLAIMER,
    }
    return (json.dumps(summary, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
