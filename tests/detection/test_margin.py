import cv2
import numpy as np
import pytest

from lesionscan.detection.margin import margin_widths, profiles_across
from lesionscan.radiograph import FloatImage
from tests.detection.made import disk


def _hole(width: float) -> FloatImage:
    """Return a round hole whose edge is a logistic of the given 10 to 90 % width."""
    rows, cols = np.mgrid[:160, :160]
    distance = np.hypot(rows - 80, cols - 80) - 40.0
    return np.asarray(0.8 - 0.4 / (1.0 + np.exp(distance / (width / 4.394))), np.float32)


def _width(
    film: FloatImage, contour: np.ndarray[tuple[int, ...], np.dtype[np.int32]], reach: float
) -> float | None:
    profiles = profiles_across(film, contour.astype(np.float64), reach=reach)
    return margin_widths(profiles[None], np.array([reach]))[0]


def _contour() -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    mask = disk((160, 160), (80, 80), 40).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(contours[0][:, 0, ::-1], np.int32)


@pytest.mark.parametrize("width", [3.0, 8.0, 16.0])
def test_the_width_of_a_known_margin_comes_back(width: float) -> None:
    """Within a fifth, from punched-out to wide."""
    assert _width(_hole(width), _contour(), 24.0) == pytest.approx(width, rel=0.2)


def test_a_flat_film_has_no_margin() -> None:
    """No normal rises, so no width is invented."""
    assert _width(np.full((160, 160), 0.5, np.float32), _contour(), 20.0) is None


def test_a_bright_spot_has_no_lucent_margin() -> None:
    """Edges that fall outwards do not count."""
    assert _width(1.0 - _hole(5.0), _contour(), 20.0) is None


def test_a_contour_of_a_few_pixels_has_no_normals() -> None:
    """Fewer than eight contour pixels give no width."""
    assert _width(_hole(3.0), _contour()[:7], 5.0) is None


def test_the_margins_of_many_do_not_depend_on_each_other() -> None:
    """Three at once, of another reach each, have the widths that each has alone."""
    reaches = np.array([12.0, 20.0, 24.0])
    profiles = np.stack(
        [
            profiles_across(_hole(width), _contour().astype(np.float64), reach=reach)
            for width, reach in zip((3.0, 8.0, 16.0), reaches, strict=True)
        ]
    )
    alone = [margin_widths(profiles[i : i + 1], reaches[i : i + 1])[0] for i in range(3)]
    assert list(margin_widths(profiles, reaches)) == alone


def test_no_regions_have_no_margins() -> None:
    """Nothing in, nothing out."""
    assert margin_widths(np.zeros((0, 32, 25), np.float32), np.zeros(0)) == ()
