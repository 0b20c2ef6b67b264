"""Film + scorer -> maps: the network looks at the whole film, and again more closely.

Small lesions show only on a fine grid, large ones only where their surroundings fit into what the
network sees at once. So the film is looked at on several grids, and the lucency maps are averaged:
on 581 real films the mean did better than either look, and than their maximum, which collects the
false alarms of both (docs/detection.md).
"""

import numpy as np

from lesionscan.detection.scorer.network import Maps, Network
from lesionscan.radiograph import FloatImage

_MOST_ENLARGED = 1.9
"""A film is enlarged at most so much: closer looks show nothing that the file holds."""
_LEAST_STEP = 1.25
"""A look on a grid that is hardly finer than the last one is left out."""
_LONG = (2.0, 10.0)
"""Long side over short side between which grids grow with the long side, so that a stitched film of
a leg is looked at as closely as any other. No film is longer; a strip could cost any memory."""
_BONE_FROM = 0.2
"""Least bone map of the first look where a closer look is worth its time."""
_MARGIN = 0.06
"""Width of the margin around bone, as a share of the long side: context for the network."""


def look(image: FloatImage, network: Network, *, once: bool = False) -> Maps:
    """Look at an image on the network's grids.

    Their long sides hold for an image at most twice as long as wide, and grow with longer ones up
    to ten times as long as wide.
    Grids much finer than the image are coarsened or left out.

    Parameters
    ----------
    image
        float32 (rows, cols) in [0, 1], bone bright.
    network
        The scorer's.
    once
        Whether to look on the coarsest grid only.

    Returns
    -------
    Maps
        On the image's grid. The lucency map is the mean of all looks; closer ones cover the
        bounding box of bone, and outside it the first look stands. The bone map is that of the
        first look.
    """
    first, *closer = _worthwhile(image.shape, network.long_sides_px)
    maps = network.look(image, first)
    if once or not closer:
        return maps
    lucency = maps.lucency.copy()
    box = _bone_box(maps.bone)
    part = np.ascontiguousarray(image[box])
    for number, side in enumerate(closer, start=2):
        part_side = max(1, round(side * max(part.shape) / max(image.shape)))
        seen = network.look(part, part_side).lucency
        lucency[box] += (seen - lucency[box]) / np.float32(number)
    return Maps(lucency, maps.bone)


def _worthwhile(shape: tuple[int, ...], long_sides_px: tuple[int, ...]) -> list[int]:
    """Return the long sides of the grids that show something new of an image of a shape."""
    longer = min(max(max(shape) / min(shape), _LONG[0]), _LONG[1]) / _LONG[0]
    sides = [round(long_sides_px[0] * longer)]
    for wanted in long_sides_px[1:]:
        side = round(min(wanted * longer, _MOST_ENLARGED * max(shape)))
        if side >= _LEAST_STEP * sides[-1]:
            sides.append(side)
    return sides


def _bone_box(bone: FloatImage) -> tuple[slice, slice]:
    """Return the bounding box of what may be bone, with a margin; the whole image without any."""
    margin = round(_MARGIN * max(bone.shape))
    seen = bone >= _BONE_FROM
    if not seen.any():
        return slice(None), slice(None)
    rows, cols = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + 1 + margin),
        slice(max(0, int(cols[0]) - margin), int(cols[-1]) + 1 + margin),
    )
