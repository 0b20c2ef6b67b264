"""Group the results of a run by exam and patient and write the tables."""

from pathlib import Path

from lesionscan.exams.grouping import grouped_films
from lesionscan.exams.pseudonyms import Pseudonyms
from lesionscan.exams.sources import Source
from lesionscan.exams.tables import COLUMNS, TableCounts, write_tables
from lesionscan.results.own_files import OwnFiles
from lesionscan.results.run import run_results


def write_exams(results: Path, source: Source, pseudonyms: Pseudonyms, *, out: Path) -> TableCounts:
    """Group the films of a run, and write the tables.

    Parameters
    ----------
    results
        The output folder of `lesionscan scan`.
    source
        Returns the identity for a film.
    pseudonyms
        Replaces identities.
    out
        Folder for the tables.

    Raises
    ------
    lesionscan.results.run.RunError
        If the run cannot be read.
    lesionscan.exams.sources.SourceError
        If the source cannot be read.
    lesionscan.results.own_files.NotOwnError
        If a table would overwrite a file that lesionscan did not write.
    lesionscan.results.atomic.OutputError
        If a table cannot be written.
    """
    own = OwnFiles(out, below=results)
    own.check(COLUMNS)  # before the work is done
    return write_tables(grouped_films(run_results(results), source, pseudonyms), own)
