"""How many labelled films a scorer takes: python scripts/learning_curve.py TRUTH --out DIR.

The films are cut into folds by patient or case. For every size and fold, `train_scorer.py --data`
learns from so many of the other folds' films with lesions (and as large a share of those without),
and the fold is scanned with what came out. All films of a size are then judged together, and
against the shipped scorer. A size that the folds do not hold means all of their films.

Run again with the same --out, it goes on where it stopped; what it does not know goes on to
train_scorer.py (such as `--steps 240`).
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from cross_validate import loaded, unseen_by
from figures_table import markdown, rows_of
from scan_and_judge import as_result, every_film, truth_films

from lesionscan import UnreadableFileError, read_radiograph
from lesionscan.detection.pipeline import find_candidates
from lesionscan.detection.scorer.scorer_file import shipped_scorer
from lesionscan.evaluation.bootstrap import RESAMPLES
from lesionscan.evaluation.judge import judge
from lesionscan.evaluation.scores import FilmScores
from lesionscan.evaluation.truth import TruthError, TruthFilm

TRAIN = Path(__file__).with_name("train_scorer.py")
SHIPPED = "shipped"
SIZES = (10, 20, 40, 70)


def main() -> int:
    """Train, scan, print the table and write learning_curve.json; return the exit status."""
    options, passed_on = _options()
    try:
        films = truth_films([options.truth], None)
    except TruthError as error:
        print(f"learning_curve: {error}", file=sys.stderr)
        return 2
    scorers: dict[str, Mapping[str, Path]] = {}  # size -> film -> the scorer that has not seen it
    for size in options.sizes:
        folds = [
            options.out / f"{size}_{fold}_of_{options.folds}.scorer"
            for fold in range(1, options.folds + 1)
        ]
        for fold, out in enumerate(folds, start=1):
            if not out.with_suffix(".left_out.txt").is_file():
                print(f"{size} films, fold {fold} of {options.folds}", flush=True)
                done = subprocess.run(
                    [
                        sys.executable, str(TRAIN), "--out", str(out), "--data",
                        str(options.truth), "--leave-out", f"{fold}/{options.folds}",
                        "--at-most", str(size), "--jobs", str(options.jobs), *passed_on,
                    ],
                    check=False,
                )  # fmt: skip
                if done.returncode:
                    return done.returncode
        scorers[f"{size} films with lesions"] = unseen_by(folds, films)
    work = partial(scan_with_each, scorers=scorers)
    outcomes = list(every_film(films, work, jobs=options.jobs))
    rows = rows_of(outcomes, baseline=SHIPPED, resamples=options.resamples)
    record = {"shipped": shipped_scorer().sha256, "rows": [row.plain() for row in rows]}
    (options.out / "learning_curve.json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(markdown(options.truth.name, rows, what="learnt from"))
    return 0


def scan_with_each(
    film: TruthFilm, scorers: Mapping[str, Mapping[str, Path]]
) -> dict[str, FilmScores]:
    """Scan and judge a film with the shipped scorer, and with the one of each size.

    Parameters
    ----------
    film
        The film and its truth.
    scorers
        For each size, every film's name and the scorer that was trained without it.
    """
    names = (SHIPPED, *scorers)
    try:
        radiograph = read_radiograph(film.image)
    except UnreadableFileError:
        return dict.fromkeys(names, judge(film, as_result(film, None)).scores)
    outcomes = {}
    for name in names:
        scorer = shipped_scorer() if name == SHIPPED else loaded(scorers[name][film.name])
        findings = find_candidates(radiograph, scorer=scorer)
        outcomes[name] = judge(film, as_result(film, findings)).scores
    return outcomes


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
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="of the bootstrap")
    options, passed_on = parser.parse_known_args()
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {options.out} cannot be made ({error.strerror}); give another folder")
    return options, passed_on


if __name__ == "__main__":
    sys.exit(main())
