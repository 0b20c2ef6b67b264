"""Colour in films: a few coloured pixels are ignored, and more make a colour photograph."""

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from lesionscan.radiograph import Radiograph
from lesionscan.reading import UnreadableFileError, open_radiographs, read_radiograph
from lesionscan.reading.colour import MOST_COLOURED, from_channels, from_luma_chroma
from tests.reading.dicom_maker import dataset, save

GREY = (np.add.outer(np.arange(200), np.arange(150)) % 256).astype(np.uint8)
RED = (250, 10, 10)


def said(radiograph: Radiograph) -> dict[str, str]:
    """Return the messages of all notices by code."""
    return {entry.code: entry.message for entry in radiograph.notices}


def with_marker(rows: int, columns: int) -> NDArray[np.uint8]:
    """Return a grey film with a red marker of this size in its upper left corner."""
    film = np.dstack([GREY] * 3)
    film[:rows, :columns] = RED
    return film


def test_grey_channels() -> None:
    """Equal channels are kept, nearly equal ones are averaged, and others are refused as colour."""
    grey = np.array([[10, 200]], dtype=np.uint8)
    equal = np.dstack([grey] * 3)
    np.testing.assert_array_equal(from_channels(equal, full_scale=255).greys, grey)
    near = equal.copy()
    near[0, 0] = (10, 13, 16)
    merged = from_channels(near, full_scale=255)
    assert merged.greys.tolist() == [[13.0, 200.0]]
    assert merged.coloured == 0
    near[0, 0] = (10, 13, 19)
    with pytest.raises(UnreadableFileError, match="a colour photograph is not a radiograph"):
        from_channels(near, full_scale=255)


def test_luma_chroma() -> None:
    """Chroma at half the scale is grey; a few other pixels are counted, and many are refused."""
    picture = np.full((10, 10, 3), 128, dtype=np.uint8)
    picture[..., 0] = 7
    assert (from_luma_chroma(picture, full_scale=255).greys == 7).all()
    picture[0, 0, 1] = 140
    assert from_luma_chroma(picture, full_scale=255).coloured == 0.01
    picture[..., 1] = 140
    with pytest.raises(UnreadableFileError, match="a colour photograph is not a radiograph"):
        from_luma_chroma(picture, full_scale=255)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize(("rows", "columns", "percent"), [(1, 3, "0.01"), (20, 30, "2")])
def test_a_marker_is_ignored(
    tmp_path: Path, name: str, rows: int, columns: int, percent: str
) -> None:
    """With 0.01 % to 2 % of coloured pixels, grey values are exact and a notice gives the share."""
    Image.fromarray(with_marker(rows, columns)).save(tmp_path / name)
    read = read_radiograph(tmp_path / name)
    expected = GREY.astype(np.float32)
    expected[:rows, :columns] = sum(RED) / 3
    np.testing.assert_array_equal(read.pixels, expected)
    assert read.valid.all()
    assert said(read)["colour_ignored"].startswith(f"{percent} % of the pixels are coloured")


def test_a_marker_in_sixteen_bits(tmp_path: Path) -> None:
    """A marker in a film of 16 bits is ignored too, and the grey values keep their depth."""
    deep = with_marker(5, 5).astype(np.uint16) * 257
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(deep))
    read = read_radiograph(tmp_path / "a.png")
    np.testing.assert_array_equal(read.pixels[5:], GREY[5:].astype(np.float32) * 257)
    assert "colour_ignored" in said(read)


def test_coloured_noise_of_a_jpeg(tmp_path: Path) -> None:
    """A JPEG with independent noise in each channel, as from colour scanners, is read."""
    noise = np.random.default_rng(0).normal(0, 3, (*GREY.shape, 3))
    noisy = np.clip(100.0 + GREY[..., None] / 4 + noise, 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "a.jpg", quality=95, subsampling=0)
    read = read_radiograph(tmp_path / "a.jpg")
    assert "colour_ignored" in said(read)
    assert np.abs(read.pixels - (100.0 + GREY / 4)).max() < 15


def test_more_colour_than_a_marker_is_a_photograph(tmp_path: Path) -> None:
    """An image with more colour than the limit is refused, and the message states the remedy."""
    rows = int(MOST_COLOURED * 200)
    Image.fromarray(with_marker(rows, 150)).save(tmp_path / "a.png")
    assert "colour_ignored" in said(read_radiograph(tmp_path / "a.png"))
    Image.fromarray(with_marker(rows + 1, 150)).save(tmp_path / "a.png")
    with pytest.raises(UnreadableFileError, match="convert it to greyscale, for example") as caught:
        read_radiograph(tmp_path / "a.png")
    assert caught.value.code == "colour_photograph"


@pytest.mark.parametrize("tint", [(1.0, 0.95, 0.8), (0.75, 0.9, 1.0)])
def test_a_tinted_film_is_refused_with_the_way_out(
    tmp_path: Path, tint: tuple[float, float, float]
) -> None:
    """A tinted film, as photographed on a light box, is refused with the command to convert it."""
    tinted = (GREY[..., None] * np.array(tint)).astype(np.uint8)
    Image.fromarray(tinted).save(tmp_path / "a.jpg", quality=95)
    with pytest.raises(UnreadableFileError, match=r"light box.*magick FILE -colorspace Gray"):
        read_radiograph(tmp_path / "a.jpg")


@pytest.mark.parametrize("quality", [75, 98])
@pytest.mark.parametrize("mode", ["RGB", "YCbCr"])
def test_luma_and_chroma_of_a_jpeg_in_a_tiff(tmp_path: Path, mode: str, quality: int) -> None:
    """A grey film saved as a colour JPEG inside a TIFF is read as grey."""
    colour = Image.fromarray(np.dstack([GREY // 2] * 3)).convert(mode)
    colour.save(tmp_path / "a.tif", compression="jpeg", quality=quality)
    read = read_radiograph(tmp_path / "a.tif")
    assert np.abs(read.pixels - GREY // 2).mean() < 5
    assert read.photometric_interpretation == mode.upper()


def test_luma_and_chroma_without_jpeg(tmp_path: Path) -> None:
    """Uncompressed luma is exact; a few coloured pixels are ignored, and many are refused."""
    luma_chroma = np.dstack([GREY, np.full_like(GREY, 128), np.full_like(GREY, 128)])

    def write() -> Path:
        tifffile.imwrite(tmp_path / "a.tif", luma_chroma, photometric="ycbcr", subsampling=(1, 1))
        return tmp_path / "a.tif"

    np.testing.assert_array_equal(read_radiograph(write()).pixels, GREY)
    luma_chroma[:3, :3, 1] = 200
    assert "colour_ignored" in said(read_radiograph(write()))
    luma_chroma[..., 1] = 200
    with pytest.raises(UnreadableFileError, match="colour photograph"):
        read_radiograph(write())


def palette(red: NDArray[Any], green: NDArray[Any], blue: NDArray[Any]) -> dict[str, Any]:
    """Return the tags of a palette of 256 entries of 16 bits."""
    tags: dict[str, Any] = {}
    for name, entries in (("Red", red), ("Green", green), ("Blue", blue)):
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tags[f"{name}PaletteColorLookupTableData"] = entries.astype("<u2").tobytes()
    return tags


@pytest.mark.parametrize("packing", ["explicit", "implicit", "rle"])
@pytest.mark.parametrize("falling", [False, True])
def test_a_grey_palette_of_dicom(tmp_path: Path, packing: str, falling: bool) -> None:
    """A PALETTE COLOR ramp, rising or falling, is read as the grey that viewers show."""
    ramp = np.arange(256)[:: -1 if falling else 1] * 257
    stored = dataset(
        GREY,
        bits_stored=8,
        photometric="PALETTE COLOR",
        packing=packing,
        **palette(ramp, ramp, ramp),
    )
    read = read_radiograph(save(stored, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(read.pixels, ramp[GREY])
    assert "colour_ignored" not in said(read)


def test_colours_in_a_palette_of_dicom(tmp_path: Path) -> None:
    """One coloured entry that few pixels use is ignored; a coloured palette is refused."""
    ramp = np.arange(256) * 257
    red = ramp.copy()
    red[100] = 65535
    film = np.minimum(GREY, 99)
    film[:2, :2] = 100
    path = tmp_path / "a.dcm"
    tags = palette(red, ramp, ramp)
    save(dataset(film, bits_stored=8, photometric="PALETTE COLOR", **tags), path)
    read = read_radiograph(path)
    np.testing.assert_array_equal(read.pixels[2:], film[2:].astype(np.float32) * 257)
    assert "colour_ignored" in said(read)
    tags = palette(65535 - ramp, ramp, ramp)
    save(dataset(film, bits_stored=8, photometric="PALETTE COLOR", **tags), path)
    with pytest.raises(UnreadableFileError, match="colour photograph is not a radiograph"):
        read_radiograph(path)


def test_a_palette_that_cannot_be_used(tmp_path: Path) -> None:
    """A missing palette is an error of the header, and the message names the palette."""
    path = tmp_path / "a.dcm"
    save(dataset(GREY, bits_stored=8, photometric="PALETTE COLOR"), path)
    with pytest.raises(UnreadableFileError, match="red palette has no usable descriptor") as caught:
        read_radiograph(path)
    assert caught.value.code == "bad_header"


def segmented(bits: int, codes: list[int], entries: int = 256) -> dict[str, Any]:
    """Return the tags of a grey segmented palette."""
    tags: dict[str, Any] = {}
    for name in ("Red", "Green", "Blue"):
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [entries, 0, bits]
        data = np.array(codes, "<u2" if bits == 16 else np.uint8).tobytes()
        tags[f"Segmented{name}PaletteColorLookupTableData"] = data + b"\0" * (len(data) % 2)
    return tags


@pytest.mark.parametrize("packing", ["explicit", "implicit", "big_endian"])
@pytest.mark.parametrize(
    ("bits", "codes", "expected"),
    [
        (16, [0, 1, 0, 1, 255, 65535], np.arange(256) * 257),
        (16, [0, 2, 65535, 65278, 1, 254, 0], np.arange(256)[::-1] * 257),
        (8, [0, 1, 0, 1, 255, 255], np.arange(256)),
        # the last segment repeats the two before it: 100 up to 226, twice
        (8, [0, 1, 7, 0, 1, 9, 0, 1, 100, 1, 126, 226, 2, 2, 6, 0, 0, 0],
         [7, 9, *range(100, 227), *range(100, 227)]),
        (16, [0, 1, 7, 0, 1, 9, 0, 1, 100, 1, 126, 226, 2, 2, 12, 0],
         [7, 9, *range(100, 227), *range(100, 227)]),
    ],
)  # fmt: skip
def test_a_palette_in_segments(
    tmp_path: Path,
    packing: str,
    bits: int,
    codes: list[int],
    expected: Any,  # noqa: ANN401
) -> None:
    """Discrete, linear and indirect segments, of 8 or 16 bits, are expanded to the palette."""
    ds = dataset(
        GREY,
        bits_stored=8,
        photometric="PALETTE COLOR",
        packing=packing,
        **segmented(bits, codes, len(expected)),
    )
    if packing == "big_endian":
        for name in ("Red", "Green", "Blue"):
            element = ds[f"Segmented{name}PaletteColorLookupTableData"]
            element.value = np.frombuffer(element.value, "<u2").astype(">u2").tobytes()
    read = read_radiograph(save(ds, tmp_path / "a.dcm"))
    palette = np.asarray(expected)
    np.testing.assert_array_equal(read.pixels, palette[np.minimum(GREY, palette.size - 1)])


@pytest.mark.parametrize(
    "codes",
    [[1, 3, 5, 0], [0, 9, 1], [3, 1, 1], [0, 0, 0], [0, 1, 1, 2, 1, 99, 0], [0, 1, 1, 2, 1, 6, 0]],
)
def test_what_is_no_palette_in_segments(tmp_path: Path, codes: list[int]) -> None:
    """Damaged segments are refused.

    Linear without a start value, too few values, an unknown type, zero length, bad references.
    """
    ds = dataset(GREY, bits_stored=8, photometric="PALETTE COLOR", **segmented(16, codes))
    with pytest.raises(UnreadableFileError, match="the palette's segments are damaged") as caught:
        read_radiograph(save(ds, tmp_path / "a.dcm"))
    assert caught.value.code == "bad_header"


def test_segments_of_too_few_entries(tmp_path: Path) -> None:
    """Segments that expand to fewer entries than the palette has are refused."""
    ds = dataset(
        GREY, bits_stored=8, photometric="PALETTE COLOR", **segmented(16, [0, 1, 5, 1, 200, 9])
    )
    with pytest.raises(UnreadableFileError, match="red palette holds fewer than its 256 entries"):
        read_radiograph(save(ds, tmp_path / "a.dcm"))


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_a_marker_in_a_dicom_film(tmp_path: Path, photometric: str) -> None:
    """A coloured marker in a DICOM film, as in many secondary captures, is ignored."""
    film = with_marker(4, 6)
    if photometric == "YBR_FULL":
        film = np.dstack([GREY, np.full_like(GREY, 128), np.full_like(GREY, 128)])
        film[:4, :6, 2] = 240
    ds = dataset(film, bits_stored=8, photometric=photometric)
    read = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(read.pixels[4:], GREY[4:])
    assert "colour_ignored" in said(read)


def shared_chroma(luma: NDArray[Any], chroma: int, packing: str = "explicit") -> Dataset:
    """Return an uncompressed film in which each pair of pixels shares its chroma."""
    film = np.dstack([luma] * 3)
    ds = dataset(film, bits_stored=8, photometric="YBR_FULL_422", packing=packing)
    pairs = np.full((*luma[:, ::2].shape, 4), chroma, np.uint8)
    pairs[..., :2] = luma.reshape(*pairs.shape[:2], 2)
    ds.PixelData = pairs.tobytes()
    return ds


@pytest.mark.parametrize("frames", [1, 2])
def test_shared_chroma_without_jpeg(tmp_path: Path, frames: int) -> None:
    """The luma of uncompressed YBR_FULL_422 with grey chroma is read exactly, in every frame."""
    ds = shared_chroma(np.concatenate([GREY, 255 - GREY][:frames]), 128)
    ds.Rows, ds.NumberOfFrames = GREY.shape[0], frames
    with open_radiographs(save(ds, tmp_path / "a.dcm")) as opened:
        assert opened.count == frames
        read = opened.read(frames)
    np.testing.assert_array_equal(read.pixels, GREY if frames == 1 else 255 - GREY)
    assert said(read) == {"no_spacing": said(read)["no_spacing"]}


def test_shared_chroma_that_is_coloured(tmp_path: Path) -> None:
    """YBR_FULL_422 with coloured chroma, or with an odd number of columns, is refused."""
    path = save(shared_chroma(GREY, 190), tmp_path / "a.dcm")
    with pytest.raises(UnreadableFileError, match="colour photograph is not a radiograph"):
        read_radiograph(path)
    ds = shared_chroma(GREY, 128)
    ds.Columns -= 1
    with pytest.raises(UnreadableFileError, match="Columns is 149, but in YBR_FULL_422") as caught:
        read_radiograph(save(ds, path))
    assert caught.value.code == "bad_header"


def test_chroma_that_is_not_shared(tmp_path: Path) -> None:
    """Data as long as YBR_FULL are read as such under YBR_FULL_422, with a notice.

    Some decompressors leave the old tag.
    """
    film = np.dstack([GREY, np.full_like(GREY, 128), np.full_like(GREY, 128)])
    ds = dataset(film, bits_stored=8, photometric="YBR_FULL_422")
    read = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(read.pixels, GREY)
    assert "PixelData is as long as YBR_FULL" in said(read)["header_irregular"]


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
@pytest.mark.parametrize("is_planar", [False, True])
@pytest.mark.parametrize("says_planar", [False, True])
def test_the_samples_of_grey_show_how_they_lie(
    tmp_path: Path, photometric: str, *, is_planar: bool, says_planar: bool
) -> None:
    """A wrong PlanarConfiguration is detected and reported, and the film is read correctly."""
    chroma = np.full_like(GREY, 128) if photometric == "YBR_FULL" else GREY
    film = np.dstack([GREY, chroma, chroma])
    film[:3, :3] = (250, 10, 200)
    ds = dataset(film, bits_stored=8, photometric=photometric, PlanarConfiguration=int(says_planar))
    if is_planar:
        ds.PixelData = np.moveaxis(film, -1, 0).tobytes()
    read = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(read.pixels[3:], GREY[3:])
    is_told = f"PlanarConfiguration is {int(says_planar)}" in said(read).get("header_irregular", "")
    assert is_told == (is_planar != says_planar)


@pytest.mark.parametrize("bits", [8, 12])
def test_three_samples_that_are_called_one(tmp_path: Path, bits: int) -> None:
    """Three samples per pixel that are declared as one are detected and reported."""
    grey = (GREY.astype(np.uint16) << bits - 8).astype(np.uint8 if bits == 8 else np.uint16)
    ds = dataset(np.dstack([grey] * 3), bits_stored=bits, photometric="RGB")
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    read = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(read.pixels, grey)
    assert "SamplesPerPixel is 1, but PixelData holds three" in said(read)["header_irregular"]


@pytest.mark.parametrize("packing", ["jpeg_ls", "jpeg2000", "jpeg_lossless", "rle"])
@pytest.mark.parametrize("samples", [1, 3])
def test_samples_of_a_codestream(tmp_path: Path, packing: str, samples: int) -> None:
    """The codestream's number of samples is used, with a notice; colour is still refused."""
    says: dict[str, Any] = {"SamplesPerPixel": 4 - samples}
    says["PhotometricInterpretation"] = "RGB" if samples == 1 else "MONOCHROME2"
    film = GREY if samples == 1 else np.dstack([GREY] * 3)
    ds = dataset(film, bits_stored=8, photometric="RGB", packing=packing, **says)
    path = tmp_path / "a.dcm"
    read = read_radiograph(save(ds, path))
    np.testing.assert_array_equal(read.pixels, GREY)
    message = said(read)["header_irregular"]
    assert message.startswith(f"SamplesPerPixel is {4 - samples}, but the compressed picture has")
    if samples == 3:
        red = with_marker(100, 100)
        save(dataset(red, bits_stored=8, photometric="RGB", packing=packing, **says), path)
        with pytest.raises(UnreadableFileError, match="colour photograph"):
            read_radiograph(path)
