"""Write the files about a whole run: tables (CSV, Parquet), run.json, report, COCO.

Tables and the report's list are built from the JSON files of the films, read one at a time in the
order of the films. They therefore have the same bytes for any number of workers and any engine, and
memory does not grow with the number of films.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from lesionscan.batch.exports import Export, expected_exports
from lesionscan.batch.outcome import outcome_of
from lesionscan.batch.run_files import RUN_NAME, TABLES, files_of_run, names_of_run
from lesionscan.batch.tally import DoneFilms, RunRecord, Tally
from lesionscan.reporting.coco import CocoPaths, LabelledResult, write_coco
from lesionscan.reporting.page.index import RunFacts, index_head, index_line, write_page
from lesionscan.reporting.tables import candidate_rows, image_row
from lesionscan.results.atomic import OutputError
from lesionscan.results.csv_text import Cell, RowWriter, table_writer
from lesionscan.results.labels import LabelsError, read_labels
from lesionscan.results.own_files import OwnFiles
from lesionscan.results.paths import INDEX, FolderListing, ResultPaths
from lesionscan.results.record import DISCLAIMER, SCHEMA_VERSION, ResultRecord


def write_summaries(
    out: Path, done: DoneFilms, run: RunRecord, *, exports: frozenset[Export] = frozenset()
) -> tuple[Path, Tally]:
    """Write the summaries of a run.

    Parameters
    ----------
    out
        The output folder.
    done
        The finished files.
    run
        Record of the run.
    exports
        Additional formats to write for the run.

    Returns
    -------
    report : Path
        The report page.
    tally : Tally
        Counts of the tables, as in run.json.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        If a file cannot be written.
    """
    own = files_of_run(out)
    tally = _write_tables(out, own, done, run, exports)
    for name in ("resumed", "altered"):  # results do not record these
        setattr(tally, name, getattr(run.tally, name))
    tally.not_exported = max(tally.not_exported, run.tally.not_exported)
    report = write_page(own)
    _write_coco(out, own, done, run, wanted=Export.COCO in exports)
    # last, because an older run.json marks the other files as lesionscan's
    own.write(out / RUN_NAME, _run_json(replace(run, tally=tally)))
    _check_written(out, exports)
    return report, tally


def _check_written(out: Path, exports: frozenset[Export]) -> None:
    """Check that no file was removed while the others were written."""
    optional = {".parquet": Export.PARQUET in exports, "coco": Export.COCO in exports}
    for name in names_of_run():
        wanted = all(requested for mark, requested in optional.items() if mark in name)
        if wanted and not (out / name).is_file():
            raise OutputError(
                f"{out / name} was removed while the run ended; run the command again"
            )


def _write_coco(out: Path, own: OwnFiles, done: DoneFilms, run: RunRecord, *, wanted: bool) -> None:
    if not wanted:
        paths = CocoPaths.of(out)
        # left by an earlier run with other films; the dataset last, because it lists the other
        for path in (paths.results, paths.dataset):
            own.remove(path)
        return
    try:
        write_coco(own, _with_labels(out, done.results(out, run.tool)))
    except LabelsError as error:  # removed or changed while the run ends
        raise OutputError(str(error)) from error


def _write_tables(
    out: Path, own: OwnFiles, done: DoneFilms, run: RunRecord, exports: frozenset[Export]
) -> Tally:
    """Write the tables and the report's list; return their counts."""
    tally, listing = Tally(), FolderListing()
    with ExitStack() as stack:
        written: dict[str, list[RowWriter]] = {}
        for name, columns in TABLES.items():
            stream = stack.enter_context(own.open_text(out / f"{name}.csv"))
            written[name] = [table_writer(stream, [column.name for column in columns])]
            as_parquet = out / f"{name}.parquet"
            if Export.PARQUET in exports:
                from lesionscan.reporting.parquet import parquet_writer  # an extra

                data = stack.enter_context(own.open_bytes(as_parquet))
                written[name].append(stack.enter_context(parquet_writer(data, columns)))
            else:
                own.remove(as_parquet)  # left by an earlier run with other films
        index = stack.enter_context(own.open_bytes(out / INDEX))
        index.write(index_head(_run_facts(run)))
        for result in done.results(out, run.tool):
            tally.add(outcome_of(result))
            expected = expected_exports(ResultPaths.of(out, result.name), result, exports)
            tally.not_exported += not all(map(listing.holds, expected.values()))
            _write_row(written["images"], image_row(result))
            for row in candidate_rows(result):
                _write_row(written["candidates"], row)
            index.write(index_line(result))
    return tally


def _with_labels(out: Path, results: Iterable[ResultRecord]) -> Iterator[LabelledResult]:
    for result in results:
        paths = ResultPaths.of(out, result.name)
        yield result, read_labels(paths.labels) if result.status == "ok" else None


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
        "tool": run.tool.model_dump(mode="json"),
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
