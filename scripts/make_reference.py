"""Write docs/reference.md from the code: python scripts/make_reference.py.

It lists commands and options, every field of the JSON, settings, and codes of errors and warnings,
with their descriptions in the code. A test compares the page with the output of this script.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic.fields import FieldInfo

from lesionscan import cli
from lesionscan.codes import ErrorCode, NoticeCode, RefusalCode, State
from lesionscan.detection.measurements import Flag
from lesionscan.detection.signs import RULES
from lesionscan.results.record import ResultRecord
from lesionscan.settings import Settings

TARGET = Path(__file__).resolve().parent.parent / "docs" / "reference.md"

UNITS = (("_mm", "mm"), ("_px", "px"))


def main() -> None:
    """Write the page."""
    TARGET.write_text(reference(), encoding="utf-8")
    print(TARGET)


def reference() -> str:
    """Return the page as Markdown."""
    return "\n".join([*_head(), *_commands(), *_fields(), *_settings(), *_codes()]) + "\n"


def _head() -> Iterator[str]:
    yield "# Reference"
    yield ""
    yield "Made by `scripts/make_reference.py` from the code. Research use only; not a"
    yield "diagnosis."


def _commands() -> Iterator[str]:
    yield from ("", "## Commands")
    group: Any = typer.main.get_command(cli.app)
    for name, command in group.commands.items():
        yield from ("", f"### lesionscan {name}", "", _plain(command.help or ""), "")
        yield from ("| argument or option | default | meaning |", "| --- | --- | --- |")
        for parameter in command.params:
            yield _row(*_parameter(parameter))


def _plain(help_text: str) -> str:
    """Remove the escapes that keep rich from reading brackets as styles."""
    return help_text.replace(r"\[", "[")


def _parameter(parameter: Any) -> tuple[str, str, str]:  # noqa: ANN401 - of click, or of its copy in typer
    if parameter.param_type_name == "argument":
        names = f"`{parameter.metavar or parameter.name.upper()}`"
    else:
        metavar = f" {parameter.metavar}" if parameter.metavar else ""
        names = ", ".join(
            f"`{one}{metavar}`" for one in (*parameter.opts, *parameter.secondary_opts)
        )
    default = parameter.default
    shown = default is not None and not callable(default) and default not in ([], False)
    return names, f"`{default}`" if shown else "", parameter.help or ""


def _fields() -> Iterator[str]:
    yield from ("", "## Every field of the JSON", "")
    yield "Coordinates are (row, column) in the stored picture, origin at the top left, pixel"
    yield "centres at integers, boxes half-open. Every field is always present; unknown values are"
    yield "null. Millimetres are null without spacing. The same input and settings give the same"
    yield "bytes. The JSON Schema is `lesionscan/results/result.schema.json`."
    yield from ("", "| field | unit | meaning |", "| --- | --- | --- |")
    schema = ResultRecord.model_json_schema(mode="serialization")
    yield from _below(schema, schema, "")


def _below(node: dict[str, Any], schema: dict[str, Any], prefix: str) -> Iterator[str]:
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    for option in node.get("anyOf", []):
        yield from _below(option, schema, prefix)
    for name, value in node.get("properties", {}).items():
        field = f"{prefix}.{name}".removeprefix(".")
        meaning = value.get("description") or _described(value, schema)
        yield _row(f"`{field}`", _unit(name, value), meaning)
        yield from _below(value, schema, field)
    if isinstance(node.get("items"), dict):
        yield from _below(node["items"], schema, f"{prefix}[]")


def _described(value: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return the docstring of the record that is the type of a field."""
    places = [value, value.get("items", {}), *value.get("anyOf", [])]
    for place in places:
        if isinstance(place, dict) and "$ref" in place:
            said = schema["$defs"][place["$ref"].rpartition("/")[2]].get("description", "")
            return str(said).split("\n", maxsplit=1)[0]
    return ""


def _unit(name: str, value: dict[str, Any]) -> str:
    if "unit" in value:
        return str(value["unit"])
    for ending, unit in UNITS:
        if name.endswith(ending):
            return unit
    places = [value, *value.get("anyOf", [])]
    if any(one.get("minimum") == 0 and one.get("maximum") == 1 for one in places):
        return "0 to 1"
    return ""


def _settings() -> Iterator[str]:
    yield from ("", "## Settings", "")
    yield "Settings are given in a TOML file with `--settings`, with lines such as"
    yield "`shown_score = 0.6`. Lengths without a unit are fractions of the picture's long side."
    yield from ("", "| setting | default | range | meaning |", "| --- | --- | --- | --- |")
    for name, field in Settings.model_fields.items():
        yield _row(f"`{name}`", f"`{field.default}`", _range(field), field.description or "")


def _range(field: FieldInfo) -> str:
    signs = {"gt": "above", "ge": "from", "lt": "below", "le": "to"}
    return " ".join(
        f"{words} {getattr(rule, sign):g}"
        for rule in field.metadata
        for sign, words in signs.items()
        if getattr(rule, sign, None) is not None
    )


def _codes() -> Iterator[str]:
    for title, codes in (
        ("Error codes", ErrorCode),
        ("Codes of warnings", NoticeCode),
        ("Flags of candidates", Flag),
        ("Codes of pairs that are not compared", RefusalCode),
        ("States of lesions on two films", State),
    ):
        yield from ("", f"## {title}", "", "| code | meaning |", "| --- | --- |")
        for code in codes:
            yield _row(f"`{code}`", code.meaning)
    yield from ("", "## Signs of candidates", "", "| sign | when |", "| --- | --- |")
    for rule in RULES:
        yield _row(f"`{rule.name}`", rule.meaning)


def _row(*cells: str) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    main()
