"""Every code a reader can report, in one place: why a file failed, what to know about a picture.

Messages never repeat text or paths found in a file, since those may identify a patient; numbers
and the standard's own terms are all that may be quoted.
"""

from enum import StrEnum

from lesionscan.radiograph import Notice


class ErrorCode(StrEnum):
    """Why no :class:`~lesionscan.radiograph.Radiograph` could be made of a file.

    Attributes
    ----------
    MISSING_FILE
        Nothing is at that path.
    PERMISSION_DENIED
        The file may not be read by this user.
    IO_ERROR
        The disk or the network failed while the file was read.
    EMPTY_FILE
        The file has no bytes.
    NOT_AN_IMAGE
        The content is neither DICOM, PNG, JPEG nor TIFF, or the path is no ordinary file.
    NOT_A_RADIOGRAPH
        An image, but of another kind (CT, MR, ultrasound, a black-and-white drawing ...).
    COLOUR_PHOTOGRAPH
        The colour channels differ.
    MULTI_FRAME
        More frames or pages in one file than `Settings.max_frames`, several where one was asked
        for, or planes that make no grey picture.
    NO_PIXELS
        The file describes a picture but holds none, or none of its pixels counts as image data.
    BAD_HEADER
        A number that is needed to decode the pixels is missing or impossible.
    TOO_LARGE
        More pixels than `Settings.max_megapixels`, or more than the memory holds.
    TRUNCATED
        The file ends before the picture does.
    UNDECODABLE
        The pixel data are damaged or contradict the header.
    UNSUPPORTED_TRANSFER_SYNTAX
        The pixels are packed in a way that lesionscan cannot unpack.
    """

    MISSING_FILE = "missing_file"
    PERMISSION_DENIED = "permission_denied"
    IO_ERROR = "io_error"
    EMPTY_FILE = "empty_file"
    NOT_AN_IMAGE = "not_an_image"
    NOT_A_RADIOGRAPH = "not_a_radiograph"
    COLOUR_PHOTOGRAPH = "colour_photograph"
    MULTI_FRAME = "multi_frame"
    NO_PIXELS = "no_pixels"
    BAD_HEADER = "bad_header"
    TOO_LARGE = "too_large"
    TRUNCATED = "truncated"
    UNDECODABLE = "undecodable"
    UNSUPPORTED_TRANSFER_SYNTAX = "unsupported_transfer_syntax"


class NoticeCode(StrEnum):
    """What a user should know about how a picture was read.

    Attributes
    ----------
    NO_SPACING
        Present exactly when the radiograph's spacing is None: sizes are in pixels only.
    BAD_SPACING
        A spacing or magnification tag holds something that cannot be true; it was ignored.
    MAGNIFICATION_CORRECTED
        Detector spacing was divided by the magnification that the file states.
    SPACING_OVERRIDDEN
        The file states another pixel spacing than the user, whose was taken.
    MODALITY_NOT_STATED
        The file does not say that it is a radiograph; it was read as one.
    POLARITY_ASSUMED
        The file format does not say which end of the scale is bone; bright was taken.
    POLARITY_DISAGREEMENT
        Two tags contradict each other about which end of the scale is bright.
    FOR_PROCESSING
        Raw detector values, not made for viewing.
    BAD_RESCALE
        A modality LUT or rescale tag cannot be used; stored values were taken instead.
    BAD_WINDOW
        A display window or VOI LUT cannot be used; it concerns pictures for people only.
    PRECISION_REDUCED
        More than 24 bits stored: grey values are rounded to float32.
    BURNED_IN_ANNOTATION
        The file says that identifying text is burned into the pixels.
    NON_STANDARD_VALUE
        A coded tag holds none of the standard's terms; it was left out of the facts.
    HEADER_IRREGULAR
        The header breaks the DICOM standard somewhere but could be read.
    FIELD_STATED
        What lies outside the shutter or collimator that the file states is left out.
    BAD_FIELD
        The shutter or collimator that the file states cannot be true; it was ignored.
    OVERLAYS_NOT_DRAWN
        The file holds overlay planes; they are in no picture and no grey value.
    EXIF_ORIENTATION_IGNORED
        The file asks viewers to turn the picture; coordinates are those of the stored matrix.
    PIXEL_DATA_DOUBTFUL
        The pixel data do not add up, as if some of them were damaged; look at the picture.
    """

    NO_SPACING = "no_spacing"
    BAD_SPACING = "bad_spacing"
    MAGNIFICATION_CORRECTED = "magnification_corrected"
    SPACING_OVERRIDDEN = "spacing_overridden"
    MODALITY_NOT_STATED = "modality_not_stated"
    POLARITY_ASSUMED = "polarity_assumed"
    POLARITY_DISAGREEMENT = "polarity_disagreement"
    FOR_PROCESSING = "for_processing"
    BAD_RESCALE = "bad_rescale"
    BAD_WINDOW = "bad_window"
    PRECISION_REDUCED = "precision_reduced"
    BURNED_IN_ANNOTATION = "burned_in_annotation"
    NON_STANDARD_VALUE = "non_standard_value"
    HEADER_IRREGULAR = "header_irregular"
    FIELD_STATED = "field_stated"
    BAD_FIELD = "bad_field"
    OVERLAYS_NOT_DRAWN = "overlays_not_drawn"
    EXIF_ORIENTATION_IGNORED = "exif_orientation_ignored"
    PIXEL_DATA_DOUBTFUL = "pixel_data_doubtful"


class UnreadableFileError(Exception):
    """A file that cannot become a radiograph.

    Attributes
    ----------
    code : str
        One of :class:`ErrorCode`.
    message : str
        One line: the cause and the remedy, without path and without text found in the file.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code.value
        self.message = message

    def __reduce__(self) -> tuple[type["UnreadableFileError"], tuple[ErrorCode, str]]:
        """Return how to rebuild the error in another process (it has two arguments, not one)."""
        return UnreadableFileError, (ErrorCode(self.code), self.message)


def truncated() -> UnreadableFileError:
    """Return the error for a file that ends before its picture does."""
    return UnreadableFileError(
        ErrorCode.TRUNCATED, "the file ends before the picture does; copy or export it again"
    )


def damaged() -> UnreadableFileError:
    """Return the error for pixel data that a decoder refuses."""
    return UnreadableFileError(
        ErrorCode.UNDECODABLE, "the pixel data are damaged; copy or export the file again"
    )


def pixel_data_doubtful() -> Notice:
    """Return the notice about a picture whose compressed data do not add up."""
    return notice(
        NoticeCode.PIXEL_DATA_DOUBTFUL,
        "the compressed pixel data do not add up, so parts of the picture may be damaged; look at "
        "it, and copy or export the file again",
    )


def notice(code: NoticeCode, message: str) -> Notice:
    """Return a notice with a plain-string code, as it goes into the results."""
    return Notice(code=code.value, message=message)
