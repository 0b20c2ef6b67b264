"""Results of films in the output folder, read back: whether they can be kept, or go.

Nothing there is trusted: a result may be half of a file's, edited, forged, or somebody else's.
What is read fits `ResultRecord` and belongs to the name under which it stands; whatever else is
there is made again if lesionscan has written it, and otherwise stays.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lesionscan.results.atomic import link_or_copy, refuse_links, remove, write_bytes
from lesionscan.results.exported import (
    exported,
    is_as_exported,
    write_exports,
)
from lesionscan.results.own_files import NotOwnError, claim_film, is_claimed
from lesionscan.results.paths import ResultPaths, read_file
from lesionscan.results.record import (
    PicturesRecord,
    ResultRecord,
    ToolRecord,
    parse_record,
    result_name,
)
from lesionscan.results.sealed import is_sealed, sha256_of


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
    tool: ToolRecord

    def is_named_in(self, data: bytes) -> bool:
        """Say whether the bytes of a JSON that is no result any more still name the same."""
        hashes = (self.sha256, self.tool.settings_sha256, self.tool.scorer_sha256)
        return all(one.encode("ascii") in data for one in hashes)


def read_result(out: Path, name: str) -> ResultRecord | None:
    """Read a film's JSON back.

    Parameters
    ----------
    out
        The output folder.
    name
        Name of its results, without endings.

    Returns
    -------
    ResultRecord or None
        None where there is none, or it does not fit the record or the name.
    """
    data = read_file(ResultPaths.of(out, name).record)
    return None if data is None else _parsed(data, name)


def _parsed(data: bytes, name: str) -> ResultRecord | None:
    result = parse_record(data)
    return result if result is not None and result.name == name else None


@dataclass(frozen=True, slots=True)
class FoundResults:
    """The earlier results of a file that were made of and with the same, by picture number.

    Attributes
    ----------
    whole
        Those that can be kept.
    altered
        The numbers of those whose JSON or pictures are no longer what was written.
    """

    whole: dict[int, ResultRecord]
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
    first = read_result(out, result_name(made.file, 1, 2))
    if first is not None:
        for number in range(1, min(first.input.frames, at_most) + 1):
            _look(out, result_name(made.file, number, 2), made, number, found)
    return found


def _look(out: Path, name: str, made: Origin, number: int, found: FoundResults) -> None:
    """Put one result where it belongs, if it was made of and with the same."""
    paths = ResultPaths.of(out, name)
    data = read_file(paths.record)
    if data is None:
        return
    result = _parsed(data, name)
    if result is None:
        if made.is_named_in(data):
            found.altered.add(number)
        return
    same = result.input.sha256 == made.sha256 and made.tool.found_alike(result.tool)
    if result.status != "ok" or not same:
        return
    if not (is_sealed(data) and _has(paths, result, _RESULTS)):
        found.altered.add(number)
    elif _has(paths, result, _PAGE):
        found.whole[number] = result


_RESULTS = ("labels_sha256", "bone_sha256", "overlay_sha256")
_PAGE = ("view_sha256", "film_sha256", "thumbnail_sha256")


def is_whole(out: Path, name: str) -> bool:
    """Say whether a film's JSON and all that it names are as they were written.

    Parameters
    ----------
    out
        The output folder.
    name
        Name of its results, without endings.
    """
    paths = ResultPaths.of(out, name)
    data = read_file(paths.record)
    result = None if data is None else _parsed(data, name)
    if data is None or result is None or not is_sealed(data):
        return False
    return result.status != "ok" or _has(paths, result, (*_RESULTS, *_PAGE))


def _has(paths: ResultPaths, result: ResultRecord, hashes: Sequence[str]) -> bool:
    """Say whether files are as the JSON says that they were written."""
    promised = _expected(result.pictures)
    for name in set(hashes).intersection(promised):
        data = read_file(_picture_path(paths, name))
        if data is None or sha256_of(data) != promised[name]:
            return False
    return True


def _picture_path(paths: ResultPaths, hash_name: str) -> Path:
    return paths.pictures[hash_name.removesuffix("_sha256")]


def expected_paths(paths: ResultPaths, result: ResultRecord) -> list[Path]:
    """Return where the files of a film are that its JSON promises, exports apart.

    Parameters
    ----------
    paths
        Where its results stand.
    result
        The result.
    """
    if result.status != "ok":
        return []
    return [_picture_path(paths, name) for name in _expected(result.pictures)]


def _expected(pictures: PicturesRecord | None) -> dict[str, str]:
    """Return the hashes of the pictures that there are, by their names in the JSON."""
    return {} if pictures is None else pictures.model_dump(exclude_none=True)


def write_result(
    out: Path,
    name: str,
    *,
    record: bytes,
    pictures: Mapping[str, bytes | None] | None = None,
    exports: Mapping[Path, bytes] | None = None,
) -> list[Path]:
    """Write a picture's results.

    Parameters
    ----------
    out
        The output folder.
    name
        Name of the results, without endings.
    record
        The JSON.
    pictures
        By name (`lesionscan.results.paths.PICTURES`); where there is none, an older one is removed.
    exports
        Files for other programs, by path; older ones are removed.

    Returns
    -------
    list of Path
        Exports that were not written, since a file stands there that lesionscan has not written.

    Raises
    ------
    lesionscan.results.atomic.UnusableNameError
        When the name cannot be used: it is too long, leads through a link, or a file stands there
        that lesionscan has not written.
    lesionscan.results.atomic.OutputError
        When one cannot be written.
    """
    paths = ResultPaths.of(out, name)
    _claim(paths, name)
    remove(paths.record, within=out)  # while the others change, no JSON may vouch for them
    refused = write_exports(paths, exports or {}, keep=False)
    given = pictures or {}
    for kind, path in paths.pictures.items():
        data = given.get(kind)
        if data is None:
            remove(path, within=out)
        else:
            write_bytes(path, data, within=out)
    write_bytes(paths.record, record, within=out)
    return refused


def bring(out: Path, name: str, into: Path) -> None:
    """Link or copy a film's results into another output folder.

    Parameters
    ----------
    out
        Where they stand; they are whole.
    name
        Their name, without endings.
    into
        The other folder.

    Raises
    ------
    lesionscan.results.atomic.UnusableNameError
        When a file stands there that lesionscan has not written, or the way leads through a link.
    lesionscan.results.atomic.OutputError
        When one cannot be written.
    """
    have, want = ResultPaths.of(out, name), ResultPaths.of(into, name)
    result = read_result(out, name)
    _claim(want, name)
    if result is None:
        return
    written = exported(have)
    exports = {
        want.exports[kind]: data
        for kind, path in have.exports.items()
        if is_as_exported(path, written) and (data := read_file(path)) is not None
    }
    refused = write_exports(want, exports, keep=False)
    if refused:
        raise NotOwnError(refused[0])
    there = expected_paths(have, result)
    # the JSON last: it vouches for the others
    targets = {path: want.pictures[kind] for kind, path in have.pictures.items()}
    for path, target in {**targets, have.record: want.record}.items():
        if path in there or path == have.record:
            link_or_copy(path, target, within=into)
        else:
            remove(target, within=into)  # of an earlier merge


def _claim(paths: ResultPaths, name: str) -> None:
    """Make sure that a film's results may be replaced, and account for them.

    Exports are not looked at: `write_exports` does.
    """
    for path in (paths.record, paths.view):
        refuse_links(path, within=paths.out)
    named = (paths.record, *paths.pictures.values(), paths.exported)
    there = [path for path in named if os.path.lexists(path)]
    if there and _own_result(paths, name) is None and not is_claimed(paths.out, name):
        raise NotOwnError(there[0])
    claim_film(paths.out, name)


def _own_result(paths: ResultPaths, name: str) -> ResultRecord | None:
    """Return the JSON where it is sealed, and so vouches for what stands under its name."""
    data = read_file(paths.record)
    return _parsed(data, name) if data is not None and is_sealed(data) else None


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
    """Remove a result if it is there, of this file, and our own; say whether it was."""
    paths = ResultPaths.of(out, name)
    data = read_file(paths.record)
    if data is None:
        return False
    result = _parsed(data, name)
    if result is not None and result.input.file != file:
        return False
    if not ((result is not None and is_sealed(data)) or is_claimed(out, name)):
        return False
    write_exports(paths, {}, keep=False)
    for path in (
        *paths.pictures.values(),
        paths.record,
    ):  # the JSON last: it vouches for the others
        remove(path, within=out)
    return True
