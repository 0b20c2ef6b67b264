"""Result files appear complete or not at all."""

import os
import pickle
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lesionscan.results import atomic
from lesionscan.results.atomic import (
    LinkError,
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
    """Writing creates the folder, replaces the old file and leaves no temporary file."""
    target = tmp_path / "a" / "b.json"
    write_bytes(target, b"old", within=tmp_path)
    write_bytes(target, b"new", within=tmp_path)
    assert target.read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["b.json"]


def test_what_must_outlive_a_power_cut_is_on_the_disk_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Durable files are synced before they replace the old file; others are not synced."""
    target = tmp_path / "b.json"
    target.write_bytes(b"old")
    seen: list[tuple[bytes, int]] = []
    monkeypatch.setattr(
        os, "fsync", lambda file: seen.append((target.read_bytes(), os.fstat(file).st_size))
    )
    write_bytes(target, b"newer", within=tmp_path, durable=True)
    assert (seen, target.read_bytes()) == ([(b"old", 5)], b"newer")
    write_bytes(target, b"other", within=tmp_path)
    assert len(seen) == 1


def test_an_error_half_way_keeps_the_old_file(tmp_path: Path) -> None:
    """If writing a text file fails, the old file remains, and no temporary file."""
    target = tmp_path / "t.csv"
    target.write_text("old", encoding="utf-8")

    def write_half() -> None:
        with open_atomic(target, within=tmp_path) as stream:
            stream.write("new")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_half()
    assert target.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_a_full_disk_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk gives an OutputError with the file, the cause and the remedy."""

    def full(_path: Path, _flags: int, _mode: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OutputError, match=r"cannot write .*x\.json: No space left .*make room"):
        write_bytes(tmp_path / "x.json", b"", within=tmp_path)


def test_a_file_in_place_of_the_folder_is_an_output_error(tmp_path: Path) -> None:
    """A folder that cannot be created gives an OutputError, for bytes and for text."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_bytes(tmp_path / "file" / "x.json", b"", within=tmp_path)
    with (
        pytest.raises(OutputError, match="cannot write"),
        open_atomic(tmp_path / "file" / "x.csv", within=tmp_path),
    ):
        pass


def test_a_name_too_long_has_its_own_error(tmp_path: Path) -> None:
    """A name that is too long for the file system has an error of its own."""
    with pytest.raises(NameTooLongError, match="has a name that is too long"):
        write_bytes(tmp_path / ("x" * 300), b"", within=tmp_path)


def test_remove_takes_what_is_there_and_tells_what_it_cannot(tmp_path: Path) -> None:
    """Removing a missing file is no error; removing a folder is an OutputError."""
    remove(tmp_path / "missing", within=tmp_path)
    with pytest.raises(OutputError, match="cannot write"):
        remove(tmp_path, within=tmp_path)


def test_a_binary_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    """A binary file gets its name only when it is complete."""
    target = tmp_path / "a" / "t.parquet"
    with open_atomic_bytes(target, within=tmp_path) as stream:
        stream.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_is_linked_or_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_links: bool
) -> None:
    """The target has the same bytes, replaces an older file, and leaves no temporary file."""

    def refuse(_source: Path, _target: Path) -> None:
        raise OSError(95, "Operation not supported")

    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    source, target = tmp_path / "source", tmp_path / "b" / "target"
    write_bytes(source, b"new", within=tmp_path)
    write_bytes(target, b"old", within=tmp_path)
    link_or_copy(source, target, within=tmp_path)
    assert target.read_bytes() == b"new"
    assert target.samefile(source) == has_links
    assert [path.name for path in target.parent.iterdir()] == ["target"]
    link_or_copy(source, target, within=tmp_path)  # again: nothing is left behind
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_a_missing_source_is_an_output_error(tmp_path: Path) -> None:
    """A source that can be neither linked nor copied gives an OutputError."""
    with pytest.raises(OutputError, match="cannot write"):
        link_or_copy(tmp_path / "missing", tmp_path / "target", within=tmp_path)


KILLED = """
import os, sys
from pathlib import Path
from lesionscan.results.atomic import open_atomic
with open_atomic(Path(sys.argv[1]), within=Path(sys.argv[1]).parent) as stream:
    stream.write("half")
    stream.flush()
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    """Temporary files of dead processes are removed; those of running ones and others remain."""
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "t.csv"], check=False)
    (left,) = tmp_path.iterdir()
    assert left.read_text("utf-8") == "half"
    with open_atomic(tmp_path / "other.csv", within=tmp_path):
        living = {path.name for path in tmp_path.iterdir()} - {left.name}
        write_bytes(tmp_path / ".lesionscan-notes.tmp", b"", within=tmp_path)
        remove_leftovers(tmp_path, within=tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == living | {".lesionscan-notes.tmp"}
    remove_leftovers(tmp_path / "missing", within=tmp_path)


def test_what_another_machine_left_is_removed_after_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporary files of another machine are removed after a day.

    Whether its processes are running is unknown, but no file takes that long to write.
    """
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "t.csv"], check=False)
    (left,) = tmp_path.iterdir()
    monkeypatch.setattr(platform, "node", lambda: "elsewhere")
    remove_leftovers(tmp_path, within=tmp_path)
    assert left.exists()
    yesterday = left.stat().st_mtime - 25 * 3600
    os.utime(left, (yesterday, yesterday))
    remove_leftovers(tmp_path, within=tmp_path)
    assert not left.exists()


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_a_temporary_name_cannot_be_occupied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Temporary names are unpredictable, and a link with such a name is not followed."""
    assert len({atomic.temporary_name() for _ in range(100)}) == 100
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    monkeypatch.setattr(atomic, "temporary_name", lambda: ".taken.tmp")
    (tmp_path / ".taken.tmp").symlink_to(victim)
    with pytest.raises(OutputError, match="cannot write"):
        write_bytes(tmp_path / "t", b"new", within=tmp_path)
    assert victim.read_bytes() == b"precious"


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_links_below_the_output_folder_are_not_followed(tmp_path: Path) -> None:
    """Nothing is written or removed through a link to a folder; a link to a file is replaced."""
    outside, out = tmp_path / "outside", tmp_path / "out"
    left = f".lesionscan-{'0' * 16}-{atomic.machine()}-{2**22 + 1}.tmp"
    for name in ("t", left):
        write_bytes(outside / name, b"theirs", within=outside)
    out.mkdir()
    (out / "a").symlink_to(outside)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: write_bytes(out / "a" / "t", b"", within=out),
        lambda: write_bytes(out / "a" / "b" / "t", b"", within=out),
        lambda: remove(out / "a" / "t", within=out),
        lambda: link_or_copy(outside / "t", out / "a" / "u", within=out),
    )
    for work in attempts:
        with pytest.raises(LinkError, match=r"out/a is a link, .*; remove the link"):
            work()
    remove_leftovers(out / "a", within=out)
    assert sorted(path.name for path in outside.iterdir()) == sorted([left, "t"])
    (out / "t").symlink_to(outside / "t")
    write_bytes(out / "t", b"new", within=out)
    assert ((outside / "t").read_bytes(), (out / "t").is_symlink()) == (b"theirs", False)


def test_errors_about_names_travel_from_workers() -> None:
    """The errors survive pickling, and their message has no path outside the output folder."""
    for kind in (NameTooLongError, LinkError):
        error = pickle.loads(pickle.dumps(kind(Path("out/a/b.json"))))  # noqa: S301 - our own
        assert type(error) is kind
        assert str(error).startswith(str(Path("out/a/b.json")))
        assert error.within(Path("out")).startswith("a/b.json in the output folder ")
