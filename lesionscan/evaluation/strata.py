"""Facts about each lesion, and the strata that figures are split by."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionscan.detection.location import BoneMap
from lesionscan.evaluation.matching import Pixels
from lesionscan.evaluation.truth import TruthFilm

UNKNOWN = "unknown"
SMALL_PX = 8.0
"""Lesions below this diameter form a stratum of their own."""

_WIDTH_BANDS = ("< 1/3", "1/3 to 2/3", "> 2/3", UNKNOWN)
_NOISE_BANDS = ("< 2", "2 to 5", "> 5", UNKNOWN)
_SIZE_BANDS = ("< 0.05", "0.05 to 0.1", "0.1 to 0.2", "> 0.2")
_PIXEL_BANDS = ("< 8 px", "8 px or more")

Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class LesionFacts:
    """Facts about one lesion.

    Attributes
    ----------
    number
        Its label in the label image.
    centroid_px
        Mean (row, column) of its pixels.
    area_px
        Number of pixels.
    equivalent_diameter_px
        Diameter of the disk of equal area.
    size
        `equivalent_diameter_px` / long side of the film.
    lesion_to_bone_width
        From the index, else measured; None if it cannot be measured.
    contrast_to_noise
        From the index; None if not stated.
    body_part, subtype, kind
        From the index, in lower case; "unknown" if not stated.
    """

    number: int
    centroid_px: tuple[float, float]
    area_px: int
    equivalent_diameter_px: float
    size: float
    lesion_to_bone_width: float | None
    contrast_to_noise: float | None
    body_part: str
    subtype: str
    kind: str


def lesion_facts(
    film: TruthFilm, pixels: Mapping[int, Pixels], shape: tuple[int, ...], bone: Mask | None
) -> tuple[LesionFacts, ...]:
    """Collect the facts about a film's lesions.

    Parameters
    ----------
    film
        The film, with its entry in the index.
    pixels
        Pixels of each lesion by label.
    shape
        Rows and columns of the film.
    bone
        Bone mask to measure widths that the index does not state, or None.
    """
    stated = {fact.get("label"): fact for fact in film.facts.get("lesion_facts", [])}
    unstated = [
        number
        for number in pixels
        if _number(stated.get(number, {}).get("lesion_to_bone_width")) is None
    ]
    measured = (
        lesion_to_bone_widths({number: pixels[number] for number in unstated}, bone)
        if bone is not None and unstated
        else {}
    )
    return tuple(
        _facts(film, number, places, max(shape), stated.get(number, {}), measured.get(number))
        for number, places in pixels.items()
    )


def lesion_to_bone_widths(pixels: Mapping[int, Pixels], bone: Mask) -> dict[int, float | None]:
    """Measure the width of lesions relative to their bone, as `lesion_to_bone_width` of candidates.

    Parameters
    ----------
    pixels
        Pixels of each lesion by label; they count as bone.
    bone
        Bool (rows, cols).

    Returns
    -------
    dict
        By label; None if the lesion touches no bone, or the bone has no axis.
    """
    filled = bone.copy()
    for places in pixels.values():
        filled[tuple(places.T)] = True
    bones = BoneMap.of(filled)
    widths: dict[int, float | None] = {}
    for number, places in pixels.items():
        low, high = places.min(axis=0), places.max(axis=0) + 1
        inside = np.zeros(tuple(high - low + 2), np.bool_)
        inside[tuple((places - low + 1).T)] = True
        around = np.argwhere(ndimage.binary_dilation(inside, np.ones((3, 3)))) + low - 1
        around = around[((around >= 0) & (around < bone.shape)).all(axis=1)]
        box = (slice(low[0], high[0]), slice(low[1], high[1]))
        reach_px = math.sqrt(len(places) / math.pi)
        on_bone = bone[tuple(around.T)].any()
        widths[number] = (
            bones.locate(inside[1:-1, 1:-1], box, reach_px=reach_px).lesion_to_bone_width
            if on_bone
            else None
        )
    return widths


def strata(lesions: Sequence[LesionFacts]) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Yield (family, stratum, bool (lesions,) of its members) for every stratum with lesions."""
    for family, bands in _labels(lesions).items():
        labels, order = bands
        for label in order:
            chosen = np.array([one == label for one in labels], bool)
            if chosen.any():
                yield family, label, chosen


def _labels(
    lesions: Sequence[LesionFacts],
) -> dict[str, tuple[list[str], Sequence[str]]]:
    """Return, for each family, the stratum of every lesion and the order of the strata."""
    families: dict[str, tuple[list[str], Sequence[str]]] = {
        "lesion_to_bone_width": (
            [_band(one.lesion_to_bone_width, (1 / 3, 2 / 3), _WIDTH_BANDS) for one in lesions],
            _WIDTH_BANDS,
        ),
        "contrast_to_noise": (
            [_band(one.contrast_to_noise, (2.0, 5.0), _NOISE_BANDS) for one in lesions],
            _NOISE_BANDS,
        ),
        "size": (
            [_band(one.size, (0.05, 0.1, 0.2), _SIZE_BANDS) for one in lesions],
            _SIZE_BANDS,
        ),
        "size_px": (
            [_PIXEL_BANDS[one.equivalent_diameter_px >= SMALL_PX] for one in lesions],
            _PIXEL_BANDS,
        ),
    }
    for family in ("body_part", "subtype", "kind"):
        labels = [str(getattr(one, family)) for one in lesions]
        if set(labels) - {UNKNOWN}:  # no strata if the index does not state the property
            families[family] = (labels, [*sorted(set(labels) - {UNKNOWN}), UNKNOWN])
    return families


def _band(value: float | None, ends: Sequence[float], names: Sequence[str]) -> str:
    """Return the band of a value; the bounds themselves belong to the middle bands."""
    if value is None:
        return UNKNOWN
    below = sum(value >= end for end in ends[:-1]) + (value > ends[-1])
    return names[below]


def _facts(
    film: TruthFilm,
    number: int,
    places: Pixels,
    long_side: int,
    stated: Mapping[str, Any],
    measured: float | None,
) -> LesionFacts:
    row, column = places.mean(axis=0)
    diameter = math.sqrt(4.0 * len(places) / math.pi)
    width = _number(stated.get("lesion_to_bone_width"))
    words = {
        key: _word(stated.get(key, film.facts.get(key))) for key in ("body_part", "subtype", "kind")
    }
    return LesionFacts(
        number=number,
        centroid_px=(float(row), float(column)),
        area_px=len(places),
        equivalent_diameter_px=diameter,
        size=diameter / long_side,
        lesion_to_bone_width=measured if width is None else width,
        contrast_to_noise=_number(stated.get("contrast_to_noise")),
        **words,
    )


def _number(value: object) -> float | None:
    """Return a finite number as float, anything else as None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _word(value: object) -> str:
    """Return a name in lower case with spaces, so that FEMUR and femur are one stratum."""
    return UNKNOWN if value in (None, "") else str(value).replace("_", " ").lower()
