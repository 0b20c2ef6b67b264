"""Split a run into parts ("shards") and merge them.

Parts need no communication, because the name of a film determines its part. A part writes
`run.shard-2-of-4.jsonl`: one line about the run, then one line per input file. Merging checks that
all parts exist and agree in their inputs, settings and scorer, and writes what a single run would
have written.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from lesionscan.batch.discover import InputFile
from lesionscan.batch.exports import Export
from lesionscan.batch.run_files import SHARD_NAME, files_of_run, names_of_run
from lesionscan.batch.summaries import write_summaries
from lesionscan.batch.tally import DoneFilms, RunRecord, Tally
from lesionscan.files import INDEX_BYTES, bounded_lines, parse_json
from lesionscan.radiograph import Notice
from lesionscan.results.atomic import OutputError, UnusableNameError
from lesionscan.results.folder import copy_result, is_whole, read_result
from lesionscan.results.names import is_result_name
from lesionscan.results.record import result_name

_MAX_LINE_BYTES = 1 << 20


class MergeError(Exception):
    """Parts that cannot be merged; the message names the part, the cause and the remedy."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a run.

    Attributes
    ----------
    number, of
        Number of the part, from 1 on, and number of parts.

    Raises
    ------
    ValueError
        If there is no such part.
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
        """Parse a text such as "2/4".

        Raises
        ------
        ValueError
            If it has another form.
        """
        number, slash, of = text.partition("/")
        if not (slash and number.isdecimal() and of.isdecimal()):
            raise ValueError(f"{text!r} is not of the form 2/4")
        return cls(int(number), int(of))

    def holds(self, name: str) -> bool:
        """Return whether this part includes the film of a name, whatever the other films are."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8]) % self.of == self.number - 1


def shard_path(out: Path, shard: Shard) -> Path:
    """Return the path of a part's file."""
    return out / f"run.shard-{shard.number}-of-{shard.of}.jsonl"


def write_shard(
    out: Path, shard: Shard, films: Sequence[InputFile], done: DoneFilms, run: RunRecord
) -> Path:
    """Write the file of a part, and return its path.

    Parameters
    ----------
    out
        The output folder.
    shard
        The part.
    films
        All input files, including those of other parts.
    done
        The finished ones.
    run
        Record of the part's run.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        If it cannot be written.
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
            errors = {one: [notice.code, notice.message] for one, notice in unwritten.items()}
            stream.write(json.dumps([number, name, pictures, errors]) + "\n")
    return path


@dataclass(frozen=True, slots=True)
class _Part:
    """The first line of a part's file."""

    shard: Shard
    path: Path
    films: int
    films_sha256: str
    run: RunRecord

    def lines(self) -> Iterator[tuple[int, str, int, dict[str, Notice]]]:
        """Yield the other lines: index of the file, name, number of images, unwritten results."""
        count = 0
        lines = _lines(self.path)
        next(lines)
        for line in lines:
            number, name, pictures, errors = parse_json(line)
            unwritten = {one: Notice(*error) for one, error in errors.items()}
            if not (0 <= number < self.films and pictures > 0 and self.shard.holds(name)):
                raise ValueError("not a film of this part")
            if not is_result_name(name):
                raise ValueError("a name outside the folder")
            yield number, name, pictures, unwritten
            count += 1
        if count != self.run.found - self.run.not_done:
            raise ValueError("lines are missing")


def merge_shards(
    outs: Sequence[Path], into: Path, *, exports: frozenset[Export] = frozenset()
) -> tuple[Path, RunRecord]:
    """Write the summaries of all parts, as a single run would have written them.

    Parameters
    ----------
    outs
        The output folders of the parts, or the one that they share.
    into
        The folder of the merged run; results in other folders are linked or copied there.
    exports
        Additional formats to write for the run.

    Returns
    -------
    report : Path
        The report page.
    run : RunRecord
        Record of the merged run.

    Raises
    ------
    MergeError
        If a part is missing, duplicated, unfinished, or does not fit the others.
    lesionscan.results.atomic.OutputError
        If a file cannot be written.
    """
    parts = checked_parts(outs, into)
    listed = []
    for part in parts:
        with _unreadable(part.path):
            listed.append(list(part.lines()))
    # the lines have been read, so this number is known to be right
    names = [""] * parts[0].films
    done = DoneFilms(names)
    for part, lines in zip(parts, listed, strict=True):
        for number, name, pictures, unwritten in lines:
            names[number] = name
            done.add(number, pictures, unwritten)
            for picture in range(1, pictures + 1):
                if (one := result_name(name, picture, pictures)) not in unwritten:
                    _copy(part, one, into)
    run = _merged([part.run for part in parts])
    report, tally = write_summaries(into, done, run, exports=exports)
    return report, replace(run, tally=tally)


def checked_parts(outs: Sequence[Path], into: Path) -> list["_Part"]:
    """Find the parts of a run and check that they can be merged, without writing anything.

    Parameters
    ----------
    outs, into
        As in `merge_shards`.

    Raises
    ------
    MergeError
        As in `merge_shards`.
    """
    parts = _parts(outs)
    _check(parts)
    try:
        files_of_run(into).check(names_of_run())
    except OutputError as error:
        raise MergeError(str(error)) from error
    return parts


def _lines(path: Path) -> Iterator[bytes]:
    return bounded_lines(path, max_bytes=INDEX_BYTES, max_line_bytes=_MAX_LINE_BYTES)


@contextmanager
def _unreadable(path: Path) -> Iterator[None]:
    """Raise a MergeError for a damaged file of a part."""
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, AttributeError, StopIteration) as error:
        raise MergeError(f"{path} cannot be read as part of a run; run that part again") from error


def _parts(outs: Sequence[Path]) -> list[_Part]:
    """Find and read the files of the parts."""
    parts = []
    for out in outs:
        try:
            paths = sorted(path for path in out.iterdir() if SHARD_NAME.fullmatch(path.name))
        except OSError as error:
            raise MergeError(f"{out} cannot be read ({error.strerror}); check the path") from error
        if not paths:
            raise MergeError(
                f"{out} contains no part of a run; make parts with lesionscan scan --shard"
            )
        parts += [_read(path) for path in paths]
    return sorted(parts, key=lambda part: part.shard.number)


def _read(path: Path) -> _Part:
    named = SHARD_NAME.fullmatch(path.name)
    assert named is not None  # noqa: S101 - `_parts` checks the names
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
    """Raise a MergeError if these parts are not a complete run."""
    first = parts[0]
    counts = {part.shard.of for part in parts}
    if len(counts) > 1:
        numbers_of_parts = " and ".join(str(count) for count in sorted(counts))
        raise MergeError(
            f"there are runs in {numbers_of_parts} parts; remove those of the other run"
        )
    numbers = [part.shard.number for part in parts]
    for number in range(1, first.shard.of + 1):
        if number not in numbers:
            raise MergeError(
                f"part {number}/{first.shard.of} is missing; run it (--shard "
                f"{number}/{first.shard.of})"
            )
        if numbers.count(number) > 1:
            raise MergeError(f"part {number}/{first.shard.of} exists twice; name one of them")
    for part in parts:
        if part.films_sha256 != first.films_sha256:
            raise MergeError(
                f"parts {first.shard} and {part.shard} had different films ({first.films:,} and "
                f"{part.films:,}): the folder changed in between; run all parts again"
            )
        if not part.run.tool.same_results_as(first.run.tool):
            raise MergeError(
                f"parts {first.shard} and {part.shard} had different versions, settings or scorers;"
                " run all with the same"
            )
        if part.run.interrupted or part.run.not_done:
            raise MergeError(
                f"part {part.shard} was stopped before its end; run it again (--shard {part.shard})"
            )
    if sum(part.run.found for part in parts) != first.films:
        raise MergeError("the parts do not add up to all films; run all parts again")


def _copy(part: _Part, name: str, into: Path) -> None:
    """Check a result, and link or copy it into the folder of the merged run."""
    out = part.path.parent
    result = read_result(out, name)
    if result is None or not result.tool.same_results_as(part.run.tool) or not is_whole(out, name):
        raise MergeError(
            f"the results of {name} in {out} are missing or changed; run that part again (--shard "
            f"{part.shard})"
        )
    if out.resolve() != into.resolve():
        try:
            copy_result(out, name, into)
        except UnusableNameError as error:
            raise MergeError(str(error)) from error


def _merged(runs: Sequence[RunRecord]) -> RunRecord:
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
        # `write_summaries` counts the rest
        tally=Tally(
            resumed=sum(run.tally.resumed for run in runs),
            altered=sum(run.tally.altered for run in runs),
            not_exported=sum(run.tally.not_exported for run in runs),
        ),
    )
