"""Apply a review: write the run's tables with the decisions, and a truth folder."""

from dataclasses import dataclass
from pathlib import Path

from lesionscan.results.own_files import OwnFiles
from lesionscan.results.run import RunError, listed_pictures
from lesionscan.review.applied import ReviewedFilm, reviewed_films
from lesionscan.review.record import ReviewError, ReviewRecord
from lesionscan.review.tables import TABLE_NAMES, write_tables
from lesionscan.review.truth import ReviewedTruth, TruthSource, write_truth
from lesionscan.review.truth_names import truth_names


@dataclass(frozen=True, slots=True)
class AppliedReview:
    """Outcome of applying a review.

    Attributes
    ----------
    films
        Those whose review matches their result.
    not_applied
        Names of the others, and the reasons.
    listed
        Number of pictures of the run.
    out
        The folder with the tables.
    truth
        Content of the truth folder; None if none was requested.
    """

    films: tuple[ReviewedFilm, ...]
    not_applied: tuple[tuple[str, str], ...]
    listed: int
    out: Path
    truth: ReviewedTruth | None

    @property
    def truth_folder(self) -> Path:
        """Path of the truth folder."""
        return self.out / "truth"

    @property
    def complete(self) -> bool:
        """Whether all decisions are in the tables, and all films that qualify in the truth."""
        return not self.not_applied and not (self.truth and self.truth.missing)


def apply_review(
    results: Path, review: ReviewRecord, *, out: Path, films: Path | None = None
) -> AppliedReview:
    """Write tables with a review's decisions and, if `films` is given, a truth folder.

    Parameters
    ----------
    results
        The output folder of `lesionscan scan`.
    review
        The review of these results.
    out
        Folder for `images.csv`, `candidates.csv` and `truth`.
    films
        The folder that was scanned; its films are needed for the truth folder.

    Raises
    ------
    lesionscan.review.record.ReviewError
        If the results cannot be used.
    lesionscan.results.atomic.OutputError
        If a file cannot be written.
    """
    if out.resolve() == results.resolve():
        raise ReviewError(f"{out} holds the tables of the run itself; name another --out")
    own = OwnFiles(out, below=results)
    own.check(TABLE_NAMES)
    try:
        listed = set(listed_pictures(results))
        reviewed, refused = reviewed_films(results, review, listed)
        write_tables(results, reviewed, own)
    except RunError as error:
        raise ReviewError(str(error)) from error
    truth = None
    if films is not None:
        names = truth_names({file for file, _ in listed})
        truth = write_truth(reviewed, TruthSource(results, films, names), own, out / "truth")
    return AppliedReview(tuple(reviewed), tuple(refused), len(listed), out, truth)
