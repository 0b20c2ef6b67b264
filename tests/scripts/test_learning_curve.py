"""scripts/learning_curve.py: folds, sizes, and films judged by scorers that have not seen them."""

import json
import subprocess
import sys
from pathlib import Path

import learning_curve
import pytest

from lesionscan import Scorer
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.phantom import make_phantom
from lesionscan.simulation.phantom_folder import phantom_film
from lesionscan.simulation.truth_folder import write_truth_folder
from tests.detection.scorer.made import onnx_network, scorer_bytes, scorer_card


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """Return a folder of four phantoms, two with a lesion."""
    films = [
        phantom_film(
            f"film_{seed}",
            make_phantom("hand", seed, lesions=seed % 2, long_side_px=200, film=Film()),
        )
        for seed in range(1, 5)
    ]
    write_truth_folder(tmp_path / "truth", films)
    return tmp_path / "truth"


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stand in for train_scorer.py; return the calls. It is tested elsewhere."""
    calls = []
    card = scorer_card(("lucency", (0.0, 1.0), (-1.0, 1.0)))
    blind = scorer_bytes(card, onnx_network(lucency=-1.0))

    def run(command: list[str], *, check: bool) -> subprocess.CompletedProcess[bytes]:
        assert not check
        calls.append(command[2:])
        out = Path(command[command.index("--out") + 1])
        fold = int(command[command.index("--leave-out") + 1][0])
        out.write_bytes(blind)
        left_out = [f"film_{seed}" for seed in ((1, 2) if fold == 1 else (3, 4))]
        out.with_suffix(".left_out.txt").write_text("\n".join(left_out) + "\n", "utf-8")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["learning_curve.py", *map(str, arguments)])
    return learning_curve.main()


def test_every_film_is_judged_by_scorers_that_have_not_seen_it(
    truth: Path,
    trained: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each size and fold is trained once; the table has a row a size, against the shipped one."""
    out = tmp_path / "out"
    used: dict[str, set[str]] = {}
    loaded = Scorer.from_file

    def noted(path: Path) -> Scorer:
        used.setdefault(path.name, set())
        return loaded(path)

    monkeypatch.setattr(learning_curve, "loaded", noted)
    status = _run(
        monkeypatch, truth, "--out", out, "--sizes", 1, 2, "--folds", 2, "--jobs", 1,
        "--resamples", 10, "--steps", 7,
    )  # fmt: skip
    assert status == 0
    assert len(trained) == 4
    assert all(call[-2:] == ["--steps", "7"] for call in trained)
    assert [call[call.index("--at-most") + 1] for call in trained] == ["1", "1", "2", "2"]
    assert set(used) == {f"{size}_{fold}_of_2.scorer" for size in (1, 2) for fold in (1, 2)}
    rows = json.loads((out / "learning_curve.json").read_text("utf-8"))["rows"]
    assert [row["name"] for row in rows] == [
        "shipped", "1 films with lesions", "2 films with lesions",
    ]  # fmt: skip
    assert all(row["films"] == 4 for row in rows)
    assert "cpm_minus_baseline" in rows[1]
    assert "| shipped |" in capsys.readouterr().out

    assert _run(
        monkeypatch, truth, "--out", out, "--sizes", 1, 2, "--folds", 2, "--jobs", 1,
        "--resamples", 10,
    ) == 0  # fmt: skip
    assert len(trained) == 4, "what stands is not trained again"


def test_a_folder_without_truth_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit status 2."""
    assert _run(monkeypatch, tmp_path, "--out", tmp_path / "out") == 2
    line = capsys.readouterr().err
    assert line.startswith("learning_curve: ")
    assert line.count("\n") == 1


def test_a_training_that_fails_ends_the_run_with_its_status(
    truth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """train_scorer.py has said why."""

    def run(command: list[str], *, check: bool) -> subprocess.CompletedProcess[bytes]:
        assert not check
        return subprocess.CompletedProcess(command, 2)

    monkeypatch.setattr(subprocess, "run", run)
    assert _run(monkeypatch, truth, "--out", tmp_path / "out") == 2
