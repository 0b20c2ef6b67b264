"""Results of films as they stand in the output folder: where, whether they can be kept, or go.

Nothing there is trusted: a result may be half of a file's, edited, or somebody else's.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from lesionscan.reporting.atomic import remove, write_bytes
from lesionscan.reporting.page.places import FILM_ENDINGS, FILMS_FOLDER
from lesionscan.reporting.records import has_overlay, is_sealed, result_name, sha256_of

_ENDINGS = {
    "record": ".json",
    "overlay": ".overlay.png",
    "labels": ".labels.png",
    "bone": ".bone.png",
    "nrrd": ".seg.nrrd",
    "dicom_sr": ".sr.dcm",
    "dicom_seg": ".seg.dcm",
}
ENDINGS = (*_ENDINGS.values(), *FILM_ENDINGS.values())
"""What is put behind a film's name: nothing else may take such a name."""


@dataclass(frozen=True, slots=True)
class ResultPaths:
    """Where one film's results stand."""

    record: Path
    overlay: Path
    labels: Path
    bone: Path
    view: Path
    film: Path
    thumbnail: Path
    nrrd: Path
    dicom_sr: Path
    dicom_seg: Path

    @property
    def pictures(self) -> tuple[Path, ...]:
        """Return those whose hashes stand in the JSON."""
        return self.labels, self.bone, self.overlay

    @property
    def exports(self) -> tuple[Path, ...]:
        """Return those for other programs, which are only made on request."""
        return self.nrrd, self.dicom_sr, self.dicom_seg

    @property
    def beside_record(self) -> tuple[Path, ...]:
        """Return all but the JSON: pictures, what the report page needs of the film, exports."""
        return *self.pictures, self.view, self.film, self.thumbnail, *self.exports

    @classmethod
    def of(cls, out: Path, name: str) -> "ResultPaths":
        """Return the paths for a film's name under the output folder."""
        base, page = (folder / PurePosixPath(name) for folder in (out, out / FILMS_FOLDER))
        return cls(
            **{part: base.with_name(base.name + ending) for part, ending in _ENDINGS.items()},
            **{part: page.with_name(page.name + ending) for part, ending in FILM_ENDINGS.items()},
        )


@contextmanager
def probe(out: Path) -> Iterator[Path]:
    """Write a small file into the output folder, and remove it again.

    Raises
    ------
    lesionscan.reporting.atomic.OutputError
        When that cannot be done.
    """
    path = out / ".lesionscan-probe.tmp"
    write_bytes(path, b"")
    try:
        yield path
    finally:
        remove(path)


@dataclass(frozen=True, slots=True)
class MadeWith:
    """What a result was made with.

    Attributes
    ----------
    version
        Version of the program.
    settings_sha256, scorer_sha256
        Hashes of the settings and of the scorer's file, hexadecimal.
    """

    version: str
    settings_sha256: str
    scorer_sha256: str


@dataclass(frozen=True, slots=True)
class Origin:
    """What a result was made of and with; results of the same are kept.

    Attributes
    ----------
    file
        Name of the file in the results, POSIX style.
    sha256
        Hash of its bytes, hexadecimal.
    tool
        What it was made with.
    """

    file: str
    sha256: str
    tool: MadeWith


def is_made_with(result: Mapping[str, Any], tool: MadeWith) -> bool:
    """Say of a JSON read back whether it was made with the same."""
    said = result["tool"]
    return all(said.get(part.name) == getattr(tool, part.name) for part in fields(tool))


def read_result(paths: ResultPaths) -> dict[str, Any] | None:
    """Read a film's JSON back; None where there is none or it is not ours."""
    try:
        result = json.loads(paths.record.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return result if _is_result(result) else None


def _is_result(read: Any) -> TypeGuard[dict[str, Any]]:  # noqa: ANN401 - any JSON value
    """Say whether a JSON has the parts of a result that are looked at before it is kept."""
    parts = {"warnings": {"code"}, "candidates": {"score", "shown"}}
    return (
        isinstance(read, dict)
        and isinstance(read.get("tool"), dict)
        and isinstance(read.get("status"), str)
        and isinstance(source := read.get("input"), dict)
        and isinstance(source.get("file"), str)
        and all(isinstance(source.get(name), int) for name in ("frame", "frames"))
        and all(
            isinstance(read.get(name), list)
            and all(isinstance(part, dict) and keys <= part.keys() for part in read[name])
            for name, keys in parts.items()
        )
    )


@dataclass(frozen=True, slots=True)
class FoundResults:
    """The earlier results of a file that were made of and with the same, by picture number.

    Attributes
    ----------
    whole
        Those that can be kept: the JSON as it was read back.
    altered
        The numbers of those whose JSON or pictures are no longer what was written.
    """

    whole: dict[int, dict[str, Any]]
    altered: set[int]


def earlier_results(out: Path, made: Origin, *, at_most: int) -> FoundResults:
    """Return the earlier results of a file.

    Parameters
    ----------
    out
        The output folder.
    made
        What they must have been made of and with.
    at_most
        Pictures that one file may hold.
    """
    found = FoundResults({}, set())
    _look(out, result_name(made.file, 1, 1), made, 1, found)
    if found.whole or found.altered:
        return found
    # any page's result says how many there are, also that of one which failed
    first = read_result(ResultPaths.of(out, result_name(made.file, 1, 2)))
    if first is not None:
        for number in range(1, min(first["input"]["frames"], at_most) + 1):
            _look(out, result_name(made.file, number, 2), made, number, found)
    return found


def _look(out: Path, name: str, made: Origin, number: int, found: FoundResults) -> None:
    """Put one result where it belongs, if it was made of and with the same."""
    paths = ResultPaths.of(out, name)
    result = read_result(paths)
    if result is None or result["status"] != "ok":
        return
    source = result["input"]
    same = source.get("sha256") == made.sha256 and source["file"] == made.file
    if not (same and is_made_with(result, made.tool)):
        return
    if not is_whole(paths, result):
        found.altered.add(number)
    elif has_view(paths, result):
        found.whole[number] = result


def is_whole(paths: ResultPaths, result: Mapping[str, Any]) -> bool:
    """Say whether the JSON and the pictures are those that were written.

    Parameters
    ----------
    paths
        Where they stand.
    result
        The JSON, read back.
    """
    pictures = result.get("pictures")
    if not isinstance(pictures, dict):
        return False
    written = [pictures.get(f"{kind}_sha256") for kind in ("labels", "bone", "overlay")]
    try:
        return is_sealed(paths.record.read_bytes()) and all(
            sha256_of(path.read_bytes()) == expected
            for path, expected in zip(paths.pictures, written, strict=True)
            if expected is not None
        )
    except OSError:
        return False


def has_view(paths: ResultPaths, result: Mapping[str, Any]) -> bool:
    """Say whether what the page needs of a film is there; it shows results and is none.

    Parameters
    ----------
    paths
        Where its results stand.
    result
        The JSON, read back.
    """
    needed = (paths.view, paths.film, paths.thumbnail) if has_overlay(result) else (paths.view,)
    return all(path.is_file() for path in needed)


def write_result(paths: ResultPaths, others: Sequence[bytes | None], record: bytes) -> None:
    """Write a picture's results.

    Parameters
    ----------
    paths
        Where to.
    others
        In the order of `ResultPaths.beside_record`; where None, an older one is removed.
    record
        The JSON.

    Raises
    ------
    lesionscan.reporting.atomic.OutputError
        When one cannot be written.
    """
    remove(paths.record)  # while the others change, no JSON may vouch for them
    for path, data in zip(paths.beside_record, others, strict=True):
        if data is None:
            remove(path)
        else:
            write_bytes(path, data)
    write_bytes(paths.record, record)


def remove_others(out: Path, file: str, *, pictures: int) -> None:
    """Remove results of a file that another count of pictures has left.

    It may have been exported again with fewer pictures, or have failed as a whole before.

    Parameters
    ----------
    out
        The output folder.
    file
        Name of the file in the results, POSIX style.
    pictures
        How many pictures it holds now.
    """
    if pictures != 1:
        _remove_result(out, file, file)
    number = 1 if pictures == 1 else pictures + 1
    # one by one: a folder may hold the results of a hundred thousand films
    while _remove_result(out, result_name(file, number, 2), file):
        number += 1


def _remove_result(out: Path, name: str, file: str) -> bool:
    """Remove a result if it is there and of this file; say whether it was."""
    paths = ResultPaths.of(out, name)
    result = read_result(paths)
    if result is None or result["input"]["file"] != file:
        return False
    for path in (paths.record, *paths.beside_record):
        remove(path)
    return True
