"""Registration of films that differ in rotation, magnification, position and exposure."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lesionscan.comparison.compare import square_picture
from lesionscan.comparison.geometry import (
    Picture,
    composed,
    inverse,
    locally_normalised,
    moved,
    resize_matrix,
)
from lesionscan.comparison.registration import register
from tests.comparison.made import moved_film, sample, similarity

CORNERS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 20.0], [7.0, 5.0]])


@pytest.mark.parametrize(
    ("turn_deg", "magnification", "shift"),
    [(0, 1.0, (0, 0)), (10, 1.1, (60, -80)), (-15, 0.9, (-90, 90)), (95, 1.0, (0, 0))],
)
def test_a_film_that_was_moved_is_found(
    turn_deg: float, magnification: float, shift: tuple[float, float]
) -> None:
    """A moved film with other grey values is registered within a pixel on its bones."""
    film = sample()
    true = similarity(turn_deg, magnification, shift)
    other = moved_film(film, true)
    bent = np.asarray(255.0 * (other.picture / 255.0) ** 0.7, np.uint8)
    before, after = square_picture(film)[0], square_picture(replace(other, picture=bent))[0]
    found = register(before, after)
    assert found is not None
    bone = np.argwhere(before.bone)[::400].astype(np.float64)
    wrong = np.hypot(*(moved(found.matrix, bone) - moved(true, bone)).T)
    assert float(np.median(wrong)) < 1.0
    assert found.fit.magnification == pytest.approx(magnification, rel=0.01)
    assert found.fit.turn_deg == pytest.approx(turn_deg, abs=0.3)
    assert found.fit.matched_blocks > 0.85
    assert found.fit.overlap > 0.95


def test_without_bone_nothing_is_found() -> None:
    """Films without bone cannot be registered."""
    grey = np.random.default_rng(1).random((90, 70)).astype(np.float32)
    empty = Picture(grey, np.zeros(grey.shape, np.bool_), np.ones(grey.shape, np.bool_))
    assert register(empty, empty) is None


def test_maps_can_be_chained_and_undone() -> None:
    """A map and its inverse cancel, and a composed map equals its parts in turn."""
    first = np.array([[0.9, 0.2, 3.0], [-0.1, 1.2, -4.0]])
    second = np.array([[1.1, 0.0, 1.0], [0.3, 0.8, 2.0]])
    there = moved(second, moved(first, CORNERS))
    np.testing.assert_allclose(moved(composed(second, first), CORNERS), there)
    np.testing.assert_allclose(moved(inverse(first), moved(first, CORNERS)), CORNERS, atol=1e-12)


def test_a_resized_picture_keeps_its_corners() -> None:
    """Resizing keeps the outer corners of pixels, half a pixel from their centres, aligned."""
    onto = resize_matrix((10, 20), (5, 40))
    ends = np.array([[-0.5, -0.5], [9.5, 19.5]])
    np.testing.assert_allclose(moved(onto, ends), [[-0.5, -0.5], [4.5, 39.5]])


def _noise(scale: float, level: float) -> NDArray[np.float32]:
    return (scale * np.random.default_rng(2).random((80, 80)) + level).astype(np.float32)


def test_flattening_takes_out_brightness_and_contrast() -> None:
    """A brighter film of half the contrast becomes the same, and is 0 outside the field."""
    field = np.ones((80, 80), np.bool_)
    field[:10] = False
    one, other = (
        locally_normalised(Picture(grey, field, field))
        for grey in (_noise(0.4, 0.1), _noise(0.2, 0.6))
    )
    np.testing.assert_allclose(one, other, atol=2e-3)
    assert not one[:10].any()
