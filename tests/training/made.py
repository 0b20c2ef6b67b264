"""Small synthetic films for tests of the training, with known lesions and bone."""

import numpy as np
from numpy.typing import NDArray

from lesionscan.training.films import FAINT, LESION, BoneOutline, TrainingFilm

SHAPE = (120, 90)
BONE = np.s_[:, 25:65]
LESION_CENTRE, FAINT_CENTRE = (45, 45), (85, 45)
RADIUS = 9.0


def made_film(
    name: str = "film",
    *,
    lesions: bool = True,
    bone_outline: BoneOutline = "whole",
    source: str | None = None,
) -> TrainingFilm:
    """Return a bright vertical bone in dark tissue, by default with a dark and a faint lesion."""
    image = np.full(SHAPE, 60, np.uint8)
    bone = np.zeros(SHAPE, np.uint8)
    marks = np.zeros(SHAPE, np.uint8)
    image[BONE] = 190
    if bone_outline != "none":
        bone[BONE] = 255
    if lesions:
        marks[_disk(FAINT_CENTRE)] = FAINT
        marks[_disk(LESION_CENTRE)] = LESION
        image[marks == LESION] = 90
    return TrainingFilm(name, source or f"film {name}", image, marks, bone, bone_outline)


def _disk(centre: tuple[int, int]) -> NDArray[np.bool_]:
    rows, cols = np.indices(SHAPE)
    return np.asarray(np.hypot(rows - centre[0], cols - centre[1]) <= RADIUS, np.bool_)
