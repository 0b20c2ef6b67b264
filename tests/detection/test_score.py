from dataclasses import replace

import pytest

from lesionscan.detection.measure import Flag, Region
from lesionscan.detection.score import score_regions
from tests.reporting.made import Disk, Film, make_findings


def _region() -> Region:
    findings = make_findings(Film(disks=(Disk(row=60, column=60, radius=20, score=0.9),)))
    return replace(findings.candidates[0].region, flags=())


def test_every_term_at_its_best_scores_one() -> None:
    """The geometric mean of ones is one."""
    ideal = replace(
        _region(),
        size=0.2,
        contrast=0.3,
        contrast_to_noise=10.0,
        weakest_side_contrast=0.3,
        weakest_edge_step=0.3,
        rim_contrast=0.1,
        inside_spread=0.02,
        ring_spread=0.05,
        enclosure=1.0,
        edge_alignment=1.0,
        bone_fraction=1.0,
    )

    (candidate,) = score_regions((ideal,), shown_score=0.75, most=100)

    assert candidate.score == pytest.approx(1.0)
    assert candidate.shown
    assert all(reason.value == 1.0 for reason in candidate.reasons)


@pytest.mark.parametrize(
    "worse",
    [
        {"contrast_to_noise": 0.3},
        {"weakest_side_contrast": 0.01},
        {"weakest_edge_step": 0.0},
        {"rim_contrast": -0.1},
        {"inside_spread": 0.2},
        {"enclosure": 0.6},
        {"edge_alignment": 0.35},
        {"bone_fraction": 0.6},
        {"flags": (Flag.NEAR_METAL,)},
    ],
)
def test_each_fact_that_speaks_against_a_lesion_lowers_the_score(
    worse: dict[str, float | tuple[Flag, ...]],
) -> None:
    """One fact changed for the worse, all others equal."""
    region = _region()
    (before,) = score_regions((region,), shown_score=0.75, most=100)

    (after,) = score_regions((replace(region, **worse),), shown_score=0.75, most=100)  # type: ignore[arg-type]

    assert after.score < before.score


def test_a_region_open_on_all_sides_scores_next_to_nothing() -> None:
    """No other term can make up for it."""
    (candidate,) = score_regions(
        (replace(_region(), enclosure=0.0, weakest_side_contrast=-0.1),), shown_score=0.75, most=100
    )

    assert candidate.score < 0.1


def test_candidates_are_numbered_best_first_and_ties_go_by_place() -> None:
    """Equal scores: the upper region first, whatever the labels were."""
    upper = replace(_region(), label=7, centroid_px=(10.0, 50.0))
    lower = replace(_region(), label=3, centroid_px=(90.0, 50.0))
    poor = replace(_region(), label=1, enclosure=0.6)

    candidates = score_regions((poor, lower, upper), shown_score=0.75, most=100)

    assert [(c.id, c.region.label) for c in candidates] == [(1, 7), (2, 3), (3, 1)]


def test_shown_starts_exactly_at_the_limit() -> None:
    """A score equal to the limit is shown, one below is not."""
    (candidate,) = score_regions((_region(),), shown_score=0.0, most=100)

    assert score_regions((_region(),), shown_score=candidate.score, most=100)[0].shown
    assert not score_regions((_region(),), shown_score=candidate.score + 1e-9, most=100)[0].shown


def test_no_regions_give_no_candidates() -> None:
    """Nothing found is an empty tuple."""
    assert score_regions((), shown_score=0.5, most=100) == ()
