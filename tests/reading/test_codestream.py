"""Headers and decoding of codestreams outside DICOM files."""

import io
import struct
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from lesionscan.reading import codestream
from lesionscan.reading.codestream import codestream_header, decode_codestream
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.jpeg2000_tiles import check_tiles

PICTURE = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)


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
    """The size of a JPEG 2000 image excludes its offset from the origin of the reference grid."""
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
    """Bytes that are not a supported codestream have no header, and decoding refuses them."""
    assert codestream_header(data) is None
    with pytest.raises(UnreadableFileError, match="compression is not RLE, JPEG") as caught:
        decode_codestream(data, max_megapixels=1)
    assert caught.value.code == "unsupported_transfer_syntax"


def test_two_samples_are_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A codestream with two samples per pixel, neither grey nor colour, is not decoded."""
    monkeypatch.setattr(codestream, "_decode_jpeg2000", pytest.fail)
    data = bytes(imagecodecs.jpeg2k_encode(np.dstack([PICTURE] * 2), codecformat="j2k"))
    with pytest.raises(UnreadableFileError, match="20 x 30 pixels of 2 samples") as caught:
        decode_codestream(data, max_megapixels=1)
    assert caught.value.code == "undecodable"


def test_the_size_is_checked_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A codestream that is larger than the limit, or has no rows, is not decoded."""
    monkeypatch.setattr(codestream, "_decode", pytest.fail)
    data = bytes(imagecodecs.jpegls_encode(PICTURE))
    with pytest.raises(UnreadableFileError, match="20 x 30 pixels are more") as caught:
        decode_codestream(data, max_megapixels=0.0005)
    assert caught.value.code == "too_large"
    at = data.index(b"\0\x14\0\x1e")
    with pytest.raises(UnreadableFileError, match="0 x 30 pixels") as caught:
        decode_codestream(data[:at] + bytes(2) + data[at + 2 :], max_megapixels=1)
    assert caught.value.code == "undecodable"


@pytest.mark.parametrize("family", ["jpegls", "jpeg2k", "ljpeg"])
def test_damaged_codestream_is_refused(family: str) -> None:
    """A codestream without end marker is truncated, one with a broken body is undecodable."""
    encode = getattr(imagecodecs, f"{family}_encode")
    data = bytes(encode(PICTURE, codecformat="j2k") if family == "jpeg2k" else encode(PICTURE))
    with pytest.raises(UnreadableFileError, match="ends before the picture does") as caught:
        decode_codestream(data[:-2], max_megapixels=1)
    assert caught.value.code == "truncated"
    header = codestream_header(data)
    assert header is not None
    broken = data[: header.body] + b"\x00\xff\xd9"
    with pytest.raises(UnreadableFileError, match="pixel data are damaged") as caught:
        decode_codestream(broken, max_megapixels=1)
    assert caught.value.code == "undecodable"


NOISE = np.random.default_rng(1).integers(0, 4096, (64, 64)).astype(np.uint16)


def test_a_hole_in_jpeg_2000_is_doubtful() -> None:
    """A long run of zeros inside JPEG 2000 data is doubtful; zeros after its end are not.

    Its arithmetic coder never writes such a run.
    """
    data = bytes(imagecodecs.jpeg2k_encode(NOISE, level=0, codecformat="j2k"))
    assert not decode_codestream(data + bytes(400), max_megapixels=1).doubtful
    middle = len(data) // 2
    holed = data[:middle] + bytes(300) + data[middle + 300 :]
    assert decode_codestream(holed, max_megapixels=1).doubtful


def test_zeros_in_htj2k_are_not_doubtful() -> None:
    """A run of zeros in HTJ2K is not doubtful, because HTJ2K stores some bits without coding."""
    data = bytes(imagecodecs.htj2k_encode(NOISE))
    assert not check_tiles(data[:300] + bytes(300) + data[300:])


def tiled(**options: Any) -> bytes:  # noqa: ANN401 - options of Pillow
    """Encode with options that imagecodecs lacks, such as tiles."""
    out = io.BytesIO()
    picture = Image.fromarray((NOISE >> 4).astype(np.uint8))
    picture.save(out, "JPEG2000", no_jp2=True, **options)
    return out.getvalue()


def test_every_tile_of_jpeg_2000_is_needed() -> None:
    """A JPEG 2000 codestream closed between two tiles counts as truncated."""
    data = tiled(tile_size=(32, 32))
    assert not decode_codestream(data, max_megapixels=1).doubtful
    starts = [at for at in range(len(data)) if data.startswith(b"\xff\x90\0\x0a", at)]
    assert len(starts) == 4
    for start in starts[1:]:
        with pytest.raises(UnreadableFileError, match="ends before the picture") as caught:
            decode_codestream(data[:start] + b"\xff\xd9", max_megapixels=1)
        assert caught.value.code == "truncated"


def test_every_part_of_a_tile_is_needed() -> None:
    """A tile with fewer tile-parts than it declares counts as truncated."""
    data = bytearray(tiled())
    start = data.index(b"\xff\x90\0\x0a")
    assert not check_tiles(bytes(data))
    data[start + 11] = 3
    with pytest.raises(UnreadableFileError, match="ends before the picture"):
        check_tiles(bytes(data))
    data[start + 6 : start + 10] = bytes(4)  # length 0: the only tile-part, up to the end
    data[start + 11] = 1
    assert not check_tiles(bytes(data))
