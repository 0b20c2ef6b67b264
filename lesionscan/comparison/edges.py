"""Two outlines of one lesion -> whether the films bear out that they differ.

Two searches may outline one lesion that has not changed at different edges. A change is borne out
where the step of brightness at the first outline, against that at the second one, is clearly larger
on the first film than on the second; where both films have the same steps at both outlines, their
difference is a matter of the search.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionscan.radiograph import FloatImage

_REACH, _LEAST_PX = 0.12, 1.5
"""How far inside and outside an outline the film is looked at: share of its radius, and pixels."""
_LEAST_TURN = 0.3
"""Least change of the steps, as a share of the mean of each film's step at its own outline. Real
films against themselves have under 0.05, phantoms whose lesion has changed over 0.7."""

Outline = NDArray[np.float64]
"""float64 (n, 2), (row, column)."""


def bear_out(films: tuple[FloatImage, FloatImage], outlines: tuple[Outline, Outline]) -> bool:
    """Say whether two films show that a lesion has changed from one outline to the other.

    Parameters
    ----------
    films
        float32 (rows, cols), the two films on one grid, bone bright.
    outlines
        The lesion's outline on the first and on the second film, on that grid.
    """
    first, second = ([_step(film, outline) for outline in outlines] for film in films)
    turn = (first[0] - first[1]) - (second[0] - second[1])
    return turn > _LEAST_TURN * max(0.5 * (first[0] + second[1]), 0.0)


def _step(film: FloatImage, outline: Outline) -> float:
    """Return how much brighter a film is just outside an outline than just inside, on the mean."""
    away = outline - outline.mean(axis=0)
    radius = np.maximum(np.hypot(*away.T), 1.0)
    reach = np.maximum(_REACH * float(radius.mean()), _LEAST_PX)
    outwards = reach * away / radius[:, None]
    outer, inner = (
        ndimage.map_coordinates(film, (outline + way * outwards).T, order=1, mode="nearest")
        for way in (1, -1)
    )
    return float((outer - inner).mean())
