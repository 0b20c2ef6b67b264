"""Labels pictures read back, and whether they belong to their JSON: for everything that exports.

A label image holds one number a pixel, so candidates never overlap in it: where two outlines did,
the one found first has kept the ground (`lesionscan.detection.regions`).
"""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionscan.files import PICTURE_BYTES, read_bounded
from lesionscan.results.record import name_of

Labels: TypeAlias = NDArray[np.integer[Any]]
"""(rows, cols), 0 background, value = candidate id."""

Box: TypeAlias = tuple[slice, slice]
"""Rows and columns that just hold a candidate's pixels."""

_AGAIN = "scan the film again"
_IHDR = struct.Struct(">IIBB")
"""Width, height, bit depth and colour type, 16 bytes into a PNG (ISO/IEC 15948, 11.2.2)."""
_GREY = 0
_MOST_PIXELS = 200_000_000


class LabelsError(Exception):
    """A labels picture that cannot be used; the message names the file, the cause, the remedy."""


def read_labels(path: Path) -> NDArray[np.uint16]:
    """Read a labels picture back: uint16 (rows, cols), 0 background, value = candidate id.

    Raises
    ------
    LabelsError
        When it is not there, cannot be read or is no grey picture of whole numbers.
    """
    try:
        data = read_bounded(path, max_bytes=PICTURE_BYTES)
    except FileNotFoundError as error:
        raise LabelsError(f"{path} is not there; {_AGAIN}") from error
    except OSError as error:
        raise LabelsError(f"{path} cannot be read as a picture; {_AGAIN}") from error
    return decode_labels(data, path)


def decode_labels(data: bytes, path: Path) -> NDArray[np.uint16]:
    """Decode the bytes of a labels picture: uint16 (rows, cols).

    Parameters
    ----------
    data
        A PNG.
    path
        What an error's message calls it.

    Raises
    ------
    LabelsError
        When they cannot be decoded, or are no grey picture of whole numbers.
    """
    try:
        columns, rows, depth, colour = _IHDR.unpack_from(data, 16)
        if colour != _GREY:
            raise LabelsError(f"{path} is no picture of one number per pixel; {_AGAIN}")
        if rows * columns > _MOST_PIXELS:  # before memory is taken for it
            raise LabelsError(f"{path} is larger than any film; {_AGAIN}")
        pixels = imagecodecs.png_decode(data)
        if depth < 8:  # libpng spreads such values over 0 to 255
            pixels = pixels // (255 // (2**depth - 1))
    except (struct.error, ValueError, imagecodecs.PngError) as error:
        raise LabelsError(f"{path} cannot be read as a picture; {_AGAIN}") from error
    return pixels.astype(np.uint16)


def candidate_boxes(result: Mapping[str, Any], labels: Labels) -> dict[int, Box]:
    """Return where each listed candidate's pixels lie, by its id, best candidate first.

    Parameters
    ----------
    result
        The JSON of a film that was read, read back.
    labels
        The film's label image.

    Raises
    ------
    LabelsError
        When the two do not belong together: another size, or a candidate without a pixel.
    """
    said = (result["image"]["rows"], result["image"]["columns"])
    if labels.shape != said:
        rows, columns = labels.shape
        raise LabelsError(
            f"{name_of(result)}: its labels picture has {rows} x {columns} pixels and its JSON "
            f"says {said[0]} x {said[1]}; {_AGAIN}"
        )
    found = ndimage.find_objects(labels)
    boxes: dict[int, Box] = {}
    for candidate in result["candidates"]:
        number = candidate["id"]
        box = found[number - 1] if number <= len(found) else None
        if box is None:
            raise LabelsError(
                f"{name_of(result)}: its labels picture has no pixel of candidate {number}; "
                f"{_AGAIN}"
            )
        boxes[number] = box
    return boxes
