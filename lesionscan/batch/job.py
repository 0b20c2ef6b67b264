"""One input -> its result files: read, find, report. The same for every way of running it.

Order of writing: the pictures, then the JSON, each whole or not at all. A JSON that exists
therefore means that the rest is complete, which is what resuming relies on.
"""

import hashlib
import json
import time
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from lesionscan import __version__
from lesionscan.detection import pipeline
from lesionscan.detection.scorer.scorer_file import load_scorer
from lesionscan.radiograph import Notice
from lesionscan.reading import UnreadableFileError, read_radiograph
from lesionscan.reporting.atomic import NameTooLongError, remove, write_bytes
from lesionscan.reporting.conversion import failed_record, ok_record
from lesionscan.reporting.overlay import bone_png, labels_png, overlay_png
from lesionscan.reporting.records import to_json
from lesionscan.settings import Settings

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs to know about one film.

    Attributes
    ----------
    path
        The input file.
    name
        Name of its results under `out`, POSIX style, without their endings.
    out
        The output folder.
    settings
        What to search with.
    scorer
        The scorer's file, or None for the shipped one; each worker reads it once.
    resume
        Whether results of the same input, settings, scorer and version are kept.
    """

    path: Path
    name: str
    out: Path
    settings: Settings
    scorer: Path | None
    resume: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the run needs to know about one film that is done; small, so that it travels cheaply.

    Attributes
    ----------
    name
        As in the job.
    status
        As in the JSON.
    error
        Code and one-line message where status is "failed".
    candidates, shown
        Numbers of listed and of shown candidates.
    best_score
        Highest score, 0 to 1, or None without candidates.
    seconds
        Wall time spent.
    resumed
        Whether an earlier run's results were kept.
    """

    name: str
    status: Literal["ok", "failed"]
    error: Notice | None
    candidates: int
    shown: int
    best_score: float | None
    seconds: float
    resumed: bool


@dataclass(frozen=True, slots=True)
class ResultPaths:
    """Where one film's results stand."""

    record: Path
    overlay: Path
    labels: Path
    bone: Path

    @property
    def pictures(self) -> tuple[Path, ...]:
        """Return all but the JSON."""
        return self.labels, self.bone, self.overlay

    @classmethod
    def of(cls, out: Path, name: str) -> "ResultPaths":
        """Return the paths for a film's name under the output folder."""
        base = out / PurePosixPath(name)
        return cls(
            record=base.with_name(f"{base.name}.json"),
            overlay=base.with_name(f"{base.name}.overlay.png"),
            labels=base.with_name(f"{base.name}.labels.png"),
            bone=base.with_name(f"{base.name}.bone.png"),
        )


def process(job: Job) -> Outcome:
    """Do one film: read, find, report. A film that fails gives an outcome, not an exception.

    Raises
    ------
    lesionscan.detection.scorer.scorer_file.ScorerError
        When the scorer cannot be used, which would happen to all other films too.
    lesionscan.reporting.atomic.OutputError
        When a result cannot be written, likewise.
    """
    started = time.perf_counter()
    with warnings.catch_warnings():
        # Warnings of pydicom and others quote header values, which may identify a patient; what
        # matters to a user is in the radiograph's notices.
        warnings.simplefilter("ignore")
        result, resumed = _result(job)
    candidates = result["candidates"]
    error = result["error"]
    return Outcome(
        name=job.name,
        status=result["status"],
        error=None if error is None else Notice(error["code"], error["message"]),
        candidates=len(candidates),
        shown=sum(candidate["shown"] for candidate in candidates),
        best_score=max((candidate["score"] for candidate in candidates), default=None),
        seconds=time.perf_counter() - started,
        resumed=resumed,
    )


def fail(job: Job, error: Notice, sha256: str | None = None) -> dict[str, Any]:
    """Write the JSON of a film that failed, remove its older pictures, and return the JSON."""
    paths = ResultPaths.of(job.out, job.name)
    record = failed_record(
        file=job.name,
        sha256=sha256,
        settings_sha256=job.settings.sha256(),
        scorer_sha256=load_scorer(job.scorer).sha256,
        error=error,
    )
    try:
        for picture in paths.pictures:
            remove(picture)
        write_bytes(paths.record, to_json(record))
    except NameTooLongError:
        pass  # there is no place for a file of this name; the summaries name the film
    return record.model_dump(mode="json")


def crashed(job: Job, exit_code: int | None) -> Outcome:
    """Record a film whose worker process died."""
    cause = f"signal {-exit_code}" if exit_code and exit_code < 0 else f"exit status {exit_code}"
    error = Notice(
        "crashed",
        f"the worker process died ({cause}); often memory ran out: try fewer jobs",
    )
    fail(job, error, _sha256_or_none(job.path))
    return Outcome(job.name, "failed", error, 0, 0, None, 0.0, resumed=False)


def read_result(paths: ResultPaths) -> dict[str, Any] | None:
    """Read a film's JSON back; None where there is none or it is not ours."""
    try:
        result = json.loads(paths.record.read_bytes())
    except (OSError, ValueError):
        return None
    return result if isinstance(result, dict) and "tool" in result else None


def _result(job: Job) -> tuple[dict[str, Any], bool]:
    """Return the film's JSON, and whether it is an earlier run's."""
    load_scorer(job.scorer)  # out here: without a scorer it is not this film that fails
    sha256 = _sha256_or_none(job.path)
    paths = ResultPaths.of(job.out, job.name)
    if job.resume and sha256 is not None:
        kept = _kept_result(job, paths, sha256)
        if kept is not None:
            return kept, True
    try:
        rendered = _render(job, sha256)
    except UnreadableFileError as error:
        failure = Notice(error.code, str(error))
    except MemoryError:
        failure = Notice(
            "out_of_memory", "memory ran out; use fewer jobs or a machine with more memory"
        )
    except Exception as error:  # noqa: BLE001 - one bad film must not stop the other thousands
        # The class alone: the text of an exception may quote the file.
        failure = Notice(
            "internal_error",
            f"lesionscan failed on this film ({type(error).__name__}); please report this",
        )
    else:
        try:
            return _save(rendered, paths), False
        except NameTooLongError:
            failure = Notice(
                "name_too_long", "the file name is too long for the results; shorten it"
            )
    return fail(job, failure, sha256), False


@dataclass(frozen=True, slots=True)
class _Rendered:
    """A film's results in memory; the pictures in the order of `ResultPaths.pictures`."""

    result: dict[str, Any]
    record: bytes
    pictures: tuple[bytes, ...]


def _render(job: Job, sha256: str | None) -> _Rendered:
    radiograph = read_radiograph(job.path, settings=job.settings)
    findings = pipeline.find_candidates(radiograph, job.settings, load_scorer(job.scorer))
    record = ok_record(findings, file=job.name, sha256=sha256)
    return _Rendered(
        result=record.model_dump(mode="json"),
        record=to_json(record),
        pictures=(labels_png(findings), bone_png(findings), overlay_png(findings)),
    )


def _save(rendered: _Rendered, paths: ResultPaths) -> dict[str, Any]:
    remove(paths.record)  # while the pictures change, no JSON may vouch for them
    for path, picture in zip(paths.pictures, rendered.pictures, strict=True):
        write_bytes(path, picture)
    write_bytes(paths.record, rendered.record)
    return rendered.result


def _kept_result(job: Job, paths: ResultPaths, sha256: str) -> dict[str, Any] | None:
    result = read_result(paths)
    if result is None or result.get("status") != "ok":
        return None
    tool, source = result["tool"], result.get("input", {})
    same = (
        tool.get("version") == __version__
        and tool.get("settings_sha256") == job.settings.sha256()
        and tool.get("scorer_sha256") == load_scorer(job.scorer).sha256
        and source.get("sha256") == sha256
        and source.get("file") == job.name
    )
    return result if same and all(_is_full(path) for path in paths.pictures) else None


def _is_full(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _sha256_or_none(path: Path) -> str | None:
    try:
        if not path.is_file():  # a pipe or a device could be read for ever
            return None
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError:
        return None  # the reader says why
    return digest.hexdigest()
