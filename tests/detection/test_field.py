import cv2
import numpy as np
import pytest
from scipy import ndimage

from lesionscan.detection.field import Field, _convex_hull, find_field
from lesionscan.radiograph import FloatImage
from tests.detection.made import disk, limb


def _valid(film: FloatImage) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.ones(film.shape, bool)


def test_a_film_without_collimation_is_exposed_everywhere() -> None:
    """Bone and soft tissue that reach the edge of the film are not mistaken for a border."""
    film = limb()
    film[:20] = film[20]
    film[-20:] = film[-21]

    assert find_field(film, _valid(film)).exposed.all()


@pytest.mark.parametrize("side", [240, 320, 641])
def test_white_unexposed_bars_are_left_out(side: int) -> None:
    """White bars on both sides, with a penumbra, are outside the field in films of any size."""
    film = limb((side, side))
    left, right = side // 8, 3 * side // 16
    film[:, :left] = 1.0
    film[:, -right:] = 1.0
    film = ndimage.gaussian_filter(film, side / 107).astype(np.float32)

    exposed = find_field(film, _valid(film)).exposed

    assert not exposed[:, : int(0.9 * left)].any()
    assert not exposed[:, -int(0.93 * right) :].any()
    assert exposed[:, int(1.5 * left) : -int(1.33 * right)].all()


def test_a_turned_black_shutter_is_left_out() -> None:
    """Black borders at 45 degrees to the film are outside the field."""
    film = limb((320, 320)) + np.float32(0.2)
    corners = np.add.outer(np.arange(320), np.arange(320))
    film[(corners < 120) | (corners > 520)] = 0.0

    exposed = find_field(film, _valid(film)).exposed

    assert not exposed[corners < 118].any()
    assert exposed[160, 100:220].all()


def test_pixels_that_the_file_calls_invalid_are_not_exposed() -> None:
    """Padding is outside the field, whatever its pixel values."""
    film = limb()
    valid = _valid(film)
    valid[:30] = False

    assert not find_field(film, valid).exposed[:30].any()


def test_a_lead_letter_in_air_is_opaque() -> None:
    """A small, white, sharp and isolated letter is opaque, and the bone is not."""
    film = limb((320, 320))
    film[40:60, 280:284] = 1.3
    film[56:60, 280:294] = 1.3

    opaque = find_field(film, _valid(film)).opaque

    assert opaque[45, 281]
    assert not opaque[disk((320, 320), (160, 120), 60)].any()


def test_bone_is_not_taken_for_metal() -> None:
    """A limb without metal has no opaque pixels."""
    film = limb()

    assert not find_field(film, _valid(film)).opaque.any()


def test_a_film_of_one_grey_value_is_one_field() -> None:
    """A constant film has no recognisable border, so all of it is usable."""
    film = np.zeros((64, 64), np.float32)

    field = find_field(film, _valid(film))

    assert field.usable.all()


@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (2, 2), (1, 200)])
def test_tiny_and_narrow_films_have_a_field(shape: tuple[int, int]) -> None:
    """Very small and narrow films have a field and cause no warning."""
    film = np.ones(shape, np.float32)
    film[0, 0] = 0.0

    assert find_field(film, _valid(film)).exposed.shape == shape


def test_scattered_bright_pixels_are_no_error() -> None:
    """A group without a bright pixel of its own is skipped without an error."""
    film = np.random.default_rng(894).lognormal(0, 3, size=(209, 209)).astype(np.float32)
    scaled = film / np.float32(np.percentile(film, 99.5))

    assert find_field(scaled, _valid(film)).opaque.shape == film.shape


def test_bone_beyond_the_field_is_taken_in_but_no_sliver_of_it() -> None:
    """The field is extended by bone far beyond its edge, not by a narrow strip along the edge."""
    exposed = np.zeros((200, 200), np.bool_)
    exposed[:, 80:] = True
    bone = np.zeros_like(exposed)
    bone[60:100, 20:120] = True
    bone[150:190, 78:120] = True

    field = Field(exposed=exposed, opaque=np.zeros_like(exposed)).extended_by(bone)

    assert field.exposed[65:95, 25:].all()
    assert not field.exposed[150:190, :80].any()
    assert not field.exposed[:60, :80].any()


@pytest.mark.parametrize("seed", range(10))
def test_a_hull_is_that_of_all_pixels(seed: int) -> None:
    """The hull of the rows' end points has the same corners as OpenCV's hull of all pixels."""
    random = np.random.default_rng(seed)
    mask = cv2.GaussianBlur(random.random((60, 90)), (0, 0), 4) > 0.51
    mask[5, 70] = True
    filled, corners = _convex_hull(mask)
    expected = cv2.convexHull(cv2.findNonZero(mask.astype(np.uint8)))[:, 0]
    assert sorted(map(tuple, corners)) == sorted(map(tuple, expected))
    assert filled[mask].all()


def test_a_trunk_with_a_corner_of_air_is_exposed() -> None:
    """A film of a trunk is exposed everywhere, and not only in a corner of air."""
    film = np.full((256, 256), 0.4, np.float32)
    film[:, 170:190] = 1.0  # spine
    film[:80, :80] = np.random.default_rng(1).uniform(0.0, 0.05, (80, 80))

    assert find_field(film, _valid(film)).exposed.all()
