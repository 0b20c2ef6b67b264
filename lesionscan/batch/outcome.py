"""What is to be done with one file, and what became of its pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lesionscan.batch.exports import Export
from lesionscan.detection.scorer.scorer_file import load_scorer
from lesionscan.radiograph import Notice
from lesionscan.reporting.conversion import tool_record
from lesionscan.results.record import ResultRecord, ToolRecord
from lesionscan.settings import Settings


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

    def tool(self) -> ToolRecord:
        """Return what its results are made with.

        Raises
        ------
        lesionscan.detection.scorer.errors.ScorerError
            When the scorer cannot be used.
        """
        return tool_record(self.settings, load_scorer(self.scorer).sha256)


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


def outcome_of(
    result: ResultRecord,
    *,
    seconds: float = 0.0,
    resumed: bool = False,
    altered: bool = False,
) -> Outcome:
    """Return what the run needs to know of a result.

    Parameters
    ----------
    result
        The result.
    seconds, resumed, altered
        As in `Outcome`.
    """
    return Outcome(
        name=result.name,
        status=result.status,
        error=result.error,
        candidates=len(result.candidates),
        shown=len(result.shown),
        best_score=max((candidate.score for candidate in result.candidates), default=None),
        seconds=seconds,
        resumed=resumed,
        altered=altered,
    )
