"""Results of films as they stand in the output folder: where, whether they can be kept, or go.

Nothing there is trusted: a result may be half of a file's, edited, or somebody else's.
"""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from lesionscan.reporting.atomic import remove
from lesionscan.reporting.records import overlay_withheld, result_name


@dataclass(frozen=True, slots=True)
class ResultPaths:
    """Where one film's results stand."""

    record: Path
    overlay: Path
    labels: Path
    bone: Path

    @property
    def pictures(self) -> tuple[Path, ...]:
        """Return all but the JSON."""
        return self.labels, self.bone, self.overlay

    @classmethod
    def of(cls, out: Path, name: str) -> "ResultPaths":
        """Return the paths for a film's name under the output folder."""
        base = out / PurePosixPath(name)
        return cls(
            record=base.with_name(f"{base.name}.json"),
            overlay=base.with_name(f"{base.name}.overlay.png"),
            labels=base.with_name(f"{base.name}.labels.png"),
            bone=base.with_name(f"{base.name}.bone.png"),
        )


@dataclass(frozen=True, slots=True)
class Origin:
    """What a result was made of and with; results of the same are kept.

    Attributes
    ----------
    file
        Name of the file in the results, POSIX style.
    sha256
        Hash of its bytes, hexadecimal.
    version
        Version of the program.
    settings_sha256, scorer_sha256
        Hashes of the settings and of the scorer's file, hexadecimal.
    """

    file: str
    sha256: str
    version: str
    settings_sha256: str
    scorer_sha256: str


def read_result(paths: ResultPaths) -> dict[str, Any] | None:
    """Read a film's JSON back; None where there is none or it is not ours."""
    try:
        result = json.loads(paths.record.read_bytes())
    except (OSError, ValueError):
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


def kept_results(out: Path, made: Origin, *, at_most: int) -> dict[int, dict[str, Any]]:
    """Return the earlier results that can be kept, by the number of the picture in the file.

    Parameters
    ----------
    out
        The output folder.
    made
        What they must have been made of and with.
    at_most
        Pictures that one file may hold.
    """
    alone = _kept_result(out, result_name(made.file, 1, 1), made)
    if alone is not None:
        return {1: alone}
    # any page's result says how many there are, also that of one which failed
    first = read_result(ResultPaths.of(out, result_name(made.file, 1, 2)))
    if first is None:
        return {}
    count = min(first["input"]["frames"], at_most)
    found = (
        (number, _kept_result(out, result_name(made.file, number, count), made))
        for number in range(1, count + 1)
    )
    return {number: result for number, result in found if result is not None}


def _kept_result(out: Path, name: str, made: Origin) -> dict[str, Any] | None:
    paths = ResultPaths.of(out, name)
    result = read_result(paths)
    if result is None or result["status"] != "ok":
        return None
    tool, source = result["tool"], result["input"]
    same = (
        tool.get("version") == made.version
        and tool.get("settings_sha256") == made.settings_sha256
        and tool.get("scorer_sha256") == made.scorer_sha256
        and source.get("sha256") == made.sha256
        and source["file"] == made.file
    )
    if not same:
        return None
    withheld = overlay_withheld(result)
    wanted = [path for path in paths.pictures if not (withheld and path == paths.overlay)]
    return result if all(_is_full(path) for path in wanted) else None


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
    for path in (paths.record, *paths.pictures):
        remove(path)
    return True


def _is_full(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except OSError:
        return False
