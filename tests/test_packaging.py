"""Packaging files for other tools agree with pyproject.toml and the package."""

import os
import re
import signal
import tomllib
from pathlib import Path

import pytest

from lesionscan import __version__
from lesionscan.batch.pool import signals_held_back
from lesionscan.cli.engine_options import cores
from tests.conftest import POSIX_NAMES

ROOT = Path(__file__).resolve().parent.parent
CONDA = (ROOT / "conda" / "meta.yaml").read_text(encoding="utf-8")
CONDA_NAMES = {"opencv-python-headless": "py-opencv", "matplotlib": "matplotlib-base"}
WHEELS_ALONE = "4.10.0.84"
"""The fourth number counts the builds of OpenCV's wheels: conda-forge has 4.10.0."""


def test_the_version_is_the_same_everywhere() -> None:
    """CITATION.cff, CHANGELOG.md and the conda recipe have the package's version."""
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    assert f"\n## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f'version = "{__version__}"' in CONDA


def test_conda_needs_what_the_package_needs() -> None:
    """The conda recipe has the same dependencies and bounds, under conda-forge's names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {f"python {project['requires-python']}"}
    for requirement in project["dependencies"]:
        name, bounds = re.split(r"(?=[<>=])", requirement, maxsplit=1)
        needed.add(f"{CONDA_NAMES.get(name, name)} {bounds.replace(WHEELS_ALONE, '4.10')}")
    run = CONDA[CONDA.index("  run:\n") : CONDA.index("\ntest:")]
    assert set(re.findall(r"^    - ([^#\n]*[^#\s])", run, flags=re.M)) == needed


@pytest.mark.parametrize("version", ["3.11", "3.14"])
def test_supported_versions_of_python_are_tested(version: str) -> None:
    """The workflow tests the lowest and the highest Python version of the classifiers."""
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert f'"{version}"' in workflow
    named = re.findall(r"Python :: (3\.\d+)\"", (ROOT / "pyproject.toml").read_text("utf-8"))
    assert sorted(named)[0] == "3.11"
    assert sorted(named)[-1] == "3.14"


def test_the_package_names_nothing_that_windows_lacks() -> None:
    """The package uses POSIX modules and functions only where it first checks for them."""
    posix = re.compile(
        r"^\s*(?:import|from) (?:fcntl|grp|pty|pwd|resource|termios)\b|"
        r"\bos\.(?:fork|geteuid|getuid|killpg|mkfifo|setsid)\b|"
        r"\bsignal\.(?:SIGALRM|SIGHUP|SIGKILL|alarm|setitimer)\b",
        flags=re.M,
    )
    files = list((ROOT / "lesionscan").rglob("*.py"))
    assert len(files) > 100
    assert [file.name for file in files if posix.search(file.read_text("utf-8"))] == []
    assert posix.search("    os.mkfifo(path)")


def test_a_system_without_posix_signals_and_affinity_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Workers start without POSIX signals and CPU affinity, as on Windows and macOS."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(signal, "pthread_sigmask", raising=False)
    with signals_held_back():
        assert cores() == os.cpu_count()


@pytest.mark.parametrize("name", ["mkfifo", "killpg"])
def test_a_test_that_needs_posix_is_skipped_elsewhere(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pattern in tests/conftest.py matches only errors about missing POSIX functions."""
    monkeypatch.delattr(os, name, raising=False)
    with pytest.raises(AttributeError) as error:
        getattr(os, name)
    assert POSIX_NAMES.fullmatch(str(error.value))
    assert not POSIX_NAMES.fullmatch("module 'os' has no attribute 'path'")


def test_only_the_source_of_the_wheel_enters_the_image() -> None:
    """The image ignores all files by default and runs as an unprivileged user id."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert "USER 10001" in lines
    assert (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()[1] == "*"
