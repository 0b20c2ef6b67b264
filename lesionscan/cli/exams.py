"""`lesionscan exams`: tables of a run by exam and patient, under pseudonyms."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionscan.cli.terminal import RefusedError, note, one_line, say, stoppable

if TYPE_CHECKING:
    from lesionscan.exams.sources import Source


def exams(
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="Output folder of `lesionscan scan`.")
    ],
    id_key: Annotated[
        Path,
        typer.Option(
            "--id-key",
            help="File with the secret key of the pseudonyms; created at first use.",
        ),
    ],
    films: Annotated[
        Path | None,
        typer.Option(
            "--films", help="Scanned folder, from whose DICOM headers patient and exam are read."
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--table", help="CSV file that gives the patient and exam of each film."),
    ] = None,
    patient_column: Annotated[
        str | None,
        typer.Option("--patient-column", help="With --table: name of the patient column."),
    ] = None,
    exam_column: Annotated[
        str | None, typer.Option("--exam-column", help="With --table: name of the exam column.")
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            "--path-pattern",
            metavar="PATTERN",
            help="Pattern that takes patient and exam from the path, such as '{patient}/{exam}/*'.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Output folder (default: RESULTS/exams)."),
    ] = None,
) -> None:
    """Write tables by exam and patient, under pseudonyms made with a secret key."""
    from lesionscan.exams.pseudonyms import KeyFileError, open_key
    from lesionscan.exams.run import write_exams
    from lesionscan.exams.sources import SourceError
    from lesionscan.results.record import DISCLAIMER
    from lesionscan.results.run import RunError

    out = results / "exams" if out is None else out
    with stoppable("stopped; run the command again"):
        try:
            source = _source(films, table, patient_column, exam_column, pattern)
            pseudonyms, is_new = open_key(id_key, apart_from=(results, out))
            if is_new:
                note(f"new key: {one_line(str(id_key))}; pseudonyms cannot be made without it")
            written = write_exams(results, source, pseudonyms, out=out)
        except (KeyFileError, RunError, SourceError) as error:
            raise RefusedError(one_line(str(error))) from error
    say(
        f"{written.films:,} films ({written.copies:,} copies of others): {written.exams:,} exams, "
        f"{written.patients:,} patients, {written.pairs:,} pairs of films over time"
    )
    for count, words in (
        (written.without_patient, "films without a known patient"),
        (written.without_exam, "films without a known exam"),
        (written.mixed, "exams with films of several patients"),
    ):
        if count:
            note(f"warning: {count:,} {words}")
    say(f"tables: {out / 'patients.csv'}, exams.csv, films.csv, bones.csv, pairs.csv")
    say("candidates are counted per film: a lesion seen on two views counts twice")
    say(DISCLAIMER)


def _source(
    films: Path | None,
    table: Path | None,
    patient_column: str | None,
    exam_column: str | None,
    pattern: str | None,
) -> "Source":
    from lesionscan.exams import sources

    if sum(one is not None for one in (films, table, pattern)) != 1:
        raise RefusedError("give one source of patient and exam: --films, --table, --path-pattern")
    if table is None and (patient_column or exam_column):
        raise RefusedError("--patient-column and --exam-column need --table")
    if films is not None:
        return sources.headers(films)
    if pattern is not None:
        return sources.path_pattern(pattern)
    if table is None or not (patient_column or exam_column):
        raise RefusedError("--table needs --patient-column, --exam-column or both")
    return sources.table(table, patient=patient_column, exam=exam_column)
