"""Conversion of stored values of a DICOM file to grey values, by its header."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import ErrorCode, NoticeCode, notice
from lesionscan.radiograph import BoolImage, Notice
from lesionscan.reading.dicom_file import DicomFile
from lesionscan.reading.dicom_lut import read_lut
from lesionscan.reading.dicom_tags import Tags
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.grayscale import (
    Greys,
    Lut,
    apply_modality_lut,
    not_padding,
    rescale,
)
from lesionscan.reading.pixel_format import PixelFormat
from lesionscan.reading.polarity import Course, RawRelation, lut_course

_MOST_CLIPPED = 0.02
"""Share of stored values that may be beyond the ends of a modality LUT: borders and markers."""


def unpadded(tags: Tags, stored: Greys, layout: PixelFormat) -> BoolImage:
    """Return False for padding according to PixelPaddingValue (PS3.3 C.7.5.1.1.2).

    Raises
    ------
    UnreadableFileError
        `no_pixels` if no other pixel is left.
    """
    ends = [tags.integer(keyword) for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    # Some devices write it as US, others as SS: both mean the same bit pattern.
    if layout.signed:
        half = 1 << layout.bits_allocated - 1
        ends = [end - 2 * half if end is not None and end >= half else end for end in ends]
    else:
        ends = [end + (1 << layout.bits_allocated) if end and end < 0 else end for end in ends]
    valid = not_padding(stored.values, *ends)
    if not valid.any():
        raise UnreadableFileError(
            ErrorCode.NO_PIXELS, "every pixel is marked as padding; export the image again"
        )
    return valid


@dataclass(frozen=True, slots=True, eq=False)
class Modality:
    """Result of the modality transform.

    Attributes
    ----------
    greys
        The transformed values.
    lut
        The table; None if slope and intercept, or nothing, were applied.
    falls
        Whether the slope is negative.
    """

    greys: Greys
    lut: Lut | None = None
    falls: bool = False

    def course(self, stored: NDArray[Any]) -> Course | None:
        """Return the course of the transform over stored values, None if it cannot swap any."""
        if self.lut is not None:
            return lut_course("ModalityLUTSequence", self.lut, stored)
        return Course("RescaleSlope", falls=True) if self.falls else None


def modality_transform(
    file: DicomFile, stored: Greys, layout: PixelFormat, notices: list[Notice]
) -> Modality:
    """Apply the modality LUT or, without one, slope and intercept (PS3.3 C.11.1).

    Parameters
    ----------
    file
        The file, with the tags of the frame.
    stored
        Stored values.
    layout
        Their format.
    notices
        Receives `bad_rescale`, which names the tag, if stored values are left unchanged.
    """
    tags = file.tags
    item = tags.sequence_item("ModalityLUTSequence")
    try:
        if layout.is_colour:
            _check_colour(item, tags)
            return Modality(stored)
        if item is not None:
            lut = read_lut(item, file, signed=layout.signed, name="modality LUT")
            notices.extend(_clipped(stored, lut))
            return Modality(apply_modality_lut(stored, lut), lut)
        slope, intercept = _linear(tags)
        return Modality(rescale(stored, slope=slope, intercept=intercept), falls=slope < 0)
    except ValueError as fault:
        notices.append(
            notice(NoticeCode.BAD_RESCALE, f"{fault}; stored values are used as they are")
        )
        return Modality(stored)


def _clipped(stored: Greys, lut: Lut) -> Iterator[Notice]:
    """Warn if many stored values are beyond the ends of the table, so that they become equal."""
    last = lut.first + lut.entries.size - 1
    share = float(np.mean((stored.values < lut.first) | (stored.values > last)))
    if share > _MOST_CLIPPED:
        yield notice(
            NoticeCode.BAD_RESCALE,
            f"ModalityLUTSequence has entries for {lut.first} to {last} only, and {share:.0%} of "
            "the stored values lie beyond; they have the grey of its ends, as in viewers",
        )


def _check_colour(item: Tags | None, tags: Tags) -> None:
    """Refuse a modality transform of colours: it is for MONOCHROME1 and 2 (PS3.3 C.11.1).

    Raises
    ------
    ValueError
        If there is one that would change values.
    """
    if item is not None or _linear(tags) != (1.0, 0.0):
        raise ValueError("viewers do not apply a modality LUT, slope or intercept to colours")


def _linear(tags: Tags) -> tuple[float, float]:
    """Return slope and intercept, by default 1 and 0.

    Raises
    ------
    ValueError
        If one is not a number; then neither is applied.
    """
    slope, intercept = tags.number("RescaleSlope"), tags.number("RescaleIntercept")
    for keyword, value in (("RescaleSlope", slope), ("RescaleIntercept", intercept)):
        if value is None and keyword in tags.irregular:
            raise ValueError(
                f"{keyword} holds something that is no number (a decimal comma or a unit, perhaps)"
            )
    return 1.0 if slope is None else slope, 0.0 if intercept is None else intercept


def is_raw(tags: Tags) -> bool:
    """Return whether the image is For Processing, not for viewing (PS3.3 C.8.11.1.1.1)."""
    return (tags.code("PresentationIntentType") or "").upper() == "FOR PROCESSING"


def raw_relation(tags: Tags) -> RawRelation | None:
    """Return the pixel intensity relationship of a For Processing image, None if not stated."""
    relationship = (tags.code("PixelIntensityRelationship") or "").upper()
    sign = tags.integer("PixelIntensityRelationshipSign")
    if not is_raw(tags) or relationship not in ("LIN", "LOG") or sign not in (-1, 1):
        return None
    return RawRelation(linear=relationship == "LIN", bright_is_dense=sign == -1)
