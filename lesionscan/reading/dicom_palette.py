"""PALETTE COLOR: stored values -> the greys of a palette that is grey (PS3.3 C.7.6.3.1.5)."""

import numpy as np

from lesionscan.codes import ErrorCode
from lesionscan.reading.colour import Merged, from_channels
from lesionscan.reading.dicom_file import DicomFile
from lesionscan.reading.dicom_lut import read_palette
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.grayscale import Greys, apply_modality_lut

_COLOURS = ("Red", "Green", "Blue")


def palette_greys(file: DicomFile, stored: Greys, *, signed: bool) -> tuple[Greys, float]:
    """Look stored values up in the palette.

    Parameters
    ----------
    file
        Its header holds the palette.
    stored
        The stored values.
    signed
        Whether they may be negative.

    Returns
    -------
    greys
        What viewers show.
    coloured
        The share of coloured pixels, whose colour is ignored.

    Raises
    ------
    UnreadableFileError
        `colour_photograph`, or `bad_header` where there is no usable palette.
    """
    try:
        luts = [read_palette(file, colour, signed=signed) for colour in _COLOURS]
    except ValueError as fault:
        raise UnreadableFileError(
            ErrorCode.BAD_HEADER, f"{fault}; export the image again"
        ) from None
    looked_up = [apply_modality_lut(stored, lut) for lut in luts]
    high = max(one.high for one in looked_up)
    channels = np.stack([one.values.astype(np.uint16) for one in looked_up], axis=-1)
    merged: Merged = from_channels(channels, full_scale=high)
    return Greys(np.rint(merged.greys).astype(np.int32), 0.0, high), merged.coloured
