"""Public CR and DX files of several manufacturers, if the checkout has them."""

from pathlib import Path

import numpy as np
import pytest

from lesionscan.radiograph import Radiograph
from lesionscan.reading import UnreadableFileError, read_radiograph

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "dicom"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="shared/data/dicom is not here")


def read(name: str) -> Radiograph:
    """Read one of the files."""
    return read_radiograph(FOLDER / f"{name}.dcm")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("RG2_RLE", "RG2_J2KR"),
        ("RG2_RLE", "RG2_JLSL"),
        ("RG2_RLE", "RG2_JPLL"),
        ("RG3_J2KR", "RG3_JPLL"),
    ],
)
def test_lossless_variants_are_equal(one: str, other: str) -> None:
    """All lossless compressions of a film give the same values."""
    np.testing.assert_array_equal(read(one).pixels, read(other).pixels)


@pytest.mark.parametrize(("lossy", "lossless"), [("RG2_JPLY", "RG2_RLE"), ("RG3_JPLY", "RG3_JPLL")])
def test_lossy_variants_are_close(lossy: str, lossless: str) -> None:
    """Lossy JPEG of 12 bits differs little from the lossless film, and hardly at all on average."""
    difference = read(lossy).pixels - read(lossless).pixels
    assert np.abs(difference).mean() < 6
    assert abs(difference.mean()) < 1
    assert np.percentile(np.abs(difference), 99.9) < 80


@pytest.mark.parametrize(
    ("name", "shape", "photometric"),
    [
        ("CR-ModalitySequenceLUT", (1576, 1976), "MONOCHROME1"),
        ("CR_chest_MONOCHROME1_JPEG", (1024, 1024), "MONOCHROME1"),
        ("CR_hand_12bit_J2KR", (2500, 2048), "MONOCHROME2"),
        ("DX_chest_inverse_J2KR", (2128, 2000), "MONOCHROME1"),
        ("RG1_J2KI", (1955, 1841), "MONOCHROME1"),
        ("RG3_JPLL", (1760, 1760), "MONOCHROME1"),
        ("mlut_18", (512, 512), "MONOCHROME2"),
        ("vlut_04", (512, 512), "MONOCHROME2"),
    ],
)
def test_radiographs_are_read(name: str, shape: tuple[int, int], photometric: str) -> None:
    """Radiographs are read with the size and PhotometricInterpretation of the file."""
    radiograph = read(name)
    assert radiograph.shape == shape
    assert radiograph.photometric_interpretation == photometric
    assert radiograph.pixels.std() > 0


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("CR_no_pixels_japanese", "no_pixels"),
        ("MR_truncated", "not_a_radiograph"),
        ("no_meta", "not_an_image"),
    ],
)
def test_others_are_refused(name: str, code: str) -> None:
    """Files without pixels, of another modality or without a plausible header are refused."""
    with pytest.raises(UnreadableFileError, match=";") as caught:
        read(name)
    assert caught.value.code == code


def test_spacing_of_zero_is_none() -> None:
    """A PixelSpacing of 0 mm, as in RG1, gives no spacing, and the notice names the tag."""
    radiograph = read("RG1_J2KI")
    assert radiograph.spacing is None
    notices = {entry.code: entry.message for entry in radiograph.notices}
    assert "PixelSpacing is 0 mm" in notices["bad_spacing"]


def test_equal_spacing_tags_mean_the_detector() -> None:
    """PixelSpacing that equals ImagerPixelSpacing, as in the hand, applies at the detector."""
    spacing = read("CR_hand_12bit_J2KR").spacing
    assert spacing is not None
    assert (spacing.row_mm, spacing.plane, spacing.calibrated) == (0.115, "detector", False)


def test_bone_is_bright() -> None:
    """In RG3 the shaft of the tibia is brighter than the lesion in it and soft tissue beside it."""
    pixels = read("RG3_J2KR").pixels
    lesion = pixels[1060:1160, 830:880].mean()
    shaft = pixels[500:700, 780:900].mean()
    soft_tissue = pixels[500:700, 710:770].mean()
    assert shaft > lesion
    assert shaft > soft_tissue
