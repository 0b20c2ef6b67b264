"""One input -> its result files: read, find, report. The same for every way of running it.

A file with several pictures (frames, pages) gives results for each, and each fails for itself.
Order of writing: the pictures, then the JSON, each whole or not at all. A JSON that exists
therefore means that the rest is complete, which is what resuming relies on.
"""

import hashlib
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from lesionscan import __version__
from lesionscan.batch.results import Origin, ResultPaths, kept_results, remove_others
from lesionscan.detection import pipeline
from lesionscan.detection.scorer.scorer_file import load_scorer
from lesionscan.radiograph import Notice, Radiograph
from lesionscan.reading import Frames, UnreadableFileError, open_radiographs
from lesionscan.reporting.atomic import NameTooLongError, remove, write_bytes
from lesionscan.reporting.conversion import failed_record, ok_record
from lesionscan.reporting.overlay import bone_png, labels_png, may_be_drawn, overlay_png
from lesionscan.reporting.records import (
    OVERLAY_WITHHELD,
    InputRecord,
    name_of,
    result_name,
    to_json,
)
from lesionscan.settings import Settings

DoneT = TypeVar("DoneT")

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs to know about one file.

    Attributes
    ----------
    path
        The input file.
    name
        Name of the file in the results, POSIX style.
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
        Name of its results under `out`, POSIX style, without their endings.
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


def process(job: Job) -> tuple[Outcome, ...]:
    """Do one file: read, find, report. What fails gives an outcome, not an exception.

    Returns
    -------
    tuple of Outcome
        One for each picture in the file; one for a file that cannot be opened.

    Raises
    ------
    lesionscan.detection.scorer.scorer_file.ScorerError
        When the scorer cannot be used, which would happen to all other films too.
    lesionscan.reporting.atomic.OutputError
        When a result cannot be written, likewise.
    """
    with warnings.catch_warnings():
        # Warnings of pydicom and others quote header values, which may identify a patient; what
        # matters to a user is in the radiograph's notices.
        warnings.simplefilter("ignore")
        return tuple(_outcomes(job))


def crashed(job: Job, exit_code: int | None) -> tuple[Outcome, ...]:
    """Record a file whose worker process died."""
    cause = f"signal {-exit_code}" if exit_code and exit_code < 0 else f"exit status {exit_code}"
    error = Notice(
        "crashed",
        f"the worker process died ({cause}); often memory ran out: try fewer jobs",
    )
    result = _fail(job, _source(job, _sha256_or_none(job.path)), error)
    remove_others(job.out, job.name, pictures=1)
    return (_outcome(result, seconds=0.0, resumed=False),)


def _outcomes(job: Job) -> Iterator[Outcome]:
    load_scorer(job.scorer)  # out here: without a scorer it is not this film that fails
    started = time.perf_counter()
    sha256 = _sha256_or_none(job.path)
    kept = _kept(job, sha256) if job.resume and sha256 is not None else {}
    count = next((result["input"]["frames"] for result in kept.values()), 0)
    if kept and len(kept) == count:
        seconds = (time.perf_counter() - started) / count
        for number in range(1, count + 1):
            yield _outcome(kept[number], seconds=seconds, resumed=True)
        remove_others(job.out, job.name, pictures=count)
        return
    with ExitStack() as stack:
        opening = open_radiographs(job.path, settings=job.settings)
        frames = _tried(lambda: stack.enter_context(opening))
        if isinstance(frames, Notice):
            result = _fail(job, _source(job, sha256), frames)
            remove_others(job.out, job.name, pictures=1)
            yield _outcome(result, seconds=time.perf_counter() - started, resumed=False)
            return
        for number in range(1, frames.count + 1):
            old = kept.get(number)
            result = _result(job, frames, number, sha256) if old is None else old
            seconds = time.perf_counter() - started
            yield _outcome(result, seconds=seconds, resumed=old is not None)
            started = time.perf_counter()
        remove_others(job.out, job.name, pictures=frames.count)


def _result(job: Job, frames: Frames, number: int, sha256: str | None) -> dict[str, Any]:
    """Read, search and report one picture, and return its JSON."""
    source = _source(job, sha256, frame=number, frames=frames.count)
    rendered = _tried(lambda: _render(job, frames.read(number), sha256))
    if isinstance(rendered, Notice):
        return _fail(job, source, rendered)
    try:
        return _save(rendered, ResultPaths.of(job.out, _name(source)))
    except NameTooLongError:
        failure = Notice("name_too_long", "the file name is too long for the results; shorten it")
        return _fail(job, source, failure)


def _tried(work: Callable[[], DoneT]) -> DoneT | Notice:
    """Do a part of the work on a film; return why it failed where it does."""
    try:
        return work()
    except UnreadableFileError as error:
        return Notice(error.code, str(error))
    except MemoryError:
        return Notice(
            "out_of_memory", "memory ran out; use fewer jobs or a machine with more memory"
        )
    except Exception as error:  # noqa: BLE001 - one bad film must not stop the other thousands
        # The class alone: the text of an exception may quote the file.
        return Notice(
            "internal_error",
            f"lesionscan failed on this film ({type(error).__name__}); please report this",
        )


def _kept(job: Job, sha256: str) -> dict[int, dict[str, Any]]:
    made = Origin(
        file=job.name,
        sha256=sha256,
        version=__version__,
        settings_sha256=job.settings.sha256(),
        scorer_sha256=load_scorer(job.scorer).sha256,
    )
    return kept_results(job.out, made, at_most=job.settings.max_frames)


def _source(job: Job, sha256: str | None, *, frame: int = 1, frames: int = 1) -> InputRecord:
    return InputRecord(file=job.name, frame=frame, frames=frames, sha256=sha256)


def _name(source: InputRecord) -> str:
    return result_name(source.file, source.frame, source.frames)


def _fail(job: Job, source: InputRecord, error: Notice) -> dict[str, Any]:
    """Write the JSON of a picture that failed, remove its older pictures, and return the JSON."""
    paths = ResultPaths.of(job.out, _name(source))
    record = failed_record(
        source,
        error,
        settings_sha256=job.settings.sha256(),
        scorer_sha256=load_scorer(job.scorer).sha256,
    )
    try:
        for picture in paths.pictures:
            remove(picture)
        write_bytes(paths.record, to_json(record))
    except NameTooLongError:
        pass  # there is no place for a file of this name; the summaries name the film
    return record.model_dump(mode="json")


def _outcome(result: Mapping[str, Any], *, seconds: float, resumed: bool) -> Outcome:
    candidates, error = result["candidates"], result["error"]
    return Outcome(
        name=name_of(result),
        status=result["status"],
        error=None if error is None else Notice(error["code"], error["message"]),
        candidates=len(candidates),
        shown=sum(candidate["shown"] for candidate in candidates),
        best_score=max((candidate["score"] for candidate in candidates), default=None),
        seconds=seconds,
        resumed=resumed,
    )


@dataclass(frozen=True, slots=True)
class _Rendered:
    """A picture's results in memory; the pictures in the order of `ResultPaths.pictures`."""

    result: dict[str, Any]
    record: bytes
    pictures: tuple[bytes | None, ...]


def _render(job: Job, radiograph: Radiograph, sha256: str | None) -> _Rendered:
    findings = pipeline.find_candidates(radiograph, job.settings, load_scorer(job.scorer))
    withheld = not may_be_drawn(radiograph, job.settings)
    notices = [
        Notice(
            OVERLAY_WITHHELD,
            "no picture of the film was made, since it may show who the patient is "
            "(--allow-burned-in makes one)",
        )
    ]
    record = ok_record(findings, file=job.name, sha256=sha256, notices=notices if withheld else ())
    return _Rendered(
        result=record.model_dump(mode="json"),
        record=to_json(record),
        pictures=(
            labels_png(findings),
            bone_png(findings),
            None if withheld else overlay_png(findings),
        ),
    )


def _save(rendered: _Rendered, paths: ResultPaths) -> dict[str, Any]:
    remove(paths.record)  # while the pictures change, no JSON may vouch for them
    for path, picture in zip(paths.pictures, rendered.pictures, strict=True):
        if picture is None:
            remove(path)
        else:
            write_bytes(path, picture)
    write_bytes(paths.record, rendered.record)
    return rendered.result


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
