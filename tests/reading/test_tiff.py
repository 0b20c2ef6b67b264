"""Samples of the pixels of a TIFF: grey, alpha, or neither."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from lesionscan.radiograph import Radiograph
from lesionscan.reading import UnreadableFileError, read_radiograph

GREY = np.linspace(0, 65535, 60 * 70).round().astype(np.uint16).reshape(60, 70)
GREY8 = (GREY >> 8).astype(np.uint8)
MASK = np.zeros_like(GREY)
MASK[20:30, 20:40] = 65535


def written(
    folder: Path,
    planes: list[NDArray[Any]],
    kinds: list[str],
    **options: Any,  # noqa: ANN401
) -> Radiograph:
    """Write planes and read the film back."""
    stack = np.stack(planes, 0 if options.get("planarconfig") == "separate" else -1)
    tifffile.imwrite(folder / "a.tif", stack, extrasamples=kinds, metadata=None, **options)
    return read_radiograph(folder / "a.tif")


def codes(radiograph: Radiograph) -> set[str]:
    """Return the codes of all notices."""
    return {entry.code for entry in radiograph.notices}


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("extra", [MASK, 0 * MASK, GREY])
def test_an_unspecified_sample_is_no_opacity(
    tmp_path: Path,
    planarconfig: str,
    photometric: str,
    compression: str | None,
    extra: NDArray[np.uint16],
) -> None:
    """An unspecified extra sample is ignored with a notice, and all pixels are valid."""
    read = written(
        tmp_path,
        [GREY, extra],
        ["unspecified"],
        photometric=photometric,
        planarconfig=planarconfig,
        compression=compression,
    )
    expected = 65535 - GREY if photometric == "miniswhite" else GREY
    np.testing.assert_array_equal(read.pixels, expected)
    assert read.valid.all()
    assert "extra_samples_ignored" in codes(read)


@pytest.mark.parametrize("kind", ["assocalpha", "unassalpha"])
def test_opacity_is_still_opacity(tmp_path: Path, kind: str) -> None:
    """ExtraSamples 1 and 2 (alpha) determine which pixels are valid."""
    options: dict[str, Any] = {"photometric": "minisblack", "planarconfig": "contig"}
    read = written(tmp_path, [GREY, MASK], [kind], **options)
    np.testing.assert_array_equal(read.valid, MASK > 0)
    assert "extra_samples_ignored" not in codes(read)


def test_opacity_beside_another_sample(tmp_path: Path) -> None:
    """Alpha is found among other extra samples, in either order, with grey and with colour."""
    grey: dict[str, Any] = {"photometric": "minisblack", "planarconfig": "contig"}
    colour: dict[str, Any] = {"photometric": "rgb", "planarconfig": "contig"}
    full = np.full_like(GREY, 65535)
    for planes, kinds, options in (
        ([GREY, 0 * GREY, MASK], ["unspecified", "unassalpha"], grey),
        ([GREY, MASK, full], ["unassalpha", "unspecified"], grey),
        ([GREY, GREY, GREY, 0 * GREY, MASK], ["unspecified", "unassalpha"], colour),
    ):
        read = written(tmp_path, planes, kinds, **options)
        np.testing.assert_array_equal(read.pixels, GREY)
        np.testing.assert_array_equal(read.valid, MASK > 0)
        assert "extra_samples_ignored" in codes(read)


@pytest.mark.parametrize("kinds", [["unspecified"], ["unspecified"] * 2])
def test_colour_with_unspecified_samples(tmp_path: Path, kinds: list[str]) -> None:
    """Equal channels with unspecified extra samples are read as grey, with a notice."""
    planes = [GREY] * 3 + [MASK] * len(kinds)
    read = written(tmp_path, planes, kinds, photometric="rgb", planarconfig="contig")
    np.testing.assert_array_equal(read.pixels, GREY)
    assert read.valid.all()
    assert "extra_samples_ignored" in codes(read)


def test_signed_opacity(tmp_path: Path) -> None:
    """The maximum of a signed alpha is opaque."""
    alpha = np.where(MASK > 0, 32767, 0).astype(np.int16)
    read = written(
        tmp_path,
        [GREY.astype(np.int16), alpha],
        ["unassalpha"],
        photometric="minisblack",
        planarconfig="contig",
    )
    np.testing.assert_array_equal(read.valid, MASK > 0)


def as_palette(path: Path, ramp: NDArray[np.uint16]) -> None:
    """Convert a grey TIFF to one with a palette."""
    tags = ((320, "H", 768, np.concatenate([ramp] * 3).tolist(), True),)
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        array, kinds = page.asarray(), [int(kind) for kind in page.extrasamples]
    tifffile.imwrite(
        path,
        array,
        photometric="minisblack",
        extrasamples=kinds or None,
        planarconfig="contig" if array.ndim == 3 else None,
        extratags=tags,
        metadata=None,
    )
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        page.tags["PhotometricInterpretation"].overwrite(3)


@pytest.mark.parametrize("kind", [None, "unspecified", "unassalpha"])
@pytest.mark.parametrize("falling", [False, True])
def test_palette_with_an_extra_sample(tmp_path: Path, kind: str | None, falling: bool) -> None:
    """The palette is applied to the index only; alpha is used as alpha."""
    path = tmp_path / "a.tif"
    mask = (MASK >> 8).astype(np.uint8)
    tifffile.imwrite(
        path,
        GREY8 if kind is None else np.dstack([GREY8, mask]),
        photometric="minisblack",
        extrasamples=None if kind is None else [kind],
        planarconfig=None if kind is None else "contig",
        metadata=None,
    )
    ramp = (np.arange(256, dtype=np.uint16) * 257)[:: -1 if falling else 1]
    as_palette(path, ramp)
    read = read_radiograph(path)
    np.testing.assert_array_equal(read.pixels, ramp[GREY8])
    np.testing.assert_array_equal(read.valid, (mask > 0) | (kind != "unassalpha"))
    assert ("extra_samples_ignored" in codes(read)) == (kind == "unspecified")


def test_palette_of_colours_with_an_extra_sample(tmp_path: Path) -> None:
    """A coloured palette with an extra sample is refused as a colour photograph."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        np.dstack([GREY8, GREY8]),
        photometric="minisblack",
        extrasamples=["unspecified"],
        planarconfig="contig",
        metadata=None,
    )
    as_palette(path, np.arange(256, dtype=np.uint16) * 257)
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        page.tags["ColorMap"].overwrite([0] * 256 + [40000] * 256 + [0] * 256)
    with pytest.raises(UnreadableFileError, match="colour photograph"):
        read_radiograph(path)


def test_stacks_of_samples_are_refused(tmp_path: Path) -> None:
    """Six samples per pixel are refused as several images."""
    with pytest.raises(UnreadableFileError, match="several pictures"):
        written(
            tmp_path,
            [GREY] * 6,
            ["unspecified"] * 5,
            photometric="minisblack",
            planarconfig="contig",
        )


@pytest.mark.parametrize("claimed", [GREY.nbytes + 1, 35_711_440])
def test_a_strip_that_claims_too_many_bytes(tmp_path: Path, claimed: int) -> None:
    """Uncompressed pixels that are complete are read even if StripByteCounts is too large."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY, photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags["StripByteCounts"].overwrite(claimed)
    np.testing.assert_array_equal(read_radiograph(path).pixels, GREY)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UnreadableFileError, match="ends before the picture"):
        read_radiograph(path)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_tiff_that_does_not_say_what_is_white(tmp_path: Path, channels: int) -> None:
    """Without PhotometricInterpretation, bright bone is assumed, and a notice says so."""
    path = tmp_path / "a.tif"
    film = GREY if channels == 1 else np.dstack([GREY] * 3)
    photometric = "minisblack" if channels == 1 else "rgb"
    tifffile.imwrite(path, film, photometric=photometric, metadata=None)
    data = bytearray(path.read_bytes())
    entry = data.index((262).to_bytes(2, "little") + (3).to_bytes(2, "little"))
    data[entry : entry + 2] = (263).to_bytes(2, "little")  # Threshholding, an unrelated tag
    path.write_bytes(data)
    read = read_radiograph(path)
    np.testing.assert_array_equal(read.pixels, GREY)
    assert (read.polarity, read.photometric_interpretation) == ("assumed", None)
    assert "polarity_assumed" in codes(read)
