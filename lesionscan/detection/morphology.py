"""Masks grown and shrunk by disks, through distance transforms.

So the result is the same after a flip or a quarter turn, and the time independent of the radius.
"""

import cv2
import numpy as np

from lesionscan.radiograph import BoolImage, FloatImage


def distance_to(mask: BoolImage) -> FloatImage:
    """Return every pixel's distance to the nearest True pixel, in pixels; needs one True pixel.

    It is 2 % off at most (Borgefors, Comput Vis Graph Image Process 1986;34:344), in half of the
    time of the exact one.
    """
    distance = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(distance, np.float32)


def dilate_disk(mask: BoolImage, radius: float) -> BoolImage:
    """Dilate by a disk of `radius` pixels."""
    return np.asarray(distance_to(mask) <= radius, np.bool_) if mask.any() else mask.copy()


def close_disk(mask: BoolImage, radius: float) -> BoolImage:
    """Close by a disk of `radius` pixels; the outside of the picture counts as it is."""
    pad = int(radius) + 2
    padded = np.pad(mask, pad)
    closed = ~dilate_disk(~dilate_disk(padded, radius), radius)
    return np.ascontiguousarray(closed[pad:-pad, pad:-pad])


def fill_holes(mask: BoolImage, largest_area: float) -> BoolImage:
    """Fill the holes of a mask up to an area in pixels; what reaches the border is no hole."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    rows, cols = mask.shape
    inside = (stats[:, cv2.CC_STAT_LEFT] > 0) & (stats[:, cv2.CC_STAT_TOP] > 0)
    inside &= stats[:, cv2.CC_STAT_LEFT] + stats[:, cv2.CC_STAT_WIDTH] < cols
    inside &= stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT] < rows
    hole = inside & (stats[:, cv2.CC_STAT_AREA] <= largest_area)
    hole[0] = False
    return np.asarray(mask | hole[labels], np.bool_)


def without_specks(mask: BoolImage, least_area: float) -> BoolImage:
    """Drop the connected pieces of a mask that have fewer pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    sizeable = stats[:, cv2.CC_STAT_AREA] >= least_area
    sizeable[0] = False
    return np.asarray(sizeable[labels])


def largest_component(mask: BoolImage) -> BoolImage:
    """Keep the largest connected piece of a mask; the first one where several are as large."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count <= 2:
        return mask
    return np.asarray(labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])), np.bool_)
