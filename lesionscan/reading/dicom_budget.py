"""A stream that limits the number of reads while a DICOM header is parsed.

pydicom makes an object for every element and item, without limit: 20 million empty items deflate to
0.24 MB and took 10 GB. It reads from the stream for each of them, so a limit on reads bounds their
number and depth, in every encoding.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from lesionscan.codes import ErrorCode
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.limits import METADATA_BYTES

MAX_HEADER_READS = 500_000
"""Reads allowed for one header, two or three per element; radiographs take under 5,000."""

_ELEMENT_HEAD_BYTES = 8
_CHARSET_BYTES = 1024
"""Bytes of SpecificCharacterSet, which is looked up name by name; all valid ones are shorter."""
_CHARSET_TAGS = (b"\x08\x00\x05\x00", b"\x00\x08\x00\x05")
"""(0008,0005) in either byte order."""


class _BudgetExceededError(Exception):
    """The budget is exceeded."""


class _BudgetReader:
    """The methods of a binary stream that pydicom's parser uses."""

    def __init__(self, stream: BinaryIO, reads: int, size: int) -> None:
        self.seek, self.tell = stream.seek, stream.tell
        self.exceeded = False
        self._stream = stream
        self._reads = reads
        self._bytes = size
        self._at_charset = False

    def read(self, size: int, /) -> bytes:
        if not self.exceeded:
            data = self._stream.read(min(size, self._bytes + 1))
            self._reads -= 1
            self._bytes -= len(data)
            long_charset = self._at_charset and len(data) > _CHARSET_BYTES
            self.exceeded = self._reads < 0 or self._bytes < 0 or long_charset
            if size == _ELEMENT_HEAD_BYTES:
                self._at_charset = data[:4] in _CHARSET_TAGS
        if self.exceeded:
            raise _BudgetExceededError
        return data


@contextmanager
def header_budget(
    stream: BinaryIO, *, reads: int = MAX_HEADER_READS, size: int = METADATA_BYTES
) -> Iterator[BinaryIO]:
    """Yield a stream with a budget for pydicom's parser, at the same position.

    Parameters
    ----------
    stream
        The stream, seekable.
    reads
        Number of reads allowed.
    size
        Number of bytes that may be read.

    Raises
    ------
    UnreadableFileError
        `too_large` if the budget is exceeded, whatever the parser raises.
    """
    reader = _BudgetReader(stream, reads, size)
    try:
        yield cast("BinaryIO", reader)
    finally:
        # also after an exception: pydicom replaces ours, or continues with what it has read
        if reader.exceeded:
            raise UnreadableFileError(
                ErrorCode.TOO_LARGE,
                "the DICOM header holds more elements or bytes than a radiograph's; export the "
                "image again",
            ) from None
