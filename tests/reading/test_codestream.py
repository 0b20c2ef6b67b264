"""Fragments and codestreams, without a DICOM file around them."""

import io
import struct
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate

from lesionscan.reading.codestream import (
    codestream_header,
    decode_codestream,
    decode_rle,
    encapsulated_frame,
    list_fragments,
)
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.jpeg2000_tiles import check_tiles

EMPTY_ITEM = b"\xfe\xff\x00\xe0" + bytes(4)
END = b"\xfe\xff\xdd\xe0" + bytes(4)
PICTURE = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)


def frame_of(data: bytes, limit: int = 1000, frame: int = 1, frames: int = 1) -> bytes:
    """Read the fragments in `data`."""
    stream = io.BytesIO(data)
    listed = list_fragments(stream)
    return encapsulated_frame(stream, listed, frame=frame, frames=frames, max_bytes=limit)


def test_fragments_are_joined() -> None:
    """A frame in several fragments comes back whole, its offset table left out."""
    data = encapsulate([b"abcdefgh"], fragments_per_frame=2) + END
    assert frame_of(data) == b"abcdefgh"


@pytest.mark.parametrize("has_bot", [False, True])
def test_one_fragment_a_frame(*, has_bot: bool) -> None:
    """With as many fragments as frames each is one, whether a table says so or not."""
    parts = [b"ab", b"cdef", b"gh"]
    data = encapsulate(parts, has_bot=has_bot) + END
    assert [frame_of(data, frame=n, frames=3) for n in (1, 2, 3)] == parts


def test_the_offset_table_says_where_frames_start() -> None:
    """With more fragments than frames the table tells which belong together; else nobody can."""
    parts = [b"abcdefgh", b"ijkl"]
    data = encapsulate(parts, fragments_per_frame=2) + END
    assert [frame_of(data, frame=n, frames=2) for n in (1, 2)] == parts
    data = encapsulate(parts, fragments_per_frame=2, has_bot=False) + END
    with pytest.raises(UnreadableFileError, match="do not say where each frame") as caught:
        frame_of(data, frames=2)
    assert caught.value.code == "undecodable"


def test_ends_of_codestreams_say_where_frames_end() -> None:
    """Without a table a frame ends with the fragment that holds the end marker, padded or not."""
    parts = [b"abcdef\xff\xd9", b"ghijk\xff\xd9\0"]
    data = encapsulate(parts, fragments_per_frame=2, has_bot=False) + END
    assert [frame_of(data, frame=n, frames=2).rstrip(b"\0") for n in (1, 2)] == [
        part.rstrip(b"\0") for part in parts
    ]


def test_whole_frames_before_a_cut_are_there() -> None:
    """Where the end is missing, what is whole is read, with a table or without."""
    parts = [b"abcdef\xff\xd9", b"ghijkl\xff\xd9", b"mnopqr\xff\xd9"]
    for has_bot in (False, True):
        data = encapsulate(parts, has_bot=has_bot)[:-16]
        assert [frame_of(data, frame=n, frames=3) for n in (1, 2)] == parts[:2]
        with pytest.raises(UnreadableFileError) as caught:
            frame_of(data, frame=3, frames=3)
        assert caught.value.code == "truncated"


def test_only_the_frame_asked_for_counts_as_length() -> None:
    """A long neighbour does not make a short frame too long."""
    data = encapsulate([b"ab", bytes(2000)]) + END
    assert frame_of(data, 1000, frame=1, frames=2) == b"ab"
    with pytest.raises(UnreadableFileError, match="too long"):
        frame_of(data, 1000, frame=2, frames=2)


def test_millions_of_fragments_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hostile file's list of empty fragments ends before memory does."""
    monkeypatch.setattr("lesionscan.reading.codestream._MAX_FRAGMENTS", 9)
    with pytest.raises(UnreadableFileError, match="too many fragments") as caught:
        frame_of(EMPTY_ITEM * 12 + END)
    assert caught.value.code == "undecodable"


def test_missing_end_marker_is_tolerated() -> None:
    """Some writers leave the sequence delimiter out."""
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
    """Broken encapsulation is refused before more memory is taken than the picture needs."""
    with pytest.raises(UnreadableFileError, match=message) as caught:
        frame_of(data, limit)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("data", "family", "precision"),
    [
        (imagecodecs.jpeg8_encode(PICTURE, lossless=True, bitspersample=12), "jpeg", 12),
        (imagecodecs.jpegls_encode(PICTURE), "jpeg_ls", 16),
        (
            imagecodecs.jpeg2k_encode(PICTURE, codecformat="j2k", bitspersample=12),
            "jpeg2000",
            12,
        ),
        (imagecodecs.jpeg2k_encode(PICTURE, codecformat="jp2", bitspersample=12), "jpeg2000", 12),
        (imagecodecs.htj2k_encode(PICTURE), "jpeg2000", 16),
    ],
)
def test_header_tells_family_and_size(data: bytes, family: str, precision: int) -> None:
    """Every family's header gives rows, columns, samples and precision."""
    header = codestream_header(data)
    assert header is not None
    assert (header.family, header.rows, header.columns) == (family, 20, 30)
    assert (header.samples, header.precision) == (1, precision)


def test_jpeg2000_size_is_counted_from_its_offset() -> None:
    """A JPEG 2000 picture that starts off the grid's origin is smaller than its extent."""
    data = bytearray(imagecodecs.jpeg2k_encode(PICTURE, codecformat="j2k"))
    struct.pack_into(">LL", data, 16, 10, 5)
    header = codestream_header(bytes(data))
    assert header is not None
    assert (header.rows, header.columns) == (15, 20)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xda\x00\x02",
        b"\xff\xd8\x00\x00\x00\x00",
        b"\xff\xd8\xff\xc0\x00\x0b",
        b"\xff\xd8\xff\xff\xff\xff",
        b"\xff\xd8\xff\xc9\x00\x0b" + bytes(20),
        b"\xff\x4f\xff\x51" + bytes(10),
        b"\xff\x4f\xff\x51" + bytes(60),
        b"\x00\x00\x00\x0cjP  " + bytes(60),
        b"RIFF" + bytes(60),
    ],
)
def test_no_header_is_none(data: bytes) -> None:
    """Bytes that are no codestream that can be decoded have no header."""
    assert codestream_header(data) is None
    with pytest.raises(UnreadableFileError, match="compression is not RLE, JPEG") as caught:
        decode_codestream(data, rows=20, columns=30, samples=1)
    assert caught.value.code == "unsupported_transfer_syntax"


def test_size_must_agree_with_the_image_header() -> None:
    """A codestream of another size than the header's is refused before it is decoded."""
    data = bytes(imagecodecs.jpegls_encode(PICTURE))
    with pytest.raises(
        UnreadableFileError, match=r"compressed picture is 20 x 30 x 1, the header says 20 x 31"
    ):
        decode_codestream(data, rows=20, columns=31, samples=1)


@pytest.mark.parametrize("family", ["jpegls", "jpeg2k", "ljpeg"])
def test_damaged_codestream_is_refused(family: str) -> None:
    """A codestream without end is truncated; one with a broken body is undecodable."""
    encode = getattr(imagecodecs, f"{family}_encode")
    data = bytes(encode(PICTURE, codecformat="j2k") if family == "jpeg2k" else encode(PICTURE))
    with pytest.raises(UnreadableFileError, match="ends before the picture does"):
        decode_codestream(data[:-2], rows=20, columns=30, samples=1)
    header = codestream_header(data)
    assert header is not None
    broken = data[: header.body] + b"\x00\xff\xd9"
    with pytest.raises(UnreadableFileError, match="pixel data are damaged"):
        decode_codestream(broken, rows=20, columns=30, samples=1)


def test_damaged_rle_is_refused() -> None:
    """RLE with the wrong number of segments, or with broken ones, is refused."""
    size = {"rows": 20, "columns": 30, "samples": 1}
    for data in (b"", struct.pack("<16L", 1, 64, *[0] * 14), struct.pack("<16L", 2, 64, *[0] * 14)):
        with pytest.raises(UnreadableFileError, match="pixel data are damaged"):
            decode_rle(data, **size, cell_bytes=2)


def rle(*segments: bytes) -> bytes:
    """Return RLE data of these segments."""
    offsets = [64 + sum(map(len, segments[:n])) for n in range(len(segments))]
    return struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(offsets))) + b"".join(
        segments
    )


@pytest.mark.parametrize("pad", [b"", b"\0", b"\x80"])
def test_rle_segments_are_joined_most_significant_first(pad: bytes) -> None:
    """Each segment is one byte of every pixel; a byte of padding does not matter."""
    data = rle(b"\x03\1\2\3\4" + pad, b"\xfd\7" + pad)
    cells = decode_rle(data, rows=2, columns=2, samples=1, cell_bytes=2)
    np.testing.assert_array_equal(cells, [[0x107, 0x207], [0x307, 0x407]])
    colour = decode_rle(
        rle(b"\xfd\1", b"\x03\1\2\3\4", b"\xfd\3"), rows=2, columns=2, samples=3, cell_bytes=1
    )
    np.testing.assert_array_equal(colour[1, 0], [1, 3, 3])


@pytest.mark.parametrize(
    ("segments", "code"),
    [
        ((b"\x01\1\2", b"\xfd\7"), "truncated"),  # half of the rows
        ((b"\x03\1\2\3\4", b"\xff\7"), "truncated"),
        ((b"\x03\1\2\3\4", b""), "truncated"),
        ((b"\x03\1\2", b"\xfd\7"), "undecodable"),
        ((b"\x04\1\2\3\4\5", b"\xfd\7"), "undecodable"),
    ],
)
def test_rle_segments_give_every_pixel(segments: tuple[bytes, ...], code: str) -> None:
    """A segment with fewer bytes than pixels is refused, never filled up with zeros."""
    with pytest.raises(UnreadableFileError, match="again") as caught:
        decode_rle(rle(*segments), rows=2, columns=2, samples=1, cell_bytes=2)
    assert caught.value.code == code


def test_rle_segments_lie_behind_each_other() -> None:
    """Offsets into the header, backwards or beyond the end are refused."""
    whole = rle(b"\x03\1\2\3\4", b"\xfd\7")
    for offsets in ((0, 69), (69, 64), (64, 900)):
        data = struct.pack("<3L", 2, *offsets) + whole[12:]
        with pytest.raises(UnreadableFileError, match="pixel data are damaged"):
            decode_rle(data, rows=2, columns=2, samples=1, cell_bytes=2)


NOISE = np.random.default_rng(1).integers(0, 4096, (64, 64)).astype(np.uint16)


def test_a_hole_in_jpeg_2000_is_doubtful() -> None:
    """A run of zeros that no arithmetic coder writes shows a hole; zeros elsewhere do not."""
    size = {"rows": 64, "columns": 64, "samples": 1}
    data = bytes(imagecodecs.jpeg2k_encode(NOISE, level=0, codecformat="j2k"))
    assert not decode_codestream(data + bytes(400), **size).doubtful
    middle = len(data) // 2
    holed = data[:middle] + bytes(300) + data[middle + 300 :]
    assert decode_codestream(holed, **size).doubtful


def test_zeros_may_stand_in_htj2k() -> None:
    """HTJ2K stores some bits as they are, so a run of zeros says nothing."""
    data = bytes(imagecodecs.htj2k_encode(NOISE))
    assert not check_tiles(data[:300] + bytes(300) + data[300:])


def tiled(**options: Any) -> bytes:  # noqa: ANN401 - options of Pillow
    """Encode a picture in tiles or layers, which imagecodecs does not."""
    out = io.BytesIO()
    picture = Image.fromarray((NOISE >> 4).astype(np.uint8))
    picture.save(out, "JPEG2000", no_jp2=True, **options)
    return out.getvalue()


def test_every_tile_of_jpeg_2000_is_needed() -> None:
    """A codestream closed between two tiles is not filled up with grey."""
    size = {"rows": 64, "columns": 64, "samples": 1}
    data = tiled(tile_size=(32, 32))
    assert not decode_codestream(data, **size).doubtful
    starts = [at for at in range(len(data)) if data.startswith(b"\xff\x90\0\x0a", at)]
    assert len(starts) == 4
    for start in starts[1:]:
        with pytest.raises(UnreadableFileError, match="ends before the picture") as caught:
            decode_codestream(data[:start] + b"\xff\xd9", **size)
        assert caught.value.code == "truncated"


def test_every_part_of_a_tile_is_needed() -> None:
    """A tile that counts more parts than there are is not whole."""
    data = bytearray(tiled())
    start = data.index(b"\xff\x90\0\x0a")
    assert not check_tiles(bytes(data))
    data[start + 11] = 3
    with pytest.raises(UnreadableFileError, match="ends before the picture"):
        check_tiles(bytes(data))
    data[start + 6 : start + 10] = bytes(4)  # up to the end: the only part
    data[start + 11] = 1
    assert not check_tiles(bytes(data))
