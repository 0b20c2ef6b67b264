"""The outcome of a film is calculated from its candidates and its label image."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from lesionscan.evaluation.matching import lesion_pixels
from lesionscan.evaluation.scores import NOTHING, chance_shares, score_film
from tests.evaluation.scored import film


@pytest.fixture
def lesions() -> NDArray[np.int32]:
    """Return a 50 x 125 mask (reach 1 px) with lesion 3, 4 x 4 px, and lesion 8, 1 px."""
    mask = np.zeros((50, 125), np.int32)
    mask[10:14, 10:14] = 3
    mask[30, 60] = 8
    return mask


def test_a_film_is_put_into_numbers(lesions: NDArray[np.int32]) -> None:
    """One hit 1.5 px from the centroid, a repeat, two false positives and a miss are counted."""
    scored = score_film(
        [(40, 5), (11.5, 13), (12, 12), (5, 100)], [0.9, 0.5, 0.4, 0.2], lesions, group="p"
    )
    assert scored.hits.tolist() == [0.5, NOTHING]
    assert scored.false_positives.tolist() == [0.9, 0.2]
    assert scored.best == 0.9
    assert scored.distance_px[0] == pytest.approx(1.5)
    assert np.isnan(scored.distance_px[1])
    assert np.isnan(scored.dice).all()
    assert (scored.lesions, scored.group, scored.has_result) == (2, "p", True)


def test_the_best_score_may_be_a_repeats(lesions: NDArray[np.int32]) -> None:
    """The best score of a film is that of all candidates, repeats included."""
    scored = score_film([(12, 12), (11, 11)], [0.7, 0.7], lesions, group="p")
    assert scored.best == 0.7
    assert scored.false_positives.size == 0


def test_no_candidates_and_no_lesions_are_empty_lists() -> None:
    """A film without lesions and candidates has empty lists, but has a result."""
    scored = score_film([], [], np.zeros((9, 9), np.int32), group="p")
    assert (scored.hits.size, scored.false_positives.size, scored.best) == (0, 0, NOTHING)
    assert scored.has_result


def test_chance_shares_count_pixels_within_reach(lesions: NDArray[np.int32]) -> None:
    """Pixels within 1 px count: 16 + 16 for a 4 x 4 square and 5 for a pixel, of 50 x 125."""
    shares = chance_shares(lesion_pixels(lesions), lesions.shape, None)
    assert shares.tolist() == [32 / 6250, 5 / 6250]


def test_chance_shares_are_of_the_search_area(lesions: NDArray[np.int32]) -> None:
    """Only pixels in the search area count: half of lesion 3 with margin, none of lesion 8."""
    bone = np.zeros(lesions.shape, bool)
    bone[:, :12] = True
    shares = chance_shares(lesion_pixels(lesions), lesions.shape, bone)
    assert shares.tolist() == [16 / 600, 0.0]


def test_an_empty_search_area_is_the_whole_film(lesions: NDArray[np.int32]) -> None:
    """An empty search area is replaced by the whole film."""
    pixels, nowhere = lesion_pixels(lesions), np.zeros(lesions.shape, bool)
    shares = chance_shares(pixels, lesions.shape, nowhere)
    assert shares.tolist() == chance_shares(pixels, lesions.shape, None).tolist()


def test_a_search_area_of_another_size_is_refused(lesions: NDArray[np.int32]) -> None:
    """A search area of the wrong size is refused."""
    with pytest.raises(ValueError, match=r"search_area must be \(50, 125\) like the film"):
        score_film([], [], lesions, group="p", search_area=np.ones((2, 2), bool))


def test_the_shares_of_random_points_are_those_of_the_mask(lesions: NDArray[np.int32]) -> None:
    """Of points on all pixels, the share that hits a lesion is the lesion's chance share."""
    places = np.argwhere(np.ones_like(lesions))
    hits = [score_film([tuple(at)], [1.0], lesions, group="p").hits for at in places]
    found = np.isfinite(np.array(hits)).mean(axis=0)
    shares = chance_shares(lesion_pixels(lesions), lesions.shape, None)
    assert found == pytest.approx(shares)


def test_lists_of_different_length_are_refused() -> None:
    """Chance shares that do not match the number of lesions are refused."""
    with pytest.raises(ValueError, match="chance_shares must have one number for each of 1 lesion"):
        film([0.5], shares=[0.1, 0.2])


def test_a_share_over_1_is_refused() -> None:
    """A chance share above 1 is refused."""
    with pytest.raises(ValueError, match="chance_shares must be 0 to 1, got"):
        film([0.5], shares=[1.5])


@pytest.mark.parametrize(
    ("hits", "false"), [((np.inf,), ()), ((np.nan,), ()), ((), (-np.inf,)), ((), (np.nan,))]
)
def test_scores_that_are_no_scores_are_refused(
    hits: tuple[float, ...], false: tuple[float, ...]
) -> None:
    """Scores must be finite, except minus infinity for a missed lesion."""
    with pytest.raises(ValueError, match="scores must be finite numbers"):
        film(hits, false)


def test_a_failed_film_has_no_candidates() -> None:
    """A film without a result cannot have candidates."""
    with pytest.raises(ValueError, match="a film without result can have no candidates"):
        film([0.5], has_result=False)


def test_the_numbers_are_read_only_copies() -> None:
    """The arrays of a film are read-only copies of the caller's."""
    dice = np.array([0.5])
    scored = dataclasses.replace(film([0.5]), dice=dice)
    dice[0] = 0.0
    assert scored.dice[0] == 0.5
    with pytest.raises(ValueError, match="read-only"):
        scored.hits[0] = 1.0
