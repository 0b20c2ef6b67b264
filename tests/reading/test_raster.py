"""Reading of PNG, JPEG and TIFF files."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from lesionscan.radiograph import Radiograph, Spacing
from lesionscan.reading import UnreadableFileError, read_radiograph
from lesionscan.settings import Settings

GREY8 = np.linspace(0, 255, 40 * 50).round().astype(np.uint8).reshape(40, 50)
GREY16 = (np.linspace(0, 65535, 40 * 50).round().astype(np.uint16)).reshape(40, 50)


def codes(radiograph: Radiograph) -> set[str]:
    """Return the codes of all notices."""
    return {entry.code for entry in radiograph.notices}


def refused(path: Path, message: str, **limits: float) -> str:
    """Return the code with which a file is refused."""
    with pytest.raises(UnreadableFileError, match=message) as caught:
        read_radiograph(path, settings=Settings(**limits))
    return caught.value.code


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize(("grey", "bits"), [(GREY8, 8), (GREY16, 16)])
def test_lossless_values_are_exact(
    tmp_path: Path, name: str, grey: NDArray[Any], bits: int
) -> None:
    """Every grey value of 8 and 16 bits is kept; missing spacing and polarity are reported."""
    path = tmp_path / name
    Image.fromarray(grey).save(path)
    radiograph = read_radiograph(path)
    np.testing.assert_array_equal(radiograph.pixels, grey)
    assert radiograph.valid.all()
    assert radiograph.spacing is None
    assert radiograph.polarity == "assumed"
    assert codes(radiograph) == {"no_spacing", "polarity_assumed"}
    assert dict(radiograph.acquisition) == {"bits_stored": bits}


@pytest.mark.parametrize("quality", [100, 85])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_grey_jpeg(tmp_path: Path, quality: int, mode: str) -> None:
    """A grey JPEG is read, also when it was saved in colour."""
    path = tmp_path / "a.jpg"
    Image.fromarray(GREY8).convert(mode).save(path, quality=quality)
    assert np.abs(read_radiograph(path).pixels - GREY8).max() < 12


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_grey_in_several_channels(tmp_path: Path, channels: int, dtype: type) -> None:
    """Equal channels, with or without opaque alpha, are read as grey with full depth."""
    grey = GREY8 if dtype is np.uint8 else GREY16
    parts = [grey] * (1 if channels == 2 else 3)
    if channels != 3:
        parts.append(np.full_like(grey, np.iinfo(dtype).max))
    stack = np.dstack(parts)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(stack))
    photometric = "minisblack" if channels == 2 else "rgb"
    extra = None if channels == 3 else ["unassalpha"]
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric=photometric, extrasamples=extra)
    for name in ("a.png", "a.tif"):
        radiograph = read_radiograph(tmp_path / name)
        np.testing.assert_array_equal(radiograph.pixels, grey)
        assert radiograph.valid.all()


def test_planar_tiff(tmp_path: Path) -> None:
    """Channels stored plane by plane are read as channels."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.stack([GREY8] * 3), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_radiograph(path).pixels, GREY8)


def test_transparent_pixels_are_not_valid(tmp_path: Path) -> None:
    """Pixels that are not opaque are not valid; an image without opaque pixels is refused."""
    alpha = np.full_like(GREY8, 255)
    alpha[0, 0], alpha[0, 1] = 0, 100
    path = tmp_path / "a.png"
    Image.fromarray(np.dstack([GREY8, alpha])).save(path)
    valid = read_radiograph(path).valid
    assert not valid[0, :2].any()
    assert valid.sum() == GREY8.size - 2
    Image.fromarray(np.dstack([GREY8, np.zeros_like(alpha)])).save(path)
    assert refused(path, "no pixel is opaque") == "no_pixels"


@pytest.mark.parametrize("grey", [GREY8, GREY16])
@pytest.mark.parametrize("most", [1, 254, 255])
def test_a_picture_that_is_nowhere_fully_opaque(
    tmp_path: Path, grey: NDArray[Any], most: int
) -> None:
    """If no pixel is fully opaque, the most opaque ones are valid.

    Some files have an alpha of 8 bits in 16, or one slightly below the maximum.
    """
    alpha = np.full_like(grey, most)
    alpha[0, :5] = 0
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.dstack([grey, alpha])))
    options: dict[str, Any] = {"photometric": "minisblack", "planarconfig": "contig"}
    stack = np.dstack([grey, alpha])
    tifffile.imwrite(tmp_path / "a.tif", stack, extrasamples=["unassalpha"], **options)
    for name in ("a.png", "a.tif"):
        read = read_radiograph(tmp_path / name)
        np.testing.assert_array_equal(read.pixels, grey)
        np.testing.assert_array_equal(read.valid, alpha > 0)


@pytest.mark.parametrize("grey", [GREY8, GREY16])
def test_a_grey_that_is_called_transparent(tmp_path: Path, grey: NDArray[Any]) -> None:
    """Pixels with the grey of a PNG's tRNS chunk are not valid, in 8 and 16 bits."""
    path = tmp_path / "a.png"
    Image.fromarray(grey).save(path, transparency=int(grey[3, 3]))
    read = read_radiograph(path)
    np.testing.assert_array_equal(read.pixels, grey)
    np.testing.assert_array_equal(read.valid, grey != grey[3, 3])


def test_palettes(tmp_path: Path) -> None:
    """A grey palette is applied; a coloured one is refused as a colour photograph."""
    image = Image.fromarray(GREY8[:, ::-1].copy(), mode=None).convert("P")
    image.putpalette([value for value in range(255, -1, -1) for _ in range(3)])
    for name in ("a.png", "a.tif"):
        path = tmp_path / name
        image.save(path)
        pixels = read_radiograph(path).pixels
        expected = (255 - GREY8[:, ::-1]) * (pixels.max() / 255)
        np.testing.assert_array_equal(pixels, expected)
    image.putpalette([200, 0, 0] * 256)
    for name in ("a.png", "a.tif"):
        path = tmp_path / name
        image.save(path)
        assert refused(path, "colour photograph is not a radiograph") == "colour_photograph"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_colour_is_refused(tmp_path: Path, name: str) -> None:
    """An image with different channels is refused as a colour photograph."""
    colour = np.dstack([GREY8, GREY8[::-1], GREY8])
    Image.fromarray(colour).save(tmp_path / name)
    assert refused(tmp_path / name, "convert it to greyscale") == "colour_photograph"


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_ink_separations_are_refused(tmp_path: Path, name: str) -> None:
    """CMYK images are refused as colour photographs."""
    Image.fromarray(np.dstack([GREY8] * 3)).convert("CMYK").save(tmp_path / name)
    assert refused(tmp_path / name, "colour photograph") == "colour_photograph"


@pytest.mark.parametrize("grey", [GREY8, GREY16, GREY8.astype(np.float32)])
def test_min_is_white_is_inverted(tmp_path: Path, grey: NDArray[Any]) -> None:
    """A MinIsWhite TIFF is inverted once, and its polarity is stated."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey, photometric="miniswhite")
    radiograph = read_radiograph(path)
    np.testing.assert_array_equal(radiograph.pixels, grey.max() - grey)
    assert radiograph.polarity == "stated"
    assert radiograph.photometric_interpretation == "MINISWHITE"
    assert codes(radiograph) == {"no_spacing"}


def test_signed_and_float_tiff(tmp_path: Path) -> None:
    """Signed and floating-point values are kept, and signed MinIsWhite values are inverted."""
    path = tmp_path / "a.tif"
    for grey in (GREY16.astype(np.int32) - 30000, GREY8 / np.float32(255), -GREY8.astype(np.int16)):
        tifffile.imwrite(path, grey, photometric="minisblack")
        np.testing.assert_array_equal(read_radiograph(path).pixels, grey)
    tifffile.imwrite(path, -GREY8.astype(np.int16), photometric="miniswhite")
    np.testing.assert_array_equal(read_radiograph(path).pixels, GREY8.astype(np.int16) - 1)


def test_bad_numbers_are_refused(tmp_path: Path) -> None:
    """Images with values that are not finite, or complex, are refused."""
    path = tmp_path / "a.tif"
    grey = GREY8.astype(np.float32)
    grey[0, 0] = np.nan
    tifffile.imwrite(path, grey)
    assert refused(path, "not finite") == "undecodable"
    tifffile.imwrite(path, GREY8.astype(np.complex64))
    assert refused(path, "no grey values") == "not_a_radiograph"


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_black_and_white_is_refused(tmp_path: Path, name: str) -> None:
    """A one-bit image is refused."""
    Image.fromarray(GREY8).convert("1").save(tmp_path / name)
    assert refused(tmp_path / name, "black and white") == "not_a_radiograph"


def test_each_page_of_a_tiff_is_a_picture(tmp_path: Path) -> None:
    """The pages of a TIFF, compressed or not, are read one at a time, in order."""
    pages = np.stack([GREY8, 255 - GREY8, GREY8 // 2])
    tifffile.imwrite(tmp_path / "pages.tif", pages, photometric="minisblack")
    tifffile.imwrite(tmp_path / "packed.tif", pages, photometric="minisblack", compression="zlib")
    for name in ("pages.tif", "packed.tif"):
        assert refused(tmp_path / name, "3 pictures; say which") == "multi_frame"
        for number, page in enumerate(pages, start=1):
            read = read_radiograph(tmp_path / name, frame=number)
            np.testing.assert_array_equal(read.pixels, page)
            assert (read.frame, read.frames) == (number, 3)
        with pytest.raises(ValueError, match="frame must be 1 to 3, got 4"):
            read_radiograph(tmp_path / name, frame=4)


def test_volumes_and_animations_are_refused(tmp_path: Path) -> None:
    """Volumetric TIFF and animated PNG are refused."""
    image = Image.fromarray(GREY8)
    other = Image.fromarray(255 - GREY8)
    tifffile.imwrite(
        tmp_path / "volume.tif", np.stack([GREY8] * 16), volumetric=True, tile=(16, 16, 16)
    )
    image.save(tmp_path / "moving.png", save_all=True, append_images=[other])
    for name in ("volume.tif", "moving.png"):
        assert refused(tmp_path / name, "several pictures") == "multi_frame"


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_the_users_polarity_is_used(tmp_path: Path, name: str) -> None:
    """The user's polarity replaces the assumed one: bone-dark inverts, and bone-bright does not."""
    path = tmp_path / name
    Image.fromarray(GREY8).save(path)
    bright = read_radiograph(path, settings=Settings(polarity="bone-bright"))
    dark = read_radiograph(path, settings=Settings(polarity="bone-dark"))
    np.testing.assert_array_equal(bright.pixels, GREY8)
    np.testing.assert_array_equal(dark.pixels, 255.0 - GREY8)
    for read in (bright, dark):
        assert read.polarity == "user"
        assert [entry.code for entry in read.notices] == ["no_spacing"]


def test_the_users_polarity_refers_to_the_displayed_image(tmp_path: Path) -> None:
    """The user's polarity refers to the displayed image, not to stored MinIsWhite values."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY8, photometric="miniswhite")
    dark = read_radiograph(path, settings=Settings(polarity="bone-dark"))
    np.testing.assert_array_equal(dark.pixels, GREY8)


def test_the_users_spacing_replaces_a_missing_one(tmp_path: Path) -> None:
    """The user's spacing is used, and the lack of one in the file is not reported."""
    path = tmp_path / "a.png"
    Image.fromarray(GREY8).save(path)
    read = read_radiograph(path, settings=Settings(spacing_mm=(0.2, 0.1)))
    assert read.spacing == Spacing(0.2, 0.1, source="user", plane="undetermined")
    assert [entry.code for entry in read.notices] == ["polarity_assumed"]


def test_preview_beside_the_picture_is_no_page(tmp_path: Path) -> None:
    """A reduced-size preview does not make a TIFF multi-page."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(GREY8)
        writer.write(GREY8[::2, ::2], subfiletype=1)
    np.testing.assert_array_equal(read_radiograph(path).pixels, GREY8)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_orientation_is_not_applied(tmp_path: Path, name: str) -> None:
    """The Exif orientation is not applied to the stored matrix, and a notice says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(GREY8).save(tmp_path / name, exif=exif)
    radiograph = read_radiograph(tmp_path / name)
    assert radiograph.shape == GREY8.shape
    assert "exif_orientation_ignored" in codes(radiograph)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "b.tif"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_half_files_are_refused(tmp_path: Path, name: str, share: float) -> None:
    """A file that is cut anywhere is refused, and never filled in."""
    path = tmp_path / name
    noise = np.random.default_rng(5).integers(0, 255, (200, 200), dtype=np.uint8)
    image = Image.fromarray(noise)
    image.save(path, **({"compression": "tiff_lzw"} if name == "b.tif" else {}))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert refused(path, "again") in {"truncated", "undecodable"}


def test_damaged_file_is_undecodable(tmp_path: Path) -> None:
    """Damage that the decoder finds is reported with an error code."""
    for name in ("a.png", "a.tif"):
        path = tmp_path / name
        Image.fromarray(GREY8).save(path, compress_level=9, compression="tiff_adobe_deflate")
        data = bytearray(path.read_bytes())
        data[60:200] = b"S" * 140
        path.write_bytes(data)
        assert refused(path, "damaged") in {"undecodable", "truncated"}


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_text_of_the_file_is_not_logged(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is logged at level DEBUG, at which Pillow would log Exif values."""
    exif = Image.Exif()
    exif[0x010E] = "DOE^JANE"  # ImageDescription
    Image.fromarray(GREY8).save(tmp_path / name, exif=exif)
    caplog.set_level(logging.DEBUG)
    read_radiograph(tmp_path / name)
    assert not caplog.records


def test_declared_size_is_checked_first(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Only the setting limits the size: Pillow neither refuses a large image nor warns or logs."""
    path = tmp_path / "a.png"
    Image.new("L", (9500, 9500)).save(path)
    with pytest.raises(UnreadableFileError, match="9500 x 9500 pixels are more than 50 million"):
        read_radiograph(path, settings=Settings(max_megapixels=50))
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert read_radiograph(path, settings=Settings(max_megapixels=130)).shape == (9500, 9500)
    assert not caught
    assert not caplog.records
    path.write_bytes(path.read_bytes() + bytes((64 << 20) + 2000))
    with pytest.raises(UnreadableFileError, match="too long for a radiograph"):
        read_radiograph(path, settings=Settings(max_megapixels=0.00001))


def test_a_small_picture_in_a_huge_tile_is_refused(tmp_path: Path) -> None:
    """The size limit applies to tiles too, because decoders allocate whole tiles."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY8, tile=(1024, 1024), compression="zlib")
    assert read_radiograph(path).shape == GREY8.shape
    assert refused(path, "1024 x 1024 pixels", max_megapixels=1) == "too_large"


def test_zero_size_is_refused(tmp_path: Path) -> None:
    """A TIFF that declares no columns is refused."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY8)
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        page.tags["ImageWidth"].overwrite(0)
    assert refused(path, "is 40 x 0 pixels|damaged") in {"bad_header", "undecodable"}


def test_constant_picture_is_read(tmp_path: Path) -> None:
    """An image with a single grey value is read."""
    Image.new("L", (8, 8), 7).save(tmp_path / "a.png")
    assert (read_radiograph(tmp_path / "a.png").pixels == 7).all()


def written(path: Path, array: NDArray[Any], **options: Any) -> Path:  # noqa: ANN401 - its own
    """Write a grey TIFF."""
    tifffile.imwrite(path, array, photometric="minisblack", **options)
    return path


def edit(path: Path, name: str, change: Callable[[list[int]], list[int]]) -> None:
    """Change the values of a tag of a TIFF's first page, named without "Strip" or "Tile"."""
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        tag = page.tags[("Tile" if page.is_tiled else "Strip") + name]
        values = list(tag.value) if isinstance(tag.value, tuple) else [tag.value]
        tag.overwrite(change(values))


def with_a_strip(path: Path, strip: bytes) -> Path:
    """Replace the only strip of a TIFF, which is at the end of the file."""
    with tifffile.TiffFile(path) as file:
        (start,) = file.pages[0].dataoffsets
    path.write_bytes(path.read_bytes()[:start] + strip)
    edit(path, "ByteCounts", lambda _: [len(strip)])
    return path


NOISE8 = np.random.default_rng(8).integers(0, 256, (96, 64), dtype=np.uint8)
LAYOUTS = [
    {"rowsperstrip": 16},
    {"rowsperstrip": 16, "compression": "lzw"},
    {"rowsperstrip": 16, "compression": "packbits"},
    {"rowsperstrip": 16, "compression": "jpeg"},
    {"tile": (32, 32)},
    {"tile": (32, 32), "compression": "zlib"},
]


@pytest.mark.parametrize("options", LAYOUTS)
@pytest.mark.parametrize("what", ["Offsets", "ByteCounts"])
@pytest.mark.parametrize("part", [0, 2, -1])
def test_strips_and_tiles_that_are_nowhere_are_refused(
    tmp_path: Path, options: dict[str, Any], what: str, part: int
) -> None:
    """A strip or tile with offset or byte count 0 was never written: the file is truncated."""
    path = written(tmp_path / "a.tif", NOISE8, **options)
    assert read_radiograph(path).shape == NOISE8.shape

    def lose(values: list[int]) -> list[int]:
        values[part] = 0
        return values

    edit(path, what, lose)
    assert refused(path, "ends before") == "truncated"


@pytest.mark.parametrize("options", LAYOUTS)
def test_half_of_the_strips_or_tiles_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    """A page that lists only half of its strips or tiles counts as truncated."""
    path = written(tmp_path / "a.tif", NOISE8, **options)
    for what in ("Offsets", "ByteCounts"):
        edit(path, what, lambda values: values[: len(values) // 2])
    assert refused(path, "ends before") == "truncated"


def test_short_strips_are_refused(tmp_path: Path) -> None:
    """A strip with too few bytes is refused, and not filled from the data after it."""
    for options in ({"rowsperstrip": 16}, {"compression": "packbits"}):
        path = written(tmp_path / "a.tif", NOISE8, **options)
        edit(path, "ByteCounts", lambda values: [value - 65 for value in values])
        assert refused(path, "again") in {"truncated", "undecodable"}


@pytest.mark.parametrize("compression", ["jpegxl", "lerc"])
def test_compressions_that_hide_damage_are_refused(tmp_path: Path, compression: str) -> None:
    """Compressions whose decoders do not detect incomplete data are refused."""
    path = written(tmp_path / "a.tif", NOISE8, compression=compression)
    assert refused(path, "save it with LZW or Deflate") == "unsupported_transfer_syntax"


def test_a_jpeg_strip_is_no_larger_than_its_strip(tmp_path: Path) -> None:
    """A JPEG larger than its strip is refused, as is a damaged JPEG or JPEG 2000 strip."""
    path = written(tmp_path / "a.tif", NOISE8, compression="jpeg", rowsperstrip=96)
    for inside in (imagecodecs.jpeg8_encode(np.tile(NOISE8, (4, 4)), 20), bytes(50)):
        assert refused(with_a_strip(path, bytes(inside)), "damaged") == "undecodable"
    path = written(tmp_path / "b.tif", NOISE8, compression="jpeg2000", rowsperstrip=96)
    assert refused(with_a_strip(path, bytes(50)), "damaged") == "undecodable"


def test_png_checksums_are_compared(tmp_path: Path) -> None:
    """Changed bytes in the pixel chunk of a PNG are detected; a bad checksum of text is ignored."""
    path = tmp_path / "a.png"
    Image.fromarray(NOISE8).save(
        path,
    )
    whole = path.read_bytes()
    pixels = whole.index(b"IDAT")
    for place in (pixels + 100, pixels - 1, pixels, len(whole) - 13):
        data = bytearray(whole)
        data[place] ^= 1
        path.write_bytes(data)
        assert refused(path, "again") in {"truncated", "undecodable"}
    text = b"\0\0\0\3tEXta\0b" + bytes(4)
    path.write_bytes(whole[:-12] + text + whole[-12:])
    np.testing.assert_array_equal(read_radiograph(path).pixels, NOISE8)


def test_surplus_data_of_a_jpeg_are_told(tmp_path: Path) -> None:
    """A JPEG with surplus data is read with a notice, also inside a TIFF."""
    data = bytes(imagecodecs.jpeg8_encode(NOISE8, 80))
    surplus = data[:-2] + data[-400:]
    (tmp_path / "a.jpg").write_bytes(surplus)
    assert "pixel_data_doubtful" in codes(read_radiograph(tmp_path / "a.jpg"))
    path = written(tmp_path / "b.tif", NOISE8, compression="jpeg", rowsperstrip=96)
    assert "pixel_data_doubtful" in codes(read_radiograph(with_a_strip(path, surplus)))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_cut_and_closed_is_refused(tmp_path: Path, mode: str) -> None:
    """Half a JPEG that is closed with an end marker counts as truncated."""
    path = tmp_path / "a.jpg"
    Image.fromarray(NOISE8).convert(mode).save(path, quality=90)
    data = path.read_bytes()
    np.testing.assert_array_equal(read_radiograph(path).shape, NOISE8.shape)
    path.write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    assert refused(path, "ends before") == "truncated"
