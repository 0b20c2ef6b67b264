"""Files that the review server sends: the page of the package, and data of a results folder.

No file of the results folder is sent as a script. The page, its scripts and its style come from the
installed package; the folder supplies pictures, JSON, and the page's validated data (`page_data`).
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lesionscan.reporting.page.index import page_files
from lesionscan.results.paths import ENDINGS, FILMS_FOLDER, INDEX, PAGE_NAME
from lesionscan.review.page_data import film_json, index_json

_JSON = "application/json; charset=utf-8"
_PAGE_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
_RESULT_TYPES = {
    **{ENDINGS[kind]: "image/png" for kind in ("overlay", "labels", "bone")},
    ENDINGS["record"]: _JSON,
}
_DISK_PAGE = b'<html lang="en">'
_SERVED_PAGE = b'<html lang="en" data-served>'
"""Makes the page fetch its data as JSON instead of loading scripts."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """How a file of a results folder is sent.

    Attributes
    ----------
    content_type
        The HTTP header Content-Type.
    convert
        Returns the bytes to send; None sends the file unchanged.
    """

    content_type: str
    convert: Callable[[Path], bytes] | None = None


def served_page() -> dict[str, tuple[bytes, str]]:
    """Return the page from the installed package: bytes and content type by name."""
    files = page_files()
    files[PAGE_NAME] = files[PAGE_NAME].replace(_DISK_PAGE, _SERVED_PAGE, 1)
    return {name: (data, _PAGE_TYPES[Path(name).suffix]) for name, data in files.items()}


def served_file(results: Path, name: str) -> tuple[Path, FileKind] | None:
    """Return the file of a results folder that a path in an address names.

    Parameters
    ----------
    results
        The results folder.
    name
        Path relative to it, with "/" between its parts, percent-decoded.

    Returns
    -------
    tuple or None
        A regular file in the folder, with links resolved, and how it is sent; None if it does not
        exist, is not part of the page, is hidden, or is outside the folder.
    """
    kind = file_kind(name)
    if kind is None:
        return None
    try:
        folder = results.resolve(strict=True)
        path = (folder / name).resolve(strict=True)
        place = path.relative_to(folder)
    except (OSError, ValueError, RuntimeError):
        return None  # missing, a null byte, a loop of links, outside the folder
    # a link must not change how, or whether, its target is sent
    return (path, kind) if file_kind(place.as_posix()) == kind and path.is_file() else None


def file_kind(name: str) -> FileKind | None:
    """Return how a results folder's file of this name is sent; None if it is not.

    Parameters
    ----------
    name
        Path relative to the folder, "/" between its parts.
    """
    if any(not part or part.startswith(".") for part in name.split("/")):
        return None  # hidden, ".." and ".", absolute
    if os.sep != "/" and any(char in name for char in "\\:"):
        return None  # on Windows these separate too
    if name == INDEX:
        return FileKind(_JSON, index_json)
    if name.startswith(f"{FILMS_FOLDER}/"):
        if name.endswith(ENDINGS["view"]):
            return FileKind(_JSON, film_json)
        if name.endswith((ENDINGS["film"], ENDINGS["thumbnail"])):
            return FileKind("image/jpeg")
    return next(
        (FileKind(kind) for ending, kind in _RESULT_TYPES.items() if name.endswith(ending)), None
    )
