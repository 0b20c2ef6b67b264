"""scripts/research/benchmark.py measures all steps of the pipeline without naming them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_every_step_is_measured() -> None:
    """All steps on a small phantom have a line; a missing film is named."""
    command = [sys.executable, str(ROOT / "scripts" / "research" / "benchmark.py"), "no.dcm"]
    done = subprocess.run(
        [*command, "--megapixels", "0.05", "--repeats", "1"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert any(line.startswith("no.dcm: skipped, there is no such file") for line in lines)
    steps = [line.split()[0] for line in lines if line.startswith("  ")]
    search = ["normalise", "field", "multiscale", "bone", "lucencies", "regions"]
    inside = [*search, "measure", "score"]
    assert {"read", "find_candidates", "overlay", "labels", "json", "report", *inside} <= set(steps)
    assert [step for step in steps if step in inside] == inside
    for name in ("the scan", "the scan but for reading"):
        assert any(line.startswith(f"  {name} / blob_log, median of pairs: ") for line in lines)
