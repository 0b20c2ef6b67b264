"""Outlines of a dark disk of known size on two films."""

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lesionscan.comparison.outlines import Outlines, is_gone, outlined
from lesionscan.comparison.rays import STEP, Rays
from tests.comparison.disks import (
    CENTRE,
    EXPOSED,
    RAYS,
    SAME,
    SHAPE,
    circle,
    disk,
    film,
    profile,
)


def ratio(outlines: Outlines) -> float:
    """Return the ratio of the diameters."""
    return float(np.sqrt(RAYS.area(outlines.after) / RAYS.area(outlines.before)))


def noisy(film: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a profile with noise, so that it is no copy."""
    noise = np.random.default_rng(1).normal(0.0, 12.0, film.shape)
    return np.asarray(film + noise, np.float32)


@pytest.mark.parametrize("radius", [12.0, 22.0, 40.0])
def test_an_outline_has_the_area_of_its_candidate(radius: float) -> None:
    """The outline has the area of the disk, and its corners are one radius from the centre."""
    outline = circle(radius)
    assert RAYS.area(outline) == pytest.approx(np.count_nonzero(disk(radius) >= 0.5), rel=0.02)
    away = np.hypot(*(RAYS.corners(outline) - CENTRE).T)
    np.testing.assert_allclose(away, radius, rtol=0.06)


def test_outlines_on_a_film_of_another_size_are_the_same() -> None:
    """A film of half the size, sampled at the same places of the bone, has the same outline."""
    half = cv2.resize(film(22.0), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    onto = np.array([[0.5, 0.0, -0.25], [0.0, 0.5, -0.25]])
    small = RAYS.profile(np.asarray(half, np.float32), EXPOSED[::2, ::2], onto, pixel=2.0)
    found = outlined(
        (RAYS.profile(film(22.0), EXPOSED, SAME, pixel=2.0), small), (circle(22.0), circle(22.0))
    )
    assert ratio(found) == pytest.approx(1.0, abs=0.01)
    assert found.agreement > 0.98


@pytest.mark.parametrize("contrast", [1.0, 0.5])
def test_two_outlines_of_one_edge_become_one(contrast: float) -> None:
    """If the edge has not moved, both outlines become one, even at another contrast."""
    second = np.asarray(contrast * noisy(profile(22.0)), np.float32)
    found = outlined((profile(22.0), second), (circle(19.0), circle(25.0)))
    assert found.borne_out == 0.0
    assert ratio(found) == pytest.approx(1.0, abs=0.01)
    assert found.unexplained == pytest.approx(0.5 * np.log(25 / 19), rel=0.1)


def test_an_edge_that_has_moved_with_the_outlines_is_a_change() -> None:
    """If the edge has moved with the outlines, each film keeps its own."""
    found = outlined((profile(19.0), profile(25.0)), (circle(19.0), circle(25.0)))
    assert (found.borne_out, found.unexplained) == (1.0, 0.0)
    assert ratio(found) == pytest.approx(25 / 19, rel=0.02)


@pytest.mark.parametrize("later", [20.9, 22.0, 23.1])
def test_a_small_shift_of_the_edge_is_seen(later: float) -> None:
    """A shift of the edge by 5 % is measured, even if both searches gave the same outline."""
    found = outlined((profile(22.0), profile(later)), (circle(22.5), circle(22.5)))
    assert ratio(found) == pytest.approx(later / 22.0, abs=0.012)


def test_where_there_is_no_edge_there_is_no_shift() -> None:
    """Outlines in a flat part of both films have not moved."""
    found = outlined((profile(29.0), profile(29.0)), (circle(14.0), circle(14.0)))
    assert ratio(found) == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=20, deadline=None)
@example(edges=(29.0, 29.0), outlines=(14.0, 14.0))
@given(
    edges=st.tuples(*[st.floats(14.0, 32.0)] * 2), outlines=st.tuples(*[st.floats(14.0, 32.0)] * 2)
)
def test_films_changed_over_change_the_outlines_over(
    edges: tuple[float, float], outlines: tuple[float, float]
) -> None:
    """Swapping the films swaps the outlines."""
    films = profile(edges[0]), profile(edges[1])
    known = circle(outlines[0]), circle(outlines[1])
    there, back = outlined(films, known), outlined(films[::-1], known[::-1])
    np.testing.assert_allclose(there.before, back.after, atol=1e-6)
    np.testing.assert_allclose(there.after, back.before, atol=1e-6)
    assert there.borne_out == pytest.approx(back.borne_out, abs=1e-6)


@pytest.mark.parametrize("on_first", [True, False])
def test_one_outline_is_looked_up_on_the_other_film(on_first: bool) -> None:
    """A lesion is found on the other film if it has the same edge, even at lower contrast."""
    known = (circle(22.0), None) if on_first else (None, circle(22.0))
    for other, shown in ((profile(22.0), True), (0.6 * profile(22.0), True), (profile(0.0), False)):
        films = profile(22.0), np.asarray(other, np.float32)
        found = outlined(films if on_first else films[::-1], known)
        assert found.both_show_it is shown
        assert found.borne_out is None
        if shown:
            assert ratio(found) == pytest.approx(1.0, abs=0.01)


def test_rays_that_leave_the_film_meet_nothing() -> None:
    """Outside the film, profiles are NaN and outlines are empty."""
    away = Rays(np.array([900.0, 900.0]), 10.0)
    assert np.isnan(away.profile(film(22.0), EXPOSED, SAME, pixel=1.0)).all()
    assert STEP * away.outline_of(np.ones(SHAPE, np.int32), (1,), SAME).max() < 0


def test_what_one_film_does_not_show_says_nothing() -> None:
    """The edge of the exposed field beside a lesion does not count as a change."""
    field = EXPOSED.copy()
    field[:, 115:] = False
    cut = np.where(field, film(22.0), np.float32(255.0))
    profiles = profile(22.0), RAYS.profile(cut, field, SAME, pixel=1.0)
    found = outlined(profiles, (circle(21.0), circle(24.0)))
    assert found.borne_out == 0.0
    assert ratio(found) == pytest.approx(1.0, abs=0.01)


def test_a_lesion_without_any_outline_is_none() -> None:
    """A lesion with an outline on neither film raises ValueError (a programming error)."""
    with pytest.raises(ValueError, match="outlined on one film at least"):
        outlined((profile(22.0), profile(22.0)), (None, None))


def with_rings(radius: float, brightness: float = 150.0) -> NDArray[np.float32]:
    """Return a profile with fixed rings inside and outside the edge of the disk."""
    picture = film(radius)
    for ring in (20.0, 24.0):
        picture = picture + brightness * (disk(ring + 0.8) - disk(ring - 0.8))
    return RAYS.profile(np.asarray(picture, np.float32), EXPOSED, SAME, pixel=1.0)


def test_outlines_on_a_fixed_edge_do_not_hide_growth() -> None:
    """If both outlines follow a ring that is the same on both films, the darker bone counts."""
    films = with_rings(20.0), with_rings(24.0)
    there = outlined(films, (circle(22.0), circle(22.3)))
    assert ratio(there) == pytest.approx(1.2, abs=0.06)
    assert (there.borne_out, there.unexplained) == (0.0, 0.03)
    back = outlined(films[::-1], (circle(22.3), circle(22.0)))
    assert ratio(back) == pytest.approx(1.0 / ratio(there), rel=0.01)


def test_a_darker_area_counts_more_than_outlines_that_contradict_it() -> None:
    """Outlines that grew while the bone became brighter do not hide a shrinking lesion."""
    films = with_rings(25.5), with_rings(18.5)
    found = outlined(films, (circle(18.8), circle(23.0)))
    assert ratio(found) == pytest.approx(18.5 / 25.5, abs=0.1)


def test_different_outlines_of_equal_films_leave_nothing_unexplained() -> None:
    """On a copy of a film, the difference between the outlines adds no uncertainty."""
    found = outlined((profile(22.0), profile(22.0)), (circle(17.0), circle(27.0)))
    assert ratio(found) == pytest.approx(1.0, abs=0.01)
    assert (found.borne_out, found.unexplained) == (0.0, 0.0)


def test_a_difference_below_one_pixel_is_not_accepted() -> None:
    """Outlines that differ by less than a pixel do not confirm a change."""
    films, known = (profile(19.0), profile(25.0)), (circle(19.0), circle(25.0))
    assert outlined(films, known, pixel=0.2).borne_out == 1.0
    assert outlined(films, known, pixel=0.3).borne_out == 0.0


@pytest.mark.parametrize("on_first", [True, False])
def test_a_lesion_that_has_shrunk_below_detection_is_not_gone(on_first: bool) -> None:
    """The film without a candidate still shows the middle of the lesion."""
    films, known = (profile(26.0), profile(15.0)), (circle(26.0), None)
    found = outlined(*((films, known) if on_first else (films[::-1], known[::-1])))
    assert (found.both_show_it, found.is_partial) == (False, True)
    films = profile(26.0), profile(0.0)
    gone = outlined(*((films, known) if on_first else (films[::-1], known[::-1])))
    assert (gone.both_show_it, gone.is_partial) == (False, False)


def test_a_place_of_equal_brightness_is_unchanged() -> None:
    """A candidate without any edge is neither new nor gone if both films are equal there."""
    found = outlined((profile(30.0), profile(30.0)), (circle(22.0), None))
    assert found.both_show_it
    np.testing.assert_array_equal(found.before, found.after)


@pytest.mark.parametrize("from_first", [True, False])
def test_a_candidate_in_the_place_of_a_lesion_does_not_hide_that_it_is_gone(
    from_first: bool,
) -> None:
    """If the middle of the lesion has filled in, the candidate there is something else."""
    for later, gone in ((0.0, True), (15.0, False), (26.0, False)):
        films, known = (profile(26.0), profile(later)), (circle(26.0), circle(18.0))
        if from_first:
            films, known = films[::-1], known[::-1]
        assert is_gone(films, known, from_first=from_first) is gone
    unexposed = np.full_like(profile(26.0), np.nan)
    assert not is_gone((profile(26.0), unexposed), (circle(26.0), circle(18.0)), from_first=False)
