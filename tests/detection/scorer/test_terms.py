"""Terms of the score: values calculated by hand, and texts."""

from dataclasses import replace

import pytest

from lesionscan.detection.measure import Region
from lesionscan.detection.measurements import Flag
from lesionscan.detection.scorer.terms import TERM_BY_NAME, TERMS
from tests.reporting.made import Disk, Film, make_findings


def _region(**facts: object) -> Region:
    film = Film(disks=(Disk(row=60, column=60, radius=20, score=0.9),))
    region = replace(make_findings(film).candidates[0].region, flags=())
    return replace(region, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "facts", "value"),
    [
        ("conspicuous", {"size": 0.1, "contrast_to_noise": 9.0}, 0.3),
        ("conspicuous", {"size": 0.1, "contrast_to_noise": -9.0}, 0.0),
        ("clear", {"contrast": 0.2, "inside_spread": 0.04}, 5.0),
        ("clear", {"contrast": 0.2, "inside_spread": 0.0}, 40.0),
        ("even", {"inside_spread": 0.02, "ring_spread": 0.04}, 0.5),
        ("even", {"inside_spread": 0.02, "ring_spread": 0.0}, 20.0),
        ("enclosed", {"enclosure": 0.75}, 0.75),
        ("weakest_side", {"weakest_side_contrast": 0.05, "contrast": 0.2}, 0.25),
        ("margin", {"weakest_edge_step": -0.1, "contrast": 0.2}, -0.5),
        ("margin", {"weakest_edge_step": 0.01, "contrast": 0.0}, 100.0),
        ("rim", {"rim_contrast": 0.05, "contrast": 0.2}, 0.25),
        ("rim", {"rim_contrast": 0.05, "contrast": -0.2}, 0.0),
        ("edge", {"edge_alignment": 0.6}, 0.6),
        ("in_bone", {"bone_fraction": 0.9}, 0.9),
        ("borders", {"flags": (Flag.SATURATED,)}, 0.0),
        ("borders", {"flags": (Flag.SATURATED, Flag.NEAR_METAL)}, 1.0),
        ("size", {"size": 0.07}, 0.07),
        ("contrast", {"contrast": -0.1}, -0.1),
        ("lucency", {"lucency": 0.4}, 0.4),
        ("lucency_peak", {"lucency_peak": 0.8}, 0.8),
        ("lucency_contrast", {"lucency_contrast": -0.2}, -0.2),
        ("elongated", {"eccentricity": 0.95}, 0.95),
        ("solid", {"solidity": 0.8}, 0.8),
        ("width", {"lesion_to_bone_width": 0.5}, 0.5),
        ("width", {"lesion_to_bone_width": None}, -1.0),
    ],
)
def test_a_term_is_what_its_name_says(name: str, facts: dict[str, object], value: float) -> None:
    """The value of each term equals the one calculated by hand."""
    assert TERM_BY_NAME[name].value(_region(**facts)) == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("conspicuous", {"contrast": -0.1}, {}),
        ("clear", {"contrast": -0.1}, {}),
        ("even", {"inside_spread": 0.2}, {}),
        ("enclosed", {"enclosure": 0.5}, {}),
        ("weakest_side", {"weakest_side_contrast": 0.0}, {}),
        ("margin", {"margin": None, "weakest_edge_step": 0.0}, {"margin": None}),
        ("margin", {"margin": "permeative"}, {"margin": "sharp"}),
        ("margin", {"margin": "ill_defined"}, {"margin": "sharp_with_rim"}),
        ("rim", {"margin_rim": 0.0}, {}),
        ("edge", {"edge_alignment": 0.1}, {}),
        ("in_bone", {"bone_fraction": 0.5}, {}),
        ("borders", {}, {"flags": (Flag.TOUCHES_IMAGE_BORDER,)}),
        ("size", {"size": 0.01}, {}),
        ("contrast", {"contrast": -0.1}, {}),
        ("contrast", {"bone_loss": None}, {}),
        ("lucency", {"lucency": 0.1}, {}),
        ("lucency_peak", {"lucency_peak": 0.1}, {}),
        ("lucency_contrast", {"lucency_contrast": 0.0}, {}),
        ("elongated", {}, {"eccentricity": 0.8}),
        ("elongated", {"eccentricity": 0.8}, {"eccentricity": 0.97}),
        ("solid", {"solidity": 0.5}, {}),
        ("width", {"lesion_to_bone_width": None}, {}),
    ],
)
def test_other_values_have_other_words(
    name: str, low: dict[str, object], high: dict[str, object]
) -> None:
    """The text of each term depends on the measurements."""
    text = TERM_BY_NAME[name].text

    assert text(_region(**low)) != text(_region(**high))


@pytest.mark.parametrize("name", TERM_BY_NAME)
def test_words_are_short_and_can_be_drawn(name: str) -> None:
    """Texts are ASCII, the only letters that OpenCV draws, and have at most 80 of them."""
    text = TERM_BY_NAME[name].text(_region())

    assert text.isascii()
    assert 0 < len(text) <= 80


def test_names_are_unique() -> None:
    """Names of terms are unique, because a scorer file identifies a term by its name."""
    assert len(TERM_BY_NAME) == len(TERMS)
