"""A truth folder is read as documented, and errors in it are reported."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lesionscan.evaluation.truth import TruthError, load_truth, read_mask
from tests.evaluation.made import MadeFilm, write_truth


def make_folder(folder: Path, index: object) -> Path:
    """Write an index and two empty films."""
    (folder / "images").mkdir()
    for name in ("a.png", "b.dcm"):
        (folder / "images" / name).write_bytes(b"")
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def entry(name: str = "a", **facts: object) -> dict[str, object]:
    """Return an entry of the index."""
    return {"name": name, "lesions": 0, **facts}


def test_films_are_listed_in_the_index_order(tmp_path: Path) -> None:
    """Films are listed in the order of the index, each with the paths of its film and masks."""
    films = load_truth(make_folder(tmp_path, [entry("b", lesions=2, set="phantom"), entry("a")]))
    assert [film.image.name for film in films] == ["b.dcm", "a.png"]
    assert films[0].mask == tmp_path / "masks" / "b.lesions.png"
    assert films[0].bone == tmp_path / "masks" / "b.bone.png"
    assert (films[0].lesions, films[0].set_name) == (2, "phantom")
    assert films[1].set_name == "all"


@pytest.mark.parametrize("ending", ["dcm", "png", "jpg", "jpeg", "tif", "tiff", "PNG"])
def test_every_kind_of_picture_is_found(tmp_path: Path, ending: str) -> None:
    """All supported suffixes are found, in lower or upper case."""
    make_folder(tmp_path, [entry("k.v2")])
    (tmp_path / "images" / f"k.v2.{ending}").write_bytes(b"")
    assert load_truth(tmp_path)[0].image.name == f"k.v2.{ending}"


@pytest.mark.parametrize("index", [{"name": "a"}, 7, "a"])
def test_an_index_of_another_form_is_refused(tmp_path: Path, index: object) -> None:
    """An index that is not a list is refused."""
    with pytest.raises(TruthError, match=r"index\.json is not a list of entries; write one"):
        load_truth(make_folder(tmp_path, index))


def test_an_empty_index_is_refused(tmp_path: Path) -> None:
    """An empty index is refused."""
    with pytest.raises(TruthError, match=r"index\.json names no film"):
        load_truth(make_folder(tmp_path, []))


def test_a_missing_index_is_told(tmp_path: Path) -> None:
    """A folder without an index is refused."""
    with pytest.raises(TruthError, match=r"index\.json cannot be read \(No such file"):
        load_truth(tmp_path)


def test_an_index_that_is_no_json_is_told(tmp_path: Path) -> None:
    """An index that is not valid JSON is refused."""
    (tmp_path / "index.json").write_text('[{"name": "a"', encoding="utf-8")
    with pytest.raises(TruthError, match=r"index\.json is not valid JSON"):
        load_truth(tmp_path)


@pytest.mark.parametrize("bad", [1, {"file": "a"}, {"name": ""}, {"name": 7}])
def test_an_entry_without_name_is_told(tmp_path: Path, bad: object) -> None:
    """An entry without a name is refused, with its position."""
    with pytest.raises(TruthError, match=r"index\.json: entry 2 has no name"):
        load_truth(make_folder(tmp_path, [entry(), bad]))


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc/x", "..", "a\\b", "a\0"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """A name must be a plain file name, so that nothing outside of the folder is read."""
    with pytest.raises(TruthError, match="is not a plain file name"):
        load_truth(make_folder(tmp_path, [entry(name)]))


def test_a_name_given_twice_is_refused(tmp_path: Path) -> None:
    """A duplicate name is refused."""
    with pytest.raises(TruthError, match=r"index\.json names 'a' twice"):
        load_truth(make_folder(tmp_path, [entry(), entry()]))


@pytest.mark.parametrize("lesions", [None, "2", 1.0, -1, True])
def test_lesions_must_be_a_whole_number(tmp_path: Path, lesions: object) -> None:
    """The number of lesions is required and must be an integer of 0 or more."""
    with pytest.raises(TruthError, match="lesions of 'a' must be a whole number, 0 or more, got"):
        load_truth(make_folder(tmp_path, [entry(lesions=lesions)]))
    with pytest.raises(TruthError, match="got None"):
        load_truth(write_index(tmp_path, [{"name": "a"}]))


def write_index(folder: Path, index: list[Any]) -> Path:
    """Replace the index."""
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


@pytest.mark.parametrize("facts", [{}, [1], [{}], [{"label": "1"}]])
def test_lesion_facts_of_another_form_are_refused(tmp_path: Path, facts: object) -> None:
    """Lesion facts must be a list of entries with integer labels."""
    with pytest.raises(TruthError, match="lesion_facts of 'a' must be a list of"):
        load_truth(make_folder(tmp_path, [entry(lesion_facts=facts)]))


def test_a_missing_film_is_told(tmp_path: Path) -> None:
    """A name in the index without a file is refused."""
    with pytest.raises(TruthError, match=r"c has none of the endings \.dcm, \.png"):
        load_truth(make_folder(tmp_path, [entry("c")]))
    with pytest.raises(TruthError, match="c has none of the endings"):
        load_truth(write_index(write_truth(tmp_path / "t", []), [entry("c")]))


def test_a_film_that_is_there_twice_is_told(tmp_path: Path) -> None:
    """Two pictures with the same name and different suffixes are refused."""
    make_folder(tmp_path, [entry("a")])
    (tmp_path / "images" / "a.dcm").write_bytes(b"")
    with pytest.raises(TruthError, match=r"a exists twice \(a\.dcm, a\.png\)"):
        load_truth(tmp_path)


@pytest.mark.parametrize(
    ("facts", "group"),
    [
        ({"patient": 3, "case": 4, "source": "b"}, "patient 3"),
        ({"case": 4, "source": "b", "set": "niu"}, "case 4 of niu"),
        ({"source": "elsewhere"}, "film elsewhere"),
        ({"source": "b"}, "patient 9"),
        ({"source": "a"}, "film a"),
        ({}, "film a"),
    ],
)
def test_groups_are_patients_cases_sources_or_films(
    tmp_path: Path, facts: dict[str, object], group: str
) -> None:
    """A film's group is its patient, case, source's group or itself, in this order."""
    films = load_truth(make_folder(tmp_path, [entry("a", **facts), entry("b", patient=9)]))
    assert [film.group for film in films] == [group, "patient 9"]


def test_a_copy_and_its_original_are_one_group(tmp_path: Path) -> None:
    """A copy that names its source is in the group of the original."""
    films = load_truth(make_folder(tmp_path, [entry("a"), entry("b", source="a")]))
    assert films[0].group == films[1].group


def test_masks_of_1_8_and_16_bit_are_read(tmp_path: Path) -> None:
    """Masks of 1, 8 and 16 bits keep their lesion numbers."""
    for kind in (np.uint8, np.uint16):
        Image.fromarray(np.array([[0, 1], [2, 250]], kind)).save(tmp_path / "m.png")
        assert read_mask(tmp_path / "m.png").tolist() == [[0, 1], [2, 250]]
    Image.fromarray(np.array([[False, True]])).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png").tolist() == [[0, 1]]


def test_a_mask_that_is_no_grey_picture_is_refused(tmp_path: Path) -> None:
    """Masks in colour, with fractions, missing or of another format are refused."""
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / "colour.png")
    with pytest.raises(TruthError, match=r"colour\.png is a colour picture"):
        read_mask(tmp_path / "colour.png")
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(TruthError, match=r"float\.tif holds fractions, not whole numbers"):
        read_mask(tmp_path / "float.tif")
    (tmp_path / "text.png").write_text("x")
    with pytest.raises(TruthError, match=r"text\.png cannot be read as a picture"):
        read_mask(tmp_path / "text.png")
    with pytest.raises(TruthError, match=r"none\.png is not there"):
        read_mask(tmp_path / "none.png")


LESION = MadeFilm("k", lesions=((2, 2, 6, 6), (20, 20, 22, 22)))


def test_lesions_are_read_where_there_are_any(tmp_path: Path) -> None:
    """A film with lesions has a label image; one without lesions needs none."""
    films = load_truth(write_truth(tmp_path, [LESION, MadeFilm("n")]))
    mask = films[0].read_lesions((60, 100))
    assert mask is not None
    assert (np.unique(mask).tolist(), mask.shape) == ([0, 1, 2], (60, 100))
    assert films[0].read_lesions(None) is not None
    assert films[1].read_lesions((60, 100)) is None


def test_a_missing_mask_is_told(tmp_path: Path) -> None:
    """A film with lesions whose mask is missing is refused."""
    film = load_truth(write_truth(tmp_path, [LESION]))[0]
    film.mask.unlink()
    with pytest.raises(TruthError, match=r"k\.lesions\.png is not there"):
        film.read_lesions((60, 100))


def test_a_mask_of_another_size_is_told(tmp_path: Path) -> None:
    """A mask of the wrong size is refused."""
    film = load_truth(write_truth(tmp_path, [LESION]))[0]
    with pytest.raises(TruthError, match=r"k\.lesions\.png has 60 x 100 pixels and its film 100 x"):
        film.read_lesions((100, 60))


@pytest.mark.parametrize("stated", [0, 1, 3])
def test_a_mask_with_another_number_of_lesions_is_told(tmp_path: Path, stated: int) -> None:
    """The numbers of lesions in index and mask must be equal, even if the index says 0."""
    write_truth(tmp_path, [LESION])
    film = load_truth(write_index(tmp_path, [entry("k", lesions=stated)]))[0]
    with pytest.raises(TruthError, match=rf"shows 2 and index\.json says {stated} lesions"):
        film.read_lesions((60, 100))


def test_bone_is_read_where_it_is_known(tmp_path: Path) -> None:
    """Nonzero pixels are bone, a missing file gives None, and a wrong size is refused."""
    films = load_truth(
        write_truth(tmp_path, [MadeFilm("k", truth_bone=(0, 0, 60, 5)), MadeFilm("n")])
    )
    bone = films[0].read_bone((60, 100))
    assert bone is not None
    assert bone.sum() == 300
    assert films[1].read_bone((60, 100)) is None
    with pytest.raises(TruthError, match=r"k\.bone\.png has 60 x 100 pixels and its film 9 x 9"):
        films[0].read_bone((9, 9))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"contrast_to_noise": "abc"}, "contrast_to_noise of 'a' must be a number or null"),
        ({"lesion_to_bone_width": [1]}, "lesion_to_bone_width of 'a' must be a number or null"),
        ({"contrast_to_noise": float("nan")}, "contrast_to_noise of 'a' must be a number or null"),
    ],
)
def test_a_fact_that_is_no_number_is_told(
    tmp_path: Path, facts: dict[str, object], words: str
) -> None:
    """A lesion fact that is not a number is refused, so that no lesion enters a wrong stratum."""
    index = [entry(lesions=1, lesion_facts=[{"label": 1, **facts}])]
    with pytest.raises(TruthError, match=words):
        load_truth(make_folder(tmp_path, index))


@pytest.mark.parametrize("key", ["set", "patient", "source", "body_part"])
@pytest.mark.parametrize("value", ["", ["a"], {"a": 1}, 0.5])
def test_a_group_has_a_plain_name(tmp_path: Path, key: str, value: object) -> None:
    """Values by which films are grouped must be words or integers."""
    with pytest.raises(TruthError, match=f"{key} of 'a' must be a word or a number"):
        load_truth(make_folder(tmp_path, [entry("a", **{key: value})]))


def test_a_film_s_results_may_have_another_name(tmp_path: Path) -> None:
    """Results are named after the film's own file, then after the name in the index."""
    index = [entry("a", result="x/a.dcm"), entry("b", result="b.dcm")]
    names = [film.result_names for film in load_truth(make_folder(tmp_path, index))]
    assert names == [("a.png", "x/a.dcm"), ("b.dcm",)]


@pytest.mark.parametrize("result", ["", "../a.png", "/a.png", "x//a.png", "x/./a.png", 7, None])
def test_a_result_that_leads_elsewhere_is_refused(tmp_path: Path, result: object) -> None:
    """A result's name in the index must be a path inside the results folder."""
    with pytest.raises(TruthError, match="result of 'a' must be a path inside the results folder"):
        load_truth(make_folder(tmp_path, [entry("a", result=result)]))


@pytest.mark.parametrize("labels", [[1, 77], [1, 1]])
def test_facts_about_other_lesions_are_refused(tmp_path: Path, labels: list[int]) -> None:
    """Each label of the facts must occur in the mask, and only once in the facts."""
    facts = {"lesion_facts": [{"label": label} for label in labels]}
    boxes = ((5, 5, 10, 10), (20, 20, 30, 30))
    (film,) = load_truth(write_truth(tmp_path, [MadeFilm("a", boxes, facts=facts)]))
    with pytest.raises(TruthError, match=r"a\.lesions\.png does not have every label"):
        film.read_lesions(None)
