import numpy as np
import pytest

from lesionscan.detection.bone import find_bone
from tests.detection.made import limb


def test_a_bone_in_soft_tissue_is_found_with_its_hole_filled() -> None:
    """The mask covers the bone, the lesion in it included, and little else."""
    film = limb()
    truth = np.zeros(film.shape, bool)
    truth[20:-20, 84:156] = True

    bone = find_bone(film, np.ones(film.shape, bool))

    overlap = (bone.mask & truth).sum() / (bone.mask | truth).sum()
    assert overlap > 0.9
    assert bone.mask[160, 120]
    assert bone.confidence > 0.9


def test_noise_has_no_bone_worth_believing() -> None:
    """A picture of noise gets a confidence below the default limit."""
    film = np.random.default_rng(1).uniform(0, 1, (256, 256)).astype(np.float32)

    assert find_bone(film, np.ones(film.shape, bool)).confidence < 0.3


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_constant_picture_has_no_bone(value: float) -> None:
    """No grey classes, no mask, confidence 0."""
    bone = find_bone(np.full((64, 64), value, np.float32), np.ones((64, 64), bool))

    assert not bone.mask.any()
    assert bone.confidence == 0.0
