"""Cross-validation folds keep patients together, and films are subsampled reproducibly."""

from pathlib import Path

import pytest

from lesionscan.evaluation.truth import TruthFilm
from lesionscan.training.errors import TrainingError
from lesionscan.training.folds import divided, left_out_listing, thinned


def _film(name: str, *, lesions: int = 0, case: int = 0) -> TruthFilm:
    place = Path(name)
    return TruthFilm(name, place, place, {"lesions": lesions}, group=f"case {case or name}")


def test_all_films_of_a_case_are_left_out_together() -> None:
    """Each film is left out of one fold, together with all films of its case."""
    films = [_film(name, case=case) for name, case in {"a": 1, "b": 1, "c": 2, "d": 3}.items()]
    parts = [divided(films, part, 3) for part in (1, 2, 3)]
    assert sorted([film.name for film in out] for _, out in parts) == [["a", "b"], ["c"], ["d"]]
    assert all(len(kept) + len(out) == 4 for kept, out in parts)
    assert all(not {one.group for one in kept} & {one.group for one in out} for kept, out in parts)


def test_more_parts_than_cases_are_refused() -> None:
    """More folds than cases are refused, since a fold without films cannot be evaluated."""
    with pytest.raises(TrainingError, match="1 patients or cases, which cannot be cut into 2"):
        divided([_film("a", case=1), _film("b", case=1)], 1, 2)


def test_a_share_of_the_films_can_be_used() -> None:
    """Subsampling keeps the ratio of films with and without lesions, and at most all films."""
    films = [_film(f"{number}", lesions=int(number < 4)) for number in range(8)]
    kept = thinned(films, 2)
    assert sorted(film.lesions for film in kept) == [0, 0, 1, 1]
    assert kept == thinned(films, 2)
    assert thinned(films, 9) == thinned(films, None) == films


def test_two_scorers_never_share_a_listing() -> None:
    """Scorers whose names differ only after the last dot have different lists of left-out films."""
    assert left_out_listing(Path("fold.1")) != left_out_listing(Path("fold.2"))
