"""Reading of DICOM files: values, bits, transforms, refusals and privacy."""

import contextlib
import io
import logging
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence as DicomSequence
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless

from lesionscan.radiograph import Radiograph
from lesionscan.reading import UnreadableFileError, read_radiograph
from lesionscan.reading.dicom import dicom_frames
from lesionscan.settings import Settings
from tests.reading import dicom_maker
from tests.reading.dicom_maker import SENTINEL, dataset, encode, plant_text, ramp, save

Array = dicom_maker.Array


def codes(radiograph: Radiograph) -> set[str]:
    """Return the codes of all notices."""
    return {entry.code for entry in radiograph.notices}


def error_code(path: Path, **limits: float) -> str:
    """Return the error code of a refused file; its message is one line without the path."""
    with pytest.raises(UnreadableFileError) as caught:
        read_radiograph(path, settings=Settings(**limits))
    assert "\n" not in str(caught.value)
    assert str(path) not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 15, 16])
@pytest.mark.parametrize("packing", [*dicom_maker.NATIVE, *dicom_maker.LOSSLESS])
@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
def test_lossless_values_are_exact(
    tmp_path: Path, packing: str, bits: int, photometric: str, *, signed: bool, left: bool
) -> None:
    """Lossless encodings keep every stored value, whether right- or left-aligned in its cell.

    MONOCHROME1 is inverted once.
    """
    stored = ramp(bits, signed=signed)
    path = save(
        dataset(
            stored, bits_stored=bits, photometric=photometric, signed=signed, packing=packing,
            high_bit=15 if left else None, bits_allocated=16 if left else None,
        ),
        tmp_path / "a.dcm",
    )  # fmt: skip
    radiograph = read_radiograph(path)
    expected = stored
    if photometric == "MONOCHROME1":
        expected = (-1 if signed else (1 << bits) - 1) - stored
    np.testing.assert_array_equal(radiograph.pixels, expected)
    assert radiograph.photometric_interpretation == photometric
    assert radiograph.polarity == "stated"
    assert radiograph.valid.all()
    assert codes(radiograph) == {"no_spacing"}
    assert radiograph.acquisition["bits_stored"] == bits


@pytest.mark.parametrize(
    ("packing", "bits", "tolerance"),
    [
        ("jpeg_baseline", 8, 4),
        ("jpeg_extended", 12, 8),
        ("jpeg_ls_near", 12, 2),
        ("jpeg2000_lossy", 12, 40),
    ],
)
def test_lossy_values_are_close_and_in_range(
    tmp_path: Path, packing: str, bits: int, tolerance: int
) -> None:
    """Values of lossy codecs are close to the original, and never wrap at the ends of the range."""
    stored = ramp(bits, rows=32, columns=64)
    path = save(dataset(stored, bits_stored=bits, packing=packing), tmp_path / "a.dcm")
    pixels = read_radiograph(path).pixels
    assert np.abs(pixels - stored).max() <= tolerance
    assert pixels.min() >= 0
    assert pixels.max() <= (1 << bits) - 1


def test_lossy_overshoot_is_clipped(tmp_path: Path) -> None:
    """Values of a 12-bit codec above the 10 stored bits are clipped, not wrapped to black."""
    stored = np.full((16, 16), 1023)
    ds = dataset(stored, bits_stored=10, packing="jpeg_extended")
    frame = encode(np.full((16, 16), 1024, dtype=np.uint16), 12, "jpeg_extended")
    ds.PixelData = encapsulate([frame])
    np.testing.assert_array_equal(read_radiograph(save(ds, tmp_path / "a.dcm")).pixels, stored)


@pytest.mark.parametrize("packing", ["explicit", "big_endian", "rle", "jpeg_ls"])
@pytest.mark.parametrize("signed", [False, True])
def test_left_aligned_values_are_shifted(tmp_path: Path, packing: str, *, signed: bool) -> None:
    """With HighBit 15 and 12 bits stored, the value is taken from the upper bits of its cell."""
    stored = ramp(12, signed=signed)
    path = save(
        dataset(stored, bits_stored=12, high_bit=15, signed=signed, packing=packing),
        tmp_path / "a.dcm",
    )
    np.testing.assert_array_equal(read_radiograph(path).pixels, stored)


def test_bits_outside_the_value_are_dropped(tmp_path: Path) -> None:
    """An old overlay in the unused high bits does not change the grey values."""
    stored = ramp(12)
    ds = dataset(stored, bits_stored=12)
    cells = np.frombuffer(ds.PixelData, dtype="<u2") | 0x8000
    ds.PixelData = cells.tobytes()
    np.testing.assert_array_equal(read_radiograph(save(ds, tmp_path / "a.dcm")).pixels, stored)


@pytest.mark.parametrize("signed", [False, True])
def test_32_bits_are_read(tmp_path: Path, *, signed: bool) -> None:
    """16-bit values in cells of 32 bits are read exactly, with a notice about the precision.

    float32 is exact below 2**24.
    """
    stored = ramp(16, signed=signed)
    ds = dataset(stored, bits_stored=32, bits_allocated=32, signed=signed)
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, stored)
    assert "precision_reduced" in codes(radiograph)
    ds.PhotometricInterpretation = "MONOCHROME1"
    inverse = read_radiograph(save(ds, tmp_path / "b.dcm")).pixels
    np.testing.assert_array_equal(inverse, stored.min() + stored.max() - stored)


@given(
    stored=st.integers(1, 16).flatmap(
        lambda bits: st.tuples(
            st.just(bits),
            st.lists(st.integers(0, (1 << bits) - 1), min_size=6, max_size=6),
        )
    ),
    slope=st.sampled_from([1.0, 0.5, -2.0, 1.37]),
    intercept=st.sampled_from([0.0, -1024.0, 3.3]),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_complement_of_monochrome1_is_monochrome2(
    tmp_path: Path, stored: tuple[int, list[int]], slope: float, intercept: float
) -> None:
    """An image as MONOCHROME2 equals its complement as MONOCHROME1, with rescale or without."""
    bits, values = stored
    picture = np.array(values).reshape(2, 3)
    tags: dict[str, Any] = {"RescaleSlope": slope, "RescaleIntercept": intercept}
    one = dataset((1 << bits) - 1 - picture, bits_stored=bits, photometric="MONOCHROME1", **tags)
    two = dataset(picture, bits_stored=bits, photometric="MONOCHROME2", **tags)
    np.testing.assert_allclose(
        read_radiograph(save(one, tmp_path / "1.dcm")).pixels,
        read_radiograph(save(two, tmp_path / "2.dcm")).pixels,
        rtol=1e-6,
        atol=1e-3,
    )


def test_rescale_is_applied(tmp_path: Path) -> None:
    """RescaleSlope and RescaleIntercept are applied."""
    stored = np.array([[0, 100], [200, 4095]])
    ds = dataset(stored, bits_stored=12, RescaleSlope="2", RescaleIntercept="-1024")
    np.testing.assert_array_equal(
        read_radiograph(save(ds, tmp_path / "a.dcm")).pixels, [[-1024, -824], [-624, 7166]]
    )


@pytest.mark.parametrize("packing", ["explicit", "implicit"])
def test_empty_rescale_is_identity(tmp_path: Path, packing: str) -> None:
    """Empty rescale tags, which some devices write, change nothing."""
    stored = ramp(12)
    ds = dataset(stored, bits_stored=12, packing=packing, RescaleSlope="", RescaleIntercept="")
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, stored)
    assert codes(radiograph) == {"no_spacing"}


def test_zero_slope_is_refused_with_a_notice(tmp_path: Path) -> None:
    """With a slope of zero, the stored values are used, and a notice says so."""
    stored = ramp(12)
    ds = dataset(stored, bits_stored=12, RescaleSlope="0", RescaleIntercept="5")
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, stored)
    assert "bad_rescale" in codes(radiograph)


def lut_item(
    descriptor: list[int], entries: list[int] | bytes, *, vr: str = "US", signed: bool = False
) -> DicomSequence:
    """Return a ModalityLUTSequence of one table."""
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if signed else "US", descriptor)
    item.add_new("LUTData", vr, entries)
    item.ModalityLUTType = "US"
    return DicomSequence([item])


@pytest.mark.parametrize("depth", range(8, 17))
@pytest.mark.parametrize("packing", ["explicit", "implicit", "big_endian"])
def test_modality_lut_of_any_depth(tmp_path: Path, packing: str, depth: int) -> None:
    """Tables of 8 to 16 bits are applied; values outside take the first or last entry."""
    stored = np.array([[0, 10], [11, 300]])
    top = (1 << depth) - 1
    entries = [3, top // 2, top]
    ds = dataset(stored, bits_stored=12, packing=packing)
    ds.ModalityLUTSequence = lut_item([3, 10, depth], entries)
    pixels = read_radiograph(save(ds, tmp_path / "a.dcm")).pixels
    np.testing.assert_array_equal(pixels, [[3, 3], [top // 2, top]])


@pytest.mark.parametrize("packing", ["explicit", "big_endian"])
def test_packed_eight_bit_modality_lut(tmp_path: Path, packing: str) -> None:
    """Eight-bit entries packed two to a word are unpacked; 12-bit pixels do not wrap at 256."""
    stored = np.array([[0, 1], [255, 300]])
    entries = bytes(range(255, -1, -1))
    if packing == "big_endian":
        entries = np.frombuffer(entries, dtype="<u2").astype(">u2").tobytes()
    ds = dataset(stored, bits_stored=12, packing=packing)
    ds.ModalityLUTSequence = lut_item([256, 0, 8], entries, vr="OW")
    pixels = read_radiograph(save(ds, tmp_path / "a.dcm")).pixels
    np.testing.assert_array_equal(pixels, [[255, 254], [0, 0]])


@pytest.mark.parametrize("vr_signed", [True, False])
def test_modality_lut_with_signed_first_value(tmp_path: Path, *, vr_signed: bool) -> None:
    """The first mapped value is signed if the pixels are, whether its VR is SS or US."""
    stored = np.array([[-4, -2], [-1, 5]])
    ds = dataset(stored, bits_stored=12, signed=True)
    first = -2 if vr_signed else 65534
    ds.ModalityLUTSequence = lut_item([2, first, 16], [7, 9], signed=vr_signed)
    pixels = read_radiograph(save(ds, tmp_path / "a.dcm")).pixels
    np.testing.assert_array_equal(pixels, [[7, 7], [9, 9]])


@pytest.mark.parametrize(
    ("descriptor", "entries"), [([3, 0, 16], [1, 2]), ([2, 0, 4], [1, 2]), ([2, 0], [1, 2])]
)
def test_unusable_modality_lut_is_said(
    tmp_path: Path, descriptor: list[int], entries: list[int]
) -> None:
    """A table that is too short, or has no valid depth, is ignored with a notice."""
    stored = ramp(10)
    ds = dataset(stored, bits_stored=10)
    ds.ModalityLUTSequence = lut_item(descriptor, entries)
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, stored)
    assert "bad_rescale" in codes(radiograph)


def test_padding_is_not_valid(tmp_path: Path) -> None:
    """Pixels from PixelPaddingValue to PixelPaddingRangeLimit are marked as not valid."""
    stored = np.array([[0, 1], [2, 500]])
    ds = dataset(stored, bits_stored=12, PixelPaddingValue=0)
    assert read_radiograph(save(ds, tmp_path / "a.dcm")).valid.tolist() == [
        [False, True],
        [True, True],
    ]
    ds.PixelPaddingRangeLimit = 2
    assert read_radiograph(save(ds, tmp_path / "a.dcm")).valid.tolist() == [
        [False, False],
        [False, True],
    ]


def test_padding_value_of_either_sign(tmp_path: Path) -> None:
    """An unsigned padding value for signed pixels is compared by its bit pattern."""
    stored = np.array([[-2000, 1], [2, 500]])
    ds = dataset(stored, bits_stored=16, signed=True)
    ds.add_new("PixelPaddingValue", "US", 65536 - 2000)
    assert not read_radiograph(save(ds, tmp_path / "a.dcm")).valid[0, 0]


def test_only_padding_is_no_picture(tmp_path: Path) -> None:
    """An image that contains only padding is refused."""
    ds = dataset(np.zeros((4, 4), dtype=int), bits_stored=12, PixelPaddingValue=0)
    path = save(ds, tmp_path / "a.dcm")
    assert error_code(path) == "no_pixels"
    with pytest.raises(UnreadableFileError, match="every pixel is marked as padding"):
        read_radiograph(path)


@pytest.mark.parametrize(
    ("photometric", "shape", "disagrees"),
    [
        ("MONOCHROME1", "INVERSE", False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME1", "IDENTITY", True),
        ("MONOCHROME2", "INVERSE", True),
    ],
)
def test_presentation_lut_shape_never_inverts(
    tmp_path: Path, photometric: str, shape: str, *, disagrees: bool
) -> None:
    """Only PhotometricInterpretation inverts; a contradicting PresentationLUTShape is reported."""
    stored = ramp(12)
    ds = dataset(stored, bits_stored=12, photometric=photometric, PresentationLUTShape=shape)
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    expected = stored if photometric == "MONOCHROME2" else 4095 - stored
    np.testing.assert_array_equal(radiograph.pixels, expected)
    assert ("polarity_disagreement" in codes(radiograph)) is disagrees


def test_raw_linear_values_become_logarithmic(tmp_path: Path) -> None:
    """Linear For Processing values are converted to attenuation, with bright bone."""
    stored = np.array([[4095, 1023], [255, 0]])
    tags: dict[str, Any] = {
        "PresentationIntentType": "FOR PROCESSING",
        "PixelIntensityRelationship": "LIN",
    }
    ds = dataset(
        stored, bits_stored=12, photometric="MONOCHROME1", PixelIntensityRelationshipSign=1, **tags
    )
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_allclose(radiograph.pixels, np.log([[1, 4], [16, 4096]]), rtol=1e-6)
    assert "for_processing" in codes(radiograph)
    ds = dataset(4095 - stored, bits_stored=12, PixelIntensityRelationshipSign=-1, **tags)
    same = read_radiograph(save(ds, tmp_path / "b.dcm"))
    np.testing.assert_array_equal(same.pixels, radiograph.pixels)


def test_raw_logarithmic_values_follow_the_sign(tmp_path: Path) -> None:
    """Logarithmic For Processing values are inverted if PixelIntensityRelationshipSign is 1.

    They are kept if it is -1.
    """
    stored = ramp(12)
    tags: dict[str, Any] = {
        "PresentationIntentType": "FOR PROCESSING",
        "PixelIntensityRelationship": "LOG",
    }
    ds = dataset(stored, bits_stored=12, PixelIntensityRelationshipSign=1, **tags)
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, 4095 - stored)
    assert {"for_processing", "polarity_disagreement"} <= codes(radiograph)
    ds.PixelIntensityRelationshipSign = -1
    radiograph = read_radiograph(save(ds, tmp_path / "b.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, stored)
    assert "for_processing" in codes(radiograph)
    assert "polarity_disagreement" not in codes(radiograph)


def test_raw_values_without_relation_are_kept(tmp_path: Path) -> None:
    """For Processing values without a stated intensity relationship are kept, with a notice."""
    stored = ramp(12)
    ds = dataset(stored, bits_stored=12, PresentationIntentType="FOR PROCESSING")
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, stored)
    assert "for_processing" in codes(radiograph)


@pytest.mark.parametrize("packing", ["explicit", "big_endian", "rle", "jpeg_baseline", "jpeg_ls"])
def test_grey_in_three_channels_is_grey(tmp_path: Path, packing: str) -> None:
    """RGB with equal channels is read as grey."""
    stored = ramp(8, rows=16, columns=16)
    ds = dataset(
        np.dstack([stored] * 3).astype(np.uint8),
        bits_stored=8,
        photometric="RGB",
        packing=packing,
    )
    pixels = read_radiograph(save(ds, tmp_path / "a.dcm")).pixels
    assert np.abs(pixels - stored).max() <= (3 if packing == "jpeg_baseline" else 0)


def test_planar_and_luma_chroma_grey(tmp_path: Path) -> None:
    """Grey stored plane by plane, or as luma with grey chroma, is read exactly."""
    stored = ramp(8, rows=4, columns=6).astype(np.uint8)
    ds = dataset(np.dstack([stored] * 3), bits_stored=8, photometric="RGB")
    ds.PlanarConfiguration = 1
    ds.PixelData = np.stack([stored] * 3).tobytes()
    np.testing.assert_array_equal(read_radiograph(save(ds, tmp_path / "a.dcm")).pixels, stored)
    chroma = np.full_like(stored, 128)
    ds = dataset(np.dstack([stored, chroma, chroma]), bits_stored=8, photometric="YBR_FULL")
    np.testing.assert_array_equal(read_radiograph(save(ds, tmp_path / "b.dcm")).pixels, stored)


def test_colour_is_refused(tmp_path: Path) -> None:
    """Different channels, in RGB and YBR, are refused as a colour photograph."""
    stored = np.zeros((4, 4, 3), dtype=np.uint8)
    stored[..., 0] = 200
    for photometric in ("RGB", "YBR_FULL", "YBR_FULL_422"):
        ds = dataset(stored, bits_stored=8, photometric=photometric)
        assert error_code(save(ds, tmp_path / "a.dcm")) == "colour_photograph"


@pytest.mark.parametrize("modality", ["CT", "MR", "US", "PT", "NM", "MG", "RF", "XA"])
def test_other_modalities_are_refused(tmp_path: Path, modality: str) -> None:
    """Images of other modalities are refused, and the message names the modality."""
    path = save(dataset(ramp(12), bits_stored=12, Modality=modality), tmp_path / "a.dcm")
    assert error_code(path) == "not_a_radiograph"
    with pytest.raises(UnreadableFileError, match=f"Modality is {modality}; only CR, DX"):
        read_radiograph(path)


@pytest.mark.parametrize("modality", ["CR", "DX", "RG", "PX", "IO"])
def test_radiographs_are_accepted(tmp_path: Path, modality: str) -> None:
    """Computed, digital, film, panoramic and intra-oral radiographs are read."""
    path = save(dataset(ramp(12), bits_stored=12, Modality=modality), tmp_path / "a.dcm")
    radiograph = read_radiograph(path)
    assert radiograph.acquisition["modality"] == modality
    assert codes(radiograph) == {"no_spacing"}


@pytest.mark.parametrize("modality", ["OT", "", None])
def test_unstated_modality_is_said(tmp_path: Path, modality: str | None) -> None:
    """A film whose Modality is OT, empty or missing is read with a notice.

    It may be a digitised film or a secondary capture.
    """
    path = save(dataset(ramp(12), bits_stored=12, Modality=modality), tmp_path / "a.dcm")
    assert "modality_not_stated" in codes(read_radiograph(path))


@pytest.mark.parametrize(
    ("tags", "code", "message"),
    [
        ({"PixelData": None}, "no_pixels", "holds no PixelData"),
        ({"PixelData": b""}, "no_pixels", "holds no PixelData"),
        ({"Rows": None}, "bad_header", "Rows is missing"),
        ({"Rows": 0}, "bad_header", "Rows is 0"),
        ({"Columns": None}, "bad_header", "Columns is missing"),
        ({"BitsAllocated": None}, "bad_header", "BitsAllocated is missing"),
        ({"BitsAllocated": 12}, "bad_header", "BitsAllocated is 12, not 8, 16 or 32"),
        ({"BitsAllocated": 1}, "not_a_radiograph", "black and white"),
        ({"BitsStored": None}, "bad_header", "BitsStored is missing"),
        ({"SamplesPerPixel": 2}, "bad_header", "SamplesPerPixel is 2, not 1 or 3"),
        ({"PhotometricInterpretation": None}, "bad_header", "PhotometricInterpretation is missing"),
        ({"PhotometricInterpretation": "RGB"}, "bad_header", "does not fit SamplesPerPixel"),
        ({"Rows": 65535, "Columns": 65535}, "too_large", "more than 50 million"),
        ({"Rows": 13}, "truncated", "ends before the picture does"),
    ],
)
def test_bad_headers_are_refused(
    tmp_path: Path, tags: dict[str, Any], code: str, message: str
) -> None:
    """Headers in which a value needed for decoding is missing or impossible are refused."""
    path = save(dataset(ramp(12), bits_stored=12, **tags), tmp_path / "a.dcm")
    with pytest.raises(UnreadableFileError, match=message) as caught:
        read_radiograph(path)
    assert caught.value.code == code


def test_size_limit_is_the_setting(tmp_path: Path) -> None:
    """An image of exactly max_megapixels is read; one with another row is refused."""
    path = save(dataset(ramp(8, rows=10, columns=100), bits_stored=8), tmp_path / "a.dcm")
    assert read_radiograph(path, settings=Settings(max_megapixels=0.001)).shape == (10, 100)
    path = save(dataset(ramp(8, rows=11, columns=100), bits_stored=8), tmp_path / "a.dcm")
    assert error_code(path, max_megapixels=0.001) == "too_large"


@pytest.mark.parametrize("tag", ["HighBit", "PixelRepresentation", "SamplesPerPixel"])
def test_missing_lesser_tags_are_guessed(tmp_path: Path, tag: str) -> None:
    """Missing tags with one likely value are guessed, and reported as irregular."""
    stored = ramp(12)
    ds = dataset(stored, bits_stored=12)
    delattr(ds, tag)
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, stored)
    assert "header_irregular" in codes(radiograph)


@pytest.mark.parametrize("packing", [*dicom_maker.NATIVE, *dicom_maker.LOSSLESS, "jpeg_extended"])
def test_half_files_are_refused(tmp_path: Path, packing: str) -> None:
    """A file cut in its pixel data or its header is refused, in every encoding."""
    ds = dataset(ramp(12, rows=64, columns=64), bits_stored=12, packing=packing)
    path = save(ds, tmp_path / "a.dcm")
    data = path.read_bytes()
    for share in (0.5, 0.9):
        path.write_bytes(data[: int(len(data) * share)])
        assert error_code(path) in {"truncated", "undecodable"}
    path.write_bytes(data[:400])
    assert error_code(path) in {"truncated", "no_pixels"}


def test_excess_pixel_data_are_ignored(tmp_path: Path) -> None:
    """Additional bytes after the pixels, as padding, do not change the grey values."""
    stored = ramp(12)
    ds = dataset(stored, bits_stored=12)
    ds.PixelData += b"\xff" * 50
    np.testing.assert_array_equal(read_radiograph(save(ds, tmp_path / "a.dcm")).pixels, stored)


@pytest.mark.parametrize("packing", ["explicit", "implicit", "big_endian", "jpeg_ls"])
def test_files_without_preamble_and_meta(tmp_path: Path, packing: str) -> None:
    """A bare data set is read if it is plausible; its encoding is detected from the data."""
    stored = ramp(12)
    path = save(dataset(stored, bits_stored=12, packing=packing), tmp_path / "a", preamble=False)
    radiograph = read_radiograph(path)
    np.testing.assert_array_equal(radiograph.pixels, stored)
    assert "header_irregular" in codes(radiograph)
    assert "transfer_syntax" not in radiograph.acquisition


def test_bare_data_set_needs_what_an_image_has(tmp_path: Path) -> None:
    """A bare data set without Rows is refused as not an image."""
    ds = dataset(ramp(12), bits_stored=12, Rows=None)
    path = save(ds, tmp_path / "a", preamble=False)
    assert error_code(path) == "not_an_image"
    with pytest.raises(UnreadableFileError, match="neither DICOM, PNG, JPEG nor TIFF"):
        read_radiograph(path)


def test_deflate_bomb_is_refused(tmp_path: Path) -> None:
    """A small deflated file that inflates to more than a radiograph is refused."""
    ds = dataset(ramp(8), bits_stored=8, packing="deflated")
    path = dicom_maker.inflate_bomb(ds, 80 << 20, tmp_path / "a.dcm")
    assert path.stat().st_size < 1 << 20
    with pytest.raises(UnreadableFileError, match="inflates to more than a radiograph") as caught:
        read_radiograph(path, settings=Settings(max_megapixels=0.1))
    assert caught.value.code == "too_large"


def test_damaged_deflate_is_refused(tmp_path: Path) -> None:
    """Deflated data that are damaged are refused."""
    path = save(dataset(ramp(8), bits_stored=8, packing="deflated"), tmp_path / "a.dcm")
    data = bytearray(path.read_bytes())
    (length,) = struct.unpack_from("<L", data, 140)
    data[144 + length :] = b"\xff" * 60
    path.write_bytes(data)
    assert error_code(path) == "undecodable"
    with pytest.raises(UnreadableFileError, match="deflated data are damaged"):
        read_radiograph(path)


def test_native_data_under_a_compressed_syntax(tmp_path: Path) -> None:
    """Uncompressed pixels under a private transfer syntax are refused."""
    ds = dataset(ramp(12), bits_stored=12)
    path = save(ds, tmp_path / "a.dcm")
    old = str(ExplicitVRLittleEndian).encode() + b"\0"
    new = b"1.2.840.113619.5.2\0\0"
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(UnreadableFileError, match="compressed or private") as caught:
        read_radiograph(path)
    assert caught.value.code == "unsupported_transfer_syntax"


def test_codec_is_chosen_by_content(tmp_path: Path) -> None:
    """A JPEG 2000 codestream that is labelled JPEG-LS is decoded as JPEG 2000."""
    stored = ramp(12)
    ds = dataset(stored, bits_stored=12, packing="jpeg2000")
    ds.file_meta.TransferSyntaxUID = JPEGLSLossless
    np.testing.assert_array_equal(read_radiograph(save(ds, tmp_path / "a.dcm")).pixels, stored)


def test_no_text_of_the_file_gets_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Text planted in every text tag appears in no record, notice, error, log or warning."""
    ds = dataset(ramp(12), bits_stored=12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plant_text(ds)
        good = save(ds, tmp_path / "good.dcm")
        ds.Modality = SENTINEL
        other = save(ds, tmp_path / "other.dcm")
    assert good.read_bytes().count(SENTINEL.encode()) > 1000
    caplog.clear()  # messages of pydicom while writing do not count
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        radiograph = read_radiograph(good)
        with pytest.raises(UnreadableFileError, match="not a known radiograph") as error:
            read_radiograph(other)
    assert {"non_standard_value", "header_irregular"} <= codes(radiograph)
    shown = (repr(radiograph), repr(error.value), caplog.text, *capfd.readouterr())
    assert not any(SENTINEL.lower() in text.lower() for text in shown)
    assert not caught


def test_facts_are_listed(tmp_path: Path) -> None:
    """Coded values and numbers of the allow-list are kept, in the standard's spelling."""
    ds = dataset(
        ramp(12),
        bits_stored=12,
        BodyPartExamined="KNEE",
        ViewPosition="AP",
        ImageLaterality="L",
        KVP="60",
        ExposureTime="12",
        BurnedInAnnotation="YES",
        PatientName="Doe^Jane",
    )
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    assert dict(radiograph.acquisition) == {
        "modality": "DX",
        "body_part_examined": "KNEE",
        "view_position": "AP",
        "image_laterality": "L",
        "kvp": 60,
        "exposure_time": 12,
        "burned_in_annotation": "YES",
        "bits_stored": 12,
        "transfer_syntax": "Explicit VR Little Endian",
    }
    assert "burned_in_annotation" in codes(radiograph)


def test_spacing_comes_from_the_tags(tmp_path: Path) -> None:
    """The spacing is read from the tags in (row, column) order."""
    ds = dataset(ramp(12), bits_stored=12, ImagerPixelSpacing=["0.2", "0.1"])
    spacing = read_radiograph(save(ds, tmp_path / "a.dcm")).spacing
    assert spacing is not None
    assert (spacing.row_mm, spacing.column_mm, spacing.plane) == (0.2, 0.1, "detector")


@given(flips=st.lists(st.tuples(st.integers(132, 1200), st.integers(0, 255)), max_size=8))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_bytes_give_a_radiograph_or_an_error(
    tmp_path: Path, flips: list[tuple[int, int]]
) -> None:
    """For any damaged bytes, the reader returns a radiograph or raises its own error."""
    path = tmp_path / "a.dcm"
    if not path.exists():
        ds = dataset(ramp(12), bits_stored=12, packing="rle", ImagerPixelSpacing=["0.2", "0.1"])
        ds.ModalityLUTSequence = lut_item([3, 10, 12], [1, 2, 3])
        save(ds, path)
    data = bytearray(path.read_bytes())
    for position, value in flips:
        data[position % len(data)] = value
    damaged = tmp_path / "damaged.dcm"
    damaged.write_bytes(data)
    with contextlib.suppress(UnreadableFileError):
        assert read_radiograph(damaged).pixels.size


def test_random_bytes_behind_the_marker(tmp_path: Path) -> None:
    """Random bytes after the DICOM marker are refused."""
    noise = np.random.default_rng(1).bytes(4000)
    path = tmp_path / "a.dcm"
    path.write_bytes(bytes(128) + b"DICM" + noise)
    assert error_code(path) in {"no_pixels", "truncated", "undecodable", "not_a_radiograph"}


@pytest.mark.parametrize(
    "keyword", ["WindowCenter", "ImagerPixelSpacing", "RescaleSlope", "NumberOfFrames", "KVP"]
)
@pytest.mark.parametrize(
    ("vr", "text"), [("FD", "Mr Smith X"), ("IS", "1e400     "), ("XX", "Mr X")]
)
def test_items_in_place_of_numbers_are_irregular(
    tmp_path: Path, keyword: str, vr: str, text: str
) -> None:
    """A sequence in place of a number is reported as irregular, and never converted.

    The conversion could raise any error, and quote text of the file.
    """
    item = Dataset()
    item.add_new((0x0010, 0x1030), "LO", text)
    ds = dataset(ramp(12), bits_stored=12)
    ds.add(DataElement(keyword, "SQ", DicomSequence([item])))
    path = save(ds, tmp_path / "a.dcm")
    tag = b"\x10\x00\x30\x10"
    path.write_bytes(path.read_bytes().replace(tag + b"LO", tag + vr.encode()))
    assert "header_irregular" in codes(read_radiograph(path))


@pytest.mark.filterwarnings("ignore:Invalid value for VR IS")
@pytest.mark.parametrize("value", ["1e300", "2147483648"])
def test_a_huge_number_of_frames_is_irregular(tmp_path: Path, value: str) -> None:
    """A NumberOfFrames too large for IS is reported without its value.

    The frames are counted in the pixel data.
    """
    ds = dataset(ramp(12), bits_stored=12)
    ds[0x0028, 0x0008] = RawDataElement(
        Tag(0x0028, 0x0008), "IS", len(value), value.encode(), 0, False, True
    )
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, ramp(12))
    assert "header_irregular" in codes(radiograph)
    assert not [entry for entry in radiograph.notices if value in entry.message]


def test_damaged_header_is_undecodable(tmp_path: Path) -> None:
    """A header that cannot be parsed is refused with our message, not with that of the parser."""
    path = save(dataset(ramp(12), bits_stored=12, PixelData=None), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes() + b"\x30\x00\x10\x00OB\x00\x00\x01")
    with pytest.raises(UnreadableFileError, match="DICOM header is damaged") as caught:
        read_radiograph(path)
    assert caught.value.code == "undecodable"


class FailingDisk(io.BytesIO):
    """A file on a disk that fails after the first 400 bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, or fail as a disk does."""
        if self.tell() > 400:
            raise OSError(5, "Input/output error")
        return super().read(size)


def test_failing_disk_is_not_called_damage(tmp_path: Path) -> None:
    """An error of the disk while the header is read is not reported as a damaged file."""
    data = save(dataset(ramp(12), bits_stored=12), tmp_path / "a.dcm").read_bytes()
    with pytest.raises(OSError, match="Input/output error"):
        dicom_frames(FailingDisk(data), Settings())


def test_no_other_decoder_is_needed(tmp_path: Path) -> None:
    """Every encoding is read without pylibjpeg, pyjpegls, gdcm, cv2 and Pillow."""
    paths = []
    for packing in dicom_maker.SYNTAXES:
        bits = 8 if packing == "jpeg_baseline" else 12
        ds = dataset(ramp(bits, rows=16, columns=16), bits_stored=bits, packing=packing)
        paths.append(str(save(ds, tmp_path / f"{packing}.dcm")))
    program = (
        "import sys\n"
        "for name in 'pylibjpeg openjpeg libjpeg rle jpeg_ls gdcm cv2 PIL'.split():\n"
        "    sys.modules[name] = None\n"
        "from lesionscan.reading import read_radiograph\n"
        "print([read_radiograph(path).shape for path in sys.argv[1:]].count((16, 16)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *paths],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == str(len(paths)), done.stderr


NOISE = np.random.default_rng(4).integers(0, 256, (64, 48))
"""Pixels in which no two rows are alike."""


@pytest.mark.parametrize(
    "packing",
    ["rle", "jpeg_baseline", "jpeg_extended", "jpeg_lossless", "jpeg_ls", "jpeg2000", "htj2k"],
)
@pytest.mark.parametrize("fragments", [1, 5])
def test_half_films_are_refused(tmp_path: Path, packing: str, fragments: int) -> None:
    """A codestream that is cut and closed, or lacks a part in the middle, is refused."""
    ds = dataset(NOISE, bits_stored=12 if packing == "jpeg_extended" else 8, packing=packing)
    stream = encode(cells_of(ds), ds.BitsStored, packing).rstrip(b"\0")
    third = len(stream) // 6 * 2
    end = b"" if packing == "rle" else b"\xff\xd9"
    ds.PixelData = encapsulate([stream], fragments_per_frame=fragments)
    np.testing.assert_array_equal(read_radiograph(save(ds, tmp_path / "a.dcm")).shape, (64, 48))
    for half in (stream[: third * 2] + end, stream[:third] + stream[third * 2 :]):
        ds.PixelData = encapsulate([half], fragments_per_frame=fragments)
        assert error_code(save(ds, tmp_path / "a.dcm")) in {"truncated", "undecodable"}


def cells_of(ds: Dataset) -> dicom_maker.Array:
    """Return the stored cells of NOISE."""
    return NOISE.astype(f"<u{ds.BitsAllocated // 8}")


def test_surplus_pixel_data_are_told(tmp_path: Path) -> None:
    """Compressed data with surplus bytes are read, and reported as doubtful."""
    ds = dataset(NOISE, bits_stored=8, packing="jpeg_lossless")
    stream = encode(cells_of(ds), 8, "jpeg_lossless").rstrip(b"\0")
    ds.PixelData = encapsulate([stream[:-2] + stream[-60:]])
    radiograph = read_radiograph(save(ds, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(radiograph.pixels, NOISE)
    assert "pixel_data_doubtful" in codes(radiograph)


@pytest.mark.parametrize(
    ("behind", "doubtful"),
    [
        (b"", False),
        (b"\xfc\xff\xfc\xffOB\0\0\4\0\0\0\0\0\0\0", False),  # trailing padding
        (bytes(40), True),
        (b"\1\2\3", True),
        (b"\x28\0\x10\0US\2\0\1\0", True),  # Rows, which belongs before the pixels
    ],
)
def test_deflated_data_end_with_an_element(
    tmp_path: Path, behind: bytes, *, doubtful: bool
) -> None:
    """Surplus bytes after the last element of deflated data are reported as doubtful.

    Deflated data have no checksum, but damage changes lengths, so that bytes are left over.
    """
    path = save(dataset(NOISE, bits_stored=8, packing="deflated"), tmp_path / "a.dcm")
    data = path.read_bytes()
    (length,) = struct.unpack_from("<L", data, 140)
    inflated = zlib.decompress(data[144 + length :], -zlib.MAX_WBITS)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(data[: 144 + length] + packer.compress(inflated + behind) + packer.flush())
    radiograph = read_radiograph(path)
    np.testing.assert_array_equal(radiograph.pixels, NOISE)
    assert ("pixel_data_doubtful" in codes(radiograph)) is doubtful
