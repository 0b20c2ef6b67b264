"""learning_curve.py: folds, sizes, and films evaluated by scorers not trained on them."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import learning_curve
import pytest

from lesionscan.evaluation.truth import TruthFilm, load_truth
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.phantom import make_phantom
from lesionscan.simulation.phantom_folder import phantom_film
from lesionscan.simulation.truth_folder import write_truth_folder
from lesionscan.training.folds import divided, left_out_listing
from tests.detection.scorer.made import onnx_network, scorer_bytes, scorer_card


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """Return a folder of eight phantoms, six with a lesion."""
    films = [
        phantom_film(
            f"film_{seed}",
            make_phantom("hand", seed, lesions=int(seed % 4 > 0), long_side_px=200, film=Film()),
        )
        for seed in range(1, 9)
    ]
    write_truth_folder(tmp_path / "truth", films)
    return tmp_path / "truth"


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Replace `lesionscan train`, which is tested elsewhere, and return its calls."""
    calls = []
    card = scorer_card(("lucency", (0.0, 1.0), (-1.0, 1.0)))
    blind = scorer_bytes(card, onnx_network(lucency=-1.0))

    def run(command: list[str], *, check: bool) -> subprocess.CompletedProcess[bytes]:
        assert not check
        calls.append(command[4:])
        out = Path(command[4])
        fold = int(command[command.index("--leave-out") + 1][0])
        out.write_bytes(blind)
        truth = load_truth(Path(command[command.index("--data") + 1]))
        left_out = [film.name for film in divided(truth, fold, 2)[1]]
        left_out_listing(out).write_text("".join(f"{name}\n" for name in left_out), "utf-8")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["learning_curve.py", *map(str, arguments)])
    return learning_curve.main()


@pytest.mark.slow
def test_every_film_is_judged_by_scorers_that_have_not_seen_it(
    truth: Path,
    trained: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Films are scanned only by scorers that left them out, and each of these is trained once.

    The table has a row per size, compared with the shipped scorer.
    """
    out = tmp_path / "out"
    used: list[tuple[str, str]] = []
    scan = learning_curve.scan_with_each

    def noted(film: TruthFilm, scorers: Mapping[str, Mapping[str, Path]]) -> Any:  # noqa: ANN401
        used.extend((film.name, one[film.name].name) for one in scorers.values())
        return scan(film, scorers)

    monkeypatch.setattr(learning_curve, "scan_with_each", noted)
    status = _run(
        monkeypatch, truth, "--out", out, "--sizes", 1, 99, "--folds", 2, "--jobs", 1,
        "--resamples", 10, "--steps", 7,
    )  # fmt: skip
    assert status == 0
    assert len(trained) == 4
    assert all(call[-2:] == ["--steps", "7"] for call in trained)
    assert [call[call.index("--at-most") + 1] for call in trained] == ["99", "99", "1", "1"]
    assert len(used) == 16
    for film, scorer in used:
        assert film in left_out_listing(out / scorer).read_text("utf-8").split()
    rows = json.loads((out / "learning_curve.json").read_text("utf-8"))["sets"]["phantom"]
    names = [row["name"] for row in rows]
    assert names[0] == "shipped"
    assert names[1].startswith("all ")
    assert names[2] == "1 films with lesions"
    assert all(row["films"] == 8 for row in rows)
    assert "cpm_minus_baseline" in rows[1]
    assert "| shipped |" in capsys.readouterr().out

    assert _run(
        monkeypatch, truth, "--out", out, "--sizes", 1, 99, "--folds", 2, "--jobs", 1,
        "--resamples", 10, "--steps", 7,
    ) == 0  # fmt: skip
    assert len(trained) == 4, "what stands is not trained again"


def test_a_folder_without_truth_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without truth gives one line and exit status 2."""
    assert _run(monkeypatch, tmp_path, "--out", tmp_path / "out") == 2
    line = capsys.readouterr().err
    assert line.startswith("learning_curve: ")
    assert line.count("\n") == 1


def test_a_training_that_fails_ends_the_run_with_its_status(
    truth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If `lesionscan train` fails, its exit status is returned."""

    def run(command: list[str], *, check: bool) -> subprocess.CompletedProcess[bytes]:
        assert not check
        return subprocess.CompletedProcess(command, 2)

    monkeypatch.setattr(subprocess, "run", run)
    assert _run(monkeypatch, truth, "--out", tmp_path / "out") == 2


@pytest.mark.slow
def test_a_folder_of_other_trainings_is_rejected(
    truth: Path,
    trained: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A folder with trainings of other options is rejected, so that no table mixes them."""
    first = (truth, "--out", tmp_path, "--sizes", 1, "--folds", 2, "--jobs", 1, "--resamples", 5)
    assert _run(monkeypatch, *first, "--steps", 7) == 0
    assert _run(monkeypatch, *first, "--steps", 8) == 2
    assert len(trained) == 2
    assert "give another --out" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [("--folds", 1), ("--sizes", 0), ("--at-most", 3)])
def test_invalid_options_are_rejected(
    truth: Path,
    trained: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: tuple[object, ...],
) -> None:
    """Invalid options are rejected before any training."""
    with pytest.raises(SystemExit):
        _run(monkeypatch, truth, "--out", tmp_path, *wrong)
    assert trained == []
