"""Arrange pictures in rows, for the docs and the lists of errors."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_GAP_PX = 3


def contact_sheet(
    tiles: Sequence[NDArray[np.uint8]], *, height_px: int, columns: int
) -> NDArray[np.uint8]:
    """Arrange pictures of equal height in rows.

    Parameters
    ----------
    tiles
        uint8 (rows, cols) grey or (rows, cols, 3) blue, green, red; at least one.
    height_px
        Height of every picture on the sheet, without the gap around it.
    columns
        Pictures in a row.

    Returns
    -------
    ndarray
        uint8 (rows, cols, 3).
    """
    resized = [
        cv2.resize(
            tile if tile.ndim == 3 else cv2.cvtColor(tile, cv2.COLOR_GRAY2BGR),
            (max(1, round(tile.shape[1] * height_px / tile.shape[0])), height_px),
            interpolation=cv2.INTER_AREA,
        )
        for tile in tiles
    ]
    gap = ((_GAP_PX, _GAP_PX), (_GAP_PX, _GAP_PX), (0, 0))
    rows = [
        np.hstack([np.pad(tile, gap) for tile in resized[at : at + columns]])
        for at in range(0, len(resized), columns)
    ]
    width = max(row.shape[1] for row in rows)
    full = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
    return np.asarray(np.vstack(full), dtype=np.uint8)
