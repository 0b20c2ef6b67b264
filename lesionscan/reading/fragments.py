"""Encapsulated pixel data (PS3.5 A.4): which fragments there are, and which make a frame.

NumberOfFrames, the offset table and the fragments themselves may disagree. No picture that the
fragments hold is given up because of one bad count.
"""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from lesionscan.codes import ErrorCode
from lesionscan.reading.codestream import STARTS
from lesionscan.reading.errors import UnreadableFileError, truncated
from lesionscan.reading.rle import HEADER_BYTES, is_rle_header

_ITEM = b"\xfe\xff\x00\xe0"
_SEQUENCE_END = b"\xfe\xff\xdd\xe0"
_END_OF_CODESTREAM = b"\xff\xd9"  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000

_MAX_TABLE_BYTES = 1 << 20
_MAX_FRAGMENTS = 1 << 18
"""More than any radiograph has; a hostile file may claim millions of empty ones."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Where a fragment's bytes are in the stream, and whether a frame may start or end there."""

    start: int
    length: int
    starts_frame: bool
    ends_codestream: bool


@dataclass(frozen=True, slots=True)
class Fragments:
    """Encapsulated pixel data as listed, without being read.

    Attributes
    ----------
    offsets
        The Basic Offset Table; empty where it says nothing.
    fragments
        In their order, the table left out.
    complete
        Whether the end marker was found.
    """

    offsets: tuple[int, ...]
    fragments: tuple[Fragment, ...]
    complete: bool


def list_fragments(stream: BinaryIO) -> Fragments:
    """List the fragments of the pixel data that start here.

    Parameters
    ----------
    stream
        Stands behind the element's length.

    Raises
    ------
    UnreadableFileError
        `truncated` when there is no fragment before the file's end, `undecodable` when it is no
        list of fragments.
    """
    here = stream.tell()
    end = stream.seek(0, io.SEEK_END)
    stream.seek(here)
    offsets: tuple[int, ...] | None = None
    fragments: list[Fragment] = []
    while True:
        head = stream.read(8)
        tag = head[:4]
        if tag == _SEQUENCE_END:
            return Fragments(offsets or (), tuple(fragments), complete=True)
        if len(head) < 8 or tag != _ITEM:
            # Some writers leave the end marker out; the codestream itself says if it is whole.
            if fragments:
                return Fragments(offsets or (), tuple(fragments), complete=False)
            raise (
                truncated()
                if len(head) < 8
                else _undecodable("the pixel data are no list of fragments")
            )
        (length,) = struct.unpack("<L", head[4:])
        if offsets is None:
            table = stream.read(min(length, _MAX_TABLE_BYTES))
            if len(table) < length:
                raise truncated()
            offsets = struct.unpack(f"<{length // 4}L", table[: length // 4 * 4])
            continue
        fragments.append(_fragment(stream, length, end))
        if len(fragments) > _MAX_FRAGMENTS:
            raise _undecodable("the pixel data are in too many fragments")


def _fragment(stream: BinaryIO, length: int, end: int) -> Fragment:
    """Look at the ends of the fragment that starts here, and move behind it."""
    start = stream.tell()
    head = stream.read(min(HEADER_BYTES, length))
    stream.seek(max(start, min(start + length, end) - 3))
    last = stream.read(min(3, length))
    stream.seek(start + length)
    starts = head.startswith(STARTS) or is_rle_header(head)
    return Fragment(start, length, starts, _END_OF_CODESTREAM in last)


def is_encapsulated(stream: BinaryIO, start: int, length: int) -> bool:
    """Return whether pixel data of a stated length are a list of fragments all the same.

    Parameters
    ----------
    stream
        The file; it is moved.
    start, length
        Where the data are.
    """
    stream.seek(start)
    if stream.read(4) != _ITEM:
        return False
    stream.seek(start)
    try:
        last = list_fragments(stream).fragments[-1:]
    except UnreadableFileError:
        return False
    # an end marker or a byte of padding may follow, or nothing
    return any(start + length - (one.start + one.length) in (0, 1, 8) for one in last)


Group = Sequence[Fragment]
"""The fragments of one frame; none where they are missing."""


def frame_groups(listed: Fragments, *, declared: int) -> list[Group]:
    """Return the fragments of each frame, as many frames as the fragments hold.

    Parameters
    ----------
    listed
        From `list_fragments`.
    declared
        NumberOfFrames. Where the end of the data is missing, there are at least so many groups.

    Raises
    ------
    UnreadableFileError
        `undecodable` when nothing says where each frame starts.
    """
    fragments = listed.fragments
    by_start, by_table = _by_start(fragments), _by_table(listed)
    table_fits = len(by_table) == declared > len(by_start)
    found = by_table if table_fits or not by_start else by_start
    if len(fragments) == declared > 1 and len(found) != 1:
        found = [[fragment] for fragment in fragments]  # also one whose start is damaged
    if not found and declared == 1:
        found = [fragments]
    if not found:
        found = _by_end(fragments)
        if listed.complete and len(found) != declared:
            raise _undecodable("the pixel data do not say where each frame starts")
    if listed.complete:
        return found
    return [*found, *([()] * (declared - len(found)))]


def _by_start(fragments: Group) -> list[Group]:
    """Return groups that each start as a frame does; none where the first does not."""
    starts = [number for number, one in enumerate(fragments) if one.starts_frame]
    if not starts or starts[0] != 0:
        return []
    return [fragments[one:other] for one, other in pairwise([*starts, len(fragments)])]


def _by_table(listed: Fragments) -> list[Group]:
    """Return the groups of the offset table; none where it does not fit the fragments."""
    fragments = listed.fragments
    if not fragments or not listed.offsets:
        return []
    numbers = {one.start: number for number, one in enumerate(fragments)}
    starts = [numbers.get(fragments[0].start + offset) for offset in listed.offsets]
    if not listed.complete:  # what is cut off has its offset still
        starts = [len(fragments) if one is None else one for one in starts]
    found = [one for one in starts if one is not None]
    if len(found) < len(starts) or found[0] != 0 or found != sorted(found):
        return []
    return [fragments[one:other] for one, other in pairwise([*found, len(fragments)])]


def _by_end(fragments: Group) -> list[Group]:
    """Return groups that end with a codestream's end marker, or a byte of padding behind it."""
    ends = [number for number, one in enumerate(fragments, start=1) if one.ends_codestream]
    return [fragments[one:other] for one, other in pairwise([0, *ends])]


def frame_bytes(stream: BinaryIO, group: Group, *, max_bytes: int, complete: bool) -> bytes:
    """Join the fragments of one frame.

    Parameters
    ----------
    stream
        Where the fragments are.
    group
        From `frame_groups`.
    max_bytes
        The most that a frame may take.
    complete
        Whether the end marker of the pixel data was found.

    Raises
    ------
    UnreadableFileError
        `truncated` when the file ends before or within it, `too_large` above `max_bytes`,
        `no_pixels` when it is empty.
    """
    if not group and not complete:
        raise truncated()
    if sum(fragment.length for fragment in group) > max_bytes:
        raise UnreadableFileError(
            ErrorCode.TOO_LARGE, "the compressed pixel data are too long; raise max_megapixels"
        )
    parts = []
    for fragment in group:
        stream.seek(fragment.start)
        parts.append(stream.read(fragment.length))
        if len(parts[-1]) < fragment.length:
            raise truncated()
    joined = b"".join(parts)
    if not joined:
        raise UnreadableFileError(
            ErrorCode.NO_PIXELS, "the pixel data are empty; export the image again"
        )
    return joined


def _undecodable(fault: str) -> UnreadableFileError:
    return UnreadableFileError(ErrorCode.UNDECODABLE, f"{fault}; export it again")
