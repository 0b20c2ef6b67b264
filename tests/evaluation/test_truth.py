"""A truth folder is read as the contract says, and what is wrong with it is told."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionscan.evaluation.truth import TruthError, load_truth, read_mask


def make_folder(folder: Path, index: object) -> Path:
    """Write an index and two empty films."""
    (folder / "images").mkdir()
    for name in ("a.png", "b.dcm"):
        (folder / "images" / name).write_bytes(b"")
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def test_films_are_listed_in_the_index_order(tmp_path: Path) -> None:
    """Each entry leads to its film, PNG or DICOM, and to its mask."""
    films = load_truth(make_folder(tmp_path, [{"name": "b", "lesions": 2}, {"name": "a"}]))
    assert [film.image.name for film in films] == ["b.dcm", "a.png"]
    assert films[0].mask == tmp_path / "masks" / "b.lesions.png"
    assert films[0].facts["lesions"] == 2


@pytest.mark.parametrize("index", [{"name": "a"}, [{"file": "a"}], [1], 7])
def test_an_index_of_another_form_is_refused(tmp_path: Path, index: object) -> None:
    """An index that is not a list of named entries is told with its path."""
    with pytest.raises(TruthError, match=r"index\.json is not a list of entries"):
        load_truth(make_folder(tmp_path, index))


def test_a_missing_index_is_told(tmp_path: Path) -> None:
    """A folder without index is no truth folder."""
    with pytest.raises(TruthError, match=r"index\.json cannot be read"):
        load_truth(tmp_path)


def test_a_missing_film_is_told(tmp_path: Path) -> None:
    """A name in the index without file is told."""
    with pytest.raises(TruthError, match=r"c has neither \.dcm nor \.png"):
        load_truth(make_folder(tmp_path, [{"name": "c"}]))


def test_masks_of_8_and_16_bit_are_read(tmp_path: Path) -> None:
    """Lesion numbers come back as written."""
    for kind in (np.uint8, np.uint16):
        Image.fromarray(np.array([[0, 1], [2, 250]], kind)).save(tmp_path / "m.png")
        assert read_mask(tmp_path / "m.png").tolist() == [[0, 1], [2, 250]]


def test_a_mask_that_is_no_grey_picture_is_refused(tmp_path: Path) -> None:
    """Colour pictures and other files are told with their path."""
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / "colour.png")
    with pytest.raises(TruthError, match=r"colour\.png is a colour picture"):
        read_mask(tmp_path / "colour.png")
    (tmp_path / "text.png").write_text("x")
    with pytest.raises(TruthError, match=r"text\.png cannot be read"):
        read_mask(tmp_path / "text.png")
