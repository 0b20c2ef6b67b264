from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lesionscan.detection.margin import (
    NORMALS,
    OFFSETS,
    Margin,
    MarginWord,
    margin_word,
    measure_margins,
    profiles_across,
)
from lesionscan.radiograph import BoolImage, FloatImage
from tests.detection.made import disk

Contour = NDArray[np.int32]

SHAPE = (160, 160)
RADIUS = 40.0


def _away() -> NDArray[np.float64]:
    """Return the distance to the edge of a round hole, negative inside."""
    rows, cols = np.mgrid[:160, :160]
    return np.asarray(np.hypot(rows - 80, cols - 80) - RADIUS, np.float64)


def _hole(width: float) -> FloatImage:
    """Return a round hole with a logistic edge of the given 10 to 90 % width."""
    return np.asarray(0.8 - 0.4 / (1.0 + np.exp(_away() / (width / 4.394))), np.float32)


def _contour() -> Contour:
    mask = disk(SHAPE, (80, 80), RADIUS).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(contours[0][:, 0, ::-1], np.int32)


def _margin(
    film: FloatImage,
    *,
    contour: Contour | None = None,
    reach: float = 24.0,
    bone: BoolImage | None = None,
    radius: float = RADIUS,
) -> Margin:
    outline = (_contour() if contour is None else contour).astype(np.float64)
    in_bone = np.ones(SHAPE, bool) if bone is None else bone
    (margin,) = measure_margins(
        profiles_across(film, outline, reach=reach)[None],
        profiles_across(in_bone.astype(np.float32), outline, reach=reach)[None] > 0.5,
        reaches=np.array([reach]),
        radii=np.array([radius]),
    )
    return margin


@pytest.mark.parametrize("width", [3.0, 8.0, 16.0])
def test_the_width_of_a_known_margin_is_measured(width: float) -> None:
    """The width is within 20 % of the true one, from punched-out to wide margins."""
    assert _margin(_hole(width)).width_px == pytest.approx(width, rel=0.2)


def test_a_margin_is_sharp_up_to_a_share_of_the_radius() -> None:
    """A margin is sharp if its width is at most 0.3 of the region's radius."""
    film = _hole(12.0)
    width = _margin(film).width_px
    assert width is not None
    assert _margin(film, radius=1.01 * width / 0.3).sharp == 1.0
    assert _margin(film, radius=0.99 * width / 0.3).sharp == 0.0


def test_a_margin_that_is_sharp_on_one_side_is_so_by_half() -> None:
    """A margin that is punched-out on the left and fades on the right is half sharp."""
    film = _hole(4.0)
    film[:, 80:] = _hole(18.0)[:, 80:]
    assert _margin(film).sharp == pytest.approx(0.5, abs=0.1)


def test_a_rim_is_seen_where_it_is() -> None:
    """A sclerotic rim of 4 px around the left half gives a rim share of 0.5."""
    film, away = _hole(3.0), _away()
    assert _margin(film).rim == 0.0
    film[:, :80] += 0.2 * ((away > 1) & (away < 5))[:, :80]
    assert _margin(film).rim == pytest.approx(0.5, abs=0.1)


def test_the_cortex_that_a_normal_crosses_is_no_rim() -> None:
    """A bright band at the edge of the bone, followed by soft tissue, is not a rim."""
    film, bone = _hole(3.0), np.zeros(SHAPE, bool)
    bone[:, :128] = True
    film[:, 121:128] = 1.0
    film[:, 128:] = 0.2
    assert _margin(film, bone=bone).rim == 0.0


def test_where_a_normal_leaves_the_bone_it_does_not_fall() -> None:
    """Darker soft tissue beyond the bone does not change the width of the margin."""
    film, bone = _hole(6.0), np.zeros(SHAPE, bool)
    bone[:, 30:130] = True
    film[~bone] = 0.1
    assert _margin(film, bone=bone).width_px == pytest.approx(6.0, rel=0.25)


def test_outside_bone_all_normals_are_used() -> None:
    """The margin of a region outside bone is measured along all normals."""
    margin = _margin(_hole(8.0), bone=np.zeros(SHAPE, bool))
    assert margin == _margin(_hole(8.0))


def test_a_flat_film_has_no_margin() -> None:
    """In a constant film no normal rises, so there is neither a width nor a raggedness."""
    margin = _margin(np.full(SHAPE, 0.5, np.float32))
    assert margin == Margin(width_px=None, sharp=0.0, rim=0.0, ragged=None)


def test_a_bright_spot_has_no_lucent_margin() -> None:
    """A region that is brighter than its surroundings has no margin width."""
    assert _margin(1.0 - _hole(5.0)).width_px is None


def test_a_contour_of_a_few_pixels_has_no_normals() -> None:
    """Fewer than eight contour pixels give no width."""
    assert _margin(_hole(3.0), contour=_contour()[:7]).width_px is None


def test_the_margins_of_many_do_not_depend_on_each_other() -> None:
    """Three margins measured together, each with another reach, equal those measured alone."""
    reaches = np.array([12.0, 20.0, 24.0])
    outline = _contour().astype(np.float64)
    profiles = np.stack(
        [
            profiles_across(_hole(width), outline, reach=reach)
            for width, reach in zip((3.0, 8.0, 16.0), reaches, strict=True)
        ]
    )
    together = measure_margins(
        profiles,
        np.ones(profiles.shape, bool),
        reaches=reaches,
        radii=np.full(3, RADIUS),
    )
    alone = [
        _margin(_hole(width), reach=reach)
        for width, reach in zip((3.0, 8.0, 16.0), reaches, strict=True)
    ]
    assert list(together) == alone


def test_no_regions_have_no_margins() -> None:
    """Without regions, an empty tuple is returned."""
    nothing = np.zeros((0, NORMALS, OFFSETS), np.float32)
    none = np.zeros(0)
    assert measure_margins(nothing, nothing > 0, reaches=none, radii=none) == ()


def test_a_smooth_margin_is_not_ragged() -> None:
    """A sharp or wide smooth margin is not ragged; pixels shift it by about 0.01 of the radius."""
    for width in (3.0, 16.0):
        assert _margin(_hole(width)).ragged == pytest.approx(0.0, abs=0.03)


def test_raggedness_is_how_far_the_edge_moves_between_normals() -> None:
    """Sixteen teeth of 6 px on a radius of 40 px give a raggedness of 6 / 40."""
    rows, cols = np.mgrid[:160, :160]
    turn = np.arctan2(rows - 80, cols - 80) * 16 / np.pi
    teeth = np.where(np.floor(turn + 0.5) % 2 == 0, 3.0, -3.0)
    film = np.where(_away() < teeth, 0.4, 0.8).astype(np.float32)
    assert _margin(film).ragged == pytest.approx(6 / RADIUS, abs=0.04)


def test_faint_normals_have_little_say_in_raggedness() -> None:
    """Teeth in the half of the margin that has a tenth of the contrast hardly count."""
    rows, cols = np.mgrid[:160, :160]
    turn = np.arctan2(rows - 80, cols - 80) * 16 / np.pi
    away = _away()
    away[:, :80] += np.where(np.floor(turn + 0.5) % 2 == 0, 3.0, -3.0)[:, :80]
    film = np.where(away < 0, np.where(cols < 80, 0.76, 0.4), 0.8).astype(np.float32)
    ragged = _margin(film).ragged
    assert ragged is not None
    assert ragged < 0.05


def test_a_region_that_is_not_darker_is_not_ragged() -> None:
    """A region that is brighter than its surroundings has no raggedness."""
    assert _margin(1.0 - _hole(3.0)).ragged is None


SMOOTH = Margin(width_px=4.0, sharp=0.9, rim=0.1, ragged=0.05)


def _word(
    margin: Margin = SMOOTH,
    *,
    diameter_px: float = 40.0,
    contrast_to_noise: float = 5.0,
    pixel_mm: float | None = 0.2,
) -> MarginWord | None:
    return margin_word(
        margin,
        diameter_px=diameter_px,
        contrast_to_noise=contrast_to_noise,
        pixel_mm=pixel_mm,
    )


def test_each_kind_of_margin_has_its_word() -> None:
    """A margin is classified by its raggedness, then by its sharp share, then by its rim."""
    assert _word() == "sharp"
    assert _word(replace(SMOOTH, rim=0.5)) == "sharp_with_rim"
    assert _word(replace(SMOOTH, sharp=0.2)) == "ill_defined"
    assert _word(replace(SMOOTH, sharp=0.2, rim=0.9)) == "ill_defined"
    assert _word(replace(SMOOTH, sharp=0.45)) == "sharp"
    assert _word(replace(SMOOTH, sharp=0.4, rim=0.5)) == "sharp_with_rim"
    assert _word(replace(SMOOTH, sharp=0.4, ragged=0.12)) == "permeative"
    assert _word(replace(SMOOTH, sharp=0.4, rim=0.9, ragged=0.12)) == "permeative"
    assert _word(replace(SMOOTH, sharp=0.3, ragged=0.11)) == "permeative"


@pytest.mark.parametrize(
    "measured",
    [
        {"sharp": 0.21},
        {"sharp": 0.44},
        {"sharp": 0.39, "rim": 0.9},
        {"rim": 0.26},
        {"rim": 0.49},
        {"sharp": 0.29, "ragged": 0.11},
        {"sharp": 0.1, "ragged": 0.11},
        {"sharp": 0.76, "ragged": 0.11},
    ],
)
def test_a_margin_between_two_classes_has_no_word(measured: dict[str, float]) -> None:
    """Partly sharp, partly rimmed, or ragged margins that no class describes have no word."""
    changed: Any = measured
    assert _word(replace(SMOOTH, **changed)) is None


def test_a_coarse_film_or_a_faint_region_has_no_word() -> None:
    """There is no class under 24 px, over 0.5 mm per pixel, at a CNR under 3.5, or without edge."""
    assert _word(diameter_px=23.9) is None
    assert _word(pixel_mm=0.51) is None
    assert _word(pixel_mm=None) == "sharp"
    assert _word(contrast_to_noise=3.4) is None
    assert _word(replace(SMOOTH, width_px=None, ragged=None)) is None


def test_a_margin_is_wider_in_smaller_pixels() -> None:
    """Enlarging multiplies the width of a margin and keeps its shares."""
    assert SMOOTH.enlarged(3) == replace(SMOOTH, width_px=12.0)
    assert replace(SMOOTH, width_px=None).enlarged(3).width_px is None
