"""The whole detection: what it finds, and what must not change it."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionscan import Candidate, Findings, Settings, find_candidates, read_radiograph
from lesionscan.radiograph import FloatImage
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.phantom import make_phantom
from tests.detection.made import limb, radiograph

DICOM = Path(__file__).parents[3] / "shared" / "data" / "dicom"
SIDE = 480


@cache
def _phantom(seed: int) -> FloatImage:
    """Return a femur with a hole, bone bright, its collimation and letters included."""
    phantom = make_phantom(
        "femur", seed, lesions=1, long_side_px=SIDE, film=Film("MONOCHROME2", bits=12)
    )
    return phantom.stored.astype(np.float32)


@cache
def _shown(seed: int) -> tuple[Candidate, ...]:
    return _listed(find_candidates(radiograph(_phantom(seed))))


def _listed(findings: Findings) -> tuple[Candidate, ...]:
    return tuple(c for c in findings.candidates if c.score >= 0.7)


def test_the_hole_in_a_limb_is_the_best_candidate_and_well_measured() -> None:
    """A hole of 14 pixels radius at (160, 120): placed within a pixel, sized within 10 %."""
    findings = find_candidates(radiograph(limb()))

    best = findings.candidates[0]

    assert findings.assessed
    assert best.shown
    assert best.region.centroid_px == pytest.approx((160, 120), abs=1.0)
    assert best.region.equivalent_diameter_px == pytest.approx(28, rel=0.1)
    assert best.region.location is not None
    assert best.region.location.along_bone == pytest.approx(0.5, abs=0.02)
    assert best.region.lesion_to_bone_width == pytest.approx(28 / 72, abs=0.06)


def test_labels_carry_the_ids_of_the_candidates() -> None:
    """Each candidate's pixels, and no others, hold its id."""
    findings = find_candidates(radiograph(_phantom(3)))

    for candidate in findings.candidates:
        assert np.count_nonzero(findings.labels == candidate.id) == candidate.region.area_px
    assert findings.labels.max() == len(findings.candidates)


def test_at_most_the_wanted_number_of_candidates_is_listed() -> None:
    """`max_candidates` keeps the best of the longer list."""
    few = find_candidates(radiograph(_phantom(3)), Settings(max_candidates=4))
    many = find_candidates(radiograph(_phantom(3)))

    assert [c.score for c in few.candidates] == [c.score for c in many.candidates[:4]]
    assert few.labels.max() == 4


@pytest.mark.parametrize("value", [0.0, 1000.0])
def test_an_empty_picture_is_not_assessed(value: float) -> None:
    """No bone, no candidates, one notice that says so."""
    findings = find_candidates(radiograph(np.full((200, 200), value)))

    assert not findings.assessed
    assert findings.candidates == ()
    assert [notice.code for notice in findings.notices] == ["not_assessed"]
    assert not findings.labels.any()


def test_a_picture_of_one_pixel_is_not_assessed() -> None:
    """The smallest picture there is does no harm."""
    assert not find_candidates(radiograph(np.ones((1, 1)))).assessed


def test_the_same_input_gives_the_same_findings() -> None:
    """Nothing depends on chance or on what ran before."""
    one = find_candidates(radiograph(_phantom(5)))
    other = find_candidates(radiograph(_phantom(5)))

    assert (one.labels == other.labels).all()
    assert [c.score for c in one.candidates] == [c.score for c in other.candidates]


@settings(max_examples=12, deadline=None)
@given(slope=st.floats(0.01, 50.0), intercept=st.floats(-5000, 5000), seed=st.integers(0, 3))
def test_a_rescale_changes_nothing(slope: float, intercept: float, seed: int) -> None:
    """Slope and intercept: the same candidates, within a pixel and 0.02 of score.

    Not exact, since float32 rounds differently.
    """
    assert _shown(seed)
    moved = _listed(find_candidates(radiograph(_phantom(seed) * slope + intercept)))

    _assert_same(moved, _shown(seed), lambda place: place)


TURNS: dict[str, tuple[Callable[[FloatImage], FloatImage], Callable[..., tuple[float, float]]]] = {
    "upside down": (np.flipud, lambda r, c, rows, _: (rows - 1 - r, c)),
    "mirrored": (np.fliplr, lambda r, c, _, cols: (r, cols - 1 - c)),
    "half turn": (lambda a: np.rot90(a, 2), lambda r, c, rows, cols: (rows - 1 - r, cols - 1 - c)),
    "quarter turn": (np.rot90, lambda r, c, _, cols: (cols - 1 - c, r)),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("turn", TURNS)
def test_flips_and_turns_move_the_candidates_and_change_nothing_else(turn: str, seed: int) -> None:
    """The clear candidates come back at the mapped place, within 2 pixels and 0.05 of score.

    Not exact, since resizing and the order of sums round differently.
    """
    film = _phantom(seed)
    rows, cols = film.shape
    move, place = TURNS[turn]

    turned = _listed(find_candidates(radiograph(np.ascontiguousarray(move(film)))))

    _assert_same(turned, _shown(seed), lambda at: place(*at, rows, cols), score=0.05, distance=2.0)


def _assert_same(
    found: tuple[Candidate, ...],
    expected: tuple[Candidate, ...],
    place: Callable[[tuple[float, float]], tuple[float, float]],
    *,
    score: float = 0.02,
    distance: float = 1.0,
) -> None:
    """Every clear candidate has one twin; those within `score` of the limit may miss theirs."""
    here = [(c.score, np.array(c.region.centroid_px)) for c in found]
    there = [(c.score, np.array(place(c.region.centroid_px))) for c in expected]
    for one, other in ((here, there), (there, here)):
        for value, at in one:
            if value >= 0.7 + score:
                twins = [v for v, where in other if np.hypot(*(where - at)) <= distance]
                assert twins == [pytest.approx(value, abs=score)]


@pytest.mark.skipif(not DICOM.is_dir(), reason="the shared DICOM files are not here")
@pytest.mark.parametrize("name", ["RG3_J2KR", "RG3_JPLL", "RG3_JPLY"])
def test_the_fibroma_of_rg3_is_among_the_best_five(name: str) -> None:
    """A real lytic lesion: rows 1000 to 1220, columns 795 to 915 of the stored matrix."""
    findings = find_candidates(read_radiograph(DICOM / f"{name}.dcm"))

    places = [candidate.region.centroid_px for candidate in findings.candidates[:5]]

    assert any(1000 <= row <= 1220 and 795 <= col <= 915 for row, col in places)


@pytest.mark.skipif(not DICOM.is_dir(), reason="the shared DICOM files are not here")
def test_lossless_compression_changes_no_candidate() -> None:
    """RG3 in JPEG 2000 and in lossless JPEG: the same pixels, the same candidates."""
    one, other = (
        find_candidates(read_radiograph(DICOM / f"RG3_{name}.dcm")) for name in ("J2KR", "JPLL")
    )

    assert one.candidates
    assert (one.labels == other.labels).all()
    assert [c.score for c in one.candidates] == [c.score for c in other.candidates]
