"""Stored values of a DICOM file -> greys that mean something, by what its header says of them."""

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
"""Share of stored values that a modality LUT may leave to its ends: borders and markers."""


def unpadded(tags: Tags, stored: Greys, layout: PixelFormat) -> BoolImage:
    """Return False where PixelPaddingValue says that there is no image data (PS3.3 C.7.5.1.1.2).

    Raises
    ------
    UnreadableFileError
        `no_pixels` where nothing else is left.
    """
    ends = [tags.integer(keyword) for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    # Written as US by one device and SS by the next: both spellings mean the same bit pattern.
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
    """What the modality transform made of the stored values.

    Attributes
    ----------
    greys
        The values after it.
    lut
        The table, None where slope and intercept or nothing were applied.
    falls
        Whether the slope is negative.
    """

    greys: Greys
    lut: Lut | None = None
    falls: bool = False

    def course(self, stored: NDArray[Any]) -> Course | None:
        """Return where the transform leads over stored values, None where it cannot swap any."""
        if self.lut is not None:
            return lut_course("ModalityLUTSequence", self.lut, stored)
        return Course("RescaleSlope", falls=True) if self.falls else None


def modality_transform(
    file: DicomFile, stored: Greys, layout: PixelFormat, notices: list[Notice]
) -> Modality:
    """Apply the modality LUT, or else slope and intercept (PS3.3 C.11.1); the LUT wins.

    Parameters
    ----------
    file
        The file, its tags those of the frame.
    stored
        Stored values.
    layout
        How they were packed.
    notices
        Takes `bad_rescale` where stored values are left as they are, and names the tag.
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
    """Say where many stored values have no entry of their own, so that they all become one."""
    last = lut.first + lut.entries.size - 1
    share = float(np.mean((stored.values < lut.first) | (stored.values > last)))
    if share > _MOST_CLIPPED:
        yield notice(
            NoticeCode.BAD_RESCALE,
            f"ModalityLUTSequence has entries for {lut.first} to {last} only, and {share:.0%} of "
            "the stored values lie beyond; they have the grey of its ends, as in viewers",
        )


def _check_colour(item: Tags | None, tags: Tags) -> None:
    """Refuse a transform of colours: it is one of MONOCHROME1 and 2 only (PS3.3 C.11.1).

    Raises
    ------
    ValueError
        When there is one that would change values.
    """
    if item is not None or _linear(tags) != (1.0, 0.0):
        raise ValueError("viewers do not apply a modality LUT, slope or intercept to colours")


def _linear(tags: Tags) -> tuple[float, float]:
    """Return slope and intercept, 1 and 0 where they are absent or empty.

    Raises
    ------
    ValueError
        When one holds something that is no number: half a rescale would be neither.
    """
    slope, intercept = tags.number("RescaleSlope"), tags.number("RescaleIntercept")
    for keyword, value in (("RescaleSlope", slope), ("RescaleIntercept", intercept)):
        if value is None and keyword in tags.irregular:
            raise ValueError(
                f"{keyword} holds something that is no number (a decimal comma or a unit, perhaps)"
            )
    return 1.0 if slope is None else slope, 0.0 if intercept is None else intercept


def is_raw(tags: Tags) -> bool:
    """Say whether the values are the detector's own, not made for viewing (PS3.3 C.8.11.1.1.1)."""
    return (tags.code("PresentationIntentType") or "").upper() == "FOR PROCESSING"


def raw_relation(tags: Tags) -> RawRelation | None:
    """Return how For Processing values follow the beam, None where they do not say or are none."""
    relationship = (tags.code("PixelIntensityRelationship") or "").upper()
    sign = tags.integer("PixelIntensityRelationshipSign")
    if not is_raw(tags) or relationship not in ("LIN", "LOG") or sign not in (-1, 1):
        return None
    return RawRelation(linear=relationship == "LIN", bright_is_dense=sign == -1)
