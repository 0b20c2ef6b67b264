"""Display shutter (hidden area) and collimator (area not exposed) of a DICOM file.

Some devices write these tags in other units, for other images, or for another rotation. Each is
therefore used only if it is plausible, and the exposed field is detected from the pixels as well.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from lesionscan.codes import NoticeCode, notice
from lesionscan.radiograph import BoolImage, Notice
from lesionscan.reading.dicom_tags import Tags
from lesionscan.reading.grayscale import Numbers

_LEAST_OPEN = 0.1
"""Share of the image that must remain visible; a tag that leaves less is for another image."""
_BEYOND = 0.1
"""Largest distance of an edge outside the image, as a share of the image's length."""
_SCATTER = 0.5
"""Outside a collimator there is only scatter: largest variation, as a share of that inside."""

_MOST_CORNERS = 1000
"""Vertices of a polygon; the time to fill it grows with the square of their number."""

Kind = Literal["Shutter", "Collimator"]


def open_field(
    tags: Tags, values: Numbers, valid: BoolImage
) -> tuple[BoolImage, tuple[Notice, ...]]:
    """Exclude what is hidden or not exposed from the valid pixels.

    Parameters
    ----------
    tags
        The header: Display Shutter and X-Ray Collimator modules (PS3.3 C.7.6.11, C.8.7.3).
    values
        (rows, cols); grey values of the image.
    valid
        bool (rows, cols); pixels with image data.

    Returns
    -------
    valid
        bool (rows, cols); the remaining pixels.
    notices
        `field_stated` for a shape that was used, `bad_field` for one that is implausible.
    """
    notices: list[Notice] = []
    kinds: tuple[Kind, ...] = ("Shutter", "Collimator")
    for kind in kinds:
        try:
            field = _field(tags, kind, valid.shape)
            if field is None:
                continue
            left = valid & field
            _check(kind, values, valid, left)
        except ValueError as fault:
            notices.append(
                notice(NoticeCode.BAD_FIELD, f"the file states a {kind.lower()} that {fault}; "
                       "it is ignored")
            )  # fmt: skip
        else:
            lost = int(valid.sum()) - int(left.sum())
            if lost:
                notices.append(
                    notice(
                        NoticeCode.FIELD_STATED,
                        f"what lies outside the {kind.lower()} that the file states is left out: "
                        f"{lost / valid.size:.1%} of the picture",
                    )
                )
            valid = left
    return valid, tuple(notices)


def _field(tags: Tags, kind: Kind, shape: tuple[int, int]) -> BoolImage | None:
    """Return the area inside all shapes of one kind, None if the file has none.

    Raises
    ------
    ValueError
        If a shape is invalid, or outside the image.
    """
    names = tags.codes(f"{kind}Shape")
    if not names:
        return None
    field = np.ones(shape, np.bool_)
    for name in names:
        match name.upper():
            case "RECTANGULAR":
                field &= _rectangle(tags, kind, shape)
            case "CIRCULAR":
                field &= _circle(tags, kind, shape)
            case "POLYGONAL":
                field &= _polygon(tags, kind, shape)
            case _:  # other shapes, such as BITMAP, are not supported
                raise ValueError("has none of the shapes that are understood")
    return field


def _rectangle(tags: Tags, kind: Kind, shape: tuple[int, int]) -> BoolImage:
    sides = ("UpperHorizontal", "LowerHorizontal", "LeftVertical", "RightVertical")
    edges = [tags.number(f"{kind}{side}Edge") for side in sides]
    upper, lower, left, right = _near(edges, (shape[0], shape[0], shape[1], shape[1]))
    rows, columns = np.ogrid[1 : shape[0] + 1, 1 : shape[1] + 1]  # positions count from 1
    inside = (rows >= upper) & (rows <= lower) & (columns >= left) & (columns <= right)
    return np.asarray(inside, np.bool_)


def _circle(tags: Tags, kind: Kind, shape: tuple[int, int]) -> BoolImage:
    centre = tags.numbers(f"CenterOfCircular{kind}") or ()
    radius = tags.number(f"RadiusOfCircular{kind}")
    if len(centre) != 2 or radius is None or not 0 < radius < 2 * max(shape):
        raise ValueError("is not complete")
    row, column = _near(centre, shape)
    rows, columns = np.ogrid[1 : shape[0] + 1, 1 : shape[1] + 1]
    return np.asarray(np.hypot(rows - row, columns - column) <= radius, np.bool_)


def _polygon(tags: Tags, kind: Kind, shape: tuple[int, int]) -> BoolImage:
    corners = tags.numbers(f"VerticesOfThePolygonal{kind}") or ()
    if len(corners) < 6 or len(corners) % 2:
        raise ValueError("is not complete")
    if len(corners) > 2 * _MOST_CORNERS:
        raise ValueError("has too many corners")
    rows = _near(corners[::2], [shape[0]] * (len(corners) // 2))
    columns = _near(corners[1::2], [shape[1]] * (len(corners) // 2))
    points = np.rint(np.column_stack([columns, rows])).astype(np.int32) - 1
    mask = np.zeros(shape, np.uint8)
    import cv2  # few files need it, and its import is slow

    cv2.fillPoly(mask, [points.reshape(-1, 1, 2)], 1)
    return mask > 0


def _near(found: Sequence[float | None], lengths: Sequence[int]) -> list[float]:
    """Return the positions, all inside the image or close to it."""
    near = []
    for position, length in zip(found, lengths, strict=True):
        if position is None:
            raise ValueError("is not complete")
        if not -_BEYOND * length <= position <= (1 + _BEYOND) * length:  # False for NaN too
            raise ValueError("lies beyond the picture")
        near.append(position)
    return near


def _check(kind: Kind, values: Numbers, valid: BoolImage, left: BoolImage) -> None:
    """Refuse a field that the pixels contradict."""
    if left.sum() < _LEAST_OPEN * valid.size:
        raise ValueError("leaves nothing of the picture")
    outside = valid & ~left
    if kind == "Shutter" or not outside.any():
        return
    if values[outside].std() > _SCATTER * values[left].std():
        raise ValueError("covers a part of the picture that was exposed")
