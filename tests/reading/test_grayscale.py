"""Conversion of stored values to grey values, with results computed by hand."""

import numpy as np
import pytest

from lesionscan.reading.grayscale import (
    Greys,
    Lut,
    Window,
    apply_modality_lut,
    as_float_image,
    attenuation,
    inverted,
    not_padding,
    rescale,
    shown_grey,
    stored_greys,
)


def test_stored_value_is_cut_out_of_its_cell() -> None:
    """With 8 bits stored and HighBit 11, the value in cell 0xABCD is 0xBC."""
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
    """A slope of zero, and numbers that are not finite or overflow float32, are refused."""
    with pytest.raises(ValueError, match=r"rescale slope .* cannot be used"):
        rescale(Greys(np.array([[1]]), 0, 255), slope=slope, intercept=intercept)


def test_lut_index_is_clipped_not_wrapped() -> None:
    """Values beyond an 8-bit table take its first or last entry, and 12-bit pixels do not wrap."""
    lut = Lut(first=10, bits=8, entries=np.array([5, 6, 250], dtype=np.uint8))
    greys = apply_modality_lut(Greys(np.array([[-3, 10, 11, 300]]), -8, 4095), lut)
    assert greys.values.tolist() == [[5, 5, 6, 250]]
    assert (greys.low, greys.high) == (0, 255)


def test_inverting_twice_changes_nothing() -> None:
    """Inverting twice is exact, because values are inverted within the range of the format."""
    greys = Greys(np.arange(4096).reshape(64, 64), 0.0, 4095.0)
    np.testing.assert_array_equal(inverted(inverted(greys)).values, greys.values)
    assert inverted(greys).values[0, 0] == 4095


def test_attenuation_of_linear_values() -> None:
    """Full intensity is an attenuation of 0; a quarter of it is ln 4."""
    greys = Greys(np.array([[255, 63, 0]]), 0, 255)
    dark = attenuation(greys, linear=True, bright_is_dense=False)
    np.testing.assert_allclose(dark.values, np.log([[1, 4, 256]]))
    bright = attenuation(inverted(greys), linear=True, bright_is_dense=True)
    np.testing.assert_allclose(bright.values, dark.values)


def test_float_image_is_exact_for_16_bits() -> None:
    """Every 16-bit integer is exact as float32."""
    values = np.arange(65536).reshape(256, 256)
    image = as_float_image(Greys(values, 0, 65535))
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image, values)


def shown(values: list[float], voi: Window | Lut, *, dark_is_high: bool = False) -> list[int]:
    """Return the displayed grey levels of a row of values between 0 and 4095."""
    array = np.array([values])
    if (array == np.rint(array)).all():
        array = array.astype(np.int32)
    picture = shown_grey(Greys(array, 0.0, 4095.0), voi, dark_is_high=dark_is_high)
    return [int(grey) for grey in picture[0]]


def test_a_linear_window_is_made_for_whole_numbers() -> None:
    """Centre 2048 and width 4096 show 0 to 4095 as black to white (PS3.3 C.11.2.1.2.1 note)."""
    assert shown([0, 4095], Window(2048, 4096)) == [0, 255]
    # width 100 at 200: black up to 150, white from 249 on
    assert shown([149, 150, 249, 250], Window(200, 100)) == [0, 0, 255, 255]
    assert shown([199, 200], Window(200, 100)) == [126, 129]  # 49/99 and 50/99 of 255


def test_a_linear_window_of_one_is_a_threshold() -> None:
    """Width 1 gives black and white only; the value of the centre is white."""
    assert shown([9, 10, 11], Window(10, 1)) == [0, 255, 255]


def test_an_exact_window_counts_from_its_centre() -> None:
    """LINEAR_EXACT with centre 10 and width 8 spans 6 to 14, and 10 is mid-grey (C.11.2.1.3.2)."""
    assert shown([5, 6, 8, 10, 14, 15], Window(10, 8, "LINEAR_EXACT")) == [0, 0, 64, 128, 255, 255]
    assert shown([9.9, 10.0, 10.1], Window(10, 0.1, "LINEAR_EXACT")) == [0, 128, 255]


def test_a_sigmoid_window_never_ends() -> None:
    """SIGMOID is half of white at its centre, 1/(1 + e^4) one width below it (C.11.2.1.3.1)."""
    white = Window(2000, 500, "SIGMOID")
    assert shown([2000, 2500, 1500], white) == [128, 250, 5]
    assert shown([0, 4095], Window(2000, 0.001, "SIGMOID")) == [0, 255]


@pytest.mark.parametrize("voi", [Window(2000, 500), Window(2000, 500, "SIGMOID")])
def test_dark_is_high_inverts_what_is_shown(voi: Window) -> None:
    """MONOCHROME1 swaps black and white after the window."""
    values = [0.0, 1700, 2000, 2100, 4095]
    bright, dark = shown(values, voi), shown(values, voi, dark_is_high=True)
    assert all(abs(a + b - 255) <= 1 for a, b in zip(bright, dark, strict=True))
    assert bright[0] == dark[-1] == 0


def test_a_voi_table_is_clipped_at_its_ends() -> None:
    """Values beyond the table take its first or last entry; 256 entries of 8 bits do not wrap."""
    table = Lut(100, 8, np.arange(256, dtype=np.uint8))
    assert shown([0, 100, 101, 355, 356, 4095], table) == [0, 0, 1, 255, 255, 255]
    deep = Lut(0, 10, np.linspace(0, 1023, 4096).round().astype(np.uint16))
    assert shown([0, 4095], deep) == [0, 255]
    assert shown([0.4, 4095.0], deep) == [0, 255]


@pytest.mark.parametrize("shape", [(4, 5), (300, 300)])
@pytest.mark.parametrize("low", [0, -2048])
def test_a_large_picture_is_shown_like_a_small_one(shape: tuple[int, int], low: int) -> None:
    """Every row of a small or large image is displayed like the same row alone.

    The large image is displayed with a table of all grey values.
    """
    values = np.random.default_rng(3).integers(low, low + 4096, shape)
    greys = Greys(values, float(low), float(low + 4095))
    for voi in (Window(300, 900), Lut(-50, 12, np.arange(0, 4000, 7, dtype=np.uint16))):
        rows = [
            shown_grey(Greys(row[None], greys.low, greys.high), voi, dark_is_high=False)
            for row in values
        ]
        every = shown_grey(greys, voi, dark_is_high=False)
        np.testing.assert_array_equal(every, np.concatenate(rows))


@pytest.mark.parametrize(
    ("centre", "width", "function"),
    [
        (1.0, 0.9, "LINEAR"),
        (1.0, 0.0, "LINEAR_EXACT"),
        (1.0, -5.0, "SIGMOID"),
        (float("nan"), 5.0, "LINEAR"),
        (1.0, float("inf"), "LINEAR"),
    ],
)
def test_what_is_no_window_raises(centre: float, width: float, function: str) -> None:
    """A window that is too narrow for its function, or not finite, raises an error."""
    with pytest.raises(ValueError, match="cannot be used"):
        Window(centre, width, function)  # type: ignore[arg-type]
