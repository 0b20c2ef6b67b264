"""`lesionscan.save` writes the same files as the command line."""

from pathlib import Path

import numpy as np
import pytest

import lesionscan
from lesionscan.batch.job import process
from lesionscan.batch.outcome import Job
from lesionscan.radiograph import Radiograph
from lesionscan.results.atomic import OutputError
from lesionscan.results.paths import ResultPaths
from lesionscan.settings import Settings
from tests.batch.films import tree

FILM = Path(__file__).parents[2] / "sample_images" / "images" / "femur_punched_out.dcm"


def test_the_files_are_those_of_a_scan(tmp_path: Path) -> None:
    """The files have the same bytes as those of a scan, and a later scan keeps them."""
    found = lesionscan.find_candidates(lesionscan.read_radiograph(FILM))
    record = lesionscan.save(found, tmp_path / "mine", film=FILM)
    job = Job(FILM, FILM.name, tmp_path / "scan", Settings(), None, resume=True)
    list(process(job))
    assert tree(tmp_path / "mine") == tree(tmp_path / "scan")
    assert record == ResultPaths.of(tmp_path / "mine", FILM.name).record
    (kept,) = process(Job(FILM, FILM.name, tmp_path / "mine", Settings(), None, resume=True))
    assert kept.resumed


def test_a_film_without_a_file_has_no_hash(tmp_path: Path) -> None:
    """A film from an array is saved without a hash of its file."""
    pixels = np.random.default_rng(1).random((64, 48), np.float32)
    film = Radiograph(pixels=pixels, valid=np.ones(pixels.shape, np.bool_))
    record = lesionscan.save(lesionscan.find_candidates(film), tmp_path, film="mine.png")
    assert '"sha256": null' in record.read_text(encoding="utf-8")


def test_a_file_of_somebody_elses_is_kept(tmp_path: Path) -> None:
    """A file not written by lesionscan is not overwritten, and is named in the error."""
    (tmp_path / f"{FILM.name}.json").write_text("mine")
    found = lesionscan.find_candidates(lesionscan.read_radiograph(FILM))
    with pytest.raises(OutputError, match=r"femur_punched_out\.dcm\.json.*move it away"):
        lesionscan.save(found, tmp_path, film=FILM)
    assert (tmp_path / f"{FILM.name}.json").read_text() == "mine"
