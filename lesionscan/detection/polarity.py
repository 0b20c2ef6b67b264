"""Is bone bright? The network is surer of what is bone where it is.

One tag in the file, or an assumption, decides which end of the grey scale is bone, and a film that
is the wrong way round gives nonsense that looks like results. So a doubt is reported; nothing is
turned, since the file may be right.
"""

from collections.abc import Callable

import numpy as np

from lesionscan.radiograph import FloatImage

_SURE = 0.8
"""A network as sure of its bones is not asked again."""
_SURER = 0.08
"""By so much it must be surer of the film turned round."""


def looks_inverted(
    bone_map: FloatImage, image: FloatImage, look: Callable[[FloatImage], FloatImage]
) -> bool:
    """Say whether a film looks as if bone were dark in it.

    Parameters
    ----------
    bone_map
        float32 (rows, cols), 0 to 1: what the network takes for bone.
    image
        float32 (rows, cols) in [0, 1], in which bone should be bright.
    look
        What gives the bone map of an image; asked only where the first is unsure.
    """
    certainty = _certainty(bone_map)
    return certainty < _SURE and _certainty(look(1.0 - image)) > certainty + _SURER


def _certainty(bone_map: FloatImage) -> float:
    """Return how far a map is from half and half, 0 to 1."""
    return float(np.abs(2.0 * bone_map - 1.0).mean())
