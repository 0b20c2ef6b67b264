import cv2
import numpy as np
import pytest

from lesionscan.detection.grid import Footprint
from lesionscan.detection.surroundings import Surroundings, look_around
from lesionscan.radiograph import BoolImage, FloatImage
from tests.detection.made import disk

SHAPE = (200, 200)


def _look(
    film: FloatImage,
    *regions: BoolImage,
    bone: BoolImage | None = None,
    exposed: BoolImage | None = None,
) -> tuple[Surroundings, ...]:
    footprints, contours = [], []
    for number, region in enumerate(regions, start=1):
        whole = np.s_[0 : region.shape[0], 0 : region.shape[1]]
        footprints.append(Footprint.of(number, whole, region))
        mask = footprints[-1].mask.astype(np.uint8)
        found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        contours.append(np.asarray(found[0][:, 0, ::-1], np.int32))
    everywhere = np.ones(film.shape, bool)
    return look_around(
        footprints,
        contours,
        image=film,
        bone=everywhere if bone is None else bone,
        exposed=everywhere if exposed is None else exposed,
        lucency=film,
    )


def _bone(noise: float = 0.01) -> FloatImage:
    film = 0.6 + np.random.default_rng(3).normal(0, noise, SHAPE)
    return film.astype(np.float32)


def test_contrast_and_noise_of_a_hole_in_even_bone() -> None:
    """A hole of 0.2 in noise of 0.01 has contrast 0.2 and a contrast-to-noise of 20."""
    region = disk(SHAPE, (100, 100), 15)
    film = _bone()
    film[region] -= 0.2

    (around,) = _look(film, region)

    assert around.measured["contrast"] == pytest.approx(0.2, abs=0.005)
    assert around.measured["contrast_to_noise"] == pytest.approx(20, rel=0.15)
    assert around.measured["weakest_side_contrast"] == pytest.approx(0.2, abs=0.015)
    assert around.measured["weakest_edge_step"] == pytest.approx(0.2, abs=0.01)
    assert around.measured["enclosure"] == 1.0
    assert around.measured["edge_alignment"] > 0.9
    assert around.measured["bone_fraction"] == 1.0


def test_a_piece_of_a_canal_is_open_at_its_ends() -> None:
    """A region in a dark band is not enclosed where the band continues."""
    film = _bone()
    film[:, 85:116] -= 0.2

    (around,) = _look(film, disk(SHAPE, (100, 100), 15))

    assert around.measured["weakest_side_contrast"] < 0.05
    assert around.measured["enclosure"] < 0.9


def test_a_bright_rim_is_seen() -> None:
    """A sclerotic rim of 3 px makes the rim brighter than the rest of the ring."""
    region = disk(SHAPE, (100, 100), 20)
    film = _bone()
    film[region] -= 0.2
    film[disk(SHAPE, (100, 100), 23) & ~region] += 0.2

    assert _look(film, region)[0].measured["rim_contrast"] > 0.05
    assert _look(_bone(), region)[0].measured["rim_contrast"] == pytest.approx(0.0, abs=0.01)


def _at_the_edge_of_a_bone(in_bone: int) -> tuple[FloatImage, BoolImage, BoolImage]:
    """Return a film of bone (0.6) beside air (0), its bone mask, and a hole of 0.2 in its edge."""
    film, bone = _bone(), np.zeros(SHAPE, bool)
    bone[:, :in_bone] = True
    film[:, in_bone:] = 0.0
    region = disk(SHAPE, (100, 100), 15) & bone
    film[region] -= 0.2
    return film, bone, region


@pytest.mark.parametrize("in_bone", [101, 108, 116, 140])
def test_a_hole_at_the_edge_of_a_bone_is_compared_with_bone(in_bone: int) -> None:
    """A hole at the edge of a bone is compared with bone, not with the darker air beside it."""
    film, bone, region = _at_the_edge_of_a_bone(in_bone)

    measured = _look(film, region, bone=bone)[0].measured

    assert measured["contrast"] == pytest.approx(0.2, abs=0.01)
    assert measured["contrast_to_noise"] > 10
    assert measured["rim_contrast"] == pytest.approx(0.0, abs=0.02)
    assert measured["ring_spread"] == pytest.approx(0.01, abs=0.005)


def test_directions_without_bone_enclose_nothing() -> None:
    """Half a hole at the edge of a bone is enclosed on about half of its sides."""
    film, bone, region = _at_the_edge_of_a_bone(101)

    measured = _look(film, region, bone=bone)[0].measured

    assert measured["enclosure"] == pytest.approx(0.6, abs=0.15)
    assert measured["weakest_side_contrast"] < 0
    assert 0.2 < measured["ring_in_bone"] < 0.8


def test_without_bone_around_it_a_region_is_compared_with_whatever_is_there() -> None:
    """The contrast of a dark spot in soft tissue is that to the soft tissue."""
    region, film = disk(SHAPE, (100, 100), 15), _bone()
    film[region] -= 0.2

    measured = _look(film, region, bone=np.zeros(SHAPE, bool))[0].measured

    assert measured["ring_in_bone"] == 0.0
    assert measured["contrast"] == pytest.approx(0.2, abs=0.01)


def test_bone_fraction_counts_region_and_ring() -> None:
    """A region that lies half outside the bone has a bone fraction of 0.5."""
    bone = np.zeros(SHAPE, bool)
    bone[:, :100] = True

    (around,) = _look(_bone(), disk(SHAPE, (100, 99.5), 15), bone=bone)

    assert around.measured["bone_fraction"] == pytest.approx(0.5, abs=0.03)
    assert around.rim_in_bone == pytest.approx(0.5, abs=0.05)


def test_the_margin_is_in_stored_pixels_on_a_reduced_grid() -> None:
    """The margin of a region of 160 px is in stored pixels, though its grid is reduced."""
    rows, cols = np.mgrid[:400, :400]
    distance = np.hypot(rows - 200, cols - 200) - 80
    film = (0.7 - 0.3 / (1 + np.exp(distance / (12 / 4.394)))).astype(np.float32)

    (around,) = _look(film, distance <= 0)

    assert around.margin.width_px == pytest.approx(12, rel=0.25)


def test_a_region_without_exposed_surroundings_has_no_contrast() -> None:
    """Without exposed surroundings, contrast and enclosure are 0."""
    region = disk(SHAPE, (100, 100), 15)

    (around,) = _look(_bone(), region, exposed=region)

    assert around.measured["contrast"] == 0.0
    assert around.measured["enclosure"] == 0.0
    assert around.lucency_around is None


def test_many_regions_are_looked_at_as_each_alone() -> None:
    """Regions measured together, of any size and place, have exactly the values of each alone."""
    film = _bone(noise=0.05)
    regions = [
        disk(SHAPE, (100, 100), 40),
        disk(SHAPE, (30, 160), 3),
        disk(SHAPE, (0, 20), 12),
    ]
    assert _look(film, *regions) == tuple(_look(film, region)[0] for region in regions)


@pytest.mark.parametrize("radius", [30, 70, 240])
def test_a_region_at_one_border_is_looked_at_as_at_the_other(radius: int) -> None:
    """Half a disk at the right border has the measurements of its mirror image at the left."""
    shape = (3 * radius + 5, 2 * radius + 7)
    random = np.random.default_rng(4)
    film = (0.6 + random.normal(0, 0.01, shape)).astype(np.float32)
    region = disk(shape, (1.5 * radius, shape[1] - 1), radius)
    film[region] -= 0.2
    (right,) = _look(film, region)
    (left,) = _look(np.ascontiguousarray(film[:, ::-1]), np.ascontiguousarray(region[:, ::-1]))
    assert right.measured["contrast"] == pytest.approx(0.2, abs=0.01)
    for name in ("contrast", "weakest_edge_step", "enclosure", "bone_fraction", "rim_contrast"):
        assert right.measured[name] == pytest.approx(left.measured[name], abs=0.02)


def test_a_strip_along_the_border_has_its_contrast() -> None:
    """Two columns at the border of a large film have the correct contrast."""
    film = np.full((900, 300), 0.7, np.float32)
    film[:, -2:] = 0.2
    (around,) = _look(film, film < 0.5)
    assert around.measured["contrast"] == pytest.approx(0.5, abs=0.01)


def test_nothing_is_looked_at_without_regions() -> None:
    """Without regions, an empty tuple is returned."""
    assert _look(_bone()) == ()
