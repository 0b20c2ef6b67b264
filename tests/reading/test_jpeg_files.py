"""JPEG files of every depth and process that the decoder supports."""

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray

from lesionscan.reading import UnreadableFileError, read_radiograph

GREY = np.linspace(0, 4095, 60 * 70).round().astype(np.uint16).reshape(60, 70)
LOSSLESS_BITS = [8, 10, 12, 16]


def grey(bits: int) -> NDArray[Any]:
    """Return a film that spans the whole range of its bits."""
    values = np.linspace(0, (1 << bits) - 1, 60 * 70).round()
    return values.astype(np.uint8 if bits <= 8 else np.uint16).reshape(60, 70)


@pytest.mark.parametrize("bits", LOSSLESS_BITS)
@pytest.mark.parametrize("codec", ["jpeg_lossless", "jpeg_ls"])
def test_lossless_values_are_exact(tmp_path: Path, codec: str, bits: int) -> None:
    """Lossless JPEG and JPEG-LS keep every grey value of up to 16 bits."""
    film = grey(bits)
    data = (
        imagecodecs.jpeg8_encode(film, lossless=True, bitspersample=bits)
        if codec == "jpeg_lossless"
        else imagecodecs.jpegls_encode(film)
    )
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    read = read_radiograph(path)
    np.testing.assert_array_equal(read.pixels, film)
    # this encoder of JPEG-LS supports only 8 and 16 bits
    stored = 16 if codec == "jpeg_ls" and bits > 8 else bits
    assert read.acquisition["bits_stored"] == stored


def test_twelve_bits(tmp_path: Path) -> None:
    """An extended JPEG of 12 bits is read with its 12-bit values."""
    path = tmp_path / "a.jpg"
    path.write_bytes(imagecodecs.jpeg8_encode(GREY, level=98, bitspersample=12))
    read = read_radiograph(path)
    assert np.abs(read.pixels - GREY).max() < 60
    assert read.acquisition["bits_stored"] == 12


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_half_files_are_refused(tmp_path: Path, lossless: bool, share: float) -> None:
    """An incomplete JPEG of 12 bits is refused, lossy or lossless, and never filled in."""
    data = imagecodecs.jpeg8_encode(GREY, level=98, lossless=lossless, bitspersample=12)
    path = tmp_path / "a.jpg"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UnreadableFileError, match="copy or export") as caught:
        read_radiograph(path)
    assert caught.value.code in ("truncated", "undecodable")


def test_lossless_colour_that_is_grey(tmp_path: Path) -> None:
    """A lossless colour JPEG with equal channels is read as grey."""
    film = grey(8)
    path = tmp_path / "a.jpg"
    path.write_bytes(imagecodecs.jpeg8_encode(np.dstack([film] * 3), lossless=True))
    np.testing.assert_array_equal(read_radiograph(path).pixels, film)


@pytest.mark.parametrize("kind", ["jpeg", "jpeg_ls", "png"])
def test_what_follows_the_picture(tmp_path: Path, kind: str) -> None:
    """Another image after the first is reported; other bytes are ignored."""
    data = {
        "jpeg": imagecodecs.jpeg8_encode(grey(8), lossless=True),
        "jpeg_ls": imagecodecs.jpegls_encode(grey(8)),
        "png": imagecodecs.png_encode(grey(8)),
    }[kind]
    path = tmp_path / "a.img"
    for behind, is_told in ((b"", False), (bytes(9), False), (b"a" * 99, False), (data, True)):
        path.write_bytes(bytes(data) + bytes(behind))
        read = read_radiograph(path)
        np.testing.assert_array_equal(read.pixels, grey(8))
        told = {entry.code: entry.message for entry in read.notices}
        assert ("another picture follows" in told.get("pixels_left_over", "")) == is_told
