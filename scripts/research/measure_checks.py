"""Accuracy of the measurements: measure_checks.py FILMS [--phantoms N] [--planted N].

FILMS is a truth folder. Lesions are planted in its films with `use: train`; phantoms are computed.
Each lesion has one of four margins (`known_cases`). Films are scanned with default settings, and
the measurements of the candidate that hits the lesion are compared with the truth. The first
--repeat films of each kind are scanned again after small changes: rotated by 2 degrees, exposed
differently, resampled to four fifths, and stored as JPEG.

With --real the films of FILMS that hold lesions and may only be measured on are scanned instead.
Phantom, planted and real figures are printed in tables of their own.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from known_cases import MARGINS, KnownCase, phantoms, plantings
from numpy.typing import NDArray
from scan_and_judge import truth_films

from lesionscan import Candidate, Radiograph, find_candidates, read_radiograph
from lesionscan.evaluation.matching import match_candidates
from lesionscan.evaluation.truth import TruthFilm
from lesionscan.radiograph import BoolImage

CLEAR = 3.0
"""Contrast-to-noise from which on margins are compared."""
REPEATED = (
    "equivalent_diameter_px",
    "feret_max_px",
    "contrast",
    "bone_loss",
    "lesion_to_bone_width",
)
TURN_DEG, SMALLER, JPEG_QUALITY = 2.0, 0.8, 85


@dataclass(frozen=True, eq=False)
class Measured:
    """A lesion that is known, and what was found on it.

    Attributes
    ----------
    case
        The film and its lesion.
    candidate
        What hits it; None where nothing does.
    again
        What hits it after each small change; empty where none was tried.
    """

    case: KnownCase
    candidate: Candidate | None
    again: tuple[Candidate | None, ...] = ()


def hit(radiograph: Radiograph, lesion: BoolImage) -> Candidate | None:
    """Scan a film and return the candidate that hits its lesion, the best of several."""
    candidates = find_candidates(radiograph).candidates
    match = match_candidates(
        [one.region.centroid_px for one in candidates],
        lesion.astype(np.int32),
        scores=[one.score for one in candidates],
    )
    return candidates[match.hits[0][1]] if match.hits else None


def changed(case: KnownCase) -> Iterator[tuple[Radiograph, BoolImage, float]]:
    """Yield a film after each small change, its lesion there, and the film's new scale."""
    pixels, lesion = case.radiograph.pixels, case.lesion
    rows, cols = pixels.shape
    turn = cv2.getRotationMatrix2D(((cols - 1) / 2, (rows - 1) / 2), TURN_DEG, 1.0)
    yield (
        _film(cv2.warpAffine(pixels, turn, (cols, rows), borderMode=cv2.BORDER_REPLICATE)),
        cv2.warpAffine(lesion.astype(np.float32), turn, (cols, rows)) >= 0.5,
        1.0,
    )
    low, high = float(pixels.min()), float(pixels.max())
    unit = (pixels - low) / (high - low)
    noise = np.random.default_rng(0).normal(0.0, 0.004, pixels.shape)
    yield _film(unit**0.9 + noise), lesion, 1.0
    size = (round(SMALLER * cols), round(SMALLER * rows))
    yield (
        _film(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)),
        cv2.resize(lesion.astype(np.float32), size, interpolation=cv2.INTER_AREA) >= 0.5,
        SMALLER,
    )
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, data = cv2.imencode(".jpg", np.rint(255 * unit).astype(np.uint8), quality)
    yield _film(np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))), lesion, 1.0


def _film(pixels: NDArray[Any]) -> Radiograph:
    return Radiograph(
        pixels=np.ascontiguousarray(pixels, np.float32), valid=np.ones(pixels.shape, np.bool_)
    )


def measured(cases: Iterable[KnownCase], repeat: int) -> list[Measured]:
    """Scan films whose lesions are known; the first `repeat` that are hit, again after changes."""
    done: list[Measured] = []
    for case in cases:
        candidate = hit(case.radiograph, case.lesion)
        one = Measured(case, candidate)
        if one.candidate is not None and repeat > 0:
            one = replace(one, again=tuple(_again(case)))
            repeat -= 1
        done.append(one)
    return done


def _again(case: KnownCase) -> Iterator[Candidate | None]:
    """Yield what hits the lesion after each change, its lengths in the film's own pixels."""
    for radiograph, lesion, scale in changed(case):
        found = hit(radiograph, lesion)
        if found is None:
            yield None
            continue
        region = replace(
            found.region,
            equivalent_diameter_px=found.region.equivalent_diameter_px / scale,
            feret_max_px=found.region.feret_max_px / scale,
        )
        yield replace(found, region=region)


def agreement(lesions: list[Measured]) -> Iterator[str]:
    """Yield how far each number is from what was planted."""
    hits = [(one.case, one.candidate) for one in lesions if one.candidate is not None]
    yield f"{len(lesions)} lesions of 10 px or more, {len(hits)} hit"
    yield ""
    yield "| number | n | median bias | median absolute error | 90 % within | correlation |"
    yield "| --- | --- | --- | --- | --- | --- |"
    known = [
        (case, found, found.region.bone_loss, found.region.bone_loss_error)
        for case, found in hits
        if found.region.bone_loss is not None and found.region.bone_loss_error is not None
    ]
    numbers = {
        "bone_loss": [(found.shown, loss, case.bone_loss) for case, found, loss, _ in known],
        "equivalent diameter (log)": [
            (
                found.shown,
                np.log(found.region.equivalent_diameter_px),
                np.log(_diameter(case.lesion)),
            )
            for case, found in hits
        ],
        "long diameter (log)": [
            (found.shown, np.log(found.region.feret_max_px), np.log(_longest(case.lesion)))
            for case, found in hits
        ],
    }
    rows = {}
    for name, found in numbers.items():
        rows[name] = [pair for _, *pair in found]
        rows[f"{name}, shown"] = [pair for is_shown, *pair in found if is_shown]
    for name, pairs in rows.items():
        if len(pairs) < 2:
            continue
        values, truth = np.array(pairs, np.float64).T
        error = values - truth
        yield (
            f"| {name} | {len(pairs)} | {np.median(error):+.3f} | {np.median(np.abs(error)):.3f} | "
            f"{np.quantile(np.abs(error), 0.9):.3f} | {np.corrcoef(values, truth)[0, 1]:.2f} |"
        )
    within = [abs(loss - case.bone_loss) <= 2.0 * error for case, _, loss, error in known]
    yield ""
    yield f"bone_loss within two of its standard errors: {np.mean(within):.2f}"


def margins(lesions: list[Measured]) -> Iterator[str]:
    """Yield how often the word for the margin is that of the planted margin."""
    clear: list[tuple[str, str | None]] = [
        (one.case.margin, one.candidate.region.margin)
        for one in lesions
        if one.candidate is not None and one.case.contrast_to_noise >= CLEAR
    ]
    words = [pair for pair in clear if pair[1] is not None]
    right = sum(planted == word for planted, word in words)
    share = f"{right / len(words):.2f}" if words else "-"
    yield (
        f"contrast-to-noise {CLEAR:g} or more: {len(clear)}, with a word {len(words)}, "
        f"right {share}"
    )
    yield ""
    yield f"| planted | {' | '.join(MARGINS)} | no word |"
    yield f"| --- |{' --- |' * 5}"
    counts = Counter(clear)
    for planted in MARGINS:
        cells = [str(counts[planted, word]) for word in (*MARGINS, None)]
        yield f"| {planted} | {' | '.join(cells)} |"


def repeatability(lesions: list[Measured]) -> Iterator[str]:
    """Yield the coefficients of variation over the film as it is and after each change."""
    again = [one for one in lesions if one.again]
    lost = sum(found is None for one in again for found in one.again)
    tried = sum(len(one.again) for one in again)
    yield f"{len(again)} lesions, {tried} changed films, lesion not hit in {lost}"
    yield ""
    yield "| number | lesions | median variation (%) | 90 % within (%) |"
    yield "| --- | --- | --- | --- |"
    for name in REPEATED:
        variations = [v for v in (_variation(one, name) for one in again) if v is not None]
        if variations:
            middle, most = np.median(variations), np.quantile(variations, 0.9)
            yield f"| {name} | {len(variations)} | {100 * middle:.1f} | {100 * most:.1f} |"


def _variation(one: Measured, name: str) -> float | None:
    """Return a number's coefficient of variation; None where it is not known in two films."""
    found = [candidate.region for candidate in (one.candidate, *one.again) if candidate is not None]
    values = [getattr(region, name) for region in found]
    known = np.array([value for value in values if value is not None], np.float64)
    mean = abs(float(known.mean())) if known.size > 1 else 0.0
    return float(known.std(ddof=1)) / mean if mean > 0 else None


def real(films: list[TruthFilm]) -> Iterator[str]:
    """Yield a summary of the candidates shown on real lesions."""
    shown = []
    for film in films:
        radiograph = read_radiograph(film.image)
        lesions = film.read_lesions(radiograph.shape)
        if lesions is not None:
            found = hit(radiograph, lesions > 0)
            shown += [found.region] if found is not None and found.shown else []
    contrast = np.array([region.contrast for region in shown])
    losses = [region.bone_loss for region in shown if region.bone_loss is not None]
    yield f"{len(films)} films with lesions; on {len(shown)} of them the lesion is shown"
    yield f"negative contrast: {100 * np.mean(contrast < 0):.1f} %"
    yield f"bone_loss known: {len(losses)}; median {np.median(losses):.2f}"
    yield f"margins: {Counter(str(region.margin) for region in shown).most_common()}"


def _diameter(mask: BoolImage) -> float:
    return float(np.sqrt(4.0 * np.count_nonzero(mask) / np.pi))


def _longest(mask: BoolImage) -> float:
    """Return the largest distance across a mask, as `feret_max_px` has it."""
    hull = cv2.convexHull(np.argwhere(mask).astype(np.float32))[:, 0].astype(np.float64)
    return float(np.hypot(*(hull[:, None] - hull[None]).T).max()) + 1.0


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("films", type=Path, help="folder with index.json")
    parser.add_argument("--sets", help="sets to plant in, separated by commas; all where left out")
    parser.add_argument("--phantoms", type=int, default=0, help="how many to make")
    parser.add_argument("--planted", type=int, default=0, help="how many to plant")
    parser.add_argument("--repeat", type=int, default=0, help="of each, how many to scan again")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--real", action="store_true", help="measure on real lesions instead")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    films = truth_films([options.films], options.sets)
    if options.real:
        print(
            "\n".join(
                real([one for one in films if one.facts.get("use") == "measure" and one.lesions])
            )
        )
        return
    plain = [film for film in films if film.facts.get("use") == "train" and not film.lesions]
    sources = {
        "Planted": partial(plantings, plain, options.planted),
        "Phantoms": partial(phantoms, options.phantoms),
    }
    for title, make in sources.items():
        lesions = measured(make(options.seed), options.repeat)
        if lesions:
            parts = (agreement(lesions), margins(lesions), repeatability(lesions))
            print("\n\n".join([f"### {title}", *("\n".join(part) for part in parts)]), flush=True)


if __name__ == "__main__":
    main()
