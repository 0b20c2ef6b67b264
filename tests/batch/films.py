"""Small PNG films for the tests of many files."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from tests.reporting.made import Film, make_image


def write_film(path: Path, order: int = 0, *, score: int = 200) -> Path:
    """Write a film whose top left pixel tells the stub what to do, and what to score (of 255)."""
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
    """Return all files under a folder by their relative names, without the run's own facts.

    These are run.json and the hidden account of what was written.
    """
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "run.json" and not path.name.startswith(".lesionscan-")
    }
