import numpy as np
import pytest

from lesionscan.detection.lucency_facts import LucencyFacts, look_at_lucency
from lesionscan.radiograph import BoolImage, FloatImage
from tests.detection.made import disk

SHAPE = (700, 700)


def _look(mask: BoolImage, lucency: FloatImage, exposed: BoolImage | None = None) -> LucencyFacts:
    rows, cols = np.nonzero(mask)
    box = (slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1))
    everywhere = np.ones(mask.shape, np.bool_)
    return look_at_lucency(mask[box], box, lucency, everywhere if exposed is None else exposed)


@pytest.mark.parametrize("radius", [1.0, 6.0, 31.0, 180.0])
def test_a_lucent_disk_stands_out_at_every_size(radius: float) -> None:
    """0.9 inside, 0.2 outside, and one pixel of 1 in its middle."""
    mask = disk(SHAPE, (350, 350), radius)
    lucency = np.where(mask, 0.9, 0.2).astype(np.float32)
    lucency[350, 350] = 1.0

    facts = _look(mask, lucency)

    assert facts.mean == pytest.approx(0.9, abs=0.03)
    assert facts.peak == 1.0
    assert facts.contrast == pytest.approx(facts.mean - 0.2, abs=1e-5)


def test_the_ring_is_half_a_radius_wide() -> None:
    """Radius 20: lucency 40 pixels from the centre does not count, at 25 it does."""
    mask = disk(SHAPE, (350, 350), 20.0)
    far = ~disk(SHAPE, (350, 350), 32.0)
    ring = ~far & ~mask

    assert _look(mask, far.astype(np.float32)).contrast == 0.0
    assert _look(mask, ring.astype(np.float32)).contrast == pytest.approx(-1.0, abs=0.01)


def test_what_is_not_exposed_does_not_surround() -> None:
    """Half of the ring is shuttered: the other half decides; all of it: there is no contrast."""
    mask = disk(SHAPE, (350, 350), 20.0)
    left = np.zeros(SHAPE, np.bool_)
    left[:, :350] = True
    lucency = np.where(mask, 0.5, np.where(left, 0.1, 0.9)).astype(np.float32)

    assert _look(mask, lucency, left).contrast == pytest.approx(0.4, abs=1e-5)
    assert _look(mask, lucency, mask).contrast == 0.0


def test_a_region_that_fills_the_film_has_no_contrast() -> None:
    """Nothing surrounds it."""
    facts = _look(np.ones((30, 30), np.bool_), np.full((30, 30), 0.3, np.float32))

    assert (facts.mean, facts.peak) == pytest.approx((0.3, 0.3))
    assert facts.contrast == 0.0


def test_a_region_between_the_steps_has_no_contrast() -> None:
    """Two thin lines between the pixels that a coarse look takes; the mean is still theirs."""
    mask = np.zeros((4200, 12), np.bool_)
    mask[:, 1] = mask[:, 11] = True
    facts = _look(mask, mask.astype(np.float32))

    assert facts == LucencyFacts(1.0, 1.0, 0.0)
