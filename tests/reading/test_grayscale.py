"""Stored values to grey values, by hand-known numbers."""

import numpy as np
import pytest

from lesionscan.reading.grayscale import (
    Greys,
    Lut,
    apply_modality_lut,
    as_float_image,
    attenuation,
    grey_from_channels,
    grey_from_luma_chroma,
    inverted,
    not_padding,
    rescale,
    stored_greys,
)


def test_stored_value_is_cut_out_of_its_cell() -> None:
    """Cell 0xABCD with 8 bits below HighBit 11 holds 0xBC."""
    cells = np.array([[0xABCD]], dtype=np.uint16)
    greys = stored_greys(cells, bits_stored=8, high_bit=11, signed=False, clip=False)
    assert greys.values.tolist() == [[0xBC]]
    assert (greys.low, greys.high) == (0, 255)


def test_sign_is_that_of_the_stored_bits() -> None:
    """0xFFF in 12 signed bits is -1, 0x800 is -2048."""
    cells = np.array([[0xFFF, 0x800, 0x7FF]], dtype=np.uint16)
    greys = stored_greys(cells, bits_stored=12, high_bit=11, signed=True, clip=False)
    assert greys.values.tolist() == [[-1, -2048, 2047]]
    assert (greys.low, greys.high) == (-2048, 2047)


def test_clip_keeps_overshoot_bright() -> None:
    """With `clip` 1024 in ten bits is 1023; without, it wraps to 0."""
    cells = np.array([[1024]], dtype=np.uint16)
    assert stored_greys(cells, bits_stored=10, high_bit=9, signed=False, clip=True).values == 1023
    assert stored_greys(cells, bits_stored=10, high_bit=9, signed=False, clip=False).values == 0


def test_padding_range_either_way_round() -> None:
    """Padding runs from the value to the range limit, whichever is larger, ends included."""
    values = np.array([[0, 1, 2, 3]])
    assert not_padding(values, None, 2).tolist() == [[True, True, True, True]]
    assert not_padding(values, 1, None).tolist() == [[True, False, True, True]]
    assert not_padding(values, 1, 2).tolist() == [[True, False, False, True]]
    assert not_padding(values, 2, 1).tolist() == [[True, False, False, True]]


def test_rescale_moves_values_and_range() -> None:
    """A negative slope swaps the ends of the range."""
    greys = rescale(Greys(np.array([[0, 4]]), 0, 4), slope=-0.5, intercept=1)
    assert greys.values.tolist() == [[1.0, -1.0]]
    assert (greys.low, greys.high) == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("slope", "intercept"), [(0.0, 1.0), (np.nan, 0.0), (np.inf, 0.0), (1e300, 0.0), (1.0, np.nan)]
)
def test_impossible_rescale_raises(slope: float, intercept: float) -> None:
    """A slope of zero, and anything that overflows float32, is refused."""
    with pytest.raises(ValueError, match=r"rescale slope .* cannot be used"):
        rescale(Greys(np.array([[1]]), 0, 255), slope=slope, intercept=intercept)


def test_lut_index_is_clipped_not_wrapped() -> None:
    """An 8-bit table with 12-bit pixels gives its last entry beyond its end."""
    lut = Lut(first=10, bits=8, entries=np.array([5, 6, 250], dtype=np.uint8))
    greys = apply_modality_lut(Greys(np.array([[-3, 10, 11, 300]]), -8, 4095), lut)
    assert greys.values.tolist() == [[5, 5, 6, 250]]
    assert (greys.low, greys.high) == (0, 255)


def test_inverting_twice_changes_nothing() -> None:
    """Inversion is about the format's range, so it is its own inverse and exact."""
    greys = Greys(np.arange(4096).reshape(64, 64), 0.0, 4095.0)
    np.testing.assert_array_equal(inverted(inverted(greys)).values, greys.values)
    assert inverted(greys).values[0, 0] == 4095


def test_attenuation_of_linear_values() -> None:
    """Full intensity is no attenuation; a quarter of it is ln 4."""
    greys = Greys(np.array([[255, 63, 0]]), 0, 255)
    dark = attenuation(greys, linear=True, bright_is_dense=False)
    np.testing.assert_allclose(dark.values, np.log([[1, 4, 256]]))
    bright = attenuation(inverted(greys), linear=True, bright_is_dense=True)
    np.testing.assert_allclose(bright.values, dark.values)


def test_float_image_is_exact_for_16_bits() -> None:
    """Every 16-bit integer survives as float32."""
    values = np.arange(65536).reshape(256, 256)
    image = as_float_image(Greys(values, 0, 65535))
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, values)


def test_grey_channels() -> None:
    """Equal channels are grey unchanged, near-equal ones are averaged, others are colour."""
    grey = np.array([[10, 200]], dtype=np.uint8)
    equal = np.dstack([grey] * 3)
    np.testing.assert_array_equal(grey_from_channels(equal, full_scale=255), grey)
    near = equal.copy()
    near[0, 0] = (10, 13, 16)
    result = grey_from_channels(near, full_scale=255)
    assert result is not None
    assert result.tolist() == [[13.0, 200.0]]
    near[0, 0] = (10, 13, 19)
    assert grey_from_channels(near, full_scale=255) is None


def test_luma_chroma() -> None:
    """Chroma at half the scale is grey; away from it, colour."""
    picture = np.array([[[7, 128, 128]]], dtype=np.uint8)
    assert grey_from_luma_chroma(picture, full_scale=255) == 7
    picture[..., 1] = 140
    assert grey_from_luma_chroma(picture, full_scale=255) is None
