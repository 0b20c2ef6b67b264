"""Run the network on a film at several resolutions and average the lucency maps.

Small lesions are visible only at high resolution; large ones only at low resolution, where their
surroundings fit into the receptive field. On 581 real films the mean did better than either map,
and than their maximum, which adds up the false positives of both (docs/detection.md).
"""

import numpy as np

from lesionscan.detection.scorer.network import Maps, Network
from lesionscan.radiograph import FloatImage

_MAX_ENLARGEMENT = 1.9
"""Higher resolutions add no information beyond that in the film."""
_MIN_STEP = 1.25
"""A resolution less than this many times the previous one is skipped."""
_ELONGATED = (2.0, 10.0)
"""Aspect ratios between which the grid grows with the long side, so that a stitched film of a leg
is searched at the same resolution as any other. The upper limit bounds memory."""
_MIN_BONE = 0.2
"""Least value of the bone map at which a higher resolution is worth its time."""
_MARGIN = 0.06
"""Width of the margin around bone, as a share of the long side: context for the network."""


def compute_maps(image: FloatImage, network: Network, *, coarsest_only: bool = False) -> Maps:
    """Compute the lucency and bone maps of an image at the network's resolutions.

    `network.long_sides_px` holds for images up to twice as long as wide; it grows with the long
    side up to ten times. Resolutions much higher than the image's are lowered or skipped.

    Parameters
    ----------
    image
        float32 (rows, cols) in [0, 1], bone bright.
    network
        The scorer's network.
    coarsest_only
        Whether to run the network at the lowest resolution only.

    Returns
    -------
    Maps
        On the image's grid. The lucency map is the mean over all resolutions in the bounding box
        of bone, and that of the lowest outside it. The bone map is that of the lowest.
    """
    first, *finer = _useful_sides(image.shape, network.long_sides_px)
    maps = network.run(image, first)
    if coarsest_only or not finer:
        return maps
    lucency = maps.lucency.copy()
    box = _bone_box(maps.bone)
    part = np.ascontiguousarray(image[box])
    for count, side in enumerate(finer, start=2):
        part_side = max(1, round(side * max(part.shape) / max(image.shape)))
        finer_lucency = network.run(part, part_side).lucency
        lucency[box] += (finer_lucency - lucency[box]) / np.float32(count)
    return Maps(lucency, maps.bone)


def _useful_sides(shape: tuple[int, ...], long_sides_px: tuple[int, ...]) -> list[int]:
    """Return the long sides, in pixels, at which to run the network on an image of this shape."""
    longer = min(max(max(shape) / min(shape), _ELONGATED[0]), _ELONGATED[1]) / _ELONGATED[0]
    sides = [round(long_sides_px[0] * longer)]
    for wanted in long_sides_px[1:]:
        side = round(min(wanted * longer, _MAX_ENLARGEMENT * max(shape)))
        if side >= _MIN_STEP * sides[-1]:
            sides.append(side)
    return sides


def _bone_box(bone: FloatImage) -> tuple[slice, slice]:
    """Return the bounding box of possible bone, with a margin; the whole image without any."""
    margin = round(_MARGIN * max(bone.shape))
    possible = bone >= _MIN_BONE
    if not possible.any():
        return slice(None), slice(None)
    rows, cols = (np.flatnonzero(possible.any(axis=axis)) for axis in (1, 0))
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + 1 + margin),
        slice(max(0, int(cols[0]) - margin), int(cols[-1]) + 1 + margin),
    )
