"""The README says what the program does: its tables are compared with the code."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from lesionscan import __version__, cli
from lesionscan.batch import account, job
from lesionscan.batch.pool import Loss
from lesionscan.detection.measure import Flag
from lesionscan.reading import ErrorCode, NoticeCode
from lesionscan.reporting.records import ResultRecord
from lesionscan.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def table(first_column: str) -> list[list[str]]:
    """Return the cells of the README's table whose first column has this title."""
    lines = README[README.index(f"\n| {first_column} |") + 1 :].splitlines()
    rows = []
    for line in lines[2:]:
        if not line.startswith("| "):
            break
        rows.append([cell.strip().strip("`") for cell in line.split("|")[1:-1]])
    return rows


def schema_fields(node: dict[str, Any], schema: dict[str, Any], prefix: str) -> Iterator[str]:
    """Yield the names of all fields of a JSON Schema, as the README writes them."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    for option in node.get("anyOf", []):
        yield from schema_fields(option, schema, prefix)
    for name, value in node.get("properties", {}).items():
        field = f"{prefix}.{name}".removeprefix(".")
        yield field
        yield from schema_fields(value, schema, field)
    if isinstance(node.get("items"), dict):
        yield from schema_fields(node["items"], schema, f"{prefix}[]")


def test_every_json_field_is_documented() -> None:
    """The table of fields has the fields of the JSON Schema, in its order, and no others."""
    schema = ResultRecord.model_json_schema(mode="serialization")
    assert [row[0] for row in table("field")] == list(schema_fields(schema, schema, ""))


def test_every_field_has_a_meaning_and_a_unit_where_its_name_has_one() -> None:
    """No row lacks its meaning, and a unit in a name is the unit of the table."""
    for name, unit, meaning in table("field"):
        assert meaning, name
        for ending, unit_of_name in (("_px", "px"), ("_mm", "mm"), ("_mm2", "mm²")):
            if name.endswith(ending):
                assert unit.rstrip("²") == unit_of_name.rstrip("²"), name


def test_every_setting_is_documented() -> None:
    """The table of settings has the names and defaults of Settings, in its order."""
    defaults = {name: str(field.default) for name, field in Settings.model_fields.items()}
    assert {row[0]: row[1] for row in table("setting")} == defaults
    assert [row[0] for row in table("setting")] == list(defaults)


def test_every_error_code_is_documented() -> None:
    """The table of codes has those of the reader and those of a run, each once."""
    source = "".join(inspect.getsource(module) for module in (job, account))
    of_runs = {*re.findall(r'Notice\(\s*"(\w+)"', source), *get_args(get_type_hints(Loss)["code"])}
    assert {"internal_error", "crashed", "overlay_withheld"} <= of_runs
    codes = sorted({*ErrorCode, *of_runs} - {"overlay_withheld"})  # that is a warning
    assert sorted(row[0] for row in table("code")) == codes


def test_every_exit_status_is_documented() -> None:
    """The table of exit statuses has those that the command line states."""
    stated = re.findall(r"\b(\d+) [a-z]", (cli.__doc__ or "").split("\n\n")[1])
    assert [row[0] for row in table("exit status")] == stated
    assert {"0", "1", "2"} <= set(stated)


@pytest.mark.parametrize("name", [*Flag, *NoticeCode, "not_assessed"])
def test_flags_and_warnings_are_named(name: str) -> None:
    """Every flag and every code of a warning stands in the README."""
    assert f"`{name}`" in README


def test_the_pictures_and_files_it_names_are_there() -> None:
    """Every path of the repository that the README names exists."""
    named = re.findall(r'(?:src="|`)((?:docs|lesionscan|scripts)/[\w./]+|[A-Z]+\.?\w*)[`"]', README)
    assert "docs/overlay.png" in named
    assert [name for name in named if not (ROOT / name).exists() and name != "RESULTS"] == []


def test_the_version_is_the_same_everywhere() -> None:
    """CITATION.cff and CHANGELOG.md speak of the package's version."""
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in citation
    assert f"\n## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_no_page_waits_for_its_figures() -> None:
    """No placeholder is left in README or docs."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert len(pages) > 2
    assert [page.name for page in pages if "@@" in page.read_text(encoding="utf-8")] == []
