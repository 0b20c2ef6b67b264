"""False alarms of a network are found on films without lesions, and views show them."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from lesionscan.detection.scorer.network import Maps, Network
from lesionscan.training.mining import mined
from lesionscan.training.views import random_view
from tests.training.made import BONE, SHAPE, made_film


@dataclass
class Known:
    """A network whose lucency map is known; it runs at one resolution."""

    lucency: NDArray[np.float32]
    long_sides_px: tuple[int, ...] = (320,)

    def run(self, image: NDArray[np.float32], long_side_px: int) -> Maps:
        """Return the known map."""
        assert image.max() <= 1
        assert long_side_px == 320
        return Maps(self.lucency, np.ones_like(self.lucency))


def known(*peaks: tuple[int, int, float]) -> Network:
    """Return a network whose map has peaks (row, col, value) and is 0.1 elsewhere."""
    lucency = np.full(SHAPE, 0.1, np.float32)
    for row, col, value in peaks:
        lucency[row - 1 : row + 2, col - 1 : col + 2] = value / 2
        lucency[row, col] = value
    return cast("Network", Known(lucency))


def test_the_strongest_peaks_are_alarms() -> None:
    """Peaks below 0.2 and peaks within 5 px (4 % of 120) of a higher one are no false alarms."""
    network = known((20, 40, 0.3), (60, 40, 0.9), (64, 40, 0.5), (100, 40, 0.19))
    film = made_film(lesions=False)
    found = mined(film, network)
    assert found.alarms == ((60, 40), (20, 40))
    assert film.alarms == ()
    assert found.image.tobytes() == film.image.tobytes()


def test_a_quiet_film_has_no_alarms() -> None:
    """A map below 0.2 everywhere has none."""
    assert mined(made_film(lesions=False), known()).alarms == ()


def test_at_most_six_alarms_per_film() -> None:
    """Of eight peaks, the six highest are kept."""
    network = known(*((10 + 12 * number, 45, 0.3 + 0.05 * number) for number in range(8)))
    rows = [row for row, _ in mined(made_film(lesions=False), network).alarms]
    assert rows == [94, 82, 70, 58, 46, 34]


@pytest.mark.parametrize("row", [15, 105])
def test_close_views_show_the_alarm(row: int) -> None:
    """A film with an alarm is seen close at that place, at one end of its bone.

    The film is black but for a bright square there, so views of it have a bright part.
    """
    image = np.zeros(SHAPE, np.uint8)
    image[row - 6 : row + 6, BONE[1]] = 255
    film = made_film(lesions=False)
    alarmed = type(film)(
        film.name, film.source, image, film.lesions, image, "whole", alarms=((row, 45),)
    )
    shown = sum(
        random_view(alarmed, np.random.default_rng(seed), side_px=96)[1][2].sum() > 60
        for seed in range(60)
    )
    assert shown >= 57
