"""Opens untrusted DICOM files: the header first, pixel data only on request.

pydicom parses the data set. File meta information, inflating and everything else that takes memory
is limited here, because pydicom inflates without limit and accepts any bytes with `force`.
"""

import errno
import io
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from lesionscan.codes import ErrorCode
from lesionscan.reading.dicom_budget import header_budget
from lesionscan.reading.dicom_tags import Tags
from lesionscan.reading.errors import UnreadableFileError, truncated
from lesionscan.reading.limits import METADATA_BYTES

# Any of them ends the header; only the last is an image (PS3.3 C.7.6.24, C.7.6.25).
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_PIXEL_DATA = 0x7FE00010

_DEFER_BYTES = 2 << 20
"""Longer header values are not read: none that is needed for a radiograph is so long."""

_INFLATE_BYTES = 1 << 14
"""Deflated bytes per step; a deflate bomb makes a thousand bytes of each."""

_NATIVE = (
    None,
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Position of PixelData.

    Attributes
    ----------
    vr
        Value representation, None if it is implicit.
    start
        Position of the first byte in the stream.
    length
        Bytes of native (uncompressed) data; None for encapsulated (compressed) data.
    """

    vr: str | None
    start: int
    length: int | None


@dataclass(frozen=True, slots=True, eq=False)
class DicomFile:
    """An opened DICOM file: its header, and a stream at the position of the pixel data.

    `doubtful` is true if the pixel data of a deflated file are followed by something other than an
    element, which happens if the data are damaged: deflating keeps no checksum (PS3.5 A.5).
    """

    tags: Tags
    transfer_syntax: UID | None
    little_endian: bool
    pixels: PixelElement | None
    stream: BinaryIO
    doubtful: bool = False

    @property
    def transfer_syntax_name(self) -> str | None:
        """The name of the transfer syntax in the standard, None if unknown or not stated."""
        name = self.transfer_syntax.name if self.transfer_syntax else None
        return None if name == self.transfer_syntax else name  # pydicom repeats unknown ones

    @property
    def is_native(self) -> bool:
        """Whether the pixel data are uncompressed (or the whole data set is deflated)."""
        return self.transfer_syntax in _NATIVE


def open_dicom(stream: BinaryIO, irregular: list[str], *, max_pixel_bytes: int) -> DicomFile:
    """Parse the header of a DICOM file up to its pixel data.

    Parameters
    ----------
    stream
        The file, seekable.
    irregular
        Receives the keywords (never values) of elements that violate the standard.
    max_pixel_bytes
        Limit for inflating a deflated file.

    Raises
    ------
    UnreadableFileError
        `not_an_image`, `truncated`, `undecodable`, `too_large` or `unsupported_transfer_syntax`.
    """
    has_preamble, syntax = _data_set(stream)
    if not has_preamble:
        irregular.append("preamble")
    if syntax == DeflatedExplicitVRLittleEndian:
        stream = _inflate(stream, max_bytes=max_pixel_bytes + METADATA_BYTES)
    implicit, little = _encoding(stream, syntax)
    if syntax is not None and little != (syntax != ExplicitVRBigEndian):
        irregular.append("TransferSyntaxUID")

    pixels: PixelElement | None = None
    last_end: int | None = None  # the end of the last element, as it states

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        nonlocal pixels, last_end
        if tag not in _PIXEL_TAGS:
            last_end = None if length == 0xFFFFFFFF else stream.tell() + length
            return False
        if tag == _PIXEL_DATA:
            pixels = PixelElement(vr, stream.tell(), None if length == 0xFFFFFFFF else length)
        return True

    try:
        with header_budget(stream) as budgeted:
            dataset = read_dataset(
                budgeted, implicit, little, stop_when=at_pixels, defer_size=_DEFER_BYTES
            )
    except UnreadableFileError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # an error of the disk; damaged content can point to positions that no file has
        raise UnreadableFileError(
            ErrorCode.UNDECODABLE, "the DICOM header is damaged; copy or export the file again"
        ) from None
    tags = Tags(dataset, irregular)
    if not has_preamble and not _plausible(tags, pixels):
        raise UnreadableFileError(
            ErrorCode.NOT_AN_IMAGE,
            "the content is neither DICOM, PNG, JPEG nor TIFF; export the image again",
        )
    doubtful = False
    if pixels is None:
        _check_complete(stream, last_end)
    else:
        if syntax == DeflatedExplicitVRLittleEndian and pixels.length is not None:
            stream.seek(pixels.start + pixels.length)
            doubtful = not _may_follow_pixels(stream.read(8))
        stream.seek(pixels.start)
    return DicomFile(tags, syntax, little, pixels, stream, doubtful)


def _may_follow_pixels(head: bytes) -> bool:
    """Return whether the data end here, or an explicit VR element with a higher tag starts."""
    if len(head) < 8:
        return not head
    group, element = struct.unpack_from("<HH", head)
    return (group << 16 | element) > _PIXEL_DATA and head[4:6].isalpha()


def data_set_start(stream: BinaryIO) -> tuple[bool, bool]:
    """Move a stream to its data set, which must not be deflated.

    Parameters
    ----------
    stream
        A DICOM file, seekable.

    Returns
    -------
    implicit_vr, little_endian
        The encoding of the data set.
    """
    _, syntax = _data_set(stream)
    return _encoding(stream, syntax)


def _data_set(stream: BinaryIO) -> tuple[bool, UID | None]:
    """Move a stream to its data set; return whether it has a preamble, and its syntax."""
    stream.seek(0)
    has_preamble = stream.read(132)[128:] == b"DICM"
    syntax, start = _file_meta(stream, 132 if has_preamble else 0)
    stream.seek(start)
    return has_preamble, syntax


def _file_meta(stream: BinaryIO, start: int) -> tuple[UID | None, int]:
    """Read group 0002, always explicit little endian (PS3.10 7.1): transfer syntax and end."""
    syntax: UID | None = None
    at = start
    while True:
        stream.seek(at)
        head = stream.read(12)
        if len(head) < 8 or head[:2] != b"\x02\x00" or not head[4:6].isalpha():
            return syntax, at
        if head[4:6] in (b"OB", b"OW", b"UN", b"SQ", b"UT"):
            if len(head) < 12:
                return syntax, at
            size, value_at = struct.unpack_from("<L", head, 8)[0], at + 12
        else:
            size, value_at = struct.unpack_from("<H", head, 6)[0], at + 8
        if head[2:4] == b"\x10\x00" and size <= 64:
            stream.seek(value_at)
            syntax = UID(stream.read(size).decode("ascii", "replace").strip(" \0")) or None
        at = value_at + size


def _inflate(stream: BinaryIO, *, max_bytes: int) -> BinaryIO:
    """Inflate the rest of a file (PS3.5 A.5), refusing more than `max_bytes`."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = io.BytesIO()
    try:
        while chunk := stream.read(_INFLATE_BYTES):
            inflated.write(inflater.decompress(chunk, max_bytes + 1 - inflated.tell()))
            if inflated.tell() > max_bytes:
                raise UnreadableFileError(
                    ErrorCode.TOO_LARGE,
                    "the file inflates to more than a radiograph holds; raise max_megapixels",
                )
    except zlib.error:
        raise UnreadableFileError(
            ErrorCode.UNDECODABLE, "the deflated data are damaged; copy or export the file again"
        ) from None
    if not inflater.eof:
        raise truncated()
    inflated.seek(0)
    return inflated


def _encoding(stream: BinaryIO, syntax: UID | None) -> tuple[bool, bool]:
    """Return (implicit VR, little endian), from the transfer syntax or from the data."""
    if syntax == ImplicitVRLittleEndian:
        return True, True
    head = stream.read(6)
    stream.seek(-len(head), 1)
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    if not explicit:  # all but implicit little endian are (PS3.5 A)
        return syntax is None, syntax != ExplicitVRBigEndian
    # Group 0008, the first one, reads as 0800 in the other byte order.
    return False, head[:1] != b"\x00"


def _plausible(tags: Tags, pixels: PixelElement | None) -> bool:
    """Return whether a file without the DICM prefix has the elements that an image must have."""
    identified = "SOPClassUID" in tags or "Modality" in tags
    return identified and "Rows" in tags and "Columns" in tags and pixels is not None


def _check_complete(stream: BinaryIO, last_end: int | None) -> None:
    """Refuse a header that is truncated in its last element, or in the tag after it."""
    if last_end is None:
        return
    left = stream.seek(0, io.SEEK_END) - last_end
    if left < 0 or 0 < left < 8:  # a tag and its length take 8 bytes
        raise truncated()
