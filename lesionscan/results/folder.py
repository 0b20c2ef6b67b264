"""Read, write and remove the results of films in an output folder.

Nothing there is trusted: results may be incomplete, edited, forged, or somebody else's. A result
that is read fits `ResultRecord` and the name of its file. Anything else is replaced if lesionscan
has written it, and otherwise kept.
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
    """Input and program of a result; results of the same origin can be kept.

    Attributes
    ----------
    file
        Name of the file in the results, POSIX style.
    sha256
        SHA-256 of the file, hexadecimal.
    tool
        Program, settings and scorer.
    """

    file: str
    sha256: str
    tool: ToolRecord

    def is_named_in(self, data: bytes) -> bool:
        """Return whether the bytes of a damaged JSON still contain the hashes of this origin."""
        hashes = (self.sha256, self.tool.settings_sha256, self.tool.scorer_sha256)
        return all(one.encode("ascii") in data for one in hashes)


def read_result(out: Path, name: str) -> ResultRecord | None:
    """Read the JSON of a film.

    Parameters
    ----------
    out
        The output folder.
    name
        Name of the results, without endings.

    Returns
    -------
    ResultRecord or None
        None if the file is missing, invalid, or belongs to another name.
    """
    data = read_file(ResultPaths.of(out, name).record)
    return None if data is None else _parsed(data, name)


def _parsed(data: bytes, name: str) -> ResultRecord | None:
    result = parse_record(data)
    return result if result is not None and result.name == name else None


@dataclass(frozen=True, slots=True)
class FoundResults:
    """Earlier results of a file with the same origin, by number of the image in the file.

    Attributes
    ----------
    intact
        Results that can be kept.
    altered
        Numbers of the results whose JSON or pictures were changed after they were written.
    """

    intact: dict[int, ResultRecord]
    altered: set[int]


def earlier_results(out: Path, origin: Origin, *, at_most: int) -> FoundResults:
    """Return the earlier results of a file.

    Parameters
    ----------
    out
        The output folder.
    origin
        Input, program, settings and scorer that they must have.
    at_most
        Largest number of images in a file.
    """
    found = FoundResults({}, set())
    _classify(out, result_name(origin.file, 1, 1), origin, 1, found)
    if found.intact or found.altered:
        return found
    # every result of the file states the number of images, even that of a failed one
    first = read_result(out, result_name(origin.file, 1, 2))
    if first is not None:
        for number in range(1, min(first.input.frames, at_most) + 1):
            _classify(out, result_name(origin.file, number, 2), origin, number, found)
    return found


def _classify(out: Path, name: str, origin: Origin, number: int, found: FoundResults) -> None:
    """Add a result to `found` if it has this origin."""
    paths = ResultPaths.of(out, name)
    data = read_file(paths.record)
    if data is None:
        return
    result = _parsed(data, name)
    if result is None:
        if origin.is_named_in(data):
            found.altered.add(number)
        return
    same = result.input.sha256 == origin.sha256 and origin.tool.same_search_as(result.tool)
    if result.status != "ok" or not same:
        return
    if not (is_sealed(data) and _are_intact(paths, result, _RESULTS)):
        found.altered.add(number)
    elif _are_intact(paths, result, _PAGE):
        found.intact[number] = result


_RESULTS = ("labels_sha256", "bone_sha256", "overlay_sha256")
_PAGE = ("view_sha256", "film_sha256", "thumbnail_sha256")


def is_whole(out: Path, name: str) -> bool:
    """Return whether the JSON of a film and the files whose hashes it holds are intact.

    Parameters
    ----------
    out
        The output folder.
    name
        Name of the results, without endings.
    """
    paths = ResultPaths.of(out, name)
    data = read_file(paths.record)
    result = None if data is None else _parsed(data, name)
    if data is None or result is None or not is_sealed(data):
        return False
    return result.status != "ok" or _are_intact(paths, result, (*_RESULTS, *_PAGE))


def _are_intact(paths: ResultPaths, result: ResultRecord, hashes: Sequence[str]) -> bool:
    """Return whether files have the hashes in the JSON."""
    expected = _expected(result.pictures)
    for name in set(hashes).intersection(expected):
        data = read_file(_picture_path(paths, name))
        if data is None or sha256_of(data) != expected[name]:
            return False
    return True


def _picture_path(paths: ResultPaths, hash_name: str) -> Path:
    return paths.pictures[hash_name.removesuffix("_sha256")]


def expected_paths(paths: ResultPaths, result: ResultRecord) -> list[Path]:
    """Return the paths of the files whose hashes are in the JSON of a film.

    Parameters
    ----------
    paths
        Paths of the film's results.
    result
        The result.
    """
    if result.status != "ok":
        return []
    return [_picture_path(paths, name) for name in _expected(result.pictures)]


def _expected(pictures: PicturesRecord | None) -> dict[str, str]:
    """Return the hashes of the pictures that were written, by their names in the JSON."""
    return {} if pictures is None else pictures.model_dump(exclude_none=True)


def write_result(
    out: Path,
    name: str,
    *,
    record: bytes,
    pictures: Mapping[str, bytes | None] | None = None,
    exports: Mapping[Path, bytes] | None = None,
) -> list[Path]:
    """Write the results of a film.

    Parameters
    ----------
    out
        The output folder.
    name
        Name of the results, without endings.
    record
        The JSON.
    pictures
        Contents by name (`lesionscan.results.paths.PICTURES`); old pictures without a new one are
        removed.
    exports
        Contents of the exports by path; other exports are removed.

    Returns
    -------
    list of Path
        Exports that were not written, because the file exists and is not lesionscan's.

    Raises
    ------
    lesionscan.results.atomic.UnusableNameError
        If the name cannot be used: it is too long, contains a link, or belongs to a file that
        lesionscan has not written.
    lesionscan.results.atomic.OutputError
        If a file cannot be written.
    """
    paths = ResultPaths.of(out, name)
    _claim(paths, name)
    remove(paths.record, within=out)  # a JSON must not exist while the other files change
    refused = write_exports(paths, exports or {}, keep=False)
    contents = pictures or {}
    for kind, path in paths.pictures.items():
        data = contents.get(kind)
        if data is None:
            remove(path, within=out)
        else:
            write_bytes(path, data, within=out)
    write_bytes(paths.record, record, within=out)
    return refused


def copy_result(out: Path, name: str, into: Path) -> None:
    """Link or copy the results of a film into another output folder.

    Parameters
    ----------
    out
        The output folder with the results, which are intact.
    name
        Name of the results, without endings.
    into
        The other folder.

    Raises
    ------
    lesionscan.results.atomic.UnusableNameError
        If a file exists that lesionscan has not written, or the path contains a link.
    lesionscan.results.atomic.OutputError
        If a file cannot be written.
    """
    sources, targets = ResultPaths.of(out, name), ResultPaths.of(into, name)
    result = read_result(out, name)
    _claim(targets, name)
    if result is None:
        return
    written = exported(sources)
    exports = {
        targets.exports[kind]: data
        for kind, path in sources.exports.items()
        if is_as_exported(path, written) and (data := read_file(path)) is not None
    }
    refused = write_exports(targets, exports, keep=False)
    if refused:
        raise NotOwnError(refused[0])
    expected = expected_paths(sources, result)
    # the JSON last: once it exists, the others are complete
    pictures = {path: targets.pictures[kind] for kind, path in sources.pictures.items()}
    for path, target in {**pictures, sources.record: targets.record}.items():
        if path in expected or path == sources.record:
            link_or_copy(path, target, within=into)
        else:
            remove(target, within=into)  # of an earlier merge


def _claim(paths: ResultPaths, name: str) -> None:
    """Check that the results of a film may be replaced, and register them as lesionscan's.

    Exports are checked by `write_exports`.
    """
    for path in (paths.record, paths.view):
        refuse_links(path, within=paths.out)
    candidates = (paths.record, *paths.pictures.values(), paths.exported)
    existing = [path for path in candidates if os.path.lexists(path)]
    if existing and _own_result(paths, name) is None and not is_claimed(paths.out, name):
        raise NotOwnError(existing[0])
    claim_film(paths.out, name)


def _own_result(paths: ResultPaths, name: str) -> ResultRecord | None:
    """Return the result if it is sealed: then lesionscan has written it and its other files."""
    data = read_file(paths.record)
    return _parsed(data, name) if data is not None and is_sealed(data) else None


def remove_others(out: Path, file: str, *, pictures: int) -> None:
    """Remove outdated results of a file that had another number of images.

    The file may have been replaced by one with fewer images, or have failed as a whole.

    Parameters
    ----------
    out
        The output folder.
    file
        Name of the file in the results, POSIX style.
    pictures
        Number of images that it has now.
    """
    if pictures != 1:
        _remove_result(out, file, file)
    number = 1 if pictures == 1 else pictures + 1
    # by name, because listing a folder with the results of 100,000 films takes long
    while _remove_result(out, result_name(file, number, 2), file):
        number += 1


def _remove_result(out: Path, name: str, file: str) -> bool:
    """Remove a result if it exists, belongs to this file and is lesionscan's; return whether."""
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
    for path in (*paths.pictures.values(), paths.record):  # the JSON last: it shows whose they are
        remove(path, within=out)
    return True
