"""The pictures of one opened file."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import ErrorCode
from lesionscan.radiograph import Radiograph
from lesionscan.reading.errors import UnreadableFileError


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames of a DICOM file, pages of a TIFF, or the one picture of another file.

    Attributes
    ----------
    count
        How many there are, at least 1.
    read
        Reads one, by its number from 1 on; the file must still be open.
    show
        Returns one as the file asks viewers to show it (window or VOI LUT), for people only: uint8
        (rows, cols), bone bright; None where the file does not ask.
    """

    count: int
    read: Callable[[int], Radiograph]
    show: Callable[[int], NDArray[np.uint8] | None]

    def check(self, *, at_most: int) -> None:
        """Refuse more pictures than a file of radiographs holds.

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
