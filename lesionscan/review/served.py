"""Which files of a results folder the report page may ask for."""

import os
from pathlib import Path, PurePosixPath

from lesionscan.reporting.page.places import FOLDER, PAGE_NAME

_RESULT_ENDINGS = (".json", ".overlay.png", ".labels.png", ".bone.png")

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
"""By ending; what has none of them is not served. Not from the system, whose tables differ."""


def content_type(path: Path) -> str:
    """Return the content type of a file that may be served."""
    return CONTENT_TYPES[path.suffix.lower()]


def served_file(results: Path, name: str) -> Path | None:
    """Return the file of a results folder that a name in an address stands for.

    Parameters
    ----------
    results
        The results folder.
    name
        Path relative to it, "/" between its parts, percent signs already resolved.

    Returns
    -------
    Path or None
        A regular file in the folder, links resolved; None where there is none, where it does not
        belong to the page, is hidden, or lies elsewhere.
    """
    if not _belongs(name):
        return None
    try:
        folder = results.resolve(strict=True)
        path = (folder / name).resolve(strict=True)
        place = path.relative_to(folder)
    except (OSError, ValueError, RuntimeError):
        return None  # not there, a null byte, links in a circle, somewhere else
    # a link to a file that would not be served by its own name does not make it served
    return path if _belongs(place.as_posix()) and path.is_file() else None


def _belongs(name: str) -> bool:
    parts = name.split("/")
    if any(not part or part.startswith(".") for part in parts):
        return False  # hidden, ".." and ".", absolute
    if os.sep != "/" and any(char in name for char in "\\:"):
        return False  # on Windows these separate too
    if PurePosixPath(name).suffix.lower() not in CONTENT_TYPES:
        return False
    return name == PAGE_NAME or parts[0] == FOLDER or name.endswith(_RESULT_ENDINGS)
