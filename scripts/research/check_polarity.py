"""Check the warning about inverted polarity: check_polarity.py FILMS [--every 3].

Every film of a folder, or of a truth folder, is checked as it is read, and inverted. Counted by
set: false alarms on the former, alarms on the latter.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scan_and_judge import every_film

from lesionscan import Radiograph, Settings, UnreadableFileError, read_radiograph
from lesionscan.detection.pipeline import normalise_film
from lesionscan.detection.polarity import looks_inverted
from lesionscan.detection.scorer.scorer_file import shipped_scorer
from lesionscan.evaluation.truth import TruthError, load_truth
from lesionscan.radiograph import FloatImage


@dataclass(frozen=True)
class Film:
    """A film and the set it belongs to."""

    path: Path
    set_name: str


def main() -> int:
    """Check the films and print the counts; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("films", type=Path, help="folder of films, or truth folder")
    parser.add_argument("--every", type=int, default=1, help="use only every n-th film")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    try:
        films = list_films(options.films)[:: options.every]
    except (TruthError, OSError) as error:
        print(f"check_polarity: {error}", file=sys.stderr)
        return 2
    counts: dict[str, Counter[str]] = {}
    for film, alarms in zip(
        films, every_film(films, alarms_both_ways, jobs=options.jobs), strict=True
    ):
        count = counts.setdefault(film.set_name, Counter())
        if alarms is None:
            count["unreadable"] += 1
            continue
        count["films"] += 1
        count["false alarms"] += alarms[0]
        count["noticed"] += alarms[1]
        if alarms[0]:
            print(f"alarm: {film.path.name}")
    for name, count in counts.items():
        print(
            f"{name}: {count['films']} films, {count['false alarms']} alarms as read, "
            f"{count['noticed']} inverted; {count['unreadable']} unreadable"
        )
    return 0


def list_films(folder: Path) -> Sequence[Film]:
    """Return the films of a truth folder, or all files of another folder."""
    if (folder / "index.json").is_file():
        return [Film(film.image, film.set_name) for film in load_truth(folder)]
    return [Film(path, folder.name) for path in sorted(folder.iterdir()) if path.is_file()]


def alarms_both_ways(film: Film) -> tuple[bool, bool] | None:
    """Return whether there is an alarm for the film as read, and inverted; None if unreadable."""
    try:
        radiograph = read_radiograph(film.path)
    except UnreadableFileError:
        return None
    pixels = radiograph.pixels
    turned = np.asarray(pixels.max() + pixels.min() - pixels, np.float32)
    return alarm(radiograph), alarm(replace(radiograph, pixels=turned))


def alarm(radiograph: Radiograph) -> bool:
    """Return whether bone appears to be dark in the film."""
    network = shipped_scorer().network

    def bone_map(image: FloatImage) -> FloatImage:
        return network.run(image, network.long_sides_px[0]).bone

    small = normalise_film(radiograph, Settings()).small
    return looks_inverted(bone_map(small), small, bone_map)


if __name__ == "__main__":
    sys.exit(main())
