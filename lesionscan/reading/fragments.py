"""Encapsulated pixel data (PS3.5 A.4): finding the fragments, and assigning them to frames.

NumberOfFrames, the offset table and the fragments may disagree. A wrong count must not lose a frame
that is in the fragments.
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
"""Largest number of fragments; radiographs have fewer, a hostile file may have millions."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Position of a fragment in the stream, and whether a frame may start or end with it."""

    start: int
    length: int
    starts_frame: bool
    ends_codestream: bool


@dataclass(frozen=True, slots=True)
class Fragments:
    """The list of fragments, whose data have not been read.

    Attributes
    ----------
    offsets
        The Basic Offset Table; may be empty.
    fragments
        In order, without the table.
    complete
        Whether the end marker was found.
    """

    offsets: tuple[int, ...]
    fragments: tuple[Fragment, ...]
    complete: bool


def list_fragments(stream: BinaryIO) -> Fragments:
    """List the fragments of the pixel data.

    Parameters
    ----------
    stream
        At the position after the element's length.

    Raises
    ------
    UnreadableFileError
        `truncated` if there is no complete fragment, `undecodable` if the data are not a list of
        fragments.
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
            # Some writers omit the end marker; the codestream shows whether it is complete.
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
    """Read the first and last bytes of a fragment, and move to its end."""
    start = stream.tell()
    head = stream.read(min(HEADER_BYTES, length))
    stream.seek(max(start, min(start + length, end) - 3))
    last = stream.read(min(3, length))
    stream.seek(start + length)
    starts = head.startswith(STARTS) or is_rle_header(head)
    return Fragment(start, length, starts, _END_OF_CODESTREAM in last)


def is_encapsulated(stream: BinaryIO, start: int, length: int) -> bool:
    """Return whether pixel data of defined length are nevertheless a list of fragments.

    Parameters
    ----------
    stream
        The file; it is moved.
    start, length
        Position of the data.
    """
    stream.seek(start)
    if stream.read(4) != _ITEM:
        return False
    stream.seek(start)
    try:
        last = list_fragments(stream).fragments[-1:]
    except UnreadableFileError:
        return False
    # an end marker, a padding byte or nothing may follow
    return any(start + length - (one.start + one.length) in (0, 1, 8) for one in last)


Group = Sequence[Fragment]
"""The fragments of one frame; empty if they are missing."""


def frame_groups(listed: Fragments, *, declared: int) -> list[Group]:
    """Assign the fragments to frames, as many as the fragments contain.

    Parameters
    ----------
    listed
        From `list_fragments`.
    declared
        NumberOfFrames. If the end of the data is missing, there are at least this many groups.

    Raises
    ------
    UnreadableFileError
        `undecodable` if the start of each frame cannot be determined.
    """
    fragments = listed.fragments
    by_start, by_table = _by_start(fragments), _by_table(listed)
    table_fits = len(by_table) == declared > len(by_start)
    found = by_table if table_fits or not by_start else by_start
    if len(fragments) == declared > 1 and len(found) != 1:
        found = [[fragment] for fragment in fragments]  # even if its start is damaged
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
    """Return groups that each start with a codestream; none if the first does not."""
    starts = [number for number, one in enumerate(fragments) if one.starts_frame]
    if not starts or starts[0] != 0:
        return []
    return [fragments[one:other] for one, other in pairwise([*starts, len(fragments)])]


def _by_table(listed: Fragments) -> list[Group]:
    """Return the groups of the offset table; none if it does not fit the fragments."""
    fragments = listed.fragments
    if not fragments or not listed.offsets:
        return []
    numbers = {one.start: number for number, one in enumerate(fragments)}
    starts = [numbers.get(fragments[0].start + offset) for offset in listed.offsets]
    if not listed.complete:  # frames that are cut off still have offsets
        starts = [len(fragments) if one is None else one for one in starts]
    found = [one for one in starts if one is not None]
    if len(found) < len(starts) or found[0] != 0 or found != sorted(found):
        return []
    return [fragments[one:other] for one, other in pairwise([*found, len(fragments)])]


def _by_end(fragments: Group) -> list[Group]:
    """Return groups that end with the end marker of a codestream, with or without padding."""
    ends = [number for number, one in enumerate(fragments, start=1) if one.ends_codestream]
    return [fragments[one:other] for one, other in pairwise([0, *ends])]


def frame_bytes(stream: BinaryIO, group: Group, *, max_bytes: int, complete: bool) -> bytes:
    """Join the fragments of one frame.

    Parameters
    ----------
    stream
        The stream with the fragments.
    group
        From `frame_groups`.
    max_bytes
        Largest length of a frame.
    complete
        Whether the end marker of the pixel data was found.

    Raises
    ------
    UnreadableFileError
        `truncated` if the file ends before the end of the frame, `too_large` above `max_bytes`,
        `no_pixels` if it is empty.
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
