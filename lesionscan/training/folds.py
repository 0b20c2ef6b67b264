"""Split films into those to train on and those left out to measure on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lesionscan.evaluation.truth import TruthFilm
from lesionscan.training.errors import TrainingError
from lesionscan.training.films import source_of


def divided(
    films: Sequence[TruthFilm], part: int, parts: int
) -> tuple[list[TruthFilm], list[TruthFilm]]:
    """Split films into those to train on and those left out, by patient or case.

    Parameters
    ----------
    films
        All films; those of one source stay together.
    part, parts
        The part that is left out, from 1 on, and the number of parts.

    Returns
    -------
    kept
        The films of the other parts.
    left_out
        The films of this part.

    Raises
    ------
    TrainingError
        If there are fewer sources than parts.
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
    """Keep a number of films with lesions, and the same fraction of those without.

    Parameters
    ----------
    films
        The films.
    at_most
        Number with lesions; if None or more than there are, all films are kept.
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
    """Return the path of the file beside a scorer that names the films left out of its training."""
    return scorer.with_name(f"{scorer.name}.left_out.txt")
