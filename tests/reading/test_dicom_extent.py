"""PixelData with more or fewer frames and rows than the header states: none is lost silently."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag

from lesionscan.radiograph import Radiograph
from lesionscan.reading import UnreadableFileError, open_radiographs, read_radiograph
from lesionscan.settings import Settings
from tests.reading.dicom_maker import LOSSLESS, NATIVE, Array, dataset, encode, ramp, save
from tests.reading.test_dicom_bits import film

CODES = {"frames_disagree", "pixels_left_over"}


def stack(count: int = 3) -> list[Array]:
    """Return images that all differ."""
    one = film(12)
    return [one, one[:, ::-1], one[::-1], one[::-1, ::-1]][:count]


def several(packing: str, pictures: list[Array], **tags: Any) -> Dataset:  # noqa: ANN401
    """Return a data set with these images as frames and these tags."""
    ds = dataset(pictures[0], bits_stored=12, packing=packing)
    if packing in NATIVE:
        ds.PixelData = dataset(np.concatenate(pictures), bits_stored=12, packing=packing).PixelData
    else:
        ds.PixelData = encapsulate([encode(one.astype(np.uint16), 12, packing) for one in pictures])
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    return ds


def read_all(path: Path) -> list[Radiograph]:
    """Read every frame of a file."""
    with open_radiographs(path) as frames:
        return [frames.read(number) for number in range(1, frames.count + 1)]


def said(radiograph: Radiograph) -> list[str]:
    """Return the messages about frames, rows and surplus bytes."""
    return [one.message for one in radiograph.notices if one.code in CODES]


@pytest.mark.parametrize("packing", [*NATIVE, *LOSSLESS])
@pytest.mark.parametrize("frames", [None, 1, 2, 3, 4, 900])
def test_the_pictures_are_those_of_the_data(
    tmp_path: Path, packing: str, frames: int | None
) -> None:
    """All three frames are read if NumberOfFrames is missing, too small, correct or too large."""
    tags = {} if frames is None else {"NumberOfFrames": frames}
    read = read_all(save(several(packing, stack(), **tags), tmp_path / "a.dcm"))
    for one, expected in zip(read, stack(), strict=True):
        np.testing.assert_array_equal(one.pixels, expected)
        assert len(said(one)) == (frames != 3)
        assert all("NumberOfFrames is" in message and " 3" in message for message in said(one))


@pytest.mark.filterwarnings("ignore:Invalid value for VR IS")
@pytest.mark.parametrize("value", [b"2147483648", b"-3", b"three ", b"0 "])
@pytest.mark.parametrize("packing", ["explicit", "jpeg2000"])
def test_what_is_no_number_of_frames_costs_none(tmp_path: Path, value: bytes, packing: str) -> None:
    """If NumberOfFrames is not usable, the frames are counted in the data, with a notice."""
    ds = several(packing, stack(2))
    tag = Tag("NumberOfFrames")
    ds[tag] = RawDataElement(tag, "IS", len(value), value, 0, False, True)
    read = read_all(save(ds, tmp_path / "a.dcm"))
    for one, expected in zip(read, stack(2), strict=True):
        np.testing.assert_array_equal(one.pixels, expected)
        assert said(one)


@pytest.mark.parametrize("rows", [45, 30, 60, 70])
@pytest.mark.parametrize("packing", ["explicit", "big_endian", "deflated"])
@pytest.mark.parametrize("signed", [False, True])
def test_a_film_that_goes_on_without_a_seam_is_one(
    tmp_path: Path, rows: int, packing: str, *, signed: bool
) -> None:
    """If Rows is too small, rows that continue without a seam are read as one film."""
    stored = film(12) - 2048 * signed
    ds = dataset(stored, bits_stored=12, packing=packing, signed=signed)
    if signed:  # with the sign bits extended over the whole cell
        ds.PixelData = stored.astype(">i2" if packing == "big_endian" else "<i2").tobytes()
    ds.Rows = rows
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, stored)
    assert len(said(radiograph)) == 1
    assert (
        f"Rows is {rows}, but the picture continues without a seam over 90" in said(radiograph)[0]
    )


@pytest.mark.parametrize("packing", ["explicit", "big_endian", "deflated"])
@pytest.mark.parametrize("frames", [1, 2])
def test_rows_and_columns_that_were_exchanged(tmp_path: Path, packing: str, frames: int) -> None:
    """Exchanged Rows and Columns are detected, because adjacent rows of an image are similar."""
    ds = several(packing, stack(frames), NumberOfFrames=frames, Rows=120, Columns=90)
    read = read_all(save(ds, tmp_path / "a.dcm"))
    for one, expected in zip(read, stack(frames), strict=True):
        np.testing.assert_array_equal(one.pixels, expected)
        assert "with 90 rows of 120 columns, which were read" in said(one)[0]


def test_some_pictures_show_no_rows(tmp_path: Path) -> None:
    """If no rows are similar, or each continues the previous one, Rows and Columns are used."""
    noise = np.random.default_rng(0).integers(0, 4096, (90, 120))
    for stored in (noise, *(ramp(12, rows=rows, columns=900 // rows) for rows in (9, 10, 90))):
        radiograph = read_radiograph(save(dataset(stored, bits_stored=12), tmp_path / "a.dcm"))
        np.testing.assert_array_equal(radiograph.pixels, stored)
        assert not said(radiograph)


@pytest.mark.parametrize("columns", [60, 40, 30])
@pytest.mark.parametrize("packing", ["explicit", "big_endian"])
def test_rows_that_go_on_are_not_two_pictures(tmp_path: Path, columns: int, packing: str) -> None:
    """If Columns is too small, the parts of each row are joined, with a notice."""
    ds = dataset(film(12), bits_stored=12, packing=packing, Columns=columns)
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    assert f"Columns is {columns}, but each row of PixelData has" in said(radiograph)[0]


def test_a_film_of_more_rows_has_the_same_limit(tmp_path: Path) -> None:
    """The size limit applies to the size that is read, not only to the declared one."""
    ds = dataset(film(12), bits_stored=12, Rows=45)
    with pytest.raises(UnreadableFileError, match="90 x 120 pixels are more") as caught:
        read_radiograph(save(ds, tmp_path / "a.dcm"), settings=Settings(max_megapixels=0.006))
    assert caught.value.code == "too_large"


def test_black_borders_are_no_proof_of_one_film(tmp_path: Path) -> None:
    """Frames with black borders, which would continue any row, are read as separate frames."""
    framed = np.pad(film(12), 8)
    read = read_all(save(several("explicit", [framed, framed[::-1]]), tmp_path / "a.dcm"))
    np.testing.assert_array_equal([one.pixels for one in read], [framed, framed[::-1]])


@pytest.mark.parametrize("packing", ["explicit", "big_endian"])
@pytest.mark.parametrize("frames", [1, 2])
def test_cells_of_16_bits_called_8_are_found(tmp_path: Path, packing: str, frames: int) -> None:
    """Cells of 16 bits are read although BitsAllocated is 8, if PixelData is twice as long."""
    ds = several(packing, stack(frames), NumberOfFrames=frames)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    read = read_all(save(ds, tmp_path / "a.dcm"))
    for one, expected in zip(read, stack(frames), strict=True):
        np.testing.assert_array_equal(one.pixels, expected)
        messages = [entry.message for entry in one.notices if entry.code == "bits_disagree"]
        assert "BitsAllocated is 8, but PixelData has twice as many bytes" in messages[0]
        assert "BitsStored is 8, but the pixel values take 12 bits" in messages[1]


@pytest.mark.parametrize(("called", "bits"), [(16, 8), (32, 8), (32, 16)])
@pytest.mark.parametrize("packing", ["explicit", "big_endian"])
def test_cells_that_are_called_wider_are_found(
    tmp_path: Path, packing: str, called: int, bits: int
) -> None:
    """If BitsAllocated is twice as large as the cells, the film is read with a notice.

    If it is four times as large, the film counts as truncated.
    """
    ds = dataset(film(bits), bits_stored=bits, packing=packing, BitsAllocated=called)
    path = save(ds, tmp_path / "a.dcm")
    if called == 4 * bits:
        with pytest.raises(UnreadableFileError, match="ends before the picture"):
            read_radiograph(path)
        return
    radiograph = read_radiograph(path)
    np.testing.assert_array_equal(radiograph.pixels, film(bits))
    (message,) = [one.message for one in radiograph.notices if one.code == "bits_disagree"]
    assert f"BitsAllocated is {called}, but PixelData has half as many bytes" in message


def test_half_a_film_is_not_called_one_of_8_bits(tmp_path: Path) -> None:
    """Half a film of 12 bits counts as truncated, because its values do not fit in 8-bit cells."""
    ds = dataset(film(12), bits_stored=12)
    ds.PixelData = ds.PixelData[: len(ds.PixelData) // 2]
    with pytest.raises(UnreadableFileError, match="ends before the picture") as caught:
        read_radiograph(save(ds, tmp_path / "a.dcm"))
    assert caught.value.code == "truncated"


def test_two_films_of_8_bits_are_not_called_one_of_16(tmp_path: Path) -> None:
    """Two frames of 8 bits are not mistaken for one of 16 bits.

    In cells of 8 bits, adjacent bytes are as similar as every second byte.
    """
    one = film(8)
    ds = dataset(one, bits_stored=8)
    ds.PixelData = np.stack([one, one[::-1]]).astype(np.uint8).tobytes()
    read = read_all(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal([each.pixels for each in read], [one, one[::-1]])


@pytest.mark.parametrize("behind", [2, 50, 1000])
def test_bytes_behind_the_picture_are_told(tmp_path: Path, behind: int) -> None:
    """Surplus bytes that are not a whole frame are reported; a single padding byte is not."""
    ds = dataset(film(12), bits_stored=12)
    ds.PixelData += bytes(behind)
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    assert f"has {behind} bytes more than Rows, Columns" in said(radiograph)[0]
    odd = dataset(ramp(8, rows=3, columns=5), bits_stored=8)
    assert not said(read_radiograph(save(odd, tmp_path / "b.dcm")))


@pytest.mark.parametrize("frames", [3, 900])
def test_part_of_a_frame_is_never_filled_up(tmp_path: Path, frames: int) -> None:
    """Complete frames are read, and an incomplete last frame counts as truncated."""
    ds = several("explicit", stack(2), NumberOfFrames=frames)
    ds.PixelData = ds.PixelData[:-500]
    with open_radiographs(save(ds, tmp_path / "a.dcm")) as opened:
        assert opened.count == 2
        np.testing.assert_array_equal(opened.read(1).pixels, film(12))
        with pytest.raises(UnreadableFileError) as caught:
            opened.read(2)
    assert caught.value.code == "truncated"


def test_a_cut_file_has_the_frames_that_it_says(tmp_path: Path) -> None:
    """In a file that ends within PixelData, each of the missing frames fails on its own."""
    path = save(several("explicit", stack(), NumberOfFrames=3), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[: -2 * 90 * 120 - 7])
    with open_radiographs(path) as opened:
        assert opened.count == 3
        np.testing.assert_array_equal(opened.read(1).pixels, film(12))
        for number in (2, 3):
            with pytest.raises(UnreadableFileError, match="ends before the picture"):
                opened.read(number)


def test_more_pictures_than_the_setting_are_refused(tmp_path: Path) -> None:
    """The frames in the data count for max_frames, and for the need to select one."""
    path = save(several("explicit", stack()), tmp_path / "a.dcm")
    with pytest.raises(UnreadableFileError, match="3 pictures, more than 2") as caught:
        read_radiograph(path, settings=Settings(max_frames=2))
    assert caught.value.code == "multi_frame"
    with pytest.raises(UnreadableFileError, match="3 pictures; say which"):
        read_radiograph(path)


@pytest.mark.parametrize("packing", ["jpeg_lossless", "jpeg_ls", "jpeg2000", "htj2k"])
def test_a_second_picture_in_the_same_fragment_is_told(tmp_path: Path, packing: str) -> None:
    """The first of two codestreams in a fragment is read, and the second is reported."""
    ds = dataset(film(12), bits_stored=12, packing=packing)
    streams = [encode(one.astype(np.uint16), 12, packing) for one in stack(2)]
    ds.PixelData = encapsulate([b"".join(streams)])
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    assert "another compressed picture follows the first" in said(radiograph)[0]
    ds.PixelData = encapsulate([streams[0]])
    assert not said(read_radiograph(save(ds, tmp_path / "a.dcm")))


@pytest.mark.parametrize("packing", sorted({*LOSSLESS} - {"rle"}))
@pytest.mark.parametrize(
    ("rows", "columns"), [(45, 120), (90, 60), (120, 90), (1, 1), (91, 120), (4000, 3000)]
)
def test_a_compressed_film_has_the_size_of_its_codestream(
    tmp_path: Path, packing: str, rows: int, columns: int
) -> None:
    """If Rows and Columns differ from the codestream, its size is used, with a notice."""
    ds = several(packing, stack(1), Rows=rows, Columns=columns)
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, film(12))
    (message,) = said(radiograph)
    assert message == (
        f"Rows and Columns are {rows} and {columns}, but the compressed picture has 90 rows and "
        "120 columns, which were read; check that the pixel spacing is meant for them"
    )


def test_each_frame_has_the_size_of_its_own_codestream(tmp_path: Path) -> None:
    """Frames of different sizes in one file keep their own size."""
    ds = several("jpeg_ls", stack(1), NumberOfFrames=2)
    pictures = [film(12).astype(np.uint16), film(12)[:40, :50].astype(np.uint16)]
    ds.PixelData = encapsulate([encode(one, 12, "jpeg_ls") for one in pictures])
    read = read_all(save(ds, tmp_path / "a.dcm"))
    for one, expected in zip(read, pictures, strict=True):
        np.testing.assert_array_equal(one.pixels, expected)
    assert [len(said(one)) for one in read] == [0, 1]


@pytest.mark.parametrize("packing", ["jpeg_lossless", "jpeg2000"])
def test_a_codestream_has_the_same_limit(tmp_path: Path, packing: str) -> None:
    """The size limit applies to the codestream even if Rows and Columns are small."""
    ds = several(packing, stack(1), Rows=4, Columns=4)
    with pytest.raises(UnreadableFileError, match="90 x 120 pixels are more") as caught:
        read_radiograph(save(ds, tmp_path / "a.dcm"), settings=Settings(max_megapixels=0.006))
    assert caught.value.code == "too_large"


def test_an_rle_film_of_more_rows_is_refused_with_both_tags(tmp_path: Path) -> None:
    """RLE data with more rows than the header states are refused, and the message names both tags.

    RLE does not state the length of a row; half a film must not be taken for the whole.
    """
    ds = several("rle", stack(1), Rows=45)
    with pytest.raises(UnreadableFileError, match="correct Rows and Columns") as caught:
        read_radiograph(save(ds, tmp_path / "a.dcm"))
    assert caught.value.code == "undecodable"
