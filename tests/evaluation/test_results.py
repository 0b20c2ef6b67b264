"""Results are read as documented, and results of other films are refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lesionscan.evaluation.results import FilmResult, ResultsError, find_results, read_result
from lesionscan.evaluation.truth import TruthError, TruthFilm, load_truth
from tests.evaluation.made import MadeFilm, make

FILM = MadeFilm(
    "k",
    lesions=((2, 2, 6, 6),),
    candidates=((0.8, (2, 2, 6, 8)), (0.1, (30, 30, 40, 40))),
    tool_bone=(0, 0, 60, 20),
)


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, TruthFilm]:
    """Return a results folder with one result, and its film."""
    results, truth = make(tmp_path, [FILM])
    return results, load_truth(truth)[0]


def change(results: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edit the film's JSON."""
    path = results / "k.png.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    edit(record)
    path.write_text(json.dumps(record), encoding="utf-8")


def test_a_result_is_read(made: tuple[Path, TruthFilm]) -> None:
    """Status, size, tool and candidates are those of the JSON."""
    result = read_result(*made)
    assert (result.status, result.shape, result.assessed) == ("ok", (60, 100), True)
    assert result.tool is not None
    assert (result.tool.name, result.tool.version) == ("made", "1")
    first = result.candidates[0]
    assert (first.id, first.score, first.shown) == (1, 0.8, True)
    assert (first.centroid_px, first.area_px) == ((3.5, 4.5), 24.0)


def test_the_pictures_are_read(made: tuple[Path, TruthFilm]) -> None:
    """The label image has the candidates' ids, and the bone mask is boolean."""
    result = read_result(*made)
    bone = result.read_bone()
    assert np.unique(result.read_labels()).tolist() == [0, 1, 2]
    assert bone is not None
    assert bone.sum() == 60 * 20


def test_a_bone_mask_of_one_bit_is_read(made: tuple[Path, TruthFilm]) -> None:
    """A bone mask with 1 bit per pixel is read."""
    mask = np.zeros((60, 100), bool)
    mask[:, :3] = True
    Image.fromarray(mask).save(made[0] / "k.png.bone.png")
    bone = read_result(*made).read_bone()
    assert bone is not None
    assert bone.sum() == 180


def test_no_bone_mask_is_none(made: tuple[Path, TruthFilm]) -> None:
    """A missing bone mask is None, since other programs need not write one."""
    (made[0] / "k.png.bone.png").unlink()
    assert read_result(*made).read_bone() is None


def test_a_missing_result_is_a_result_of_its_own(made: tuple[Path, TruthFilm]) -> None:
    """A film that was not scanned has the status "missing" and no candidates."""
    (made[0] / "k.png.json").unlink()
    result = read_result(*made)
    assert (result.status, result.candidates, result.read_bone()) == ("missing", (), None)


def test_a_failed_result_says_why(tmp_path: Path) -> None:
    """A failed result keeps the program's error code, and has no size."""
    results, truth = make(tmp_path, [MadeFilm("k", status="failed")])
    film = load_truth(truth)[0]
    result = read_result(results, film)
    assert (result.status, result.error_code, result.shape) == ("failed", "truncated", None)
    change(results, lambda record: record["input"].update(sha256=None))
    assert read_result(results, film).status == "failed"
    change(results, lambda record: record.update(error=None))
    assert read_result(results, film).error_code is None


def test_a_film_can_be_not_assessed(tmp_path: Path) -> None:
    """A film is assessed unless its result says that it is not."""
    results, truth = make(tmp_path, [MadeFilm("k", assessed=False)])
    film = load_truth(truth)[0]
    assert read_result(results, film).assessed is False
    change(results, lambda record: record.pop("bone"))
    assert read_result(results, film).assessed is True


def test_results_are_found_in_the_folder_or_in_images(tmp_path: Path) -> None:
    """Results are found in the folder or, after a scan of the truth folder, in `images`."""
    results, truth = make(tmp_path, [FILM])
    films = load_truth(truth)
    assert find_results(results, films) == results
    deeper = tmp_path / "whole"
    deeper.mkdir()
    results.rename(deeper / "images")
    assert find_results(deeper, films) == deeper / "images"


def test_results_are_found_by_the_name_in_the_index(tmp_path: Path) -> None:
    """Results are found by the film's file name, else by the name in the index."""
    results, truth = make(
        tmp_path, [MadeFilm("k", facts={"result": "a/knee.png"}, candidates=FILM.candidates)]
    )
    film = load_truth(truth)[0]
    (results / "a").mkdir()
    for kind in ("json", "labels.png"):
        (results / f"k.png.{kind}").rename(results / "a" / f"knee.png.{kind}")
    assert find_results(results, [film]) == results
    found = read_result(results, film)
    assert found.record == results / "a" / "knee.png.json"
    assert np.unique(found.read_labels()).tolist() == [0, 1, 2]
    (results / "k.png.json").write_bytes((results / "a" / "knee.png.json").read_bytes())
    assert read_result(results, film).record == results / "k.png.json"
    for path in (results / "k.png.json", results / "a" / "knee.png.json"):
        path.unlink()
    assert read_result(results, film).status == "missing"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A results folder that does not exist is an error."""
    with pytest.raises(
        ResultsError, match=r"results folder .*none does not exist; give scan's --out"
    ):
        find_results(tmp_path / "none", [])


def test_the_scorer_is_named_where_the_result_names_one(made: tuple[Path, TruthFilm]) -> None:
    """The scorer's hash is optional: other programs and versions before 1.1 have none."""
    tool = read_result(*made).tool
    assert tool is not None
    assert tool.scorer_sha256 is None
    change(made[0], lambda record: record["tool"].update(scorer_sha256="c" * 64))
    tool = read_result(*made).tool
    assert tool is not None
    assert tool.scorer_sha256 == "c" * 64


def test_a_folder_without_results_is_told(made: tuple[Path, TruthFilm]) -> None:
    """A folder without a result of any film is an error that gives an expected name."""
    (made[0] / "k.png.json").rename(made[0] / "other.png.json")
    with pytest.raises(ResultsError, match=r"has no result of any film.*such as k\.png\.json"):
        find_results(made[0], [made[1]])


def test_results_of_another_folder_are_refused(made: tuple[Path, TruthFilm]) -> None:
    """A result whose hash is not that of the film is refused."""
    change(made[0], lambda record: record["input"].update(sha256="0" * 64))
    with pytest.raises(ResultsError, match=r"k\.png\.json is the result of another file than"):
        read_result(*made)


def test_an_ok_result_without_hash_is_refused(made: tuple[Path, TruthFilm]) -> None:
    """A successful result without a hash is refused."""
    change(made[0], lambda record: record["input"].update(sha256=None))
    with pytest.raises(ResultsError, match=r"k\.png\.json is the result of another file than"):
        read_result(*made)


def test_a_film_that_cannot_be_read_is_told(made: tuple[Path, TruthFilm]) -> None:
    """A film that cannot be read for hashing is an error."""
    made[1].image.unlink()
    with pytest.raises(TruthError, match=r"k\.png cannot be read \(No such file"):
        read_result(*made)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "{}", '{"schema_version": "1.0"'])
def test_a_damaged_result_is_refused(made: tuple[Path, TruthFilm], text: str) -> None:
    """A truncated JSON, or one of another kind, is refused."""
    (made[0] / "k.png.json").write_text(text, encoding="utf-8")
    with pytest.raises(ResultsError, match=r"k\.png\.json is damaged or not the result of a scan"):
        read_result(*made)


def test_a_result_that_is_a_folder_is_told(made: tuple[Path, TruthFilm]) -> None:
    """A result that cannot be opened is an error, not a missing result."""
    (made[0] / "k.png.json").unlink()
    (made[0] / "k.png.json").mkdir()
    with pytest.raises(ResultsError, match=r"k\.png\.json cannot be read"):
        read_result(*made)


def test_another_schema_is_refused(made: tuple[Path, TruthFilm]) -> None:
    """Another major version of the schema is refused; a newer minor version is read."""
    change(made[0], lambda record: record.update(schema_version="1.7"))
    assert read_result(*made).status == "ok"
    change(made[0], lambda record: record.update(schema_version="2.0"))
    with pytest.raises(
        ResultsError, match=r"has schema_version '2\.0' and this program reads 1\.x"
    ):
        read_result(*made)


def put(entry: str, value: object) -> Callable[[dict[str, Any]], object]:
    """Return a function that sets an entry of the first candidate."""
    return lambda record: record["candidates"][0].update({entry: value})


@pytest.mark.parametrize(
    ("edit", "cause"),
    [
        (lambda record: record.pop("tool"), "no 'tool'"),
        (lambda record: record.pop("input"), "no 'input'"),
        (lambda record: record.pop("candidates"), "no 'candidates'"),
        (lambda record: record["image"].pop("rows"), "no 'rows'"),
        (lambda record: record.update(status="half"), "status must be ok or failed, got 'half'"),
        (lambda record: record.update(image=None), "NoneType"),
        (put("id", 2), "two candidates share an id"),
        (put("centroid_px", [1e9, 2.0]), "candidate 1 lies outside the film"),
        (put("score", 0.01), "a hidden candidate has a higher score than a shown one"),
        (put("score", None), "NoneType"),
        (put("score", float("nan")), "candidate 1 has a number that is not finite"),
        (put("centroid_px", [1.0, float("inf")]), "candidate 1 has a number that is not finite"),
        (put("centroid_px", [1.0]), "not enough values"),
    ],
)
def test_a_result_with_a_bad_entry_is_refused(
    made: tuple[Path, TruthFilm], edit: Callable[[dict[str, Any]], object], cause: str
) -> None:
    """A result with an invalid entry is refused, with the file and the cause."""
    change(made[0], edit)
    with pytest.raises(ResultsError, match=rf"k\.png\.json is damaged \(.*{cause}.*\); scan"):
        read_result(*made)


def test_labels_that_are_not_there_are_told(made: tuple[Path, TruthFilm]) -> None:
    """A missing label image is an error."""
    result = read_result(*made)
    (made[0] / "k.png.labels.png").unlink()
    with pytest.raises(ResultsError, match=r"k\.png\.labels\.png is not there, and its candidates"):
        result.read_labels()


@pytest.mark.parametrize("kind", ["labels", "bone"])
def test_pictures_of_another_size_are_refused(made: tuple[Path, TruthFilm], kind: str) -> None:
    """Label images and bone masks of the wrong size are refused."""
    result = read_result(*made)
    read: Callable[[], object] = {"labels": result.read_labels, "bone": result.read_bone}[kind]
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(made[0] / f"k.png.{kind}.png")
    with pytest.raises(
        ResultsError, match=rf"k\.png\.{kind}\.png has 9 x 8 pixels and its film 60"
    ):
        read()


def test_a_bone_mask_that_is_no_picture_is_refused(made: tuple[Path, TruthFilm]) -> None:
    """A damaged bone mask is refused."""
    (made[0] / "k.png.bone.png").write_bytes(b"x")
    with pytest.raises(ResultsError, match=r"k\.png\.bone\.png cannot be read as a picture; scan"):
        read_result(*made).read_bone()


def test_a_result_is_missing_by_default() -> None:
    """Tool, shape and error code of a film result default to None."""
    result = FilmResult(Path("k.png.json"), "missing")
    assert (result.tool, result.shape, result.error_code) == (None, None, None)
