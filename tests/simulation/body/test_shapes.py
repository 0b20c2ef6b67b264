"""Grids, random fields and outlines."""

import numpy as np
import pytest

from lesionscan.simulation.body.anatomy import along_axis
from lesionscan.simulation.body.outlines import (
    closed_curve,
    distance_beyond_mm,
    inside,
    place,
    signed_distance_mm,
)
from lesionscan.simulation.body.strokes import stroke_distance_mm
from lesionscan.simulation.fields import (
    Grid,
    Window,
    fft_length,
    gaussian,
    generator,
    profile,
    random_field,
    smooth_step,
)

GRID = Grid(200, 160, 0.5)
WHOLE = Window(GRID, 0, 200, 0, 160)


def _circle(radius: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return closed_curve(np.column_stack([40 + radius * np.cos(angle), 50 + radius * np.sin(angle)]))


def test_a_circle_has_its_area() -> None:
    """A spline through twelve points of a circle encloses pi r^2 within 1 %."""
    mask = inside(_circle(20.0), WHOLE)
    assert mask.sum() * 0.25 == pytest.approx(np.pi * 400, rel=0.01)


def test_distance_in_the_middle_of_a_circle_is_its_radius() -> None:
    """The signed distance is the radius in the middle, 0 on the rim, negative outside."""
    distance = signed_distance_mm(WHOLE, _circle(20.0))
    assert distance[100, 80] == pytest.approx(20.0, abs=0.5)
    assert distance[100, 40] == pytest.approx(-0.25, abs=0.5)
    assert distance[10, 10] < -10


def test_distance_has_no_stairs() -> None:
    """The distance to a circle is accurate to half a pixel, and to a fifth near its edge."""
    distance = signed_distance_mm(WHOLE, _circle(20.0))
    x, y = WHOLE.coordinates_mm()
    exact = 20.0 - np.hypot(x - 40, y - 50)
    near = np.abs(exact) < 8.0
    assert np.abs(distance - exact)[near].max() < 0.25
    assert np.abs(distance - exact)[np.abs(exact) < 1.0].max() < 0.1


def test_a_hole_is_outside() -> None:
    """The distance is negative in the hole of an outline."""
    distance = signed_distance_mm(WHOLE, _circle(20.0), _circle(8.0))
    assert distance[100, 80] < -7
    assert distance[100, 80 + 28] == pytest.approx(6.0, abs=0.5)


def test_outlines_out_of_view_and_all_around_have_a_flat_distance() -> None:
    """If no edge is in view, the distance is large and has the correct sign."""
    assert (signed_distance_mm(WHOLE, _circle(20.0) + 500.0) < -100).all()
    assert (signed_distance_mm(WHOLE, _circle(500.0)) > 100).all()


def test_an_edge_just_outside_the_picture_counts() -> None:
    """On request, distances near the border include an edge outside the image."""
    above = _circle(20.0) - np.array([0.0, 32.0])  # its top lies 2 mm above the image
    near = distance_beyond_mm(WHOLE, above, beyond_mm=10.0)
    assert near.shape == WHOLE.shape
    assert near[0, 80] == pytest.approx(2.25, abs=0.3)
    assert signed_distance_mm(WHOLE, above)[0, 80] > 5.0
    assert np.array_equal(
        distance_beyond_mm(WHOLE, above, beyond_mm=0.0), signed_distance_mm(WHOLE, above)
    )


def test_picture_points_are_read_as_local_ones() -> None:
    """`along_axis` is the inverse of `place`."""
    points = ((3.0, 4.0), (-2.0, 9.0))
    local = along_axis(points, origin_mm=(1.0, 2.0), angle_deg=35.0)
    assert place(local, origin_mm=(1.0, 2.0), angle_deg=35.0) == pytest.approx(np.array(points))


def test_distance_to_a_line_is_measured_within_its_reach() -> None:
    """The distance to a polyline is exact within the reach, and equals the reach beyond it."""
    line = np.array([[10.0, 20.0], [30.0, 20.0], [30.0, 50.0]])
    away = stroke_distance_mm(WHOLE, line, reach_mm=5.0)
    assert away[39, 30] == pytest.approx(0.25, abs=1e-9)
    assert away[47, 30] == pytest.approx(3.75, abs=1e-9)
    assert away[80, 66] == pytest.approx(3.25, abs=1e-9)
    assert away[150, 20] == 5.0


def test_a_line_outside_the_window_costs_and_changes_nothing() -> None:
    """If no part of a line is within reach, the distance is the reach at all pixels."""
    part = Window(GRID, 100, 140, 100, 140)
    far = np.array([[5.0, 5.0], [15.0, 5.0]])
    assert (stroke_distance_mm(part, far, reach_mm=4.0) == 4.0).all()


def test_outlines_may_leave_the_picture() -> None:
    """A polygon partly outside the image is filled inside it."""
    square = np.array([[-50.0, -50.0], [30.0, -50.0], [30.0, 30.0], [-50.0, 30.0]])
    assert inside(square, WHOLE).sum() == 60 * 60


def test_local_axes_point_down_and_right() -> None:
    """At 0 degrees "along" runs down the picture and "across" to the right."""
    points = place(((10.0, 0.0), (0.0, 5.0)), origin_mm=(1.0, 2.0), angle_deg=0.0)
    assert points == pytest.approx(np.array([[1.0, 12.0], [6.0, 2.0]]))


@pytest.mark.parametrize("stretch", [1.0, 4.0])
def test_random_fields_have_unit_spread(stretch: float) -> None:
    """A random field has mean 0 and standard deviation 1, stretched or not."""
    field = random_field(
        generator(1), WHOLE, wavelengths_mm=(1.0, 8.0), exponent=2.0, stretch=stretch
    )
    assert field.shape == WHOLE.shape
    assert float(field.mean()) == pytest.approx(0.0, abs=0.1)
    assert float(field.std()) == pytest.approx(1.0, abs=0.1)


def test_grain_runs_along_its_direction() -> None:
    """A stretched field changes more slowly along its grain than across it."""
    field = random_field(
        generator(2), WHOLE, wavelengths_mm=(1.0, 8.0), exponent=2.0, stretch=4.0,
        direction=(0.0, 1.0),
    )  # fmt: skip
    assert np.abs(np.diff(field, axis=0)).mean() < 0.5 * np.abs(np.diff(field, axis=1)).mean()


def test_fft_lengths_are_smooth_and_long_enough() -> None:
    """The length of a transform is the next number without a prime factor above 5."""
    assert [fft_length(size) for size in (7, 64, 97, 1001)] == [8, 64, 100, 1024]


def test_wide_blur_keeps_a_flat_field_and_the_mean() -> None:
    """Blurring leaves a constant unchanged, and a sigma of 0 leaves any field unchanged."""
    assert gaussian(np.full((70, 90), 3.0), sigma_px=15.0) == pytest.approx(3.0)
    assert np.array_equal(gaussian(np.eye(8), sigma_px=0.0), np.eye(8))


def test_profiles_pass_through_their_knots() -> None:
    """A profile has the value of each knot and is constant beyond the ends."""
    knots = ((0.0, 1.0), (10.0, 5.0), (20.0, 6.0))
    at = profile(knots, np.array([-5.0, 0.0, 10.0, 20.0, 30.0]))
    assert at == pytest.approx(np.array([1.0, 1.0, 5.0, 6.0, 6.0]), abs=0.02)
    assert (profile(((3.0, 2.0),), np.zeros(4)) == 2.0).all()


def test_smooth_step_is_one_half_in_the_middle() -> None:
    """The step is 0 below -1, 1/2 at 0 and 1 above 1."""
    assert smooth_step(np.array([-2.0, 0.0, 2.0])).tolist() == [0.0, 0.5, 1.0]


def test_impossible_grids_are_refused() -> None:
    """A grid with under 64 px per side, or without a positive spacing, is refused."""
    with pytest.raises(ValueError, match="at least 64 px per side, got 63 x 100"):
        Grid(63, 100, 0.5)
    with pytest.raises(ValueError, match="spacing_mm must be over 0"):
        Grid(100, 100, 0.0)
