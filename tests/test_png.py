"""PNG files that lesionscan writes are read correctly by other programs."""

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionscan.png import encode_png


@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 40),
    columns=st.integers(1, 40),
    wide=st.booleans(),
    colour=st.booleans(),
)
def test_every_picture_comes_back(
    seed: int, rows: int, columns: int, wide: bool, colour: bool
) -> None:
    """OpenCV and imagecodecs, which both use libpng, read the same pixels."""
    dtype = np.uint16 if wide else np.uint8
    shape = (rows, columns, 3) if colour else (rows, columns)
    picture = np.random.default_rng(seed).integers(
        0, np.iinfo(dtype).max, shape, dtype, endpoint=True
    )

    data = encode_png(picture)

    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert read is not None
    assert read.dtype == dtype
    assert np.array_equal(read, picture)
    other = np.asarray(imagecodecs.png_decode(data))
    assert np.array_equal(other[:, :, ::-1] if colour else other, picture)


def test_a_view_of_a_larger_picture_is_written_as_it_looks() -> None:
    """Strided and reversed array views are written correctly."""
    picture = np.arange(600, dtype=np.uint16).reshape(20, 30)[::-2, 3:17:2]
    read = cv2.imdecode(np.frombuffer(encode_png(picture), np.uint8), cv2.IMREAD_UNCHANGED)
    assert read is not None
    assert np.array_equal(read, picture)


def test_a_flat_picture_is_small() -> None:
    """Two megapixels of background take less than 1 % of their size in memory."""
    assert len(encode_png(np.zeros((1000, 2000), np.uint16))) < 40_000


@pytest.mark.parametrize(
    "array",
    [
        *(np.zeros((2, 2, 7), np.uint8), np.zeros((2, 2), np.float32), np.zeros((0, 5), np.uint8)),
        np.zeros((2, 2, 3), np.dtype(np.uint16).newbyteorder()),
    ],
)
def test_an_array_that_is_no_picture_is_refused(array: np.ndarray) -> None:
    """Arrays that PNG cannot represent are refused."""
    with pytest.raises(ValueError, match="as PNG"):
        encode_png(array)
