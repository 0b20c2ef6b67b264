"""Names cannot send control characters to the terminal or fake a line of output."""

import sys
from pathlib import Path

import pytest

from lesionscan import cli
from lesionscan.cli import scan
from lesionscan.cli.terminal import complain, note, say
from tests.batch.films import write_film
from tests.cli.command import lesionscan

HOSTILE = "a\x1b[2Jb\rc\nlesionscan: all is well\x9b1md\u202ee\u2028f"


def is_tame(text: str) -> bool:
    """Return whether a text has no control characters except line ends."""
    return all(char == "\n" or char.isprintable() for char in text)


@pytest.mark.parametrize("printed", [say, note, complain])
def test_one_call_prints_one_line_without_control_characters(
    printed: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """Escape codes, carriage returns, line ends, C1, bidi and line separators are escaped."""
    assert callable(printed)
    printed(HOSTILE)
    shown = "".join(capsys.readouterr())
    assert shown.count("\n") == 1
    assert is_tame(shown)
    assert r"a\x1b[2Jb\rc\nlesionscan: all is well\x9b1md\u202ee\u2028f" in shown


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows forbids such names")
@pytest.mark.parametrize(
    "command",
    [
        ["scan", "IN", "--out", "OUT"],
        ["scan", "NO", "--out", "OUT"],
        ["scan", "IN", "--out", "FILE"],
        ["scan", "IN", "--out", "OUT", "--settings", "NO"],
        ["scan", "IN", "--out", "OUT", "--scorer", "FILE"],
        ["scan", "IN", "--out", "OUT", "--list", "NO"],
        ["scan", "IN", "--out", "OUT", "--shard", "1/1"],
        ["merge", "IN"],
        ["inspect", "FILE"],
        ["explain", "FILE", "--out", "OUT"],
        ["evaluate", "IN", "IN"],
        ["plant", "IN", "OUT"],
        ["phantom", "FILE", "--count", "1"],
        ["review", "IN", "--apply", "FILE"],
    ],
)
def test_hostile_names_are_escaped_by_every_command(tmp_path: Path, command: list[str]) -> None:
    """Every command escapes the names of films, folders, outputs and option values."""
    name = HOSTILE.replace("/", "")
    films = tmp_path / name
    write_film(films / f"{name}.png")
    (films / f"{name}.dcm").write_bytes(b"no film")
    broken = films / f"{name}.dcm"
    places = {
        "IN": films, "NO": tmp_path / f"no{name}", "OUT": tmp_path / f"out{name}", "FILE": broken,
    }  # fmt: skip
    done = lesionscan(*(places.get(word, word) for word in command))
    assert done.stdout + done.stderr != ""
    assert is_tame(done.stdout + done.stderr)
    assert "\nlesionscan: all is well" not in done.stdout + done.stderr


def test_a_write_that_fails_names_its_place_escaped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The path in an error of the operating system is escaped."""

    def fail(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "x\x1b[2Jy\nz")

    monkeypatch.setattr(scan, "_plan", fail)
    monkeypatch.setattr(sys, "argv", ["lesionscan", "scan", "x", "--out", "y"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        r"lesionscan: x\x1b[2Jy\nz: Permission denied; results written so far are kept" + "\n"
    )
