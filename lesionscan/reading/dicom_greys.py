"""Stored values of a DICOM file -> bone-bright greys, by what its header says of them."""

from lesionscan.codes import ErrorCode, NoticeCode, notice
from lesionscan.radiograph import BoolImage, Notice
from lesionscan.reading.dicom_file import DicomFile, Tags
from lesionscan.reading.dicom_lut import read_lut
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.grayscale import (
    Greys,
    apply_modality_lut,
    attenuation,
    inverted,
    not_padding,
    rescale,
)
from lesionscan.reading.pixel_format import PixelFormat


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


def modality_transform(
    file: DicomFile, stored: Greys, layout: PixelFormat, notices: list[Notice]
) -> Greys:
    """Apply the modality LUT, or else slope and intercept (PS3.3 C.11.1); the LUT wins."""
    tags = file.tags
    item = tags.sequence_item("ModalityLUTSequence")
    try:
        if item is not None:
            lut = read_lut(item, file, signed=layout.signed, name="modality LUT")
            return apply_modality_lut(stored, lut)
        slope, intercept = tags.number("RescaleSlope"), tags.number("RescaleIntercept")
        return rescale(
            stored,
            slope=1.0 if slope is None else slope,
            intercept=0.0 if intercept is None else intercept,
        )
    except ValueError as fault:
        notices.append(
            notice(NoticeCode.BAD_RESCALE, f"{fault}; stored values are used as they are")
        )
        return stored


def bone_bright(tags: Tags, greys: Greys, notices: list[Notice], *, dark_is_high: bool) -> Greys:
    """Make bone bright, exactly once: by PhotometricInterpretation, raw values by their own tags.

    Parameters
    ----------
    tags
        The header.
    greys
        After the modality transform.
    notices
        Takes what contradicts, and what is raw.
    dark_is_high
        MONOCHROME1 (PS3.3 C.7.6.3.1.2).
    """
    shape = (tags.code("PresentationLUTShape") or "").upper()
    if shape == ("IDENTITY" if dark_is_high else "INVERSE"):
        notices.append(
            notice(
                NoticeCode.POLARITY_DISAGREEMENT,
                "PresentationLUTShape contradicts PhotometricInterpretation, which is believed",
            )
        )
    if not is_raw(tags):
        return inverted(greys) if dark_is_high else greys
    return _raw_bone_bright(tags, greys, notices, dark_is_high=dark_is_high)


def is_raw(tags: Tags) -> bool:
    """Say whether the values are the detector's own, not made for viewing (PS3.3 C.8.11.1.1.1)."""
    return (tags.code("PresentationIntentType") or "").upper() == "FOR PROCESSING"


def _raw_bone_bright(
    tags: Tags, greys: Greys, notices: list[Notice], *, dark_is_high: bool
) -> Greys:
    """Turn For Processing values into attenuation by what the detector says of itself."""
    relationship = (tags.code("PixelIntensityRelationship") or "").upper()
    sign = tags.integer("PixelIntensityRelationshipSign")
    if relationship not in ("LIN", "LOG") or sign not in (-1, 1):
        notices.append(
            notice(
                NoticeCode.FOR_PROCESSING,
                "raw detector values without a stated relation to the beam; used as they are",
            )
        )
        return inverted(greys) if dark_is_high else greys
    treatment = "their logarithm was taken" if relationship == "LIN" else "already logarithmic"
    notices.append(notice(NoticeCode.FOR_PROCESSING, f"raw detector values; {treatment}"))
    # Sign +1: higher values mean more intensity, so bone is dark, as in MONOCHROME1.
    if (sign == 1) != dark_is_high:
        notices.append(
            notice(
                NoticeCode.POLARITY_DISAGREEMENT,
                "PixelIntensityRelationshipSign contradicts PhotometricInterpretation; for raw "
                "detector values the sign is believed",
            )
        )
    return attenuation(greys, linear=relationship == "LIN", bright_is_dense=sign == -1)
