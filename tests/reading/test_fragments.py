"""Fragments of encapsulated pixel data, outside DICOM files."""

import io
import struct

import pytest
from pydicom.encaps import encapsulate

from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.fragments import frame_bytes, frame_groups, list_fragments

EMPTY_ITEM = b"\xfe\xff\x00\xe0" + bytes(4)
END = b"\xfe\xff\xdd\xe0" + bytes(4)


def frame_of(data: bytes, limit: int = 1000, frame: int = 1, frames: int = 1) -> bytes:
    """Return a frame from the fragments in `data`."""
    stream = io.BytesIO(data)
    listed = list_fragments(stream)
    group = frame_groups(listed, declared=frames)[frame - 1]
    return frame_bytes(stream, group, max_bytes=limit, complete=listed.complete)


def test_fragments_are_joined() -> None:
    """The fragments of a frame are joined, without the offset table."""
    data = encapsulate([b"abcdefgh"], fragments_per_frame=2) + END
    assert frame_of(data) == b"abcdefgh"


@pytest.mark.parametrize("has_bot", [False, True])
def test_one_fragment_a_frame(*, has_bot: bool) -> None:
    """If there are as many fragments as frames, each is a frame, with or without offset table."""
    parts = [b"ab", b"cdef", b"gh"]
    data = encapsulate(parts, has_bot=has_bot) + END
    assert [frame_of(data, frame=n, frames=3) for n in (1, 2, 3)] == parts


def test_the_offset_table_says_where_frames_start() -> None:
    """The offset table determines which fragments belong to a frame.

    Without it, data of unknown format with more fragments than frames are refused.
    """
    parts = [b"abcdefgh", b"ijkl"]
    data = encapsulate(parts, fragments_per_frame=2) + END
    assert [frame_of(data, frame=n, frames=2) for n in (1, 2)] == parts
    data = encapsulate(parts, fragments_per_frame=2, has_bot=False) + END
    with pytest.raises(UnreadableFileError, match="do not say where each frame") as caught:
        frame_of(data, frames=2)
    assert caught.value.code == "undecodable"


def test_ends_of_codestreams_say_where_frames_end() -> None:
    """Without a table, a frame ends with the fragment that has an end marker, padded or not."""
    parts = [b"abcdef\xff\xd9", b"ghijk\xff\xd9\0"]
    data = encapsulate(parts, fragments_per_frame=2, has_bot=False) + END
    assert [frame_of(data, frame=n, frames=2).rstrip(b"\0") for n in (1, 2)] == [
        part.rstrip(b"\0") for part in parts
    ]


def test_whole_frames_before_a_cut_are_there() -> None:
    """If the end is missing, complete frames are read, with or without offset table."""
    parts = [b"abcdef\xff\xd9", b"ghijkl\xff\xd9", b"mnopqr\xff\xd9"]
    for has_bot in (False, True):
        data = encapsulate(parts, has_bot=has_bot)[:-16]
        assert [frame_of(data, frame=n, frames=3) for n in (1, 2)] == parts[:2]
        with pytest.raises(UnreadableFileError) as caught:
            frame_of(data, frame=3, frames=3)
        assert caught.value.code == "truncated"


def test_only_the_frame_asked_for_counts_as_length() -> None:
    """The length limit applies to the requested frame, not to the others."""
    data = encapsulate([b"ab", bytes(2000)]) + END
    assert frame_of(data, 1000, frame=1, frames=2) == b"ab"
    with pytest.raises(UnreadableFileError, match="too long"):
        frame_of(data, 1000, frame=2, frames=2)


def test_millions_of_fragments_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list with more fragments than the limit, as in a malicious file, is refused."""
    monkeypatch.setattr("lesionscan.reading.fragments._MAX_FRAGMENTS", 9)
    with pytest.raises(UnreadableFileError, match="too many fragments") as caught:
        frame_of(EMPTY_ITEM * 12 + END)
    assert caught.value.code == "undecodable"


def test_missing_end_marker_is_tolerated() -> None:
    """A missing sequence delimiter is accepted, since some writers omit it."""
    assert frame_of(encapsulate([b"abcdefgh"])) == b"abcdefgh"


@pytest.mark.parametrize(
    ("data", "limit", "code", "message"),
    [
        (b"", 1000, "truncated", "ends before the picture"),
        (encapsulate([b"abcdefgh"])[:-4], 1000, "truncated", "ends before the picture"),
        (b"\xfe\xff\x00\xe1" + bytes(4), 1000, "undecodable", "no list of fragments"),
        (encapsulate([b"abcdefgh"]), 4, "too_large", "too long"),
        (EMPTY_ITEM + END, 1000, "no_pixels", "are empty"),
    ],
)
def test_broken_fragments(data: bytes, limit: int, code: str, message: str) -> None:
    """Fragments that are truncated, damaged, too long or empty are refused."""
    with pytest.raises(UnreadableFileError, match=message) as caught:
        frame_of(data, limit)
    assert caught.value.code == code


JPEG = b"\xff\xd8\xff\xe0abcd\xff\xd9"
RLE = struct.pack("<16L", 1, 64, *[0] * 14) + b"\xfd\7" * 40


def counted(data: bytes, declared: int) -> list[int]:
    """Return the number of fragments of each frame."""
    return [
        len(group) for group in frame_groups(list_fragments(io.BytesIO(data)), declared=declared)
    ]


@pytest.mark.parametrize("frame", [JPEG, RLE, b"\xff\x4f\xff\x51ab\xff\xd9"])
@pytest.mark.parametrize("declared", [1, 2, 3, 7])
@pytest.mark.parametrize("has_bot", [False, True])
def test_frames_are_those_that_start(frame: bytes, declared: int, *, has_bot: bool) -> None:
    """Frames are counted by the starts of codestreams, whatever NumberOfFrames says."""
    data = encapsulate([frame] * 3, has_bot=has_bot) + END
    assert counted(data, declared) == [1, 1, 1]
    parted = encapsulate([frame] * 3, fragments_per_frame=2, has_bot=has_bot) + END
    assert counted(parted, declared) == [2, 2, 2]


def test_the_table_counts_frames_that_nothing_else_shows() -> None:
    """If the format is unknown, the offset table determines the number of frames."""
    parts = [b"abcdefgh", b"ijkl"]
    assert counted(encapsulate(parts, fragments_per_frame=2) + END, 1) == [2, 2]


def test_a_wrong_table_costs_no_frame() -> None:
    """Offsets between fragments, in the wrong order, or of every fragment are ignored."""
    whole = encapsulate([JPEG, JPEG], fragments_per_frame=2) + END
    for offsets in ((0, 3), (8, 0), (0, 1 << 31)):
        assert counted(whole[:8] + struct.pack("<2L", *offsets) + whole[16:], 2) == [2, 2]
    one = encapsulate([JPEG], fragments_per_frame=2, has_bot=False)[8:] + END
    table = b"\xfe\xff\x00\xe0" + struct.pack("<3L", 8, 0, 14)
    assert counted(table + one, 1) == [2]


def test_what_is_cut_off_is_missing_and_not_moved() -> None:
    """Frames after the end of a cut file are empty, and those before it keep their numbers."""
    data = encapsulate([JPEG, JPEG], has_bot=False)
    assert counted(data, 4) == [1, 1, 0, 0]
    assert counted(data + END, 4) == [1, 1]


def test_a_frame_with_a_damaged_start_is_one_still() -> None:
    """If there are as many fragments as frames, one with a damaged start is a frame too."""
    assert counted(encapsulate([JPEG, b"abcdefgh", JPEG], has_bot=False) + END, 3) == [1, 1, 1]


def test_another_element_ends_the_fragments() -> None:
    """Without sequence delimiter, the fragments end at the next element."""
    data = encapsulate([JPEG]) + b"\xfc\xff\xfc\xffOB\0\0\4\0\0\0\0\0\0\0"
    assert counted(data, 1) == [1]
    assert frame_of(data) == JPEG
