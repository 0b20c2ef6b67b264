"""Stored matrix <-> the smaller grid on which the search runs.

A lesion worth finding is several pixels wide at a long side of 640, whatever the detector's pitch;
searching there makes the time independent of the film's size.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from lesionscan.detection.morphology import largest_component
from lesionscan.radiograph import BoolImage, FloatImage, LabelImage


@dataclass(frozen=True, slots=True)
class WorkingGrid:
    """Two grids over the same picture.

    Attributes
    ----------
    stored
        (rows, cols) of the stored matrix.
    working
        (rows, cols) of the reduced grid; equal to `stored` for small pictures, since enlarging
        adds nothing to find.
    """

    stored: tuple[int, int]
    working: tuple[int, int]

    @classmethod
    def of(cls, shape: tuple[int, int], *, long_side_px: int) -> "WorkingGrid":
        """Make the grid whose long side has at most `long_side_px` pixels."""
        factor = min(1.0, long_side_px / max(shape))
        rows, cols = (max(1, round(n * factor)) for n in shape)
        return cls(stored=shape, working=(rows, cols))

    def reduce(self, image: FloatImage) -> FloatImage:
        """Average float32 (rows, cols) of the stored matrix onto the working grid."""
        if self.working == self.stored:
            return image
        return np.asarray(
            cv2.resize(image, self.working[::-1], interpolation=cv2.INTER_AREA), np.float32
        )

    def reduce_mask(self, mask: BoolImage) -> BoolImage:
        """Reduce a bool mask; True where the whole pixel is covered."""
        return np.asarray(self.reduce(mask.astype(np.float32)) > 0.999)

    def restore(self, image: FloatImage) -> FloatImage:
        """Bring float32 (rows, cols) of the working grid to the stored matrix, linear between."""
        if self.working == self.stored:
            return image
        return np.asarray(
            cv2.resize(image, self.stored[::-1], interpolation=cv2.INTER_LINEAR), np.float32
        )

    def restore_mask(self, mask: BoolImage) -> BoolImage:
        """Bring a bool mask of the working grid to the stored matrix, with smooth edges."""
        if self.working == self.stored:
            return mask
        if mask.all() or not mask.any():  # as metal and the field mostly are
            return np.full(self.stored, mask.all(), np.bool_)
        return np.asarray(self.restore(mask.astype(np.float32)) >= 0.5)

    def restore_labels(self, labels: LabelImage) -> LabelImage:
        """Bring int32 labels of the working grid to the stored matrix, each with smooth edges."""
        if self.working == self.stored:
            return labels
        restored: LabelImage = np.zeros(self.stored, np.int32)
        scale = np.array(self.stored) / np.array(self.working)
        for label, box in enumerate(ndimage.find_objects(labels), start=1):
            if box is None:
                continue
            low = [max(int((s.start - 1) * f), 0) for s, f in zip(box, scale, strict=True)]
            high = [
                min(int(np.ceil((s.stop + 1) * f)), n)
                for s, f, n in zip(box, scale, self.stored, strict=True)
            ]
            # pixel centres: working = (stored + 0.5) / scale - 0.5
            matrix = np.array(
                [
                    [1 / scale[1], 0, (low[1] + 0.5) / scale[1] - 0.5],
                    [0, 1 / scale[0], (low[0] + 0.5) / scale[0] - 0.5],
                ]
            )
            soft = cv2.warpAffine(
                (labels == label).astype(np.float32),
                matrix,
                (high[1] - low[1], high[0] - low[0]),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            )
            target = restored[low[0] : high[0], low[1] : high[1]]
            target[largest_component((soft >= 0.5) & (target == 0))] = label
        return restored
