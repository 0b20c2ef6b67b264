"""Signs of a candidate: only clear measurements are reported, in a fixed order."""

from dataclasses import replace

import pytest

from lesionscan.detection.measure import Region
from lesionscan.detection.measurements import Flag
from lesionscan.detection.place import Location
from lesionscan.detection.signs import RULES, signs_of
from tests.reporting.made import make_findings

SILENT: dict[str, object] = {
    "lucency": 0.6,
    "contrast": 0.1,
    "contrast_to_noise": 0.8,
    "cortex_break_px": None,
    "cortex_break_mm": None,
    "bone_expansion": None,
    "scalloping_band": None,
    "bone_loss": None,
    "margin": None,
    "enclosure": 0.7,
    "ring_in_bone": 1.0,
    "solidity": 0.8,
    "eccentricity": 0.93,
    "bone_fraction": 1.0,
    "flags": (),
    "location": None,
}
"""Facts of a region that has no sign except that of the network."""


def _region(**facts: object) -> Region:
    region = make_findings().candidates[0].region
    return replace(region, **{**SILENT, **facts})  # type: ignore[arg-type]


def test_unclear_measurements_are_no_signs() -> None:
    """A region without clear measurements has only the sign of the network."""
    (sign,) = signs_of(_region())

    assert (sign.name, sign.speaks) == ("network", "for")
    assert sign.text == "network: clearly suggests a lesion (mean 0.60)"


def test_what_lies_outside_bone_is_not_enclosed_and_has_no_place() -> None:
    """A region mostly outside bone has neither brighter bone around it nor a place on a bone."""
    place = Location(1, 0.5, 0.1, long_bone=True, text="long bone, third not determined")
    on_bone, beside_it = (
        {
            sign.name
            for sign in signs_of(_region(enclosure=0.95, location=place, bone_fraction=fraction))
        }
        for fraction in (0.5, 0.44)
    )

    assert on_bone == {"network", "enclosure", "place"}
    assert beside_it == {"network", "outside_bone"}


def test_no_bone_is_missing_where_most_lies_outside_bone() -> None:
    """Bone loss is not reported if most of the region lies outside bone."""
    on_bone, beside_it = (
        {sign.name for sign in signs_of(_region(bone_loss=0.98, bone_fraction=fraction))}
        for fraction in (0.5, 0.44)
    )

    assert on_bone == {"network", "darkness"}
    assert beside_it == {"network", "outside_bone"}


@pytest.mark.parametrize(
    ("facts", "name", "speaks", "text"),
    [
        ({"lucency": 0.9}, "network", "for", "network: strongly suggests a lesion (mean 0.90)"),
        ({"lucency": 0.3}, "network", "for", "network: weakly suggests a lesion (mean 0.30)"),
        ({"lucency": 0.1}, "network", "against",
         "network: hardly any sign of a lesion (mean 0.10)"),
        ({"lucency": 0.01}, "network", "against", "network: no sign of a lesion (mean 0.01)"),
        ({"contrast_to_noise": 1.9}, "darkness", "for",
         "darker than the surrounding bone (contrast-to-noise 1.9)"),
        ({"contrast_to_noise": 3.0, "flags": (Flag.LITTLE_BONE_AROUND,)}, "darkness", "for",
         "much darker than its surroundings (contrast-to-noise 3.0)"),
        ({"contrast_to_noise": 9.0, "contrast": 0.04}, "darkness", "for",
         "darker than the surrounding bone (contrast-to-noise 9.0)"),
        ({"contrast_to_noise": 3.0, "contrast": 0.05}, "darkness", "for",
         "much darker than the surrounding bone (contrast-to-noise 3.0)"),
        ({"contrast_to_noise": 3.0, "bone_fraction": 0.4}, "darkness", "for",
         "much darker than its surroundings (contrast-to-noise 3.0)"),
        ({"contrast_to_noise": 0.4, "lucency": 0.4}, "darkness", "against",
         "hardly darker than the surrounding bone"),
        ({"contrast": -0.1, "contrast_to_noise": -2.0, "lucency": 0.4}, "darkness", "against",
         "hardly darker than the surrounding bone"),
        ({"cortex_break_px": 12.0, "cortex_break_mm": 6.0}, "cortex_break", "for",
         "cortex broken over 6 mm"),
        ({"cortex_break_px": 12.0}, "cortex_break", "for", "cortex broken over 12 px"),
        ({"bone_expansion": 1.31}, "expansion", "for", "bone expanded to 1.3 times its width"),
        ({"scalloping_band": "over_half"}, "scalloping", "for",
         "cortex thinned from the inside by over half of its thickness"),
        ({"scalloping_band": "under_half"}, "scalloping", "for",
         "cortex thinned from the inside by less than half of its thickness"),
        ({"bone_loss": 0.45}, "darkness", "for", "less dense than the bone around"),
        ({"bone_loss": 0.55}, "darkness", "for", "much less dense than the bone around"),
        ({"margin": "sharp_with_rim"}, "margin", "for", "a sharp margin with a bright rim"),
        ({"margin": "sharp"}, "margin", "for", "a sharp margin"),
        ({"margin": "ill_defined"}, "margin", "neither", "an ill-defined margin"),
        ({"margin": "permeative"}, "margin", "neither", "a permeative margin"),
        ({"enclosure": 0.95}, "enclosure", "for", "brighter bone on all sides"),
        ({"enclosure": 0.25, "lucency": 0.4}, "enclosure", "against",
         "no brighter bone on 75 % of its sides"),
        ({"solidity": 0.95, "eccentricity": 0.5}, "shape", "for",
         "a compact round or oval outline"),
        ({"eccentricity": 0.98}, "shape", "against",
         "long and narrow, as canals, gaps and grooves are"),
        ({"bone_fraction": 0.4}, "outside_bone", "against",
         "60 % of it and its surroundings outside bone"),
        ({"flags": (Flag.TOUCHES_FIELD_BORDER,)}, "border", "against",
         "at the edge of the film or of the exposed field"),
        ({"flags": (Flag.NEAR_METAL,)}, "border", "against", "beside a marker or metal"),
    ],
)  # fmt: skip
def test_what_is_clear_is_said(facts: dict[str, object], name: str, speaks: str, text: str) -> None:
    """Each clear measurement gives a sign with the expected direction and text."""
    found = {sign.name: sign for sign in signs_of(_region(**facts))}[name]

    assert (found.speaks, found.text) == (speaks, text)


@pytest.mark.parametrize(
    "facts",
    [
        {"cortex_break_px": 0.0},
        {"enclosure": 0.25},  # but the network sees it
        {"enclosure": 0.95, "ring_in_bone": 0.85},  # brighter, but not all of it is bone
        {"bone_expansion": 1.09},
        {"bone_loss": 0.1},
        {"scalloping_band": "none"},
        {"flags": (Flag.SATURATED,)},
        {"contrast": -0.1, "contrast_to_noise": -2.0, "enclosure": 0.0},  # but the network sees it
        {"solidity": 0.95, "eccentricity": 0.5, "flags": (Flag.TOO_SMALL_TO_SHAPE,)},
    ],
)
def test_what_is_not_there_is_not_said(facts: dict[str, object]) -> None:
    """A measurement that is only below its threshold is not reported as absent."""
    assert [sign.name for sign in signs_of(_region(**facts))] == ["network"]


def test_a_broken_cortex_is_not_thinned_too() -> None:
    """A cortex that is broken is not also reported as thinned."""
    facts = {"cortex_break_px": 9.0, "scalloping_band": "over_half"}
    assert [sign.name for sign in signs_of(_region(**facts))] == ["network", "cortex_break"]


def test_the_network_is_first_then_for_then_against_then_the_place() -> None:
    """The order is always: the network, signs for a lesion, signs against it, the place."""
    place = make_findings().candidates[0].region.location
    region = _region(lucency=0.1, location=place, enclosure=0.2, bone_expansion=1.5)

    said = [(sign.name, sign.speaks) for sign in signs_of(region)]

    assert said == [
        ("network", "against"),
        ("expansion", "for"),
        ("enclosure", "against"),
        ("place", "neither"),
    ]


def test_words_can_be_drawn_and_names_are_unique() -> None:
    """Texts are ASCII, the only letters that OpenCV draws; each rule has a name and a meaning."""
    assert all(sign.text.isascii() for sign in signs_of(_region(bone_expansion=1.5)))
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.meaning.endswith(".") for rule in RULES)


def test_a_break_and_bone_on_all_sides_contradict_each_other() -> None:
    """Neither is reported; a break counts where not all of the surroundings are bone."""
    region = _region(cortex_break_px=9.0, enclosure=0.95)
    assert [sign.name for sign in signs_of(region)] == ["network"]

    region = replace(region, ring_in_bone=0.85)
    assert [sign.name for sign in signs_of(region)] == ["network", "cortex_break"]
