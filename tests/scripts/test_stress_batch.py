"""scripts/research/stress_batch.py: disturbed runs give equal results, differences are found."""

from pathlib import Path

import numpy as np
import pytest
import stress_batch

from lesionscan.codes import ErrorCode
from lesionscan.reading import UnreadableFileError, read_radiograph
from tests.batch.films import tree
from tests.cli.command import ROOT, STUB


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the script's films small and few."""
    monkeypatch.setattr(stress_batch, "PHANTOMS", 3)
    monkeypatch.setattr(stress_batch, "LONG_SIDE_PX", 160)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_killed_workers_and_runs_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """With a stub for detection, a disturbed run has the same files, none missing or duplicated."""
    monkeypatch.setattr(stress_batch, "SCAN", (*STUB, "scan"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("STUB_SECONDS", "0.03")
    monkeypatch.chdir(ROOT)
    folder = tmp_path / "x"
    arguments = ["stress_batch.py", str(folder), "--films", "200", "--kill-every", "20"]
    monkeypatch.setattr("sys.argv", arguments)
    assert stress_batch.main() == 0
    said = capfd.readouterr().out
    assert "10 broken, 190 phantoms" in said
    assert "and 2 runs killed" in said
    assert int(said.split("disturbed: ")[-1].split(" s; ")[1].split()[0]) >= 6
    files = tree(folder / "disturbed")
    assert sum(name.endswith(".dcm.json") for name in files) == 200
    # the comparison finds differences
    (folder / "disturbed" / "00" / "00020.dcm.json").unlink()
    (folder / "disturbed" / "01" / "00001.dcm.json").write_bytes(b"{}")
    assert stress_batch.differences(folder / "whole", folder / "disturbed") == [
        "only in one of them: 00/00020.dcm.json",
        "differs: 01/00001.dcm.json",
    ]
    table = folder / "disturbed" / "images.csv"
    lines = table.read_text("utf-8").splitlines(keepends=True)
    table.write_text("".join([*lines[:1], *lines[2:], lines[-1]]), "utf-8")
    found = stress_batch.doubles(folder / "disturbed", folder / "films")
    assert [line.split(":")[0] for line in found] == ["lost", "double"]


@pytest.mark.usefixtures("small")
def test_films_are_broken_in_ten_ways(tmp_path: Path) -> None:
    """Ten ways of breaking a film make it unreadable; the other films are readable and differ."""
    real = tmp_path / "real"
    real.mkdir()
    made = stress_batch.make_films(tmp_path / "films", 200, None, np.random.default_rng(1))
    assert made == {"broken": 10, "phantoms": 190}
    contents: set[bytes] = set()
    broken: set[bytes | str] = set()
    codes = set()
    for path in sorted((tmp_path / "films").rglob("*.dcm")):
        if int(path.stem) % 20:
            contents.add(path.read_bytes())
            read_radiograph(path)
            continue
        kind = "link" if path.is_symlink() else "pipe" if path.is_fifo() else ""
        broken.add(kind or path.read_bytes())
        with pytest.raises(UnreadableFileError) as failure:
            read_radiograph(path)
        codes.add(failure.value.code)
    assert len(contents) == 190
    assert len(broken) == 10
    assert len(codes) >= 5
    assert codes <= set(ErrorCode)
    (real / "a.png").write_bytes(b"x")
    made = stress_batch.make_films(tmp_path / "more" / "films", 40, real, np.random.default_rng(1))
    assert made["real"] == 4
