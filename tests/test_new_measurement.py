"""To add a measurement, its declaration and its computation are sufficient."""

import csv
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAME = "box_area_px"
UNIT = "px\u00b2"
TEXT = "Number of pixels of the bounding box."
FILM = Path("sample_images/images/femur_punched_out.dcm")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository with one more measurement, declared and computed."""
    folder = tmp_path_factory.mktemp("copy")
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("lesionscan", "scripts", "sample_images", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    changes = {
        "measurements.py": (
            "\n\n\nMEASUREMENTS = ",
            f'\n    {NAME}: Annotated[float, _field("{TEXT}", "{UNIT}", ge=0)]',
        ),
        "measure.py": (
            "        location=placed.location,\n",
            f"        {NAME}=float(mask.size),\n",
        ),
    }
    for name, (before, addition) in changes.items():
        path = folder / "lesionscan" / "detection" / name
        text = path.read_text(encoding="utf-8")
        assert text.count(before) == 1
        path.write_text(text.replace(before, addition + before), encoding="utf-8")
    return folder


def run(copy: Path, *arguments: str) -> str:
    """Run Python in the copy; return its output."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_in_all_that_is_written(copy: Path) -> None:
    """The new measurement is in JSON, CSV, Parquet and the page."""
    exports = ("--export", "parquet") if find_spec("pyarrow") else ()
    run(copy, "-m", "lesionscan.cli", "scan", str(FILM), "--out", "out", *exports)
    out = copy / "out"
    value = json.loads((out / f"{FILM.name}.json").read_bytes())["candidates"][0][NAME]
    assert value > 1
    with (out / "candidates.csv").open(encoding="utf-8") as stream:
        assert float(next(csv.DictReader(stream))[NAME]) == value
    page = (out / "report" / "films" / f"{FILM.name}.page.js").read_text(encoding="utf-8")
    film = json.loads(page[page.index("(") + 1 : page.rindex(")")])
    assert film["candidates"][0]["measures"][NAME] == value
    if exports:
        from pyarrow import parquet

        assert parquet.read_table(out / "candidates.parquet")[NAME][0].as_py() == value


def test_it_is_in_the_schema_and_in_the_reference(copy: Path) -> None:
    """Its unit and description are in the schema and in docs/reference.md."""
    said = json.loads(
        run(copy, "-c", "from lesionscan.results.record import *; print(schema_json().decode())")
    )["$defs"]["CandidateRecord"]["properties"][NAME]
    assert (said["description"], said["unit"]) == (TEXT, UNIT)
    run(copy, "scripts/make_reference.py")
    reference = (copy / "docs" / "reference.md").read_text(encoding="utf-8")
    assert f"| `candidates[].{NAME}` | {UNIT} | {TEXT} |" in reference


def test_it_is_in_the_data_frame(copy: Path) -> None:
    """It is a numeric column of the data frame."""
    pytest.importorskip("pandas", reason="pandas is missing")
    text = (
        f"from lesionscan import *; found = find_candidates(read_radiograph({str(FILM)!r}));"
        f"print(found.to_dataframe()[{NAME!r}].min() > 1)"
    )
    assert run(copy, "-c", text) == "True\n"
