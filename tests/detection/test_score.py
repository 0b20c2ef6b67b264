from dataclasses import replace

import pytest
from scipy.special import expit

from lesionscan.detection.measure import Region
from lesionscan.detection.score import score_regions
from lesionscan.detection.scorer.scorer_file import Scorer
from tests.detection.scorer.made import scorer_bytes, scorer_card
from tests.reporting.made import Disk, Film, make_findings

ENCLOSED = ("enclosed", (0.0, 1.0), (-2.0, 2.0))
EDGE = ("edge", (0.0, 1.0), (-1.0, 1.0))


def _region(**facts: float | tuple[float, float]) -> Region:
    film = Film(disks=(Disk(row=60, column=60, radius=20, score=0.9),))
    region = replace(make_findings(film).candidates[0].region, flags=())
    return replace(region, **facts)  # type: ignore[arg-type]


def _scorer(
    *terms: tuple[str, tuple[float, ...], tuple[float, ...]], offset: float = 0.0
) -> Scorer:
    return Scorer.from_bytes(scorer_bytes(scorer_card(*terms, offset=offset)))


def test_a_score_is_the_sum_of_its_terms_through_the_logistic_function() -> None:
    """An offset of -1 and effects of 1 and 0.2 give the log-odds 0.2."""
    region = _region(enclosure=0.75, edge_alignment=0.6)

    (candidate,) = score_regions(
        (region,), scorer=_scorer(ENCLOSED, EDGE, offset=-1.0), shown_score=0.5, max_candidates=100
    )

    assert candidate.score == round(float(expit(0.2)), 6) == 0.549834
    assert candidate.shown


def test_reasons_say_what_each_term_added_the_strongest_first() -> None:
    """Reasons have the value, signed effect and text of every term, the strongest first."""
    region = _region(enclosure=1.0, edge_alignment=0.1)

    (candidate,) = score_regions(
        (region,), scorer=_scorer(EDGE, ENCLOSED), shown_score=0.5, max_candidates=100
    )

    said = [(reason.term, reason.value, reason.text) for reason in candidate.reasons]
    assert said == [
        ("enclosed", 1.0, "enclosed on all sides"),
        ("edge", 0.1, "no clear edge"),
    ]
    assert [reason.effect for reason in candidate.reasons] == pytest.approx([2.0, -0.8])


def test_reasons_that_are_as_strong_go_by_name() -> None:
    """Reasons of equal strength are sorted by name, whatever the order in the file."""
    region = _region(enclosure=0.25, edge_alignment=1.0)
    orders = [
        [
            reason.term
            for reason in score_regions(
                (region,), scorer=_scorer(*terms), shown_score=0.5, max_candidates=100
            )[0].reasons
        ]
        for terms in ((EDGE, ENCLOSED), (ENCLOSED, EDGE))
    ]

    assert orders == [["edge", "enclosed"], ["edge", "enclosed"]]


def test_the_order_of_the_terms_in_the_file_does_not_change_a_score() -> None:
    """Effects of 1000, -1000 and 0.1 give the same score in any order."""
    terms = (
        ("enclosed", (0.0,), (1000.0,)),
        ("edge", (0.0,), (-1000.0,)),
        ("size", (0.0,), (0.1,)),
    )
    scores = {
        score_regions((_region(),), scorer=_scorer(*order), shown_score=0.5, max_candidates=100)[
            0
        ].score
        for order in (terms, terms[::-1], (terms[0], terms[2], terms[1]))
    }

    assert scores == {round(float(expit(0.1)), 6)}


def test_candidates_are_numbered_best_first_and_ties_go_by_place() -> None:
    """Candidates are numbered best first; of equal scores, the upper region is first."""
    upper = replace(_region(), label=7, centroid_px=(10.0, 50.0))
    lower = replace(_region(), label=3, centroid_px=(90.0, 50.0))
    poor = replace(_region(), label=1, enclosure=0.6)

    candidates = score_regions(
        (poor, lower, upper), scorer=_scorer(ENCLOSED), shown_score=0.75, max_candidates=100
    )

    assert [(c.id, c.region.label) for c in candidates] == [(1, 7), (2, 3), (3, 1)]


def test_the_best_are_kept() -> None:
    """Of three regions, the two with the highest scores are kept."""
    regions = tuple(_region(enclosure=share) for share in (0.2, 0.9, 0.6))

    candidates = score_regions(
        regions, scorer=_scorer(ENCLOSED), shown_score=0.75, max_candidates=2
    )

    assert [candidate.region.enclosure for candidate in candidates] == [0.9, 0.6]


def test_shown_starts_exactly_at_the_limit() -> None:
    """A candidate whose score equals the limit is shown; one below it is not."""
    scorer, regions = _scorer(ENCLOSED), (_region(),)
    (candidate,) = score_regions(regions, scorer=scorer, shown_score=0.0, max_candidates=100)

    for limit, shown in ((candidate.score, True), (candidate.score + 1e-9, False)):
        (again,) = score_regions(regions, scorer=scorer, shown_score=limit, max_candidates=100)
        assert again.shown == shown


def test_no_regions_give_no_candidates() -> None:
    """Without regions, an empty tuple is returned."""
    assert score_regions((), scorer=_scorer(ENCLOSED), shown_score=0.5, max_candidates=100) == ()
