"""A run in parts: which films a part does, what it leaves behind, and how parts become one run.

A part ("shard") needs no contact with the others, since a film's part follows from its name. What
it has done stands in `run.shard-2-of-4.jsonl`: a line about the run, then a line a film. Merging
reads these, checks that all parts are there, saw the same films and worked alike, and writes what
one run would have written.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from lesionscan.batch.account import DoneFilms, RunRecord, Tally
from lesionscan.batch.discover import InputFile
from lesionscan.batch.exports import Export
from lesionscan.batch.run_files import SHARD_NAME, files_of_run, names_of_run
from lesionscan.batch.summaries import write_summaries
from lesionscan.files import INDEX_BYTES, bounded_lines, parse_json
from lesionscan.radiograph import Notice
from lesionscan.results.atomic import OutputError, UnusableNameError
from lesionscan.results.folder import bring, is_whole, read_result
from lesionscan.results.names import is_result_name
from lesionscan.results.record import result_name

_LONGEST_LINE = 1 << 20


class MergeError(Exception):
    """Parts that cannot be merged; the message says which, why and what to do."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of the parts of a run.

    Attributes
    ----------
    number, of
        Which part, from 1 on, and of how many.

    Raises
    ------
    ValueError
        When there is no such part.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ValueError(f"there is no part {self.number} of {self.of}")

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "2/4".

        Raises
        ------
        ValueError
            When the text is none.
        """
        number, slash, of = text.partition("/")
        if not (slash and number.isdecimal() and of.isdecimal()):
            raise ValueError(f"{text!r} is not of the form 2/4")
        return cls(int(number), int(of))

    def holds(self, name: str) -> bool:
        """Say whether a film of this name is one of the part's; other films have no say in it."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8]) % self.of == self.number - 1


def shard_path(out: Path, shard: Shard) -> Path:
    """Return where a part's account stands."""
    return out / f"run.shard-{shard.number}-of-{shard.of}.jsonl"


def write_shard(
    out: Path, shard: Shard, films: Sequence[InputFile], done: DoneFilms, run: RunRecord
) -> Path:
    """Write what a part has done, and return where.

    Parameters
    ----------
    out
        The output folder.
    shard
        Which part.
    films
        All films of the inputs, those of other parts too.
    done
        Those of them that are done.
    run
        Facts about the part's run.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        When it cannot be written.
    """
    names = hashlib.sha256()
    for film in films:
        names.update(film.name.encode("utf-8", "surrogatepass") + b"\0")
    head = {
        "films": len(films),
        "films_sha256": names.hexdigest(),
        "run": run.plain(),
    }
    path = shard_path(out, shard)
    with files_of_run(out).open_text(path) as stream:
        stream.write(json.dumps(head) + "\n")
        for number, name, pictures, unwritten in done.films():
            why = {one: [notice.code, notice.message] for one, notice in unwritten.items()}
            stream.write(json.dumps([number, name, pictures, why]) + "\n")
    return path


@dataclass(frozen=True, slots=True)
class _Part:
    """A part's account, its films not yet read."""

    shard: Shard
    path: Path
    films: int
    films_sha256: str
    run: RunRecord

    def lines(self) -> Iterator[tuple[int, str, int, dict[str, Notice]]]:
        """Yield its films: number among all, name, pictures, and those without a JSON."""
        count = 0
        lines = _lines(self.path)
        next(lines)
        for line in lines:
            number, name, pictures, why = parse_json(line)
            unwritten = {one: Notice(*said) for one, said in why.items()}
            if not (0 <= number < self.films and pictures > 0 and self.shard.holds(name)):
                raise ValueError("no film of this part")
            if not is_result_name(name):
                raise ValueError("a name that leads out of the folder")
            yield number, name, pictures, unwritten
            count += 1
        if count != self.run.found - self.run.not_done:
            raise ValueError("lines are missing")


def merge_shards(
    outs: Sequence[Path], into: Path, *, exports: frozenset[Export] = frozenset()
) -> tuple[Path, RunRecord]:
    """Write the summaries of all parts together, as one run would have written them.

    Parameters
    ----------
    outs
        The parts' output folders, or the one that they share.
    into
        The folder of the whole. Where it is another, the results are linked or copied there.
    exports
        What else is made of the whole.

    Returns
    -------
    report : Path
        The report page.
    run : RunRecord
        Facts about all parts together.

    Raises
    ------
    MergeError
        When a part is missing, there twice, unfinished, or does not belong to the others.
    lesionscan.results.atomic.OutputError
        When a file cannot be written.
    """
    parts = checked_parts(outs, into)
    listed = []
    for part in parts:
        with _unreadable(part.path):
            listed.append(list(part.lines()))
    # known by now to be as many as the lines that were read
    names = [""] * parts[0].films
    done = DoneFilms(names)
    for part, lines in zip(parts, listed, strict=True):
        for number, name, pictures, unwritten in lines:
            names[number] = name
            done.add(number, pictures, unwritten)
            for picture in range(1, pictures + 1):
                if (one := result_name(name, picture, pictures)) not in unwritten:
                    _bring(part, one, into)
    run = _together([part.run for part in parts])
    report, tally = write_summaries(into, done, run, exports=exports)
    return report, replace(run, tally=tally)


def checked_parts(outs: Sequence[Path], into: Path) -> list["_Part"]:
    """Find the parts of a run, and check that they can be merged; nothing is written.

    Parameters
    ----------
    outs, into
        As in `merge_shards`.

    Raises
    ------
    MergeError
        As there.
    """
    parts = _parts(outs)
    _check(parts)
    try:
        files_of_run(into).check(names_of_run())
    except OutputError as error:
        raise MergeError(str(error)) from error
    return parts


def _lines(path: Path) -> Iterator[bytes]:
    return bounded_lines(path, max_bytes=INDEX_BYTES, max_line_bytes=_LONGEST_LINE)


@contextmanager
def _unreadable(path: Path) -> Iterator[None]:
    """Tell of an account that is damaged: cut off in a copy, or changed."""
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, AttributeError, StopIteration) as error:
        raise MergeError(f"{path} cannot be read as part of a run; run that part again") from error


def _parts(outs: Sequence[Path]) -> list[_Part]:
    """Find the parts' accounts."""
    parts = []
    for out in outs:
        try:
            paths = sorted(path for path in out.iterdir() if SHARD_NAME.fullmatch(path.name))
        except OSError as error:
            raise MergeError(f"{out} cannot be read ({error.strerror}); check the path") from error
        if not paths:
            raise MergeError(
                f"{out} holds no part of a run; make parts with lesionscan scan --shard"
            )
        parts += [_read(path) for path in paths]
    return sorted(parts, key=lambda part: part.shard.number)


def _read(path: Path) -> _Part:
    named = SHARD_NAME.fullmatch(path.name)
    assert named is not None  # noqa: S101 - only such paths come here
    with _unreadable(path):
        head: dict[str, Any] = parse_json(next(_lines(path)))
        return _Part(
            Shard(int(named[1]), int(named[2])),
            path,
            int(head["films"]),
            str(head["films_sha256"]),
            RunRecord.from_plain(head["run"]),
        )


def _check(parts: Sequence[_Part]) -> None:
    """Raise a MergeError where these parts are no whole run."""
    first = parts[0]
    counts = {part.shard.of for part in parts}
    if len(counts) > 1:
        said = " and ".join(str(count) for count in sorted(counts))
        raise MergeError(f"there are parts of {said}; remove those of the other run")
    numbers = [part.shard.number for part in parts]
    for number in range(1, first.shard.of + 1):
        if number not in numbers:
            raise MergeError(
                f"part {number}/{first.shard.of} is missing; run it (--shard "
                f"{number}/{first.shard.of})"
            )
        if numbers.count(number) > 1:
            raise MergeError(f"part {number}/{first.shard.of} is there twice; name one of them")
    for part in parts:
        if part.films_sha256 != first.films_sha256:
            raise MergeError(
                f"parts {first.shard} and {part.shard} saw other films ({first.films:,} and "
                f"{part.films:,}): the folder changed in between; run all parts again"
            )
        if not part.run.tool.made_alike(first.run.tool):
            raise MergeError(
                f"parts {first.shard} and {part.shard} had another version, settings or scorer; "
                "run all with the same"
            )
        if part.run.interrupted or part.run.not_done:
            raise MergeError(
                f"part {part.shard} was stopped before its end; run it again (--shard {part.shard})"
            )
    if sum(part.run.found for part in parts) != first.films:
        raise MergeError("the parts do not add up to all films; run all parts again")


def _bring(part: _Part, name: str, into: Path) -> None:
    """Check a result, and link or copy it into the folder of the whole."""
    out = part.path.parent
    result = read_result(out, name)
    if result is None or not result.tool.made_alike(part.run.tool) or not is_whole(out, name):
        raise MergeError(
            f"the results of {name} in {out} are gone or changed; run that part again (--shard "
            f"{part.shard})"
        )
    if out.resolve() != into.resolve():
        try:
            bring(out, name, into)
        except UnusableNameError as error:
            raise MergeError(str(error)) from error


def _together(runs: Sequence[RunRecord]) -> RunRecord:
    return RunRecord(
        version=runs[0].version,
        settings=runs[0].settings,
        scorer_sha256=runs[0].scorer_sha256,
        found=sum(run.found for run in runs),
        not_done=0,
        skipped=runs[0].skipped,
        workers=sum(run.workers for run in runs),
        interrupted=False,
        seconds=sum(run.seconds for run in runs),
        # the rest is counted where the tables are written
        tally=Tally(
            resumed=sum(run.tally.resumed for run in runs),
            altered=sum(run.tally.altered for run in runs),
            not_exported=sum(run.tally.not_exported for run in runs),
        ),
    )
