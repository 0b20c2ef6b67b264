"""The skull from the side: a hollow vault with its sutures and grooves."""

from dataclasses import replace

import numpy as np
import pytest

from lesionscan.simulation.body.assembly import assemble
from lesionscan.simulation.body.bones import Wall, bone_window, fill_bone, outline_distance_mm
from lesionscan.simulation.body.lesions import Lesion
from lesionscan.simulation.body.lucencies import Groove, grooved
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.fields import Grid, generator
from lesionscan.simulation.parts.head import skull_lateral
from lesionscan.simulation.phantom import make_phantom

GRID = Grid(250, 230, 1.0)
SKULL = skull_lateral(generator(3, 0))


def test_the_vault_is_hollow() -> None:
    """The beam passes two thin walls and brain in the middle, and much more bone at the edge."""
    body = assemble(3, SKULL, GRID, ())
    wall = SKULL.bone("vault").wall
    assert wall is not None
    assert body.bone_volume_mm[60, 120] == pytest.approx(2 * wall.thickness, rel=0.3)
    edge = body.bone_volume_mm[12:40, 120].max()
    assert edge > 3 * body.bone_volume_mm[60, 120]
    # brain is as dense as muscle
    assert body.muscle_mm[60, 120] > 90


def test_two_tables_show_at_the_edge_with_diploe_between() -> None:
    """Below the outer table of compact bone, the diploe is less dense."""
    vault = replace(
        SKULL.bone("vault"), grooves=(), wall=Wall(2.0, 5.0, 2.0), rarefactions=(), grain=0.0
    )
    grid = Grid(1000, 920, 0.25)
    window = bone_window(vault, grid, margin_mm=3.0)
    distance = outline_distance_mm(vault, window)
    maps = fill_bone(generator(1), vault, window, distance, np.zeros(window.shape))
    column = 480 - window.left
    density = maps.mineral[:, column] / np.maximum(maps.volume[:, column], 1e-9)
    deep = distance[:, column]
    outer, diploe = (deep > 0.5) & (deep < 1.8), (deep > 4.0) & (deep < 6.0)
    assert density[outer][:6].mean() > 0.95
    top = slice(0, 200)
    assert density[top][diploe[top]].mean() < density[top][outer[top]].mean() - 0.15


def test_a_wall_adds_up() -> None:
    """The thickness of a wall is that of both tables and the diploe."""
    assert Wall(1.5, 3.0, 1.0).thickness == 5.5


def test_sutures_and_vessels_change_the_picture_and_not_the_truth() -> None:
    """Grooves reduce the mineral of the vault along them and are no lesions."""
    bare = replace(
        SKULL,
        bones=tuple(
            replace(bone, grooves=()) if bone.name == "vault" else bone for bone in SKULL.bones
        ),
    )
    with_lines, without = (assemble(3, part, GRID, ()) for part in (SKULL, bare))
    lost = (without.bone_mm - with_lines.bone_mm)[40:100, 50:190]
    assert lost.max() > 0.8
    assert (lost > 0.3).mean() > 0.005
    assert not with_lines.truth.any()


def test_a_groove_takes_its_share_in_its_middle() -> None:
    """A groove multiplies by 1 minus its loss in its middle, and changes nothing far away."""
    window = bone_window(SKULL.bone("vault"), GRID, margin_mm=0.0)
    groove = Groove(((60.0, 80.0), (60.0, 160.0)), 1.5, 0.3)
    line = SKULL.bone("vault").placed(groove.points)
    factor = grooved(((groove, line),), window)
    assert factor.min() == pytest.approx(0.7, abs=0.04)
    assert factor[-10, 5] == pytest.approx(1.0)


def test_a_negative_groove_is_a_dense_line_and_lips_are_denser() -> None:
    """A negative groove (a plate seen edge-on) and the lips of an old suture add mineral."""
    window = bone_window(SKULL.bone("vault"), GRID, margin_mm=0.0)
    line = np.array([[80.0, 60.3], [160.0, 60.3]])
    plate = grooved(((Groove(((0, 0), (1, 1)), 1.5, -0.4), line),), window)
    assert plate.max() == pytest.approx(1.4, abs=0.05)
    suture = grooved(((Groove(((0, 0), (1, 1)), 1.5, 0.2, lips=0.1), line),), window)
    assert suture.max() > 1.05


def test_a_hole_in_the_vault_is_darker_than_the_bone_around() -> None:
    """A punched-out lesion is visible in a skull, and its truth lies in the vault."""
    hole = Lesion("vault", 0.35, 0.0, 14.0, removed=0.6, margin_mm=0.5, shell_mm=0.2)
    phantom = make_phantom(
        "skull_lateral", 3, lesions=(hole,), long_side_px=300, film=Film(marker="none")
    )
    (planted,) = phantom.planted
    assert planted.contrast_to_noise > 1
    label = phantom.bone_names.index("vault") + 1
    assert (phantom.bones[phantom.lesions == 1] == label).all()


def test_skulls_differ() -> None:
    """The number of teeth and the thickness of the vault depend on the seed."""
    skulls = [skull_lateral(generator(seed, 0)) for seed in range(8)]
    assert len({sum(bone.name.startswith("tooth") for bone in s.bones) for s in skulls}) > 1
    walls = {s.bone("vault").wall for s in skulls}
    assert len(walls) == 8
    assert skull_lateral(generator(1, 0)).bone("vault").wall in walls
