"""Detect films with inverted polarity, on which the network is less certain about bone.

The polarity comes from a tag or an assumption, and a wrong one gives nonsense that looks like
results. A doubt is therefore reported; the film is not inverted, because the file may be right.
"""

from collections.abc import Callable

import numpy as np

from lesionscan.radiograph import FloatImage

_CERTAIN = 0.8
"""Certainty from which the inverted film is not tried."""
_MIN_GAIN = 0.08
"""Least gain in certainty on the inverted film."""


def looks_inverted(
    bone_map: FloatImage, image: FloatImage, find_bone_map: Callable[[FloatImage], FloatImage]
) -> bool:
    """Return whether bone seems to be dark in a film.

    Parameters
    ----------
    bone_map
        float32 (rows, cols), 0 to 1; the network's bone map of the image.
    image
        float32 (rows, cols) in [0, 1], in which bone should be bright.
    find_bone_map
        Returns the bone map of an image; called only if the given one is uncertain.
    """
    certainty = _certainty(bone_map)
    return certainty < _CERTAIN and (_certainty(find_bone_map(1.0 - image)) > certainty + _MIN_GAIN)


def _certainty(bone_map: FloatImage) -> float:
    """Return the mean distance of a map from 0.5, scaled to [0, 1]."""
    return float(np.abs(2.0 * bone_map - 1.0).mean())
