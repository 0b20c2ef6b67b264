"""Candidates and lesions are matched as one would by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lesionscan.evaluation.matching import compare_film, match_candidates
from lesionscan.evaluation.truth import TruthFilm


@pytest.fixture
def lesions() -> NDArray[np.int32]:
    """Return a 100 x 200 mask: lesion 1 at rows and columns 10-19, lesion 5 at columns 30-39."""
    mask = np.zeros((100, 200), np.int32)
    mask[10:20, 10:20] = 1
    mask[10:20, 30:40] = 5
    return mask


def test_each_lesion_is_hit_once(lesions: NDArray[np.int32]) -> None:
    """The best candidate on a lesion hits it; the next one there is a repeat."""
    match = match_candidates([(15, 15), (16, 16), (15, 35), (50, 50)], lesions)
    assert match.hits == ((1, 0), (5, 2))
    assert match.missed == ()
    assert match.repeats == (1,)
    assert match.others == (3,)


@pytest.mark.parametrize(("column", "hit"), [(20.5, True), (20.61, False)])
def test_the_tolerance_is_a_share_of_the_long_side(
    lesions: NDArray[np.int32], column: float, hit: bool
) -> None:
    """0.8 % of 200 px are 1.6 px from the last pixel's centre at column 19."""
    assert bool(match_candidates([(15, column)], lesions).hits) == hit


def test_a_candidate_between_two_lesions_hits_the_nearer_free_one(
    lesions: NDArray[np.int32],
) -> None:
    """With a wide tolerance the nearer lesion comes first, then the one still free."""
    match = match_candidates([(15, 24), (15, 24), (15, 24)], lesions, tolerance=0.04)
    assert match.hits == ((1, 0), (5, 1))
    assert match.repeats == (2,)


def test_without_lesions_every_candidate_is_another() -> None:
    """A film without lesions has no hit and no miss."""
    match = match_candidates([(1, 1)], np.zeros((9, 9), np.int32))
    assert (match.hits, match.missed, match.others) == ((), (), (0,))


def test_without_candidates_every_lesion_is_missed(lesions: NDArray[np.int32]) -> None:
    """Nothing found is an empty tuple, and the lesions are named."""
    assert match_candidates([], lesions).missed == (1, 5)


def make_truth(tmp_path: Path, lesions: NDArray[np.int32]) -> TruthFilm:
    """Write the mask and return the film."""
    mask = tmp_path / "k.lesions.png"
    Image.fromarray(lesions.astype(np.uint16)).save(mask)
    return TruthFilm("k", tmp_path / "images" / "k.dcm", mask, {})


def test_only_shown_candidates_are_compared(tmp_path: Path, lesions: NDArray[np.int32]) -> None:
    """A candidate below the threshold neither finds a lesion nor counts against."""
    candidates = [
        {"shown": True, "centroid_px": [15.0, 15.0]},
        {"shown": True, "centroid_px": [80.0, 80.0]},
        {"shown": False, "centroid_px": [15.0, 35.0]},
        {"shown": False, "centroid_px": [90.0, 90.0]},
    ]
    result = {"status": "ok", "candidates": candidates}
    (tmp_path / "k.dcm.json").write_text(json.dumps(result), encoding="utf-8")
    comparison = compare_film(make_truth(tmp_path, lesions), tmp_path)
    assert (comparison.planted, comparison.found, comparison.others) == (2, 1, 1)
    assert comparison.status == "ok"


def test_a_film_without_result_is_not_done(tmp_path: Path, lesions: NDArray[np.int32]) -> None:
    """A film that a stopped run did not reach finds nothing and says so."""
    comparison = compare_film(make_truth(tmp_path, lesions), tmp_path)
    assert (comparison.status, comparison.planted, comparison.found) == ("not done", 2, 0)
