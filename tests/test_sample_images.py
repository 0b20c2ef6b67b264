"""The sample images, scanned with default settings, give the expected results."""

import hashlib
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from lesionscan import Findings, find_candidates, read_radiograph
from lesionscan.detection.pipeline import PIPELINE
from lesionscan.evaluation.matching import match_candidates
from lesionscan.evaluation.truth import load_truth, read_mask

SAMPLES = Path(__file__).parents[1] / "sample_images"
FROZEN = {
    1: "3400fa1fc801715109f23a9036b56166acb88d72f019734db9882a4860148f54",
    2: "643108953b159c0057615b0307657abb745ed6dfde42bc3bebd8c1b5507334e8",
    3: "643108953b159c0057615b0307657abb745ed6dfde42bc3bebd8c1b5507334e8",
    4: "df7aaf33de70a21e5b15d475e7596ca3fb200d46219656b6eb4ac25633167163",
    5: "ad88c3091cf580358bb5a4d4e783c03afdfede40ee3e43d9df1fc30ccda60b12",
    6: "ad88c3091cf580358bb5a4d4e783c03afdfede40ee3e43d9df1fc30ccda60b12",
    7: "5a8e087bf9019538a1741e9c7d050d1ba2ac111a573dfbe8121019a261456aa8",
}
"""PIPELINE -> SHA-256 of expected.json."""
NAMES = sorted(path.name for path in (SAMPLES / "images").glob("*.dcm"))


@cache
def _findings(name: str) -> Findings:
    return find_candidates(read_radiograph(SAMPLES / "images" / name))


def test_there_are_at_least_eight_and_together_they_are_small() -> None:
    """There are at least eight films, and the folder is smaller than 12 MB."""
    assert len(NAMES) >= 8
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < 12e6


def test_other_frozen_results_are_those_of_another_pipeline() -> None:
    """PIPELINE is increased when expected.json changes, so that runs search films again."""
    frozen = hashlib.sha256((SAMPLES / "expected.json").read_bytes()).hexdigest()
    assert FROZEN.get(PIPELINE) == frozen, (
        "expected.json has changed: raise PIPELINE in detection/pipeline.py, and add it to FROZEN"
    )
    assert max(FROZEN) == PIPELINE


@pytest.mark.parametrize("name", NAMES)
def test_the_frozen_results_come_back(name: str) -> None:
    """Shown candidates equal expected.json: scores within 0.01, positions 1 px, areas 2 %."""
    expected = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))[name]

    shown = [candidate for candidate in _findings(name).candidates if candidate.shown]

    assert len(shown) == len(expected)
    for candidate, frozen in zip(shown, expected, strict=True):
        assert candidate.score == pytest.approx(frozen["score"], abs=0.01)
        assert candidate.region.centroid_px == pytest.approx(frozen["centroid_px"], abs=1.0)
        assert candidate.region.area_px == pytest.approx(frozen["area_px"], rel=0.02)


def test_planted_lesions_are_found_placed_and_measured() -> None:
    """Of lesions with a contrast-to-noise ratio of 3 or more, 90 % are shown, measured within 15 %.

    On average, at most one false positive per image is shown. The errors of area and equivalent
    diameter are medians. The sample images were selected, so this does not apply to other films.
    """
    index = {film["name"]: film for film in json.loads((SAMPLES / "index.json").read_text("utf-8"))}
    clear = found = others = 0
    area_errors, diameter_errors = [], []
    for film in load_truth(SAMPLES):
        lesions = read_mask(film.mask)
        shown = [c for c in _findings(film.image.name).candidates if c.shown]
        match = match_candidates([c.region.centroid_px for c in shown], lesions)
        others += len(match.others)
        hits = dict(match.hits)
        for fact in index[film.name]["lesion_facts"]:
            if fact["contrast_to_noise"] < 3.0:
                continue
            clear += 1
            if fact["label"] in hits:
                found += 1
                region = shown[hits[fact["label"]]].region
                area_errors.append(abs(region.area_px / fact["area_px"] - 1))
                diameter = region.equivalent_diameter_px / fact["equivalent_diameter_px"]
                diameter_errors.append(abs(diameter - 1))

    assert clear >= 10
    assert found >= 0.9 * clear
    assert others <= len(NAMES)
    assert np.median(area_errors) <= 0.15
    assert np.median(diameter_errors) <= 0.15
