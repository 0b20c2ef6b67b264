"""One input -> its result files: read, find, report. The same for every way of running it.

A file with several pictures (frames, pages) gives results for each, and each fails for itself.
Order of writing: the pictures, the film's part of the report page, then the JSON, each whole or not
at all. A JSON that exists therefore means that the rest is complete, which resuming relies on.
"""

import json
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from lesionscan import __version__
from lesionscan.batch.exports import Export, add_exports, export_paths, film_exports, not_own
from lesionscan.batch.pool import Loss
from lesionscan.detection import pipeline
from lesionscan.detection.scorer.errors import ScorerError
from lesionscan.detection.scorer.scorer_file import load_scorer
from lesionscan.files import sha256_of_file
from lesionscan.radiograph import Notice, Radiograph
from lesionscan.reading import Frames, UnreadableFileError, open_radiographs
from lesionscan.reporting.conversion import failed_record, ok_record
from lesionscan.reporting.overlay import (
    bone_png,
    displayed,
    labels_png,
    may_be_drawn,
    overlay_png,
)
from lesionscan.reporting.page.view import film_view
from lesionscan.results.atomic import NameTooLongError, UnusableNameError
from lesionscan.results.folder import (
    FoundResults,
    MadeWith,
    Origin,
    earlier_results,
    remove_others,
    write_result,
)
from lesionscan.results.paths import ResultPaths, read_file
from lesionscan.results.record import (
    InputRecord,
    PicturesRecord,
    name_of,
    result_name,
    sealed_json,
    sha256_of,
)
from lesionscan.settings import Settings

DoneT = TypeVar("DoneT")


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
    exports
        What else is made of it.
    """

    path: Path
    name: str
    out: Path
    settings: Settings
    scorer: Path | None
    resume: bool
    exports: frozenset[Export] = frozenset()


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
    altered
        Whether an earlier run's results would have been kept, had they not been changed since.
    not_exported
        Why an export could not be made, or None.
    """

    name: str
    status: Literal["ok", "failed"]
    error: Notice | None
    candidates: int
    shown: int
    best_score: float | None
    seconds: float
    resumed: bool
    altered: bool = False
    not_exported: Notice | None = None


def process(job: Job) -> Iterator[Outcome]:
    """Do one file: read, find, report. What fails gives an outcome, not an exception.

    Yields
    ------
    Outcome
        One for each picture in the file, as it is done; one for a file that cannot be opened.

    Raises
    ------
    lesionscan.detection.scorer.errors.ScorerError
        When the scorer cannot be used, which would happen to all other films too.
    lesionscan.results.atomic.OutputError
        When a result cannot be written, likewise.
    """
    with _silent():
        yield from _outcomes(job)


@contextmanager
def _silent() -> Iterator[None]:
    with warnings.catch_warnings():
        # Warnings of pydicom and others quote header values, which may identify a patient; what
        # matters to a user is in the radiograph's notices.
        warnings.simplefilter("ignore")
        yield


def lost(job: Job, loss: Loss) -> Outcome:
    """Record a file whose worker process died or was ended."""
    # without its hash: this process must not hang on the same file
    result = fail(job, _source(job, None), Notice(loss.code, loss.in_words()))
    remove_others(job.out, job.name, pictures=1)
    return outcome_of(result)


def kept_outcomes(job: Job) -> tuple[Outcome, ...]:
    """Return a file's outcomes where all its earlier results can be kept, otherwise none.

    Results of another count of pictures then go, and exports that are lacking are made.
    """
    names = (result_name(job.name, 1, count) for count in (1, 2))
    if not any(read_file(ResultPaths.of(job.out, name).record) for name in names):
        return ()  # before the file is read to its end
    sha256 = _sha256_or_none(job)
    kept = () if sha256 is None else _kept(job, _found(job, sha256))
    with _silent():
        return tuple(_kept_outcome(job, result) for result in kept)


def _kept(job: Job, found: FoundResults) -> Sequence[dict[str, Any]]:
    """Return the results of all of a file's pictures, if all can be kept."""
    kept = found.whole
    count = next((result["input"]["frames"] for result in kept.values()), 0)
    if len(kept) != count:
        return ()
    if kept:
        remove_others(job.out, job.name, pictures=count)
    return [kept[number] for number in sorted(kept)]


def _kept_outcome(job: Job, result: dict[str, Any]) -> Outcome:
    """Return the outcome of a result that is kept, with the exports that it may have lacked."""
    trouble = add_exports(job.path, _paths(job, result), result, job.exports)
    return replace(outcome_of(result, resumed=True), not_exported=trouble)


def _paths(job: Job, result: Mapping[str, Any]) -> ResultPaths:
    return ResultPaths.of(job.out, name_of(result))


def _outcomes(job: Job) -> Iterator[Outcome]:
    load_scorer(job.scorer)  # out here: without a scorer it is not this film that fails
    started = time.perf_counter()
    sha256 = _sha256_or_none(job)
    found = _found(job, sha256) if job.resume and sha256 is not None else FoundResults({}, set())
    if kept := _kept(job, found):
        for result in kept:
            yield _kept_outcome(job, result)
        return
    with ExitStack() as stack:
        opening = open_radiographs(job.path, settings=job.settings)
        frames = _tried(lambda: stack.enter_context(opening))
        if isinstance(frames, Notice):
            result = fail(job, _source(job, sha256), frames)
            remove_others(job.out, job.name, pictures=1)
            yield outcome_of(result, seconds=time.perf_counter() - started)
            return
        for number in range(1, frames.count + 1):
            if number in found.whole:
                outcome = _kept_outcome(job, found.whole[number])
            else:
                outcome = _new_outcome(job, frames, number, sha256)
            seconds = time.perf_counter() - started
            yield replace(outcome, seconds=seconds, altered=number in found.altered)
            started = time.perf_counter()
        remove_others(job.out, job.name, pictures=frames.count)


def _new_outcome(job: Job, frames: Frames, number: int, sha256: str | None) -> Outcome:
    """Read, search and report one picture."""
    source = _source(job, sha256, frame=number, frames=frames.count)
    rendered = _tried(lambda: _render(job, frames.read(number), sha256))
    if isinstance(rendered, Notice):
        return outcome_of(fail(job, source, rendered))
    try:
        refused = write_result(
            job.out,
            _name(source),
            record=rendered.record,
            pictures=rendered.pictures,
            exports=rendered.exports,
        )
    except UnusableNameError as error:
        return outcome_of(fail(job, source, unusable_name(error, job.out)))
    not_exported = rendered.not_exported or not_own(refused, job.out)
    return replace(outcome_of(rendered.result), not_exported=not_exported)


def unusable_name(error: UnusableNameError, out: Path) -> Notice:
    """Return why a picture fails whose results cannot stand under their name.

    Parameters
    ----------
    error
        What is wrong with the name.
    out
        The output folder, which is not named.
    """
    if isinstance(error, NameTooLongError):
        return Notice("name_too_long", "the file name is too long for the results; shorten it")
    return Notice("name_taken", error.within(out))


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
    except ScorerError as error:
        return Notice("scorer_failed", str(error))
    except Exception as error:  # noqa: BLE001 - one bad film must not stop the other thousands
        # The class alone: the text of an exception may quote the file.
        return Notice(
            "internal_error",
            f"lesionscan failed on this film ({type(error).__name__}); please report this",
        )


def _found(job: Job, sha256: str) -> FoundResults:
    made = Origin(
        file=job.name,
        sha256=sha256,
        tool=MadeWith(__version__, job.settings.sha256(), load_scorer(job.scorer).sha256),
    )
    return earlier_results(job.out, made, at_most=job.settings.max_frames)


def _source(job: Job, sha256: str | None, *, frame: int = 1, frames: int = 1) -> InputRecord:
    return InputRecord(file=job.name, frame=frame, frames=frames, sha256=sha256)


def _name(source: InputRecord) -> str:
    return result_name(source.file, source.frame, source.frames)


def fail(job: Job, source: InputRecord, error: Notice) -> dict[str, Any]:
    """Write the JSON of a picture that failed, remove its older pictures, and return the JSON.

    Parameters
    ----------
    job
        The file.
    source
        The picture.
    error
        Why it failed.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        When a file cannot be written or removed.
    """
    record = failed_record(
        source,
        error,
        settings_sha256=job.settings.sha256(),
        scorer_sha256=load_scorer(job.scorer).sha256,
    )
    result = record.model_dump(mode="json")
    with suppress(UnusableNameError):  # there is no place for it; the summaries name the film
        write_result(job.out, _name(source), record=sealed_json(result))
    return result


def outcome_of(
    result: Mapping[str, Any],
    *,
    seconds: float = 0.0,
    resumed: bool = False,
    altered: bool = False,
) -> Outcome:
    """Return what the run needs to know of a result.

    Parameters
    ----------
    result
        Its JSON.
    seconds, resumed, altered
        As in `Outcome`.
    """
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
        altered=altered,
    )


@dataclass(frozen=True, slots=True)
class _Rendered:
    """A picture's results in memory; pictures by their names in `lesionscan.results.paths`."""

    result: dict[str, Any]
    record: bytes
    pictures: dict[str, bytes | None]
    exports: dict[Path, bytes]
    not_exported: Notice | None


def _render(job: Job, radiograph: Radiograph, sha256: str | None) -> _Rendered:
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
    places = export_paths(_paths(job, result))
    return _Rendered(
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


def _sha256_or_none(job: Job) -> str | None:
    """Return the hash of a job's file; None for one that the reader refuses, and says why."""
    try:
        return sha256_of_file(job.path, max_bytes=round(job.settings.max_file_mb * 1e6))
    except OSError:
        return None
