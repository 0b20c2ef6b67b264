"""Small PNG films for tests of whole folders."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from tests.reporting.made import Film, make_image


def write_film(path: Path, order: int = 0, *, score: int = 200) -> Path:
    """Write a film whose first two pixels set the stub's behaviour and its score (of 255)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(film_bytes(order, score))
    return path


@cache
def film_bytes(order: int, score: int) -> bytes:
    """Return the film's PNG bytes."""
    image = np.rint(make_image(Film(rows=120, columns=80, disks=())) * 255).astype(np.uint8)
    image[0, :2] = order, score
    return cv2.imencode(".png", image)[1].tobytes()


def tree(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files below a folder by relative name.

    Files that differ between runs are left out: run.json and hidden files of lesionscan.
    """
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json" and not path.name.startswith(".lesionscan-")
    }
