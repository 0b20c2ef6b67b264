"""The job for one file and the outcomes of its films."""

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
    """One input file and how to process it.

    Attributes
    ----------
    path
        The input file.
    name
        Name of the file in the results, POSIX style.
    out
        The output folder.
    settings
        Settings of the run.
    scorer
        The scorer's file, or None for the shipped one; each worker reads it once.
    resume
        Whether to keep results of the same input, settings, scorer and pipeline version.
    exports
        Additional formats to write.
    """

    path: Path
    name: str
    out: Path
    settings: Settings
    scorer: Path | None
    resume: bool
    exports: frozenset[Export] = frozenset()

    def tool(self) -> ToolRecord:
        """Return program, settings and scorer, as the results record them.

        Raises
        ------
        lesionscan.detection.scorer.errors.ScorerError
            If the scorer cannot be used.
        """
        return tool_record(self.settings, load_scorer(self.scorer).sha256)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Summary of a finished film; small, because workers send it to the run.

    Attributes
    ----------
    name
        Name of the results, POSIX style, without endings.
    status
        As in the JSON.
    error
        Code and one-line message if status is "failed".
    candidates, shown
        Numbers of listed and shown candidates.
    best_score
        Highest score, 0 to 1, or None without candidates.
    seconds
        Wall time.
    resumed
        Whether earlier results were kept.
    altered
        Whether earlier results were not kept only because they had been changed.
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
    """Return the outcome of a result; for the other parameters see `Outcome`."""
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
