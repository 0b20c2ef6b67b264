"""The notebook of the documentation runs, and its outputs are those of the current program."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "run_notebook.py"
NOTEBOOK = ROOT / "docs" / "lesionscan.ipynb"


def run(notebook: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a notebook."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(notebook), *options],
        capture_output=True,
        text=True,
        check=False,
    )


def cell(text: str) -> dict[str, object]:
    """Return a code cell that has not been run."""
    return {"cell_type": "code", "execution_count": None, "outputs": [], "source": [text]}


@pytest.mark.slow
def test_the_notebook_of_the_documentation_runs(tmp_path: Path) -> None:
    """All cells run, with as many output lines as stored in the notebook."""
    pytest.importorskip("pandas", reason="pandas is missing")
    (tmp_path / "sample_images").symlink_to(ROOT / "sample_images")
    copy = tmp_path / "docs" / NOTEBOOK.name
    copy.parent.mkdir()
    copy.write_bytes(NOTEBOOK.read_bytes())
    done = run(copy)
    assert done.returncode == 0, done.stderr
    before, after = (json.loads(path.read_text("utf-8")) for path in (NOTEBOOK, copy))
    for old, new in zip(before["cells"], after["cells"], strict=True):
        # the numbers themselves may be rounded differently on another machine
        kinds, now = (
            [(one["output_type"], len(one.get("text", []))) for one in each.get("outputs", [])]
            for each in (old, new)
        )
        assert kinds == now


def test_prints_become_outputs(tmp_path: Path) -> None:
    """Printed text becomes an output of its cell, and names are shared between cells."""
    notebook = tmp_path / "a.ipynb"
    notebook.write_text(json.dumps({"cells": [cell("a = 2"), cell("print(a + 1)")]}))
    assert run(notebook).returncode == 0
    first, second = json.loads(notebook.read_text("utf-8"))["cells"]
    assert first["outputs"] == []
    assert second["outputs"] == [{"output_type": "stream", "name": "stdout", "text": ["3\n"]}]
    assert second["execution_count"] == 2


def test_a_cell_that_fails_is_an_error_and_check_writes_nothing(tmp_path: Path) -> None:
    """A failing cell gives an exit status, and `--check` does not change the file."""
    notebook = tmp_path / "a.ipynb"
    text = json.dumps({"cells": [cell("1 / 0")]})
    notebook.write_text(text)
    done = run(notebook, "--check")
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr
    assert notebook.read_text() == text
