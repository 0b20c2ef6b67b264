"""Labels pictures read back, and whether they belong to their JSON: for everything that exports.

A label image holds one number a pixel, so candidates never overlap in it: where two outlines did,
the one found first has kept the ground (`lesionscan.detection.regions`).
"""

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionscan.results.pictures import PictureError, read_grey
from lesionscan.results.record import ResultRecord

Labels: TypeAlias = NDArray[np.integer[Any]]
"""(rows, cols), 0 background, value = candidate id."""

Box: TypeAlias = tuple[slice, slice]
"""Rows and columns that just hold a candidate's pixels."""

_AGAIN = "scan the film again"


class LabelsError(Exception):
    """A labels picture that cannot be used; the message names the file, the cause, the remedy."""


def read_labels(path: Path, data: bytes | None = None) -> NDArray[np.uint16]:
    """Read a labels picture back: uint16 (rows, cols), 0 background, value = candidate id.

    Parameters
    ----------
    path
        The picture.
    data
        Its bytes, where they have been read.

    Raises
    ------
    LabelsError
        When it is not there, cannot be read or is no grey picture of whole numbers.
    """
    try:
        return read_grey(path if data is None else data).astype(np.uint16)
    except PictureError as error:
        raise LabelsError(f"{path} {error}; {_AGAIN}") from error


def candidate_boxes(result: ResultRecord, labels: Labels) -> dict[int, Box]:
    """Return where each listed candidate's pixels lie, by its id, best candidate first.

    Parameters
    ----------
    result
        The result of a film that was searched.
    labels
        The film's label image.

    Raises
    ------
    LabelsError
        When the two do not belong together: another size, or a candidate without a pixel.
    """
    said = (result.searched_image.rows, result.searched_image.columns)
    if labels.shape != said:
        rows, columns = labels.shape
        raise LabelsError(
            f"{result.name}: its labels picture has {rows} x {columns} pixels and its JSON "
            f"says {said[0]} x {said[1]}; {_AGAIN}"
        )
    found = ndimage.find_objects(labels)
    boxes: dict[int, Box] = {}
    for candidate in result.candidates:
        number = candidate.id
        box = found[number - 1] if number <= len(found) else None
        if box is None:
            raise LabelsError(
                f"{result.name}: its labels picture has no pixel of candidate {number}; {_AGAIN}"
            )
        boxes[number] = box
    return boxes
