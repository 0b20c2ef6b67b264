"""Metal in phantoms: its thickness, its place, and what it hides."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from lesionscan.simulation.body.anatomy import Anatomy
from lesionscan.simulation.body.assembly import assemble
from lesionscan.simulation.body.implants import KINDS, ImplantKind, draw_kind, implanted, kinds_for
from lesionscan.simulation.body.lesions import Lesion
from lesionscan.simulation.body.metal import Bar, Block, disc, metal_mm, screw
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.fields import Grid, generator
from lesionscan.simulation.phantom import BODY_PARTS, Phantom, make_phantom

FILM = Film(marker="none")
GRID = Grid(160, 160, 0.25)
PLACES: dict[ImplantKind, str] = {
    "plate": "forearm", "nail": "lower_leg", "wires": "hand", "cerclage": "femur",
    "skin_clips": "knee", "hip_screw": "hip", "hip_prosthesis": "pelvis",
    "knee_prosthesis": "knee_lateral", "pedicle_screws": "lumbar_spine",
}  # fmt: skip


def _part(name: str, seed: int = 3) -> Anatomy:
    return BODY_PARTS[name](generator(seed, 0))


def _brightness(phantom: Phantom) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(phantom.stored / (2**phantom.film.bits - 1), dtype=np.float64)


def test_a_wire_is_as_thick_as_it_is_wide() -> None:
    """A round bar has its full depth in the middle and sqrt(3) / 2 of it half way out."""
    bar = Bar(np.array([[20.0, 5.0], [20.0, 35.0]]), 4.0, 8.0)
    thick = metal_mm((bar,), GRID)
    assert thick[80, 79] == pytest.approx(8.0, abs=0.1)
    assert thick[80, 87] == pytest.approx(8.0 * np.sqrt(0.75), abs=0.3)
    assert thick[80, 60] == 0.0
    assert thick[2, 79] == 0.0


def test_a_strip_is_flat_and_has_a_soft_edge_of_a_pixel() -> None:
    """A flat bar is as thick near its side as in its middle, and its edges are 1 to 2 px wide."""
    bar = Bar(np.array([[20.0, 0.0], [20.0, 40.0]]), 3.0, 10.0, is_round=False)
    row = metal_mm((bar,), GRID)[80]
    assert row[79] == pytest.approx(10.0)
    assert row[70] == pytest.approx(10.0)
    assert ((row > 0.1) & (row < 9.9)).sum() in (1, 2, 3, 4)
    assert row.sum() * 0.25 == pytest.approx(60.0, rel=0.05)


@pytest.mark.parametrize("spacing", [0.1, 0.5, 2.0])
def test_a_wire_thinner_than_a_pixel_keeps_its_metal(spacing: float) -> None:
    """On pixels of any size, a wire of 1 mm has the same total thickness across it."""
    grid = Grid(64, 64, spacing)
    side = 32 * spacing
    bar = Bar(np.array([[side, 0.0], [side, 64 * spacing]]), 0.5, 1.0, is_round=False)
    across = metal_mm((bar,), grid)[32].sum() * spacing
    assert across == pytest.approx(1.0, rel=0.25)


def test_a_threaded_screw_swings_in_width() -> None:
    """The width of a screw varies along its thread; on coarse pixels it does not."""
    line = np.array([[20.0, 2.0], [20.0, 38.0]])
    thread = metal_mm((Bar(line, 3.0, 6.0, pitch_mm=3.0),), GRID)[20:140].sum(axis=1)
    smooth = metal_mm((Bar(line, 3.0, 6.0),), GRID)[20:140].sum(axis=1)
    assert thread.std() > 10 * smooth.std()
    coarse = Grid(64, 64, 2.0)
    assert np.array_equal(
        metal_mm((Bar(line, 3.0, 6.0, pitch_mm=3.0),), coarse),
        metal_mm((Bar(line, 3.0, 6.0),), coarse),
    )


def test_a_screw_has_a_head_wider_than_its_shaft() -> None:
    """A screw is wider at its first point, where its head is."""
    thick = metal_mm(screw(np.array([20.0, 8.0]), np.array([20.0, 34.0]), 1.5, density=1.0), GRID)
    width = (thick > 0.3).sum(axis=1)
    assert width[32] > width[100] + 4


def test_a_ball_has_its_volume_and_a_hole_has_none() -> None:
    """A disc with elliptic sides, as deep as wide, has the volume of a ball; holes are empty."""
    ball = Block(disc(np.array([20.0, 20.0]), 10.0), 20.0, 10.0)
    volume = metal_mm((ball,), GRID).sum() * 0.25**2
    assert volume == pytest.approx(4.0 / 3.0 * np.pi * 1000.0, rel=0.02)
    pierced = metal_mm((replace(ball, holes=((20.0, 20.0, 3.0),)),), GRID)
    assert pierced[80, 80] == 0.0
    assert pierced[80, 100] > 1.0


def test_metal_out_of_the_picture_is_nothing() -> None:
    """Metal outside the image adds no thickness."""
    far = np.array([[500.0, 500.0], [520.0, 500.0]])
    pieces = (Bar(far, 2.0, 4.0), Block(disc(far[0], 9.0), 5.0, 5.0))
    assert not metal_mm(pieces, GRID).any()


@pytest.mark.parametrize("kind", KINDS)
def test_an_implant_is_brighter_than_bone(kind: ImplantKind) -> None:
    """An implant is clearly brighter than the median of bone, and is not a lesion."""
    with_metal = make_phantom(PLACES[kind], 3, lesions=0, long_side_px=200, film=FILM, implant=kind)
    part = implanted(generator(3, 32), _part(PLACES[kind]), kind)
    assert part.metal
    picture = _brightness(with_metal)
    top = np.quantile(picture[with_metal.bone], 0.5)
    assert (picture > top + 0.1).sum() > 8
    assert not with_metal.lesions.any()


def test_implants_follow_from_the_seed() -> None:
    """The same seed gives the same film with a plate, and another seed gives another film."""
    one, again, other = (
        make_phantom("forearm", seed, lesions=0, long_side_px=128, film=FILM, implant="plate")
        for seed in (3, 3, 4)
    )
    assert np.array_equal(one.stored, again.stored)
    assert not np.array_equal(one.stored, other.stored)


def test_metal_hides_the_lesion_behind_it() -> None:
    """Pixels of a lesion that metal hides are not in the truth, and no others are added to it."""
    hole = Lesion("tibia", 0.5, 0.0, 16.0, removed=0.9)
    hidden = 0
    for seed in range(4):
        seen, nailed = (
            make_phantom(
                "lower_leg", seed, lesions=(hole,), long_side_px=200, film=FILM, implant=kind
            ).lesions
            for kind in ("none", "nail")
        )
        assert not (nailed.astype(bool) & ~seen.astype(bool)).any()
        hidden += int((seen.astype(bool) & ~nailed.astype(bool)).sum())
    assert hidden > 10


def test_one_phantom_in_twelve_gets_an_implant_that_fits_it() -> None:
    """About one phantom in twelve gets an implant, of a kind that fits its body part."""
    part = _part("knee")
    drawn = [draw_kind(generator(seed, 32), part) for seed in range(600)]
    assert 0.05 < np.mean([kind is not None for kind in drawn]) < 0.11
    assert {kind for kind in drawn if kind} <= set(kinds_for(part))


@pytest.mark.parametrize("name", list(BODY_PARTS))
def test_every_part_takes_what_is_said_to_fit(name: str) -> None:
    """Each kind that fits a body part can be built, and is at least partly in the image."""
    part = _part(name)
    width, height = part.field_mm
    grid = Grid(128, max(round(128 * width / height), 64), height / 128)
    for kind in dict.fromkeys(kinds_for(part)):
        metal = metal_mm(implanted(generator(1, 32), part, kind).metal, grid)
        assert metal.max() > 0.1, kind


def test_a_hip_prosthesis_takes_the_head_of_the_femur() -> None:
    """A hip prosthesis replaces the head of the femur by metal."""
    part = _part("hip")
    done = implanted(generator(1, 32), part, "hip_prosthesis")
    assert done.bone("femur").hole_mm is not None
    width, height = part.field_mm
    grid = Grid(200, round(200 * width / height), height / 200)
    before, after = (assemble(3, anatomy, grid, ()) for anatomy in (part, done))
    head_x, head_y = part.bone("femur").placed(((43.5, 91.0),))[0]
    row, col = int(head_y / grid.spacing_mm), int(head_x / grid.spacing_mm)
    assert before.bone_volume_mm[row, col] > after.bone_volume_mm[row, col] + 10
    assert after.metal_mm[row, col] > 10


def test_implants_that_do_not_exist_or_fit_are_refused() -> None:
    """Unknown and unsuitable implants are refused with a list of possible ones."""
    with pytest.raises(ValueError, match="unknown implant 'spoon'; known: plate, nail"):
        make_phantom("knee", 1, long_side_px=128, implant="spoon")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no hip_screw fits KNEE; what fits: skin_clips, plate"):
        make_phantom("knee", 1, long_side_px=128, implant="hip_screw")


def test_the_kinds_are_all_tested() -> None:
    """The table of body parts in this module has every kind of implant."""
    assert set(PLACES) == set(get_args(ImplantKind)) == set(KINDS)
