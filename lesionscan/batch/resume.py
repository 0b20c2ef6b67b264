"""Decide which results of an earlier run can be kept, and add missing exports."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from lesionscan.batch.exports import add_exports
from lesionscan.batch.outcome import Job, Outcome, outcome_of
from lesionscan.files import sha256_of_file
from lesionscan.results.folder import (
    FoundResults,
    Origin,
    earlier_results,
    remove_others,
)
from lesionscan.results.paths import ResultPaths, read_file
from lesionscan.results.record import ResultRecord, result_name


@contextmanager
def silent() -> Iterator[None]:
    """Suppress warnings, because some quote header values, which may identify a patient.

    Relevant warnings are in the notices of the radiograph.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def kept_outcomes(job: Job) -> tuple[Outcome, ...]:
    """Return the outcomes of a file if all its earlier results can be kept, otherwise none.

    If so, outdated results of the file are removed, and missing exports are made.
    """
    names = (result_name(job.name, 1, count) for count in (1, 2))
    if not any(read_file(ResultPaths.of(job.out, name).record) for name in names):
        return ()  # without hashing the file
    sha256 = sha256_or_none(job)
    kept = () if sha256 is None else all_kept(job, found_results(job, sha256))
    if not all(is_current(job, result) for result in kept):
        return ()
    with silent():
        return tuple(kept_outcome(job, result) for result in kept)


def found_results(job: Job, sha256: str) -> FoundResults:
    """Return the earlier results of a file whose hash is known."""
    origin = Origin(file=job.name, sha256=sha256, tool=job.tool())
    return earlier_results(job.out, origin, at_most=job.settings.max_frames)


def all_kept(job: Job, found: FoundResults) -> Sequence[ResultRecord]:
    """Return the results of all images in a file if all can be kept, otherwise none."""
    kept = found.intact
    count = next((result.input.frames for result in kept.values()), 0)
    if len(kept) != count:
        return ()
    if kept:
        remove_others(job.out, job.name, pictures=count)
    return [kept[number] for number in sorted(kept)]


def is_current(job: Job, result: ResultRecord) -> bool:
    """Return whether a result that can be kept was made with the same output settings too."""
    return result.tool.same_results_as(job.tool())


def kept_outcome(job: Job, result: ResultRecord) -> Outcome:
    """Add missing exports to a result that is kept, and return its outcome."""
    paths = ResultPaths.of(job.out, result.name)
    problem = add_exports(job.path, paths, result, job.exports)
    return replace(outcome_of(result, resumed=True), not_exported=problem)


def sha256_or_none(job: Job) -> str | None:
    """Return the hash of a job's file; None if it cannot be read, which the reader reports."""
    try:
        return sha256_of_file(job.path, max_bytes=round(job.settings.max_file_mb * 1e6))
    except OSError:
        return None
