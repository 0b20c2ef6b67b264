"""Draw the picture of docs/calibrate.md: false positives and sensitivity of phantoms by score."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lesionscan.evaluation.bootstrap import Floats
from lesionscan.evaluation.calibrate import CalibrationFilm, calibrate
from lesionscan.evaluation.calibration_films import films_of_truth

WANTED = 0.5
BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#555555"
"""Okabe & Ito's palette, which colour-blind readers can tell apart."""


def draw_calibration(results: Path, truth: Path) -> bytes:
    """Draw the curves, the chosen score, and its interval.

    Parameters
    ----------
    results, truth
        As for `lesionscan calibrate`.

    Returns
    -------
    bytes
        A PNG.
    """
    films = films_of_truth(results, truth).films
    found = calibrate(films, false_positives=WANTED).threshold
    scores = np.linspace(0, 1, 501)
    rates, shares = _curves(films, scores)
    picture = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = picture.subplots()
    axes.plot(scores, rates, color=VERMILION)
    axes.set_yscale("log", base=2)
    axes.set_ylim(0.06, 32)
    axes.set_yticks(
        [0.125, 0.25, 0.5, 1, 2, 4, 8, 16], ["1/8", "1/4", "1/2", "1", "2", "4", "8", "16"]
    )
    axes.set_xlim(0, 1)
    axes.set_xlabel("shown_score")
    axes.set_ylabel("false positives per film", color=VERMILION)
    score, (low, high) = found.shown_score, found.score_interval or (0.0, 1.0)
    axes.axvspan(low, high, color=GREY, alpha=0.2, linewidth=0)
    axes.plot([0, score], [WANTED, WANTED], color=GREY, linestyle="dotted")
    axes.plot([score, score], [0.06, WANTED], color=GREY, linestyle="dotted")
    axes.text(
        0.015,
        WANTED * 0.82,
        f"{WANTED:g} per film: {score:.2f} ({low:.2f} to {high:.2f})",
        verticalalignment="top",
        color=GREY,
    )
    right = axes.twinx()
    right.plot(scores, shares, color=BLUE, linestyle="dashdot")
    right.set_ylim(0, 1)
    right.set_ylabel("sensitivity (lesions)", color=BLUE)
    stream = io.BytesIO()
    picture.savefig(stream, format="png", dpi=120, metadata={"Software": None})
    return stream.getvalue()


def _curves(films: Sequence[CalibrationFilm], scores: Floats) -> tuple[Floats, Floats]:
    """Return false positives per lesion-free film, and sensitivity, at each score."""
    free = [film.scores for film in films if not film.scores.lesions]
    false = np.sort(np.concatenate([one.false_positives for one in free]))
    hits = np.sort(np.concatenate([film.scores.hits for film in films]))
    shown = false.size - np.searchsorted(false, scores)
    hit = hits.size - np.searchsorted(hits, scores)
    return np.where(shown, shown, np.nan) / len(free), hit / hits.size
