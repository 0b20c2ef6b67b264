"""The files about a whole run: images.csv, candidates.csv (Parquet too), run.json, report.html.

Tables and the page's list are built from the per-image JSON files, read back one at a time in the
films' order: so they have the same bytes for every number of workers and for every way of running,
and memory does not grow with the results.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from lesionscan.batch.account import DoneFilms, RunRecord, Tally
from lesionscan.batch.exports import Export
from lesionscan.batch.job import outcome_of
from lesionscan.batch.results import ResultPaths
from lesionscan.reporting.atomic import (
    OutputError,
    open_atomic,
    open_atomic_bytes,
    remove,
    write_bytes,
)
from lesionscan.reporting.coco import CocoPaths, Film, write_coco
from lesionscan.reporting.labels import LabelsError, read_labels
from lesionscan.reporting.page.index import RunFacts, index_head, index_line, write_page
from lesionscan.reporting.page.places import INDEX
from lesionscan.reporting.records import DISCLAIMER, SCHEMA_VERSION, name_of
from lesionscan.reporting.tables import (
    CANDIDATE_COLUMNS,
    IMAGE_COLUMNS,
    Cell,
    RowWriter,
    candidate_rows,
    image_row,
    table_writer,
)


def write_summaries(
    out: Path, done: DoneFilms, run: RunRecord, *, exports: frozenset[Export] = frozenset()
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
    exports
        What else is made of the run.

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
    tally = _write_tables(out, done, run, parquet=Export.PARQUET in exports)
    for name in ("resumed", "altered", "not_exported"):  # no result tells of these
        setattr(tally, name, getattr(run.tally, name))
    write_bytes(out / "run.json", _run_json(replace(run, tally=tally)))
    report = write_page(out)
    _write_coco(out, done, run, wanted=Export.COCO in exports)
    return report, tally


def _write_coco(out: Path, done: DoneFilms, run: RunRecord, *, wanted: bool) -> None:
    if not wanted:
        paths = CocoPaths.of(out)
        for path in (paths.dataset, paths.results):
            remove(path)  # of an earlier run, which had other films
        return
    try:
        write_coco(out, _with_labels(out, done.results(out, run.made_with)))
    except LabelsError as error:  # somebody tidies up while the run ends
        raise OutputError(str(error)) from error


def _write_tables(out: Path, done: DoneFilms, run: RunRecord, *, parquet: bool) -> Tally:
    """Write the tables and the page's list; return what they list."""
    tally = Tally()
    with ExitStack() as stack:
        images: list[RowWriter] = []
        candidates: list[RowWriter] = []
        for name, columns, tables in (
            ("images", IMAGE_COLUMNS, images),
            ("candidates", CANDIDATE_COLUMNS, candidates),
        ):
            stream = stack.enter_context(open_atomic(out / f"{name}.csv"))
            tables.append(table_writer(stream, columns))
            as_parquet = out / f"{name}.parquet"
            if parquet:
                from lesionscan.reporting.parquet import parquet_writer  # an extra

                tables.append(stack.enter_context(parquet_writer(as_parquet, columns)))
            else:
                remove(as_parquet)  # of an earlier run, which had other films
        index = stack.enter_context(open_atomic_bytes(out / INDEX))
        index.write(index_head(_run_facts(run)))
        for result in done.results(out, run.made_with):
            tally.add(outcome_of(result))
            _write_row(images, image_row(result))
            for row in candidate_rows(result):
                _write_row(candidates, row)
            index.write(index_line(result))
    return tally


def _with_labels(out: Path, results: Iterable[dict[str, Any]]) -> Iterator[Film]:
    for result in results:
        paths = ResultPaths.of(out, name_of(result))
        yield result, read_labels(paths.labels) if result["status"] == "ok" else None


def _run_facts(run: RunRecord) -> RunFacts:
    return RunFacts(
        version=run.version,
        settings_sha256=run.settings.sha256(),
        scorer_sha256=run.scorer_sha256,
        shown_score=run.settings.shown_score,
        not_done=run.not_done,
    )


def _write_row(tables: Iterable[RowWriter], row: Sequence[Cell]) -> None:
    for table in tables:
        table.writerow(row)


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
            "not_exported": tally.not_exported,
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
