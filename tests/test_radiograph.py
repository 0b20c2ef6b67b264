import pickle

import numpy as np
import pytest

from lesionscan.radiograph import Radiograph, Spacing

PIXELS = np.zeros((4, 5), np.float32)
VALID = np.ones((4, 5), np.bool_)


@pytest.mark.parametrize("value", [0.0, -0.1, float("nan"), float("inf"), 11.0])
def test_an_impossible_spacing_is_refused(value: float) -> None:
    """An impossible spacing is refused, with the side, the source and the value."""
    with pytest.raises(ValueError, match=rf"column_mm from PixelSpacing must be .* got {value}$"):
        Spacing(0.1, value, "PixelSpacing", "detector")


def test_a_radiograph_is_two_dimensional() -> None:
    """Colour planes and empty arrays are not radiographs."""
    with pytest.raises(ValueError, match=r"non-empty \(rows, cols\) array"):
        Radiograph(np.zeros((4, 5, 3), np.float32), VALID)
    with pytest.raises(ValueError, match=r"non-empty \(rows, cols\) array"):
        Radiograph(np.zeros((0, 5), np.float32), np.ones((0, 5), np.bool_))


def test_pixels_are_float32_and_finite() -> None:
    """Other types and NaN are refused when a radiograph is created."""
    with pytest.raises(ValueError, match="pixels must be float32"):
        Radiograph(PIXELS.astype(np.float64), VALID)
    with pytest.raises(ValueError, match="pixels must be finite"):
        Radiograph(np.full((4, 5), np.nan, np.float32), VALID)


def test_the_mask_has_the_shape_of_the_pixels() -> None:
    """A mask of another shape is refused."""
    with pytest.raises(ValueError, match=r"valid must be bool of shape \(4, 5\)"):
        Radiograph(PIXELS, np.ones((5, 4), np.bool_))


def test_a_radiograph_cannot_be_changed() -> None:
    """Arrays are read-only, and the acquisition facts cannot be changed."""
    film = Radiograph(PIXELS.copy(), VALID.copy(), acquisition={"kvp": 60})

    with pytest.raises(ValueError, match="read-only"):
        film.pixels[0, 0] = 1
    with pytest.raises(TypeError, match="item assignment"):
        film.acquisition["kvp"] = 70  # type: ignore[index]
    assert film.shape == (4, 5)


def test_a_radiograph_travels_between_processes() -> None:
    """A pickled radiograph is restored with the same content, and is read-only."""
    pixels = np.arange(12, dtype=np.float32).reshape(3, 4)
    one = Radiograph(
        pixels=pixels, valid=pixels > 2, spacing=Spacing(0.1, 0.2, source="user", plane="film"),
        acquisition={"modality": "DX"}, frame=2, frames=3,
    )  # fmt: skip
    other = pickle.loads(pickle.dumps(one))  # noqa: S301 - our own
    np.testing.assert_array_equal(other.pixels, one.pixels)
    np.testing.assert_array_equal(other.valid, one.valid)
    assert (other.spacing, other.frame, other.frames) == (one.spacing, 2, 3)
    assert dict(other.acquisition) == {"modality": "DX"}
    assert not other.pixels.flags.writeable
    with pytest.raises(TypeError):
        other.acquisition["modality"] = "CR"
