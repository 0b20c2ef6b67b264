"""List the worst errors of a scan: python scripts/research/list_errors.py RESULTS TRUTH.

RESULTS is the output of `lesionscan scan` for the films of the truth folder. Two Markdown tables
are printed: the lesions whose best candidate has the lowest score, with the false positives per
lesion-free film at that score; and the false positives of lesion-free films with the highest
scores, with their reasons. The last column is left empty for notes; `--sheet` draws the errors,
with truth in blue and candidates in amber.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from contact_sheet import contact_sheet
from numpy.typing import NDArray
from scan_and_judge import truth_films

from lesionscan import Settings, UnreadableFileError, read_radiograph
from lesionscan.detection.pipeline import normalise_film
from lesionscan.evaluation.judge import JudgedFilm, LesionOutcome, judge
from lesionscan.evaluation.results import (
    FilmResult,
    ListedCandidate,
    ResultsError,
    find_results,
    read_result,
)
from lesionscan.evaluation.truth import TruthError, TruthFilm
from lesionscan.png import encode_png
from lesionscan.radiograph import FloatImage
from lesionscan.reporting.drawing import AMBER, INK, STRIP, write_text

BLUE = (255, 143, 100)
"""Blue of the IBM colour-blind-safe palette, (blue, green, red) as in OpenCV."""
REASONS = 3
TILE_PX, STRIP_PX, COLUMNS = 260, 22, 6
SURROUNDINGS = 3.0
"""Side of a crop, in diameters of the error."""
LEAST_SHARE = 0.25
"""Least side of a crop / long side of the film, for the anatomy to be recognisable."""


@dataclass(frozen=True)
class Miss:
    """A lesion that was found with a low score or not at all.

    Attributes
    ----------
    judged
        Its film.
    lesion
        Its outcome.
    false_positives
        False positives per lesion-free film at the score of its hit; None if no candidate hit it,
        or without lesion-free films.
    """

    judged: JudgedFilm
    lesion: LesionOutcome
    false_positives: float | None


@dataclass(frozen=True)
class FalsePositive:
    """A candidate on a lesion-free film."""

    judged: JudgedFilm
    candidate: ListedCandidate


def worst_misses(judged: Sequence[JudgedFilm], *, count: int) -> list[Miss]:
    """Return the lesions with the worst outcomes, worst first.

    Those that no candidate hit come first, by decreasing size; then the others by the score of
    their hit.
    """
    free = [one for one in judged if not one.lesions and one.result.status == "ok"]
    alarms = np.array([alarm.score for one in free for alarm in one.result.candidates])
    misses = [
        Miss(
            one,
            lesion,
            None
            if lesion.score is None or not free
            else float(np.count_nonzero(alarms >= lesion.score)) / len(free),
        )
        for one in judged
        for lesion in one.lesions
    ]

    def badness(miss: Miss) -> tuple[float, float]:
        score = miss.lesion.score
        return (-1.0 if score is None else score, -miss.lesion.facts.size)

    return sorted(misses, key=badness)[:count]


def worst_false_positives(judged: Sequence[JudgedFilm], *, count: int) -> list[FalsePositive]:
    """Return the candidates on lesion-free films with the highest scores, ties by film."""
    alarms = [
        FalsePositive(one, candidate)
        for one in judged
        if not one.lesions
        for candidate in one.result.candidates
    ]
    return sorted(alarms, key=lambda alarm: -alarm.candidate.score)[:count]


def miss_table(misses: Sequence[Miss]) -> str:
    """Return the misses as a Markdown table."""
    head = ("film", "lesion", "size (% of film)", "best hit", "false positives per film", "rank")
    return _table(
        (*head, "cause"),
        [
            (
                miss.lesion.film,
                str(miss.lesion.facts.number),
                f"{100 * miss.lesion.facts.size:.1f}",
                _hit_in_words(miss.lesion),
                "-" if miss.false_positives is None else f"{miss.false_positives:.2f}",
                "-" if miss.lesion.rank is None else str(miss.lesion.rank),
                "",
            )
            for miss in misses
        ],
    )


def false_positive_table(alarms: Sequence[FalsePositive]) -> str:
    """Return the false positives as a Markdown table."""
    return _table(
        ("film", "row, col", "size (% of film)", "score", "reasons", "cause"),
        [
            (
                alarm.judged.film.name,
                "{:.0f}, {:.0f}".format(*alarm.candidate.centroid_px),
                f"{100 * _size(alarm):.1f}",
                f"{alarm.candidate.score:.3f}",
                "; ".join(reasons(alarm.judged.result, alarm.candidate.id)),
                "",
            )
            for alarm in alarms
        ],
    )


def reasons(result: FilmResult, candidate_id: int) -> list[str]:
    """Return the strongest reasons of a candidate, + for a lesion and - against one.

    Results of programs without reasons have none.
    """
    record = json.loads(result.record.read_text(encoding="utf-8"))
    (entry,) = (one for one in record["candidates"] if one["id"] == candidate_id)
    return [
        f"{'+' if reason['effect'] >= 0 else '-'} {reason['text']}"
        for reason in entry.get("reasons", [])[:REASONS]
    ]


def error_sheet(
    misses: Sequence[Miss], alarms: Sequence[FalsePositive]
) -> NDArray[np.uint8] | None:
    """Return a picture of all errors, in the order of the tables; None if there are none."""
    tiles = [_miss_tile(miss) for miss in misses] + [_alarm_tile(alarm) for alarm in alarms]
    if not tiles:
        return None
    return contact_sheet(tiles, height_px=TILE_PX + STRIP_PX, columns=COLUMNS)


def main() -> None:
    """Print the tables; write the sheet if requested."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="output of `lesionscan scan`")
    parser.add_argument("truth", type=Path, help="folder with index.json")
    parser.add_argument("--set", dest="set_name", help="the set, if the truth has several")
    parser.add_argument("--count", type=int, default=20, help="errors of each kind")
    parser.add_argument("--sheet", type=Path, help="PNG file to draw them on")
    options = parser.parse_args()
    try:
        films = truth_films([options.truth], options.set_name)
        sets = sorted({film.set_name for film in films})
        if len(sets) > 1:
            parser.error(f"the truth has the sets {', '.join(sets)}; choose one with --set")
        folder = find_results(options.results, films)
        judged = [judge(film, read_result(folder, film)) for film in films]
        misses = worst_misses(judged, count=options.count)
        alarms = worst_false_positives(judged, count=options.count)
        sheet = error_sheet(misses, alarms) if options.sheet else None
    except (TruthError, ResultsError) as error:
        parser.error(str(error))
    print(f"### Worst misses\n\n{miss_table(misses)}\n")
    print(f"### Worst false positives\n\n{false_positive_table(alarms)}")
    if sheet is not None:
        try:
            options.sheet.write_bytes(encode_png(sheet))
        except OSError as error:
            parser.error(f"--sheet {options.sheet} cannot be written ({error.strerror})")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _hit_in_words(lesion: LesionOutcome) -> str:
    if lesion.score is not None:
        return f"{lesion.score:.3f}"
    return "no result" if lesion.outcome == "no_result" else "not listed"


def _size(alarm: FalsePositive) -> float:
    """Return a candidate's diameter / long side of the film."""
    shape = alarm.judged.result.shape
    return alarm.candidate.equivalent_diameter_px / max(shape) if shape else float("nan")


def _miss_tile(miss: Miss) -> NDArray[np.uint8]:
    """Draw a lesion, the candidate that hit it, and the shown candidates."""
    film, result, facts = miss.judged.film, miss.judged.result, miss.lesion.facts
    lesions = film.read_lesions(result.shape)
    outlines = [] if lesions is None else [(lesions == facts.number, BLUE)]
    if result.candidates:
        labels = result.read_labels()
        outlines += [
            (labels == one.id, AMBER)
            for one in result.candidates
            if one.shown or one.id == miss.lesion.candidate_id
        ]
    text = f"{film.name} {facts.number}: {_hit_in_words(miss.lesion)}"
    return _tile(film, facts.centroid_px, facts.equivalent_diameter_px, outlines, text)


def _alarm_tile(alarm: FalsePositive) -> NDArray[np.uint8]:
    """Draw a false positive."""
    film, candidate = alarm.judged.film, alarm.candidate
    outlines = [(alarm.judged.result.read_labels() == candidate.id, AMBER)]
    return _tile(
        film,
        candidate.centroid_px,
        candidate.equivalent_diameter_px,
        outlines,
        f"{film.name}: {candidate.score:.3f}",
    )


def _tile(
    film: TruthFilm,
    centre: tuple[float, float],
    diameter: float,
    outlines: Sequence[tuple[NDArray[np.bool_], tuple[int, int, int]]],
    text: str,
) -> NDArray[np.uint8]:
    """Return a square crop of a film with outlines, and a line of text below it."""
    image = _image(film)
    if image is None:  # its lesion is in the table nevertheless
        tile = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
    else:
        side = max(SURROUNDINGS * diameter, LEAST_SHARE * max(image.shape))
        grey = np.rint(255 * _cropped(image, centre, side)).astype(np.uint8)
        tile = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
        for mask, colour in outlines:
            inside = _cropped(mask.astype(np.float32), centre, side) >= 0.5
            contours, _ = cv2.findContours(
                inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
            )
            cv2.drawContours(tile, contours, -1, colour, 1)
    strip = np.full((STRIP_PX, TILE_PX, 3), STRIP, np.uint8)
    write_text(strip, text, (4, STRIP_PX - 8), 8, INK)
    return np.vstack([tile, strip])


def _image(film: TruthFilm) -> FloatImage | None:
    try:
        return normalise_film(read_radiograph(film.image), Settings()).image
    except UnreadableFileError:
        return None


def _cropped(image: FloatImage, centre: tuple[float, float], side: float) -> FloatImage:
    """Return a square of a film, resized to `TILE_PX` pixels, black beyond the film's border."""
    scale = side / TILE_PX
    corner = [place - scale * (TILE_PX - 1) / 2 for place in centre]
    matrix = np.array([[scale, 0.0, corner[1]], [0.0, scale, corner[0]]])
    smooth = image if scale <= 1 else cv2.GaussianBlur(image, (0, 0), 0.5 * scale)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(smooth, matrix, (TILE_PX, TILE_PX), flags=how), np.float32)


if __name__ == "__main__":
    main()
