"""Usage errors are reported before the missing extra that an option needs.

The packages are hidden in a separate process, as on a machine without any extra.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lesionscan.cli.extras import EXTRAS
from tests.batch.films import write_film

HIDDEN = """
import importlib.machinery
import sys

packages = {packages!r}
finder = importlib.machinery.PathFinder
found = finder.find_spec

def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in packages else found(name, path, target)

finder.find_spec = staticmethod(find_spec)
from lesionscan.cli import main
sys.argv[0] = "lesionscan"
main()
"""
NEEDS = {
    "pyarrow": (["--export", "parquet"],),
    "highdicom": (["--export", "dicom-sr"], ["--export", "coco,dicom-seg"]),
    "distributed": (["--dask-local", "1"], ["--dask", "tcp://127.0.0.1:1"]),
}
"""Packages, and options of `scan` that need them."""
OPTIONS = [(package, options) for package, ways in NEEDS.items() for options in ways]
FIRST = [(package, ways[0]) for package, ways in NEEDS.items()]
USAGE_ERRORS = [
    (["in", "-o", "out", "--shard", "5/4"], "--shard: there is no part 5 of 4"),
    (["no-such-file", "-o", "out"], "input no-such-file does not exist"),
    (["-o", "out"], "name films or folders to scan"),
    (["in", "-o", "out", "--settings", "no.toml"], "settings file no.toml cannot be read"),
    (["in", "-o", "out", "--scorer", "no.scorer"], "scorer file no.scorer cannot be read"),
    (["in", "-o", "out", "--spacing", "x"], "--spacing"),
    (["in", "-o", "out", "--export", "xml"], "--export: 'xml' is not one of"),
    (["in", "-o", "in/film.png"], "in/film.png"),
]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder, with the packages of all extras hidden."""
    code = HIDDEN.format(packages=set(EXTRAS))
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one film in `in`."""
    (tmp_path / "in").mkdir()
    write_film(tmp_path / "in" / "film.png")
    return tmp_path


@pytest.mark.parametrize(
    ("package", "options"),
    [*FIRST, *(pytest.param(*one, marks=pytest.mark.slow) for one in OPTIONS if one not in FIRST)],
)
def test_a_missing_extra_is_named_in_one_line(
    folder: Path, package: str, options: list[str]
) -> None:
    """A missing extra is reported in one line, and no film is searched."""
    done = run(folder, "scan", "in", "-o", "out", *options)
    expected = (
        f"lesionscan: {package} is not installed; run: pip install "
        f"'lesionscan[{EXTRAS[package]}]'\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)
    assert not list((folder / "out").rglob("*.json"))


@pytest.mark.slow
@pytest.mark.parametrize("options", [options for _, options in OPTIONS])
@pytest.mark.parametrize(("arguments", "message"), USAGE_ERRORS)
def test_a_usage_error_is_reported_before_a_missing_extra(
    folder: Path, arguments: list[str], message: str, options: list[str]
) -> None:
    """Every usage error is reported before any missing extra."""
    done = run(folder, "scan", *arguments, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert "is not installed" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dask-local", "1", "--dask", "tcp://x:1"], "give --dask or --dask-local, not both"),
        (["--dask-local", "1", "--jobs", "2"], "--jobs, --timeout and --max-memory are for"),
        (["--shard", "1/2", "--export", "parquet"], "parquet is written for a whole run"),
        (["--shard", "1/2", "--export", "coco,parquet"], "is written for a whole run"),
        (["--export", "parquet,xml"], "--export: 'xml' is not one of"),
    ],
)
def test_options_that_contradict_each_other_are_reported_before_a_missing_extra(
    folder: Path, options: list[str], message: str
) -> None:
    """Contradicting options are reported before the missing extra that one of them needs."""
    done = run(folder, "scan", "in", "-o", "out", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "is not installed" not in done.stderr


@pytest.mark.slow
def test_merge_reports_what_is_wrong_with_parts_before_a_missing_extra(folder: Path) -> None:
    """`merge` reports wrong inputs and exports before a missing extra."""
    for arguments, message in (
        (["merge", "in", "--export", "parquet"], "in"),
        (["merge", "in", "--export", "dicom-sr"], "dicom-sr is written per film"),
        (["merge", "a", "b", "--export", "parquet"], "give an output folder (--out)"),
    ):
        done = run(folder, *arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert "is not installed" not in done.stderr
    assert run(folder, "scan", "in", "-o", "out", "--shard", "1/1").returncode == 0
    done = run(folder, "merge", "out", "--export", "parquet")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("lesionscan: pyarrow is not installed; run: pip install ")


def test_the_extras_are_those_of_the_package() -> None:
    """Each extra in EXTRAS installs its package, according to pyproject.toml."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    for package, extra in EXTRAS.items():
        assert any(line.startswith(package) for line in extras[extra])
