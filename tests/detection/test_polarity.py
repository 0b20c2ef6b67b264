"""Films with inverted polarity are reported, and others are not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lesionscan import find_candidates, read_radiograph
from lesionscan.detection.polarity import looks_inverted
from lesionscan.radiograph import FloatImage

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = sorted((ROOT / "sample_images" / "images").iterdir())
CHEST = ROOT / ".." / "shared" / "data" / "dicom" / "CR_chest_MONOCHROME1_JPEG.dcm"


def sure(certainty: float) -> FloatImage:
    """Return a bone map of the given certainty, half of it bone."""
    bone = np.full((8, 8), 0.5 - certainty / 2, np.float32)
    bone[:4] = 0.5 + certainty / 2
    return bone


@pytest.mark.parametrize(
    ("as_it_is", "turned", "inverted"),
    [(0.5, 0.9, True), (0.5, 0.55, False), (0.9, 1.0, False), (0.5, 0.3, False)],
)
def test_the_surer_way_is_the_right_one(as_it_is: float, turned: float, *, inverted: bool) -> None:
    """A film looks inverted if the network is uncertain, and much more certain of its negative."""
    image = np.zeros((8, 8), np.float32)

    def look(given: FloatImage) -> FloatImage:
        assert (given == 1.0).all()
        return sure(turned)

    assert looks_inverted(sure(as_it_is), image, look) is inverted


def test_a_sure_network_is_not_asked_again() -> None:
    """If the network is certain, as for most films, the negative is not tried."""

    def look(_given: FloatImage) -> FloatImage:
        raise AssertionError

    assert not looks_inverted(sure(0.95), np.zeros((8, 8), np.float32), look)


@pytest.mark.slow
@pytest.mark.parametrize("path", SAMPLES[::3], ids=lambda path: path.name)
def test_sample_films_are_told_apart_from_their_negatives(path: Path) -> None:
    """Only the negative of a sample film has the warning."""
    film = read_radiograph(path)
    negative = replace(film, pixels=film.pixels.max() + film.pixels.min() - film.pixels)
    codes = [[one.code for one in find_candidates(each).notices] for each in (film, negative)]
    assert "polarity_doubtful" not in codes[0]
    assert "polarity_doubtful" in codes[1]


@pytest.mark.skipif(not CHEST.is_file(), reason="needs the shared films")
def test_a_real_file_whose_tag_is_wrong_is_noticed() -> None:
    """A file that says MONOCHROME1, but whose stored values have bright bone, has the warning."""
    film = read_radiograph(CHEST)
    assert film.polarity == "stated"
    codes = [one.code for one in find_candidates(film).notices]
    assert "polarity_doubtful" in codes
