"""`lesionscan train` passes its options to the training, and reports each error in one line."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace

import pytest

from lesionscan import cli
from lesionscan.training.errors import TrainingError
from lesionscan.training.options import TrainingOptions


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int | str | None:
    """Run the command in this process; return its exit status."""
    monkeypatch.setattr(sys, "argv", ["lesionscan", "train", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[TrainingOptions]:
    """Replace the training, which is tested elsewhere, and return the list of its options."""
    given: list[TrainingOptions] = []

    def train(options: TrainingOptions, report: Callable[[str], None]) -> None:
        given.append(options)
        report("a line of progress")

    monkeypatch.setitem(sys.modules, "lesionscan.training.recipe", SimpleNamespace(train=train))
    return given


def test_options_reach_the_training(
    trained: list[TrainingOptions],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Options are passed to the training, and its progress is printed."""
    out = tmp_path / "my.scorer"
    learning = ("--steps", 7, "--seed", 3, "--leave-out", "2/5", "--jobs", 1)
    assert run(monkeypatch, out, "--data", "d", *learning) == 0
    assert trained == [
        TrainingOptions.filled_in(out, data=Path("d"), steps=7, seed=3, leave_out="2/5", jobs=1)
    ]
    assert capsys.readouterr().out == "a line of progress\n"


def test_the_help_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The help contains the pip command in full; rich would treat its brackets as a style."""
    assert run(monkeypatch, "--help") == 0
    assert "pip install 'lesionscan[train]'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("raised", "status", "line"),
    [
        (TrainingError("give more films"), 2, "lesionscan: give more films"),
        (BrokenProcessPool(), 1, "a worker process died"),
        (KeyboardInterrupt(), 130, "rerun the command to resume: phantoms and the last checkpoint"),
        (OSError(28, "No space left on device", "a.scorer"), 2, "a.scorer: No space left"),
        (MemoryError(), 2, "memory ran out"),
    ],
)
def test_what_ends_a_training_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: BaseException,
    status: int,
    line: str,
) -> None:
    """Every exception in the training gives one line and an exit status, but no traceback."""

    def train(options: object, report: object) -> None:
        assert options
        assert report
        raise raised

    monkeypatch.setitem(sys.modules, "lesionscan.training.recipe", SimpleNamespace(train=train))
    assert run(monkeypatch, "a.scorer", "--phantoms", 1) == status
    printed = capsys.readouterr().err
    assert line in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--data", "nowhere"), "nowhere/index.json cannot be read"),
        (("--phantoms", "0"), "needs --phantoms: only they have all bones"),
    ],
)
@pytest.mark.train
def test_a_wrong_command_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    line: str,
) -> None:
    """Invalid arguments give one line and status 2, and nothing is written."""
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "x.scorer", *arguments) == 2
    printed = capsys.readouterr().err
    assert line in printed
    assert printed.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_without_the_extra_it_says_what_to_install() -> None:
    """Without the extra, the help works, and the command says what to install."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from lesionscan.cli import main; sys.argv = ['lesionscan', 'train', {}]; main()"
    )
    helped, refused = (
        subprocess.run(
            [sys.executable, "-c", code.format(arguments)],
            capture_output=True,
            text=True,
            check=False,
        )
        for arguments in ("'--help'", "'x.scorer', '--phantoms', '1'")
    )
    assert helped.returncode == 0
    assert "pip install" in helped.stdout
    assert refused.returncode == 2
    said = "lesionscan: torch is not installed; run: pip install 'lesionscan[train]'\n"
    assert refused.stderr == said
