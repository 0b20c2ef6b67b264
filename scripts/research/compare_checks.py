"""Accuracy of `lesionscan compare`: phantoms OUT, planted TRUTH OUT, or films TRUTH --every 10.

`phantoms` draws a person twice, with different exposure, position, rotation (in the plane of the
film, and of the bone about its axis) and magnification, and with a lesion that is unchanged, grown,
shrunk, new or gone. `planted` does the same with lesions planted in real films; it needs films with
bone masks (`--set`). Finished pairs are kept in OUT/pairs.jsonl; run the same command again to
resume. `films` compares films with transformed copies of themselves (rotated, rescaled, inverted,
JPEG, cropped) and with those of other people.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from film_forms import print_films, refusal_of, with_itself
from numpy.typing import NDArray
from PIL import Image
from scan_and_judge import every_film
from scipy.stats import mannwhitneyu

from lesionscan import read_radiograph
from lesionscan.comparison import ComparedFilm, RefusedPairError, compare_films, film_of_file
from lesionscan.evaluation.truth import TruthError, TruthFilm, load_truth
from lesionscan.png import encode_png
from lesionscan.simulation.body.lesions import Lesion
from lesionscan.simulation.dicom_file import write_dicom
from lesionscan.simulation.exposure.film import draw_film, exposed_field
from lesionscan.simulation.fields import Grid
from lesionscan.simulation.phantom import BODY_PARTS, Phantom, Take, make_phantom
from lesionscan.simulation.planted_folder import storable
from lesionscan.simulation.planting.plant import PlantedFilm, plant, prepare
from lesionscan.simulation.random_lesions import draw_lesions

CHANGES = ("stable", "grown by 20 %", "shrunk", "new", "gone", "grown")
LEAST_CONTRAST = 3.0
"""Contrast-to-noise ratio of every lesion, on both films."""
TRIES = 12


@dataclass(frozen=True)
class Job:
    """A pair of phantoms, or of films that are made of one."""

    seed: int
    number: int
    film: TruthFilm | None = None


def main() -> int:
    """Run the chosen command; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    phantoms, planted, films = map(commands.add_parser, ("phantoms", "planted", "films"))
    for command in (planted, films):
        command.add_argument("truth", type=Path, help="truth folder")
    for command, pairs in ((phantoms, 200), (planted, 60)):
        command.add_argument("out", type=Path, help="folder for what is done")
        command.add_argument("--pairs", type=int, default=pairs)
        command.add_argument("--seed", type=int, default=1)
    planted.add_argument("--set", default="niu", help="set of films to plant in")
    films.add_argument("--every", type=int, default=10, help="use every nth film only")
    for command in (phantoms, planted, films):
        command.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    if options.command == "phantoms":
        jobs = [Job(options.seed, number) for number in range(options.pairs)]
        return check_pairs(options.out, jobs, phantom_pair, options.jobs)
    try:
        listed = load_truth(options.truth)
    except (TruthError, OSError) as error:
        print(f"compare_checks: {error}", file=sys.stderr)
        return 2
    if options.command == "planted":
        normals = [film for film in listed if film.set_name == options.set and film.bone.exists()]
        if not normals:
            print(f"compare_checks: no film of {options.set} has a bone mask", file=sys.stderr)
            return 2
        numbers = range(options.pairs)
        jobs = [Job(options.seed, number, normals[number % len(normals)]) for number in numbers]
        return check_pairs(options.out, jobs, planted_pair, options.jobs)
    listed = listed[:: options.every]
    paths = [film.image for film in listed]
    done = [one for some in every_film(paths, with_itself, jobs=options.jobs) for one in some]
    others = [*pairwise(paths)]
    refused = [*every_film(others, refusal_of, jobs=options.jobs)]
    print_films(done, refused)
    return 0


def check_pairs(
    out: Path, jobs: Sequence[Job], pair: Callable[[Job], dict[str, Any]], workers: int
) -> int:
    """Make and compare pairs, and print the results."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "pairs.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    done = [json.loads(line) for line in lines]
    known = {one["number"] for one in done}
    left = [job for job in jobs if job.number not in known]
    with path.open("a", encoding="utf-8") as stream:
        for one in every_film(left, pair, jobs=workers):
            stream.write(json.dumps(one) + "\n")
            stream.flush()
            done.append(one)
    print_pairs(done)
    return 0


def phantom_pair(job: Job) -> dict[str, Any]:
    """Make a pair of phantoms and compare it; return the truth and the reported change."""
    rng = np.random.default_rng([job.seed, job.number])
    change = CHANGES[job.number % len(CHANGES)]
    made = next(filter(None, (_phantoms(rng, change) for _ in range(TRIES))), None)
    if made is None:
        return {"number": job.number, "change": change, "said": "not made"}
    first, second, take = made
    told: dict[str, Any] = {"number": job.number, "change": change, "part": first.body_part}
    with tempfile.TemporaryDirectory() as name:
        paths = Path(name) / "first.dcm", Path(name) / "second.dcm"
        for path, phantom in zip(paths, (first, second), strict=True):
            write_dicom(path, phantom)
        said = _said(paths, (first.lesions > 0, second.lesions > 0))
    return told | (_true(first, second, take) if "others" in said else {}) | said


def planted_pair(job: Job) -> dict[str, Any]:
    """Plant a lesion in a film twice, move and expose the second, and compare them likewise."""
    rng = np.random.default_rng([job.seed, job.number])
    change = CHANGES[job.number % len(CHANGES)]
    told: dict[str, Any] = {"number": job.number, "change": change}
    made = None if job.film is None else _planted(job.film, rng, change, (job.seed, job.number))
    if made is None:
        return told | {"said": "not made"}
    first, second = made
    rows, cols = first.lesions.shape
    middle, turn_deg = ((cols - 1) / 2, (rows - 1) / 2), float(rng.uniform(-15, 15))
    turn = cv2.getRotationMatrix2D(middle, turn_deg, float(rng.uniform(0.9, 1.15)))
    matrix = np.array(turn, np.float64)
    matrix[:, 2] += rng.uniform(-0.1, 0.1, 2) * np.array([cols, rows])
    truth = first.lesions > 0, _warped(second.lesions > 0, matrix) > 0
    with tempfile.TemporaryDirectory() as name:
        paths = Path(name) / "first.png", Path(name) / "second.png"
        for path, pixels, gamma in (
            (paths[0], first.pixels, 1.0),
            (paths[1], _warped(second.pixels, matrix), float(rng.uniform(0.75, 1.33))),
        ):
            path.write_bytes(encode_png(_exposed(pixels, gamma, rng)))
        said = _said(paths, truth)
    whole = all(
        _inside(np.argwhere(film.lesions > 0), matrix, (rows, cols)) for film in (first, second)
    )
    percent = None
    if first.planted and second.planted:
        before, after = (film.planted[0].equivalent_diameter_px for film in (first, second))
        percent = 100.0 * (after / before - 1.0)
    return told | {"whole": whole, "true_percent": percent} | said


def _said(
    paths: tuple[Path, Path], truth: tuple[NDArray[np.bool_], NDArray[np.bool_]]
) -> dict[str, Any]:
    """Compare two films; return the change reported for the lesion, and counts for others."""
    try:
        films = [film_of_file(path) for path in paths]
        comparison = compare_films(*films)
    except RefusedPairError as error:
        return {"said": f"refused ({error.code})"}
    said: dict[str, Any] = {}
    others = Counter[str]()
    for lesion in comparison.record.lesions:
        ids = lesion.before_ids, lesion.after_ids
        if any(map(_hits, films, ids, truth)):
            said.setdefault("said", lesion.state)
            said.setdefault("said_percent", lesion.diameter_change_percent)
            said.setdefault("uncertainty_percent", lesion.diameter_uncertainty_percent)
        else:
            others[lesion.state] += 1
    said.setdefault("said", "not shown")
    return said | {"others": dict(others)}


def _planted(
    film: TruthFilm, rng: np.random.Generator, change: str, seed: tuple[int, int]
) -> tuple[PlantedFilm, PlantedFilm] | None:
    """Plant a lesion in a film twice; None where it is too weak or none fits."""
    pixels, _ = storable(read_radiograph(film.image).pixels)
    try:
        prepared = prepare(pixels, np.asarray(Image.open(film.bone).convert("L")) > 0)
    except ValueError:
        return None
    factor = _factor(rng, change)
    for number in range(TRIES):
        drawn = plant(prepared, (*seed, number), lesions=1).planted
        if not drawn or drawn[0].recipe.expansile:
            continue
        lesion = replace(drawn[0].recipe, one_sided=0.0)
        later = replace(lesion, diameter_px=factor * lesion.diameter_px)
        recipes = () if change == "new" else (lesion,), () if change == "gone" else (later,)
        try:
            first, second = (plant(prepared, (*seed, number), lesions=one) for one in recipes)
        except ValueError:
            continue
        if all(
            one.contrast_to_noise >= LEAST_CONTRAST for one in (*first.planted, *second.planted)
        ):
            return first, second
    return None


def _warped(picture: NDArray[Any], matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    size = picture.shape[1], picture.shape[0]
    moved = cv2.warpAffine(
        picture.astype(np.float32), matrix, size, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.float32)


def _exposed(pixels: NDArray[Any], gamma: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a film with another characteristic curve and with noise."""
    film = pixels.astype(np.float64)
    film = (film - film.min()) / max(float(np.ptp(film)), 1e-6)
    film = np.clip(film**gamma + rng.normal(0.0, 0.01, film.shape), 0.0, 1.0)
    return np.asarray(np.rint(255.0 * film), np.uint8)


def _inside(places: NDArray[np.int64], matrix: NDArray[np.float64], shape: tuple[int, int]) -> bool:
    """Say whether all places, (row, column), are still in a film of this shape when moved."""
    at = places[:, ::-1] @ matrix[:, :2].T + matrix[:, 2]
    return bool(((at >= 0) & (at <= [shape[1] - 1, shape[0] - 1])).all())


def _factor(rng: np.random.Generator, change: str) -> float:
    """Draw the factor of a lesion's diameter."""
    return {
        "grown": float(rng.uniform(1.2, 1.8)),
        "shrunk": 1.0 / float(rng.uniform(1.2, 1.8)),
        "grown by 20 %": 1.2,
    }.get(change, 1.0)


def _phantoms(rng: np.random.Generator, change: str) -> tuple[Phantom, Phantom, Take] | None:
    """Draw one person twice; None where a lesion is too weak or none fits."""
    part = [*BODY_PARTS][int(rng.integers(len(BODY_PARTS)))]
    seed, side = int(rng.integers(2**31)), int(rng.integers(500, 901))
    films = draw_film(rng), draw_film(rng)
    films = films[0], replace(films[1], laterality=films[0].laterality)
    take = Take(
        seed + 1,
        turn_deg=float(rng.uniform(-15, 15)),
        shift=(float(rng.uniform(-0.2, 0.2)), float(rng.uniform(-0.2, 0.2))),
        magnification=float(rng.uniform(0.9, 1.15)),
    )
    lesion = _lesion(rng, part, seed)
    if lesion is None:
        return None
    later = replace(
        lesion,
        diameter_mm=_factor(rng, change) * lesion.diameter_mm,
        across=_turned(rng, lesion.across),
    )
    recipes = () if change == "new" else (lesion,), () if change == "gone" else (later,)
    made = []
    for film, recipe, one in zip(films, recipes, (Take(seed), take), strict=True):
        phantom = make_phantom(part, seed, lesions=recipe, long_side_px=side, film=film, take=one)
        weak = any(one.contrast_to_noise < LEAST_CONTRAST for one in phantom.planted)
        if weak or len(phantom.planted) < len(recipe):
            return None
        made.append(phantom)
    return made[0], made[1], take


def _lesion(rng: np.random.Generator, part: str, seed: int) -> Lesion | None:
    anatomy = BODY_PARTS[part](np.random.default_rng(seed))
    for _ in range(TRIES):
        for lesion in draw_lesions(rng, anatomy, count=1):
            if not lesion.expansile and 6.0 < lesion.diameter_mm < 45.0:
                return replace(lesion, removed=max(lesion.removed, 0.65), one_sided=0.0)
    return None


def _turned(rng: np.random.Generator, across: float) -> float:
    """Return where a lesion is projected across its bone if the bone is turned about its axis.

    The phantoms are projections already. A bone is taken to be round, so that only the lesion
    moves: by the sine of the turn (up to 5 degrees) times its unknown depth in the bone.
    """
    depth = float(rng.uniform(-1.0, 1.0)) * np.sqrt(max(1.0 - across**2, 0.0))
    return float(np.clip(across + depth * np.sin(np.deg2rad(rng.uniform(-5, 5))), -1.2, 1.2))


def _true(first: Phantom, second: Phantom, take: Take) -> dict[str, Any]:
    """Return the true change of the diameter, and whether both films show all of the lesion."""
    rows, cols = first.stored.shape
    grid = Grid(rows, cols, first.spacing_mm)
    matrix = take.matrix(grid)
    there = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    fields = [exposed_field(grid, phantom.film) > 0.9 for phantom in (first, second)]
    whole = all(
        _inside(np.argwhere(phantom.lesions > 0), onto, (rows, cols))
        and not _cut(phantom.lesions > 0, field)
        and not (_warped(phantom.lesions > 0, onto) > 0)[~other].any()
        for phantom, field, onto, other in zip(
            (first, second), fields, (matrix, there), reversed(fields), strict=True
        )
    )
    percent = None
    if first.planted and second.planted:
        before, after = (one.planted[0].equivalent_diameter_px for one in (first, second))
        percent = 100.0 * (after / before / take.magnification - 1.0)
    return {"whole": whole, "true_percent": percent}


def _cut(lesion: NDArray[np.bool_], field: NDArray[np.bool_]) -> bool:
    """Say whether a lesion reaches the border of the film or of the exposed field."""
    around = cv2.dilate(np.pad(lesion, 2).view(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return bool((around & ~np.pad(field, 2)).any())


def _hits(film: ComparedFilm, ids: Sequence[int], truth: NDArray[np.bool_]) -> bool:
    """Say whether candidates lie on the planted lesion, half of them or of it."""
    own = np.isin(film.labels, ids) if ids else np.zeros(truth.shape, np.bool_)
    smaller = min(np.count_nonzero(own), np.count_nonzero(truth))
    return bool(smaller > 0 and np.count_nonzero(own & truth) >= 0.5 * smaller)


def print_pairs(done: Sequence[dict[str, Any]]) -> None:
    """Print the reported changes, by true change."""
    made = [one for one in done if one["said"] != "not made"]
    print(f"{len(made)} pairs")
    for change in CHANGES:
        said = Counter(one["said"] for one in made if one["change"] == change)
        print(f"  {change}: {', '.join(f'{count} {word}' for word, count in said.most_common())}")
    shown = [one for one in made if "whole" in one and one["said"] != "not shown"]
    right = sum(_right(one) for one in shown)
    print(f"right state: {right} of {len(shown)} lesions that were compared")
    pairs = [one for one in shown if one.get("said_percent") is not None and one["whole"]]
    pairs = [one for one in pairs if one["true_percent"] is not None]
    if pairs:
        errors = [abs(one["said_percent"] - one["true_percent"]) for one in pairs]
        inside = np.mean(
            [error <= one["uncertainty_percent"] for error, one in zip(errors, pairs, strict=True)]
        )
        print(
            f"median error of the diameter's change: {np.median(errors):.1f} points of per cent "
            f"({len(pairs)} lesions; {inside:.0%} within the stated uncertainty)"
        )
    groups = [
        [one["said_percent"] for one in pairs if one["change"] == change]
        for change in ("grown by 20 %", "stable")
    ]
    if all(groups):
        area = mannwhitneyu(*groups).statistic / (len(groups[0]) * len(groups[1]))
        print(f"20 % growth against none: AUC {area:.2f} ({len(groups[0])} and {len(groups[1])})")
    others = Counter[str]()
    for one in made:
        others.update(one.get("others", {}))
    print(f"other candidates: {', '.join(f'{n} {state}' for state, n in others.most_common())}")


def _right(one: dict[str, Any]) -> bool:
    true = "grown" if one["change"] == "grown by 20 %" else one["change"]
    return bool(one["said"] == (true if one["whole"] else "not_comparable"))


if __name__ == "__main__":
    sys.exit(main())
