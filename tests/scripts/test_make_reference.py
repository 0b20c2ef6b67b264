"""docs/reference.md matches the program's own descriptions and is complete."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from lesionscan.cli import app
from lesionscan.codes import ErrorCode, NoticeCode
from lesionscan.detection.measurements import Flag
from lesionscan.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def table(title: str) -> dict[str, list[str]]:
    """Return the rows of the first table below a heading, by their first cell.

    No two rows may have the same first cell.
    """
    rows: dict[str, list[str]] = {}
    for line in PAGE[PAGE.index(f"\n## {title}\n") :].splitlines():
        if line.startswith("| `"):
            first, *others = (cell.strip() for cell in line.split("|")[1:-1])
            assert first.strip("`") not in rows
            rows[first.strip("`")] = others
        elif rows:
            break
    return rows


def test_the_page_is_what_the_script_makes() -> None:
    """The page is up to date with all help texts, fields, settings and codes."""
    code = "import make_reference; print(make_reference.reference(), end='')"
    made = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT / "scripts",
        encoding="utf-8",
    )
    assert made.stdout == PAGE, "run: python scripts/make_reference.py"


@pytest.mark.parametrize(
    "title", ["Every field of the JSON", "Settings", "Error codes", "Codes of warnings"]
)
def test_every_row_has_a_meaning(title: str) -> None:
    """Every field, setting and code has a description."""
    rows = table(title)
    assert len(rows) > 10
    assert [name for name, cells in rows.items() if not cells[-1]] == []


def test_units_follow_from_the_names() -> None:
    """The unit in a field's name is that in the table."""
    fields = table("Every field of the JSON")
    for ending, unit in (("_px", "px"), ("_mm", "mm"), ("_mm2", "mm²")):
        named = {name: cells[0] for name, cells in fields.items() if name.endswith(ending)}
        assert len(named) >= 1
        assert {one.rstrip("²") for one in named.values()} == {unit.rstrip("²")}


def test_every_setting_code_and_flag_is_there() -> None:
    """The page has all settings, codes and flags, each once."""
    assert list(table("Settings")) == list(Settings.model_fields)
    assert table("Error codes").keys() == set(ErrorCode)
    assert table("Codes of warnings").keys() == set(NoticeCode)
    assert table("Flags of candidates").keys() == set(Flag)


def test_every_command_is_there() -> None:
    """The page has a section for every command, with a row for each of its options."""
    group: Any = typer.main.get_command(app)
    assert group.commands
    for name, command in group.commands.items():
        section = PAGE.partition(f"\n### lesionscan {name}\n")[2].partition("\n#")[0]
        for option in command.params:
            named = option.opts[0] if option.opts[0].startswith("-") else option.metavar
            assert re.search(rf"^\| `{re.escape(named)}[ `]", section, re.MULTILINE), (name, named)
    assert "`--export FORMAT,...`" in PAGE
