"""scripts/research/compare_phantoms_with_films.py measures correctly, and prints its table."""

import math
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.fields import Grid, Window, generator, random_field
from lesionscan.simulation.phantom import make_phantom
from lesionscan.simulation.phantom_folder import phantom_film
from lesionscan.simulation.truth_folder import write_truth_folder

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts" / "research"
SCRIPT = SCRIPTS / "compare_phantoms_with_films.py"
COMPARE = runpy.run_path(str(SCRIPT))
EVERYWHERE = np.ones((256, 256), dtype=np.bool_)


def test_overlap_of_normal_distributions() -> None:
    """Two normal distributions d standard deviations apart share 2 Phi(-d / 2): 0.617 for d = 1."""
    rng = generator(1)
    one, other = rng.standard_normal(4000), rng.standard_normal(4000) + 1.0
    expected = math.erfc(0.5 / math.sqrt(2.0))
    assert expected == pytest.approx(0.617, abs=1e-3)
    assert COMPARE["overlap"](one, other) == pytest.approx(expected, abs=0.04)
    assert COMPARE["overlap"](one, one) == pytest.approx(1.0)
    assert COMPARE["overlap"](one, one + 50.0) < 1e-6


def test_overlap_of_spikes() -> None:
    """Groups without spread overlap completely at one position and not at all at two."""
    assert COMPARE["overlap"](np.zeros(5), np.zeros(9)) == 1.0
    assert COMPARE["overlap"](np.zeros(5), np.ones(9)) == 0.0


def test_histogram_overlap_is_the_shared_area() -> None:
    """(1, 1, 2) / 4 and (3, 1, 0) / 4 share 1/4 + 1/4."""
    shared = COMPARE["histogram_overlap"](np.array([1.0, 1.0, 2.0]), np.array([3.0, 1.0, 0.0]))
    assert shared == pytest.approx(0.5)


def test_local_noise_is_that_of_the_grain() -> None:
    """White noise of 0.02 on a gradient is measured as 0.02."""
    slope = np.linspace(0.3, 0.7, 256)[None, :]
    image = (slope + 0.02 * generator(2).standard_normal((256, 256))).astype(np.float32)
    assert COMPARE["local_noise"](image, EVERYWHERE) == pytest.approx(0.02, rel=0.05)
    assert math.isnan(COMPARE["local_noise"](np.zeros((64, 64), np.float32), EVERYWHERE[:64, :64]))


@pytest.mark.parametrize("exponent", [2.0, 3.0])
def test_the_slope_of_a_power_law_is_its_exponent(exponent: float) -> None:
    """A field whose power falls as frequency to minus 2 or 3 has that slope."""
    window = Window(Grid(256, 256, 1.0), 0, 256, 0, 256)
    field = random_field(
        generator(3), window, wavelengths_mm=(0.5, 200.0), exponent=exponent, stretch=1.0
    )
    image = (0.5 + 0.1 * field).astype(np.float32)
    assert COMPARE["spectrum_slope"](image, EVERYWHERE) == pytest.approx(-exponent, abs=0.5)


def test_contrast_and_edge_of_a_known_bone() -> None:
    """A strip of 0.8 on 0.3 has contrast 0.5; the edge widths of a step and a ramp are correct."""
    x = np.abs(np.arange(256) - 128.0)
    image = np.tile(0.3 + 0.5 * np.clip((40.0 - x) / 8.0 + 0.5, 0.0, 1.0), (256, 1))
    image = image.astype(np.float32)
    sharp = np.where(np.tile(x, (256, 1)) < 40, 0.8, 0.3).astype(np.float32)
    bone = np.tile(x < 40, (256, 1))
    assert COMPARE["bone_contrast"](sharp, EVERYWHERE, bone) == pytest.approx(0.5, abs=1e-6)
    # within 7 px of the edge a ramp of 8 px shows 6 px of its height
    assert COMPARE["edge_width"](image, EVERYWHERE, bone) == pytest.approx(6.5, abs=1.0)
    assert COMPARE["edge_width"](sharp, EVERYWHERE, bone) == pytest.approx(2.0, abs=0.1)
    assert math.isnan(COMPARE["bone_contrast"](sharp, EVERYWHERE, ~EVERYWHERE))
    assert math.isnan(COMPARE["edge_width"](sharp, EVERYWHERE, ~EVERYWHERE))


def test_polarity_is_undone() -> None:
    """Both polarities of a phantom give the same radiograph, bone bright."""
    bright, dark = (
        COMPARE["as_radiograph"](
            make_phantom("hand", 1, lesions=0, long_side_px=128, film=Film(photometric=polarity))
        )
        for polarity in ("MONOCHROME2", "MONOCHROME1")
    )
    assert np.array_equal(bright.pixels, dark.pixels)


@pytest.mark.slow
def test_the_table_is_printed(tmp_path: Path) -> None:
    """Generated and stored phantoms are compared with the films of a folder; errors are named."""
    films = (
        phantom_film(f"film_{seed}", make_phantom("hand", seed, lesions=0, long_side_px=160))
        for seed in range(3)
    )
    write_truth_folder(tmp_path, films)
    command = [sys.executable, str(SCRIPT), str(tmp_path), "--sets", "phantom", "--markdown"]
    made = ["--count", "3", "--seed", "5", "--parts", "hand", "--long-side", "160"]
    done = subprocess.run([*command, *made], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert "| phantoms (n = 3) | phantom (n = 3) |" in lines[0]
    assert len(lines) == 2 + len(COMPARE["STATISTICS"]) + 1
    cells = next(line for line in lines if "slope" in line).strip("| ").split(" | ")
    assert 0.0 <= float(cells[-1]) <= 1.0
    given = [*command[:-1], "--phantoms", str(tmp_path)]
    same = subprocess.run(given, capture_output=True, text=True, check=True).stdout
    assert "1.00" in same.splitlines()[1]
    command[command.index("phantom")] = "nowhere"
    wrong = subprocess.run([*command, *made], capture_output=True, text=True, check=False)
    assert wrong.returncode != 0
    assert "fewer than two normal films of nowhere" in wrong.stderr
