"""Decoding of DICOM RLE outside DICOM files."""

import struct

import numpy as np
import pytest

from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.rle import decode_rle, is_rle_header


def test_damaged_rle_is_refused() -> None:
    """RLE with the wrong number of segments, or with broken ones, is refused."""
    size = {"rows": 20, "columns": 30, "samples": 1}
    for data in (b"", struct.pack("<16L", 3, 64, *[0] * 14), struct.pack("<16L", 2, 64, *[0] * 14)):
        with pytest.raises(UnreadableFileError, match="pixel data are damaged"):
            decode_rle(data, **size)


def rle(*segments: bytes) -> bytes:
    """Return RLE data of these segments."""
    offsets = [64 + sum(map(len, segments[:n])) for n in range(len(segments))]
    return struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(offsets))) + b"".join(
        segments
    )


@pytest.mark.parametrize("pad", [b"", b"\0", b"\x80"])
def test_rle_segments_are_joined_most_significant_first(pad: bytes) -> None:
    """Segments, one per byte of a pixel, are joined most significant first; padding is ignored."""
    data = rle(b"\x03\1\2\3\4" + pad, b"\xfd\7" + pad)
    cells = decode_rle(data, rows=2, columns=2, samples=1).cells
    np.testing.assert_array_equal(cells, [[0x107, 0x207], [0x307, 0x407]])
    colour = decode_rle(rle(b"\xfd\1", b"\x03\1\2\3\4", b"\xfd\3"), rows=2, columns=2, samples=3)
    np.testing.assert_array_equal(colour.cells[1, 0], [1, 3, 3])


@pytest.mark.parametrize(
    ("segments", "code"),
    [
        ((b"\x01\1\2", b"\xfd\7"), "truncated"),  # half of the rows
        ((b"\x03\1\2\3\4", b"\xff\7"), "truncated"),
        ((b"\x03\1\2\3\4", b""), "truncated"),
        ((b"\x03\1\2", b"\xfd\7"), "truncated"),
        ((b"\x03\1\2\3\4", b"\xfd"), "truncated"),
    ],
)
def test_rle_segments_give_every_pixel(segments: tuple[bytes, ...], code: str) -> None:
    """A segment with fewer bytes than pixels counts as truncated, and is not filled with zeros."""
    with pytest.raises(UnreadableFileError, match="again") as caught:
        decode_rle(rle(*segments), rows=2, columns=2, samples=1)
    assert caught.value.code == code


def test_rle_segments_lie_behind_each_other() -> None:
    """Segment offsets into the header, backwards or beyond the end are refused."""
    whole = rle(b"\x03\1\2\3\4", b"\xfd\7")
    for offsets in ((0, 69), (69, 64), (64, 900)):
        data = struct.pack("<3L", 2, *offsets) + whole[12:]
        with pytest.raises(UnreadableFileError, match="pixel data are damaged"):
            decode_rle(data, rows=2, columns=2, samples=1)


BEHIND = {
    "literal without data": b"\x20",
    "run without a value": b"\xfe",
    "zeros": b"\0\0\0",
    "no operation": b"\x80\x80\x80",
    "a pixel too many": b"\x00\x09",
    "run past the end": b"\xfe\x09",
}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_what_follows_the_last_pixel_is_no_picture(behind: bytes) -> None:
    """A few bytes after the last pixel of a segment are ignored, and not doubtful."""
    decoded = decode_rle(
        rle(b"\x03\1\2\3\4" + behind, b"\xfd\7" + behind), rows=2, columns=2, samples=1
    )
    np.testing.assert_array_equal(decoded.cells, [[0x107, 0x207], [0x307, 0x407]])
    assert not decoded.doubtful


@pytest.mark.parametrize(
    "segment", [b"\x04\1\2\3\4\5", b"\xfe\1\xff\2\x01\3\3", b"\xfc\1", b"\xfb\1"]
)
def test_a_packet_may_go_beyond_the_last_pixel(segment: bytes) -> None:
    """A literal or a run that is a few bytes too long is cut at the end of the image."""
    cells = decode_rle(rle(segment), rows=2, columns=2, samples=1).cells
    assert cells.tolist() in ([[1, 2], [3, 4]], [[1, 1], [1, 2]], [[1, 1], [1, 1]])


def test_much_behind_the_last_pixel_is_doubtful() -> None:
    """More bytes after the last pixel than encoders leave, a sign of damage, are doubtful."""
    decoded = decode_rle(rle(b"\x03\1\2\3\4\x81\5"), rows=2, columns=2, samples=1)
    np.testing.assert_array_equal(decoded.cells, [[1, 2], [3, 4]])
    assert decoded.doubtful


def test_more_rows_than_the_header_says_are_not_lost() -> None:
    """Data of twice as many rows as stated are refused, and the message names the tags."""
    rows = b"\x3f" + bytes(range(64))
    with pytest.raises(UnreadableFileError, match=r"more than the 4 rows.* correct Rows") as caught:
        decode_rle(rle(rows * 8), rows=4, columns=64, samples=1)
    assert caught.value.code == "undecodable"


def test_segments_say_how_wide_a_cell_is() -> None:
    """One, two or four segments are cells of 8, 16 or 32 bits; three are refused."""
    planes = [b"\x00\1", b"\x00\2", b"\x00\3", b"\x00\4"]
    for count, value in ((1, 1), (2, 0x102), (4, 0x1020304)):
        cells = decode_rle(rle(*planes[:count]), rows=1, columns=1, samples=1).cells
        assert cells.tolist() == [[value]]
        assert cells.dtype.itemsize == count
    with pytest.raises(UnreadableFileError, match="pixel data are damaged"):
        decode_rle(rle(*planes[:3]), rows=1, columns=1, samples=1)


def test_rle_headers_are_known() -> None:
    """An RLE header has ascending offsets from 64 on, and zeros after them."""
    assert is_rle_header(rle(b"\3\1", b"\3\1"))
    for wrong in ((0, 64), (16, 64), (1, 65), (1, 64, 70), (2, 64, 60)):
        assert not is_rle_header(struct.pack("<16L", *wrong, *[0] * (16 - len(wrong))))
    assert not is_rle_header(bytes(10))
