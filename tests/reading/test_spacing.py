"""Which spacing tag is believed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionscan.reading.spacing import Millimetres, SpacingTags, choose_spacing

SAME = (0.15, 0.15)
OTHER = (0.13, 0.13)


@pytest.mark.parametrize(
    ("tags", "source", "plane", "row_mm"),
    [
        (
            SpacingTags(pixel_spacing=SAME, calibration_type="FIDUCIAL"),
            "PixelSpacing",
            "patient",
            0.15,
        ),
        (
            SpacingTags(SAME, imager_pixel_spacing=SAME, calibration_type="GEOMETRY"),
            "PixelSpacing",
            "patient",
            0.15,
        ),
        (SpacingTags(OTHER, imager_pixel_spacing=SAME), "PixelSpacing", "patient", 0.13),
        (SpacingTags(OTHER, nominal_scanned_pixel_spacing=SAME), "PixelSpacing", "patient", 0.13),
        (SpacingTags(SAME, imager_pixel_spacing=SAME), "ImagerPixelSpacing", "detector", 0.15),
        (
            SpacingTags((0.1439, 0.1439), imager_pixel_spacing=(0.144, 0.144)),
            "ImagerPixelSpacing",
            "detector",
            0.144,
        ),
        (SpacingTags(imager_pixel_spacing=SAME), "ImagerPixelSpacing", "detector", 0.15),
        (
            SpacingTags(nominal_scanned_pixel_spacing=SAME),
            "NominalScannedPixelSpacing",
            "film",
            0.15,
        ),
        (
            SpacingTags(SAME, nominal_scanned_pixel_spacing=SAME),
            "NominalScannedPixelSpacing",
            "film",
            0.15,
        ),
        (SpacingTags(pixel_spacing=SAME), "PixelSpacing", "undetermined", 0.15),
        (
            SpacingTags(pixel_spacing=(0, 0), imager_pixel_spacing=SAME),
            "ImagerPixelSpacing",
            "detector",
            0.15,
        ),
    ],
)
def test_ladder(tags: SpacingTags, source: str, plane: str, row_mm: float) -> None:
    """Each rung of PS3.3 10.7.1 gives its source, plane and numbers."""
    spacing, _ = choose_spacing(tags)
    assert spacing is not None
    assert (spacing.source, spacing.plane, spacing.row_mm) == (source, plane, row_mm)
    assert spacing.calibrated == (plane == "patient")


def test_nothing_tagged_is_no_spacing() -> None:
    """Without any tag there are no millimetres, and the reason is given."""
    spacing, notices = choose_spacing(SpacingTags())
    assert spacing is None
    assert [entry.code for entry in notices] == ["no_spacing"]
    assert "sizes are in pixels" in notices[0].message


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((0.0, 0.0), "is 0 mm, which is no distance"),
        ((-0.1, 0.1), "is -0.1 mm, which is no distance"),
        ((math.nan, 0.1), "is not a finite number"),
        ((math.inf, math.inf), "is not a finite number"),
        ((150.0, 150.0), "is outside 0.005 to 10 mm"),
        ((0.0001, 0.0001), "is outside 0.005 to 10 mm"),
        ((0.1, 1.0), "far from square"),
        ((0.1,), "holds 1 numbers instead of two"),
        ((0.1, 0.1, 0.1), "holds 3 numbers instead of two"),
    ],
)
def test_impossible_values_are_named(values: Millimetres, reason: str) -> None:
    """A value that cannot be true gives no spacing, and the notice names tag and fault."""
    spacing, notices = choose_spacing(SpacingTags(pixel_spacing=values))
    assert spacing is None
    assert [entry.code for entry in notices] == ["bad_spacing", "no_spacing"]
    assert notices[0].message.startswith("PixelSpacing ")
    assert reason in notices[0].message


def test_magnification_moves_the_detector_to_the_patient() -> None:
    """Detector spacing 0.15 mm at magnification 1.5 is 0.1 mm in the patient."""
    spacing, notices = choose_spacing(SpacingTags(imager_pixel_spacing=SAME, magnification=1.5))
    assert spacing is not None
    assert spacing.row_mm == pytest.approx(0.1)
    assert spacing.column_mm == pytest.approx(0.1)
    assert spacing.plane == "patient"
    assert not spacing.calibrated
    assert spacing.source == "ImagerPixelSpacing/EstimatedRadiographicMagnificationFactor"
    assert [entry.code for entry in notices] == ["magnification_corrected"]


@pytest.mark.parametrize("magnification", [0.0, 0.5, 3.5, 65.0, math.nan, -2.0])
def test_impossible_magnification_is_ignored(magnification: float) -> None:
    """A magnification outside 1 to 3 corrects nothing, and it is said."""
    spacing, notices = choose_spacing(
        SpacingTags(imager_pixel_spacing=SAME, magnification=magnification)
    )
    assert spacing is not None
    assert (spacing.row_mm, spacing.plane) == (0.15, "detector")
    assert [entry.code for entry in notices] == ["bad_spacing"]


def test_magnification_of_one_says_nothing() -> None:
    """A factor of exactly 1 is a device's default: the spacing stays at the detector."""
    spacing, notices = choose_spacing(SpacingTags(imager_pixel_spacing=SAME, magnification=1.0))
    assert spacing is not None
    assert spacing.plane == "detector"
    assert notices == ()


def test_calibrated_spacing_is_not_magnified_again() -> None:
    """A calibrated PixelSpacing is in the patient already."""
    spacing, notices = choose_spacing(
        SpacingTags(OTHER, imager_pixel_spacing=SAME, magnification=1.5)
    )
    assert spacing is not None
    assert spacing.row_mm == 0.13
    assert notices == ()


numbers = st.none() | st.lists(st.floats(), max_size=3).map(tuple)


@given(numbers, numbers, numbers, st.none() | st.floats())
def test_any_numbers_give_a_spacing_or_a_reason(
    pixel: Millimetres | None,
    imager: Millimetres | None,
    film: Millimetres | None,
    magnification: float | None,
) -> None:
    """Whatever the tags hold, `no_spacing` is reported exactly when there is none."""
    spacing, notices = choose_spacing(SpacingTags(pixel, imager, film, magnification=magnification))
    assert (spacing is None) == ("no_spacing" in {entry.code for entry in notices})
