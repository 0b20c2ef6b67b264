import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import perimeter_crofton
from skimage.morphology import convex_hull_image

from lesionscan.detection.grid import Footprint, WorkingGrid
from lesionscan.detection.measure import (
    Region,
    _crofton_perimeter,
    _hull_area,
    measure_regions,
)
from lesionscan.detection.measurements import Flag
from lesionscan.radiograph import BoolImage, FloatImage, LabelImage, Spacing
from tests.detection.made import disk

SHAPE = (160, 120)


def _footprints(labels: LabelImage) -> tuple[Footprint, ...]:
    shape = (labels.shape[0], labels.shape[1])
    return WorkingGrid(stored=shape, working=shape).restore_regions(labels)


def _measure(
    labels: LabelImage,
    *,
    spacing: Spacing | None = None,
    pixel_aspect: float = 1.0,
    exposed: BoolImage | None = None,
    opaque: BoolImage | None = None,
    bone: BoolImage | None = None,
    lucency: FloatImage | None = None,
) -> tuple[Region, ...]:
    image = np.where(labels > 0, 0.4, 0.7).astype(np.float32)
    everywhere = np.ones(labels.shape, bool)
    return measure_regions(
        _footprints(labels),
        image,
        everywhere if bone is None else bone,
        exposed=everywhere if exposed is None else exposed,
        opaque=~everywhere if opaque is None else opaque,
        lucency=np.zeros(labels.shape, np.float32) if lucency is None else lucency,
        spacing=spacing,
        pixel_aspect=pixel_aspect,
    )


def _disk(radius: float = 15.0, centre: tuple[float, float] = (80.0, 60.0)) -> LabelImage:
    return disk(SHAPE, centre, radius).astype(np.int32)


def test_a_disk_has_the_place_and_size_of_a_disk() -> None:
    """The measurements of a disk at (80, 60) with radius 15 equal the calculated ones."""
    (region,) = _measure(_disk())

    assert region.centroid_px == (80.0, 60.0)
    assert region.bbox_px == (65, 45, 96, 76)
    assert region.area_px == (_disk() > 0).sum()
    assert region.equivalent_diameter_px == pytest.approx(30.0, rel=0.01)
    assert region.feret_max_px == pytest.approx(31.0, abs=0.5)
    assert region.perimeter_px == pytest.approx(2 * np.pi * 15, rel=0.03)
    assert region.circularity > 0.95
    assert region.eccentricity == pytest.approx(0.0, abs=0.02)
    assert region.solidity > 0.95
    assert region.size == pytest.approx(30 / 160, rel=0.01)
    assert region.contrast == pytest.approx(0.3, abs=0.01)
    # a film that is all bone has no soft tissue
    assert region.bone_loss is None
    assert region.flags == (Flag.BONE_LOSS_UNKNOWN,)


def test_a_bar_is_elongated_and_its_feret_is_its_diagonal() -> None:
    """The measurements of a bar of 40 x 10 px equal the calculated ones."""
    labels = np.zeros(SHAPE, np.int32)
    labels[60:100, 50:60] = 1

    (region,) = _measure(labels)

    assert region.area_px == 400
    assert region.feret_max_px == pytest.approx(np.hypot(39, 9) + 1)
    assert region.eccentricity == pytest.approx(np.sqrt(1 - (10 / 40) ** 2), abs=1e-3)
    assert region.solidity == 1.0


def test_the_contour_is_the_boundary_in_stored_coordinates() -> None:
    """Every contour pixel belongs to the region and has a neighbour outside it."""
    labels = _disk()

    (region,) = _measure(labels)

    rows, cols = region.contour_px.T
    inside = labels > 0
    assert inside[rows, cols].all()
    neighbours = inside[rows - 1, cols].astype(int) + inside[rows + 1, cols]
    neighbours += inside[rows, cols - 1].astype(int) + inside[rows, cols + 1]
    assert (neighbours < 4).all()


def test_without_spacing_there_are_no_millimetres() -> None:
    """Without spacing, all measurements in millimetres are None."""
    (region,) = _measure(_disk())

    assert region.centroid_mm is None
    assert region.area_mm2 is None
    assert region.equivalent_diameter_mm is None
    assert region.perimeter_mm is None
    assert region.feret_max_mm is None
    assert region.margin_width_mm is None


def test_oblong_pixels_are_measured_in_millimetres_not_in_pixels() -> None:
    """A disk of radius 6 mm on pixels of 0.4 x 0.2 mm is round and 12 mm across."""
    rows, cols = np.mgrid[:160, :120]
    labels = (np.hypot((rows - 80) * 0.4, (cols - 60) * 0.2) <= 6.0).astype(np.int32)

    (region,) = _measure(labels, spacing=Spacing(0.4, 0.2, "user", "detector"))

    assert region.equivalent_diameter_mm == pytest.approx(12.0, rel=0.02)
    assert region.feret_max_mm == pytest.approx(12.3, abs=0.3)
    assert region.perimeter_mm == pytest.approx(12 * np.pi, rel=0.05)
    assert region.circularity > 0.93
    assert region.eccentricity < 0.2
    assert region.centroid_mm == pytest.approx((32.0, 12.0))


@given(
    radius=st.floats(4.0, 30.0),
    pixel=st.floats(0.05, 1.0),
    factor=st.floats(0.2, 5.0),
)
def test_spacing_times_k_is_area_times_k_squared(
    radius: float, pixel: float, factor: float
) -> None:
    """Lengths scale with the spacing, areas with its square, and ratios do not change."""
    labels = _disk(radius)
    (one,) = _measure(labels, spacing=Spacing(pixel, pixel, "user", "detector"))
    (other,) = _measure(labels, spacing=Spacing(pixel * factor, pixel * factor, "user", "detector"))

    assert one.area_mm2 is not None
    assert one.feret_max_mm is not None
    assert other.area_mm2 == pytest.approx(one.area_mm2 * factor**2)
    assert other.feret_max_mm == pytest.approx(one.feret_max_mm * factor)
    assert other.circularity == pytest.approx(one.circularity)


def test_regions_come_in_the_order_of_their_labels() -> None:
    """Regions are ordered by label, not by position, and a missing label is skipped."""
    labels = _disk(8, (120, 60)) + 3 * _disk(8, (40, 60))

    assert [region.label for region in _measure(labels)] == [1, 3]


@pytest.mark.parametrize("seed", range(10))
def test_the_perimeter_is_that_of_scikit_image(seed: int) -> None:
    """The perimeter of random speckle is scikit-image's Crofton estimate in four directions."""
    random = np.random.default_rng(seed)
    speckle = np.pad(random.random((40, 30)) < random.random(), 3).astype(np.uint8)
    assert _crofton_perimeter(speckle) == pytest.approx(perimeter_crofton(speckle))


@pytest.mark.parametrize("seed", range(10))
def test_the_hull_holds_the_pixels_that_scikit_image_counts(seed: int) -> None:
    """The hull area of scattered pixels is scikit-image's, including pixels on the hull's sides."""
    random = np.random.default_rng(seed)
    points = random.integers(0, 30, (12, 2)).astype(np.int32)
    mask = np.zeros((30, 30), np.bool_)
    mask[tuple(points.T)] = True
    hull = convex_hull_image(mask, offset_coordinates=False, include_borders=True)
    assert _hull_area(points) == np.count_nonzero(hull)


def test_no_labels_give_no_regions() -> None:
    """Without labels, an empty tuple is returned."""
    assert _measure(np.zeros(SHAPE, np.int32)) == ()


def test_a_region_at_the_image_border_is_flagged() -> None:
    """A disk that is cut by the top of the image is flagged."""
    (region,) = _measure(_disk(centre=(3.0, 60.0)))

    assert Flag.TOUCHES_IMAGE_BORDER in region.flags


def test_a_region_at_the_field_border_is_flagged() -> None:
    """A region at the edge of the collimator is flagged."""
    exposed = np.ones(SHAPE, bool)
    exposed[:, :46] = False

    (region,) = _measure(_disk(), exposed=exposed)

    assert region.flags == (Flag.TOUCHES_FIELD_BORDER, Flag.BONE_LOSS_UNKNOWN)


def test_a_region_at_the_bone_edge_is_flagged() -> None:
    """A region whose rim lies partly outside the bone mask is flagged."""
    bone = np.ones(SHAPE, bool)
    bone[:, :50] = False

    (region,) = _measure(_disk(), bone=bone)

    assert Flag.TOUCHES_BONE_EDGE in region.flags


def test_the_lucency_map_is_measured_inside_and_around() -> None:
    """The mean (0.8), peak (0.9) and contrast (0.5) of the lucency map are measured."""
    lucency = np.where(_disk() > 0, 0.8, 0.3).astype(np.float32)
    lucency[80, 60] = 0.9

    (region,) = _measure(_disk(), lucency=lucency)

    assert region.lucency == pytest.approx(0.8, abs=0.001)
    assert region.lucency_peak == pytest.approx(0.9)
    assert region.lucency_contrast == pytest.approx(0.5, abs=0.001)


def test_the_lucency_around_counts_half_a_radius_wide() -> None:
    """At a radius of 20 px, only pixels up to 12 px from the edge count as surroundings."""
    labels = _disk(20.0)
    far = ~disk(SHAPE, (80.0, 60.0), 32.0)
    ring = ~far & (labels == 0)

    (one,) = _measure(labels, lucency=far.astype(np.float32))
    (other,) = _measure(labels, lucency=ring.astype(np.float32))

    assert one.lucency_contrast == 0.0
    assert other.lucency_contrast == pytest.approx(-1.0, abs=0.01)


def test_what_is_not_exposed_is_no_lucent_surrounding() -> None:
    """Unexposed surroundings are ignored; if all are unexposed, the lucency contrast is 0."""
    left = np.zeros(SHAPE, bool)
    left[:, :60] = True
    lucency = np.where(_disk() > 0, 0.5, np.where(left, 0.1, 0.9)).astype(np.float32)

    (half,) = _measure(_disk(), lucency=lucency, exposed=left)
    (none,) = _measure(_disk(), lucency=lucency, exposed=_disk() > 0)

    assert half.lucency_contrast == pytest.approx(0.4, abs=1e-5)
    assert none.lucency_contrast == 0.0


def test_thin_lines_far_apart_have_the_lucency_of_their_own() -> None:
    """A region that vanishes on the reduced grid is still measured on its own pixels."""
    labels = np.zeros((4200, 12), np.int32)
    labels[:, 1] = labels[:, 11] = 1
    labels[0, :] = 1

    (region,) = _measure(labels, lucency=(labels > 0).astype(np.float32))

    assert (region.lucency, region.lucency_peak, region.lucency_contrast) == (1.0, 1.0, 0.0)


def test_a_small_region_is_flagged() -> None:
    """A region with a radius below 5 px is flagged, since its shape is unreliable."""
    (region,) = _measure(_disk(4.0))

    assert Flag.TOO_SMALL_TO_SHAPE in region.flags


def test_a_region_clipped_to_black_is_flagged() -> None:
    """A region that is clipped to black is flagged as saturated."""
    labels = _disk()
    everywhere = np.ones(SHAPE, bool)

    (region,) = measure_regions(
        _footprints(labels),
        np.where(labels > 0, 0.0, 0.7).astype(np.float32),
        everywhere,
        exposed=everywhere,
        opaque=~everywhere,
        lucency=np.zeros(SHAPE, np.float32),
        spacing=None,
        pixel_aspect=1.0,
    )

    assert Flag.SATURATED in region.flags


def test_a_region_near_metal_is_flagged() -> None:
    """A region beside an opaque pixel is flagged."""
    opaque = np.zeros(SHAPE, bool)
    opaque[80, 77] = True

    (region,) = _measure(_disk(), opaque=opaque)

    assert region.flags == (Flag.NEAR_METAL, Flag.BONE_LOSS_UNKNOWN)


def test_the_contour_of_a_region_is_read_only() -> None:
    """The contour of a region is read-only."""
    (region,) = _measure(_disk())

    with pytest.raises(ValueError, match="read-only"):
        region.contour_px[0, 0] = 1


@pytest.mark.parametrize("aspect", [2.0, 0.5])
def test_shapes_follow_the_aspect_without_a_spacing(aspect: float) -> None:
    """The aspect ratio alone makes a disk on oblong pixels round, without any millimetres."""
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    labels = (((rows - 80) * aspect) ** 2 + (cols - 60) ** 2 <= 18**2).astype(np.int32)
    (region,) = _measure(labels, pixel_aspect=aspect)
    mm = Spacing(0.1 * aspect, 0.1, source="user", plane="undetermined")
    (same,) = _measure(labels, spacing=mm, pixel_aspect=aspect)

    assert region.eccentricity < 0.3
    assert region.eccentricity == pytest.approx(same.eccentricity)
    assert region.circularity == pytest.approx(same.circularity, rel=1e-3)
    assert region.circularity > 0.9
    assert region.area_mm2 is None
    assert _measure(labels)[0].eccentricity > 0.8


def test_a_region_with_little_bone_around_is_flagged() -> None:
    """A region that fills its bone is flagged, since it is compared with soft tissue."""
    (region,) = _measure(_disk(), bone=_disk() > 0)

    assert Flag.LITTLE_BONE_AROUND in region.flags
    assert Flag.LITTLE_BONE_AROUND not in _measure(_disk())[0].flags


def test_what_is_missing_of_a_bone_is_measured() -> None:
    """If 0.4 of a bone signal of 0.7 is left, the bone loss is 3/7."""
    bone = np.zeros(SHAPE, bool)
    bone[:, 20:100] = True
    image = np.where(bone, 0.7, 0.0).astype(np.float32)
    image[_disk() > 0] = 0.4
    (region,) = measure_regions(
        _footprints(_disk()),
        image,
        bone,
        exposed=np.ones(SHAPE, bool),
        opaque=np.zeros(SHAPE, bool),
        lucency=np.zeros(SHAPE, np.float32),
        spacing=None,
        pixel_aspect=1.0,
    )

    assert region.bone_loss == pytest.approx(3 / 7, abs=0.03)
    assert region.bone_loss_error == pytest.approx(0.0, abs=0.02)
    assert region.margin == "sharp"
    assert region.margin_sharp == 1.0
    assert region.margin_rim == 0.0
    assert region.margin_raggedness == pytest.approx(0.0, abs=0.03)
    assert region.flags == ()
