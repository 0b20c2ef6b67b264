"""Lesions planted in films of real femora, if the checkout has them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionscan.simulation.planting.plant import plant, prepare

FOLDER = Path(__file__).parents[3].parent / "shared" / "data" / "radiographs"
FILMS = sorted((FOLDER / "images").glob("niu_*.png"))

pytestmark = pytest.mark.skipif(not FILMS, reason="shared/data/radiographs is not here")


def _check(path: Path, variants: int) -> None:
    image = np.asarray(Image.open(path).convert("L"))
    bone = np.asarray(Image.open(FOLDER / "masks" / f"{path.stem}.bone.png")) > 0
    prepared = prepare(image, bone)
    for variant in range(variants):
        planted = plant(prepared, (1, variant))
        assert planted.planted, (path.name, variant)
        np.testing.assert_array_equal(planted.pixels[~planted.zone], image[~planted.zone])
        taken = image.astype(np.float64) - planted.pixels.astype(np.float64)
        if planted.planted[0].recipe.widening == 1.0:
            assert (taken <= prepared.signal.bone_signal + 1e-3).all()
            assert prepared.signal.bone[planted.lesions > 0].all()
        assert planted.zone[planted.lesions > 0].all()
        assert 0 < planted.zone.mean() < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("path", FILMS[::12], ids=lambda path: path.stem)
def test_some_femora_carry_lesions(path: Path) -> None:
    """Each variant has a lesion, changes only its zone, and removes at most the bone's signal."""
    _check(path, variants=3)


@pytest.mark.slow
@pytest.mark.parametrize("path", FILMS, ids=lambda path: path.stem)
def test_every_femur_carries_ten_lesions(path: Path) -> None:
    """Ten variants of each femur pass the same checks."""
    _check(path, variants=10)
