"""Only files that lesionscan has written are replaced or removed."""

import os
from pathlib import Path

import pytest

from lesionscan.results.atomic import LinkError, OutputError
from lesionscan.results.own_files import NotOwnError, OwnFiles, claim_film, is_claimed

NOT_OWN = r"was not written by lesionscan, or was changed since; move it away or choose another"


def account(out: Path) -> Path:
    """Return the only list of written files in a folder."""
    (path,) = out.glob(".lesionscan-written-*")
    return path


def test_own_files_are_replaced_and_removed(tmp_path: Path) -> None:
    """A later run may replace and remove files that the list names."""
    path = tmp_path / "out" / "a" / "t.csv"
    OwnFiles(tmp_path / "out").write(path, b"one")
    OwnFiles(tmp_path / "out").write(path, b"two")
    with OwnFiles(tmp_path / "out").open_text(path) as stream:
        stream.write("three")
    assert path.read_bytes() == b"three"
    own = OwnFiles(tmp_path / "out")
    own.check(["a/t.csv", "missing"])
    own.remove(path)
    own.remove(path)
    assert not path.exists()


def test_files_of_others_are_kept(tmp_path: Path) -> None:
    """Other files are rejected by check and by every way of writing, and never removed."""
    path = tmp_path / "t.csv"
    path.write_bytes(b"mine")
    own = OwnFiles(tmp_path)
    with pytest.raises(NotOwnError, match=NOT_OWN):
        own.check(["t.csv"])
    with pytest.raises(NotOwnError, match=NOT_OWN):
        own.write(path, b"new")
    with pytest.raises(NotOwnError, match=NOT_OWN), own.open_text(path):
        pass
    (tmp_path / "source").write_bytes(b"new")
    with pytest.raises(NotOwnError, match=NOT_OWN):
        own.link_or_copy(tmp_path / "source", path)
    own.remove(path)
    assert path.read_bytes() == b"mine"


def test_an_own_file_that_was_changed_is_not_own_any_more(tmp_path: Path) -> None:
    """A changed file is kept, as it may have a user's edits; in private folders it is replaced."""
    own = OwnFiles(tmp_path, private="report/")
    for name in ("t.csv", "report/index.js"):
        own.write(tmp_path / name, b"old")
        (tmp_path / name).write_bytes(b"edited")
    with pytest.raises(NotOwnError, match=NOT_OWN):
        own.check(["t.csv"])
    own.write(tmp_path / "report/index.js", b"new")
    assert (tmp_path / "report/index.js").read_bytes() == b"new"


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    """A file created while the new one is written is kept: the last check is before the rename."""
    path = tmp_path / "t.csv"
    own = OwnFiles(tmp_path)

    def write() -> None:
        with own.open_text(path) as stream:
            stream.write("new")
            path.write_bytes(b"mine")

    with pytest.raises(NotOwnError, match=NOT_OWN):
        write()
    assert path.read_bytes() == b"mine"
    assert not list(tmp_path.glob("*.tmp"))


def test_simultaneous_runs_replace_each_others_files(tmp_path: Path) -> None:
    """Simultaneous runs can replace each other's files; the last one wins."""
    one, two = OwnFiles(tmp_path), OwnFiles(tmp_path)
    path = tmp_path / "t.csv"
    one.write(path, b"1")
    two.write(path, b"2")
    one.write(path, b"3")
    assert path.read_bytes() == b"3"


def test_a_run_killed_before_the_rename_has_accounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is listed before it gets its name, so the next run may replace what a kill leaves."""
    path = tmp_path / "t.csv"
    own = OwnFiles(tmp_path)
    own.write(path, b"old")

    def killed(_self: Path, _target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        own.write(path, b"new")
    monkeypatch.undo()
    path.write_bytes(b"new")  # as if it had been killed just afterwards
    OwnFiles(tmp_path).write(path, b"newer")


def test_the_account_grows_by_what_is_new(tmp_path: Path) -> None:
    """Writing a file again with the same bytes adds no line."""
    own = OwnFiles(tmp_path)
    own.write(tmp_path / "t", b"1")
    before = account(tmp_path).read_bytes()
    OwnFiles(tmp_path).write(tmp_path / "t", b"1")
    assert account(tmp_path).read_bytes() == before


@pytest.mark.parametrize(
    "damage", [b"{", b"[1]\n", b'{"file": 5, "sha256": 6}\n', b"\xff\xfe", b"[" * 9999]
)
def test_a_damaged_account_says_nothing(tmp_path: Path, damage: bytes) -> None:
    """Damaged lines are ignored, other lines still count, and new ones can be appended."""
    own = OwnFiles(tmp_path)
    own.write(tmp_path / "t", b"1")
    with account(tmp_path).open("ab") as stream:
        stream.write(damage.replace(b"{", b'{"sha256"'))
    again = OwnFiles(tmp_path)
    again.write(tmp_path / "t", b"2")
    OwnFiles(tmp_path).write(tmp_path / "t", b"3")
    claim_film(tmp_path, "a")
    assert is_claimed(tmp_path, "a")


def test_films_are_claimed_by_name(tmp_path: Path) -> None:
    """Results of films are listed by exact name."""
    assert not is_claimed(tmp_path / "out", "a/ü.png")
    claim_film(tmp_path / "out", "a/ü.png")
    assert is_claimed(tmp_path / "out", "a/ü.png")
    assert not is_claimed(tmp_path / "out", "a/ü")
    assert not is_claimed(tmp_path / "out", "ü.png")


@pytest.mark.skipif(os.name == "nt", reason="needs links and pipes")
@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder"])
def test_the_account_is_no_way_to_other_files(tmp_path: Path, kind: str) -> None:
    """A link, pipe or folder in place of the list is an error, and never followed or waited for."""
    victim, out = tmp_path / "victim", tmp_path / "out"
    victim.write_bytes(b"precious")
    claim_film(out, "a")
    path = account(out)
    path.unlink()
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "hard link":
        os.link(victim, path)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        claim_film(out, "a")
    with pytest.raises(OutputError, match="cannot write"):
        OwnFiles(out).write(out / "t", b"1")
    assert victim.read_bytes() == b"precious"


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_no_link_below_the_output_folder_is_followed(tmp_path: Path) -> None:
    """No link below the output folder is followed; that folder itself may be a link."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "t").write_bytes(b"theirs")
    (tmp_path / "real").mkdir()
    out = tmp_path / "out"
    out.symlink_to(tmp_path / "real")
    (out / "a").symlink_to(outside)
    own = OwnFiles(out)
    for name in ("a/t", "a/new", "a/b/c"):
        with pytest.raises(LinkError, match="out/a is a link, which is not followed"):
            own.check([name])
        with pytest.raises(LinkError, match="out/a is a link"):
            own.write(out / name, b"new")
        own.remove(out / "a" / "t")
    own.write(out / "t", b"1")
    assert (tmp_path / "real" / "t").read_bytes() == b"1"
    assert [path.name for path in outside.iterdir()] == ["t"]
    assert (outside / "t").read_bytes() == b"theirs"
