"""What the review server sends, by name: the page of the package, and data of a results folder.

Nothing of the folder is sent as a program. The page, its scripts and its style come from the
installed package; of the folder come pictures, JSON, and the page's data, checked (`page_data`).
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
"""Tells the page to fetch its data as JSON: they are no scripts here."""


@dataclass(frozen=True, slots=True)
class FileKind:
    """How a file of a results folder is sent.

    Attributes
    ----------
    content_type
        As HTTP says it.
    convert
        Makes what is sent of the file; None sends its bytes.
    """

    content_type: str
    convert: Callable[[Path], bytes] | None = None


def served_page() -> dict[str, tuple[bytes, str]]:
    """Return the page from the installed package: bytes and content type by name."""
    files = page_files()
    files[PAGE_NAME] = files[PAGE_NAME].replace(_DISK_PAGE, _SERVED_PAGE, 1)
    return {name: (data, _PAGE_TYPES[Path(name).suffix]) for name, data in files.items()}


def served_file(results: Path, name: str) -> tuple[Path, FileKind] | None:
    """Return the file of a results folder that a name in an address stands for.

    Parameters
    ----------
    results
        The results folder.
    name
        Path relative to it, "/" between its parts, percent signs already resolved.

    Returns
    -------
    tuple or None
        A regular file in the folder, links resolved, and how it is sent; None where there is none,
        where it is nothing that the page shows, is hidden, or lies elsewhere.
    """
    kind = file_kind(name)
    if kind is None:
        return None
    try:
        folder = results.resolve(strict=True)
        path = (folder / name).resolve(strict=True)
        place = path.relative_to(folder)
    except (OSError, ValueError, RuntimeError):
        return None  # not there, a null byte, links in a circle, somewhere else
    # a link to a file that is sent in another way, or not at all, changes nothing about that
    return (path, kind) if file_kind(place.as_posix()) == kind and path.is_file() else None


def file_kind(name: str) -> FileKind | None:
    """Return how a results folder's file of this name is sent; None where it is not.

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
