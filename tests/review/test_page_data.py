"""The page's data are sent as validated JSON, whatever the scripts in a folder contain."""

import json
from pathlib import Path
from typing import Any

import pytest

from lesionscan.reporting.page.script import call
from lesionscan.review.page_data import (
    MOST_FILM_BYTES,
    MOST_INDEX_BYTES,
    PageDataError,
    film_json,
    index_json,
)
from tests.reporting.made import Film
from tests.reporting.page.test_data import NASTY, SPACED
from tests.reporting.page.written import calls, write_results

FILMS = (
    ("a/knee.dcm", Film()),
    ("b/hip.dcm", SPACED),
    ("__proto__", Film(disks=())),
    (NASTY, SPACED),
)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return a folder with the page's data of some films."""
    write_results(tmp_path / "results", FILMS, failures=2)
    return tmp_path / "results"


@pytest.fixture
def index(results: Path) -> Path:
    """Return the path of the list's script."""
    return results / "report" / "index.js"


@pytest.fixture
def film(results: Path) -> Path:
    """Return the path of a film's script."""
    return results / "report" / "films" / "b" / "hip.dcm.page.js"


def test_the_list_says_what_its_script_says(index: Path) -> None:
    """The JSON of the list has all values of its script."""
    said = calls(index.read_bytes())
    assert json.loads(index_json(index)) == {
        "run": said[0][1],
        "films": [value for function, value in said if function == "film"],
        "failed": [value for function, value in said if function == "failed"],
    }


def test_a_film_says_what_its_script_says(results: Path) -> None:
    """The JSON of a film equals that in its script, byte for byte."""
    scripts = list((results / "report" / "films").rglob("*.page.js"))
    assert len(scripts) == len(FILMS)
    for script in scripts:
        assert b"lesionscan.view(%b);\n" % film_json(script) == script.read_bytes()


@pytest.mark.parametrize(
    "code", [b"alert(1);\n", b"lesionscan.view(alert(1));\n", b"\n", b"\xff\n"]
)
@pytest.mark.parametrize("first", [True, False])
def test_code_is_not_sent(index: Path, film: Path, code: bytes, *, first: bool) -> None:
    """A script with code before or after the data is rejected."""
    for path, read in ((index, index_json), (film, film_json)):
        data = path.read_bytes()
        path.write_bytes(code + data if first else data + code)
        with pytest.raises(PageDataError, match="of this version"):
            read(path)


@pytest.mark.parametrize(
    "end", [b");alert(1);\n", b",alert(1));\n", b");alert(1)\n", b"+alert(1));\n", b")", b""]
)
def test_code_in_a_call_is_not_sent(index: Path, film: Path, end: bytes) -> None:
    """A call whose argument is not pure JSON is rejected."""
    for path, read in ((index, index_json), (film, film_json)):
        path.write_bytes(path.read_bytes().removesuffix(b");\n") + end)
        with pytest.raises(PageDataError, match="of this version"):
            read(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", 1), ("rows", "300"), ("rows", 1.5), ("rows", True), ("picture", "x.jpg"),
        ("spacing_mm", [float("nan"), 1.0]), ("assessed", 1), ("candidates", [{}]),
        ("candidates", {"id": 1}), ("bone", [["1"]]), ("acquisition", {"a": {"b": 1}}),
        ("warnings", [None]), ("bone_confidence", None),
    ],
)  # fmt: skip
def test_values_of_other_types_are_not_sent(film: Path, name: str, value: object) -> None:
    """A film with a value of the wrong type is rejected."""
    ((_, said),) = calls(film.read_bytes())
    film.write_text(f"lesionscan.view({json.dumps({**said, name: value})});\n")
    with pytest.raises(PageDataError, match="scan it again"):
        film_json(film)


def test_what_the_page_does_not_know_is_left_out(film: Path) -> None:
    """Unknown names, as of other versions, are removed."""
    ((_, said),) = calls(film.read_bytes())
    film.write_bytes(call("view", {**said, "more": 1, "__proto__": {"x": 1}}))
    assert json.loads(film_json(film)) == said


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, "../../x"),
        (0, ""),
        (0, "/x"),
        (0, None),
        (1, 1),
        (3, 2.5),
        (11, [1]),
        (12, ["x"]),
        (12, [1e999]),
    ],
)
def test_a_line_of_another_kind_is_not_sent(index: Path, place: int, value: object) -> None:
    """A list with an invalid name, a wrong type or a missing value is rejected."""
    head, first, *_ = calls(index.read_bytes())
    line = list(first[1])
    line[place] = value
    index.write_bytes(call(*head) + f"lesionscan.film({json.dumps(line)});\n".encode())
    with pytest.raises(PageDataError, match="is not a list of films"):
        index_json(index)
    index.write_bytes(call(*head) + call("film", first[1][:-1]))
    with pytest.raises(PageDataError, match="is not a list of films"):
        index_json(index)


def _columns(said: dict[str, Any]) -> dict[str, Any]:
    return {**said, "film_columns": ["constructor", *said["film_columns"][1:]]}


def test_a_list_of_another_version_is_told(index: Path) -> None:
    """A list with other columns, without a head, with two heads or empty is rejected."""
    (_, head), *others = calls(index.read_bytes())
    for lines in ([("run", _columns(head)), *others], others, [], [("run", head), ("run", head)]):
        index.write_bytes(b"".join(call(*line) for line in lines))
        with pytest.raises(PageDataError, match="scan or merge again"):
            index_json(index)


@pytest.mark.parametrize("value", [b"[" * 1_000_000, b"9" * 1_000_000, b'{"name":' * 100_000])
def test_deep_and_long_values_are_refused(index: Path, film: Path, value: bytes) -> None:
    """Very deep and very long values are rejected without a crash."""
    film.write_bytes(b"lesionscan.view(%b);\n" % value)
    index.write_bytes(b"lesionscan.run(%b);\n" % value)
    with pytest.raises(PageDataError):
        film_json(film)
    with pytest.raises(PageDataError):
        index_json(index)


def test_endless_files_are_not_read_to_the_end(tmp_path: Path) -> None:
    """A sparse file of 100 GB is rejected at the size limit."""
    path = tmp_path / "index.js"
    with path.open("wb") as stream:
        stream.truncate(10**11)
    for read, most in ((index_json, MOST_INDEX_BYTES), (film_json, MOST_FILM_BYTES)):
        assert most < 10**9
        with pytest.raises(PageDataError):
            read(path)
