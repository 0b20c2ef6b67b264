"""Write the exports of a film, and a sealed list of their hashes.

The hashes cannot be in the film's JSON, because the exports contain its seal. The list is written
before the exports, so that an interrupted run leaves no export without a hash. A file that is not
in the list was not written by lesionscan, and is never replaced.
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
    """Return the hashes of a film's exports when they were written, by file name.

    Parameters
    ----------
    paths
        Paths of the film's results.
    """
    data = read_file(paths.exported)
    if data is None or not is_sealed(data):
        return {}
    with suppress(ValueError):
        content = parse_json(data)
        files = content.get("files") if isinstance(content, dict) else None
        if isinstance(files, dict):
            return {name: sha256 for name, sha256 in files.items() if isinstance(sha256, str)}
    return {}


def is_as_exported(path: Path, written: Mapping[str, str]) -> bool:
    """Return whether an export exists and is unchanged.

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
    """Write the exports of a film.

    Parameters
    ----------
    paths
        Paths of the film's results.
    files
        Contents by path.
    keep
        Whether other exports are kept; otherwise they are removed as outdated.

    Returns
    -------
    list of Path
        Exports that were not written, because the file exists and is not lesionscan's.

    Raises
    ------
    lesionscan.results.atomic.OutputError
        If one cannot be written.
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
    if hashes.items() - before.items():
        _write_list(paths, {**before, **hashes})
    for path in paths.exports.values():
        if path in written:
            write_bytes(path, written[path], within=paths.out)
        elif path in own and not keep:
            remove(path, within=paths.out)
    if not keep and before.keys() - hashes.keys():
        _write_list(paths, hashes)
    return refused


def _write_list(paths: ResultPaths, hashes: Mapping[str, str]) -> None:
    if hashes:
        content = {"files": dict(sorted(hashes.items())), "seal_sha256": ""}
        write_bytes(paths.exported, sealed_json(content), within=paths.out)
    else:
        remove(paths.exported, within=paths.out)
