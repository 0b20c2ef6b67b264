"""The Image Pixel module of a DICOM header (PS3.3 C.7.6.3), checked before pixels are decoded."""

from dataclasses import dataclass

from lesionscan.codes import ErrorCode
from lesionscan.reading.colour import colour_photograph
from lesionscan.reading.dicom_tags import Tags
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.limits import check_picture_size

_MOST_FRAMES = 2**31 - 1
"""Largest integer of the VR IS (PS3.5 6.2)."""

SHARED_CHROMA = "YBR_FULL_422"

MAX_CELL_BYTES = 6
"""Largest size of a pixel in a file that is read: three samples of 16 bits."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """The Image Pixel module (PS3.3 C.7.6.3), checked."""

    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str
    planar: bool
    frames: int

    @property
    def is_colour(self) -> bool:
        """Whether viewers show the values as colours, without modality or VOI transform."""
        return not self.photometric.startswith("MONOCHROME")

    @property
    def cell_bytes(self) -> int:
        """Bytes of one sample in native data."""
        return self.bits_allocated // 8

    @property
    def row_bytes(self) -> int:
        """Bytes of one row in native data."""
        # two pixels share their chroma samples (PS3.3 C.7.6.3.1.2)
        samples = 2 if self.photometric == SHARED_CHROMA else self.samples
        return self.columns * samples * self.cell_bytes

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame in native data."""
        return self.rows * self.row_bytes


def pixel_format(tags: Tags, *, max_megapixels: float) -> PixelFormat:
    """Read and check the Image Pixel module, the declared size before anything else.

    Raises
    ------
    UnreadableFileError
        `bad_header`, `too_large`, `not_a_radiograph` or `colour_photograph`.
    """
    rows, columns = _required(tags, "Rows"), _required(tags, "Columns")
    check_picture_size(rows, columns, max_megapixels=max_megapixels)
    allocated = _required(tags, "BitsAllocated")
    if allocated == 1:
        raise UnreadableFileError(
            ErrorCode.NOT_A_RADIOGRAPH, "the picture is black and white without greys"
        )
    if allocated not in (8, 16, 32):
        raise _bad_header(f"BitsAllocated is {allocated}, not 8, 16 or 32")
    samples = _samples(tags)
    if samples * allocated > 8 * MAX_CELL_BYTES:
        raise _bad_header(f"BitsAllocated is {allocated} in a picture of {samples} channels")
    # more bits than a cell has mean other cells, which are found from the pixel data
    stored = min(_required(tags, "BitsStored"), allocated)
    high_bit = tags.integer("HighBit")
    if high_bit is None or not stored - 1 <= high_bit < allocated:
        tags.irregular.append("HighBit")
        high_bit = stored - 1
    sign = tags.integer("PixelRepresentation")
    if sign not in (0, 1):
        tags.irregular.append("PixelRepresentation")
    return PixelFormat(
        rows=rows,
        columns=columns,
        samples=samples,
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high_bit,
        signed=sign == 1,
        photometric=_photometric(tags),
        planar=tags.integer("PlanarConfiguration") == 1,
        frames=_frames(tags),
    )


def _frames(tags: Tags) -> int:
    """Return NumberOfFrames; 1 if it is invalid, since the pixel data decide."""
    frames = tags.integer("NumberOfFrames") or 1
    if not 0 < frames <= _MOST_FRAMES:
        tags.irregular.append("NumberOfFrames")
        return 1
    return frames


def _samples(tags: Tags) -> int:
    """Return SamplesPerPixel, 1 if it is missing."""
    samples = tags.integer("SamplesPerPixel")
    if samples is None:
        tags.irregular.append("SamplesPerPixel")
        return 1
    if samples not in (1, 3):
        raise _bad_header(f"SamplesPerPixel is {samples}, not 1 or 3")
    return samples


def _photometric(tags: Tags) -> str:
    """Return PhotometricInterpretation, if it can be converted to grey (PS3.3 C.7.6.3.1.2)."""
    value = (tags.code("PhotometricInterpretation") or "").upper()
    samples = tags.integer("SamplesPerPixel") or 1
    if value in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR") and samples == 1:
        return value
    if value in ("RGB", "YBR_FULL", SHARED_CHROMA, "YBR_ICT", "YBR_RCT") and samples == 3:
        return value
    if value in ("YBR_PARTIAL_420", "YBR_PARTIAL_422"):
        raise colour_photograph()
    raise _bad_header(
        "PhotometricInterpretation is missing or does not fit SamplesPerPixel, so that bright "
        "and dark cannot be told apart"
    )


def _required(tags: Tags, keyword: str) -> int:
    """Return a number that must be at least 1."""
    value = tags.integer(keyword)
    if value is None:
        raise _bad_header(f"{keyword} is missing or no whole number")
    if value < 1:
        raise _bad_header(f"{keyword} is {value}")
    return value


def _bad_header(fault: str) -> UnreadableFileError:
    """Return the error for a header whose pixels cannot be decoded."""
    return UnreadableFileError(ErrorCode.BAD_HEADER, f"{fault}; export the image again")
