"""Evaluate films with scorers not trained on them: cross_validate.py TRUTH --scorers A B.

Each scorer was trained with `lesionscan train --leave-out K/N`, which wrote the names of the films
left out beside it. Every film of TRUTH is scanned with the scorer that left it out, or that left
out the film in which its lesions were planted (`source` in its entry), and all films of a set are
evaluated together. With --seen-from, the lesions of at least that contrast-to-noise are also
counted separately, at the thresholds of the whole set.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
from figures_table import markdown, tables_of
from scan_and_judge import every_film, judge_each, truth_films

from lesionscan.detection.pipeline import find_candidates
from lesionscan.detection.scorer.errors import ScorerError
from lesionscan.detection.scorer.scorer_file import Scorer
from lesionscan.evaluation.bootstrap import RESAMPLES
from lesionscan.evaluation.froc import RATES
from lesionscan.evaluation.judge import JudgedFilm
from lesionscan.evaluation.results import ResultsError
from lesionscan.evaluation.truth import TruthError, TruthFilm
from lesionscan.training.folds import left_out_listing

NAME = "scorers not trained on the film"


def main() -> int:
    """Scan, and print a table per set; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("truth", type=Path, help="folder with index.json")
    parser.add_argument("--scorers", type=Path, nargs="+", required=True, help="one per fold")
    parser.add_argument(
        "--seen-from", type=float, help="also count lesions of at least this contrast-to-noise"
    )
    parser.add_argument("--jobs", type=int, default=2, help="films processed in parallel")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="bootstrap resamples")
    options = parser.parse_args()
    try:
        films = truth_films([options.truth], None)
        unseen = unseen_by(options.scorers, films)
        judged = list(every_film(films, partial(judge_unseen, unseen=unseen), jobs=options.jobs))
    except (TruthError, ScorerError, ResultsError, OSError) as error:
        print(f"cross_validate: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("cross_validate: stopped", file=sys.stderr)
        return 130
    outcomes = [{NAME: one.scores} for one in judged]
    tables = tables_of(films, outcomes, baseline=NAME, resamples=options.resamples)
    for name, rows in tables.items():
        print(markdown(name, rows, what="scored by"))
        if options.seen_from is not None:
            chosen = [one for one in judged if one.film.set_name == name]
            print(f"\n{seen_lesions(chosen, rows[0].figures.cutoffs, options.seen_from)}\n")
    return 0


def unseen_by(scorers: Sequence[Path], films: Sequence[TruthFilm]) -> dict[str, Path]:
    """Return, for every film's name, the scorer that was trained without it or its source.

    Parameters
    ----------
    scorers
        Scorer files, each with its list of names.
    films
        The films to scan.

    Raises
    ------
    TruthError
        If no scorer left a film out, or its list is missing.
    """
    left_out: dict[str, Path] = {}
    for scorer in scorers:
        listing = left_out_listing(scorer)
        try:
            left_out |= dict.fromkeys(listing.read_text("utf-8").splitlines(), scorer)
        except OSError as error:
            raise TruthError(
                f"{listing} cannot be read ({error.strerror}); train with --leave-out"
            ) from error
    unseen = {}
    for film in films:
        names = (film.name, str(film.facts.get("source")))
        listed = [name for name in names if name in left_out]
        if not listed:
            raise TruthError(f"{film.name} was left out by none of these scorers")
        unseen[film.name] = left_out[listed[0]]
    return unseen


def judge_unseen(film: TruthFilm, unseen: Mapping[str, Path]) -> JudgedFilm:
    """Scan and evaluate a film with the scorer that was not trained on it.

    Parameters
    ----------
    film
        The film and its truth.
    unseen
        From `unseen_by`.
    """
    way = partial(find_candidates, scorer=loaded(unseen[film.name]))
    return judge_each(film, {NAME: way})[NAME]


def seen_lesions(
    judged: Sequence[JudgedFilm], cutoffs: Sequence[float | None], least: float
) -> str:
    """Return the sensitivity, at each rate, for the lesions of at least a contrast-to-noise."""
    facts = [lesion.facts for one in judged for lesion in one.lesions]
    chosen = np.array([(fact.contrast_to_noise or 0.0) >= least for fact in facts], np.bool_)
    hits = np.concatenate([one.scores.hits for one in judged])[chosen]
    found = [
        f"@{rate:g} {(hits > cutoff).mean():.2f}"
        for rate, cutoff in zip(RATES, cutoffs, strict=True)
        if cutoff is not None and hits.size
    ]
    return f"{hits.size} lesions of contrast-to-noise {least:g} and more: {', '.join(found)}"


@cache
def loaded(path: Path) -> Scorer:
    """Return the scorer of a file; each file is read once per process."""
    return Scorer.from_file(path)


if __name__ == "__main__":
    sys.exit(main())
