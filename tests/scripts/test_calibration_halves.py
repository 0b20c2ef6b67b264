"""calibration_halves.py: halves share no patient, and rates are counted on the other half."""

import sys
from pathlib import Path

import calibration_halves
import numpy as np
import pytest

from lesionscan.evaluation.calibrate import CalibrationFilm
from tests.evaluation.made import MadeFilm, make
from tests.evaluation.scored import film


def test_halves_share_no_patient() -> None:
    """Each film is in one half, and films of one patient are in the same half."""
    films = [CalibrationFilm(film(group=f"g{number // 2}")) for number in range(20)]
    first, other = calibration_halves.split_films(films, np.random.default_rng(0))
    groups = [{one.scores.group for one in half} for half in (first, other)]
    assert len(first) == len(other) == 10
    assert not groups[0] & groups[1]


def test_the_table_counts_the_other_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With eight candidates per film, the rates on the other half are within the interval."""
    rng = np.random.default_rng(1)
    boxes = [(10, 10 * number, 15, 10 * number + 5) for number in range(8)]
    films = [
        MadeFilm(f"f{number}", (), tuple(zip(map(float, rng.random(8)), boxes, strict=True)))
        for number in range(40)
    ]
    results, truth = make(tmp_path, films)
    given = [str(results), str(truth), "--splits", "10", "--resamples", "100"]
    monkeypatch.setattr(sys, "argv", ["calibration_halves.py", *given])
    calibration_halves.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "40 films without lesions, 10 splits"
    for line, rate in zip(lines[3:], calibration_halves.RATES, strict=True):
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        assert cells[0] == f"{rate:g}"
        assert float(cells[1]) == pytest.approx(rate, abs=0.3)
        assert int(cells[3].partition(" ")[0]) >= 7
