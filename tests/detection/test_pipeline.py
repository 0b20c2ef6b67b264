"""The detection pipeline: candidates, their order, and invariance to flips and rescaling."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.special import expit

from lesionscan import Candidate, Findings, Scorer, Settings, find_candidates, read_radiograph
from lesionscan.detection import pipeline
from lesionscan.detection.field import Field
from lesionscan.detection.pipeline import find_in_steps, normalise_film
from lesionscan.detection.scorer.network import Maps, Network
from lesionscan.detection.scorer.preprocessing import Preprocessing
from lesionscan.detection.scorer.scorer_file import shipped_scorer
from lesionscan.radiograph import BoolImage, FloatImage, LabelImage, Radiograph
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.phantom import make_phantom
from tests.detection.made import disk, limb, radiograph
from tests.detection.scorer.made import onnx_network, scorer_bytes, scorer_card

DICOM = Path(__file__).parents[3] / "shared" / "data" / "dicom"
SLOW = pytest.mark.slow
SIDE = 480
LIMB = (320, 240)
"""Rows and columns of `limb()`, whose bone has the columns 84 to 155."""
HOLE = (160, 120)


class Knowing(Network):
    """A network that returns given maps."""

    def __init__(self, lucency: FloatImage, bone: FloatImage) -> None:
        super().__init__(onnx_network(), Preprocessing(), (64,))
        self._known = Maps(lucency, bone)

    def run(self, image: FloatImage, long_side_px: int) -> Maps:  # noqa: ARG002
        """Return the given maps; the image must have their size."""
        assert image.shape == self._known.lucency.shape
        return self._known


class Seeing(Network):
    """A network without a preferred direction: bone is bright, lucencies are dark spots in it."""

    def __init__(self) -> None:
        super().__init__(onnx_network(), Preprocessing(), (64,))

    def run(self, image: FloatImage, long_side_px: int) -> Maps:  # noqa: ARG002
        """Return as maps the film's brightness, and how much darker it is than its surroundings."""
        near, far = (cv2.GaussianBlur(image, (0, 0), sigma) for sigma in (4.0, 16.0))
        bone = expit(20.0 * (near - 0.45)).astype(np.float32)
        return Maps(np.clip(8.0 * (far - near), 0.0, 1.0) * bone, bone)


def _scorer(network: Network) -> Scorer:
    """Return a scorer whose log-odds are linear in the peak of the lucency map."""
    card = scorer_card(("lucency_peak", (0.0, 1.0), (-4.0, 4.0)))
    return replace(Scorer.from_bytes(scorer_bytes(card)), network=network)


def _hill(place: tuple[float, float], height: float, radius: float) -> FloatImage:
    """Return a round peak that falls to half its height at `radius`, on the limb's film."""
    rows, cols = np.indices(LIMB)
    away = (rows - place[0]) ** 2 + (cols - place[1]) ** 2
    return np.asarray(height * np.exp2(-away / radius**2), np.float32)


def _limb_bone() -> FloatImage:
    bone: FloatImage = np.zeros(LIMB, np.float32)
    bone[20:-20, 84:156] = 1.0
    return bone


@cache
def _phantom(seed: int) -> FloatImage:
    """Return a femur with one lesion, bone bright, including collimation and letters."""
    phantom = make_phantom(
        "femur", seed, lesions=1, long_side_px=SIDE, film=Film("MONOCHROME2", bits=12)
    )
    return phantom.stored.astype(np.float32)


@cache
def _shown(seed: int) -> tuple[Candidate, ...]:
    return find_candidates(radiograph(_phantom(seed)), scorer=_scorer(Seeing())).candidates


@cache
def _real(name: str) -> Findings:
    return find_candidates(read_radiograph(DICOM / f"{name}.dcm"))


def test_the_hole_in_a_limb_is_the_best_candidate_and_well_measured() -> None:
    """A hole of radius 14 px is found first, within 1 px of its place and 10 % of its size."""
    network = Knowing(_hill(HOLE, 0.9, 14.0), _limb_bone())

    findings = find_candidates(radiograph(limb()), scorer=_scorer(network))

    best = findings.candidates[0]
    assert findings.assessed
    assert best.shown
    assert best.score == pytest.approx(expit(8 * 0.9 - 4), abs=0.01)
    assert best.region.centroid_px == pytest.approx(HOLE, abs=1.0)
    assert best.region.equivalent_diameter_px == pytest.approx(28, rel=0.1)
    assert best.region.location is not None
    assert best.region.location.along_bone == pytest.approx(0.5, abs=0.02)
    assert best.region.lesion_to_bone_width == pytest.approx(28 / 72, abs=0.06)


def test_a_hole_that_the_network_does_not_see_is_a_candidate_too() -> None:
    """A dark hole in bone that the network misses is a candidate, with a low score."""
    network = Knowing(np.zeros(LIMB, np.float32), _limb_bone())

    findings = find_candidates(radiograph(limb()), scorer=_scorer(network))

    hits = [c for c in findings.candidates if disk(LIMB, HOLE, 5)[findings.labels == c.id].any()]
    assert len(hits) == 1
    assert hits[0].region.centroid_px == pytest.approx(HOLE, abs=1.5)
    assert hits[0].score == pytest.approx(expit(-4.0), abs=1e-5)


def test_a_lucency_outside_the_bone_mask_is_a_candidate() -> None:
    """A lucency in soft tissue is a candidate, since a lesion may have destroyed its bone."""
    beside = (160, 55)
    network = Knowing(_hill(beside, 0.8, 10.0), _limb_bone())

    findings = find_candidates(radiograph(limb()), scorer=_scorer(network))

    assert findings.candidates[0].region.centroid_px == pytest.approx(beside, abs=1.0)
    assert not findings.bone[beside]


@pytest.mark.parametrize("bone", [0.0, 1.0])
def test_without_a_bone_mask_to_believe_nothing_is_a_candidate(bone: float) -> None:
    """A film without bone, or of nothing but bone, is not assessed, however high its lucency."""
    network = Knowing(_hill(HOLE, 0.9, 14.0), np.full(LIMB, bone, np.float32))

    findings = find_candidates(radiograph(limb()), scorer=_scorer(network))

    assert not findings.assessed
    assert findings.candidates == ()
    assert findings.lucency[HOLE] == pytest.approx(0.9)
    assert [notice.code for notice in findings.notices] == ["not_assessed"]
    assert find_candidates(
        radiograph(limb()), Settings(least_bone_confidence=0.0), _scorer(network)
    ).candidates


def _noted(name: str, step: Callable[..., object], taken: list[str]) -> Callable[..., object]:
    """Return a step that records its name when it is called."""

    def noted(*arguments: object, **options: object) -> object:
        taken.append(name)
        return step(*arguments, **options)

    return noted


def test_the_steps_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step runs once, from the field and the grey scale to the scoring, in this order.

    The grey scale is applied to the stored and to the working grid.
    """
    taken: list[str] = []
    order = (
        *("rescale", "find_field", "to_unit", "to_unit", "run", "find_bone", "find_lucencies"),
        *("find_dark_regions", "measure_regions", "score_regions"),
    )
    for name in set(order):
        home = Seeing if name == "run" else pipeline
        monkeypatch.setattr(home, name, _noted(name, vars(home)[name], taken))

    find_candidates(radiograph(limb()), scorer=_scorer(Seeing()))

    assert tuple(taken) == order


def test_dark_regions_are_added_to_those_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dark regions are added to the network's regions, which keep their labels and pixels."""
    seen: list[tuple[LabelImage, LabelImage]] = []
    find_dark_regions = vars(pipeline)["find_dark_regions"]

    def noted(*images: FloatImage, found: LabelImage, **options: object) -> LabelImage:
        labels = find_dark_regions(*images, found=found, **options)
        seen.append((found.copy(), labels))
        return np.asarray(labels)

    monkeypatch.setattr(pipeline, "find_dark_regions", noted)
    lucency = _hill((90, 120), 0.6, 9.0) + _hill((240, 110), 0.4, 9.0)

    find_candidates(radiograph(limb()), scorer=_scorer(Knowing(lucency, _limb_bone())))

    ((known, labels),) = seen
    assert known.max() == 2
    assert known[90, 120] == 1
    assert known[240, 110] == 2
    assert labels.max() > 2
    assert (labels[known > 0] == known[known > 0]).all()


def test_labels_are_the_ids_of_the_candidates() -> None:
    """In the label image, each candidate's id covers as many pixels as its area."""
    findings = find_candidates(radiograph(_phantom(3)))

    assert findings.candidates
    for candidate in findings.candidates:
        assert np.count_nonzero(findings.labels == candidate.id) == candidate.region.area_px
    assert findings.labels.max() == len(findings.candidates)


def test_at_most_max_candidates_are_listed() -> None:
    """At most `max_candidates` are listed, best first, and no other region is labelled."""
    findings = find_candidates(radiograph(_phantom(3)), Settings(max_candidates=4))

    scores = [candidate.score for candidate in findings.candidates]
    assert len(scores) == 4
    assert scores == sorted(scores, reverse=True)
    assert findings.labels.max() == 4


def test_a_scorer_that_is_given_is_used_and_named() -> None:
    """A given scorer provides the maps, the scores, and the hash in the findings."""
    card = scorer_card(("enclosed", (0.0, 1.0), (-1.0, 1.0)), offset=-3.0)
    scorer = Scorer.from_bytes(scorer_bytes(card, onnx_network(lucency=-4.0)))
    believing = Settings(least_bone_confidence=0.0)  # its bone map is coarse

    findings = find_candidates(radiograph(limb()), believing, scorer)

    assert findings.scorer_sha256 == scorer.sha256
    looked = scorer.network.run(
        findings.image, scorer.network.long_sides_px[0]
    ).lucency  # a small film is not resized
    assert findings.lucency == pytest.approx(looked, abs=0.01)
    assert not findings.lucency.flags.writeable
    assert findings.candidates
    for candidate in findings.candidates:
        effect = 2.0 * candidate.region.enclosure - 1.0
        assert candidate.score == pytest.approx(expit(effect - 3.0), abs=1e-6)
        inside = findings.lucency[findings.labels == candidate.id]
        assert candidate.region.lucency == pytest.approx(inside.mean(), abs=1e-5)


def test_without_a_scorer_the_shipped_one_is_used() -> None:
    """Without a scorer, the findings have the hash of the shipped one."""
    findings = find_candidates(radiograph(np.zeros((50, 50))))

    assert findings.scorer_sha256 == shipped_scorer().sha256


@pytest.mark.parametrize("value", [0.0, 1000.0])
def test_an_empty_picture_is_not_assessed(value: float) -> None:
    """A constant image gives no candidates and the notice that it was not assessed."""
    findings = find_candidates(radiograph(np.full((200, 200), value)))

    assert not findings.assessed
    assert findings.candidates == ()
    assert [notice.code for notice in findings.notices] == ["not_assessed"]
    assert not findings.labels.any()


def test_a_picture_of_one_pixel_is_not_assessed() -> None:
    """An image of one pixel causes no error and is not assessed."""
    assert not find_candidates(radiograph(np.ones((1, 1)))).assessed


def test_the_same_input_gives_the_same_findings() -> None:
    """Two searches of the same film give the same labels and scores."""
    one = find_candidates(radiograph(_phantom(5)))
    other = find_candidates(radiograph(_phantom(5)))

    assert (one.labels == other.labels).all()
    assert [c.score for c in one.candidates] == [c.score for c in other.candidates]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=SLOW) for seed in (1, 2))])
@pytest.mark.parametrize(("slope", "intercept"), [(0.01, 0.0), (50.0, -5000.0), (1.7, 4999.0)])
def test_a_rescale_changes_nothing(slope: float, intercept: float, seed: int) -> None:
    """Rescaled grey values give the same candidates, within 1 px and 0.02 of score.

    Not exact, since float32 rounds differently.
    """
    moved = find_candidates(
        radiograph(_phantom(seed) * slope + intercept), scorer=_scorer(Seeing())
    )

    _assert_same(moved.candidates, _shown(seed), lambda place: place)


def test_a_rescale_leaves_the_shipped_scorer_unmoved() -> None:
    """With the shipped scorer, rescaling moves neither the best candidate nor its score."""
    best, moved = (
        find_candidates(radiograph(pixels)).candidates[0]
        for pixels in (_phantom(5), 12.5 * _phantom(5) - 1000.0)
    )

    assert moved.region.centroid_px == pytest.approx(best.region.centroid_px, abs=1.0)
    assert moved.score == pytest.approx(best.score, abs=0.02)


TURNS: dict[str, tuple[Callable[[FloatImage], FloatImage], Callable[..., tuple[float, float]]]] = {
    "upside down": (np.flipud, lambda r, c, rows, _: (rows - 1 - r, c)),
    "mirrored": (np.fliplr, lambda r, c, _, cols: (r, cols - 1 - c)),
    "half turn": (lambda a: np.rot90(a, 2), lambda r, c, rows, cols: (rows - 1 - r, cols - 1 - c)),
    "quarter turn": (np.rot90, lambda r, c, _, cols: (cols - 1 - c, r)),
}


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=SLOW) for seed in (1, 2, 3))])
@pytest.mark.parametrize("turn", TURNS)
def test_flips_and_turns_move_the_candidates_and_change_nothing_else(turn: str, seed: int) -> None:
    """Clear candidates move with the film, within 2 px and 0.05 of score.

    This requires a network without a preferred direction; the trained one has seen upright bones.
    Not exact, since resizing and the order of sums round differently.
    """
    film = _phantom(seed)
    rows, cols = film.shape
    move, place = TURNS[turn]

    turned = find_candidates(radiograph(np.ascontiguousarray(move(film))), scorer=_scorer(Seeing()))

    _assert_same(
        turned.candidates,
        _shown(seed),
        lambda at: place(*at, rows, cols),
        score=0.05,
        distance=2.0,
    )


def _assert_same(
    found: tuple[Candidate, ...],
    expected: tuple[Candidate, ...],
    place: Callable[[tuple[float, float]], tuple[float, float]],
    *,
    score: float = 0.02,
    distance: float = 1.0,
) -> None:
    """Check that every clear candidate has a counterpart among all candidates of the other list."""
    here = [(c.score, np.array(c.region.centroid_px)) for c in found]
    there = [(c.score, np.array(place(c.region.centroid_px))) for c in expected]
    assert max(value for value, _ in there) > _CLEAR
    for one, other in ((here, there), (there, here)):
        for value, at in one:
            if value > _CLEAR:
                twins = [v for v, where in other if np.hypot(*(where - at)) <= distance]
                assert pytest.approx(value, abs=score) in twins


_CLEAR = 0.3
"""Candidates with a better score stand out clearly."""


def _collimated() -> tuple[Radiograph, BoolImage]:
    """Return a limb inside a white frame, and the mask of the pixels inside the frame."""
    inside = np.zeros((420, 340), bool)
    inside[50:370, 50:290] = True
    film = np.full(inside.shape, 3.0, np.float32)
    film[inside] = limb().ravel()
    return radiograph(1000.0 * film - 200.0), inside


def test_the_grey_scale_is_that_of_the_exposed_field() -> None:
    """A limb inside a white frame gets the same grey values as without the frame."""
    framed, inside = _collimated()

    settings = Settings(working_long_side_px=max(framed.shape))
    film = normalise_film(framed, settings)

    alone = normalise_film(radiograph(limb()), settings)
    assert not film.field.exposed[~inside].any()
    assert film.field.exposed[inside].mean() > 0.9
    assert np.abs(film.image[inside] - alone.image.ravel()).max() < 0.02
    assert (film.image[~inside] == 1.0).all()


def test_the_percentiles_of_the_settings_become_black_and_white() -> None:
    """At percentiles of 10 and 95, a tenth of the pixels is black and a twentieth is white."""
    ramp = np.linspace(-500.0, 4000.0, 200 * 160, dtype=np.float32).reshape(200, 160)

    film = normalise_film(radiograph(ramp), Settings(dark_percent=10, bright_percent=95))

    grey = film.image[film.field.usable]
    assert (grey == 0.0).mean() == pytest.approx(0.10, abs=0.002)
    assert (grey == 1.0).mean() == pytest.approx(0.05, abs=0.002)


def test_a_large_film_has_a_smaller_working_grid() -> None:
    """Field and small image have the working grid, the image the stored one, both in [0, 1]."""
    large = np.kron(limb(), np.ones((4, 4), np.float32))

    film = normalise_film(radiograph(large), Settings(working_long_side_px=320))

    assert film.grid.stored == film.image.shape == (1280, 960)
    assert film.grid.working == film.small.shape == film.field.exposed.shape == LIMB
    for image in (film.image, film.small):
        assert image.dtype == np.float32
        assert (image.min(), image.max()) == (0.0, 1.0)
    alone = normalise_film(radiograph(limb()), Settings())
    assert np.abs(film.small - alone.small).mean() < 0.01


@pytest.mark.skipif(not DICOM.is_dir(), reason="the shared DICOM files are not here")
@pytest.mark.parametrize("name", ["RG3_J2KR", "RG3_JPLL", "RG3_JPLY"])
def test_the_fibroma_of_rg3_is_among_the_best_five(name: str) -> None:
    """The lytic lesion of RG3, in rows 1000-1220 and columns 795-915, is among the best five."""
    places = [candidate.region.centroid_px for candidate in _real(name).candidates[:5]]

    assert any(1000 <= row <= 1220 and 795 <= col <= 915 for row, col in places)


@pytest.mark.skipif(not DICOM.is_dir(), reason="the shared DICOM files are not here")
def test_lossless_compression_changes_no_candidate() -> None:
    """RG3 has the same candidates in JPEG 2000 and in lossless JPEG."""
    one, other = _real("RG3_J2KR"), _real("RG3_JPLL")

    assert one.candidates
    assert (one.labels == other.labels).all()
    assert [c.score for c in one.candidates] == [c.score for c in other.candidates]


def test_bone_that_passed_for_a_collimator_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field that ends within a femur is extended to the bone that the network finds beyond it."""

    def half(_scaled: FloatImage, valid: BoolImage) -> Field:
        exposed = valid.copy()
        exposed[: len(exposed) // 2] = False
        return Field(exposed=exposed, opaque=np.zeros_like(valid))

    phantom = make_phantom("femur", 4, lesions=0, long_side_px=400, film=Film(bits=8))
    film = radiograph(phantom.stored.astype(np.float32))
    whole = find_candidates(film).bone
    monkeypatch.setattr(pipeline, "find_field", half)
    found = find_candidates(film)
    upper = np.zeros_like(whole)
    upper[: len(whole) // 2] = True
    assert (found.bone & upper).sum() > 0.7 * (whole & upper).sum() > 0
    assert (found.exposed & upper).sum() < 0.7 * upper.sum()


def test_the_steps_are_those_that_led_to_the_findings() -> None:
    """Bone, lucency and regions of the steps, restored to the stored matrix, equal the findings."""
    network = Knowing(_hill(HOLE, 0.9, 14.0), _limb_bone())
    film, scorer = radiograph(limb().repeat(3, 0).repeat(3, 1)), _scorer(network)
    settings = Settings(working_long_side_px=max(LIMB))

    steps, findings = find_in_steps(film, settings, scorer)

    grid = steps.film.grid
    assert grid.working != grid.stored
    assert (steps.assessed, steps.inverted) == (findings.assessed, False)
    np.testing.assert_array_equal(grid.restore_mask(steps.bone.mask), findings.bone)
    np.testing.assert_array_equal(grid.restore(steps.maps.lucency), findings.lucency)
    regions = np.zeros(grid.stored, np.bool_)
    for footprint in grid.restore_regions(steps.labels):
        regions[footprint.box] |= footprint.mask
    np.testing.assert_array_equal(regions, findings.labels > 0)
    assert steps.network_regions == 1 < steps.labels.max() == len(findings.candidates)
    again = find_candidates(film, settings, scorer)
    np.testing.assert_array_equal(again.labels, findings.labels)
    assert [one.score for one in again.candidates] == [one.score for one in findings.candidates]
