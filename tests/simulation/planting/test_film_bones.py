"""Axes, half widths, soft-tissue level and texture, computed from a bone mask and a film."""

import numpy as np
import pytest

from lesionscan.simulation.fields import generator
from lesionscan.simulation.planting.film_bones import join_pieces, trace_axes, without_pinholes
from lesionscan.simulation.planting.film_signal import (
    body_mask,
    fitted_outline,
    outline_distance_px,
    soft_tissue_level,
    texture_bands,
)
from tests.simulation.planting.film_maker import BONE, SOFT, bar, club, film


def test_the_axis_of_a_bar_is_its_middle() -> None:
    """A bar 40 px wide has one straight axis in its middle, 20 px from either side."""
    (axis,) = trace_axes(bar())
    assert axis.points_px[:, 1] == pytest.approx(79.5, abs=0.6)
    assert np.abs(axis.directions[:, 0]) == pytest.approx(1.0, abs=1e-3)
    assert axis.half_widths_px == pytest.approx(20.0, abs=0.8)
    assert np.ptp(axis.points_px[:, 0]) > 150


def test_a_shaft_cut_by_the_border_has_no_end() -> None:
    """A bar from border to border has no real end; a club has one, in its knob."""
    (axis,) = trace_axes(bar())
    assert axis.real_ends == (False, False)
    (axis,) = trace_axes(club())
    assert sum(axis.real_ends) == 1
    end = int(np.argmax(axis.real_ends))
    near = axis.to_ends_px[:, end].argmin()
    tip = axis.points_px[near, 0] + axis.to_ends_px[near, end]
    assert tip == pytest.approx(210, abs=3)


def test_fingers_of_one_outline_have_an_axis_each() -> None:
    """Each of three connected prongs is covered by an axis; two of them may share one."""
    mask = np.zeros((200, 200), dtype=np.bool_)
    mask[150:170, 20:180] = True
    for left in (20, 90, 160):
        mask[20:160, left : left + 20] = True
    axes = trace_axes(mask)
    assert len(axes) >= 2
    covered = np.vstack([axis.points_px for axis in axes])
    for middle in (29.5, 99.5, 169.5):
        assert (np.abs(covered - (80, middle)).max(axis=1) < 6).any()


@pytest.mark.parametrize("half", [0, 2])
def test_a_bone_of_a_few_pixels_has_no_axis(half: int) -> None:
    """An empty mask and a bone under 8 px wide have no axis, so nothing is planted in them."""
    assert trace_axes(bar(half=half)) == ()


def test_an_axis_can_be_laid_on_a_finer_grid() -> None:
    """On pixels half as wide, a pixel's centre p is at 2 p + 1/2, and lengths double."""
    (axis,) = trace_axes(bar())
    fine = axis.enlarged(2)
    np.testing.assert_allclose(fine.points_px, 2 * axis.points_px + 0.5)
    np.testing.assert_allclose(fine.half_widths_px, 2 * axis.half_widths_px)


def test_a_bright_gap_between_pieces_is_closed_and_a_dark_one_is_not() -> None:
    """A gap as bright as bone, from manual outlining, is closed; a dark one, a joint, is not."""
    whole = bar()
    pieces = whole.copy()
    pieces[100:103] = False
    assert join_pieces(pieces, whole)[:, 63:97].all()
    assert (join_pieces(pieces, pieces) == pieces).all()


def test_pinholes_are_filled_and_a_foramen_stays() -> None:
    """A hole of 2 x 2 px, an outlining error, is filled; one of 20 x 20 px, a foramen, is not."""
    mask = bar()
    mask[50:52, 70:72] = False
    mask[120:140, 70:90] = False
    filled = without_pinholes(mask)
    assert filled[50:52, 70:72].all()
    assert not filled[120:140, 70:90].any()


def test_the_level_behind_a_bone_is_that_beside_it() -> None:
    """The level is that of even soft tissue, or lies between those of the two sides."""
    mask, picture = bar(), film(bar()).astype(np.float64)
    level, bone_level, soft = soft_tissue_level(picture, mask, body_mask(picture, mask))
    assert level[mask] == pytest.approx(SOFT, abs=0.5)
    assert bone_level[mask] == pytest.approx(SOFT + BONE, abs=0.01)
    assert not (soft & mask).any()
    ramp = picture + 0.2 * np.arange(160) * (picture > 0)
    level, _, _ = soft_tissue_level(ramp, mask, body_mask(ramp, mask))
    wanted = SOFT + 0.2 * np.arange(160)
    assert level[100, 60:100] == pytest.approx(wanted[60:100], abs=5.0)


def test_another_bone_beside_does_not_lift_the_level() -> None:
    """A bone that is not outlined raises the level by less than a tenth of its own signal."""
    mask, picture = bar(), film(bar()).astype(np.float64)
    picture[:, 108:135] += BONE
    level, _, soft = soft_tissue_level(picture, mask, body_mask(picture, mask))
    assert level[mask] == pytest.approx(SOFT, abs=8.0)
    assert not soft[:, 110:133].any()


def test_soft_tissue_that_is_nearly_black_is_still_a_level() -> None:
    """Where soft tissue is 3 of 255 and air is 0, the level is 3 and not 0."""
    mask = bar()
    picture = 3.0 * np.ones(mask.shape) + 120.0 * mask
    picture[:, :15] = 0.0
    level, _, _ = soft_tissue_level(picture, mask, body_mask(picture, mask))
    assert level[mask] == pytest.approx(3.0, abs=0.5)


def test_a_film_without_air_is_all_body() -> None:
    """If everything beside the bone is equally dark, it is soft tissue and not air."""
    mask = bar()
    picture = np.where(mask, SOFT + BONE, SOFT)
    assert body_mask(picture, mask).all()
    level, _, _ = soft_tissue_level(picture, mask, body_mask(picture, mask))
    assert level[mask] == pytest.approx(SOFT, abs=0.5)
    picture[:, :20] = 0.0
    assert not body_mask(picture, mask)[:, :15].any()


def test_a_careless_outline_is_moved_to_the_edge() -> None:
    """An outline that is 2 px off on both sides is moved to within 1 px of the visible edge."""
    true = bar()
    picture = film(true, noise=2.0).astype(np.float64)
    for careless in (bar(half=18), bar(half=22)):
        level, bone_level, soft = soft_tissue_level(picture, careless, body_mask(picture, careless))
        fitted = fitted_outline(picture, careless, level, bone_level, soft)
        widths = fitted[20:-20].sum(axis=1)
        assert np.median(widths) == pytest.approx(40, abs=1)


def test_the_distance_to_an_outline_is_positive_inside() -> None:
    """In the middle of a bar 40 px wide, the distance is 20 px; the film's border is ignored."""
    distance = outline_distance_px(bar())
    assert distance[0, 79] == pytest.approx(19.5, abs=0.6)
    assert distance[100, 79] == pytest.approx(19.5, abs=0.6)
    assert distance[100, 49] == pytest.approx(-10.5, abs=0.6)


def test_grain_is_the_share_of_the_power_that_soft_tissue_has_too() -> None:
    """With noise of 2 everywhere and texture of 2 in bone, half of the power in bone is grain."""
    mask = bar()
    picture = film(mask, noise=2.0, grain=2.0).astype(np.float64)
    away = np.arange(160) > 112
    inner = mask & (np.abs(np.arange(160) - 79.5) < 14)
    soft = np.broadcast_to(away, mask.shape)
    bands, grain, noise = texture_bands(picture, inner, soft, coarsest_px=4.0)
    assert len(bands) == len(grain) == 3
    assert grain[0] == pytest.approx(0.5, abs=0.06)
    assert noise == pytest.approx(np.sqrt(8.0), rel=0.15)
    assert np.abs(bands[0]).max() <= 2.5 * noise + 1e-9


def test_texture_without_soft_tissue_is_taken_for_grain() -> None:
    """If no soft tissue is visible, the grain is unknown, and all texture counts as grain."""
    picture = generator(1).standard_normal((80, 80))
    everywhere = np.ones((80, 80), dtype=np.bool_)
    _, grain, _ = texture_bands(picture, everywhere, ~everywhere, coarsest_px=1.0)
    assert grain == [1.0]
