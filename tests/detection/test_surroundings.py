import cv2
import numpy as np
import pytest

from lesionscan.detection.surroundings import Surroundings, _Directions, look_around
from lesionscan.radiograph import BoolImage, FloatImage
from tests.detection.made import disk

SHAPE = (200, 200)


def _look(film: FloatImage, region: BoolImage, bone: BoolImage | None = None) -> Surroundings:
    rows, cols = np.nonzero(region)
    box = (slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1))
    contours, _ = cv2.findContours(
        region[box].astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    contour = np.asarray(contours[0][:, 0, ::-1], np.int32)
    everywhere = np.ones(SHAPE, bool)
    return look_around(
        region[box], box, contour, film, everywhere if bone is None else bone, everywhere
    )


def _bone(noise: float = 0.01) -> FloatImage:
    film = 0.6 + np.random.default_rng(3).normal(0, noise, SHAPE)
    return film.astype(np.float32)


def test_contrast_and_noise_of_a_hole_in_even_bone() -> None:
    """A hole of 0.2 in noise of 0.01 has contrast 0.2 and a contrast-to-noise of 20."""
    region = disk(SHAPE, (100, 100), 15)
    film = _bone()
    film[region] -= 0.2

    around = _look(film, region)

    assert around.contrast == pytest.approx(0.2, abs=0.005)
    assert around.contrast_to_noise == pytest.approx(20, rel=0.15)
    assert around.weakest_side_contrast == pytest.approx(0.2, abs=0.015)
    assert around.weakest_edge_step == pytest.approx(0.2, abs=0.01)
    assert around.enclosure == 1.0
    assert around.edge_alignment > 0.9
    assert around.bone_fraction == 1.0


def test_a_piece_of_a_canal_is_open_at_its_ends() -> None:
    """Where the band goes on, the surroundings are as dark as the region."""
    film = _bone()
    film[:, 85:116] -= 0.2

    around = _look(film, disk(SHAPE, (100, 100), 15))

    assert around.weakest_side_contrast < 0.05
    assert around.enclosure < 0.9


def test_a_bright_rim_is_seen() -> None:
    """Two pixels of sclerosis make the rim brighter than the rest of the ring."""
    region = disk(SHAPE, (100, 100), 20)
    film = _bone()
    film[region] -= 0.2
    film[disk(SHAPE, (100, 100), 23) & ~region] += 0.2

    assert _look(film, region).rim_contrast > 0.05
    assert _look(_bone(), region).rim_contrast == pytest.approx(0.0, abs=0.01)


def test_bone_fraction_counts_region_and_ring() -> None:
    """Half off the bone is half in bone."""
    bone = np.zeros(SHAPE, bool)
    bone[:, :100] = True

    around = _look(_bone(), disk(SHAPE, (100, 99.5), 15), bone)

    assert around.bone_fraction == pytest.approx(0.5, abs=0.03)
    assert around.rim_in_bone == pytest.approx(0.5, abs=0.05)


def test_the_margin_is_in_stored_pixels_on_a_reduced_grid() -> None:
    """A region 160 pixels across is measured on a third of the pixels, its margin is not."""
    rows, cols = np.mgrid[:400, :400]
    distance = np.hypot(rows - 200, cols - 200) - 80
    film = (0.7 - 0.3 / (1 + np.exp(distance / (12 / 4.394)))).astype(np.float32)
    region = distance <= 0
    r, c = np.nonzero(region)
    box = (slice(r.min(), r.max() + 1), slice(c.min(), c.max() + 1))
    contours, _ = cv2.findContours(
        region[box].astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    everywhere = np.ones(film.shape, bool)

    around = look_around(
        region[box],
        box,
        np.asarray(contours[0][:, 0, ::-1], np.int32),
        film,
        everywhere,
        everywhere,
    )

    assert around.margin_width_px == pytest.approx(12, rel=0.25)


def test_a_region_without_exposed_surroundings_has_no_contrast() -> None:
    """Nothing to compare with gives zeros, not an error."""
    region = disk(SHAPE, (100, 100), 15)
    rows, cols = np.nonzero(region)
    box = (slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1))

    around = look_around(region[box], box, np.zeros((0, 2), np.int32), _bone(), region, region)

    assert around.contrast == 0.0
    assert around.enclosure == 0.0
    assert around.margin_width_px is None


@pytest.mark.parametrize("seed", range(20))
def test_directions_have_the_quantiles_and_medians_of_numpy(seed: int) -> None:
    """All directions at once give bit for bit what each gives alone."""
    random = np.random.default_rng(seed)
    values = random.random(random.integers(1, 400)).astype(np.float32)
    sector = random.integers(0, 16, values.size)
    seen = _Directions.of(values, sector)
    groups = [values[sector == number] for number in np.unique(sector)]
    assert seen.quantile(0.8).tolist() == [float(np.quantile(one, 0.8)) for one in groups]
    residual = np.concatenate(
        [values[sector == n] - np.median(values[sector == n]) for n in np.unique(sector)]
    )
    assert seen.noise() == max(1.4826 * float(np.median(np.abs(residual))), 0.004)
