"""Findings of a notebook or a program of one's own -> the files that a scan writes."""

from pathlib import Path

from lesionscan.batch.outcome import Job
from lesionscan.batch.render import render_findings
from lesionscan.detection.pipeline import Findings
from lesionscan.files import sha256_of_file
from lesionscan.results.folder import write_result
from lesionscan.results.paths import ResultPaths


def save(findings: Findings, folder: Path | str, *, film: Path | str) -> Path:
    """Write what was found in a film as `lesionscan scan` writes it.

    The files are those of one film: JSON, overlay, labels, bone, and its part of the report page.
    `lesionscan scan FILM --out FOLDER` keeps them, and adds the tables and the page.

    Parameters
    ----------
    findings
        From `find_candidates`.
    folder
        The output folder; it is made where it does not exist.
    film
        The film's file. Its name, without its folders, is the results' name, and its hash stands
        in the JSON where it can be read.

    Returns
    -------
    Path
        The JSON.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        When a file cannot be written, or one of the names is taken by a file that lesionscan has
        not written.
    """
    film, out = Path(film), Path(folder)
    job = Job(film, film.name, out, findings.settings, scorer=None, resume=False)
    try:
        sha256 = sha256_of_file(film)
    except OSError:
        sha256 = None
    rendered = render_findings(job, findings, sha256)
    name = rendered.result.name
    write_result(out, name, record=rendered.data, pictures=rendered.pictures)
    return ResultPaths.of(out, name).record
