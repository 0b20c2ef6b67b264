"""Codes of failures, warnings and comparisons in the results, with their meanings.

Messages never repeat text or paths found in a file, since those may identify a patient; only
numbers and terms of the DICOM standard may be quoted.
"""

from enum import StrEnum
from typing import Self

from lesionscan.radiograph import Notice


class Code(StrEnum):
    """A stable name, with a sentence that explains it."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Self:
        """Create a member whose value is the code."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


class ErrorCode(Code):
    """Why a file failed; codes up to `UNSUPPORTED_TRANSFER_SYNTAX` come from the reader."""

    MISSING_FILE = "missing_file", "No file at this path."
    PERMISSION_DENIED = "permission_denied", "The user has no permission to read the file."
    IO_ERROR = "io_error", "Reading failed (disk or network error)."
    EMPTY_FILE = "empty_file", "The file is empty."
    NOT_AN_IMAGE = (
        "not_an_image",
        "The file is not DICOM, PNG, JPEG or TIFF, or not a regular file.",
    )
    NOT_A_RADIOGRAPH = (
        "not_a_radiograph",
        "An image of another kind (CT, MR, ultrasound, a black-and-white drawing ...).",
    )
    COLOUR_PHOTOGRAPH = (
        "colour_photograph",
        "A colour photograph: the colour channels differ in many pixels.",
    )
    MULTI_FRAME = (
        "multi_frame",
        (
            "More frames or pages than `Settings.max_frames`, several where one was "
            "requested, or colour planes that do not form a grey image."
        ),
    )
    NO_PIXELS = (
        "no_pixels",
        "The file contains no image, or none of its pixels is valid.",
    )
    BAD_HEADER = (
        "bad_header",
        "A value that is needed to decode the pixels is missing or invalid.",
    )
    TOO_LARGE = (
        "too_large",
        "More pixels than `Settings.max_megapixels`, or too many for the available memory.",
    )
    TRUNCATED = "truncated", "The file is truncated."
    UNDECODABLE = "undecodable", "The pixel data are damaged or contradict the header."
    UNSUPPORTED_TRANSFER_SYNTAX = (
        "unsupported_transfer_syntax",
        "The compression (transfer syntax) is not supported.",
    )
    OUT_OF_MEMORY = (
        "out_of_memory",
        "The search ran out of memory or reached `--max-memory`.",
    )
    TIMED_OUT = "timed_out", "The search exceeded `--timeout`."
    CRASHED = "crashed", "The worker process died twice, usually because memory ran out."
    RESULT_LOST = (
        "result_lost",
        (
            "The film was searched, but its results had been removed or replaced when the"
            " tables were written."
        ),
    )
    NAME_TOO_LONG = "name_too_long", "The file name is too long for result files."
    SCORER_FAILED = (
        "scorer_failed",
        "The scorer's network fails on this film; the scorer is faulty.",
    )
    NAME_TAKEN = (
        "name_taken",
        (
            "A file that lesionscan has not written, or a link, has the name of a result "
            "file; it was kept."
        ),
    )
    INTERNAL_ERROR = "internal_error", "A bug in lesionscan; please report it."


class NoticeCode(Code):
    """Warnings about a film and its results."""

    NO_SPACING = (
        "no_spacing",
        "No valid pixel spacing: sizes are in pixels only.",
    )
    BAD_SPACING = (
        "bad_spacing",
        "A spacing or magnification tag has an impossible value and was ignored.",
    )
    MAGNIFICATION_CORRECTED = (
        "magnification_corrected",
        "The detector spacing was divided by the magnification stated in the file.",
    )
    PIXEL_ASPECT = (
        "pixel_aspect",
        "The file states the aspect ratio of its pixels but no spacing; shapes use it.",
    )
    SPACING_OVERRIDDEN = (
        "spacing_overridden",
        "The pixel spacing given by the user replaced a different one in the file.",
    )
    MODALITY_NOT_STATED = (
        "modality_not_stated",
        "The file does not state that it is a radiograph; it was read as one.",
    )
    POLARITY_ASSUMED = (
        "polarity_assumed",
        "The file format does not state the polarity; bone was assumed to be bright.",
    )
    POLARITY_DISAGREEMENT = (
        "polarity_disagreement",
        "Two tags contradict each other about the polarity.",
    )
    POLARITY_TURNED = (
        "polarity_turned",
        "A negative rescale slope or falling look-up table swaps dark and bright; it was applied.",
    )
    POLARITY_AMBIGUOUS = (
        "polarity_ambiguous",
        "The polarity stated in the file is ambiguous; one reading was assumed.",
    )
    FOR_PROCESSING = "for_processing", "Raw detector values, not processed for viewing."
    BAD_RESCALE = (
        "bad_rescale",
        "A modality LUT or rescale tag is unusable, or covers only some of the stored values.",
    )
    BAD_WINDOW = (
        "bad_window",
        "A display window or VOI LUT is unusable; it affects the display only.",
    )
    PRECISION_REDUCED = (
        "precision_reduced",
        "More than 24 bits stored: grey values are rounded to float32.",
    )
    BURNED_IN_ANNOTATION = (
        "burned_in_annotation",
        "The file declares identifying text burned into the pixels.",
    )
    NON_STANDARD_VALUE = (
        "non_standard_value",
        "A coded tag has a value that the standard does not define; it was omitted.",
    )
    HEADER_IRREGULAR = (
        "header_irregular",
        "The header violates the DICOM standard, but could be read.",
    )
    FIELD_STATED = (
        "field_stated",
        "The area outside the shutter or collimator stated in the file is excluded.",
    )
    BAD_FIELD = (
        "bad_field",
        "The shutter or collimator stated in the file is impossible and was ignored.",
    )
    OVERLAYS_NOT_DRAWN = (
        "overlays_not_drawn",
        "The file contains overlay planes; they are not drawn and not part of the grey values.",
    )
    EXIF_ORIENTATION_IGNORED = (
        "exif_orientation_ignored",
        "The file requests rotation for display; coordinates refer to the stored matrix.",
    )
    COLOUR_IGNORED = (
        "colour_ignored",
        "A few pixels of a grey image are coloured (a marker, or noise); their luminance was used.",
    )
    EXTRA_SAMPLES_IGNORED = (
        "extra_samples_ignored",
        "A TIFF has extra samples per pixel; they were ignored.",
    )
    PIXEL_DATA_DOUBTFUL = (
        "pixel_data_doubtful",
        "The pixel data seem to be partly damaged; check the image.",
    )
    BITS_DISAGREE = (
        "bits_disagree",
        (
            "BitsAllocated, BitsStored, HighBit or PixelRepresentation contradicts the "
            "pixel data; the data were followed, and the message names the tag."
        ),
    )
    FRAMES_DISAGREE = (
        "frames_disagree",
        (
            "NumberOfFrames, Rows or Columns, or a TIFF description, contradicts the "
            "pixel data; the images in the data were read."
        ),
    )
    PIXELS_LEFT_OVER = (
        "pixels_left_over",
        "The pixel data contain more than the header describes; the rest was not read.",
    )
    OVERLAY_WITHHELD = (
        "overlay_withheld",
        (
            "No overlay was written, because identifying text may be burned into the film"
            " (`--allow-burned-in` writes it)."
        ),
    )
    NOT_ASSESSED = (
        "not_assessed",
        "The bone mask is not reliable, so the film was not searched.",
    )
    POLARITY_DOUBTFUL = "polarity_doubtful", "Bone seems to be dark in the film."
    NOT_EXPORTED = "not_exported", "An export could not be made or written."


class RefusalCode(Code):
    """Why two films are not compared."""

    NO_RESULT = (
        "no_result",
        "One film failed, or its result or picture is missing or incomplete.",
    )
    NO_BONE = "no_bone", "The bone mask of one film is not reliable."
    OTHER_BODY_PART = "other_body_part", "The headers name different body parts."
    OTHER_VIEW = "other_view", "The headers name different views."
    OTHER_SIDE = "other_side", "The headers name different sides of the body."
    FLIPPED = "flipped", "One film shows the mirror image of the other."
    LITTLE_COMMON_BONE = "little_common_bone", "The films have too little bone in common."
    POOR_FIT = "poor_fit", "The bones do not fit: another person, body part, view or position."


class State(Code):
    """Change of a lesion from the first film to the second."""

    STABLE = "stable", "Changed by less than the uncertainty."
    GROWN = "grown", "Larger by more than the uncertainty, or the first film shows only its middle."
    SHRUNK = (
        "shrunk",
        "Smaller by more than the uncertainty, or the second film shows only its middle.",
    )
    NEW = "new", "No matching lesion on the first film."
    GONE = "gone", "No matching lesion on the second film."
    MERGED = "merged", "Several lesions on the first film are one on the second."
    SPLIT = "split", "One lesion on the first film is several on the second."
    NOT_COMPARABLE = (
        "not_comparable",
        "Not fully visible on both films, covered by another lesion, or too uncertain in size.",
    )


def notice(code: NoticeCode | ErrorCode | RefusalCode, message: str) -> Notice:
    """Return a notice whose code is a plain string, as the results hold it."""
    return Notice(code=code.value, message=message)
