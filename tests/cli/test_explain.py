"""`lesionscan explain` draws how one film was searched, or says in one line why not."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from tests.cli.command import ROOT, files, lesionscan
from tests.cli.test_inspect import film

SAMPLE = ROOT / "sample_images" / "images" / "femur_punched_out.dcm"


def test_a_film_is_explained(tmp_path: Path) -> None:
    """A picture is written, and the number of candidates and the disclaimer are printed."""
    done = lesionscan("explain", SAMPLE, "--out", tmp_path / "a.png")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("femur_punched_out.dcm: ")
    assert " candidates (" in lines[0]
    assert lines[1:] == [
        f"picture: {tmp_path / 'a.png'}",
        "Research use only; not a diagnosis.",
    ]
    picture = cv2.imdecode(np.fromfile(tmp_path / "a.png", np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert min(picture.shape[:2]) > 700


@pytest.mark.slow
def test_the_settings_decide_what_is_shown(tmp_path: Path) -> None:
    """Another threshold in the settings changes the number of shown candidates."""
    settings = tmp_path / "my.toml"
    settings.write_text("shown_score = 1.0\nworking_long_side_px = 256\n")
    done = lesionscan("explain", SAMPLE, "-o", tmp_path / "p.png", "--settings", settings)
    assert "(0 shown)" in done.stdout


def test_burned_in_text_is_not_drawn(tmp_path: Path) -> None:
    """A film with burned-in text gives one line and no picture, unless it is allowed."""
    path, picture = film(tmp_path, BurnedInAnnotation="YES"), tmp_path / "p.png"
    done = lesionscan("explain", path, "--out", picture)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"lesionscan: {path}: no picture: identifying text may be burned in "
        "(--allow-burned-in makes one)\n"
    )
    assert not picture.exists()
    done = lesionscan("explain", path, "--out", picture, "--allow-burned-in")
    assert (done.returncode, done.stderr) == (0, "")
    assert picture.exists()


@pytest.mark.slow
def test_a_film_without_bone_is_explained_too(tmp_path: Path) -> None:
    """A blank film is reported as not assessed, and still has a picture."""
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((200, 150), 90, np.uint8))
    done = lesionscan("explain", tmp_path / "blank.png", "--out", tmp_path / "p.png")
    assert done.returncode == 0
    assert done.stdout.startswith("blank.png: not assessed: bone mask confidence low\n")
    assert (tmp_path / "p.png").exists()


@pytest.mark.slow
def test_one_of_several_pictures(tmp_path: Path) -> None:
    """A file of several pictures is refused without --frame."""
    path = tmp_path / "a.tif"
    pages = np.random.default_rng(2).integers(0, 255, (3, 60, 50)).astype(np.uint8)
    tifffile.imwrite(path, pages, photometric="minisblack")
    done = lesionscan("explain", path, "--out", tmp_path / "p.png")
    assert done.returncode == 2
    assert "a.tif contains 3 images; choose one with --frame 1 to 3" in done.stderr


@pytest.mark.parametrize(
    ("out", "reason"),
    [
        ("p.jpg", "give a name that ends in .png"),
        ("no/p.png", "the folder does not exist"),
        ("film.png", "is the film itself; give another"),
    ],
)
def test_a_place_that_cannot_be_meant_is_refused(tmp_path: Path, out: str, reason: str) -> None:
    """Only a PNG is written, only to an existing folder, and never over the film."""
    cv2.imwrite(str(tmp_path / "film.png"), np.zeros((60, 50), np.uint8))
    before = files(tmp_path)
    done = lesionscan("explain", tmp_path / "film.png", "--out", tmp_path / out)
    assert done.returncode == 2
    assert done.stderr.startswith("lesionscan: --out ")
    assert reason in done.stderr
    assert files(tmp_path) == before


@pytest.mark.slow
def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """An unreadable film gives one line and status 1; an invalid scorer gives status 2."""
    path = tmp_path / "note.dcm"
    path.write_text("Dear colleague")
    done = lesionscan("explain", path, "--out", tmp_path / "p.png")
    assert done.returncode == 1
    assert done.stderr.startswith(f"lesionscan: {path}: not_an_image: the content is neither")
    done = lesionscan("explain", SAMPLE, "--out", tmp_path / "p.png", "--scorer", path)
    assert done.returncode == 2
    assert "note.dcm is not a zip archive or is damaged" in done.stderr
    assert not (tmp_path / "p.png").exists()
