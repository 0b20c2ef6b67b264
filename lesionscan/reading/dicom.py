"""Reading of DICOM files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from lesionscan.codes import ErrorCode, NoticeCode, notice
from lesionscan.radiograph import Fact, Notice, Radiograph, Spacing
from lesionscan.reading.acquisition import acquisition_facts, orientation, uids
from lesionscan.reading.dicom_file import DicomFile, PixelElement, open_dicom
from lesionscan.reading.dicom_greys import (
    is_raw,
    modality_transform,
    raw_relation,
    unpadded,
)
from lesionscan.reading.dicom_palette import palette_greys
from lesionscan.reading.dicom_pixels import CompressedFrames, decode_pixels, locate_pixels
from lesionscan.reading.dicom_shutter import open_field
from lesionscan.reading.dicom_tags import Tags, silenced_pydicom
from lesionscan.reading.dicom_voi import find_voi, presentation_falls, voi_course, voi_facts
from lesionscan.reading.errors import UnreadableFileError, pixel_data_doubtful
from lesionscan.reading.frames import Frames
from lesionscan.reading.grayscale import EXACT_BITS, as_float_image, shown_grey
from lesionscan.reading.pixel_format import MAX_CELL_BYTES, PixelFormat, pixel_format
from lesionscan.reading.polarity import Claims, Course, bone_bright, decide
from lesionscan.reading.spacing import SpacingTags, choose_aspect, choose_spacing
from lesionscan.settings import Polarity, Settings

RADIOGRAPH_MODALITIES = frozenset({"CR", "DX", "RG", "PX", "IO"})
"""Computed, digital, film, panoramic and intra-oral radiography (PS3.3 C.7.3.1.1.1)."""

UNSTATED_MODALITIES = frozenset({"OT", "SC"})
"""Digitised films and secondary captures state "other" or nothing."""

_FRAME_KEYWORDS = ("PixelSpacing", "ImagerPixelSpacing", "RescaleSlope", "RescaleIntercept")
"""Tags that a functional group may repeat."""

# Only these are quoted in messages; any other value might be text about a patient.
_OTHER_MODALITY_TERMS = """
    CT MR US PT NM MG RF XA XC ES GM SM OP OCT BMD BI SR PR KO SEG REG RTIMAGE RTDOSE RTPLAN
    RTSTRUCT DOC ECG HD
"""
OTHER_MODALITIES = frozenset(_OTHER_MODALITY_TERMS.split())


def dicom_frames(stream: BinaryIO, settings: Settings) -> Frames:
    """Open a DICOM file and check that it holds grey radiographs, before decoding pixel data.

    Parameters
    ----------
    stream
        The file, seekable; it must stay open while frames are read.
    settings
        `max_megapixels`, `polarity` and `keep_uids` are used.

    Raises
    ------
    UnreadableFileError
        See :class:`~lesionscan.codes.ErrorCode`.
    """
    opened = _opened(stream, settings)
    # Inflated data are not kept in memory during a search: they are inflated again.
    kept = opened if opened.file.stream is stream else None

    def read(frame: int) -> Radiograph:
        return _read(kept or _opened(stream, settings), frame, keep_uids=settings.keep_uids)

    def show(frame: int) -> NDArray[np.uint8] | None:
        return _show(kept or _opened(stream, settings), frame)

    return Frames(opened.layout.frames, read, show)


def _opened(stream: BinaryIO, settings: Settings) -> "_Picture":
    """Read and check the header."""
    irregular: list[str] = []
    with silenced_pydicom(irregular):
        file = open_dicom(
            stream, irregular, max_pixel_bytes=int(settings.max_megapixels * 1e6) * MAX_CELL_BYTES
        )
        pixels, notices = _check_kind(file)
        layout = pixel_format(file.tags, max_megapixels=settings.max_megapixels)
        frames_at, layout, found = locate_pixels(
            file, pixels, layout, max_megapixels=settings.max_megapixels
        )
    return _Picture(file, frames_at, layout, settings.polarity, (*notices, *found))


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """An opened file whose header has been checked."""

    file: DicomFile
    pixels: PixelElement | CompressedFrames
    layout: PixelFormat
    polarity: Polarity
    notices: tuple[Notice, ...]

    def of_frame(self, frame: int) -> DicomFile:
        """Return the file with the functional groups of one frame applied."""
        return replace(self.file, tags=self.file.tags.of_frame(frame))


def _read(picture: _Picture, frame: int, *, keep_uids: bool) -> Radiograph:
    """Decode a frame and apply the transforms of the header."""
    file = picture.of_frame(frame)
    tags = file.tags
    with silenced_pydicom(tags.irregular):
        decoded = decode_pixels(file, picture.pixels, picture.layout, frame=frame)
        stored, layout = decoded.greys, decoded.layout
        seen = palette_greys(file, decoded)
        notices = [*picture.notices, *seen.notices]
        if file.doubtful:
            notices.append(pixel_data_doubtful())
        valid, found = open_field(tags, stored.values, unpadded(tags, stored, layout))
        notices.extend(found)
        modality = modality_transform(file, seen.greys, layout, notices)
        # the window of a For Processing image is for the processed one, and colours have none
        said = [] if is_raw(tags) else notices
        voi = None if layout.is_colour else find_voi(file, modality.greys, said)
        claims = _claims(
            file,
            layout.photometric,
            modality.course(seen.greys.values[valid]),
            voi_course(file, modality.greys, valid, voi),
        )
        decision = decide(claims, picture.polarity)
        notices.extend(decision.notices)
        spacing, pixel_aspect = _spacing(tags, layout, notices)
        acquisition = _facts(file, layout, notices)
        if not is_raw(tags):
            acquisition |= voi_facts(tags, voi)
        if keep_uids:
            acquisition |= uids(tags.code)
        notices.extend(_remarks(layout, acquisition, tags))
    return Radiograph(
        pixels=as_float_image(bone_bright(modality.greys, decision)),
        valid=valid,
        spacing=spacing,
        pixel_aspect=pixel_aspect,
        photometric_interpretation=layout.photometric,
        polarity="stated" if picture.polarity == "auto" else "user",
        polarity_steps=decision.steps,
        acquisition=acquisition,
        notices=tuple(notices),
    )


def _show(picture: _Picture, frame: int) -> NDArray[np.uint8] | None:
    """Decode a frame and apply the window or VOI LUT that the file states."""
    file = picture.of_frame(frame)
    if is_raw(file.tags) or picture.layout.is_colour:
        return None
    with silenced_pydicom(file.tags.irregular):
        decoded = decode_pixels(file, picture.pixels, picture.layout, frame=frame)
        greys = modality_transform(file, decoded.greys, decoded.layout, []).greys
        voi = find_voi(file, greys, [])
    if voi is None:
        return None
    dark_is_high = picture.layout.photometric == "MONOCHROME1"
    turned = dark_is_high != (picture.polarity == "bone-dark")
    return shown_grey(greys, voi, dark_is_high=turned)


def _claims(
    file: DicomFile, photometric: str, modality: Course | None, voi: tuple[Course | None, bool]
) -> Claims:
    """Collect what a file states about bright and dark."""
    tags = file.tags
    return Claims(
        photometric=photometric,
        presentation_shape=(tags.code("PresentationLUTShape") or "").upper(),
        presentation_falls=presentation_falls(file),
        modality=modality,
        voi=voi[0],
        voi_choice=voi[1],
        raw=is_raw(tags),
        relation=raw_relation(tags),
    )


def _remarks(layout: PixelFormat, acquisition: Mapping[str, Fact], tags: Tags) -> Iterator[Notice]:
    """Collect the notices about the file as a whole."""
    for keyword in filter(tags.is_disputed, _FRAME_KEYWORDS):
        yield notice(
            NoticeCode.HEADER_IRREGULAR,
            f"{keyword} of a functional group differs from another of the same frame; the most "
            "specific one is believed",
        )
    stored, allocated = tags.integer("BitsStored"), tags.integer("BitsAllocated")
    if stored is not None and allocated is not None and stored > allocated:
        yield notice(
            NoticeCode.BITS_DISAGREE,
            f"BitsStored is {stored}, more than BitsAllocated, {allocated}; {layout.bits_stored} "
            "bits were read, as the pixel data have them",
        )
    if layout.bits_stored > EXACT_BITS:
        yield notice(
            NoticeCode.PRECISION_REDUCED,
            f"{layout.bits_stored} bits are stored; grey values are rounded to float32",
        )
    if any(said.upper() != "NO" for said in tags.codes("BurnedInAnnotation")):
        yield notice(
            NoticeCode.BURNED_IN_ANNOTATION,
            "the file says that identifying text is burned into the picture, or does not rule it "
            "out",
        )
    if acquisition.get("overlays"):
        yield notice(
            NoticeCode.OVERLAYS_NOT_DRAWN,
            f"the file holds {acquisition['overlays']} overlay planes, which are not drawn",
        )
    if tags.irregular:
        yield notice(
            NoticeCode.HEADER_IRREGULAR,
            "parts of the header break the DICOM standard; the picture could still be read",
        )


def _check_kind(file: DicomFile) -> tuple[PixelElement, list[Notice]]:
    """Refuse images that are not radiographs, before decoding pixel data."""
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
    if stated:
        return file.pixels, []
    return file.pixels, [
        notice(
            NoticeCode.MODALITY_NOT_STATED,
            "the file does not say that it is a radiograph; it was read as one",
        )
    ]


def _spacing(
    tags: Tags, layout: PixelFormat, notices: list[Notice]
) -> tuple[Spacing | None, float]:
    """Return spacing and pixel aspect, chosen from the spacing tags."""
    stated = SpacingTags(
        pixel_spacing=tags.numbers("PixelSpacing"),
        imager_pixel_spacing=tags.numbers("ImagerPixelSpacing"),
        nominal_scanned_pixel_spacing=tags.numbers("NominalScannedPixelSpacing"),
        calibration_type=tags.code("PixelSpacingCalibrationType"),
        magnification=tags.number("EstimatedRadiographicMagnificationFactor"),
        source_to_detector_mm=tags.number("DistanceSourceToDetector"),
        source_to_patient_mm=tags.number("DistanceSourceToPatient"),
        pixel_aspect_ratio=tags.numbers("PixelAspectRatio"),
        unreadable=frozenset(tags.irregular),
        shape=(layout.rows, layout.columns),
    )
    spacing, found = choose_spacing(stated)
    aspect, remarks = choose_aspect(stated, spacing)
    notices.extend((*found, *remarks))
    return spacing, aspect


def _facts(file: DicomFile, layout: PixelFormat, notices: list[Notice]) -> dict[str, Fact]:
    """Collect the facts about the exposure that may be shown."""
    facts, found = acquisition_facts(file.tags.code, file.tags.number)
    notices.extend(found)
    facts |= orientation(file.tags.codes)
    modality = (file.tags.code("Modality") or "").upper()
    if modality:  # one of the accepted ones, see _check_kind
        facts["modality"] = modality
    facts["bits_stored"] = layout.bits_stored
    if overlays := file.tags.overlays():
        facts["overlays"] = overlays
    if file.transfer_syntax_name is not None:
        facts["transfer_syntax"] = file.transfer_syntax_name
    return facts
