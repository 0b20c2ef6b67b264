"""measure_checks.py compares measurements with the planted lesions."""

from dataclasses import replace

import numpy as np
import pytest
from known_cases import MARGINS, KnownCase, phantoms
from measure_checks import Measured, agreement, changed, margins, repeatability

from lesionscan import Candidate, Radiograph
from tests.detection.made import disk
from tests.reporting.made import Disk, Film, make_findings

SHAPE = (120, 100)

LARGER = {"equivalent_diameter_px": 24.0, "feret_max_px": 25.0}


def _case(
    margin: str = "sharp",
    bone_loss: float = 0.5,
    contrast_to_noise: float = 4.0,
    radius: float = 10.0,
) -> KnownCase:
    pixels = np.random.default_rng(1).normal(100.0, 5.0, SHAPE).astype(np.float32)
    lesion = disk(SHAPE, (60, 50), radius)
    pixels[lesion] -= 60.0
    film = Radiograph(pixels=pixels, valid=np.ones(SHAPE, bool))
    return KnownCase("film", film, lesion, margin, bone_loss, contrast_to_noise)


def _candidate(**facts: object) -> Candidate:
    film = Film(disks=(Disk(row=60, column=60, radius=10, score=0.9),))
    candidate = make_findings(film).candidates[0]
    return replace(candidate, region=replace(candidate.region, **facts))  # type: ignore[arg-type]


def _row(lines: list[str], name: str) -> list[str]:
    (row,) = (line for line in lines if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_bias_and_error_are_those_of_the_hits() -> None:
    """Bias and error are those of the hit lesions; a lesion without a hit is counted.

    The bone losses are 0.1, 0.1 and 0.2 too high.
    """
    lesions = [
        Measured(_case(bone_loss=0.2), _candidate(bone_loss=0.3, bone_loss_error=0.06)),
        Measured(
            _case(bone_loss=0.4, radius=12.0),
            _candidate(bone_loss=0.5, bone_loss_error=0.06, **LARGER),
        ),
        Measured(
            _case(bone_loss=0.6),
            replace(_candidate(bone_loss=0.8, bone_loss_error=0.06), shown=False),
        ),
        Measured(_case(), _candidate(bone_loss=None, bone_loss_error=None)),
        Measured(_case(), None),
    ]
    lines = list(agreement(lesions))

    assert lines[0] == "5 lesions of 10 px or more, 4 hit"
    assert _row(lines, "bone_loss")[1:4] == ["3", "+0.100", "0.100"]
    assert _row(lines, "bone_loss, shown")[1:4] == ["2", "+0.100", "0.100"]
    assert _row(lines, "equivalent diameter (log)")[1] == "4"
    assert _row(lines, "equivalent diameter (log), shown")[1] == "3"
    assert lines[-1].endswith("0.67")


def test_words_are_counted_by_what_was_planted() -> None:
    """Margins of clear lesions are counted by planted kind; an unknown margin is not an error."""
    lesions = [
        Measured(_case("sharp"), _candidate(margin="sharp")),
        Measured(_case("sharp"), _candidate(margin="ill_defined")),
        Measured(_case("permeative"), _candidate(margin=None)),
        Measured(_case("permeative", contrast_to_noise=2.9), _candidate(margin="sharp")),
        Measured(_case("permeative"), None),
    ]
    lines = list(margins(lesions))

    assert lines[0] == "contrast-to-noise 3 or more: 3, with a word 2, right 0.50"
    assert _row(lines, "sharp")[1:] == ["0", "1", "1", "0", "0"]
    assert _row(lines, "permeative")[1:] == ["0", "0", "0", "0", "1"]


def test_variation_is_over_all_films_of_a_lesion() -> None:
    """Diameters of 19, 20 and 21 vary by 5 %; films without a hit are counted."""
    found = [_candidate(feret_max_px=value) for value in (19.0, 20.0, 21.0)]
    lines = list(repeatability([Measured(_case(), found[0], (found[1], None, found[2]))]))

    assert lines[0] == "1 lesions, 3 changed films, lesion not hit in 1"
    assert _row(lines, "feret_max_px")[1:] == ["1", "5.0", "5.0"]


def test_the_lesion_is_where_it_was_in_a_changed_film() -> None:
    """In rotated and smaller films, the lesion mask is still dark inside and bright outside."""
    films = list(changed(_case()))

    assert [scale for _, _, scale in films] == [1.0, 1.0, 0.8, 1.0]
    for radiograph, lesion, scale in films:
        inside = radiograph.pixels[lesion].mean()
        outside = radiograph.pixels[~lesion].mean()
        spread = radiograph.pixels[~lesion].std()
        assert inside < outside - 3 * spread
        assert np.count_nonzero(lesion) == pytest.approx(scale**2 * 317, rel=0.05)


@pytest.mark.slow
def test_phantoms_have_each_margin_in_turn() -> None:
    """Each phantom has one lesion with a known bone loss and, by its seed, one of the margins."""
    cases = list(phantoms(6, 5000))

    assert len(cases) == 6
    assert {case.margin for case in cases} == set(MARGINS)
    for case in cases:
        assert case.margin == MARGINS[int(case.name.rpartition("_")[2]) % len(MARGINS)]
        assert case.lesion.any()
        assert 0.0 < case.bone_loss <= 1.0
