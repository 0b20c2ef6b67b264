"""A film compared with itself, moved, and with changed lesions: the correct result is known."""

import math
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lesionscan.comparison import ComparedFilm, RefusedPairError, compare_films
from lesionscan.comparison.picture import words_of
from lesionscan.comparison.refusal import check_headers
from lesionscan.radiograph import Fact
from lesionscan.results.record import BoneRecord
from tests.comparison.made import moved_film, sample, similarity, with_labels

MOVED = similarity(7, 1.1, (20, -30))


def changed(
    film: ComparedFilm, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> ComparedFilm:
    """Return a film whose only lesion has another mask; an empty mask removes the candidate."""
    mask = (film.labels > 0).astype(np.uint8)
    number, picture, new = int(film.labels.max()), film.picture.copy(), change(mask)
    picture[new > 0] = int(picture[mask > 0].mean())
    film = replace(film, picture=picture)
    return with_labels(film, (new * np.uint16(number)).astype(np.uint16))


def wider(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a mask whose diameter is larger by a quarter."""
    reach = round(0.125 * 2 * float(np.sqrt(mask.sum() / np.pi)))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(mask, disk), np.uint8)


def with_facts(film: ComparedFilm, **facts: Fact) -> ComparedFilm:
    """Return a film with other values in its header."""
    record = film.record
    said = {**record.acquisition, **facts}
    return replace(film, record=record.model_copy(update={"acquisition": said}))


def test_a_film_against_itself_is_stable() -> None:
    """A film compared with itself is stable and has a magnification of 1."""
    record = compare_films(sample(), sample()).record
    assert record.status == "ok"
    assert record.registration is not None
    assert record.registration.magnification == pytest.approx(1.0, abs=1e-3)
    assert record.registration.magnification_mm == pytest.approx(1.0, abs=1e-3)
    (lesion,) = record.lesions
    assert (lesion.state, lesion.before_ids, lesion.after_ids) == ("stable", (1,), (1,))
    assert lesion.diameter_change_percent == pytest.approx(0.0, abs=0.2)
    assert lesion.feret_change_percent == pytest.approx(0.0, abs=0.2)
    assert not lesion.looked_up


def test_magnification_is_no_growth() -> None:
    """A lesion enlarged with its bone is stable; its diameters are in pixels of the first film."""
    record = compare_films(sample(), moved_film(sample(), MOVED)).record
    (lesion,) = record.lesions
    assert lesion.state == "stable"
    assert lesion.diameter_change_percent == pytest.approx(0.0, abs=1.5)
    assert lesion.area_after_px is not None
    assert lesion.area_before_px is not None
    assert lesion.area_after_px == pytest.approx(1.21 * lesion.area_before_px, rel=0.02)
    assert lesion.diameter_after_px == pytest.approx(lesion.diameter_before_px, rel=0.015)
    assert record.registration is not None
    assert record.registration.magnification_mm == pytest.approx(1.1, rel=0.01)


def test_growth_and_shrinking_are_reported() -> None:
    """A diameter larger by a quarter is +25 % on a moved film, and -20 % with the films swapped."""
    large = changed(moved_film(sample(), MOVED), wider)
    (grown,) = compare_films(sample(), large).record.lesions
    (shrunk,) = compare_films(large, sample()).record.lesions
    assert (grown.state, shrunk.state) == ("grown", "shrunk")
    assert grown.diameter_change_percent == pytest.approx(25.0, abs=3.0)
    assert shrunk.diameter_change_percent == pytest.approx(-20.0, abs=3.0)
    spacing = sample().record.image
    assert spacing is not None
    assert spacing.spacing_mm is not None
    assert grown.diameter_change_mm == pytest.approx(
        spacing.spacing_mm[0] * (grown.diameter_change_px or 0.0), rel=1e-4
    )
    assert grown.area_change_percent == pytest.approx(
        100 * ((1 + (grown.diameter_change_percent or 0) / 100) ** 2 - 1), rel=1e-3
    )


def with_noise(film: ComparedFilm) -> ComparedFilm:
    """Return a film with noise, as of another exposure."""
    noise = np.random.default_rng(3).normal(0.0, 12.0, film.picture.shape)
    picture = film.picture + 5.0 * cv2.GaussianBlur(noise, (0, 0), 2.0)
    return replace(film, picture=np.asarray(np.clip(picture, 0, 255), np.uint8))


def test_another_outline_of_the_same_edges_is_no_growth() -> None:
    """Half the difference between two outlines is uncertain, unless the film is a copy."""
    copy = moved_film(sample(), MOVED)
    large = replace(changed(copy, wider), picture=copy.picture)
    for film, lowest, highest in ((large, 0.0, 4.0), (with_noise(large), 11.0, 17.0)):
        (lesion,) = compare_films(sample(), film).record.lesions
        assert (lesion.state, lesion.borne_out) == ("stable", 0.0)
        change, doubt = lesion.diameter_change_percent, lesion.diameter_uncertainty_percent
        assert change == pytest.approx(0.0, abs=1.5)
        assert doubt is not None
        assert lowest < doubt < highest


def test_very_different_outlines_of_the_same_edges_are_not_comparable() -> None:
    """If one outline is over twice as large and the films do not differ, nothing is known."""
    film = sample()
    large = changed(film, lambda mask: wider(wider(wider(wider(mask)))))
    (lesion,) = compare_films(film, with_noise(replace(large, picture=film.picture))).record.lesions
    assert lesion.state == "not_comparable"
    assert lesion.reason == "its change is uncertain by more than 50 %"
    assert lesion.diameter_uncertainty_percent is not None
    assert lesion.diameter_uncertainty_percent > 50.0


def test_swapping_the_films_inverts_the_change() -> None:
    """Swapping the films changes the sign of the logarithm of the ratio of the diameters."""
    large = changed(moved_film(sample(), MOVED), wider)
    (there,), (back,) = (
        compare_films(*pair).record.lesions for pair in ((sample(), large), (large, sample()))
    )
    percent = there.diameter_change_percent, back.diameter_change_percent
    assert percent[0] is not None
    assert percent[1] is not None
    assert math.log1p(percent[0] / 100) == pytest.approx(-math.log1p(percent[1] / 100), abs=0.01)


def without(film: ComparedFilm) -> ComparedFilm:
    """Return a film whose only lesion is filled with the bone around it and is not listed."""
    mask = (film.labels > 0).astype(np.uint8)
    filled = cv2.inpaint(film.picture, cv2.dilate(mask, np.ones((15, 15))), 5, cv2.INPAINT_TELEA)
    film = replace(film, picture=np.asarray(filled, np.uint8))
    return with_labels(film, np.zeros(mask.shape, np.uint16))


def test_what_is_on_one_film_only_is_new_or_gone() -> None:
    """A lesion on one film only is new or gone, with a place but no size on the other film."""
    none = without(moved_film(sample(), MOVED))
    (gone,) = compare_films(sample(), none).record.lesions
    assert (gone.state, gone.after_ids, gone.area_after_px) == ("gone", (), None)
    assert gone.contour_before_px is None
    there = moved_film(sample(), MOVED).record.candidates[0].centroid_px
    assert gone.centroid_after_px == pytest.approx(there, abs=2.0)
    (new,) = compare_films(none, sample()).record.lesions
    assert (new.state, new.before_ids, new.diameter_change_percent) == ("new", (), None)


def test_what_a_search_has_missed_is_found_in_the_film() -> None:
    """A lesion that is visible on a film but not listed there is stable, not new or gone."""
    unlisted = changed(moved_film(sample(), MOVED), np.zeros_like)
    for pair in ((sample(), unlisted), (unlisted, sample())):
        (lesion,) = compare_films(*pair).record.lesions
        assert (lesion.state, lesion.looked_up, lesion.borne_out) == ("stable", True, None)
        assert lesion.diameter_change_percent == pytest.approx(0.0, abs=1.5)
        assert lesion.contour_after_px is not None


def smaller(mask: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """Return the middle of a mask."""
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    return np.asarray(depth > share * depth.max(), np.uint8)


def test_a_lesion_that_has_shrunk_below_detection_is_not_gone() -> None:
    """If only its middle is left, without a candidate, it has changed by an unknown amount."""
    film = moved_film(sample(), MOVED)
    left = smaller((film.labels > 0).astype(np.uint8), 0.4)
    picture = without(film).picture.copy()
    picture[left > 0] = film.picture[left > 0]
    shrunk = with_labels(replace(film, picture=picture), np.zeros(left.shape, np.uint16))
    for pair, state in (((sample(), shrunk), "shrunk"), ((shrunk, sample()), "grown")):
        (lesion,) = compare_films(*pair).record.lesions
        assert (lesion.state, lesion.looked_up) == (state, True)
        assert lesion.diameter_change_percent is None
        assert words_of(lesion) == f"1: {state}, by an unknown amount"


@pytest.mark.parametrize("shown", [False, True])
def test_a_weak_candidate_in_its_place_does_not_hide_that_a_lesion_is_gone(shown: bool) -> None:
    """A candidate that was hidden behind the lesion is separate, and is not new."""
    film = moved_film(sample(), MOVED)
    mask = smaller((film.labels > 0).astype(np.uint8), 0.2)
    weak = with_labels(
        replace(film, picture=without(film).picture),
        mask.astype(np.uint16),
        lambda one: replace(one, score=0.6 * one.score, shown=shown),
    )
    lesion, *others = compare_films(sample(), weak).record.lesions
    assert (lesion.state, lesion.before_ids, lesion.after_ids) == ("gone", (1,), ())
    assert [one.state for one in others] == ["not_comparable"] * shown
    assert {one.reason for one in others} <= {"another lesion covers its place on the other film"}
    lesion, *others = compare_films(weak, sample()).record.lesions
    assert (lesion.state, lesion.before_ids, lesion.after_ids) == ("new", (), (1,))
    assert [one.before_ids for one in others] == [(1,)] * shown


def halved(film: ComparedFilm) -> ComparedFilm:
    """Return a film whose only candidate is cut in two, with the same picture."""
    labels = film.labels.astype(np.uint16)
    col = round(film.record.candidates[0].centroid_px[1])
    labels[:, col - 2 : col + 3] = 0
    labels[:, col + 3 :] *= 2
    return with_labels(film, labels)


def test_a_bridge_of_bone_splits_a_lesion() -> None:
    """A new bridge of bone splits a lesion, and its removal merges it; outlines alone do not."""
    film = sample()
    halves, col = halved(film), round(film.record.candidates[0].centroid_px[1])
    picture = film.picture.copy()
    picture[:, col - 12 : col + 13] = 255
    bridged = replace(halves, picture=np.asarray(cv2.blur(picture, (5, 5)), np.uint8))
    states = [
        [lesion.state for lesion in compare_films(*pair).record.lesions]
        for pair in ((film, halves), (film, bridged), (bridged, film))
    ]
    assert states == [["stable"], ["split"], ["merged"]]


def test_pixels_that_are_not_square_make_no_difference() -> None:
    """A film with half as many rows of twice the height gives no change."""
    film = sample()
    image = film.record.image
    assert image is not None
    flat = replace(
        film,
        picture=film.picture[::2],
        field=film.field[::2],
        bone=film.bone[::2],
        pixel_aspect=2.0,
        record=film.record.model_copy(
            update={"image": image.model_copy(update={"rows": film.labels[::2].shape[0]})}
        ),
    )
    flat = with_labels(flat, film.labels[::2].astype(np.uint16))
    for pair in ((film, flat), (flat, film)):
        (lesion,) = compare_films(*pair).record.lesions
        assert lesion.state == "stable"
        assert lesion.diameter_change_percent == pytest.approx(0.0, abs=2.0)
        assert lesion.feret_change_percent == pytest.approx(0.0, abs=2.0)


def test_what_the_other_film_does_not_show_is_not_comparable() -> None:
    """A lesion that the edge of the other film's exposed field cuts is not comparable."""
    film = sample()
    none = changed(film, np.zeros_like)
    row = round(film.record.candidates[0].centroid_px[0])
    field = none.field.copy()
    field[row - 9 : row + 9] = False
    (lesion,) = compare_films(film, replace(none, field=field)).record.lesions
    assert lesion.state == "not_comparable"
    assert lesion.reason == "the other film does not show all of its place"


def test_one_at_the_border_is_not_comparable() -> None:
    """A lesion at the border of a film, which may continue beyond it, is not comparable."""
    flagged = with_labels(
        sample(),
        sample().labels.astype(np.uint16),
        lambda one: replace(one, flags=("touches_image_border",)),
    )
    (lesion,) = compare_films(sample(), flagged).record.lesions
    assert (lesion.state, lesion.reason) == (
        "not_comparable",
        "it reaches the border of a film",
    )


@pytest.mark.parametrize(("share", "comparable"), [(0.04, False), (0.15, True)])
def test_one_near_the_border_is_not_comparable(share: float, comparable: bool) -> None:
    """An outline that ends 0.04 diameters before the border may be that of a lesion it cuts."""
    film = sample()
    (only,) = film.record.candidates
    last = max(row for row, _ in only.contour_px)
    rows = round(last + 1 + share * only.equivalent_diameter_px)
    image = film.record.image
    assert image is not None
    record = film.record.model_copy(update={"image": image.model_copy(update={"rows": rows})})
    near = replace(
        film,
        record=record,
        picture=film.picture[:rows],
        bone=film.bone[:rows],
        field=film.field[:rows],
        labels=film.labels[:rows],
    )
    (lesion,) = compare_films(near, near).record.lesions
    assert (lesion.state != "not_comparable") is comparable


@pytest.mark.parametrize(
    ("fact", "code", "words"),
    [
        ({"body_part_examined": "FOOT"}, "other_body_part", "different body parts"),
        ({"view_position": "LL"}, "other_view", "different views"),
        ({"image_laterality": "L"}, "other_side", "different sides"),
    ],
)
def test_headers_that_differ_are_refused(fact: dict[str, Fact], code: str, words: str) -> None:
    """Films with another body part, view or side are refused, unless headers are ignored.

    A film whose header does not state them is not refused.
    """
    film = with_facts(sample(), body_part_examined="KNEE", view_position="AP", image_laterality="R")
    other = with_facts(film, **fact)
    with pytest.raises(RefusedPairError, match=words) as error:
        compare_films(film, other)
    assert error.value.code == code
    assert compare_films(film, other, ignore_headers=True).record.status == "ok"
    check_headers({}, other.record.acquisition)


def test_a_mirror_image_is_refused() -> None:
    """A mirror image is refused as such, not as a poor fit."""
    film = sample()
    flipped = replace(
        film,
        picture=np.ascontiguousarray(film.picture[:, ::-1]),
        field=np.ascontiguousarray(film.field[:, ::-1]),
        bone=np.ascontiguousarray(film.bone[:, ::-1]),
        labels=np.ascontiguousarray(film.labels[:, ::-1]),
    )
    with pytest.raises(RefusedPairError, match="mirror image") as error:
        compare_films(film, flipped, ignore_headers=True)
    assert error.value.code == "flipped"


def test_other_bones_are_refused() -> None:
    """Another body part is refused because it does not fit, even if headers are ignored."""
    with pytest.raises(RefusedPairError) as error:
        compare_films(sample(), sample("ankle_sclerotic_rim"), ignore_headers=True)
    assert error.value.code in {"poor_fit", "little_common_bone"}


def test_a_film_without_a_reliable_bone_mask_is_refused() -> None:
    """A film without a reliable bone mask is refused, since it cannot be registered."""
    film = sample()
    unsure = BoneRecord(confidence=0.1, assessed=False)
    other = replace(film, record=film.record.model_copy(update={"bone": unsure}))
    with pytest.raises(RefusedPairError, match="bone could not be found") as error:
        compare_films(film, other)
    assert error.value.code == "no_bone"
