"""Choice of the spacing among the tags of a file."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionscan.radiograph import Spacing
from lesionscan.reading import read_radiograph
from lesionscan.reading.spacing import (
    Millimetres,
    SpacingTags,
    choose_aspect,
    choose_spacing,
    users_spacing,
)
from lesionscan.settings import Settings
from tests.reading.dicom_maker import dataset, ramp, save

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
    """Each case of PS3.3 10.7.1 gives its source, plane and spacing."""
    spacing, _ = choose_spacing(tags)
    assert spacing is not None
    assert (spacing.source, spacing.plane, spacing.row_mm) == (source, plane, row_mm)
    assert spacing.calibrated == (plane == "patient")


def test_nothing_tagged_is_no_spacing() -> None:
    """Without any tag there is no spacing, and the notice gives the reason."""
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
    """An impossible value gives no spacing, and the notice names the tag and the fault."""
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
    """A magnification outside 1 to 3 is ignored with a notice."""
    spacing, notices = choose_spacing(
        SpacingTags(imager_pixel_spacing=SAME, magnification=magnification)
    )
    assert spacing is not None
    assert (spacing.row_mm, spacing.plane) == (0.15, "detector")
    assert [entry.code for entry in notices] == ["bad_spacing"]


def test_magnification_of_one_says_nothing() -> None:
    """A magnification of exactly 1 is a device's default: the spacing stays at the detector."""
    spacing, notices = choose_spacing(SpacingTags(imager_pixel_spacing=SAME, magnification=1.0))
    assert spacing is not None
    assert spacing.plane == "detector"
    assert notices == ()


def test_calibrated_spacing_is_not_magnified_again() -> None:
    """A calibrated PixelSpacing applies in the patient and is not corrected again."""
    spacing, notices = choose_spacing(
        SpacingTags(OTHER, imager_pixel_spacing=SAME, magnification=1.5)
    )
    assert spacing is not None
    assert spacing.row_mm == 0.13
    assert [one.code for one in notices] == ["bad_spacing"]  # two different magnifications


numbers = st.none() | st.lists(st.floats(), max_size=3).map(tuple)


@given(numbers, numbers, numbers, st.none() | st.floats())
def test_any_numbers_give_a_spacing_or_a_reason(
    pixel: Millimetres | None,
    imager: Millimetres | None,
    film: Millimetres | None,
    magnification: float | None,
) -> None:
    """For any numbers in the tags, `no_spacing` is reported exactly if there is no spacing."""
    spacing, notices = choose_spacing(SpacingTags(pixel, imager, film, magnification=magnification))
    assert (spacing is None) == ("no_spacing" in {entry.code for entry in notices})


@pytest.mark.parametrize(
    ("pixel", "other", "reason"),
    [
        ((1.0, 1.0), (0.143, 0.143), "is 1 x 1 mm, a placeholder"),
        ((0.286, 0.286), (0.143, 0.143), "is larger than {name}"),
        ((0.143, 0.15), (0.143, 0.143), "is larger than {name}"),
        ((0.145, 0.145), (0.143, 0.143), "is larger than {name}"),
        ((0.143, 0.1), (0.143, 0.143), "gives pixels another shape than {name}"),
        ((0.04, 0.04), (0.143, 0.143), "would mean a magnification of 3.57"),
    ],
)
@pytest.mark.parametrize("name", ["ImagerPixelSpacing", "NominalScannedPixelSpacing"])
@pytest.mark.parametrize("calibration", [None, "GEOMETRY", "FIDUCIAL"])
def test_what_cannot_be_in_the_patient_is_not_believed(
    pixel: Millimetres, other: Millimetres, reason: str, name: str, calibration: str | None
) -> None:
    """An impossible PixelSpacing is replaced by the spacing of the detector or film, with a notice.

    The beam diverges, so pixels are smaller in the patient than at the detector.
    """
    imager = name == "ImagerPixelSpacing"
    spacing, notices = choose_spacing(
        SpacingTags(
            pixel_spacing=pixel,
            imager_pixel_spacing=other if imager else None,
            nominal_scanned_pixel_spacing=None if imager else other,
            calibration_type=calibration,
        )
    )
    assert spacing is not None
    assert (spacing.row_mm, spacing.column_mm, spacing.source) == (*other, name)
    assert spacing.plane == ("detector" if imager else "film")
    assert not spacing.calibrated
    (message,) = (entry.message for entry in notices if entry.code == "bad_spacing")
    assert message.startswith("PixelSpacing")
    assert reason.format(name=name) in message


@pytest.mark.parametrize(
    "tags",
    [
        SpacingTags(pixel_spacing=(1.0, 1.0)),
        SpacingTags(imager_pixel_spacing=(1.0, 1.0)),
        SpacingTags(nominal_scanned_pixel_spacing=(1.0, 1.0)),
    ],
)
def test_a_placeholder_alone_is_no_spacing(tags: SpacingTags) -> None:
    """A spacing of 1 x 1 mm, which software writes if the spacing is unknown, is ignored."""
    spacing, notices = choose_spacing(tags)
    assert spacing is None
    assert [entry.code for entry in notices] == ["bad_spacing", "no_spacing"]
    assert "placeholder" in notices[0].message


def test_no_picture_is_larger_than_a_person() -> None:
    """A film 2.7 m long (3000 x 0.9 mm) has no spacing; one of the whole spine, 1.8 m, does."""
    spacing, notices = choose_spacing(SpacingTags(pixel_spacing=(0.9, 0.9), shape=(3000, 1000)))
    assert spacing is None
    assert "PixelSpacing makes the picture 2.7 m long" in notices[0].message
    spacing, _ = choose_spacing(SpacingTags(pixel_spacing=(0.6, 0.6), shape=(3000, 1000)))
    assert spacing is not None


@pytest.mark.parametrize(
    ("ratio", "aspect"), [((2, 1), 2.0), ((1, 2), 0.5), ((143, 286), 0.5), ((1, 1), 1.0)]
)
def test_the_aspect_alone(ratio: tuple[float, ...], aspect: float) -> None:
    """PixelAspectRatio is height over width; it is reported unless pixels are square."""
    found, notices = choose_aspect(SpacingTags(pixel_aspect_ratio=ratio), None)
    assert found == aspect
    assert [entry.code for entry in notices] == (["pixel_aspect"] if aspect != 1 else [])


@pytest.mark.parametrize(
    ("ratio", "reason"),
    [
        ((2.0,), "holds 1 numbers"),
        ((0.0, 1.0), "holds what is no length"),
        ((-2.0, 1.0), "holds what is no length"),
        ((math.nan, 1.0), "holds what is no length"),
        ((100.0, 1.0), "far from square"),
    ],
)
def test_an_aspect_that_cannot_be_is_named(ratio: tuple[float, ...], reason: str) -> None:
    """An impossible PixelAspectRatio is reported, and pixels count as square."""
    found, notices = choose_aspect(SpacingTags(pixel_aspect_ratio=ratio), None)
    assert found == 1.0
    assert [entry.code for entry in notices] == ["bad_spacing"]
    assert notices[0].message.startswith("PixelAspectRatio ")
    assert reason in notices[0].message


def test_an_aspect_beside_a_spacing() -> None:
    """The spacing takes precedence over PixelAspectRatio; a contradiction is reported."""
    spacing = Spacing(0.2, 0.1, source="PixelSpacing", plane="undetermined")
    assert choose_aspect(SpacingTags(pixel_aspect_ratio=(2, 1)), spacing) == (2.0, ())
    assert choose_aspect(SpacingTags(), spacing) == (2.0, ())
    found, notices = choose_aspect(SpacingTags(pixel_aspect_ratio=(1, 1)), spacing)
    assert found == 2.0
    assert "PixelAspectRatio contradicts PixelSpacing" in notices[0].message


@pytest.mark.parametrize(
    ("mm", "aspect", "expected", "code"),
    [
        (0.3, 1.0, (0.3, 0.3), None),
        (0.3, 2.0, (0.6, 0.3), "pixel_aspect"),
        (0.3, 0.5, (0.3, 0.6), "pixel_aspect"),
        ((0.3, 0.3), 1.0, (0.3, 0.3), None),
        ((0.3, 0.3), 2.0, (0.3, 0.3), "spacing_overridden"),
        ((0.6, 0.3), 2.0, (0.6, 0.3), None),
        ((0.6, 0.3), 1.0, (0.6, 0.3), None),
        ((0.3, 0.6), 2.0, (0.3, 0.6), "spacing_overridden"),
        (9.0, 4.0, (9.0, 9.0), "spacing_overridden"),
    ],
)
def test_the_users_spacing_knows_the_aspect(
    mm: float | tuple[float, float],
    aspect: float,
    expected: tuple[float, float],
    code: str | None,
) -> None:
    """A single number from the user is the shorter side of a pixel; two numbers are both sides.

    The file states the aspect ratio.
    """
    spacing, notices = users_spacing(mm, None, aspect)
    assert (spacing.row_mm, spacing.column_mm) == expected
    assert [entry.code for entry in notices] == ([] if code is None else [code])
    assert all("PixelAspectRatio" in entry.message for entry in notices)


def test_the_users_spacing_beside_the_files() -> None:
    """The user's spacing replaces the file's, and a notice says so only if they differ."""
    stated = Spacing(0.2, 0.1, source="PixelSpacing", plane="undetermined")
    assert users_spacing((0.2, 0.1), stated, 2.0)[1] == ()
    spacing, (said,) = users_spacing((0.3, 0.3), stated, 2.0)
    assert (spacing.row_mm, spacing.column_mm) == (0.3, 0.3)
    assert said.message == "the file states 0.2 x 0.1 mm (PixelSpacing); yours was taken"
    spacing, notices = users_spacing(0.3, stated, 2.0)
    assert (spacing.row_mm, spacing.column_mm) == (0.6, 0.3)
    assert "PixelSpacing says that pixels are 2 times as tall as wide" in notices[0].message
    assert users_spacing(0.1, stated, 2.0)[0] == users_spacing((0.2, 0.1), stated, 2.0)[0]
    rounded = Spacing(0.1439, 0.144, source="PixelSpacing", plane="undetermined")
    assert users_spacing(0.144, rounded, 0.1439 / 0.144)[1] == ()


def test_shapes_follow_the_aspect_of_a_file(tmp_path: Path) -> None:
    """PixelAspectRatio is read from a file without spacing, and used with the user's spacing."""
    ds = dataset(ramp(12), bits_stored=12, PixelAspectRatio=["2", "1"])
    path = save(ds, tmp_path / "a.dcm")
    film = read_radiograph(path)
    assert (film.spacing, film.pixel_aspect) == (None, 2.0)
    film = read_radiograph(path, settings=Settings(spacing_mm=0.15))
    assert film.spacing == Spacing(0.3, 0.15, source="user", plane="undetermined")
    assert film.pixel_aspect == 2.0
    assert [entry.code for entry in film.notices] == ["pixel_aspect"]
    film = read_radiograph(path, settings=Settings(spacing_mm=(0.15, 0.15)))
    assert film.spacing == Spacing(0.15, 0.15, source="user", plane="undetermined")
    assert film.pixel_aspect == 1.0
    assert [entry.code for entry in film.notices] == ["spacing_overridden"]


@pytest.mark.parametrize(
    ("tags", "row_mm", "said"),
    [
        (SpacingTags(imager_pixel_spacing=SAME, magnification=1.5), 0.1, None),
        (
            SpacingTags(
                imager_pixel_spacing=SAME,
                magnification=1.5,
                source_to_detector_mm=1050,
                source_to_patient_mm=1000,
            ),
            0.1,
            "DistanceSourceToDetector over DistanceSourceToPatient is 1.05, but ImagerPixelSpacing",
        ),
        (SpacingTags((0.1, 0.1), imager_pixel_spacing=SAME, magnification=1.52), 0.1, None),
        (
            SpacingTags((0.1, 0.1), imager_pixel_spacing=SAME, magnification=1.1),
            0.1,
            "EstimatedRadiographicMagnificationFactor is 1.1, but PixelSpacing means",
        ),
        (
            SpacingTags(
                (0.1, 0.1),
                nominal_scanned_pixel_spacing=SAME,
                source_to_detector_mm=1500,
                source_to_patient_mm=1000,
            ),
            0.1,
            None,
        ),
        # not by distances alone: DistanceSourceToPatient is often that to the table
        (
            SpacingTags(
                imager_pixel_spacing=SAME, source_to_detector_mm=1500, source_to_patient_mm=1000
            ),
            0.15,
            None,
        ),
        (
            SpacingTags(imager_pixel_spacing=SAME, nominal_scanned_pixel_spacing=OTHER),
            0.15,
            "NominalScannedPixelSpacing contradicts ImagerPixelSpacing; it is ignored",
        ),
    ],
)
def test_tags_that_contradict_the_spacing_are_named(
    tags: SpacingTags, row_mm: float, said: str | None
) -> None:
    """Tags with another magnification or plane than the spacing are reported."""
    spacing, notices = choose_spacing(tags)
    assert spacing is not None
    assert spacing.row_mm == pytest.approx(row_mm)
    messages = [one.message for one in notices if one.code == "bad_spacing"]
    assert len(messages) == (said is not None)
    assert said is None or messages[0].startswith(said)
