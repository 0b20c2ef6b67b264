"""Measure a scorer by the number of labelled films: learning_curve.py TRUTH --out DIR.

The films are split into folds by patient or case. For every size and fold, `lesionscan train
--data` trains on so many of the other folds' films with lesions (and the same fraction of those
without), and the fold is scanned with the result. All films of a size are then evaluated together,
and compared with the shipped scorer. A size larger than the folds means all of their films.

Rerun the command to resume. Unknown options are passed to `lesionscan train` (such as
`--steps 240`).
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from cross_validate import loaded, unseen_by
from figures_table import markdown, tables_of
from scan_and_judge import every_film, judge_each, truth_films

from lesionscan.detection.pipeline import find_candidates
from lesionscan.detection.scorer.errors import ScorerError
from lesionscan.detection.scorer.scorer_file import shipped_scorer
from lesionscan.evaluation.bootstrap import RESAMPLES
from lesionscan.evaluation.results import ResultsError
from lesionscan.evaluation.scores import FilmScores
from lesionscan.evaluation.truth import TruthError, TruthFilm
from lesionscan.training.errors import TrainingError
from lesionscan.training.folds import divided, left_out_listing

SHIPPED = "shipped"
SIZES = (10, 20, 40, 70)


def main() -> int:
    """Train, scan, print the tables and write learning_curve.json; return the exit status."""
    options, passed_on = _options()
    try:
        films = truth_films([options.truth], None)
        sizes = _sizes(films, options)
        folds = range(1, options.folds + 1)
        _check_same_trainings(options, passed_on)
        for size in sizes.values():
            for fold in folds:
                status = _train(size, fold, options, passed_on)
                if status:
                    return status
        scorers = {
            name: unseen_by([_scorer(size, fold, options) for fold in folds], films)
            for name, size in sizes.items()
        }
        work = partial(scan_with_each, scorers=scorers)
        outcomes = list(every_film(films, work, jobs=options.jobs))
        tables = tables_of(films, outcomes, baseline=SHIPPED, resamples=options.resamples)
        record = {
            "shipped": shipped_scorer().sha256,
            "sets": {name: [row.plain() for row in table] for name, table in tables.items()},
        }
        text = json.dumps(record, indent=1) + "\n"
        (options.out / "learning_curve.json").write_text(text, "utf-8")
    except (TruthError, TrainingError, ResultsError, ScorerError, OSError) as error:
        print(f"learning_curve: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("learning_curve: stopped; rerun the command to resume", file=sys.stderr)
        return 130
    print("\n\n".join(markdown(name, table, what="learnt from") for name, table in tables.items()))
    return 0


def _sizes(films: Sequence[TruthFilm], options: argparse.Namespace) -> dict[str, int]:
    """Return the sizes by name of the row; sizes above the number of films share one row."""
    kept = [divided(films, fold + 1, options.folds)[0] for fold in range(options.folds)]
    held = [sum(film.lesions > 0 for film in part) for part in kept]
    whole = f"all {min(held)} to {max(held)} films with lesions"
    return {
        whole if size >= min(held) else f"{size} films with lesions": size
        for size in sorted(options.sizes, reverse=True)
    }


def _check_same_trainings(options: argparse.Namespace, passed_on: Sequence[str]) -> None:
    """Refuse a folder with other trainings."""
    known = options.out / "trainings.json"
    here = {
        "truth": str(options.truth.resolve()),
        "folds": options.folds,
        "options": list(passed_on),
        "shipped": shipped_scorer().sha256,
    }
    if known.is_file() and json.loads(known.read_text("utf-8")) != here:
        raise TrainingError(
            f"{options.out} holds trainings on other films, folds, options or another shipped "
            "scorer; give another --out"
        )
    known.write_text(json.dumps(here, indent=1) + "\n", "utf-8")


def _scorer(size: int, fold: int, options: argparse.Namespace) -> Path:
    out: Path = options.out
    return out / f"{size}_{fold}_of_{options.folds}.scorer"


def _train(size: int, fold: int, options: argparse.Namespace, passed_on: Sequence[str]) -> int:
    """Train a scorer, unless it exists; return the exit status of `lesionscan train`."""
    out = _scorer(size, fold, options)
    if left_out_listing(out).is_file():
        return 0
    print(f"{size} films, fold {fold} of {options.folds}", flush=True)
    done = subprocess.run(
        [
            sys.executable, "-m", "lesionscan.cli", "train", str(out), "--data", str(options.truth),
            "--leave-out", f"{fold}/{options.folds}", "--at-most", str(size),
            "--jobs", str(options.jobs), *passed_on,
        ],
        check=False,
    )  # fmt: skip
    return done.returncode


def scan_with_each(
    film: TruthFilm, scorers: Mapping[str, Mapping[str, Path]]
) -> dict[str, FilmScores]:
    """Scan and evaluate a film with the shipped scorer, and with the one of each size.

    Parameters
    ----------
    film
        The film and its truth.
    scorers
        For each size, every film's name and the scorer that was trained without it.
    """
    ways = {SHIPPED: partial(find_candidates, scorer=shipped_scorer())}
    for name, unseen in scorers.items():
        ways[name] = partial(find_candidates, scorer=loaded(unseen[film.name]))
    return {name: one.scores for name, one in judge_each(film, ways).items()}


def _options() -> tuple[argparse.Namespace, Sequence[str]]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("truth", type=Path, help="folder with index.json: your labelled films")
    parser.add_argument("--out", type=Path, required=True, help="folder for scorers and figures")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="films with lesions")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2, help="cores to use")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="bootstrap resamples")
    options, passed_on = parser.parse_known_args()
    for name in ("--out", "--data", "--leave-out", "--at-most", "--start", "--films"):
        if any(one.split("=")[0] == name for one in passed_on):
            parser.error(f"{name} cannot be passed to lesionscan train")
    if options.folds < 2 or options.jobs < 1 or options.resamples < 1 or min(options.sizes) < 1:
        parser.error("--folds is at least 2, --jobs, --resamples and --sizes at least 1")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {options.out} cannot be made ({error.strerror}); give another folder")
    return options, passed_on


if __name__ == "__main__":
    sys.exit(main())
