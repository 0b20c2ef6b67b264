"""Save findings as a scan does, for use from Python."""

from pathlib import Path

from lesionscan.batch.outcome import Job
from lesionscan.batch.render import render_findings
from lesionscan.detection.pipeline import Findings
from lesionscan.files import sha256_of_file
from lesionscan.results.folder import write_result
from lesionscan.results.paths import ResultPaths


def save(findings: Findings, folder: Path | str, *, film: Path | str) -> Path:
    """Write findings to files, as `lesionscan scan` does.

    The files are JSON, overlay, label image, bone mask, and the film's part of the report.
    `lesionscan scan FILM --out FOLDER` keeps them, and adds the tables and the report page.

    Parameters
    ----------
    findings
        From `find_candidates`.
    folder
        The output folder; created if it does not exist.
    film
        The film's file. The results are named after it, without its folder; the JSON holds its
        SHA-256 if it can be read.

    Returns
    -------
    Path
        The JSON.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        If a file cannot be written, or would replace one that lesionscan has not written.
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
