"""The flow of `lesionscan exams`: results and a source of identities in, tables out."""

from pathlib import Path

from lesionscan.exams.grouping import grouped_films
from lesionscan.exams.pseudonyms import Pseudonyms
from lesionscan.exams.sources import Source
from lesionscan.exams.tables import COLUMNS, Written, write_tables
from lesionscan.results.own_files import OwnFiles
from lesionscan.results.run import run_results


def write_exams(results: Path, source: Source, pseudonyms: Pseudonyms, *, out: Path) -> Written:
    """Group the films of a run, and write the tables.

    Parameters
    ----------
    results
        The output folder of `lesionscan scan`.
    source
        Whose film each is.
    pseudonyms
        What hides it.
    out
        Folder for the tables.

    Raises
    ------
    lesionscan.results.run.RunError
        When the run cannot be read back.
    lesionscan.exams.sources.SourceError
        When the source cannot say whose film one is.
    lesionscan.results.own_files.NotOwnError
        When a file that lesionscan has not written stands where a table would.
    lesionscan.results.atomic.OutputError
        When a table cannot be written.
    """
    own = OwnFiles(out, below=results)
    own.check(COLUMNS)  # before the work is done
    return write_tables(grouped_films(run_results(results), source, pseudonyms), own)
