"""The terms add up to the fitted model and give the requested number of false positives."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from lesionscan.detection.scorer.scorer_file import TermEffect, shipped_scorer
from lesionscan.detection.scorer.terms import TERMS
from lesionscan.simulation.phantom import make_phantom
from lesionscan.training import weigh as weighing
from lesionscan.training.errors import TrainingError
from lesionscan.training.films import FAINT, LESION, TrainingFilm
from lesionscan.training.weigh import LabelledRegions, labelled_regions, weigh

NAMES = [term.name for term in TERMS]


def made_films(levels: int = 12, films: int = 60) -> list[LabelledRegions]:
    """Return regions with few distinct values; lucent and enclosed ones tend to be hits."""
    rng = np.random.default_rng(1)
    made = []
    for number in range(films):
        values = rng.integers(0, levels, (30, len(TERMS))) / levels
        speaks = 3 * values[:, NAMES.index("lucency")] + values[:, NAMES.index("enclosed")]
        hit = speaks + rng.normal(0, 0.5, 30) > 3.2
        free = number % 2 == 0
        made.append(
            LabelledRegions(values, np.zeros(30, np.bool_) if free else hit, lesion_free=free)
        )
    return made


def log_odds(
    values: NDArray[np.float64], offset: float, terms: tuple[TermEffect, ...]
) -> NDArray[np.float64]:
    """Return the log-odds that offset and terms give to the regions."""
    rows = [offset + sum(term.of(row[NAMES.index(term.name)]) for term in terms) for row in values]
    return np.array(rows, np.float64)


def test_the_terms_add_up_to_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to a constant, the terms add up to the model's decision function."""
    models: list[Any] = []
    fit = HistGradientBoostingClassifier.fit

    def noted(model: object, values: object, hit: object) -> object:
        models.append(model)
        return fit(model, values, hit)

    monkeypatch.setattr(HistGradientBoostingClassifier, "fit", noted)
    rated = made_films()
    offset, terms = weigh(rated, false_alarms=1.0)
    values = np.concatenate([film.values for film in rated])
    added = log_odds(values, offset, terms)
    model = models[0].decision_function(values)
    assert np.ptp(model) > 4
    assert np.ptp(added - model) < 2e-3  # rounding of 18 terms


@pytest.mark.parametrize("false_alarms", [0.1, 0.5, 2.0])
def test_the_stated_number_of_false_alarms_is_left(false_alarms: float) -> None:
    """On 30 lesion-free films, the requested number of regions per film scores at least 0.5."""
    rated = made_films(levels=1000)
    offset, terms = weigh(rated, false_alarms=false_alarms)
    free = np.concatenate([film.values for film in rated if film.lesion_free])
    assert (log_odds(free, offset, terms) >= 0).sum() == false_alarms * 30


def test_no_more_false_alarms_than_regions() -> None:
    """If more false positives are allowed than there are regions, all reach 0.5."""
    assert weighing._offset(np.array([-1.0, 2.0]), 2) == pytest.approx(1.0, abs=2e-4)
    assert -1.0 + weighing._offset(np.array([-1.0, 2.0]), 2) > 0
    assert -1.0 + weighing._offset(np.array([-1.0, 2.0]), 1) < 0


def test_what_the_network_sees_never_speaks_against_a_lesion() -> None:
    """Effects of lucency never decrease, mean effects are 0, terms without effect are omitted."""
    rated = made_films()
    _, terms = weigh(rated, false_alarms=1.0)
    effects = {term.name: term for term in terms}
    assert [name for name in NAMES if name in effects] == list(effects)
    assert all(any(term.effect) for term in terms)
    for name in {"lucency", "lucency_peak"} & set(effects):
        assert (np.diff(effects[name].effect) >= 0).all()
    assert effects["lucency"].effect[-1] - effects["lucency"].effect[0] > 2
    values = np.concatenate([film.values for film in rated])
    for term in terms:
        mean = np.mean([term.of(value) for value in values[:, NAMES.index(term.name)]])
        assert mean == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("kept", ["no lesions", "no lesion-free films"])
def test_terms_need_both_kinds_of_film(kept: str) -> None:
    """Weighing the terms requires a hit and a lesion-free film."""
    rated = [film for film in made_films() if film.lesion_free == (kept == "no lesions")]
    with pytest.raises(TrainingError, match="the terms can only be weighed if"):
        weigh(rated, false_alarms=1.0)


@pytest.fixture(scope="module")
def phantom() -> TrainingFilm:
    """Return a small phantom of a knee with lesions."""
    made = make_phantom("knee", 5, lesions=2, long_side_px=320)
    low, high = made.stored.min(), made.stored.max()
    grey = (made.stored.astype(np.float64) - low) / (high - low)
    if made.film.photometric == "MONOCHROME1":
        grey = 1 - grey
    return TrainingFilm(
        name="knee",
        source="film knee",
        image=np.rint(255 * grey).astype(np.uint8),
        lesions=np.where(made.lesions > 0, LESION, 0).astype(np.uint8),
        bone=np.where(made.bone, 255, 0).astype(np.uint8),
        bone_outline="whole",
    )


def _with_lesions(film: TrainingFilm, lesions: NDArray[np.uint8]) -> TrainingFilm:
    return TrainingFilm(film.name, film.source, film.image, lesions, film.bone, film.bone_outline)


def test_regions_on_lesions_are_hits(phantom: TrainingFilm) -> None:
    """Some regions of a film with lesions are hits; without lesions none is."""
    rated = labelled_regions(phantom, scorer=shipped_scorer())
    assert rated.values.shape == (len(rated.hit), len(TERMS))
    assert np.isfinite(rated.values).all()
    assert 0 < rated.hit.sum() < len(rated.hit)
    assert not rated.lesion_free
    free = labelled_regions(
        _with_lesions(phantom, np.zeros_like(phantom.lesions)), scorer=shipped_scorer()
    )
    assert free.lesion_free
    assert not free.hit.any()
    np.testing.assert_array_equal(free.values, rated.values)


def test_regions_on_faint_lesions_are_left_away(phantom: TrainingFilm) -> None:
    """Regions on faint lesions are left out."""
    rated = labelled_regions(phantom, scorer=shipped_scorer())
    faint = np.where(phantom.lesions > 0, FAINT, 0).astype(np.uint8)
    without = labelled_regions(_with_lesions(phantom, faint), scorer=shipped_scorer())
    assert not without.lesion_free
    np.testing.assert_array_equal(without.values, rated.values[~rated.hit])


def test_a_film_without_regions_is_rated() -> None:
    """A uniform film without regions gives empty arrays of the right shape."""
    nothing = np.zeros((64, 48), np.uint8)
    film = TrainingFilm("even", "film even", nothing, nothing, nothing, "none")
    rated = labelled_regions(film, scorer=shipped_scorer())
    assert rated.values.shape == (0, len(TERMS))
    assert rated.hit.shape == (0,)
    assert rated.lesion_free
