"""File names in a truth folder for films from subfolders."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from lesionscan.truth_names import IMAGE_ENDINGS

_MOST_BYTES = 150
"""File systems allow 255, including the endings."""
_LIKE_HASHED = re.compile(r".*-[0-9a-f]{16}", re.DOTALL)


def image_ending(file: str) -> str:
    """Return a file's ending if truth folders allow it, else ""."""
    ending = PurePosixPath(file).suffix
    return ending if ending.lower() in IMAGE_ENDINGS else ""


def truth_names(files: Iterable[str]) -> dict[str, str]:
    """Give each file a unique name without folder and ending.

    "a/knee.dcm" becomes "a__knee". A hash of the original name is appended if names would be equal
    (also ignoring case, as some file systems do) or too long. Names depend on the whole list, not
    on its order.

    Parameters
    ----------
    files
        Names of all files of a run, as in the results, so that names stay the same when more films
        are reviewed.
    """
    plain = {file: _plain(file) for file in files}
    shared = Counter(name.casefold() for name in plain.values())
    return {
        file: _hashed(file, name) if shared[name.casefold()] > 1 or _needs_hash(name) else name
        for file, name in plain.items()
    }


def _plain(file: str) -> str:
    name = file.removesuffix(image_ending(file))
    for separator in "/\\:":
        name = name.replace(separator, "__")
    # hidden files would be skipped when the truth's images are scanned
    return f"_{name}" if name.startswith(".") else name


def _needs_hash(name: str) -> bool:
    # a name that looks hashed could be equal to another file's hashed name
    return len(name.encode()) > _MOST_BYTES or _LIKE_HASHED.fullmatch(name) is not None


def _hashed(file: str, name: str) -> str:
    start = name.encode()[:_MOST_BYTES].decode(errors="ignore")
    return f"{start}-{hashlib.sha256(file.encode()).hexdigest()[:16]}"
