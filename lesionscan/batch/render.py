"""Search a film and render its results in memory: record, pictures, report, exports.

If only the output settings have changed, earlier results are rendered again without a search.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lesionscan.batch.exports import Export, export_paths, film_exports
from lesionscan.batch.outcome import Job
from lesionscan.codes import NoticeCode, notice
from lesionscan.detection import pipeline
from lesionscan.detection.pipeline import Findings
from lesionscan.detection.scorer.scorer_file import load_scorer
from lesionscan.radiograph import FloatImage, Notice, Radiograph
from lesionscan.reporting.conversion import ok_record
from lesionscan.reporting.overlay import (
    bone_png,
    displayed,
    labels_png,
    may_be_drawn,
    overlay_png,
)
from lesionscan.reporting.page.view import Backdrop, film_view
from lesionscan.results.exported import exported, is_as_exported
from lesionscan.results.labels import Labels, read_labels
from lesionscan.results.paths import ResultPaths, read_file
from lesionscan.results.record import PicturesRecord, ResultRecord, parse_record
from lesionscan.results.sealed import seal_in, sealed_json, sha256_of

_WITHHELD = notice(
    NoticeCode.OVERLAY_WITHHELD,
    "no picture of the film was made, since it may show who the patient is "
    "(--allow-burned-in makes one)",
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """The results of a film in memory.

    Attributes
    ----------
    result
        The result.
    data
        Its JSON.
    pictures
        Files by name (`lesionscan.results.paths.PICTURES`), or None.
    exports
        Exports by path.
    not_exported
        Why an export could not be made, or None.
    """

    result: ResultRecord
    data: bytes
    pictures: dict[str, bytes | None]
    exports: dict[Path, bytes]
    not_exported: Notice | None


def render(job: Job, radiograph: Radiograph, sha256: str | None) -> Rendered:
    """Search a film and render its results.

    Parameters
    ----------
    job
        The file.
    radiograph
        The film.
    sha256
        SHA-256 of the file, hexadecimal.
    """
    findings = pipeline.find_candidates(radiograph, job.settings, load_scorer(job.scorer))
    return render_findings(job, findings, sha256)


def render_findings(job: Job, findings: Findings, sha256: str | None) -> Rendered:
    """Render the results of a search.

    Parameters
    ----------
    job, sha256
        As in `render`.
    findings
        Results of the search.
    """
    masks = {"labels": labels_png(findings), "bone": bone_png(findings)}
    record = ok_record(findings, file=job.name, sha256=sha256)
    found = _Found(record, findings.image, Backdrop.of(findings), masks)
    return _rendered(job, found, findings.radiograph, lambda: findings.labels, job.exports)


def rerender(job: Job, radiograph: Radiograph, name: str) -> Rendered | None:
    """Render the results of a film from those of an earlier run, without a search.

    Parameters
    ----------
    job
        The file; its output settings differ from those of the earlier run.
    radiograph
        The film.
    name
        Name of the earlier results, without endings.

    Returns
    -------
    Rendered or None
        None if the earlier results were changed in the meantime.
    """
    paths = ResultPaths.of(job.out, name)
    data, view = read_file(paths.record), read_file(paths.view)
    record = None if data is None else parse_record(data)
    backdrop = None if view is None else Backdrop.from_script(view)
    masks = {kind: read_file(paths.pictures[kind]) for kind in ("labels", "bone")}
    if record is None or backdrop is None or None in masks.values():
        return None
    shown_score = job.settings.shown_score
    record = record.model_copy(
        update={
            "tool": job.tool(),
            "warnings": tuple(one for one in record.warnings if one != _WITHHELD),
            "candidates": tuple(
                replace(one, shown=one.score >= shown_score) for one in record.candidates
            ),
            "pictures": None,
            "seal_sha256": "",
        }
    )
    image = pipeline.normalise_film(radiograph, job.settings).image
    written = exported(paths)
    existing = {kind for kind, path in export_paths(paths).items() if is_as_exported(path, written)}
    return _rendered(
        job,
        _Found(record, image, backdrop, masks),
        radiograph,
        lambda: read_labels(paths.labels),
        job.exports | existing,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """Results of a search, made now or in an earlier run.

    Attributes
    ----------
    record
        The record, without the hashes of the pictures and the warnings of the output.
    image
        float32 (rows, cols) in [0, 1], bone bright.
    backdrop
        The film's data for the report, without the candidates.
    masks
        PNG files of labels and bone.
    """

    record: ResultRecord
    image: FloatImage
    backdrop: Backdrop
    masks: Mapping[str, bytes | None]


def _rendered(
    job: Job,
    found: _Found,
    radiograph: Radiograph,
    labels: Callable[[], Labels],
    exports: frozenset[Export],
) -> Rendered:
    """Render the results with the output settings."""
    record, drawable = found.record, may_be_drawn(radiograph, job.settings)
    if not drawable:
        record = record.model_copy(update={"warnings": (*record.warnings, _WITHHELD)})
    film = None
    if drawable and job.settings.overlay:
        film = displayed(found.image, found.backdrop.window, at_most_px=job.settings.overlay_max_px)
    overlay = None if film is None else overlay_png(record, film)
    pictures = {**found.masks, "overlay": overlay}
    hashed = PicturesRecord.model_validate(_hashes(pictures))
    record = record.model_copy(update={"pictures": hashed})
    view = film_view(record, found.backdrop, film)
    report = {"view": view.script, "film": view.picture, "thumbnail": view.thumbnail}
    hashed = hashed.model_copy(update=_hashes(report))
    record = record.model_copy(update={"pictures": hashed})
    data = sealed_json(record)
    result = record.model_copy(update={"seal_sha256": seal_in(data)})
    files, problem = film_exports(job.path, result, labels(), exports) if exports else ({}, None)
    paths = export_paths(ResultPaths.of(job.out, result.name))
    return Rendered(
        result,
        data,
        {**pictures, **report},
        {paths[export]: file for export, file in files.items()},
        problem,
    )


def _hashes(files: Mapping[str, bytes | None]) -> dict[str, str | None]:
    return {
        f"{kind}_sha256": None if data is None else sha256_of(data) for kind, data in files.items()
    }
