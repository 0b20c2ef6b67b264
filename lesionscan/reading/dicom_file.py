"""Opens a DICOM file without trusting it: header first, pixels only when they are asked for.

pydicom parses the data set; file meta, deflate and everything that takes memory is bounded here,
because pydicom inflates without limit, accepts any bytes with `force`, and prints raw values
(patient names among them) in warnings, which are caught.
"""

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import BinaryIO

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
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
from lesionscan.reading.errors import UnreadableFileError, truncated
from lesionscan.reading.limits import METADATA_BYTES

# Any of them ends the header; only the last is an image (PS3.3 C.7.6.24, C.7.6.25).
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_PIXEL_DATA = 0x7FE00010

_FRAME_MACROS = (
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
    "FramePixelDataPropertiesSequence",
)
"""Functional groups that say what pixels mean (PS3.3 C.7.6.16.2, C.8.19.6.4)."""

_DEFER_BYTES = 2 << 20
"""Longer header values stay in the file: nothing that a radiograph is read from is so long."""

_VALUE_BYTES = 1 << 17
"""Of one value that is used: a look-up table of 65,536 entries of 16 bits takes as many."""

_INFLATE_BYTES = 1 << 14
"""Deflated bytes taken at a time: a bomb makes a thousand of each."""

_NATIVE = (
    None,
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where PixelData is.

    Attributes
    ----------
    vr
        Value representation, None where it is implicit.
    start
        First byte in the stream.
    length
        Bytes of native data; None for encapsulated (compressed) data.
    """

    vr: str | None
    start: int
    length: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Tags:
    """Values of a data set by keyword; what cannot be read is None and counts as irregular.

    Every access is guarded, since pydicom converts values when they are touched and raises, with
    the raw value in the message, on those that break the standard. What the functional groups of a
    frame say comes before what the data set says.
    """

    dataset: Dataset
    irregular: list[str]
    groups: tuple[Dataset, ...] = ()

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.dataset

    def numbers(self, keyword: str) -> tuple[float, ...] | None:
        """Return all numbers of a tag, None when absent, empty or unreadable."""
        return next(self._each_numbers(keyword), None)

    def is_disputed(self, keyword: str) -> bool:
        """Return whether a frame's groups and the data set state different numbers."""
        return bool(self.groups) and len(set(self._each_numbers(keyword))) > 1

    def _each_numbers(self, keyword: str) -> Iterator[tuple[float, ...]]:
        """Yield the numbers of a tag by every place where it stands."""
        for value in self._values(keyword):
            parts: Sequence[object] = [value]
            if isinstance(value, Sequence) and not isinstance(value, str | bytes):
                parts = value
            try:
                # text and numbers only: what else may stand here (items of a sequence, say) raises
                # anything when it is converted, and quotes what it holds
                found = tuple(_number(part) for part in parts)
            except (ValueError, OverflowError):
                self.irregular.append(keyword)
            else:
                if found:
                    yield found

    def number(self, keyword: str) -> float | None:
        """Return the first number of a tag, None when absent, empty or unreadable."""
        values = self.numbers(keyword)
        return values[0] if values else None

    def integer(self, keyword: str) -> int | None:
        """Return the first number of a tag when it is whole."""
        value = self.number(keyword)
        if value is None:
            return None
        if not value.is_integer():  # False for infinity and NaN as well
            self.irregular.append(keyword)
            return None
        return int(value)

    def code(self, keyword: str) -> str | None:
        """Return a coded string without its padding, None when absent, empty or multi-valued."""
        value = self._value(keyword)
        if isinstance(value, str):
            return value.strip(" \0") or None
        if value is not None:
            self.irregular.append(keyword)
        return None

    def codes(self, keyword: str) -> tuple[str, ...]:
        """Return all coded strings of a tag without their padding, empty ones left out."""
        value = self._value(keyword)
        parts = [value] if isinstance(value, str) else value if isinstance(value, Sequence) else ()
        stripped = (part.strip(" \0") for part in parts if isinstance(part, str))
        return tuple(part for part in stripped if part)

    def sequence_item(self, keyword: str, number: int = 0) -> "Tags | None":
        """Return an item of a sequence, the first one if not said, None when it is not there."""
        items = self.sequence_items(keyword)
        return items[number] if number < len(items) else None

    def sequence_items(self, keyword: str) -> tuple["Tags", ...]:
        """Return all items of a sequence."""
        value = self._value(keyword)
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            return ()
        return tuple(Tags(item, self.irregular) for item in value if isinstance(item, Dataset))

    def of_frame(self, frame: int) -> "Tags":
        """Return the same with the functional groups of a frame, from 1 on, before it.

        Enhanced and multi-frame objects state spacing and rescale there, for the frame or for all
        (PS3.3 C.7.6.16).
        """
        groups = (
            self.sequence_item("PerFrameFunctionalGroupsSequence", frame - 1),
            self.sequence_item("SharedFunctionalGroupsSequence"),
        )
        macros = (
            group.sequence_item(keyword)
            for group in groups
            if group is not None
            for keyword in _FRAME_MACROS
        )
        found = tuple(macro.dataset for macro in macros if macro is not None)
        return Tags(self.dataset, self.irregular, found)

    def overlays(self) -> int:
        """Return the number of overlay planes, in elements of their own or in unused bits."""
        groups = range(0x6000, 0x6020, 2)  # repeating groups (PS3.5 7.6)
        return sum((group, 0x0010) in self.dataset for group in groups)

    def raw(self, keyword: str) -> object:
        """Return a value as pydicom gives it, None when absent, empty or unreadable."""
        return self._value(keyword)

    def _value(self, keyword: str) -> object:
        return next(self._values(keyword), None)

    def _values(self, keyword: str) -> Iterator[object]:
        """Yield what the frame's groups and the data set hold, absent and empty values left out."""
        for dataset in (*self.groups, self.dataset):
            value = self._value_in(dataset, keyword)
            if value is not None:
                yield value

    def _value_in(self, dataset: Dataset, keyword: str) -> object:
        try:
            if _is_too_long(dataset, keyword):
                raise ValueError("too long")  # noqa: TRY301 - as one that cannot be converted
            value: object = dataset.get(keyword)
        except Exception:  # noqa: BLE001 - pydicom raises many types on values it cannot convert
            self.irregular.append(keyword)
            return None
        return None if value is None or value == "" else value


def _is_too_long(dataset: Dataset, keyword: str) -> bool:
    """Return whether converting a value would make far more objects than any that is used.

    A sequence is bounded by `_DEFER_BYTES` alone, since it may hold several tables.
    """
    tag = tag_for_keyword(keyword)
    element: object = None if tag is None else dataset.get_item(tag, keep_deferred=True)
    if not isinstance(element, RawDataElement) or element.length <= _VALUE_BYTES:
        return False
    return element.value is None or dictionary_VR(element.tag) != "SQ"


def _number(part: object) -> float:
    if not isinstance(part, str | int | float | Decimal):
        raise ValueError("no number")  # noqa: TRY004 - one kind of failure for the caller
    return float(part)


@dataclass(frozen=True, slots=True, eq=False)
class DicomFile:
    """An opened DICOM file: its header, and a stream that stands at the pixel data.

    `doubtful` says that the deflated data go on behind the pixels with what is no element, as they
    do when some of them are damaged: deflating keeps no checksum (PS3.5 A.5).
    """

    tags: Tags
    transfer_syntax: UID | None
    little_endian: bool
    pixels: PixelElement | None
    stream: BinaryIO
    doubtful: bool = False

    @property
    def transfer_syntax_name(self) -> str | None:
        """The standard's name of the transfer syntax, None when unknown or not stated."""
        name = self.transfer_syntax.name if self.transfer_syntax else None
        return None if name == self.transfer_syntax else name  # pydicom echoes unknown ones

    @property
    def is_native(self) -> bool:
        """Whether the transfer syntax is one of uncompressed (or wholly deflated) data."""
        return self.transfer_syntax in _NATIVE


@contextmanager
def silenced_pydicom(irregular: list[str]) -> Iterator[None]:
    """Keep pydicom's warnings and log lines from everyone, and count them in a list."""
    logger = logging.getLogger("pydicom")

    def swallow(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            irregular.append("logged")
        return False

    logger.addFilter(swallow)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
            irregular.extend("warned" for _ in caught)
    finally:
        logger.removeFilter(swallow)


def open_dicom(stream: BinaryIO, irregular: list[str], *, max_pixel_bytes: int) -> DicomFile:
    """Parse the header of a DICOM file up to its pixel data.

    Parameters
    ----------
    stream
        The file, seekable.
    irregular
        Collects what breaks the standard (keywords, never values).
    max_pixel_bytes
        Bound for inflating a deflated file.

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

    pixels: PixelElement | None = None
    last_end: int | None = None  # where the last element says that it ends

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
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk, not the content
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
    """Return whether nothing or an element of explicit VR with a higher tag starts here."""
    if len(head) < 8:
        return not head
    group, element = struct.unpack_from("<HH", head)
    return (group << 16 | element) > _PIXEL_DATA and head[4:6].isalpha()


def data_set_start(stream: BinaryIO) -> tuple[bool, bool]:
    """Move a stream to its data set, which is not deflated.

    Parameters
    ----------
    stream
        A DICOM file, seekable.

    Returns
    -------
    implicit_vr, little_endian
        How the data set is encoded.
    """
    _, syntax = _data_set(stream)
    return _encoding(stream, syntax)


def _data_set(stream: BinaryIO) -> tuple[bool, UID | None]:
    """Move a stream to its data set; return whether there is a preamble, and the syntax."""
    stream.seek(0)
    has_preamble = stream.read(132)[128:] == b"DICM"
    syntax, start = _file_meta(stream, 132 if has_preamble else 0)
    stream.seek(start)
    return has_preamble, syntax


def _file_meta(stream: BinaryIO, start: int) -> tuple[UID | None, int]:
    """Walk group 0002, always explicit little endian (PS3.10 7.1): transfer syntax and end."""
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
    """Return (implicit VR, little endian), from the transfer syntax or by looking at the data."""
    if syntax == ImplicitVRLittleEndian:
        return True, True
    if syntax == ExplicitVRBigEndian:
        return False, False
    if syntax is not None:  # all compressed syntaxes (PS3.5 A.4), private ones by custom
        return False, True
    head = stream.read(6)
    stream.seek(-len(head), 1)
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    # A first group of 0008 reads as 0800 in the other byte order.
    return not explicit, not (explicit and head[:1] == b"\x00")


def _plausible(tags: Tags, pixels: PixelElement | None) -> bool:
    """Return whether a file without DICOM marker has what an image must have."""
    identified = "SOPClassUID" in tags or "Modality" in tags
    return identified and "Rows" in tags and "Columns" in tags and pixels is not None


def _check_complete(stream: BinaryIO, last_end: int | None) -> None:
    """Refuse a header that is cut off in its last element, or in the tag after it."""
    if last_end is None:
        return
    left = stream.seek(0, io.SEEK_END) - last_end
    if left < 0 or 0 < left < 8:  # a tag with its length takes 8 bytes
        raise truncated()
