"""Headers that disagree with the pixel data about bits: values never wrap; a notice says so."""

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from lesionscan.radiograph import Radiograph
from lesionscan.reading import read_radiograph
from tests.reading.dicom_maker import LOSSLESS, Array, dataset, encode, save


def film(bits: int) -> Array:
    """Return a smooth image with some noise that spans the whole range of `bits`."""
    rows, columns = np.mgrid[0:90, 0:120]
    smooth = np.sin(rows / 25) * np.cos(columns / 31) + np.random.default_rng(3).normal(
        0, 0.01, (90, 120)
    )
    smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    return np.asarray(np.rint(smooth * ((1 << bits) - 1)), np.int64)


def native(cells: Array, **tags: Any) -> Dataset:  # noqa: ANN401 - whatever a DICOM tag may hold
    """Return a data set with these cells of 16 bits and these tags."""
    ds = dataset(cells & 0xFFFF, bits_stored=16)
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return ds


def compressed(stream: bytes, packing: str, **tags: Any) -> Dataset:  # noqa: ANN401
    """Return a data set with this codestream and these tags."""
    ds = dataset(film(12), bits_stored=12, packing=packing)
    ds.PixelData = encapsulate([stream])
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return ds


def read(ds: Dataset, folder: Path) -> tuple[Radiograph, list[str]]:
    """Read a film; return it, and the messages about its bits."""
    radiograph = read_radiograph(save(ds, folder / "a.dcm"))
    said = [one.message for one in radiograph.notices if one.code == "bits_disagree"]
    return radiograph, said


@pytest.mark.parametrize("packing", ["explicit", "big_endian", "deflated", "rle"])
@pytest.mark.parametrize(("stored", "real"), [(12, 14), (10, 12), (8, 12), (12, 13), (15, 16)])
def test_values_beyond_bits_stored_are_whole(
    tmp_path: Path, packing: str, stored: int, real: int
) -> None:
    """If BitsStored is too small, the varying bits directly above it belong to the value."""
    ds = dataset(film(real), bits_stored=real, bits_allocated=16, packing=packing)
    ds.BitsStored, ds.HighBit = stored, stored - 1
    radiograph, said = read(ds, tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, film(real))
    assert radiograph.acquisition["bits_stored"] == real
    assert [message.partition(";")[0] for message in said] == [
        f"BitsStored is {stored}, but the pixel values take {real} bits"
    ]


def test_monochrome1_is_turned_round_within_the_bits_that_are_used(tmp_path: Path) -> None:
    """MONOCHROME1 is inverted within the bits that are used, so that no value wraps."""
    ds = dataset(film(14), bits_stored=14, photometric="MONOCHROME1")
    ds.BitsStored, ds.HighBit = 12, 11
    np.testing.assert_array_equal(read(ds, tmp_path)[0].pixels, 16383 - film(14))


@pytest.mark.parametrize("packing", ["jpeg_lossless", "jpeg2000"])
@pytest.mark.parametrize(("stored", "real"), [(12, 14), (16, 14), (10, 12), (14, 12), (12, 8)])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_the_codestreams_precision_is_right(
    tmp_path: Path, packing: str, stored: int, real: int, photometric: str
) -> None:
    """The codestream's precision replaces BitsStored, for the values and for their inversion."""
    cells = film(real).astype(np.uint8 if real == 8 else np.uint16)
    ds = compressed(
        encode(cells, real, packing), packing, BitsStored=stored, HighBit=stored - 1,
        PhotometricInterpretation=photometric,
    )  # fmt: skip
    radiograph, said = read(ds, tmp_path)
    turned = (1 << real) - 1 - film(real)
    np.testing.assert_array_equal(
        radiograph.pixels, turned if photometric == "MONOCHROME1" else film(real)
    )
    assert len(said) == 1
    assert f"BitsStored is {stored}, but the codestream has {real} bits" in said[0]


def test_encoders_that_always_write_16_bits_change_nothing(tmp_path: Path) -> None:
    """A precision above BitsStored counts only if the values use the additional bits."""
    cells = film(14).astype(np.uint16)
    for stored, expected in ((14, 0), (12, 1)):
        ds = compressed(
            bytes(imagecodecs.jpegls_encode(cells)),
            "jpeg_ls",
            BitsStored=stored,
            HighBit=stored - 1,
        )
        radiograph, said = read(ds, tmp_path)
        np.testing.assert_array_equal(radiograph.pixels, cells)
        assert len(said) == expected


def test_lossy_values_far_beyond_the_range_are_no_overshoot(tmp_path: Path) -> None:
    """Lossy 12-bit values declared as 10 bits are kept; a small overshoot is clipped."""
    stream = encode(film(12).astype(np.uint16), 12, "jpeg_extended")
    ds = compressed(stream, "jpeg_extended", BitsStored=10, HighBit=9)
    radiograph, said = read(ds, tmp_path)
    assert np.abs(radiograph.pixels - film(12)).max() <= 16
    assert len(said) == 1
    slightly = np.clip(film(10) * 1.02, 0, 1040).astype(np.uint16)
    stream = encode(slightly, 12, "jpeg_extended")
    ds = compressed(stream, "jpeg_extended", BitsStored=10, HighBit=9)
    radiograph, said = read(ds, tmp_path)
    assert radiograph.pixels.max() == 1023
    assert not said


@pytest.mark.parametrize("junk", [0xC000, 0x8000, 0xF000])
def test_bits_that_never_change_are_no_values(tmp_path: Path, junk: int) -> None:
    """Bits above the value that are set in every cell are dropped without a notice."""
    ds = native(film(12) | junk, BitsStored=12, HighBit=11)
    radiograph, said = read(ds, tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    assert not said


def test_overlay_bits_are_no_values(tmp_path: Path) -> None:
    """Bits above the value that the header declares as overlays are dropped without a notice."""
    drawn = np.zeros((90, 120), dtype=np.int64)
    drawn[20:40, 30:70] = 1
    ds = native(film(12) | drawn << 12 | drawn.T[:90, :90].repeat(2, 1)[:, :120] << 13)
    ds.BitsStored, ds.HighBit = 12, 11
    for group, position in ((0x6000, 12), (0x6002, 13)):
        ds.add_new((group, 0x0010), "US", 90)
        ds.add_new((group, 0x0102), "US", position)
    radiograph, said = read(ds, tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    assert not said


def test_a_bit_apart_from_the_value_is_dropped_and_said(tmp_path: Path) -> None:
    """An undeclared overlay that unused bits separate from the value is dropped with a notice."""
    drawn = (film(12) > 3000).astype(np.int64) << 15
    radiograph, said = read(native(film(12) | drawn, BitsStored=12, HighBit=11), tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    assert len(said) == 1
    assert "bits above the 12 bits of the value are used; they were dropped" in said[0]


def test_an_unreadable_overlay_position_is_irregular(tmp_path: Path) -> None:
    """An unreadable OverlayBitPosition is reported as irregular, and the film is read."""
    ds = native(film(12), BitsStored=12, HighBit=11)
    ds.add_new((0x6000, 0x0102), "US", [1, 2])
    radiograph, _ = read(ds, tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    assert "header_irregular" in {one.code for one in radiograph.notices}


def test_a_high_bit_that_cannot_be_is_not_believed(tmp_path: Path) -> None:
    """HighBit 15 is used for values in the upper bits of their cells, and ignored for others."""
    radiograph, said = read(native(film(12), BitsStored=12, HighBit=15), tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    assert "HighBit is 15, but the lowest bits are used" in said[0]
    radiograph, said = read(native(film(12) << 4, BitsStored=12, HighBit=15), tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    assert not said
    radiograph, said = read(
        native(film(12) << 4 | 5 & film(4), BitsStored=12, HighBit=15), tmp_path
    )
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    assert "bits below the value (HighBit, BitsStored) are used; they were dropped" in said[0]


def test_left_aligned_values_called_right_aligned_do_not_wrap(tmp_path: Path) -> None:
    """Values in the upper 12 bits with HighBit 11 are read as whole cells, with a notice."""
    radiograph, said = read(native(film(12) << 4, BitsStored=12, HighBit=11), tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, film(12) << 4)
    assert len(said) == 1


@pytest.mark.parametrize(("stored", "real"), [(12, 12), (16, 16), (12, 14), (16, 12)])
def test_values_without_sign_called_signed_are_not_torn(
    tmp_path: Path, stored: int, real: int
) -> None:
    """Unsigned values with PixelRepresentation 1 are read as unsigned, so bright stays bright."""
    ds = native(film(real), BitsStored=stored, HighBit=stored - 1, PixelRepresentation=1)
    radiograph, said = read(ds, tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, film(real))
    assert any("PixelRepresentation is 1" in message for message in said) is (real >= stored)


@pytest.mark.parametrize("allocated", [12, 14, 16])
def test_signed_values_stay_signed(tmp_path: Path, allocated: int) -> None:
    """Signed values are exact with extended or masked sign bits, and if BitsStored is too small."""
    stored = film(12) - 2048
    ds = native(stored & (1 << allocated) - 1, BitsStored=12, HighBit=11, PixelRepresentation=1)
    radiograph, said = read(ds, tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, stored)
    assert bool(said) is (allocated == 14)
    wider = film(14) - 8192
    radiograph, said = read(
        native(wider, BitsStored=12, HighBit=11, PixelRepresentation=1), tmp_path
    )
    np.testing.assert_array_equal(radiograph.pixels, wider)
    assert len(said) == 1


def test_negative_numbers_called_unsigned_keep_their_sign(tmp_path: Path) -> None:
    """Values declared as unsigned are read as signed if sign bits extend above BitsStored."""
    stored = film(11) - 300
    radiograph, said = read(native(stored, BitsStored=12, HighBit=11), tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, stored)
    assert "PixelRepresentation is 0, but the cells hold negative numbers" in said[0]


@pytest.mark.parametrize("stored", [12, 16, 10])
@pytest.mark.parametrize("representation", [0, 1])
def test_samples_with_a_sign_are_believed(tmp_path: Path, stored: int, representation: int) -> None:
    """The sign and precision in a JPEG 2000 codestream replace those of the header."""
    cells = (film(12) - 2048).astype(np.int16)
    stream = bytearray(
        imagecodecs.jpeg2k_encode(
            cells, level=0, codecformat="j2k", reversible=True, bitspersample=12
        )
    )
    ds = compressed(
        bytes(stream), "jpeg2000", BitsStored=stored, HighBit=stored - 1,
        PixelRepresentation=representation,
    )  # fmt: skip
    radiograph, said = read(ds, tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, cells)
    assert len(said) == (stored != 12) + (representation == 0)


def test_rle_segments_say_how_many_bits_are_allocated(tmp_path: Path) -> None:
    """Two RLE segments are read as cells of 16 bits although BitsAllocated is 8."""
    ds = dataset(film(12), bits_stored=12, packing="rle")
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    radiograph, said = read(ds, tmp_path)
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    assert "BitsAllocated is 8, but the RLE segments make cells of 16 bits" in said[0]


def test_rle_segments_of_fewer_bits_than_stored(tmp_path: Path) -> None:
    """MONOCHROME1 in RLE cells of 8 bits is inverted within 8 bits although BitsStored is 12."""
    ds = dataset(255 - film(8), bits_stored=8, packing="rle", photometric="MONOCHROME1")
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, film(8))
    messages = [one.message for one in radiograph.notices if one.code == "bits_disagree"]
    assert "the RLE segments make cells of 8 bits" in messages[0]
    assert messages[1].startswith("BitsStored is 12, but the codestream has 8 bits")


def test_a_sign_that_goes_on_in_some_cells_only(tmp_path: Path) -> None:
    """If only some cells repeat the sign above BitsStored, these bits are dropped with a notice.

    A public test file has such cells, and other readers read the same values.
    """
    stored = film(12) - 2048
    cells = np.where(np.arange(120) % 2 == 0, stored, stored & 0xFFF)
    ds = native(cells, BitsStored=12, HighBit=11, PixelRepresentation=1)
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, stored)
    message = "bits above BitsStored, 12, repeat the sign in some cells only; they were dropped"
    assert radiograph.notices[0].message.startswith(message)


def test_signed_values_of_a_bit_more_are_no_sign(tmp_path: Path) -> None:
    """Signed values beyond the range of BitsStored do not wrap to its other end."""
    stored = film(12) - 500
    ds = native(stored, BitsStored=12, HighBit=11, PixelRepresentation=1)
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, stored)
    assert "BitsStored is 12, but the pixel values take" in radiograph.notices[0].message


@pytest.mark.parametrize("packing", ["explicit", "big_endian", "deflated", *LOSSLESS])
@pytest.mark.parametrize(("allocated", "stored"), [(8, 12), (8, 16), (16, 17), (16, 32)])
def test_more_bits_stored_than_allocated(
    tmp_path: Path, packing: str, allocated: int, stored: int
) -> None:
    """If BitsStored exceeds BitsAllocated, the pixel data decide, and a notice names both tags."""
    tags = {"BitsAllocated": allocated, "BitsStored": stored, "HighBit": stored - 1}
    ds = dataset(film(12), bits_stored=12, packing=packing)
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    messages = [one.message for one in radiograph.notices if one.code == "bits_disagree"]
    named = f"BitsStored is {stored}, more than BitsAllocated, {allocated};"
    assert any(message.startswith(named) for message in messages)
