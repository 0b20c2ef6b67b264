"""Folders of random phantoms: reproducibility, ranges, and what is refused."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest

from lesionscan.simulation.phantom import BODY_PARTS
from lesionscan.simulation.phantom_folder import PhantomJob, make_and_write, random_film

FOLDER = Path("made")


def _job(number: int, **changes: object) -> PhantomJob:
    """Return a job for a small phantom."""
    return PhantomJob(FOLDER, 5, number, long_side_px=(200, 260), **changes)  # type: ignore[arg-type]


def test_a_film_follows_from_the_seed_and_its_number() -> None:
    """The same seed and number give the same bytes, and another number gives another film."""
    first, again, other = (random_film(_job(number)) for number in (1, 1, 2))
    assert first.image == again.image
    assert np.array_equal(first.lesions, again.lesions)
    assert first.facts == again.facts
    assert first.image != other.image


@pytest.mark.slow
def test_films_vary_within_what_was_asked_for() -> None:
    """Sizes and lesion counts stay in their ranges; body parts and file formats vary."""
    films = [random_film(_job(number, lesions=(0, 2))) for number in range(1, 25)]
    sizes = [max(film.lesions.shape) for film in films]
    counts = {len(np.unique(film.lesions)) - 1 for film in films}
    assert 200 <= min(sizes) < max(sizes) <= 260
    assert counts <= {0, 1, 2}
    assert len(counts) > 1
    for fact in ("body_part", "photometric_interpretation", "transfer_syntax", "spacing_in_file"):
        assert len({film.facts[fact] for film in films}) > 1


def test_one_body_part_can_be_asked_for() -> None:
    """Only the requested body parts are drawn."""
    films = [random_film(_job(number, body_parts=("hand",))) for number in range(3)]
    assert {film.facts["body_part"] for film in films} == {"HAND"}


def test_a_film_is_written_with_its_truth(tmp_path: Path) -> None:
    """The returned entry names the files that were written."""
    job = PhantomJob(tmp_path, 5, 3, long_side_px=(200, 200))
    entry = make_and_write(job)
    assert entry["name"] == job.name == "phantom_000003"
    image = (tmp_path / str(entry["file"])).read_bytes()
    assert pydicom.dcmread(io.BytesIO(image)).Rows == entry["rows"]
    assert (tmp_path / "masks" / "phantom_000003.lesions.png").is_file()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lesions": (2, 1)}, "lesions must be two rising numbers of 0 or more, got 2 1"),
        ({"lesions": (-1, 1)}, "lesions must be two rising numbers of 0 or more, got -1 1"),
        ({"body_parts": ("leg",)}, f"unknown body part leg; known: {next(iter(BODY_PARTS))}"),
        ({"body_parts": ()}, "unknown body part \\(none\\)"),
    ],
)
def test_what_cannot_be_made_is_refused(changes: dict[str, object], words: str) -> None:
    """Invalid lesion counts and unknown body parts are refused, with what is possible."""
    with pytest.raises(ValueError, match=words):
        _job(1, **changes)


def test_a_negative_seed_is_refused() -> None:
    """A seed below 0 is refused."""
    with pytest.raises(ValueError, match="seed must be 0 or greater, got -1"):
        PhantomJob(FOLDER, -1, 1)
