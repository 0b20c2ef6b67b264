"""scripts/research/cross_validate.py evaluates each film with the scorer not trained on it."""

import sys
from dataclasses import replace
from pathlib import Path

import cross_validate
import pytest

from lesionscan.evaluation.truth import TruthError, TruthFilm, load_truth
from lesionscan.simulation.exposure.film import Film
from lesionscan.simulation.phantom import make_phantom
from lesionscan.simulation.phantom_folder import phantom_film
from lesionscan.simulation.truth_folder import KnownFilm, write_truth_folder
from lesionscan.training.folds import left_out_listing
from tests.detection.scorer.made import onnx_network, scorer_bytes, scorer_card


def _film(name: str, **facts: object) -> TruthFilm:
    return TruthFilm(name, Path(name), Path(name), facts)


def _scorer(path: Path, *left_out: str) -> Path:
    card = scorer_card(("lucency", (0.0, 1.0), (-1.0, 1.0)))
    path.write_bytes(scorer_bytes(card, onnx_network(lucency=-1.0)))
    left_out_listing(path).write_text("".join(f"{name}\n" for name in left_out))
    return path


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["cross_validate.py", *map(str, arguments)])
    return cross_validate.main()


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """Return a folder with a lesion planted in film "a", a normal film "b" and a broken one."""
    lesion, normal = (
        phantom_film(name, make_phantom("hand", 1, lesions=count, long_side_px=200, film=Film()))
        for name, count in (("a_01", 1), ("b", 0))
    )
    planted = replace(lesion, facts={**lesion.facts, "source": "a"})
    broken = KnownFilm("c", "dcm", b"", normal.lesions, facts=normal.facts)
    write_truth_folder(tmp_path / "truth", [planted, normal, broken])
    return tmp_path / "truth"


def test_a_film_goes_to_the_scorer_that_left_it_or_its_source_out(tmp_path: Path) -> None:
    """A film with a planted lesion has the scorer that left out its source film."""
    one, two = _scorer(tmp_path / "1.scorer", "a", "c"), _scorer(tmp_path / "2.scorer", "b")

    unseen = cross_validate.unseen_by([one, two], [_film("a_01", source="a"), _film("b")])

    assert unseen == {"a_01": one, "b": two}


def test_the_own_name_comes_before_the_source(tmp_path: Path) -> None:
    """A film's own name takes precedence over its source, which need not be a film."""
    one, two = _scorer(tmp_path / "fold.1", "a"), _scorer(tmp_path / "fold.2", "b", "c", "d")
    films = [_film("b", source="a"), _film("c", source=None), _film("d", source="a hospital")]

    unseen = cross_validate.unseen_by([one, two], films)

    assert set(unseen.values()) == {two}


def test_a_film_that_every_scorer_has_seen_is_refused(tmp_path: Path) -> None:
    """A film that no scorer has left out is rejected, since its figures would be too good."""
    one = _scorer(tmp_path / "1.scorer", "a")
    with pytest.raises(TruthError, match="b was left out by none"):
        cross_validate.unseen_by([one], [_film("a"), _film("b")])


def test_the_figures_of_all_folds_stand_in_one_table(
    truth: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All folds are in one table; plainly visible lesions also have figures of their own."""
    assert len(load_truth(truth)) == 3
    one, two = _scorer(tmp_path / "1.scorer", "a"), _scorer(tmp_path / "2.scorer", "b", "c")
    status = _run(
        monkeypatch, truth, "--scorers", one, two, "--jobs", 1, "--resamples", 5, "--seen-from", 0,
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert status == 0
    assert "## phantom: 1 lesions in 1 films, 2 films without" in printed
    assert "1 lesions of contrast-to-noise 0 and more: @0.125 " in printed


def test_a_scorer_without_its_list_is_named(
    truth: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A scorer without its list of films left out gives one line with the remedy."""
    assert _run(monkeypatch, truth, "--scorers", tmp_path / "no.scorer") == 2
    line = capsys.readouterr().err
    assert "no.scorer.left_out.txt cannot be read" in line
    assert line.endswith("train with --leave-out\n")
