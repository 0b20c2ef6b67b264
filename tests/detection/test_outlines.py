"""Outlines from rays: edges of disks, gaps in a rim, many outlines at once, filled polygons."""

import numpy as np
import pytest
from skimage.draw import polygon2mask

from lesionscan.detection.outlines import (
    ANGLES,
    STEPS,
    blur_to_scale,
    edge_steps,
    filled,
    ray_ends,
    sample,
    steepest_path,
    vertices,
)
from lesionscan.radiograph import FloatImage

NEAREST, FARTHEST = 0.35, 2.2


def outlined(image: FloatImage, centre: tuple[float, float], radius: float) -> FloatImage:
    """Return the corners of the outline around a centre, for an expected radius."""
    centres, radii = np.array([centre]), radius * np.linspace(NEAREST, FARTHEST, STEPS)
    profile = sample(image, *ray_ends(centres, radii))
    path = steepest_path(edge_steps(profile, nearest=NEAREST, farthest=FARTHEST), bend=0.2)
    return np.asarray(vertices(centres, radii, path)[0], np.float32)


def disk(radius: float, shape: tuple[int, int] = (101, 101)) -> FloatImage:
    """Return a dark disk with a soft edge in the middle of a bright image."""
    row, col = np.mgrid[: shape[0], : shape[1]]
    away = np.hypot(row - (shape[0] - 1) / 2, col - (shape[1] - 1) / 2)
    return np.asarray(np.clip((away - radius) / 2 + 0.5, 0, 1), np.float32)


@pytest.mark.parametrize("radius", [12.0, 20.0, 30.0])
def test_a_disk_is_outlined_at_its_edge(radius: float) -> None:
    """Every corner lies on the disk's edge, though its radius differs from the expected one."""
    corners = outlined(disk(radius), (50.0, 50.0), 18.0)
    assert corners.shape == (ANGLES, 2)
    away = np.hypot(*(corners - 50.0).T)
    assert np.abs(away - radius).max() < 1.5


def test_a_centre_off_the_middle_finds_the_same_edge() -> None:
    """The outline is the same if the search starts away from the disk's centre."""
    away = np.hypot(*(outlined(disk(20.0), (53.0, 46.0), 20.0) - 50.0).T)
    assert np.abs(away - 20.0).max() < 2.0


def test_a_gap_in_the_rim_is_crossed() -> None:
    """The outline crosses a gap in the rim that is as dark as the inside."""
    image = disk(20.0)
    image[46:55, 50:] = 0.0
    away = np.hypot(*(outlined(image, (50.0, 50.0), 20.0) - 50.0).T)
    assert away.max() < 26.0


def test_the_outlines_of_many_do_not_depend_on_each_other() -> None:
    """Two outlines found together equal those found one by one."""
    image = disk(20.0)
    radii = 20.0 * np.linspace(NEAREST, FARTHEST, STEPS)
    both = np.array([[50.0, 50.0], [48.0, 55.0]])
    paths = [
        steepest_path(
            edge_steps(
                sample(image, *ray_ends(centres, radii)), nearest=NEAREST, farthest=FARTHEST
            ),
            bend=0.2,
        )
        for centres in (both, both[:1], both[1:])
    ]
    assert np.array_equal(paths[0], np.concatenate(paths[1:]))


def test_many_rays_are_sampled_in_pieces() -> None:
    """More rays than OpenCV takes in one call have the same values as in separate calls."""
    image = disk(20.0)
    centres = np.repeat([[50.0, 50.0]], 700, axis=0)
    rows, cols = ray_ends(centres, np.linspace(5.0, 30.0, STEPS))
    sampled = sample(image, rows, cols)
    assert sampled.shape == (700, ANGLES, STEPS)
    assert np.array_equal(sampled[0], sampled[-1])


def test_a_square_is_filled_with_its_box() -> None:
    """The mask of a 10 x 20 rectangle has its 200 pixels and is at its place."""
    corners = np.array([[4.5, 9.5], [4.5, 29.5], [14.5, 29.5], [14.5, 9.5]])
    ((box, mask),) = filled(corners[None], (50, 60))
    whole = np.zeros((50, 60), np.bool_)
    whole[box] = mask
    assert whole.sum() == 200
    assert whole[5:15, 10:30].all()


def test_a_polygon_beyond_the_picture_is_cut_at_its_border() -> None:
    """The part of a polygon outside the image is omitted."""
    corners = np.array([[-10.0, -10.0], [-10.0, 5.5], [5.5, 5.5], [5.5, -10.0]])
    ((box, mask),) = filled(corners[None], (20, 20))
    assert (box[0].start, box[1].start) == (0, 0)
    assert mask.sum() == 36


def test_blurring_keeps_a_flat_picture() -> None:
    """Blurring leaves a constant image unchanged at every scale."""
    flat = np.full((40, 40), 0.5, np.float32)
    for radius in (1.0, 30.0):
        assert np.allclose(blur_to_scale(flat, radius), flat)


@pytest.mark.parametrize("seed", range(20))
def test_polygons_are_filled_as_scikit_image_fills_them(seed: int) -> None:
    """Random stars, partly outside the image, are filled pixel for pixel as by scikit-image."""
    random = np.random.default_rng(seed)
    turn = (np.arange(ANGLES) + 0.5) * (2 * np.pi / ANGLES)
    reach = random.uniform(0.5, 40, (30, 1)) * random.uniform(0.3, 1.6, (30, ANGLES))
    stars = np.stack([reach * np.sin(turn), reach * np.cos(turn)], axis=2)
    stars += random.uniform(-20, 110, (30, 1, 2))
    for star, (box, mask) in zip(stars, filled(stars, (90, 100)), strict=True):
        whole = np.zeros((90, 100), np.bool_)
        whole[box] = mask
        assert np.array_equal(whole, polygon2mask((90, 100), star))
