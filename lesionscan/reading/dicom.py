"""DICOM file -> Radiograph."""

from collections.abc import Sequence
from typing import BinaryIO

import numpy as np

from lesionscan.radiograph import BoolImage, Fact, Notice, Radiograph, Spacing
from lesionscan.reading.acquisition import acquisition_facts
from lesionscan.reading.codes import ErrorCode, NoticeCode, UnreadableFileError, notice
from lesionscan.reading.dicom_file import (
    DicomFile,
    PixelElement,
    Tags,
    open_dicom,
    silenced_pydicom,
)
from lesionscan.reading.dicom_pixels import (
    MAX_CELL_BYTES,
    PixelFormat,
    decode_pixels,
    pixel_format,
)
from lesionscan.reading.grayscale import (
    EXACT_BITS,
    Greys,
    Lut,
    apply_modality_lut,
    as_float_image,
    attenuation,
    inverted,
    not_padding,
    rescale,
)
from lesionscan.reading.spacing import SpacingTags, choose_spacing

RADIOGRAPH_MODALITIES = frozenset({"CR", "DX", "RG", "PX", "IO"})
"""Computed, digital, film, panoramic and intra-oral radiography (PS3.3 C.7.3.1.1.1)."""

UNSTATED_MODALITIES = frozenset({"OT", "SC"})
"""Digitised films and secondary captures say "other" or nothing."""

# Quoted in messages; anything else in the tag might be text about a patient.
_OTHER_MODALITY_TERMS = """
    CT MR US PT NM MG RF XA XC ES GM SM OP OCT BMD BI SR PR KO SEG REG RTIMAGE RTDOSE RTPLAN
    RTSTRUCT DOC ECG HD
"""
OTHER_MODALITIES = frozenset(_OTHER_MODALITY_TERMS.split())


def read_dicom(stream: BinaryIO, *, max_megapixels: float) -> Radiograph:
    """Read one single-frame grey radiograph from a DICOM file.

    Raises
    ------
    UnreadableFileError
        See :class:`~lesionscan.reading.codes.ErrorCode`.
    """
    with silenced_pydicom() as irregular:
        file = open_dicom(
            stream, irregular, max_pixel_bytes=int(max_megapixels * 1e6) * MAX_CELL_BYTES
        )
        pixels, notices = _check_kind(file)
        layout = pixel_format(file.tags, max_megapixels=max_megapixels)
        stored = decode_pixels(file, pixels, layout)
        valid = _valid(file.tags, stored, layout)
        greys = _bone_bright(file, stored, layout, notices)
        spacing = _spacing(file.tags, notices)
        acquisition = _facts(file, layout, notices)
    if layout.bits_stored > EXACT_BITS:
        notices.append(
            notice(
                NoticeCode.PRECISION_REDUCED,
                f"{layout.bits_stored} bits are stored; grey values are rounded to float32",
            )
        )
    if acquisition.get("burned_in_annotation") == "YES":
        notices.append(
            notice(
                NoticeCode.BURNED_IN_ANNOTATION,
                "the file says that identifying text is burned into the picture",
            )
        )
    if irregular:
        notices.append(
            notice(
                NoticeCode.HEADER_IRREGULAR,
                "parts of the header break the DICOM standard; the picture could still be read",
            )
        )
    return Radiograph(
        pixels=as_float_image(greys),
        valid=valid,
        spacing=spacing,
        photometric_interpretation=layout.photometric,
        polarity="stated",
        acquisition=acquisition,
        notices=tuple(notices),
    )


def _check_kind(file: DicomFile) -> tuple[PixelElement, list[Notice]]:
    """Refuse what is no single-frame radiograph before its pixels are touched."""
    tags = file.tags
    modality = (tags.code("Modality") or "").upper()
    stated = modality in RADIOGRAPH_MODALITIES
    if not (stated or modality == "" or modality in UNSTATED_MODALITIES):
        shown = modality if modality in OTHER_MODALITIES else "not a known radiograph"
        raise UnreadableFileError(
            ErrorCode.NOT_A_RADIOGRAPH,
            f"Modality is {shown}; only {', '.join(sorted(RADIOGRAPH_MODALITIES))} are read",
        )
    if file.pixels is None or file.pixels.length == 0:
        raise UnreadableFileError(
            ErrorCode.NO_PIXELS, "the file holds no PixelData; export it with its picture"
        )
    if (tags.integer("NumberOfFrames") or 1) > 1:
        raise UnreadableFileError(
            ErrorCode.MULTI_FRAME,
            "the file holds several frames; export the frames as single images",
        )
    if stated:
        return file.pixels, []
    return file.pixels, [
        notice(
            NoticeCode.MODALITY_NOT_STATED,
            "the file does not say that it is a radiograph; it was read as one",
        )
    ]


def _valid(tags: Tags, stored: Greys, layout: PixelFormat) -> BoolImage:
    """Return False where PixelPaddingValue says that there is no image data."""
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


def _bone_bright(
    file: DicomFile, stored: Greys, layout: PixelFormat, notices: list[Notice]
) -> Greys:
    """Apply the modality transform, then make bone bright exactly once."""
    tags = file.tags
    greys = _modality_transform(file, stored, layout, notices)
    dark_is_high = layout.photometric == "MONOCHROME1"
    shape = (tags.code("PresentationLUTShape") or "").upper()
    if shape == ("IDENTITY" if dark_is_high else "INVERSE"):
        notices.append(
            notice(
                NoticeCode.POLARITY_DISAGREEMENT,
                "PresentationLUTShape contradicts PhotometricInterpretation, which is believed",
            )
        )
    if (tags.code("PresentationIntentType") or "").upper() != "FOR PROCESSING":
        return inverted(greys) if dark_is_high else greys
    return _raw_bone_bright(tags, greys, notices, dark_is_high=dark_is_high)


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


def _modality_transform(
    file: DicomFile, stored: Greys, layout: PixelFormat, notices: list[Notice]
) -> Greys:
    """Apply the modality LUT, or else slope and intercept (PS3.3 C.11.1); the LUT wins."""
    tags = file.tags
    item = tags.sequence_item("ModalityLUTSequence")
    try:
        if item is not None:
            return apply_modality_lut(stored, _lut(item, file, layout))
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


def _lut(item: Tags, file: DicomFile, layout: PixelFormat) -> Lut:
    """Read a modality LUT whatever its depth and packing (PS3.3 C.11.1.1.1).

    Raises
    ------
    ValueError
        When descriptor and data do not make a table.
    """
    descriptor = item.numbers("LUTDescriptor") or ()
    if len(descriptor) != 3:
        raise ValueError("the modality LUT has no usable LUTDescriptor")
    count, first, bits = (int(number) for number in descriptor)
    count = count % 65536 or 65536  # 0 stands for 65536
    if not 8 <= bits <= 16:
        raise ValueError(f"the modality LUT is {bits} bits deep, not 8 to 16")
    # The first value has the pixels' sign, whichever VR it was written with.
    first = (first + 32768) % 65536 - 32768 if layout.signed else first % 65536
    data = _lut_bytes(item.raw("LUTData"), little_endian=file.little_endian)
    # One 16-bit word an entry, or 8-bit entries packed two to a word.
    if len(data) >= 2 * count:
        return Lut(first, bits, np.frombuffer(data, dtype="<u2", count=count))
    if bits == 8 and len(data) >= count:
        return Lut(first, bits, np.frombuffer(data, dtype=np.uint8, count=count))
    raise ValueError(f"the modality LUT holds fewer than its {count} entries")


def _lut_bytes(raw: object, *, little_endian: bool) -> bytes:
    """Return LUTData as little-endian bytes; it comes as OW bytes or as a list of US."""
    if isinstance(raw, bytes):
        order = "<" if little_endian else ">"
        words = np.frombuffer(raw[: len(raw) // 2 * 2], dtype=f"{order}u2")
    elif isinstance(raw, Sequence) and not isinstance(raw, str):
        words = np.array([int(entry) & 0xFFFF for entry in raw], dtype=np.uint16)
    else:
        words = np.zeros(0, dtype=np.uint16)
    return words.astype("<u2").tobytes()


def _spacing(tags: Tags, notices: list[Notice]) -> Spacing | None:
    """Hand the spacing tags to the ladder as plain values."""
    spacing, found = choose_spacing(
        SpacingTags(
            pixel_spacing=tags.numbers("PixelSpacing"),
            imager_pixel_spacing=tags.numbers("ImagerPixelSpacing"),
            nominal_scanned_pixel_spacing=tags.numbers("NominalScannedPixelSpacing"),
            calibration_type=tags.code("PixelSpacingCalibrationType"),
            magnification=tags.number("EstimatedRadiographicMagnificationFactor"),
        )
    )
    notices.extend(found)
    return spacing


def _facts(file: DicomFile, layout: PixelFormat, notices: list[Notice]) -> dict[str, Fact]:
    """Collect what may be shown about the exposure."""
    facts, found = acquisition_facts(file.tags.code, file.tags.number)
    notices.extend(found)
    modality = (file.tags.code("Modality") or "").upper()
    if modality:  # one of the accepted ones, by _check_kind
        facts["modality"] = modality
    facts["bits_stored"] = layout.bits_stored
    if file.transfer_syntax_name is not None:
        facts["transfer_syntax"] = file.transfer_syntax_name
    return facts
