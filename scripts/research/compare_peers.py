"""Compare stock detectors with lesionscan: compare_peers.py TRUTH... --out DIR.

Every detector gets the same picture (lesionscan's normalised one, bone bright, long side 512 px)
and the same exposed field; in a second row its points count only inside lesionscan's bone mask.
Without that mask, most points of a stock detector are in air and at film edges. All points are
ranked by the scale-normalised Laplacian of a Gaussian at the point and its size, since only
`blob_log` has a ranking of its own; points that are not darker than their surroundings, or within
their size of a better one, are dropped. Each detector has one parameter setting, found on other
films (docs/evaluation.md); nothing is tuned here.

One table and one panel per set: simulated, planted and real films are never pooled. Times are of
one thread, without reading. lesionscan's time includes field, grey scale, bone mask, regions and
measurements; that of the others does not include the first three.
"""

import argparse
import json
import time
import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from numpy.typing import NDArray
from scan_and_judge import as_result, every_film, in_words, truth_films
from scipy import ndimage
from skimage.feature import blob_dog, blob_log

from lesionscan import UnreadableFileError, find_candidates, read_radiograph
from lesionscan.evaluation.froc import RATES
from lesionscan.evaluation.judge import judge
from lesionscan.evaluation.scores import FilmScores, score_film
from lesionscan.evaluation.summary import SetFigures, summarise
from lesionscan.evaluation.truth import TruthError, TruthFilm
from lesionscan.settings import Settings

Image: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.bool_]
Points: TypeAlias = NDArray[np.float64]
"""(n, 3): row, column and standard deviation, in px."""

LONG_SIDE_PX = 512
MOST_POINTS = 100
"""The number that lesionscan lists for a film."""
SMALLEST_SIGMA, LARGEST_SIGMA = 2.0, 24.0
HALF_A_PIXEL = np.array([0.5, 0.5, 0.0])
"""Pixel centres are at integers, but a picture is scaled from its corner."""
OURS = "lesionscan"
RANDOM = "random points"


def log_points(image: Image) -> Points:
    """Return the maxima of the Laplacian of a Gaussian in scale space (Lindeberg 1998)."""
    return _blobs(blob_log(1 - image, SMALLEST_SIGMA, LARGEST_SIGMA, num_sigma=10, threshold=0.005))


def dog_points(image: Image) -> Points:
    """Return the maxima of differences of Gaussians in scale space (Lowe 2004)."""
    return _blobs(blob_dog(1 - image, SMALLEST_SIGMA, LARGEST_SIGMA, threshold=0.005))


def simple_points(image: Image) -> Points:
    """Return the blobs of OpenCV's SimpleBlobDetector: dark at several thresholds."""
    options = cv2.SimpleBlobDetector.Params()
    options.filterByColor, options.blobColor = True, 0
    options.minThreshold, options.maxThreshold, options.thresholdStep = 5, 250, 5
    options.filterByArea = True
    options.minArea = float(np.pi * SMALLEST_SIGMA**2)
    options.maxArea = float(2 * np.pi * LARGEST_SIGMA**2)
    options.filterByCircularity = options.filterByInertia = options.filterByConvexity = False
    options.minDistBetweenBlobs = 4
    found = cv2.SimpleBlobDetector.create(options).detect(_grey(image))
    # the radius of a blob is sqrt(2) standard deviations
    rows = [(p.pt[1], p.pt[0], p.size / 2 / np.sqrt(2)) for p in found]
    return _blobs(np.array(rows, dtype=np.float64))


def mser_points(image: Image) -> Points:
    """Return maximally stable extremal regions (Matas 2004), dark and bright ones.

    The defaults (delta 5, max_variation 0.25) are for photographs and find nothing in films.
    """
    detector = cv2.MSER.create(
        delta=1, min_area=12, max_area=int(0.1 * image.size), max_variation=1.0
    )
    detector.setPass2Only(False)
    regions, _ = detector.detectRegions(_grey(image))
    pixels = [np.asarray(region, dtype=np.float64) for region in regions]
    # the standard deviation of a disk's blob is radius / sqrt(2)
    rows = [(*xy.mean(axis=0)[::-1], np.sqrt(len(xy) / np.pi / 2)) for xy in pixels]
    return _blobs(np.array(rows, dtype=np.float64))


PEERS: dict[str, Callable[[Image], Points]] = {
    "skimage blob_log": log_points,
    "skimage blob_dog": dog_points,
    "cv2.SimpleBlobDetector": simple_points,
    "cv2.MSER": mser_points,
}


def darkness(image: Image, points: Points) -> NDArray[np.float64]:
    """Return the scale-normalised Laplacian at each point: large for a dark spot of its size."""
    # in half octaves, since a blur for each point's own size would take minutes
    steps = np.round(2 * np.log2(np.maximum(points[:, 2], 1.0))).astype(int)
    scores = np.zeros(len(points))
    rows, cols = np.rint(points[:, :2]).astype(int).T
    for step in np.unique(steps):
        sigma = 2.0 ** (step / 2)
        response = sigma**2 * ndimage.gaussian_laplace(image, sigma)
        at = steps == step
        scores[at] = response[
            np.clip(rows[at], 0, image.shape[0] - 1), np.clip(cols[at], 0, image.shape[1] - 1)
        ]
    return scores


def best_apart(points: Points, scores: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the indices of the best points, at most `MOST_POINTS`, without duplicates.

    Otherwise nested regions would count as several false positives. A point is dropped if a better
    one lies within its standard deviation, or if its score is not positive.
    """
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if scores[index] <= 0 or len(kept) == MOST_POINTS:
            break
        away = np.hypot(*(points[kept, :2] - points[index, :2]).T)
        if (away > points[index, 2]).all():
            kept.append(int(index))
    return np.array(kept, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Row:
    """One detector on one film."""

    name: str
    area: str
    film: FilmScores
    seconds: float


def compare_film(film: TruthFilm, settings: Settings) -> list[Row]:
    """Run all detectors on a film; an unreadable film has no result in any row."""
    area_names = ("exposed field", "our bone mask")
    names = [(name, area) for name in (*PEERS, RANDOM) for area in area_names]
    names.append((OURS, "our bone mask"))
    try:
        radiograph = read_radiograph(film.image, settings=settings)
    except UnreadableFileError:
        nothing = judge(film, as_result(film, None)).scores
        return [Row(name, area, nothing, float("nan")) for name, area in names]
    mask = film.read_lesions(radiograph.shape)
    lesions = np.zeros(radiograph.shape, np.int32) if mask is None else mask
    started = time.perf_counter()
    findings = find_candidates(radiograph, settings)
    seconds = time.perf_counter() - started
    areas = dict(zip(area_names, (findings.exposed, findings.bone), strict=True))
    rows: list[Row] = []

    def add(name: str, area: str, points: Points, scores: NDArray[np.float64], took: float) -> None:
        best = best_apart(points, np.where(_inside(areas[area], points), scores, 0.0))
        scored = score_film(
            points[best, :2], scores[best], lesions,
            group=film.group, search_area=areas[area] if areas[area].any() else None,
        )  # fmt: skip
        rows.append(Row(name, area, scored, took))

    scale = LONG_SIDE_PX / max(radiograph.shape)
    small = _resized(findings.image, scale)
    for name, detect in PEERS.items():
        started = time.perf_counter()
        points = detect(small)
        scores = darkness(small, points)
        took = time.perf_counter() - started
        points = (points + HALF_A_PIXEL) / scale - HALF_A_PIXEL
        # the smallest sizes of blob detectors are below the width of the blobs
        points[:, 2] = np.maximum(points[:, 2], 4.0 / scale)
        for area in areas:
            add(name, area, points, scores, took)
    rng = np.random.default_rng(zlib.crc32(film.name.encode("utf-8")))
    for area, where in areas.items():
        started = time.perf_counter()
        spots = _random_points(rng, where)
        add(RANDOM, area, spots, rng.random(len(spots)), time.perf_counter() - started)
    ours = judge(film, as_result(film, findings)).scores
    return [*rows, Row(OURS, "our bone mask", ours, seconds)]


def main() -> None:
    """Compare on truth folders; write peers.json, peers.md and the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("truth", nargs="+", type=Path, help="folders with index.json")
    parser.add_argument("--out", type=Path, required=True, help="folder for tables and figure")
    parser.add_argument("--sets", help="only these sets, separated by commas")
    parser.add_argument("--jobs", type=int, default=1, help="films processed in parallel")
    parser.add_argument("--resamples", type=int, default=2000, help="bootstrap resamples")
    options = parser.parse_args()
    scored: dict[str, dict[tuple[str, str], list[Row]]] = defaultdict(lambda: defaultdict(list))
    try:
        films = truth_films(options.truth, options.sets)
        compared = every_film(films, partial(compare_film, settings=Settings()), jobs=options.jobs)
        for film, rows in zip(films, compared, strict=True):
            for row in rows:
                scored[film.set_name][row.name, row.area].append(row)
    except TruthError as error:
        parser.error(str(error))
    options.out.mkdir(parents=True, exist_ok=True)
    sets = {
        name: {key: _summary(rows, options.resamples) for key, rows in table.items()}
        for name, table in scored.items()
    }
    text = "\n\n".join(_markdown(name, table) for name, table in sets.items()) + "\n"
    (options.out / "peers.md").write_text(text, encoding="utf-8")
    (options.out / "peers.json").write_text(
        json.dumps({name: _plain(table) for name, table in sets.items()}, indent=1) + "\n",
        encoding="utf-8",
    )
    _draw(sets, options.out)
    print(text)
    print(f"{options.out}: peers.md, peers.json, peers.png, peers.svg")


@dataclass(frozen=True, slots=True)
class Summary:
    """One row of the table."""

    figures: SetFigures
    seconds: float


def _summary(rows: list[Row], resamples: int) -> Summary:
    figures = summarise([row.film for row in rows], resamples=resamples, seed=0)
    took = [row.seconds for row in rows if not np.isnan(row.seconds)]
    return Summary(figures, float(np.median(took)) if took else float("nan"))


def _blobs(found: Points) -> Points:
    return np.asarray(found, dtype=np.float64).reshape(-1, 3)


def _grey(image: Image) -> NDArray[np.uint8]:
    return np.asarray(np.rint(255 * np.clip(image, 0, 1)), dtype=np.uint8)


def _resized(image: NDArray[np.float32], scale: float) -> Image:
    rows, cols = (max(1, round(side * scale)) for side in image.shape)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (cols, rows), interpolation=how), dtype=np.float32)


def _inside(area: Mask, points: Points) -> Mask:
    rows, cols = np.rint(points[:, :2]).astype(int).T
    rows, cols = np.clip(rows, 0, area.shape[0] - 1), np.clip(cols, 0, area.shape[1] - 1)
    return np.asarray(area[rows, cols], dtype=np.bool_)


def _random_points(rng: np.random.Generator, area: Mask) -> Points:
    places = np.argwhere(area)
    if not len(places):
        return np.zeros((0, 3))
    chosen = places[rng.integers(len(places), size=MOST_POINTS)]
    return np.column_stack([chosen, np.zeros(MOST_POINTS)]).astype(np.float64)


def _markdown(name: str, table: dict[tuple[str, str], Summary]) -> str:
    first = next(iter(table.values())).figures
    rates = " | ".join(f"@{rate:g}" for rate in RATES)
    films = f"{first.lesion_films} films, {first.lesion_free_films} films without"
    lines = [
        f"## {name}: {first.lesions} lesions in {films}",
        "",
        f"| detector | points from | {rates} | CPM | image AUC | seconds per film |",
        "| --- | --- |" + " --- |" * (len(RATES) + 3),
    ]
    for (detector, area), row in table.items():
        figures = row.figures
        shown = (*figures.sensitivity, figures.cpm, figures.image_auc)
        cells = [in_words(figure) for figure in shown]
        lines.append(f"| {detector} | {area} | {' | '.join(cells)} | {row.seconds:.2f} |")
    return "\n".join(lines)


def _plain(table: dict[tuple[str, str], Summary]) -> list[dict[str, object]]:
    return [
        {
            "detector": detector,
            "points_from": area,
            "sensitivity": {
                f"{rate:g}": figure.value
                for rate, figure in zip(RATES, row.figures.sensitivity, strict=True)
            },
            "intervals": {
                f"{rate:g}": [figure.low, figure.high]
                for rate, figure in zip(RATES, row.figures.sensitivity, strict=True)
            },
            "cpm": row.figures.cpm.value,
            "image_auc": row.figures.image_auc.value,
            "seconds_a_film": round(row.seconds, 3),
        }
        for (detector, area), row in table.items()
    ]


def _draw(sets: dict[str, dict[tuple[str, str], Summary]], out: Path) -> None:
    """Draw a panel for each set that has lesions and lesion-free films."""
    usable = {n: t for n, t in sets.items() if next(iter(t.values())).figures.cpm.value is not None}
    if not usable:
        return
    picture = Picture(figsize=(5.2 * len(usable), 4.4), layout="constrained")
    panels = np.atleast_1d(picture.subplots(1, len(usable), sharey=True))
    for panel, (name, table) in zip(panels, usable.items(), strict=True):
        _draw_panel(panel, name, table)
    panels[-1].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    picture.supxlabel("Research use only; not a diagnosis.", fontsize=7)
    for ending in ("png", "svg"):
        picture.savefig(out / f"peers.{ending}", dpi=150, bbox_inches="tight")


def _draw_panel(panel: Axes, name: str, table: dict[tuple[str, str], Summary]) -> None:
    colours = dict(zip([*PEERS, RANDOM, OURS], ("C0", "C1", "C2", "C4", "0.5", "C3"), strict=True))
    for (detector, area), row in table.items():
        values = [np.nan if f.value is None else f.value for f in row.figures.sensitivity]
        panel.plot(
            RATES, values, color=colours[detector], lw=2.5 if detector == OURS else 1.2,
            ls="-" if area == "our bone mask" else ":", label=f"{detector}, {area}",
        )  # fmt: skip
    panel.set_xscale("log", base=2)
    panel.set_xticks(RATES, [f"{rate:g}" for rate in RATES])
    panel.set_ylim(0, 1)
    panel.grid(alpha=0.3)
    panel.set_xlabel("false positives per lesion-free film")
    panel.set_ylabel("sensitivity")
    panel.set_title(f"set {name}", fontsize=10)


if __name__ == "__main__":
    main()
