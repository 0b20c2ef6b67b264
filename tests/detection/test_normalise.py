import numpy as np
import pytest

from lesionscan.detection.normalise import grey_range, rescale


def test_the_grey_range_is_the_percentiles_of_the_masked_pixels() -> None:
    """Pixels outside the mask do not affect the range."""
    pixels = np.arange(101, dtype=np.float32).reshape(1, -1)
    mask = np.ones(pixels.shape, bool)
    mask[0, 51:] = False

    assert grey_range(pixels, mask, low_percent=10, high_percent=90) == pytest.approx((5.0, 45.0))


def test_an_outlier_alone_still_gives_a_range() -> None:
    """If both percentiles are equal, the minimum and the maximum are used."""
    pixels = np.zeros((10, 100), np.float32)
    pixels[0, 0] = 7.0

    low, high = grey_range(pixels, np.ones(pixels.shape, bool), low_percent=1, high_percent=99)

    assert (low, high) == (0.0, 7.0)


def test_an_empty_mask_has_the_range_zero_to_one() -> None:
    """An empty mask gives the range 0 to 1 instead of an error."""
    pixels = np.ones((4, 4), np.float32)

    assert grey_range(pixels, np.zeros((4, 4), bool), low_percent=1, high_percent=99) == (0.0, 1.0)


def test_rescaling_maps_the_range_to_zero_and_one_and_keeps_what_lies_beyond() -> None:
    """Rescaling is linear and does not clip."""
    scaled = rescale(np.array([[0.0, 10.0, 20.0, 30.0]], np.float32), (10.0, 20.0))

    assert scaled.tolist() == [[-1.0, 0.0, 1.0, 2.0]]


def test_an_empty_range_gives_zero() -> None:
    """A constant film becomes black instead of causing a division by zero."""
    assert not rescale(np.full((3, 3), 5.0, np.float32), (5.0, 5.0)).any()


def test_the_whole_range_of_float32_is_rescaled() -> None:
    """Extreme values, used as sentinels in float images, cause no overflow."""
    pixels = np.array([[-3e38, 0.0, 3e38]], np.float32)

    scaled = rescale(pixels, (-3e38, 3e38))

    assert scaled == pytest.approx(np.array([[0.0, 0.5, 1.0]]))
