"""Films for a comparison, read from a file or from the results of a scan."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lesionscan.batch.job import process
from lesionscan.batch.outcome import Job
from lesionscan.comparison import RefusedPairError, compare_films, film_of_results
from lesionscan.comparison.film import film_of_file, image_of
from lesionscan.results.paths import ResultPaths
from lesionscan.settings import Settings
from tests.comparison.made import SAMPLES, sample
from tests.reading.dicom_maker import dataset, save

NAME = "knee_giant_cell.dcm"


def scanned(out: Path, **settings: bool) -> Path:
    """Scan the sample film into a folder."""
    (outcome,) = process(Job(SAMPLES / NAME, NAME, out, Settings(**settings), None, resume=False))
    assert outcome.status == "ok"
    return out


def test_results_stand_for_the_film(tmp_path: Path) -> None:
    """Results of a scan give the same film as its file, and are refused if they were altered."""
    film, read = sample(), film_of_results(scanned(tmp_path), NAME)
    assert np.abs(read.picture.astype(float) - film.picture).mean() < 2.0
    np.testing.assert_array_equal(read.bone, film.bone)
    assert np.mean(read.field != film.field) < 0.02
    assert read.record.candidates[0] == film.record.candidates[0]
    np.testing.assert_array_equal(read.labels == 1, film.labels == 1)
    (lesion, *_) = compare_films(film, read).record.lesions
    assert lesion.state == "stable"
    assert lesion.diameter_change_percent == pytest.approx(0.0, abs=0.5)
    # altered after the scan
    paths = ResultPaths.of(tmp_path, NAME)
    paths.labels.write_bytes(paths.bone.read_bytes())
    with pytest.raises(RefusedPairError, match="no complete result in its folder; scan it again"):
        film_of_results(tmp_path, NAME)


def test_a_film_without_a_picture_is_refused(tmp_path: Path) -> None:
    """Results without a picture are refused, and the message names the option for it."""
    with pytest.raises(RefusedPairError, match="no picture in its folder; scan it with --overlay"):
        film_of_results(scanned(tmp_path, overlay=False), NAME)


def test_a_film_that_failed_or_is_not_there_is_refused(tmp_path: Path) -> None:
    """A film that failed or is missing is refused, each with its own message."""
    broken = tmp_path / "broken.dcm"
    broken.write_bytes((SAMPLES / NAME).read_bytes()[:5000])
    tuple(process(Job(broken, "broken.dcm", tmp_path, Settings(), None, resume=False)))
    with pytest.raises(RefusedPairError, match="could not be read when it was scanned"):
        film_of_results(tmp_path, "broken.dcm")
    with pytest.raises(RefusedPairError, match="no complete result"):
        film_of_results(tmp_path, "other.dcm")


def test_a_film_with_burned_in_text_is_refused(tmp_path: Path) -> None:
    """A film with burned-in text is refused, since no picture of it may be made."""
    stored = np.random.default_rng(3).integers(0, 4096, (96, 80))
    ds = dataset(stored, bits_stored=12, BurnedInAnnotation="YES")
    save(ds, tmp_path / "text.dcm")
    with pytest.raises(RefusedPairError, match="--allow-burned-in compares it"):
        film_of_file(tmp_path / "text.dcm")


def test_a_film_that_failed_has_no_picture_to_speak_of() -> None:
    """`image_of` raises ValueError for a film that failed, as this is a programming error."""
    record = sample().record.model_copy(update={"image": None})
    with pytest.raises(ValueError, match="a film that failed cannot be compared"):
        image_of(replace(sample(), record=record))
