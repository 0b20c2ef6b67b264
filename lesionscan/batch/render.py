"""A picture -> its results in memory: search, record, pictures, page, exports."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lesionscan.batch.exports import export_paths, film_exports
from lesionscan.batch.outcome import Job
from lesionscan.detection import pipeline
from lesionscan.detection.scorer.scorer_file import load_scorer
from lesionscan.radiograph import Notice, Radiograph
from lesionscan.reporting.conversion import ok_record
from lesionscan.reporting.overlay import (
    bone_png,
    displayed,
    labels_png,
    may_be_drawn,
    overlay_png,
)
from lesionscan.reporting.page.view import film_view
from lesionscan.results.paths import ResultPaths
from lesionscan.results.record import PicturesRecord, name_of, sealed_json, sha256_of


@dataclass(frozen=True, slots=True)
class Rendered:
    """A picture's results in memory.

    Attributes
    ----------
    result
        The JSON as values.
    record
        Its bytes.
    pictures
        By their names in `lesionscan.results.paths`; None where there is none.
    exports
        Files for other programs, by path.
    not_exported
        Why the others could not be made, or None.
    """

    result: dict[str, Any]
    record: bytes
    pictures: dict[str, bytes | None]
    exports: dict[Path, bytes]
    not_exported: Notice | None


def render(job: Job, radiograph: Radiograph, sha256: str | None) -> Rendered:
    """Search a picture and make its results.

    Parameters
    ----------
    job
        The file.
    radiograph
        The picture.
    sha256
        Hash of the file, hexadecimal.
    """
    findings = pipeline.find_candidates(radiograph, job.settings, load_scorer(job.scorer))
    may_be = may_be_drawn(radiograph, job.settings)
    withheld = Notice(
        "overlay_withheld",
        "no picture of the film was made, since it may show who the patient is "
        "(--allow-burned-in makes one)",
    )
    film = displayed(findings) if may_be and job.settings.overlay else None
    pictures = {
        "labels": labels_png(findings),
        "bone": bone_png(findings),
        "overlay": None if film is None else overlay_png(findings, film),
    }
    record = ok_record(
        findings, file=job.name, sha256=sha256, notices=() if may_be else (withheld,)
    )
    hashed = PicturesRecord.model_validate(_hashes(pictures))
    result = record.model_copy(update={"pictures": hashed}).model_dump(mode="json")
    view = film_view(findings, result, film)  # made of the rest
    of_page = {"view": view.script, "film": view.picture, "thumbnail": view.thumbnail}
    result["pictures"].update(_hashes(of_page))
    data = sealed_json(result)
    # exports name the seal, which only the bytes bear
    sealed = json.loads(data) if job.exports else result
    exports, trouble = film_exports(job.path, sealed, findings.labels, job.exports)
    places = export_paths(ResultPaths.of(job.out, name_of(result)))
    return Rendered(
        result,
        data,
        {**pictures, **of_page},
        {places[export]: file for export, file in exports.items()},
        trouble,
    )


def _hashes(files: Mapping[str, bytes | None]) -> dict[str, str | None]:
    return {
        f"{kind}_sha256": None if data is None else sha256_of(data) for kind, data in files.items()
    }
