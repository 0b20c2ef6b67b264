"""Results appear whole or not at all."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from lesionscan.reporting.atomic import (
    NameTooLongError,
    OutputError,
    link_or_copy,
    open_atomic,
    open_atomic_bytes,
    remove,
    remove_leftovers,
    write_bytes,
)


def test_bytes_arrive_and_nothing_else_stays(tmp_path: Path) -> None:
    """Writing makes the folder, replaces the old file and leaves no temporary file."""
    target = tmp_path / "a" / "b.json"
    write_bytes(target, b"old")
    write_bytes(target, b"new")
    assert target.read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["b.json"]


def test_what_must_outlive_a_power_cut_is_on_the_disk_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new bytes are synchronised while the old file still has its name; others are not."""
    target = tmp_path / "b.json"
    target.write_bytes(b"old")
    seen: list[tuple[bytes, int]] = []
    monkeypatch.setattr(
        os, "fsync", lambda file: seen.append((target.read_bytes(), os.fstat(file).st_size))
    )
    write_bytes(target, b"newer", durable=True)
    assert (seen, target.read_bytes()) == ([(b"old", 5)], b"newer")
    write_bytes(target, b"other")
    assert len(seen) == 1


def test_an_error_half_way_keeps_the_old_file(tmp_path: Path) -> None:
    """A text file that is not finished leaves the old one and no temporary file."""
    target = tmp_path / "t.csv"
    target.write_text("old", encoding="utf-8")

    def write_half() -> None:
        with open_atomic(target) as stream:
            stream.write("new")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_half()
    assert target.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_a_full_disk_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No space left becomes an OutputError that names the file, the cause and the remedy."""

    def full(_path: Path, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"cannot write .*x\.json: No space left .*make room"):
        write_bytes(tmp_path / "x.json", b"")


def test_a_file_in_place_of_the_folder_is_an_output_error(tmp_path: Path) -> None:
    """A folder that cannot be made is an OutputError, for bytes and for text."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_bytes(tmp_path / "file" / "x.json", b"")
    with (
        pytest.raises(OutputError, match="cannot write"),
        open_atomic(tmp_path / "file" / "x.csv"),
    ):
        pass


def test_a_name_too_long_has_its_own_error(tmp_path: Path) -> None:
    """A name that the file system refuses is told apart from a full disk."""
    with pytest.raises(NameTooLongError, match="cannot write"):
        write_bytes(tmp_path / ("x" * 300), b"")


def test_remove_takes_what_is_there_and_tells_what_it_cannot(tmp_path: Path) -> None:
    """Removing a missing file is fine; removing a folder is an OutputError."""
    remove(tmp_path / "missing")
    with pytest.raises(OutputError, match="cannot write"):
        remove(tmp_path)


def test_a_binary_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    """Until then only the temporary file is there."""
    target = tmp_path / "a" / "t.parquet"
    with open_atomic_bytes(target) as stream:
        stream.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_is_linked_or_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_links: bool
) -> None:
    """The target has the same bytes; an older one is replaced."""

    def refuse(_source: Path, _target: Path) -> None:
        raise OSError(95, "Operation not supported")

    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    source, target = tmp_path / "source", tmp_path / "b" / "target"
    write_bytes(source, b"new")
    write_bytes(target, b"old")
    link_or_copy(source, target)
    assert target.read_bytes() == b"new"
    assert target.samefile(source) == has_links
    assert [path.name for path in target.parent.iterdir()] == ["target"]
    link_or_copy(source, target)  # again: nothing is left behind
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_a_missing_source_is_an_output_error(tmp_path: Path) -> None:
    """What cannot be linked or copied is told."""
    with pytest.raises(OutputError, match="cannot write"):
        link_or_copy(tmp_path / "missing", tmp_path / "target")


KILLED = """
import os, sys
from pathlib import Path
from lesionscan.reporting.atomic import open_atomic
with open_atomic(Path(sys.argv[1])) as stream:
    stream.write("half")
    stream.flush()
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    """Temporary files of dead processes go; those of living ones and other files stay."""
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "t.csv"], check=False)
    (left,) = tmp_path.iterdir()
    assert left.read_text("utf-8") == "half"
    with open_atomic(tmp_path / "other.csv"):
        living = {path.name for path in tmp_path.iterdir()} - {left.name}
        write_bytes(tmp_path / ".lesionscan-notes.tmp", b"")
        remove_leftovers(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == living | {".lesionscan-notes.tmp"}
    remove_leftovers(tmp_path / "missing")


def test_what_another_machine_left_is_removed_after_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its processes cannot be asked for, but nobody writes one file for so long."""
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "t.csv"], check=False)
    (left,) = tmp_path.iterdir()
    monkeypatch.setattr(platform, "node", lambda: "elsewhere")
    remove_leftovers(tmp_path)
    assert left.exists()
    yesterday = left.stat().st_mtime - 25 * 3600
    os.utime(left, (yesterday, yesterday))
    remove_leftovers(tmp_path)
    assert not left.exists()
