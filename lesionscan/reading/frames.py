"""The frames of an opened file."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import ErrorCode
from lesionscan.radiograph import Radiograph
from lesionscan.reading.errors import UnreadableFileError


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames of a DICOM file, pages of a TIFF, or the single image of another file.

    Attributes
    ----------
    count
        Their number, at least 1.
    read
        Reads one by its number, from 1; the file must still be open.
    show
        Returns one for display, with the window or VOI LUT of the file applied: uint8
        (rows, cols), bone bright; None if the file states neither.
    """

    count: int
    read: Callable[[int], Radiograph]
    show: Callable[[int], NDArray[np.uint8] | None]

    def check(self, *, at_most: int) -> None:
        """Refuse a file with too many frames.

        Raises
        ------
        UnreadableFileError
            `multi_frame`.
        """
        if self.count > at_most:
            raise UnreadableFileError(
                ErrorCode.MULTI_FRAME,
                f"the file holds {self.count} pictures, more than {at_most}; raise max_frames if "
                "they are radiographs",
            )
