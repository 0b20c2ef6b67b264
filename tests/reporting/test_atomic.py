"""Results appear whole or not at all."""

from pathlib import Path

import pytest

from lesionscan.reporting.atomic import (
    NameTooLongError,
    OutputError,
    open_atomic,
    remove,
    write_bytes,
)


def test_bytes_arrive_and_nothing_else_stays(tmp_path: Path) -> None:
    """Writing makes the folder, replaces the old file and leaves no temporary file."""
    target = tmp_path / "a" / "b.json"
    write_bytes(target, b"old")
    write_bytes(target, b"new")
    assert target.read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["b.json"]


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
