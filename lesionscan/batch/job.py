"""One input -> its result files: read, find, report. The same for every way of running it.

A file with several pictures (frames, pages) gives results for each, and each fails for itself.
Order of writing: the pictures, the film's part of the report page, then the JSON, each whole or not
at all. A JSON that exists therefore means that the rest is complete, which resuming relies on.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from lesionscan.batch.exports import not_own
from lesionscan.batch.outcome import Job, Outcome, outcome_of
from lesionscan.batch.pool import Loss
from lesionscan.batch.render import Rendered, render, rerender
from lesionscan.batch.resume import (
    all_kept,
    as_asked,
    found_results,
    kept_outcome,
    sha256_or_none,
    silent,
)
from lesionscan.codes import ErrorCode, notice
from lesionscan.detection.scorer.errors import ScorerError
from lesionscan.detection.scorer.scorer_file import load_scorer
from lesionscan.radiograph import Notice
from lesionscan.reading import Frames, UnreadableFileError, open_radiographs
from lesionscan.reporting.conversion import failed_record
from lesionscan.results.atomic import NameTooLongError, UnusableNameError
from lesionscan.results.folder import FoundResults, remove_others, write_result
from lesionscan.results.record import InputRecord, ResultRecord, result_name
from lesionscan.results.sealed import sealed_json

DoneT = TypeVar("DoneT")


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
    with silent():
        yield from _outcomes(job)


def lost(job: Job, loss: Loss) -> Outcome:
    """Record a file whose worker process died or was ended."""
    # without its hash: this process must not hang on the same file
    result = fail(job, _source(job, None), notice(loss.code, loss.in_words()))
    remove_others(job.out, job.name, pictures=1)
    return outcome_of(result)


def _outcomes(job: Job) -> Iterator[Outcome]:
    load_scorer(job.scorer)  # out here: without a scorer it is not this film that fails
    started = time.perf_counter()
    sha256 = sha256_or_none(job)
    found = (
        found_results(job, sha256) if job.resume and sha256 is not None else FoundResults({}, set())
    )
    if (kept := all_kept(job, found)) and all(as_asked(job, result) for result in kept):
        for result in kept:
            yield kept_outcome(job, result)
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
            earlier = found.whole.get(number)
            if earlier is not None and as_asked(job, earlier):
                outcome = kept_outcome(job, earlier)
            else:
                outcome = _new_outcome(job, frames, number, sha256, kept=earlier is not None)
            seconds = time.perf_counter() - started
            yield replace(outcome, seconds=seconds, altered=number in found.altered)
            started = time.perf_counter()
        remove_others(job.out, job.name, pictures=frames.count)


def _new_outcome(
    job: Job, frames: Frames, number: int, sha256: str | None, *, kept: bool
) -> Outcome:
    """Read, search and report one picture; what was found before is kept where it can be."""
    source = _source(job, sha256, frame=number, frames=frames.count)

    def results() -> tuple[Rendered, bool]:
        radiograph = frames.read(number)
        again = rerender(job, radiograph, _name(source)) if kept else None
        return again or render(job, radiograph, sha256), again is not None

    tried = _tried(results)
    if isinstance(tried, Notice):
        return outcome_of(fail(job, source, tried))
    rendered, resumed = tried
    try:
        refused = write_result(
            job.out,
            _name(source),
            record=rendered.data,
            pictures=rendered.pictures,
            exports=rendered.exports,
        )
    except UnusableNameError as error:
        return outcome_of(fail(job, source, unusable_name(error, job.out)))
    not_exported = rendered.not_exported or not_own(refused, job.out)
    return replace(outcome_of(rendered.result, resumed=resumed), not_exported=not_exported)


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
        return notice(
            ErrorCode.NAME_TOO_LONG, "the file name is too long for the results; shorten it"
        )
    return notice(ErrorCode.NAME_TAKEN, error.within(out))


def _tried(work: Callable[[], DoneT]) -> DoneT | Notice:
    """Do a part of the work on a film; return why it failed where it does."""
    try:
        return work()
    except UnreadableFileError as error:
        return Notice(error.code, str(error))
    except MemoryError:
        return notice(
            ErrorCode.OUT_OF_MEMORY, "memory ran out; use fewer jobs or a machine with more memory"
        )
    except ScorerError as error:
        return notice(ErrorCode.SCORER_FAILED, str(error))
    except Exception as error:  # noqa: BLE001 - one bad film must not stop the other thousands
        # The class alone: the text of an exception may quote the file.
        return notice(
            ErrorCode.INTERNAL_ERROR,
            f"lesionscan failed on this film ({type(error).__name__}); please report this",
        )


def _source(job: Job, sha256: str | None, *, frame: int = 1, frames: int = 1) -> InputRecord:
    return InputRecord(file=job.name, frame=frame, frames=frames, sha256=sha256)


def _name(source: InputRecord) -> str:
    return result_name(source.file, source.frame, source.frames)


def fail(job: Job, source: InputRecord, error: Notice) -> ResultRecord:
    """Write the result of a picture that failed, remove its older pictures, and return it.

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
    result = failed_record(source, error, job.tool())
    with suppress(UnusableNameError):  # there is no place for it; the summaries name the film
        write_result(job.out, _name(source), record=sealed_json(result))
    return result
