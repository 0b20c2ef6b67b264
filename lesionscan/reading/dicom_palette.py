"""Conversion of PALETTE COLOR to grey, if the palette is grey (PS3.3 C.7.6.3.1.5)."""

from dataclasses import replace

import numpy as np

from lesionscan.codes import ErrorCode
from lesionscan.reading.colour import colour_ignored, from_channels
from lesionscan.reading.dicom_file import DicomFile
from lesionscan.reading.dicom_lut import read_palette
from lesionscan.reading.dicom_pixels import Stored
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.grayscale import Greys, apply_modality_lut

_COLOURS = ("Red", "Green", "Blue")


def palette_greys(file: DicomFile, stored: Stored) -> Stored:
    """Look stored values up in the palette of an image that has one; otherwise return them.

    Parameters
    ----------
    file
        Its header holds the palette.
    stored
        The stored values.

    Returns
    -------
    stored
        The grey values that viewers show, with a notice if the colour of some pixels is ignored.

    Raises
    ------
    UnreadableFileError
        `colour_photograph`, or `bad_header` if the palette cannot be used.
    """
    if stored.layout.photometric != "PALETTE COLOR":
        return stored
    try:
        luts = [read_palette(file, colour, signed=stored.layout.signed) for colour in _COLOURS]
    except ValueError as fault:
        raise UnreadableFileError(
            ErrorCode.BAD_HEADER, f"{fault}; export the image again"
        ) from None
    looked_up = [apply_modality_lut(stored.greys, lut) for lut in luts]
    high = max(one.high for one in looked_up)
    channels = np.stack([one.values.astype(np.uint16) for one in looked_up], axis=-1)
    merged = from_channels(channels, full_scale=high)
    found = (colour_ignored(merged.coloured),) if merged.coloured else ()
    return replace(
        stored,
        greys=Greys(np.rint(merged.greys).astype(np.int32), 0.0, high),
        notices=(*stored.notices, *found),
    )
