"""Compare image statistics of phantoms and real films: compare_phantoms_with_films.py FILMS.

FILMS is a truth folder with real radiographs; its films without lesions in the sets named by --sets
are compared with phantoms: those of a truth folder (--phantoms DIR), or --count phantoms without
lesions made here from --seed. Every picture is resized to one long side by area averaging (smaller
ones are enlarged), and its exposed field and grey values are normalised as in a search.
lesionscan's bone mask is used for films and phantoms alike.

The overlap of two groups is the common area of their distributions: 1 = identical, 0 = separable by
this number alone. The table also has the overlap of the real sets with each other, which is the
most that phantoms can be expected to reach.
"""

import argparse
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionscan.detection.bone import find_bone
from lesionscan.detection.multiscale import compute_maps
from lesionscan.detection.pipeline import normalise_film
from lesionscan.detection.scorer.scorer_file import shipped_scorer
from lesionscan.evaluation.truth import load_truth
from lesionscan.radiograph import BoolImage, FloatImage, Radiograph
from lesionscan.reading import read_radiograph
from lesionscan.settings import Settings
from lesionscan.simulation.phantom import BODY_PARTS, Phantom, make_phantom

LONG_SIDE_PX = 256
"""The size of the films in the set with the smallest ones."""
BINS = 64
FREQUENCIES = (0.03, 0.35)
"""Range in which the slope of the power spectrum is fitted, in cycles per pixel."""
PHANTOMS = "phantoms"

Floats = NDArray[np.float64]
Sample = dict[str, float]

STATISTICS = {
    "mean grey": ".3f",
    "standard deviation of grey": ".3f",
    "skewness of grey": ".2f",
    "entropy of grey (bits)": ".2f",
    "share near black (under 0.03)": ".3f",
    "share near white (over 0.97)": ".3f",
    "slope of the power spectrum": ".2f",
    "bone minus soft tissue": ".3f",
    "bone minus soft tissue, over local noise": ".1f",
    "local noise": ".4f",
    "width of bone edges (px)": ".2f",
    "share of bone": ".3f",
}
"""The statistics of a picture, and their formats. Grey values are 0 to 1."""


def main() -> None:
    """Measure films and phantoms and print the table."""
    arguments = _arguments()
    sets = tuple(arguments.sets.split(","))
    groups = {name: Group(name) for name in (PHANTOMS, *sets)}
    for phantom in _phantoms(arguments):
        groups[PHANTOMS].add(phantom)
    for film in load_truth(arguments.films):
        name = str(film.facts.get("set", ""))
        if name in sets and not film.facts.get("lesions"):
            groups[name].add(read_radiograph(film.image))
    empty = [name for name, group in groups.items() if len(group.samples) < 2]
    if empty:
        raise SystemExit(f"fewer than two normal films of {', '.join(empty)}; check --sets")
    print(table(list(groups.values()), markdown=arguments.markdown))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("films", type=Path, help="truth folder with real films")
    parser.add_argument("--phantoms", type=Path, help="truth folder with phantoms to measure")
    parser.add_argument("--sets", default="niu,btxrd", help="sets of films, with commas")
    parser.add_argument("--count", type=int, default=50, help="phantoms to make if none are given")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first of them")
    parser.add_argument(
        "--parts", default=",".join(BODY_PARTS), help="body parts of phantoms made, with commas"
    )
    parser.add_argument("--long-side", type=int, default=512, help="rows of phantoms made")
    parser.add_argument("--markdown", action="store_true", help="print a markdown table")
    return parser.parse_args()


def _phantoms(arguments: argparse.Namespace) -> Iterator[Radiograph]:
    """Yield the phantoms of a truth folder, or phantoms without lesions, part after part."""
    if arguments.phantoms is not None:
        for film in load_truth(arguments.phantoms):
            if not film.facts.get("lesions"):
                yield read_radiograph(film.image)
        return
    parts = arguments.parts.split(",")
    for number in range(arguments.count):
        yield as_radiograph(
            make_phantom(
                parts[number % len(parts)],
                arguments.seed + number,
                lesions=0,
                long_side_px=arguments.long_side,
                variation=None,
            )
        )


def as_radiograph(phantom: Phantom) -> Radiograph:
    """Convert a phantom to a radiograph: bone bright, every pixel valid."""
    pixels = phantom.stored.astype(np.float32)
    if phantom.film.photometric == "MONOCHROME1":
        pixels = np.float32(2**phantom.film.bits - 1) - pixels
    return Radiograph(pixels, np.ones(pixels.shape, dtype=np.bool_))


class Group:
    """Statistics of many pictures, and the histogram of all their pixels."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.samples: list[Sample] = []
        self.histogram: Floats = np.zeros(BINS)

    def add(self, radiograph: Radiograph) -> None:
        """Measure a picture."""
        image, usable, bone = prepare(radiograph)
        self.samples.append(measure(image, usable, bone))
        counts, _ = np.histogram(image[usable], bins=BINS, range=(0.0, 1.0))
        # every picture has the same weight, independent of its field's size
        self.histogram += counts / max(counts.sum(), 1)

    def values(self, statistic: str) -> Floats:
        """Return a statistic of all pictures that have it."""
        values = np.array([sample[statistic] for sample in self.samples])
        return np.asarray(values[np.isfinite(values)])


def prepare(radiograph: Radiograph) -> tuple[FloatImage, BoolImage, BoolImage]:
    """Return the normalised picture, its usable field and its bone mask, at the common size."""
    rows, cols = radiograph.shape
    factor = LONG_SIDE_PX / max(rows, cols)
    size = (max(1, round(cols * factor)), max(1, round(rows * factor)))
    how = cv2.INTER_AREA if factor <= 1 else cv2.INTER_LINEAR
    pixels = np.asarray(cv2.resize(radiograph.pixels, size, interpolation=how), np.float32)
    covered = cv2.resize(radiograph.valid.astype(np.float32), size, interpolation=how)
    film = normalise_film(Radiograph(pixels, np.asarray(covered > 0.999)), Settings())
    bone_map = compute_maps(film.small, shipped_scorer().network).bone
    usable = film.field.usable
    return film.small, usable, find_bone(bone_map, film.small, usable).mask


def measure(image: FloatImage, usable: BoolImage, bone: BoolImage) -> Sample:
    """Compute the statistics of a picture; those that need bone are NaN if there is none.

    Parameters
    ----------
    image
        float32 (rows, cols) in [0, 1], bone bright.
    usable, bone
        bool (rows, cols); the exposed field without letters, and the bone in it.
    """
    grey = image[usable].astype(np.float64)
    mean, spread = float(grey.mean()), float(grey.std())
    counts, _ = np.histogram(grey, bins=BINS, range=(0.0, 1.0))
    share = counts[counts > 0] / grey.size
    noise = local_noise(image, usable)
    contrast = bone_contrast(image, usable, bone)
    return {
        "mean grey": mean,
        "standard deviation of grey": spread,
        "skewness of grey": float(((grey - mean) ** 3).mean() / max(spread, 1e-9) ** 3),
        "entropy of grey (bits)": float(-(share * np.log2(share)).sum()),
        "share near black (under 0.03)": float((grey < 0.03).mean()),
        "share near white (over 0.97)": float((grey > 0.97).mean()),
        "slope of the power spectrum": spectrum_slope(image, usable),
        "bone minus soft tissue": contrast,
        "bone minus soft tissue, over local noise": contrast / noise,
        "local noise": noise,
        "width of bone edges (px)": edge_width(image, usable, bone),
        "share of bone": float((bone & usable).sum() / usable.sum()),
    }


def local_noise(image: FloatImage, usable: BoolImage) -> float:
    """Compute the standard deviation of noise from a difference of Laplacians.

    The mask (1 -2 1; -2 4 -2; 1 -2 1) removes planes and edges; its output has 6 times the noise's
    standard deviation (Immerkær, Comput Vis Image Underst 1996;64:300). Clipped air has no noise
    and is left out; the median absolute deviation ignores the few strong structures.
    """
    mask = np.array([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, -2.0, 1.0]])
    residual = ndimage.convolve(image.astype(np.float64), mask, mode="nearest") / 6.0
    inner = ndimage.binary_erosion(usable) & (image > 0.03) & (image < 0.97)
    values = residual[inner]
    if values.size == 0:
        return float("nan")
    return max(1.4826 * float(np.median(np.abs(values - np.median(values)))), 1e-5)


def spectrum_slope(image: FloatImage, usable: BoolImage) -> float:
    """Compute the slope of log power over log frequency, radially averaged, inside the field.

    Outside the field, its mean is used; a Hann window suppresses the border.
    """
    rows, cols = np.nonzero(usable)
    box = np.s_[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    mean = float(image[usable].mean())
    part = np.where(usable[box], image[box] - mean, 0.0)
    part = part * np.hanning(part.shape[0])[:, None] * np.hanning(part.shape[1])[None, :]
    power = np.abs(np.fft.fft2(part)) ** 2
    frequency = np.hypot(
        np.fft.fftfreq(part.shape[0])[:, None], np.fft.fftfreq(part.shape[1])[None, :]
    )
    edges = np.geomspace(*FREQUENCIES, 17)
    which = np.digitize(frequency.ravel(), edges)
    total = np.bincount(which, weights=power.ravel(), minlength=edges.size + 1)[1:-1]
    count = np.bincount(which, minlength=edges.size + 1)[1:-1]
    full = (count > 0) & (total > 0)
    x = np.log(np.sqrt(edges[1:] * edges[:-1]))[full]
    y = np.log(total[full] / count[full])
    x = x - x.mean()
    return float((x * y).sum() / (x * x).sum())


def bone_contrast(image: FloatImage, usable: BoolImage, bone: BoolImage) -> float:
    """Compute the mean of bone minus that of soft tissue within 5 % of the long side around it.

    Pixels darker than 0.05 are air.
    """
    inside = bone & usable
    reach = 0.05 * max(image.shape)
    ring = usable & ~bone & (ndimage.distance_transform_edt(~bone) <= reach)
    if not inside.any() or not ring.any():
        return float("nan")
    flesh = image[ring & (image > 0.05)]
    return float(image[inside].mean() - flesh.mean()) if flesh.size else float("nan")


def edge_width(image: FloatImage, usable: BoolImage, bone: BoolImage) -> float:
    """Compute the median width of the edge of bone, in pixels: height / slope."""
    line = usable & bone & ~ndimage.binary_erosion(bone)
    line[[0, -1]] = line[:, [0, -1]] = False
    if not line.any():
        return float("nan")
    picture = image.astype(np.float64)
    height = ndimage.maximum_filter(picture, 7) - ndimage.minimum_filter(picture, 7)
    slope = ndimage.maximum_filter(np.hypot(*np.gradient(picture)), 7)
    clear = line & (height > 0.05)
    return float(np.median(height[clear] / slope[clear])) if clear.any() else float("nan")


def overlap(first: Floats, second: Floats) -> float:
    """Compute the common area of two distributions, each smoothed by a Gaussian.

    The kernel's width is Silverman's (0.9 x the smaller of standard deviation and interquartile
    range / 1.34, x n^-0.2) of the wider group, so that two spikes at one place overlap completely.
    """
    width = max(_kernel_width(first), _kernel_width(second))
    if width <= 0:
        return float(np.mean(first) == np.mean(second))
    low = min(first.min(), second.min()) - 4 * width
    high = max(first.max(), second.max()) + 4 * width
    x = np.linspace(low, high, 2001)
    one, other = (_density(x, values, width) for values in (first, second))
    return float(np.minimum(one, other).sum() / one.sum())


def _kernel_width(values: Floats) -> float:
    quartiles = np.percentile(values, [25, 75])
    spread = min(float(values.std()), float(quartiles[1] - quartiles[0]) / 1.34)
    return 0.9 * (spread if spread > 0 else float(values.std())) * float(values.size**-0.2)


def _density(x: Floats, values: Floats, width: float) -> Floats:
    kernels = np.exp(-0.5 * ((x[:, None] - values[None, :]) / width) ** 2)
    return np.asarray(kernels.mean(axis=1))


def histogram_overlap(first: Floats, second: Floats) -> float:
    """Compute the common area of two histograms, each normalised to an area of 1."""
    return float(np.minimum(first / first.sum(), second / second.sum()).sum())


def table(groups: list[Group], *, markdown: bool) -> str:
    """Return the table: median [10th, 90th percentile] of each group, and the overlap of each pair.

    Phantoms come first; the last columns are the overlaps of the real sets with each other.
    """
    pairs = list(combinations(groups, 2))
    head = ["", *(f"{group.name} (n = {len(group.samples)})" for group in groups)]
    head += [f"overlap {one.name} / {other.name}" for one, other in pairs]
    rows = [head]
    for statistic, form in STATISTICS.items():
        cells = [statistic]
        for group in groups:
            low, middle, high = np.percentile(group.values(statistic), [10, 50, 90])
            cells.append(f"{middle:{form}} [{low:{form}}, {high:{form}}]")
        for one, other in pairs:
            cells.append(f"{overlap(one.values(statistic), other.values(statistic)):.2f}")
        rows.append(cells)
    pooled = [f"{histogram_overlap(one.histogram, other.histogram):.2f}" for one, other in pairs]
    rows.append([f"grey histogram of all pixels ({BINS} bins)", *[""] * len(groups), *pooled])
    if markdown:
        rows.insert(1, ["---"] * len(head))
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


if __name__ == "__main__":
    main()
