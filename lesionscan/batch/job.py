"""Process one input file: read, search, write the results.

Each image of a file (frame, page) has its own results, and its own errors. Pictures and the film's
part of the report are written first and the JSON last, each atomically, so that the results are
complete if the JSON exists; resuming relies on this.
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
    found_results,
    is_current,
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

ResultT = TypeVar("ResultT")


def process(job: Job) -> Iterator[Outcome]:
    """Process one file; errors of a film are outcomes, not exceptions.

    Yields
    ------
    Outcome
        One per image in the file, as it is finished; one for a file that cannot be opened.

    Raises
    ------
    lesionscan.detection.scorer.errors.ScorerError
        If the scorer cannot be used, which would affect all films.
    lesionscan.results.atomic.OutputError
        If a result cannot be written, likewise.
    """
    with silent():
        yield from _outcomes(job)


def lost(job: Job, loss: Loss) -> Outcome:
    """Write the failed result of a file whose worker process died or was killed."""
    # without the hash: reading the file could hang this process too
    result = fail(job, _source(job, None), notice(loss.code, loss.message()))
    remove_others(job.out, job.name, pictures=1)
    return outcome_of(result)


def _outcomes(job: Job) -> Iterator[Outcome]:
    load_scorer(job.scorer)  # not in `_attempt`, because a missing scorer affects all films
    started = time.perf_counter()
    sha256 = sha256_or_none(job)
    found = (
        found_results(job, sha256) if job.resume and sha256 is not None else FoundResults({}, set())
    )
    if (kept := all_kept(job, found)) and all(is_current(job, result) for result in kept):
        for result in kept:
            yield kept_outcome(job, result)
        return
    with ExitStack() as stack:
        opening = open_radiographs(job.path, settings=job.settings)
        frames = _attempt(lambda: stack.enter_context(opening))
        if isinstance(frames, Notice):
            result = fail(job, _source(job, sha256), frames)
            remove_others(job.out, job.name, pictures=1)
            yield outcome_of(result, seconds=time.perf_counter() - started)
            return
        for number in range(1, frames.count + 1):
            earlier = found.intact.get(number)
            if earlier is not None and is_current(job, earlier):
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
    """Read, search and write one image; a search that can be kept is not repeated."""
    source = _source(job, sha256, frame=number, frames=frames.count)

    def results() -> tuple[Rendered, bool]:
        radiograph = frames.read(number)
        rerendered = rerender(job, radiograph, _name(source)) if kept else None
        return rerendered or render(job, radiograph, sha256), rerendered is not None

    attempt = _attempt(results)
    if isinstance(attempt, Notice):
        return outcome_of(fail(job, source, attempt))
    rendered, resumed = attempt
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
    """Return the error of a film whose results cannot be written under their name.

    Parameters
    ----------
    error
        The cause.
    out
        The output folder, which the message does not contain.
    """
    if isinstance(error, NameTooLongError):
        return notice(
            ErrorCode.NAME_TOO_LONG, "the file name is too long for the results; shorten it"
        )
    return notice(ErrorCode.NAME_TAKEN, error.within(out))


def _attempt(step: Callable[[], ResultT]) -> ResultT | Notice:
    """Run a step for a film; return its result, or the error if it fails."""
    try:
        return step()
    except UnreadableFileError as error:
        return Notice(error.code, str(error))
    except MemoryError:
        return notice(
            ErrorCode.OUT_OF_MEMORY, "memory ran out; use fewer jobs or a machine with more memory"
        )
    except ScorerError as error:
        return notice(ErrorCode.SCORER_FAILED, str(error))
    except Exception as error:  # noqa: BLE001 - one bad film must not stop the other thousands
        # only the class, because the text of an exception may quote the file
        return notice(
            ErrorCode.INTERNAL_ERROR,
            f"lesionscan failed on this film ({type(error).__name__}); please report this",
        )


def _source(job: Job, sha256: str | None, *, frame: int = 1, frames: int = 1) -> InputRecord:
    return InputRecord(file=job.name, frame=frame, frames=frames, sha256=sha256)


def _name(source: InputRecord) -> str:
    return result_name(source.file, source.frame, source.frames)


def fail(job: Job, source: InputRecord, error: Notice) -> ResultRecord:
    """Write the result of a failed film, remove its old pictures, and return the result.

    Parameters
    ----------
    job
        The file.
    source
        The image in the file.
    error
        The cause.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        If a file cannot be written or removed.
    """
    result = failed_record(source, error, job.tool())
    with suppress(UnusableNameError):  # cannot be written; the summaries list the film
        write_result(job.out, _name(source), record=sealed_json(result))
    return result
