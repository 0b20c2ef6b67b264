"""Which films of a folder are learnt from, and which are left out to measure on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lesionscan.evaluation.truth import TruthFilm
from lesionscan.training.errors import TrainingError
from lesionscan.training.films import source_of


def divided(
    films: Sequence[TruthFilm], part: int, parts: int
) -> tuple[list[TruthFilm], list[TruthFilm]]:
    """Cut films into what is learnt from and what is left out, by patient or case.

    Parameters
    ----------
    films
        All films; those of one source stay together.
    part, parts
        Which of how many parts is left out, from 1 on.

    Returns
    -------
    kept
        The films of the other parts.
    left_out
        The films of this part.

    Raises
    ------
    TrainingError
        When there are fewer sources than parts.
    """
    sources = sorted({source_of(film) for film in films})
    if len(sources) < parts:
        raise TrainingError(
            f"the films come from {len(sources)} patients or cases, which cannot be cut into "
            f"{parts} parts; give fewer parts"
        )
    order = np.random.default_rng(0).permutation(sources)
    out = set(order[part - 1 :: parts].tolist())
    return (
        [film for film in films if source_of(film) not in out],
        [film for film in films if source_of(film) in out],
    )


def thinned(films: Sequence[TruthFilm], at_most: int | None) -> Sequence[TruthFilm]:
    """Keep a number of films with lesions and as large a share of those without.

    Parameters
    ----------
    films
        The films.
    at_most
        How many with lesions; all films where None or more than there are.
    """
    with_lesions = [film for film in films if film.lesions]
    without = [film for film in films if not film.lesions]
    if at_most is None or at_most >= len(with_lesions):
        return films
    share = at_most / len(with_lesions)
    rng = np.random.default_rng(1)
    return [
        group[int(number)]
        for group, count in ((with_lesions, at_most), (without, round(share * len(without))))
        for number in rng.permutation(len(group))[:count]
    ]


def left_out_listing(scorer: Path) -> Path:
    """Return the file beside a scorer that names the films it was trained without."""
    return scorer.with_name(f"{scorer.name}.left_out.txt")
