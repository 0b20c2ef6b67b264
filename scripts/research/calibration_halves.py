"""Calibrate on half of the lesion-free films, and count false positives on the other half.

python scripts/research/calibration_halves.py RESULTS TRUTH --set btxrd

RESULTS is the output of `lesionscan scan` for the images of TRUTH. The patients (or films) are
repeatedly split at random into two halves. The interval that `lesionscan calibrate` gives for as
many further films should contain the rate on the other half in about 95 % of the splits.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lesionscan.evaluation.calibrate import CalibrationFilm, calibrate
from lesionscan.evaluation.calibration_films import films_of_truth

RATES = (0.125, 0.25, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Split:
    """One split: the rate on the other half, and the predicted interval."""

    other_rate: float
    low: float
    high: float

    @property
    def held(self) -> bool:
        """Whether the interval contains the rate."""
        return self.low <= self.other_rate <= self.high


def split_films(
    films: Sequence[CalibrationFilm], rng: np.random.Generator
) -> tuple[list[CalibrationFilm], list[CalibrationFilm]]:
    """Return two random halves; films of one group stay together."""
    groups = sorted({film.scores.group for film in films})
    first = {groups[index] for index in rng.permutation(len(groups))[: len(groups) // 2]}
    halves: tuple[list[CalibrationFilm], list[CalibrationFilm]] = ([], [])
    for film in films:
        halves[film.scores.group not in first].append(film)
    return halves


def measure(
    films: Sequence[CalibrationFilm], rate: float, *, splits: int, resamples: int, seed: int
) -> list[Split]:
    """Calibrate on one half of each split and apply the score to the other."""
    rng = np.random.default_rng(seed)
    measured = []
    for _ in range(splits):
        half, other = split_films(films, rng)
        found = calibrate(half, false_positives=rate, resamples=resamples, seed=seed)
        if found.threshold.expected is None:
            raise ValueError("too few films for two halves with an interval")
        score = found.shown.shown_score
        shown = sum(int((film.scores.false_positives >= score).sum()) for film in other)
        measured.append(Split(shown / len(other), *found.threshold.expected))
    return measured


def table(films: Sequence[CalibrationFilm], *, splits: int, resamples: int, seed: int) -> str:
    """Return the figures of every rate as a Markdown table."""
    lines = [
        "| wanted | median on the other half | 5th to 95th percentile | within the interval |",
        "| --- | --- | --- | --- |",
    ]
    for rate in RATES:
        measured = measure(films, rate, splits=splits, resamples=resamples, seed=seed)
        low, middle, high = np.percentile([one.other_rate for one in measured], [5, 50, 95])
        held = sum(one.held for one in measured)
        lines.append(f"| {rate:g} | {middle:.3f} | {low:.3f} to {high:.3f} | {held} of {splits} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--set", dest="set_name")
    parser.add_argument("--splits", type=int, default=100)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    said = parser.parse_args()
    found = films_of_truth(said.results, said.truth, set_name=said.set_name)
    free = [film for film in found.films if not film.scores.lesions and film.scores.has_result]
    print(f"{len(free)} films without lesions, {said.splits} splits")
    print(table(free, splits=said.splits, resamples=said.resamples, seed=said.seed))


if __name__ == "__main__":
    main()
