"""scripts/train_scorer.py makes a scorer that the program can use, and says what it needs."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from lesionscan.detection.scorer.scorer_file import Scorer, TermEffect, shipped_scorer
from lesionscan.detection.scorer.terms import TERMS
from lesionscan.evaluation.truth import load_truth
from lesionscan.simulation.phantom import make_phantom
from lesionscan.simulation.phantom_folder import phantom_film
from lesionscan.simulation.png_file import png_bytes
from lesionscan.simulation.truth_folder import KnownFilm, write_truth_folder
from lesionscan.training.films import training_film
from tests.training.made import made_film

pytestmark = pytest.mark.train

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "train_scorer.py"


@pytest.fixture
def script() -> Iterator[ModuleType]:
    """Return the script as a module; the numbers of threads that it sets last as long."""
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    import torch
    import train_scorer

    threads = torch.get_num_threads(), cv2.getNumThreads()
    yield train_scorer
    torch.set_num_threads(threads[0])
    cv2.setNumThreads(threads[1])


def blank(name: str, *, lesion: bool = False, **facts: object) -> KnownFilm:
    """Return a small film of next to nothing."""
    picture = np.zeros((64, 64), np.uint8)
    picture[16:48] = 200
    lesions = np.zeros((64, 64), np.uint16)
    lesions[30:34, 30:34] = lesion
    return KnownFilm(name, "png", png_bytes(picture), lesions, facts=facts)


def phantom(name: str, part: str, seed: int, lesions: int) -> KnownFilm:
    """Return a small phantom."""
    return phantom_film(name, make_phantom(part, seed, lesions=lesions, long_side_px=400))


def train(*arguments: object) -> str:
    """Run the script in a process of its own, on one core; return what it prints."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--jobs", "1", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def run(script: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> object:
    """Run the script in this process; return its status."""
    monkeypatch.setattr(sys, "argv", ["train_scorer.py", "--jobs", "1", *map(str, arguments)])
    try:
        return script.main()
    except SystemExit as left:
        return left.code


def error(
    script: ModuleType,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *arguments: object,
) -> str:
    """Run the script in this process; return the one line that it ends with."""
    status = run(script, monkeypatch, *arguments)
    line = capsys.readouterr().err
    assert status == 2
    assert line.startswith("train_scorer: ")
    assert line.count("\n") == 1
    return line


def test_a_scorer_is_made_from_nothing(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bones are learnt on phantoms, then lesions on all films; the terms are weighed on the rest.

    The fitting, tested elsewhere, is stood in for: each time the shipped network comes out.
    """
    fitted: list[tuple[list[tuple[int, float]], Any]] = []

    def fit(
        network: object,
        pools: list[Any],
        plan: Any,  # noqa: ANN401
        tell: object,
        *,
        checkpoint: Path,
        write: object,
    ) -> object:
        assert network is not None
        assert checkpoint.parent == out.parent / "my.work"
        assert callable(write)
        assert callable(tell)
        fitted.append(([(len(pool.films), pool.weight) for pool in pools], plan))
        return script.from_onnx(shipped_scorer().network.onnx)

    monkeypatch.setattr(script, "fit", fit)
    films, data, out = tmp_path / "films", tmp_path / "data", tmp_path / "new" / "my.scorer"
    # "film knee" is held out: itself and its variants are what the terms are weighed on
    normal = [phantom("knee", "knee", 1, 0), phantom("foot", "hand", 2, 0)]
    write_truth_folder(films, [*normal, blank("measured", use="measure")])
    write_truth_folder(data, [phantom("a", "knee", 5, 2), blank("b")])
    made = run(
        script, monkeypatch, "--out", out, "--films", films, "--data", data, "--phantoms", 3,
        "--variants", 3, "--seed", 1,
    )  # fmt: skip
    assert made == 0
    (bone_pools, bone), (pools, lesions) = fitted
    assert bone_pools == [(2, 0.75), (1, 0.25)]  # the third phantom and the knee are held out
    assert (bone.steps, bone.learning_rate, bone.seed) == (570, 1.5e-3, 1)
    # planted: the foot, three variants of it, and "b", a labelled film without lesions and bones
    assert pools == [(2, 0.3), (5, 0.7), (1, 0.35), (1, 0.2)]
    assert (lesions.steps, lesions.learning_rate, lesions.seed) == (3000, 1.2e-3, 2)
    scorer = Scorer.from_file(out)
    assert scorer.name == "my"
    assert scorer.terms
    assert {term.name for term in scorer.terms} <= {term.name for term in TERMS}
    assert scorer.about["started from"] == "ImageNet"
    assert scorer.about["phantoms"] == 3
    assert scorer.about["films planted in"] == 2
    assert str(tmp_path) not in json.dumps(dict(scorer.about))


@pytest.mark.slow
def test_a_scorer_learns_from_labelled_films(script: ModuleType, tmp_path: Path) -> None:
    """With labelled films alone the shipped network goes on, and the terms fade; twice the same."""
    assert script.__doc__
    data, out = tmp_path / "data", tmp_path / "my.scorer"
    made = [blank(f"film{number}", lesion=number % 2 == 0) for number in range(6)]
    write_truth_folder(data, made)
    arguments = ("--out", out, "--data", data, "--steps", 1, "--leave-out", "1/3")
    lines = train(*arguments)
    listed = (tmp_path / "my.scorer.left_out.txt").read_text().split()
    assert len(listed) == 2
    assert "4 labelled films" in lines
    first, shipped = Scorer.from_file(out), shipped_scorer()
    assert (first.offset, first.terms) == (shipped.offset, script.faded(shipped.terms))
    assert first.network.onnx != shipped.network.onnx
    assert first.about["started from"] == f"scorer lesionscan {shipped.sha256[:8]}"
    train(*arguments)
    assert Scorer.from_file(out).sha256 == first.sha256


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--data", "nowhere"), "nowhere/index.json cannot be read"),
        (("--films", "nowhere"), "nowhere/index.json cannot be read"),
        (("--data", "nowhere", "--start", "no.scorer"), "scorer file no.scorer cannot be read"),
        (("--data", "d", "--leave-out", "0/5"), "write K/N with K from 1 to N"),
        (("--data", "d", "--leave-out", "6/5"), "write K/N with K from 1 to N"),
        (("--data", "d", "--leave-out", "1/1"), "N of 2 or more"),
        (("--data", "d", "--leave-out", "half"), "not 'half'"),
        (("--leave-out", "1/5"), "--leave-out chooses among the films of --data and --films"),
        (
            ("--films", "f", "--start", "shipped", "--leave-out", "1/5"),
            "the shipped scorer may have seen the --films films",
        ),
        (("--at-most", "3"), "--at-most chooses among the films of --data"),
        (("--phantoms", "-1"), "write a whole number from 0 on, not '-1'"),
        (("--steps", "0"), "write a whole number from 1 on, not '0'"),
        (("--phantoms", "0"), "needs --phantoms: they alone know all bones"),
        (("--out", "."), "--out . is a folder; name a file"),
    ],
)
def test_a_wrong_command_is_one_line(
    script: ModuleType,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
    line: str,
) -> None:
    """Each ends with status 2 and says what to give instead."""
    monkeypatch.chdir(tmp_path)
    given = arguments if "--out" in arguments else ("--out", "x.scorer", *arguments)
    assert line in error(script, capsys, monkeypatch, *given)
    assert list(tmp_path.iterdir()) == []


def test_films_must_be_of_the_right_kind(
    script: ModuleType,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Normal films must be normal and not for measuring; labelled ones must have lesions."""
    write_truth_folder(
        tmp_path / "wrong", [blank("lesion", lesion=True), blank("normal", use="measure")]
    )
    write_truth_folder(tmp_path / "normal", [blank("normal")])
    out = ("--out", tmp_path / "x.scorer")
    said = error(script, capsys, monkeypatch, *out, "--films", tmp_path / "wrong")
    assert "has no film without lesions" in said
    said = error(script, capsys, monkeypatch, *out, "--data", tmp_path / "normal")
    assert "has no film with lesions" in said


def test_terms_need_held_out_films_of_both_kinds(
    script: ModuleType,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Of two phantoms none is held out; that shows before the training, not after it."""
    work = ("--out", tmp_path / "x.scorer", "--start", "shipped", "--phantoms", 2)
    said = error(script, capsys, monkeypatch, *work)
    assert "must have films with lesions and films without" in said


@pytest.mark.parametrize(
    ("with_lesions", "steps"), [(0, 240), (10, 240), (16, 240), (17, 255), (200, 3000), (201, 3000)]
)
def test_more_labelled_films_are_learnt_from_for_longer(
    script: ModuleType, with_lesions: int, steps: int
) -> None:
    """Fifteen batches a film with lesions, within bounds."""
    films = [*[made_film()] * with_lesions, *[made_film(lesions=False)] * 50]
    assert script._further_steps(films) == steps


def test_an_unreadable_film_is_left_out(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken picture and a missing mask are named, and the others are read."""
    write_truth_folder(tmp_path, [blank("broken"), blank("good"), blank("bare", lesion=True)])
    (tmp_path / "images" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "masks" / "bare.lesions.png").unlink()
    with ThreadPoolExecutor(1) as workers:
        work = script.Work(argparse.Namespace(jobs=1), workers, 0.0)
        films = work.read(partial(training_film, bone_outline="near"), load_truth(tmp_path))
    assert [film.name for film in films] == ["good"]
    lines = [line.split(" min  ")[1] for line in capsys.readouterr().out.splitlines()]
    assert [line.split(": left out: ")[0] for line in lines] == ["broken", "bare"]


def test_labelled_films_alone_are_all_seen(script: ModuleType) -> None:
    """Nothing is held out from the network unless the terms are weighed on it."""
    films = [made_film(source=source) for source in ("film knee", "film foot")]
    assert [film.held_out for film in films] == [True, False]
    alone = script.Known([], films, films, weighs_terms=False)
    assert [pool.films for pool in alone.pools()] == [[], films, films, []]
    weighed = script.Known([made_film()], films, films, weighs_terms=True)
    assert [pool.films for pool in weighed.pools()[1:]] == [films[1:], films[1:], []]
    assert weighed.held_out() == [*films[:1], *films[:1]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--phantoms", "1"], "torch is not installed; run: pip install 'lesionscan[train]'"),
        (["--steps", "0"], "argument --steps: write a whole number from 1 on, not '0'"),
    ],
)
def test_a_missing_package_is_named(tmp_path: Path, arguments: list[str], said: str) -> None:
    """Without PyTorch the script says what to install, after what is wrong with the command."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('no', name='torch')\n")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--out", str(tmp_path / "x.scorer"), *arguments],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"train_scorer: {said}\n"


@pytest.mark.parametrize(
    ("raised", "status", "line"),
    [
        (BrokenProcessPool(), 1, "one of the processes died"),
        (KeyboardInterrupt(), 130, "stopped; phantoms are kept"),
        (OSError(28, "No space left on device"), 2, "train_scorer: No space left on device"),
        (OSError(28, "No space left on device", "a.scorer"), 2, "a.scorer: No space left"),
    ],
)
def test_what_ends_a_training_is_said_in_one_line(
    script: ModuleType,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    raised: BaseException,
    status: int,
    line: str,
) -> None:
    """No traceback, whatever happens in the middle."""

    def train(work: object) -> None:
        assert work is not None
        raise raised

    monkeypatch.setattr(script, "_train", train)
    assert run(script, monkeypatch, "--out", tmp_path / "a.scorer", "--phantoms", 1) == status
    printed = capsys.readouterr().err
    assert line in printed
    assert printed.count("\n") == 1


def test_the_terms_of_what_is_measured_fade(script: ModuleType) -> None:
    """Those of the network keep their effect, the others a quarter of it; knots and names stay."""
    terms = (
        TermEffect(name="lucency_peak", at=(0.0, 1.0), effect=(-3.0, 3.0)),
        TermEffect(name="enclosed", at=(0.0, 1.0), effect=(-0.8, 0.4)),
    )
    assert script.faded(terms) == (
        terms[0],
        TermEffect(name="enclosed", at=(0.0, 1.0), effect=(-0.2, 0.1)),
    )
