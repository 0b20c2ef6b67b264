"""Read label images and check them against their JSON, for exports.

A label image has one number per pixel, so candidates do not overlap: where two outlines did, the
pixels belong to the first (`lesionscan.detection.regions`).
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
"""Bounding box of a candidate: slices of rows and columns."""

_REMEDY = "scan the film again"


class LabelsError(Exception):
    """Unusable label image; the message names the file, the cause and the remedy."""


def read_labels(path: Path, data: bytes | None = None) -> NDArray[np.uint16]:
    """Read a label image: uint16 (rows, cols), 0 = background, otherwise the candidate's id.

    Parameters
    ----------
    path
        The file.
    data
        Its bytes, if they have been read.

    Raises
    ------
    LabelsError
        If the file is missing, cannot be read, or is not a grey image of integers.
    """
    try:
        return read_grey(path if data is None else data).astype(np.uint16)
    except PictureError as error:
        raise LabelsError(f"{path} {error}; {_REMEDY}") from error


def candidate_boxes(result: ResultRecord, labels: Labels) -> dict[int, Box]:
    """Return the bounding box of each listed candidate by id, best candidate first.

    Parameters
    ----------
    result
        The result of a film that was searched.
    labels
        The film's label image.

    Raises
    ------
    LabelsError
        If the two do not fit: they differ in size, or a candidate has no pixel.
    """
    expected = (result.searched_image.rows, result.searched_image.columns)
    if labels.shape != expected:
        rows, columns = labels.shape
        raise LabelsError(
            f"{result.name}: the label image has {rows} x {columns} pixels, but the JSON states "
            f"{expected[0]} x {expected[1]}; {_REMEDY}"
        )
    found = ndimage.find_objects(labels)
    boxes: dict[int, Box] = {}
    for candidate in result.candidates:
        number = candidate.id
        box = found[number - 1] if number <= len(found) else None
        if box is None:
            raise LabelsError(
                f"{result.name}: the label image has no pixel of candidate {number}; {_REMEDY}"
            )
        boxes[number] = box
    return boxes
