"""A film's files for other programs, and the account of them beside its page.

They are made of the JSON and name its seal, so that the JSON cannot name them: a small sealed file
has their hashes. It is written before they are, so that one that is there is as it was written, or
damaged, or somebody else's; only the last is never replaced.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lesionscan.files import parse_json
from lesionscan.results.atomic import remove, write_bytes
from lesionscan.results.paths import ResultPaths, read_file
from lesionscan.results.sealed import is_sealed, sealed_json, sha256_of


def exported(paths: ResultPaths) -> dict[str, str]:
    """Return the hashes of a film's exports as they were written, by the path's name.

    Parameters
    ----------
    paths
        Where its results stand.
    """
    data = read_file(paths.exported)
    if data is None or not is_sealed(data):
        return {}
    with suppress(ValueError):
        said = parse_json(data)
        files = said.get("files") if isinstance(said, dict) else None
        if isinstance(files, dict):
            return {name: sha256 for name, sha256 in files.items() if isinstance(sha256, str)}
    return {}


def is_as_exported(path: Path, written: Mapping[str, str]) -> bool:
    """Say whether an export is there as it was written.

    Parameters
    ----------
    path
        The file.
    written
        From `exported`.
    """
    data = read_file(path)
    return data is not None and sha256_of(data) == written.get(path.name)


def write_exports(paths: ResultPaths, files: Mapping[Path, bytes], *, keep: bool) -> list[Path]:
    """Write a film's exports.

    Parameters
    ----------
    paths
        Where its results stand.
    files
        What to write, by path.
    keep
        Whether other exports stay; otherwise they are of an earlier result, and are removed.

    Returns
    -------
    list of Path
        What was not written, since a file stands there that lesionscan has not written.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        When one cannot be written.
    """
    before = exported(paths)
    own = {path for path in paths.exports.values() if path.name in before}
    refused = [
        path
        for path, data in files.items()
        if path not in own and os.path.lexists(path) and read_file(path) != data
    ]
    written = {path: data for path, data in files.items() if path not in refused}
    hashes = {path.name: sha256_of(data) for path, data in written.items()}
    if hashes.items() - before.items():  # before the files: whatever is there is accounted for
        _account(paths, {**before, **hashes})
    for path in paths.exports.values():
        if path in written:
            write_bytes(path, written[path], within=paths.out)
        elif path in own and not keep:
            remove(path, within=paths.out)
    if not keep and before.keys() - hashes.keys():
        _account(paths, hashes)
    return refused


def _account(paths: ResultPaths, hashes: Mapping[str, str]) -> None:
    if hashes:
        said = {"files": dict(sorted(hashes.items())), "seal_sha256": ""}
        write_bytes(paths.exported, sealed_json(said), within=paths.out)
    else:
        remove(paths.exported, within=paths.out)
