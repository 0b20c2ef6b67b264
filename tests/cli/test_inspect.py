"""`lesionscan inspect` describes one file on one screen, without identifying the patient."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile

from tests.cli.command import files, lesionscan
from tests.reading.dicom_maker import dataset, save


def film(tmp_path: Path, **tags: Any) -> Path:  # noqa: ANN401
    """Write a film with a bright bone in a dark field."""
    stored = np.full((120, 90), 300)
    stored[:, 30:60] = 3000
    stored += np.random.default_rng(1).integers(0, 40, stored.shape)
    return save(dataset(stored, bits_stored=12, **tags), tmp_path / "knee of Mr X.dcm")


def test_a_file_on_one_screen(tmp_path: Path) -> None:
    """The header, each decision with its reason, and a picture of three panels are shown."""
    path = film(
        tmp_path, WindowCenter=[2000, 5], WindowWidth=[1000, 6], ImagerPixelSpacing=[0.2, 0.1],
        BodyPartExamined="KNEE", PixelPaddingValue=3000,
    )  # fmt: skip
    done = lesionscan("inspect", path, "--picture", tmp_path / "p.png")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "knee of Mr X.dcm"
    told = {line[2:].split("  ")[0]: line.split("  ")[-1].strip() for line in lines[1:12]}
    assert told["picture"] == "120 rows, 90 columns, 12 bits stored"
    assert told["packed as"] == "Explicit VR Little Endian"
    assert told["polarity"] == "MONOCHROME2: bone made bright as the file states"
    assert told["grey values"].startswith("300 to 3039 after the modality transform")
    assert told["shown by viewers"] == "window 2000 / 1000, LINEAR, the first of 2"
    assert told["pixel spacing"].startswith("0.2 x 0.1 mm (rows x columns) from ImagerPixelSpacing")
    assert told["image data"].startswith("99.")
    assert "% of the picture; markers and metal cover" in told["exposed field"]
    assert told["body part examined"] == "KNEE"
    assert len(lines) < 25
    assert lines[-1] == "Research use only; not a diagnosis."
    picture = cv2.imdecode(np.fromfile(tmp_path / "p.png", np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    # three panels (as displayed, as searched, area searched), each with square pixels, so half the
    # columns, a title and a frame
    assert picture.shape[1] == 3 * (45 + 2)
    assert 120 < picture.shape[0] < 150


@pytest.mark.slow
def test_every_step_of_polarity_is_printed(tmp_path: Path) -> None:
    """Each step of the polarity decision is printed, from the modality transform on."""
    path = film(
        tmp_path, RescaleSlope="-1", RescaleIntercept="4095", PresentationLUTShape="IDENTITY"
    )
    done = lesionscan("inspect", path)
    assert (
        "RescaleSlope falls, so that low values become high; MONOCHROME2: not turned; "
        "PresentationLUTShape agrees; so bone is high after the modality transform\n"
    ) in done.stdout
    assert "! polarity_turned " in done.stdout


@pytest.mark.slow
def test_pixels_that_are_not_square_are_reported(tmp_path: Path) -> None:
    """The aspect ratio of non-square pixels is printed, and used with a spacing of one number."""
    path = film(tmp_path, PixelAspectRatio=["2", "1"])
    done = lesionscan("inspect", path)
    assert "(set it with --spacing MM); pixels are 2 times as tall as wide\n" in done.stdout
    for said, size in (("0.2", "0.4 x 0.2"), ("0.2,0.2", "0.2 x 0.2")):
        done = lesionscan("inspect", path, "--spacing", said)
        assert f"{size} mm (rows x columns) from user" in done.stdout


@pytest.mark.slow
def test_the_command_line_overrides_a_settings_file(tmp_path: Path) -> None:
    """Polarity and spacing of the command line override those of a settings file."""
    settings = tmp_path / "my.toml"
    settings.write_text("polarity = 'bone-bright'\nspacing_mm = [0.5, 0.5]\n")
    path = film(tmp_path)
    done = lesionscan("inspect", path, "--settings", settings, "--polarity", "bone-dark")
    assert "bone made bright as set with --polarity" in done.stdout
    assert "0.5 x 0.5 mm (rows x columns) from user" in done.stdout
    done = lesionscan("inspect", path, "--settings", settings, "--spacing", "0.25,0.2")
    assert "0.25 x 0.2 mm (rows x columns) from user" in done.stdout


@pytest.mark.parametrize("spacing", ["0", "-1", "nan", "x", "0.1,", "0.1,0.2,0.3", "11", "0.001"])
def test_nonsense_spacing_is_refused(tmp_path: Path, spacing: str) -> None:
    """An invalid spacing is refused in one line that describes valid values."""
    done = lesionscan("inspect", film(tmp_path), f"--spacing={spacing}")
    assert done.returncode == 2
    assert done.stderr == (
        f"lesionscan: --spacing {spacing}: give mm from 0.005 to 10, as 0.143, or 0.143,0.150 for "
        "rows and columns\n"
    )


@pytest.mark.slow
def test_one_of_several_pictures(tmp_path: Path) -> None:
    """A file of several pictures needs --frame with a valid number."""
    path = tmp_path / "a.tif"
    pages = np.random.default_rng(2).integers(0, 255, (3, 60, 50)).astype(np.uint8)
    tifffile.imwrite(path, pages, photometric="minisblack")
    done = lesionscan("inspect", path)
    assert done.returncode == 2
    assert "a.tif contains 3 images; choose one with --frame 1 to 3" in done.stderr
    done = lesionscan("inspect", path, "--frame", 2)
    assert "picture 2 of 3" in done.stdout
    assert "ASSUMED to be bright" in done.stdout
    done = lesionscan("inspect", path, "--frame", 4)
    assert done.returncode == 2
    assert done.stderr == f"lesionscan: --frame 4: {path} contains 3 images\n"
    done = lesionscan("inspect", film(tmp_path), "--frame", 2)
    assert done.stderr.endswith("contains one image\n")


def test_no_folder_is_made_for_the_picture(tmp_path: Path) -> None:
    """A picture in a folder that does not exist is refused."""
    done = lesionscan("inspect", film(tmp_path), "--picture", tmp_path / "no" / "p.png")
    assert done.returncode == 2
    assert done.stderr.endswith("p.png: the folder does not exist\n")
    assert not (tmp_path / "no").exists()


def test_no_film_is_written_over(tmp_path: Path) -> None:
    """The picture must be a PNG, and must not replace the film."""
    path, png = film(tmp_path), tmp_path / "film.png"
    cv2.imwrite(str(png), np.random.default_rng(3).integers(0, 255, (60, 50)).astype(np.uint8))
    before = files(tmp_path)
    done = lesionscan("inspect", path, "--picture", path)
    assert done.returncode == 2
    assert "give a name that ends in .png" in done.stderr
    done = lesionscan("inspect", png, "--picture", tmp_path / "." / "film.png")
    assert done.returncode == 2
    assert "is the film itself; give another" in done.stderr
    assert files(tmp_path) == before


@pytest.mark.slow
def test_burned_in_text_is_not_drawn(tmp_path: Path) -> None:
    """A film with burned-in text gets no picture, unless it is allowed."""
    path, picture = film(tmp_path, BurnedInAnnotation="YES"), tmp_path / "p.png"
    done = lesionscan("inspect", path, "--picture", picture)
    assert done.returncode == 0
    assert "no picture: identifying text may be burned in" in done.stderr
    assert not picture.exists()
    assert lesionscan("inspect", path).stderr == ""
    lesionscan("inspect", path, "--picture", picture, "--allow-burned-in")
    assert picture.exists()


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(160, 50), (100, 40), (40, 300)])
def test_narrow_films_have_a_picture_too(tmp_path: Path, shape: tuple[int, int]) -> None:
    """The panels of narrow films have equal widths, and their titles are not cut off."""
    stored = np.random.default_rng(4).integers(0, 4000, shape)
    windowed = dataset(stored, bits_stored=12, WindowCenter=2000, WindowWidth=1000)
    path = save(windowed, tmp_path / "a.dcm")
    done = lesionscan("inspect", path, "--picture", tmp_path / "p.png")
    assert (done.returncode, done.stderr) == (0, "")
    picture = cv2.imdecode(np.fromfile(tmp_path / "p.png", np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert picture.shape[1] == 3 * (shape[1] + 2)
    titles = picture[: -shape[0] - 1].astype(int)
    for panel in np.split(titles, 3, axis=1):
        ends = np.flatnonzero(np.abs(panel - titles[0, 0]).max(axis=(0, 2)) > 30)
        assert 0 < ends[0] < ends[-1] < shape[1]


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """An unreadable file gives one line with file, code, cause and remedy, and status 1."""
    path = tmp_path / "note.dcm"
    path.write_text("Dear colleague")
    done = lesionscan("inspect", path)
    assert done.returncode == 1
    assert done.stderr == (
        f"lesionscan: {path}: not_an_image: the content is neither DICOM, PNG, JPEG nor TIFF; "
        "export the image again\n"
    )
