"""Every code that results can hold, once, with its meaning: failures and warnings.

Messages never repeat text or paths found in a file, since those may identify a patient; numbers
and the standard's own terms are all that may be quoted.
"""

from enum import StrEnum
from typing import Self

from lesionscan.radiograph import Notice


class Code(StrEnum):
    """A stable name for programs, with its meaning for people."""

    meaning: str
    """One sentence for people."""

    def __new__(cls, code: str, meaning: str) -> Self:
        """Make a member of its code and its meaning."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


class ErrorCode(Code):
    """Why a file failed; those up to `UNSUPPORTED_TRANSFER_SYNTAX` are the reader's."""

    MISSING_FILE = "missing_file", "Nothing is at that path."
    PERMISSION_DENIED = "permission_denied", "The file may not be read by this user."
    IO_ERROR = "io_error", "The disk or the network failed while the file was read."
    EMPTY_FILE = "empty_file", "The file has no bytes."
    NOT_AN_IMAGE = (
        "not_an_image",
        "The content is neither DICOM, PNG, JPEG nor TIFF, or the path is no ordinary file.",
    )
    NOT_A_RADIOGRAPH = (
        "not_a_radiograph",
        "An image, but of another kind (CT, MR, ultrasound, a black-and-white drawing ...).",
    )
    COLOUR_PHOTOGRAPH = "colour_photograph", "The colour channels differ in many pixels."
    MULTI_FRAME = (
        "multi_frame",
        (
            "More frames or pages in one file than `Settings.max_frames`, several where one was "
            "asked for, or planes that make no grey picture."
        ),
    )
    NO_PIXELS = (
        "no_pixels",
        "The file describes a picture but holds none, or none of its pixels counts as image data.",
    )
    BAD_HEADER = (
        "bad_header",
        "A number that is needed to decode the pixels is missing or impossible.",
    )
    TOO_LARGE = (
        "too_large",
        "More pixels than `Settings.max_megapixels`, or more than the memory holds.",
    )
    TRUNCATED = "truncated", "The file ends before the picture does."
    UNDECODABLE = "undecodable", "The pixel data are damaged or contradict the header."
    UNSUPPORTED_TRANSFER_SYNTAX = (
        "unsupported_transfer_syntax",
        "The pixels are packed in a way that lesionscan cannot unpack.",
    )
    OUT_OF_MEMORY = (
        "out_of_memory",
        "Memory ran out while the film was searched, or `--max-memory` was reached.",
    )
    TIMED_OUT = "timed_out", "No result came within the time that `--timeout` allows."
    CRASHED = "crashed", "The worker process died twice, mostly for want of memory."
    RESULT_LOST = (
        "result_lost",
        (
            "The film was searched, but its results were gone, or another run's, when the tables "
            "were written."
        ),
    )
    NAME_TOO_LONG = "name_too_long", "No result can be written under so long a name."
    SCORER_FAILED = (
        "scorer_failed",
        "The scorer's network fails on the film: a fault of the scorer.",
    )
    NAME_TAKEN = (
        "name_taken",
        (
            "Where the results would stand is a file that lesionscan has not written, or a link; "
            "what is there is kept."
        ),
    )
    INTERNAL_ERROR = "internal_error", "A fault of lesionscan; please report it."


class NoticeCode(Code):
    """What a user should know about a picture and its results."""

    NO_SPACING = (
        "no_spacing",
        "Present exactly when the radiograph's spacing is None: sizes are in pixels only.",
    )
    BAD_SPACING = (
        "bad_spacing",
        "A spacing or magnification tag holds something that cannot be true; it was ignored.",
    )
    MAGNIFICATION_CORRECTED = (
        "magnification_corrected",
        "Detector spacing was divided by the magnification that the file states.",
    )
    PIXEL_ASPECT = (
        "pixel_aspect",
        "Pixels are not square, and only their proportions are stated; shapes follow them.",
    )
    SPACING_OVERRIDDEN = (
        "spacing_overridden",
        "The file states another pixel spacing than the user, whose was taken.",
    )
    MODALITY_NOT_STATED = (
        "modality_not_stated",
        "The file does not say that it is a radiograph; it was read as one.",
    )
    POLARITY_ASSUMED = (
        "polarity_assumed",
        "The file format does not say which end of the scale is bone; bright was taken.",
    )
    POLARITY_DISAGREEMENT = (
        "polarity_disagreement",
        "Two tags contradict each other about which end of the scale is bright.",
    )
    POLARITY_TURNED = (
        "polarity_turned",
        "A rescale slope or look-up table falls, which swaps dark and bright; it was followed.",
    )
    POLARITY_AMBIGUOUS = (
        "polarity_ambiguous",
        "What the file says of bright and dark can be taken in two ways; one was assumed.",
    )
    FOR_PROCESSING = "for_processing", "Raw detector values, not made for viewing."
    BAD_RESCALE = (
        "bad_rescale",
        "A modality LUT or rescale tag cannot be used, or not for all of the stored values.",
    )
    BAD_WINDOW = (
        "bad_window",
        "A display window or VOI LUT cannot be used; it concerns pictures for people only.",
    )
    PRECISION_REDUCED = (
        "precision_reduced",
        "More than 24 bits stored: grey values are rounded to float32.",
    )
    BURNED_IN_ANNOTATION = (
        "burned_in_annotation",
        "The file says that identifying text is burned into the pixels.",
    )
    NON_STANDARD_VALUE = (
        "non_standard_value",
        "A coded tag holds none of the standard's terms; it was left out of the facts.",
    )
    HEADER_IRREGULAR = (
        "header_irregular",
        "The header breaks the DICOM standard somewhere but could be read.",
    )
    FIELD_STATED = (
        "field_stated",
        "What lies outside the shutter or collimator that the file states is left out.",
    )
    BAD_FIELD = (
        "bad_field",
        "The shutter or collimator that the file states cannot be true; it was ignored.",
    )
    OVERLAYS_NOT_DRAWN = (
        "overlays_not_drawn",
        "The file holds overlay planes; they are in no picture and no grey value.",
    )
    EXIF_ORIENTATION_IGNORED = (
        "exif_orientation_ignored",
        "The file asks viewers to turn the picture; coordinates are those of the stored matrix.",
    )
    COLOUR_IGNORED = (
        "colour_ignored",
        "A few pixels of a grey picture are coloured (a marker, or noise); their grey was taken.",
    )
    EXTRA_SAMPLES_IGNORED = (
        "extra_samples_ignored",
        "A TIFF holds more numbers a pixel than its grey or colour; they were left out.",
    )
    PIXEL_DATA_DOUBTFUL = (
        "pixel_data_doubtful",
        "The pixel data do not add up, as if some of them were damaged; look at the picture.",
    )
    BITS_DISAGREE = (
        "bits_disagree",
        (
            "BitsAllocated, BitsStored, HighBit or PixelRepresentation contradicts the pixel data, "
            "which were believed; the message names the tag."
        ),
    )
    FRAMES_DISAGREE = (
        "frames_disagree",
        (
            "NumberOfFrames, Rows or Columns, or the description of a TIFF, contradicts the pixel "
            "data; the pictures that they hold were read."
        ),
    )
    PIXELS_LEFT_OVER = (
        "pixels_left_over",
        "Behind the picture lie pixel data that the header does not describe; they were not read.",
    )
    OVERLAY_WITHHELD = (
        "overlay_withheld",
        (
            "No picture was made, since text that tells who the patient is may be burned into the "
            "film (`--allow-burned-in` makes one)."
        ),
    )
    NOT_ASSESSED = (
        "not_assessed",
        "No bone could be outlined with confidence, so no candidates were sought.",
    )
    POLARITY_DOUBTFUL = "polarity_doubtful", "The film looks as if bone were dark in it."
    NOT_EXPORTED = "not_exported", "A file for another program could not be made or written."


class RefusalCode(Code):
    """Why two films are not compared."""

    NO_RESULT = (
        "no_result",
        "The film failed, has no whole result in the folder, or no picture to compare by.",
    )
    NO_BONE = "no_bone", "No bone could be outlined with confidence on one of the films."
    OTHER_BODY_PART = "other_body_part", "The headers name different body parts."
    OTHER_VIEW = "other_view", "The headers name different views."
    OTHER_SIDE = "other_side", "The headers name different sides of the body."
    FLIPPED = "flipped", "One film shows the mirror image of the other."
    LITTLE_COMMON_BONE = "little_common_bone", "The films have too little bone in common."
    POOR_FIT = "poor_fit", "The bones do not fit: another person, body part, view or position."


class State(Code):
    """What became of a lesion from one film to the next."""

    STABLE = "stable", "It changed by less than the uncertainty."
    GROWN = "grown", "It is larger by more than the uncertainty."
    SHRUNK = "shrunk", "It is smaller by more than the uncertainty."
    NEW = "new", "Nothing like it is at its place on the first film."
    GONE = "gone", "Nothing like it is at its place on the second film."
    MERGED = "merged", "Several of the first film are one on the second."
    SPLIT = "split", "One of the first film is several on the second."
    NOT_COMPARABLE = (
        "not_comparable",
        "Its place is not wholly seen on both films, or what is there cannot be told.",
    )


def notice(code: NoticeCode | ErrorCode | RefusalCode, message: str) -> Notice:
    """Return a notice with a plain-string code, as it goes into the results."""
    return Notice(code=code.value, message=message)
