"""Plain file names for films whose results stand in folders."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from lesionscan.truth_names import IMAGE_ENDINGS

_MOST_BYTES = 150
"""File systems allow 255, of which endings take some."""
_LIKE_HASHED = re.compile(r".*-[0-9a-f]{16}", re.DOTALL)


def image_ending(file: str) -> str:
    """Return a file's ending where it is one of a truth folder's images, else nothing."""
    ending = PurePosixPath(file).suffix
    return ending if ending.lower() in IMAGE_ENDINGS else ""


def truth_names(files: Iterable[str]) -> dict[str, str]:
    """Give each file a name without folder and ending; no two share one.

    "a/knee.dcm" becomes "a__knee". Where files would share a name, in small letters too (some file
    systems do not tell them apart), or it would be too long, each of them gets a hash of its own
    name behind it. A file's name depends on the whole list, not on its order.

    Parameters
    ----------
    files
        Names of all files of a run, as in the results, so that names stay when more are reviewed.
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
    # hidden files are passed over where the truth's images are scanned
    return f"_{name}" if name.startswith(".") else name


def _needs_hash(name: str) -> bool:
    # one that only looks as if it had a hash could be another's name that has
    return len(name.encode()) > _MOST_BYTES or _LIKE_HASHED.fullmatch(name) is not None


def _hashed(file: str, name: str) -> str:
    start = name.encode()[:_MOST_BYTES].decode(errors="ignore")
    return f"{start}-{hashlib.sha256(file.encode()).hexdigest()[:16]}"
