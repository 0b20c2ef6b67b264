"""A training writes a scorer that the package can use, and reports unsuitable films."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lesionscan.detection.scorer.scorer_file import Scorer, TermEffect, shipped_scorer
from lesionscan.detection.scorer.terms import TERMS
from lesionscan.evaluation.truth import load_truth
from lesionscan.png import encode_png
from lesionscan.simulation.phantom import make_phantom
from lesionscan.simulation.phantom_folder import phantom_film
from lesionscan.simulation.truth_folder import KnownFilm, write_truth_folder
from lesionscan.training.errors import TrainingError
from lesionscan.training.films import training_film
from lesionscan.training.options import TrainingOptions
from tests.training.made import made_film

pytestmark = pytest.mark.train


@pytest.fixture
def recipe() -> Iterator[ModuleType]:
    """Return the module, and restore the number of threads that a training sets."""
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    import torch

    from lesionscan.training import recipe

    threads = torch.get_num_threads()
    yield recipe
    torch.set_num_threads(threads)


@pytest.fixture
def training_set() -> ModuleType:
    """Return the module `training_set`."""
    pytest.importorskip("torch", reason="the extra 'train' is not installed")
    from lesionscan.training import training_set

    return training_set


def blank(name: str, *, lesion: bool = False, **facts: object) -> KnownFilm:
    """Return a small film of one bright bar, with a lesion or without."""
    picture = np.zeros((64, 64), np.uint8)
    picture[16:48] = 200
    lesions = np.zeros((64, 64), np.uint16)
    lesions[30:34, 30:34] = lesion
    return KnownFilm(name, "png", encode_png(picture), lesions, facts=facts)


def phantom(name: str, part: str, seed: int, lesions: int) -> KnownFilm:
    """Return a small phantom."""
    return phantom_film(name, make_phantom(part, seed, lesions=lesions, long_side_px=400))


def run(recipe: ModuleType, out: Path, **options: Any) -> list[str]:  # noqa: ANN401
    """Train with one job; return the lines of progress."""
    lines: list[str] = []
    recipe.train(TrainingOptions.filled_in(out, jobs=1, **options), lines.append)
    return lines


def test_a_scorer_is_made_from_nothing(
    recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training first learns bones on phantoms, then lesions on all films, then weighs the terms.

    Lesions are learnt in two rounds, the second with the false alarms of the first. The fitting,
    tested elsewhere, is replaced: each time the shipped network comes out.
    """
    fitted: list[tuple[list[tuple[int, float]], Any]] = []

    def fit(
        network: object,
        pools: list[Any],
        plan: Any,  # noqa: ANN401
        report: object,
        *,
        checkpoint: Path,
        write: object,
    ) -> object:
        assert network is not None
        assert checkpoint.parent == out.parent / "my.work"
        assert callable(write)
        assert callable(report)
        fitted.append(([(len(pool.films), pool.weight) for pool in pools], plan))
        return recipe.from_onnx(shipped_scorer().network.onnx)

    monkeypatch.setattr(recipe, "fit", fit)
    films, data, out = tmp_path / "films", tmp_path / "data", tmp_path / "new" / "my.scorer"
    # "film knee" is held out: the terms are weighed on it and its variants
    normal = [phantom("knee", "knee", 1, 0), phantom("foot", "hand", 2, 0)]
    write_truth_folder(films, [*normal, blank("measured", use="measure")])
    write_truth_folder(data, [phantom("a", "knee", 5, 2), blank("b")])
    run(recipe, out, films=films, data=data, phantoms=3, variants=3, seed=1)
    (bone_pools, bone), (pools, lesions), (mined_pools, later) = fitted
    assert bone_pools == [(2, 0.75), (1, 0.25)]  # the third phantom and the knee are held out
    assert (bone.steps, bone.learning_rate, bone.seed) == (570, 1.5e-3, 1)
    # planted: the foot, three variants of it, and "b", a labelled film without lesions and bones
    assert pools == [(2, 0.3), (5, 0.7), (1, 0.35), (1, 0.2), (0, 0.25)]
    assert (lesions.steps, lesions.learning_rate, lesions.seed) == (1500, 1.2e-3, 2)
    # films without lesions: the foot, "b" and its copy to plant in; some have false alarms
    assert mined_pools[:4] == pools[:4]
    assert mined_pools[4][0] <= 3
    assert (later.steps, later.learning_rate, later.seed) == (1500, 8e-4, 3)
    scorer = Scorer.from_file(out)
    assert scorer.name == "my"
    assert scorer.terms
    assert {term.name for term in scorer.terms} <= {term.name for term in TERMS}
    assert scorer.about["started from"] == "ImageNet"
    assert scorer.about["phantoms"] == 3
    assert scorer.about["films planted in"] == 2
    assert str(tmp_path) not in json.dumps(dict(scorer.about))


@pytest.mark.slow
def test_a_scorer_learns_from_labelled_films(recipe: ModuleType, tmp_path: Path) -> None:
    """With labelled films alone, the shipped network is trained further and its terms are damped.

    A second run gives the same file.
    """
    data, out = tmp_path / "data", tmp_path / "my.scorer"
    made = [blank(f"film{number}", lesion=number % 2 == 0) for number in range(6)]
    write_truth_folder(data, made)
    lines = run(recipe, out, data=data, steps=1, leave_out="1/3")
    listed = (tmp_path / "my.scorer.left_out.txt").read_text().split()
    assert len(listed) == 2
    assert any("4 labelled films" in line for line in lines)
    first, shipped = Scorer.from_file(out), shipped_scorer()
    assert (first.offset, first.terms) == (shipped.offset, recipe.damped(shipped.terms))
    assert first.network.onnx != shipped.network.onnx
    assert first.about["started from"] == f"scorer lesionscan {shipped.sha256[:8]}"
    run(recipe, out, data=data, steps=1, leave_out="1/3")
    assert Scorer.from_file(out).sha256 == first.sha256


def test_films_must_be_of_the_right_kind(recipe: ModuleType, tmp_path: Path) -> None:
    """A folder without usable normal films, or without labelled lesions, is refused."""
    write_truth_folder(
        tmp_path / "wrong", [blank("lesion", lesion=True), blank("normal", use="measure")]
    )
    write_truth_folder(tmp_path / "normal", [blank("normal")])
    out = tmp_path / "x.scorer"
    with pytest.raises(TrainingError, match="has no film without lesions"):
        run(recipe, out, films=tmp_path / "wrong")
    with pytest.raises(TrainingError, match="has no film with lesions"):
        run(recipe, out, data=tmp_path / "normal")


def test_terms_need_held_out_films_of_both_kinds(recipe: ModuleType, tmp_path: Path) -> None:
    """Two phantoms, none of which is held out, are refused."""
    with pytest.raises(TrainingError, match="must have films with lesions and films without"):
        run(recipe, tmp_path / "x.scorer", start="shipped", phantoms=2)


@pytest.mark.parametrize(
    ("with_lesions", "steps"), [(0, 240), (10, 240), (16, 240), (17, 255), (200, 3000), (201, 3000)]
)
def test_more_labelled_films_are_learnt_from_for_longer(
    recipe: ModuleType, with_lesions: int, steps: int
) -> None:
    """Training takes 15 steps per film with lesions, from 240 to 3000."""
    films = [*[made_film()] * with_lesions, *[made_film(lesions=False)] * 50]
    assert recipe._further_steps(films) == steps


def test_an_unreadable_film_is_left_out(training_set: ModuleType, tmp_path: Path) -> None:
    """Films with an unreadable picture or a missing mask are reported and left out."""
    write_truth_folder(tmp_path, [blank("broken"), blank("good"), blank("bare", lesion=True)])
    (tmp_path / "images" / "broken.png").write_bytes(b"no picture")
    (tmp_path / "masks" / "bare.lesions.png").unlink()
    said: list[str] = []
    options = TrainingOptions.filled_in(tmp_path / "x.scorer", jobs=1)
    with ThreadPoolExecutor(1) as workers:
        work = training_set.Work(options, workers, said.append, 0.0)
        films = work.read(partial(training_film, bone_outline="near"), load_truth(tmp_path))
    assert [film.name for film in films] == ["good"]
    lines = [line.split(" min  ")[1] for line in said]
    assert [line.split(": left out: ")[0] for line in lines] == ["broken", "bare"]


def test_labelled_films_alone_are_all_seen(training_set: ModuleType) -> None:
    """Films are held out from the network only if the terms are weighed on them."""
    films = [made_film(source=source) for source in ("film knee", "film foot")]
    assert [film.held_out for film in films] == [True, False]
    alone = training_set.TrainingSet([], films, films, weighs_terms=False)
    assert [pool.films for pool in alone.pools()] == [[], films, films, [], []]
    weighed = training_set.TrainingSet([made_film()], films, films, weighs_terms=True)
    assert [pool.films for pool in weighed.pools()[1:]] == [films[1:], films[1:], [], []]
    assert weighed.held_out() == [*films[:1], *films[:1]]


def test_mining_uses_the_films_without_lesions(training_set: ModuleType) -> None:
    """Films held out are not mined; those with an alarm form a pool of their own."""
    kept, held_out = (
        made_film(lesions=False, source=source) for source in ("film foot", "film knee")
    )
    films = training_set.TrainingSet(
        [made_film(source="film foot")], [kept, held_out], [], weighs_terms=True
    )
    assert films.without_lesions() == [kept]
    alarmed = replace(kept, alarms=((60, 45),))
    mined = replace(films, mined=[kept, alarmed])
    assert mined.pools()[4].films == [alarmed]


@pytest.mark.parametrize(
    ("steps", "rounds", "shares"),
    [(3000, 2, [1500, 1500]), (5, 2, [3, 2]), (1, 2, [1]), (240, 1, [240])],
)
def test_rounds_share_the_steps(
    recipe: ModuleType, steps: int, rounds: int, shares: list[int]
) -> None:
    """As evenly as possible; a round without a step is left out."""
    assert recipe._shares(steps, rounds) == shares


def test_the_terms_of_what_is_measured_fade(recipe: ModuleType) -> None:
    """Damping keeps the network's terms, and reduces the effects of others to a quarter."""
    terms = (
        TermEffect(name="lucency_peak", at=(0.0, 1.0), effect=(-3.0, 3.0)),
        TermEffect(name="enclosed", at=(0.0, 1.0), effect=(-0.8, 0.4)),
    )
    assert recipe.damped(terms) == (
        terms[0],
        TermEffect(name="enclosed", at=(0.0, 1.0), effect=(-0.2, 0.1)),
    )
