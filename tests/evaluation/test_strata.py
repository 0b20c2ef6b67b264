"""Lesions are measured and divided into strata as documented."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lesionscan.detection.grid import Footprint
from lesionscan.detection.measure import measure_regions
from lesionscan.evaluation.matching import lesion_pixels
from lesionscan.evaluation.strata import (
    LesionFacts,
    lesion_facts,
    lesion_to_bone_widths,
    strata,
)
from lesionscan.evaluation.truth import TruthFilm


def disk(shape: tuple[int, int], centre: tuple[int, int], radius: float) -> NDArray[np.bool_]:
    """Return a disk."""
    rows, cols = np.indices(shape)
    return np.asarray(np.hypot(rows - centre[0], cols - centre[1]) <= radius)


def shaft(lesion: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return the lesion as label 1, and a bone 40 px wide (columns 40 to 79)."""
    bone = np.zeros(lesion.shape, bool)
    bone[:, 40:80] = True
    return lesion.astype(np.int32), bone


@pytest.mark.parametrize(("radius", "expected"), [(5.0, 0.26), (10.0, 0.51), (16.0, 0.80)])
def test_the_width_of_a_disk_in_a_shaft(radius: float, expected: float) -> None:
    """Disks of 10.5, 20.5 and 32.5 px in a shaft of 40 px have the expected relative widths."""
    lesions, bone = shaft(disk((200, 120), (100, 60), radius))
    widths = lesion_to_bone_widths(lesion_pixels(lesions), bone)
    assert widths[1] == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize(
    ("rows", "cols", "width"), [((80, 120), (56, 64), 0.2), ((96, 104), (40, 80), 1.0)]
)
def test_a_slit_is_as_wide_as_it_lies_across_the_bone(
    rows: tuple[int, int], cols: tuple[int, int], width: float
) -> None:
    """Width is measured across the bone: for 8 x 40 px in a shaft of 40, 1/5 along it, 1 across."""
    mask = np.zeros((200, 120), bool)
    mask[rows[0] : rows[1], cols[0] : cols[1]] = True
    lesions, bone = shaft(mask)
    assert lesion_to_bone_widths(lesion_pixels(lesions), bone)[1] == pytest.approx(width, abs=0.03)


def test_a_hole_in_the_mask_is_filled_by_the_lesion() -> None:
    """The width is the same whether the bone mask contains the lesion or not."""
    lesions, bone = shaft(disk((200, 120), (100, 60), 12))
    pixels = lesion_pixels(lesions)
    assert lesion_to_bone_widths(pixels, bone & (lesions == 0)) == lesion_to_bone_widths(
        pixels, bone
    )


def test_a_lesion_wider_than_its_bone_is_as_wide_as_itself() -> None:
    """A lesion of 60 px on a shaft of 40 px has a relative width of 1."""
    lesions, bone = shaft(disk((200, 120), (100, 60), 30))
    assert lesion_to_bone_widths(lesion_pixels(lesions), bone)[1] == pytest.approx(1.0, abs=0.03)


def test_a_wider_bone_beside_it_does_not_count() -> None:
    """The width is relative to the lesion's own bone, not to a thicker one next to it."""
    bone = np.zeros((200, 200), bool)
    bone[:, 20:40] = True
    bone[:, 50:150] = True
    lesions = disk(bone.shape, (100, 30), 5).astype(np.int32)
    width = lesion_to_bone_widths(lesion_pixels(lesions), bone)[1]
    assert width == pytest.approx(0.52, abs=0.03)


def test_a_large_film_is_measured_on_fewer_pixels() -> None:
    """A film of 3000 rows is measured on every third pixel, within 0.01."""
    mask = np.zeros((3000, 400), bool)
    mask[1000:1041, 180:221] = True
    bone = np.zeros(mask.shape, bool)
    bone[:, 100:300] = True
    width = lesion_to_bone_widths(lesion_pixels(mask.astype(np.int32)), bone)[1]
    assert width == pytest.approx(41 / 200, abs=0.01)


def test_without_bone_there_is_no_width() -> None:
    """A lesion outside of bone has no relative width."""
    bone = np.zeros((50, 50), bool)
    lesions = disk(bone.shape, (25, 25), 4).astype(np.int32)
    assert lesion_to_bone_widths(lesion_pixels(lesions), bone) == {1: None}


def test_truth_and_candidates_have_one_definition() -> None:
    """A lesion has the same relative width as a candidate with the same pixels."""
    lesions, bone = shaft(disk((200, 120), (100, 55), 9))
    image = np.where(lesions > 0, 0.3, 0.7).astype(np.float32)
    rows, cols = (slice(at.min(), at.max() + 1) for at in np.nonzero(lesions))
    (region,) = measure_regions(
        (Footprint(1, (rows, cols), lesions[rows, cols] > 0),), image, bone,
        exposed=np.ones_like(bone), opaque=np.zeros_like(bone),
        lucency=np.zeros_like(image), spacing=None, pixel_aspect=1.0,
    )  # fmt: skip
    widths = lesion_to_bone_widths(lesion_pixels(lesions), bone)
    assert widths[1] == region.lesion_to_bone_width


def facts_of(facts: dict[str, Any], bone: NDArray[np.bool_] | None = None) -> LesionFacts:
    """Return the facts of a lesion of 10 x 20 px on a film of 100 x 200 px."""
    mask = np.zeros((100, 200), np.int32)
    mask[10:20, 30:50] = 4
    film = TruthFilm("k", Path("k.png"), Path("k.lesions.png"), {"lesions": 1, **facts})
    return lesion_facts(film, lesion_pixels(mask), mask.shape, bone)[0]


def test_a_lesion_is_described_by_its_pixels() -> None:
    """Centroid, area, equivalent diameter and size relative to the long side are measured."""
    facts = facts_of({})
    assert (facts.number, facts.centroid_px, facts.area_px) == (4, (14.5, 39.5), 200)
    assert facts.equivalent_diameter_px == pytest.approx(math.sqrt(800 / math.pi))
    assert facts.size == pytest.approx(facts.equivalent_diameter_px / 200)
    assert (facts.lesion_to_bone_width, facts.contrast_to_noise) == (None, None)
    assert (facts.body_part, facts.subtype, facts.kind) == ("unknown", "unknown", "unknown")


def test_what_the_index_says_comes_first() -> None:
    """Values in the index take precedence, those of the lesion over those of the film."""
    bone = np.zeros((100, 200), bool)
    bone[:, 20:60] = True
    stated = {
        "label": 4,
        "lesion_to_bone_width": 0.9,
        "contrast_to_noise": 3,
        "subtype": "Moth_eaten",
    }
    facts = facts_of({"lesion_facts": [stated], "body_part": "FEMUR", "subtype": "x"}, bone)
    assert (facts.lesion_to_bone_width, facts.contrast_to_noise) == (0.9, 3.0)
    assert (facts.body_part, facts.subtype) == ("femur", "moth eaten")


@pytest.mark.parametrize("value", [None, "0.9", float("nan"), True])
def test_what_the_index_does_not_say_is_measured(value: object) -> None:
    """Without a valid width in the index, it is measured; facts of other lesions are ignored."""
    bone = np.zeros((100, 200), bool)
    bone[:, 20:60] = True
    stated = [{"label": 4, "lesion_to_bone_width": value}, {"label": 1, "contrast_to_noise": 7.0}]
    facts = facts_of({"lesion_facts": stated}, bone)
    assert facts.lesion_to_bone_width == pytest.approx(20 / 40, abs=0.02)
    assert facts.contrast_to_noise is None


def lesion(**facts: object) -> LesionFacts:
    """Return a lesion with some facts."""
    known: dict[str, Any] = {
        "number": 1,
        "centroid_px": (1.0, 1.0),
        "area_px": 100,
        "equivalent_diameter_px": 11.3,
        "size": 0.1,
        "lesion_to_bone_width": None,
        "contrast_to_noise": None,
        "body_part": "unknown",
        "subtype": "unknown",
        "kind": "unknown",
    }
    return LesionFacts(**(known | facts))


def split(family: str, lesions: list[LesionFacts]) -> dict[str, list[int]]:
    """Return the indices of the lesions in each stratum of the family."""
    return {
        name: np.flatnonzero(chosen).tolist()
        for one, name, chosen in strata(lesions)
        if one == family
    }


@pytest.mark.parametrize(
    ("family", "values", "expected"),
    [
        (
            "lesion_to_bone_width",
            [0.33, 1 / 3, 2 / 3, 0.67, None],
            {"< 1/3": [0], "1/3 to 2/3": [1, 2], "> 2/3": [3], "unknown": [4]},
        ),
        (
            "contrast_to_noise",
            [1.9, 2.0, 5.0, 5.1, None],
            {"< 2": [0], "2 to 5": [1, 2], "> 5": [3], "unknown": [4]},
        ),
        (
            "size",
            [0.04, 0.05, 0.1, 0.2, 0.21],
            {"< 0.05": [0], "0.05 to 0.1": [1], "0.1 to 0.2": [2, 3], "> 0.2": [4]},
        ),
    ],
)
def test_bands_hold_their_ends(
    family: str, values: list[float | None], expected: dict[str, list[int]]
) -> None:
    """Values on the outer limits belong to the band between; unknown values have their own."""
    lesions = [lesion(**{family: value}) for value in values]
    assert split(family, lesions) == expected
    assert list(split(family, lesions)) == list(expected)


def test_lesions_under_8_px_are_apart() -> None:
    """Lesions below 8 px, which are only a few pixels, have their own stratum."""
    lesions = [lesion(equivalent_diameter_px=value) for value in (7.9, 8.0)]
    assert split("size_px", lesions) == {"< 8 px": [0], "8 px or more": [1]}


def test_words_split_only_where_they_are_given() -> None:
    """Body parts are sorted, with "unknown" last; a family without any value has no strata."""
    lesions = [lesion(body_part="tibia"), lesion(), lesion(body_part="femur")]
    assert split("body_part", lesions) == {"femur": [2], "tibia": [0], "unknown": [1]}
    assert list(split("body_part", lesions)) == ["femur", "tibia", "unknown"]
    assert split("subtype", lesions) == {}


def test_every_lesion_is_in_one_stratum_of_each_family() -> None:
    """Strata of one family do not overlap, and together contain every lesion."""
    lesions = [lesion(size=0.01, kind="lytic"), lesion(contrast_to_noise=3.0)]
    counts: dict[str, NDArray[np.int64]] = {}
    for family, _, chosen in strata(lesions):
        counts[family] = counts.get(family, np.zeros(2, np.int64)) + chosen
    assert set(counts) == {"lesion_to_bone_width", "contrast_to_noise", "size", "size_px", "kind"}
    assert all(count.tolist() == [1, 1] for count in counts.values())
