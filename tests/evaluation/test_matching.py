"""Matching of candidates and lesions is correct in simple cases, and optimal in general."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from lesionscan.evaluation.matching import (
    assign,
    compare_film,
    lesion_pixels,
    match_candidates,
    reach_px,
)
from lesionscan.evaluation.truth import TruthFilm


@pytest.fixture
def lesions() -> NDArray[np.int32]:
    """Return a 100 x 200 mask: lesion 1 at rows and columns 10-19, lesion 5 at columns 30-39."""
    mask = np.zeros((100, 200), np.int32)
    mask[10:20, 10:20] = 1
    mask[10:20, 30:40] = 5
    return mask


def test_each_lesion_is_hit_once(lesions: NDArray[np.int32]) -> None:
    """The first candidate on a lesion is a hit, and the next one there a repeat."""
    match = match_candidates([(15, 15), (16, 16), (15, 35), (50, 50)], lesions)
    assert match.hits == ((1, 0), (5, 2))
    assert match.missed == ()
    assert match.repeats == (1,)
    assert match.others == (3,)


def test_scores_decide_whatever_the_order(lesions: NDArray[np.int32]) -> None:
    """Of two candidates on a lesion, the one with the higher score is the hit, in any order."""
    match = match_candidates([(15, 15), (16, 16)], lesions, scores=[0.2, 0.7])
    assert match.hits == ((1, 1),)
    assert match.repeats == (0,)


def test_of_equal_scores_the_nearer_hits(lesions: NDArray[np.int32]) -> None:
    """Of two candidates with equal scores, the nearer one is the hit."""
    match = match_candidates([(15, 20.4), (15, 19.5)], lesions, scores=[0.5, 0.5])
    assert match.hits == ((1, 1),)
    assert match.repeats == (0,)


@pytest.mark.parametrize(("column", "hit"), [(20.5, True), (20.61, False)])
def test_the_tolerance_is_a_share_of_the_long_side(
    lesions: NDArray[np.int32], column: float, hit: bool
) -> None:
    """The tolerance is 0.8 % of the long side: here 1.6 px from the centre of column 19."""
    assert bool(match_candidates([(15, column)], lesions).hits) == hit


def test_on_the_smallest_film_a_centroid_inside_a_lesion_is_on_it() -> None:
    """A point between four pixels of a lesion is a hit even if 0.8 % is only 0.32 px."""
    mask = np.zeros((40, 40), np.int32)
    mask[10:12, 10:12] = 1
    assert match_candidates([(10.5, 10.5)], mask).hits == ((1, 0),)
    assert reach_px((40, 40)) == pytest.approx(0.5**0.5)


def test_a_candidate_between_two_lesions_hits_the_nearer_free_one(
    lesions: NDArray[np.int32],
) -> None:
    """Candidates between two lesions hit the nearer one first, then the other."""
    match = match_candidates([(15, 24), (15, 24), (15, 24)], lesions, tolerance=0.04)
    assert match.hits == ((1, 0), (5, 1))
    assert match.repeats == (2,)


def test_a_candidate_on_two_lesions_leaves_one_to_the_other_candidate(
    lesions: NDArray[np.int32],
) -> None:
    """A candidate that reaches two lesions is matched so that another one can hit too."""
    match = match_candidates([(15, 24), (15, 15)], lesions, scores=[0.9, 0.1], tolerance=0.04)
    assert match.hits == ((5, 0), (1, 1))
    assert match.repeats == match.others == match.missed == ()


def test_without_lesions_every_candidate_is_another() -> None:
    """On a film without lesions, candidates are neither hits nor repeats."""
    match = match_candidates([(1, 1)], np.zeros((9, 9), np.int32))
    assert (match.hits, match.missed, match.others) == ((), (), (0,))


def test_without_candidates_every_lesion_is_missed(lesions: NDArray[np.int32]) -> None:
    """Without candidates, all lesions are missed."""
    assert match_candidates([], lesions).missed == (1, 5)


def test_lists_of_different_length_are_refused(lesions: NDArray[np.int32]) -> None:
    """Different numbers of centroids and scores are refused."""
    with pytest.raises(ValueError, match="1 centroids need as many scores, got 2"):
        match_candidates([(1, 1)], lesions, scores=[0.1, 0.2])


@pytest.mark.parametrize(("row", "score"), [(np.nan, 0.5), (1.0, np.nan), (1.0, np.inf)])
def test_numbers_that_are_not_finite_are_refused(
    lesions: NDArray[np.int32], row: float, score: float
) -> None:
    """Scores and coordinates that are not finite are refused."""
    with pytest.raises(ValueError, match="must be finite numbers"):
        match_candidates([(row, 1)], lesions, scores=[score])


def test_pixels_come_by_lesion() -> None:
    """The pixels of each lesion are listed as (row, column), in order of lesion number."""
    pixels = lesion_pixels(np.array([[7, 0, 2], [7, 2, 0]]))
    assert {number: places.tolist() for number, places in pixels.items()} == {
        2: [[0, 2], [1, 1]],
        7: [[0, 0], [1, 0]],
    }
    assert list(pixels) == [2, 7]


def largest_matching(edges: list[set[int]]) -> int:
    """Return the size of a maximum matching by exhaustive search."""
    if not edges:
        return 0
    first, *rest = edges
    without = largest_matching(rest)
    return max([without, *(1 + largest_matching([e - {lesion} for e in rest]) for lesion in first)])


@st.composite
def films(draw: st.DrawFn) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw distances (candidates, lesions), infinite if out of reach, and scores with ties."""
    rows, cols = draw(st.integers(0, 6)), draw(st.integers(0, 4))
    size = rows * cols
    cells = st.sampled_from([0.0, 0.5, 1.0, 2.0, np.inf, np.inf])
    distances = np.array(draw(st.lists(cells, min_size=size, max_size=size)), np.float64)
    grades = st.sampled_from([-3.0, 0.1, 0.2, 0.2000001, 0.9, 1e9])
    scores = draw(st.lists(grades, min_size=rows, max_size=rows))
    return distances.reshape(rows, cols), np.array(scores, np.float64)


@given(film=films())
def test_one_assignment_is_the_best_at_every_threshold(
    film: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """At every threshold, the assignment has as many pairs as a maximum matching."""
    distances, scores = film
    pairs = assign(distances, scores)
    for used in zip(*pairs, strict=True):
        assert len(set(used)) == len(used)
    assert all(np.isfinite(distances[pair]) for pair in pairs)
    for threshold in scores:
        edges = [
            {int(lesion) for lesion in np.flatnonzero(np.isfinite(distances[candidate]))}
            for candidate in np.flatnonzero(scores >= threshold)
        ]
        found = sum(scores[candidate] >= threshold for candidate, _ in pairs)
        assert found == largest_matching(edges)


@given(film=films())
def test_among_equal_matchings_the_nearest_is_taken(
    film: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Among matchings of the same size, the one with the smallest total distance is chosen.

    All scores are equal here, so that no candidate takes precedence.
    """
    distances, scores = film
    pairs = assign(distances, np.zeros_like(scores))
    total = sum(distances[pair] for pair in pairs)
    rows, cols = distances.shape
    for chosen in combinations(range(cols), len(pairs)):
        for order in set(combinations(range(rows), len(pairs))):
            assert total <= min(_sums(distances, order, chosen)) + 1e-9


def _sums(
    distances: NDArray[np.float64], rows: tuple[int, ...], cols: tuple[int, ...]
) -> list[float]:
    """Return the total distance of every way to pair the rows with the columns."""
    if not rows:
        return [0.0]
    return [
        distances[rows[0], col] + rest
        for col in cols
        for rest in _sums(distances, rows[1:], tuple(c for c in cols if c != col))
    ]


def make_truth(tmp_path: Path, lesions: NDArray[np.int32]) -> TruthFilm:
    """Write the mask and return the film."""
    mask = tmp_path / "k.lesions.png"
    Image.fromarray(lesions.astype(np.uint16)).save(mask)
    return TruthFilm("k", tmp_path / "images" / "k.dcm", mask, {})


def test_only_shown_candidates_are_compared(tmp_path: Path, lesions: NDArray[np.int32]) -> None:
    """Candidates that are not shown count neither as hits nor as false positives."""
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
    """A film without a result is "not done", and its lesions are not found."""
    comparison = compare_film(make_truth(tmp_path, lesions), tmp_path)
    assert (comparison.status, comparison.planted, comparison.found) == ("not done", 2, 0)
