"""Results of an earlier run: whether a file's can be kept, and what they then still lack."""

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
    """Show no warnings: pydicom's and others' quote header values, which may identify a patient.

    What matters to a user is in the radiograph's notices.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def kept_outcomes(job: Job) -> tuple[Outcome, ...]:
    """Return a file's outcomes where all its earlier results can be kept, otherwise none.

    Results of another count of pictures then go, and exports that are lacking are made.
    """
    names = (result_name(job.name, 1, count) for count in (1, 2))
    if not any(read_file(ResultPaths.of(job.out, name).record) for name in names):
        return ()  # before the file is read to its end
    sha256 = sha256_or_none(job)
    kept = () if sha256 is None else all_kept(job, found_results(job, sha256))
    if not all(as_asked(job, result) for result in kept):
        return ()
    with silent():
        return tuple(kept_outcome(job, result) for result in kept)


def found_results(job: Job, sha256: str) -> FoundResults:
    """Return the earlier results of a file whose hash is known."""
    made = Origin(
        file=job.name,
        sha256=sha256,
        tool=job.tool(),
    )
    return earlier_results(job.out, made, at_most=job.settings.max_frames)


def all_kept(job: Job, found: FoundResults) -> Sequence[ResultRecord]:
    """Return the results of all of a file's pictures, if all can be kept."""
    kept = found.whole
    count = next((result.input.frames for result in kept.values()), 0)
    if len(kept) != count:
        return ()
    if kept:
        remove_others(job.out, job.name, pictures=count)
    return [kept[number] for number in sorted(kept)]


def as_asked(job: Job, result: ResultRecord) -> bool:
    """Say whether a result that can be kept has the pictures that the settings ask for."""
    return result.tool.made_alike(job.tool())


def kept_outcome(job: Job, result: ResultRecord) -> Outcome:
    """Return the outcome of a result that is kept, with the exports that it may have lacked."""
    paths = ResultPaths.of(job.out, result.name)
    trouble = add_exports(job.path, paths, result, job.exports)
    return replace(outcome_of(result, resumed=True), not_exported=trouble)


def sha256_or_none(job: Job) -> str | None:
    """Return the hash of a job's file; None for one that the reader refuses, and says why."""
    try:
        return sha256_of_file(job.path, max_bytes=round(job.settings.max_file_mb * 1e6))
    except OSError:
        return None
