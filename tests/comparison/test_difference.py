"""Change of brightness around a dark disk of known size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lesionscan.comparison.difference import area_change, difference, filling
from lesionscan.comparison.rays import STEPS
from lesionscan.detection.outlines import ANGLES
from tests.comparison.disks import circle, profile

DEPTH = 100.0
"""Depth of the disks in grey levels."""


def exposed_differently(film: NDArray[np.float32], contrast: float) -> NDArray[np.float32]:
    """Return a film at another contrast, brighter towards one side."""
    radius = np.exp(0.035 * (np.arange(STEPS) - (STEPS - 1) / 2))
    towards = np.cos(2 * np.pi * np.arange(ANGLES) / ANGLES)
    return np.asarray(contrast * film + 9.0 + 4.0 * towards[:, None] * radius, np.float32)


@pytest.mark.parametrize(("earlier", "later"), [(20.0, 24.0), (24.0, 20.0), (18.0, 27.0)])
@pytest.mark.parametrize("contrast", [1.0, 0.5])
def test_the_area_that_became_darker_is_growth(
    earlier: float, later: float, contrast: float
) -> None:
    """The change is that of the disk, although both outlines are the same."""
    films = profile(earlier), exposed_differently(profile(later), contrast)
    found = area_change(films, circle(22.0), circle(22.0))
    assert found == pytest.approx(np.log(later / earlier), abs=0.05)


@pytest.mark.parametrize("contrast", [1.0, 0.5])
def test_the_area_of_an_unchanged_lesion_does_not_change(contrast: float) -> None:
    """Exposure, brightness of one side and the candidates' own outlines do not matter."""
    films = profile(22.0), exposed_differently(profile(22.0), contrast)
    assert area_change(films, circle(19.0), circle(25.0)) == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(
    edges=st.tuples(*[st.floats(14.0, 32.0)] * 2), outlines=st.tuples(*[st.floats(14.0, 32.0)] * 2)
)
def test_swapping_the_films_changes_the_sign(
    edges: tuple[float, float], outlines: tuple[float, float]
) -> None:
    """The change from the second film to the first is the opposite one."""
    films, known = (
        (profile(edges[0]), profile(edges[1])),
        (circle(outlines[0]), circle(outlines[1])),
    )
    there, back = area_change(films, *known), area_change(films[::-1], *known[::-1])
    assert back == (None if there is None else pytest.approx(-there, abs=1e-6))


def test_a_lesion_that_covers_its_own_surroundings_is_not_measured() -> None:
    """If both outlines miss most of it, its surroundings differ and the films are not fitted."""
    films, known = (profile(14.0), profile(28.0)), circle(14.0)
    assert area_change(films, known, known) is None


def test_films_that_do_not_resemble_each_other_are_not_subtracted() -> None:
    """Unexposed, empty and inverted films have no difference, so nothing has changed."""
    first, known = profile(22.0), circle(22.0)
    for other in (np.full_like(first, np.nan), np.zeros_like(first), 255.0 - first):
        films = first, np.asarray(other, np.float32)
        assert difference(films, known, known, centre_unchanged=True) is None
        assert area_change(films, known, known) is None
        assert filling(films, known, None, on_first=True) is None


@pytest.mark.parametrize("on_first", [True, False])
@pytest.mark.parametrize(("left", "middle"), [(0.0, DEPTH), (13.0, 0.0), (26.0, 0.0)])
def test_a_lesion_fills_in_from_its_edge(on_first: bool, left: float, middle: float) -> None:
    """The middle brightens only if the lesion is gone; its edge, unless it is unchanged."""
    films = profile(26.0), profile(left)
    found = filling(films if on_first else films[::-1], circle(26.0), None, on_first=on_first)
    assert found is not None
    assert found.depth == pytest.approx(DEPTH, rel=0.05)
    assert found.middle == pytest.approx(middle, abs=0.05 * DEPTH)
    assert found.most == pytest.approx(0.0 if left == 26.0 else DEPTH, abs=0.1 * DEPTH)
    assert found.least <= found.middle <= found.most
    assert found.noise < 1.0


def test_a_ring_that_is_not_exposed_leaves_the_filling_unknown() -> None:
    """Without its edge, nobody can say whether a lesion has shrunk."""
    first = profile(26.0)
    first[:, 30:50] = np.nan
    assert filling((first, profile(0.0)), circle(26.0), None, on_first=True) is None
