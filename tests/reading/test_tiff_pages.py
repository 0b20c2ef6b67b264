"""All images of a TIFF are read or reported, however its pages are stored."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from lesionscan.radiograph import Radiograph
from lesionscan.reading import UnreadableFileError, open_radiographs
from lesionscan.settings import Settings

ONE = np.linspace(0, 65535, 60 * 70).round().astype(np.uint16).reshape(60, 70)
STACK = np.stack([ONE, ONE[::-1], ONE[:, ::-1]])


def written(path: Path, array: NDArray[Any], **options: Any) -> Path:  # noqa: ANN401
    """Write images with tifffile."""
    tifffile.imwrite(path, array, **{"photometric": "minisblack", **options})
    return path


def read_all(path: Path) -> list[Radiograph]:
    """Read every image of a file."""
    with open_radiographs(path) as frames:
        return [frames.read(number) for number in range(1, frames.count + 1)]


def said(radiograph: Radiograph) -> dict[str, str]:
    """Return the messages by code, except for those that every TIFF has."""
    told = {entry.code: entry.message for entry in radiograph.notices}
    return {code: told[code] for code in told if code not in ("no_spacing", "polarity_assumed")}


@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True},
        {"imagej": True, "truncate": True},
        {"imagej": True, "truncate": True, "byteorder": "<"},
        {"truncate": True},
        {"truncate": True, "byteorder": ">"},
        {"truncate": True, "bigtiff": True},
        {"compression": "zlib"},
        {"ome": True},
    ],
)
def test_a_stack_is_all_its_pictures(tmp_path: Path, options: dict[str, Any]) -> None:
    """All images of a stack are read, with one directory each or one for all (ImageJ, tifffile)."""
    path = written(tmp_path / "a.tif", STACK, **options)
    with tifffile.TiffFile(path) as file:
        assert (len(file.pages) == 1) == options.get("truncate", False)
    read = read_all(path)
    np.testing.assert_array_equal([one.pixels for one in read], STACK)
    assert [said(one) for one in read] == [{}] * 3


def test_a_stack_of_white_is_zero(tmp_path: Path) -> None:
    """MinIsWhite in the only directory of a stack applies to all its images."""
    path = written(tmp_path / "a.tif", STACK, truncate=True, photometric="miniswhite")
    np.testing.assert_array_equal([one.pixels for one in read_all(path)], 65535 - STACK)


def test_a_stack_of_grey_channels(tmp_path: Path) -> None:
    """An image with three equal samples in a stack is read as one image."""
    colour = np.stack([STACK] * 3, axis=-1)
    path = written(tmp_path / "a.tif", colour, truncate=True, photometric="rgb")
    np.testing.assert_array_equal([one.pixels for one in read_all(path)], STACK)


def test_a_stack_that_is_cut(tmp_path: Path) -> None:
    """The complete images of a cut stack are read, and a notice gives the stated number."""
    path = written(tmp_path / "a.tif", STACK, imagej=True, truncate=True)
    path.write_bytes(path.read_bytes()[: -ONE.nbytes - 10])
    (read,) = read_all(path)
    np.testing.assert_array_equal(read.pixels, ONE)
    assert "speaks of 3 pictures, but the file holds 1" in said(read)["frames_disagree"]


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("images", [3, 2_000_000_000])
def test_a_description_of_more_pictures(
    tmp_path: Path, compression: str | None, images: int
) -> None:
    """If a description states more images than exist, those that exist are read, with a notice."""
    description = f"ImageJ=1.53k\nimages={images}\n"
    options: dict[str, Any] = {"metadata": None, "description": description}
    path = written(tmp_path / "a.tif", ONE, compression=compression, **options)
    (read,) = read_all(path)
    np.testing.assert_array_equal(read.pixels, ONE)
    assert f"{images} pictures, but the file holds 1" in said(read)["frames_disagree"]
    with tifffile.TiffWriter(path) as file:
        file.write(ONE, photometric="minisblack", compression=compression, **options)
        file.write(ONE[::-1], photometric="minisblack", metadata=None)
    read_both = read_all(path)
    np.testing.assert_array_equal([one.pixels for one in read_both], STACK[:2])
    assert all("holds 2" in said(one)["frames_disagree"] for one in read_both)


@pytest.mark.parametrize("behind", [1, 2])
def test_pictures_that_no_tag_describes(tmp_path: Path, behind: int) -> None:
    """Data of whole images after the last one are reported; values of a tag there are not."""
    path = written(
        tmp_path / "a.tif", ONE, metadata=None, extratags=[(65000, "B", 9000, b"a" * 9000, True)]
    )
    assert said(read_all(path)[0]) == {}
    path.write_bytes(path.read_bytes() + ONE.tobytes() * behind)
    (read,) = read_all(path)
    np.testing.assert_array_equal(read.pixels, ONE)
    assert f"has {ONE.nbytes * behind} bytes after its picture" in said(read)["pixels_left_over"]


def test_pages_of_a_page(tmp_path: Path) -> None:
    """Images of full size in SubIFDs are read; smaller copies are not."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(ONE, photometric="minisblack", subifds=2, metadata=None)
        file.write(STACK[1], photometric="minisblack", metadata=None)
        file.write(ONE[::2, ::2], photometric="minisblack", metadata=None)
    np.testing.assert_array_equal([one.pixels for one in read_all(path)], STACK[:2])


def test_reduced_pages_that_are_none(tmp_path: Path) -> None:
    """A page marked as reduced is read if no other page is larger."""
    path = written(tmp_path / "a.tif", ONE, subfiletype=1, metadata=None)
    np.testing.assert_array_equal(read_all(path)[0].pixels, ONE)
    with tifffile.TiffWriter(path) as file:
        for number, picture in enumerate(STACK):
            file.write(picture, photometric="minisblack", subfiletype=number > 0, metadata=None)
    np.testing.assert_array_equal([one.pixels for one in read_all(path)], STACK)


def test_the_picture_may_stand_in_a_page_of_its_preview(tmp_path: Path) -> None:
    """A film in a SubIFD of its preview, as in DNG, is read."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        small: dict[str, Any] = {"subfiletype": 1, "subifds": 1}
        file.write(ONE[::2, ::2], photometric="minisblack", metadata=None, **small)
        file.write(ONE, photometric="minisblack", metadata=None)
    (read,) = read_all(path)
    np.testing.assert_array_equal(read.pixels, ONE)


def test_a_long_stack_is_refused(tmp_path: Path) -> None:
    """A stack with more images than max_frames is refused."""
    path = written(tmp_path / "a.tif", np.zeros((9, 8, 8), np.uint8), truncate=True)
    with (
        pytest.raises(UnreadableFileError, match="9 pictures, more than 5") as caught,
        open_radiographs(path, settings=Settings(max_frames=5)),
    ):
        pass
    assert caught.value.code == "multi_frame"


def test_pages_of_pages_have_limits(tmp_path: Path) -> None:
    """The limits on directories apply to SubIFDs too."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(ONE, photometric="minisblack", subifds=1, metadata=None)
        tags = [(65000, "H", 200_000, np.zeros(200_000, np.uint16).tobytes(), True)] * 30
        file.write(ONE, photometric="minisblack", metadata=None, extratags=tags)
    with pytest.raises(UnreadableFileError, match="more values than a radiograph's") as caught:
        read_all(path)
    assert caught.value.code == "too_large"


@pytest.mark.parametrize("offset", [2**63, 2**64 - 1, 2**62, 2**40])
@pytest.mark.parametrize("pages", [1, 2])
def test_a_directory_beyond_any_file(tmp_path: Path, offset: int, pages: int) -> None:
    """A page whose BigTIFF offset is beyond the end of the file is omitted.

    If it is the first page, the file is refused.
    """
    path = written(tmp_path / "a.tif", STACK[:pages], bigtiff=True, metadata=None)
    data = bytearray(path.read_bytes())
    at = data.index(struct.pack("<Q", 16), 8) if pages == 1 else _end_of_directory(data)
    data[at : at + 8] = struct.pack("<Q", offset)
    path.write_bytes(data)
    if pages == 2:
        np.testing.assert_array_equal([one.pixels for one in read_all(path)], STACK[:1])
        return
    with pytest.raises(UnreadableFileError) as caught:
        read_all(path)
    assert caught.value.code in ("undecodable", "truncated")


def _end_of_directory(data: bytearray) -> int:
    """Return the position of the offset from the first to the second directory of a BigTIFF."""
    (start,) = struct.unpack_from("<Q", data, 8)
    (tags,) = struct.unpack_from("<Q", data, start)
    return int(start + 8 + 20 * tags)
