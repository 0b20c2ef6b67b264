"""Counts and outcomes of a run: finished films, their results, and a record of the run."""

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from lesionscan.batch.outcome import Outcome
from lesionscan.codes import ErrorCode, notice
from lesionscan.radiograph import Notice
from lesionscan.reporting.conversion import failed_record, tool_record
from lesionscan.results.folder import expected_paths, read_result
from lesionscan.results.paths import FolderListing, ResultPaths
from lesionscan.results.record import InputRecord, ResultRecord, ToolRecord, result_name
from lesionscan.settings import Settings

_LOST = notice(
    ErrorCode.RESULT_LOST,
    "the film was searched, but its results were removed or replaced; scan again",
)


@dataclass(slots=True)
class Tally:
    """Counts of films, by outcome, and of candidates.

    Attributes
    ----------
    pictures, ok, failed
        All films, those that were searched, and the others.
    resumed, altered
        Films whose earlier results were kept, and films searched again because their earlier
        results had been changed.
    not_exported
        Films with an export that could not be made.
    candidates, shown
        Listed and shown candidates.
    codes
        Failed films by error code.
    """

    pictures: int = 0
    ok: int = 0
    failed: int = 0
    resumed: int = 0
    altered: int = 0
    not_exported: int = 0
    candidates: int = 0
    shown: int = 0
    codes: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count one film."""
        self.pictures += 1
        self.ok += outcome.status == "ok"
        self.resumed += outcome.resumed
        self.altered += outcome.altered
        self.not_exported += outcome.not_exported is not None
        self.candidates += outcome.candidates
        self.shown += outcome.shown
        if outcome.error is not None:
            self.failed += 1
            self.codes[outcome.error.code] += 1


class DoneFilms:
    """The finished input files and their numbers of images; a few bytes per file.

    Parameters
    ----------
    names
        Names of all files, in the order in which they are listed.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._pictures = array("I", bytes(array("I").itemsize * len(names)))
        self._unwritten: dict[str, Notice] = {}

    def __len__(self) -> int:
        return sum(1 for count in self._pictures if count)

    def add(self, number: int, pictures: int, unwritten: Mapping[str, Notice]) -> None:
        """Record a finished file.

        Parameters
        ----------
        number
            Index of its name, from 0 on.
        pictures
            Number of its results.
        unwritten
            Names of results that cannot be used for files, with the errors of these results.
        """
        self._pictures[number] = pictures
        self._unwritten.update(unwritten)

    def results(self, out: Path, tool: ToolRecord) -> Iterator[ResultRecord]:
        """Read and yield the results; a failed one if it was removed or replaced by another run.

        Parameters
        ----------
        out
            The output folder.
        tool
            Program, settings and scorer that the results must have.
        """
        listing = FolderListing()
        for name, count in zip(self._names, self._pictures, strict=True):
            for picture in range(1, count + 1):
                source = InputRecord(file=name, frame=picture, frames=count, sha256=None)
                yield self._result(out, tool, source, listing)

    def _result(
        self, out: Path, tool: ToolRecord, source: InputRecord, listing: FolderListing
    ) -> ResultRecord:
        name = result_name(source.file, source.frame, source.frames)
        result = read_result(out, name)
        if (
            result is not None
            and result.tool.same_results_as(tool)
            and all(
                listing.holds(path) for path in expected_paths(ResultPaths.of(out, name), result)
            )
        ):
            return result
        return failed_record(source, self._unwritten.get(name, _LOST), tool)

    def films(self) -> Iterator[tuple[int, str, int, dict[str, Notice]]]:
        """Yield (number, name, number of images, `unwritten`) of the finished files, in order."""
        for number, count in enumerate(self._pictures):
            if count:
                name = self._names[number]
                named = (result_name(name, picture, count) for picture in range(1, count + 1))
                unwritten = {one: self._unwritten[one] for one in named if one in self._unwritten}
                yield number, name, count, unwritten


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Record of a run, or of several that were merged.

    Attributes
    ----------
    version
        Version of the program.
    settings
        Settings of the run.
    scorer_sha256
        SHA-256 of the scorer's file, hexadecimal.
    found
        Number of input files.
    not_done
        Number of input files that a stopped run did not reach.
    skipped
        Number of other files in the inputs.
    workers
        Number of processes.
    interrupted
        Whether the run was stopped before its end.
    seconds
        Wall time.
    tally
        Counts of films and candidates.
    """

    version: str
    settings: Settings
    scorer_sha256: str
    found: int
    not_done: int
    skipped: int
    workers: int
    interrupted: bool
    seconds: float
    tally: Tally

    @property
    def tool(self) -> ToolRecord:
        """Program, settings and scorer, as in the results."""
        return tool_record(self.settings, self.scorer_sha256, version=self.version)

    def plain(self) -> dict[str, Any]:
        """Return the record as values for JSON."""
        return {
            **{part.name: getattr(self, part.name) for part in fields(self)},
            "settings": self.settings.model_dump(mode="json"),
            "tally": {part.name: getattr(self.tally, part.name) for part in fields(self.tally)},
        }

    @classmethod
    def from_plain(cls, facts: Mapping[str, Any]) -> Self:
        """Create a record from the values of `plain`."""
        tally = {**facts["tally"], "codes": Counter(facts["tally"]["codes"])}
        return cls(**{**facts, "settings": Settings(**facts["settings"]), "tally": Tally(**tally)})
