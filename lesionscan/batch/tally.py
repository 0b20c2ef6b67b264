"""What became of the films of a run: which are done, how many pictures, and facts about the run."""

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
    "the film was searched, but its results are gone or another run's by now; scan again",
)


@dataclass(slots=True)
class Tally:
    """Numbers of pictures, by what became of them, and of candidates.

    Attributes
    ----------
    pictures, ok, failed
        All pictures, those that could be searched, and the others.
    resumed, altered
        Those whose earlier results were kept, and those done again because their earlier results
        had been changed since.
    not_exported
        Those of which an export could not be made.
    candidates, shown
        Listed candidates, and those shown.
    codes
        Failed pictures by the code of the error.
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
        """Count one picture."""
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
    """Which films are done, and in how many pictures; a few bytes a film.

    Parameters
    ----------
    names
        Names of all films, in the order in which they are listed.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._pictures = array("I", bytes(array("I").itemsize * len(names)))
        self._unwritten: dict[str, Notice] = {}

    def __len__(self) -> int:
        return sum(1 for count in self._pictures if count)

    def add(self, number: int, pictures: int, unwritten: Mapping[str, Notice]) -> None:
        """Take note of a film.

        Parameters
        ----------
        number
            Its place among the names, from 0 on.
        pictures
            How many results it has.
        unwritten
            Those whose names cannot be used for a file, and what their JSON would say.
        """
        self._pictures[number] = pictures
        self._unwritten.update(unwritten)

    def results(self, out: Path, tool: ToolRecord) -> Iterator[ResultRecord]:
        """Yield the results, read back; a failed one where it is gone, or is another run's by now.

        Parameters
        ----------
        out
            The output folder.
        tool
            What the results must have been made with.
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
            and result.tool.made_alike(tool)
            and all(
                listing.holds(path) for path in expected_paths(ResultPaths.of(out, name), result)
            )
        ):
            return result
        return failed_record(source, self._unwritten.get(name, _LOST), tool)

    def films(self) -> Iterator[tuple[int, str, int, dict[str, Notice]]]:
        """Yield what `add` has taken, with the films' names, in their order."""
        for number, count in enumerate(self._pictures):
            if count:
                name = self._names[number]
                named = (result_name(name, picture, count) for picture in range(1, count + 1))
                unwritten = {one: self._unwritten[one] for one in named if one in self._unwritten}
                yield number, name, count, unwritten


@dataclass(frozen=True, slots=True)
class RunRecord:
    """Facts about a run, or about several that were merged.

    Attributes
    ----------
    version
        Version of the program.
    settings
        What was searched with.
    scorer_sha256
        Hash of the scorer's file, hexadecimal.
    found
        Number of films in the inputs.
    not_done
        Number of those that a stopped run did not reach.
    skipped
        Number of other files there.
    workers
        Number of processes.
    interrupted
        Whether the run was stopped before its end.
    seconds
        Wall time of the work.
    tally
        What became of the pictures.
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
        """What its results were made with."""
        return tool_record(self.settings, self.scorer_sha256, version=self.version)

    def plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            **{part.name: getattr(self, part.name) for part in fields(self)},
            "settings": self.settings.model_dump(mode="json"),
            "tally": {part.name: getattr(self.tally, part.name) for part in fields(self.tally)},
        }

    @classmethod
    def from_plain(cls, facts: Mapping[str, Any]) -> Self:
        """Return what `plain` was made of."""
        tally = {**facts["tally"], "codes": Counter(facts["tally"]["codes"])}
        return cls(**{**facts, "settings": Settings(**facts["settings"]), "tally": Tally(**tally)})
