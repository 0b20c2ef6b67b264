"""Real films with planted lesions, as films with known lesions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.radiograph import FloatImage, Spacing
from lesionscan.simulation.fields import Mask, generator
from lesionscan.simulation.planting.plant import PlantedFilm, plant, prepare
from lesionscan.simulation.planting.planted import facts
from lesionscan.simulation.truth_folder import KnownFilm

_COPIED_FACTS = frozenset(
    {"patient", "case", "source", "body_part", "view", "laterality", "use", "licence", "author"}
)
"""Keys copied from a film's index entry; others may identify the patient or not apply to a copy."""


@dataclass(frozen=True, slots=True, eq=False)
class NormalFilm:
    """A film without lesions, to plant lesions in.

    Attributes
    ----------
    name
        Name of its files, without ending.
    pixels
        float32 (rows, cols), bone bright, as `Radiograph.pixels`.
    bone
        bool (rows, cols), True where bone is outlined.
    bone_from
        Source of the outline: "mask" or "lesionscan".
    spacing
        Pixel spacing, if known.
    facts
        The film's entry in the index, of which `_COPIED_FACTS` are copied.
    """

    name: str
    pixels: FloatImage
    bone: Mask
    bone_from: str
    spacing: Spacing | None = None
    facts: Mapping[str, object] = field(default_factory=dict)


def plant_variants(
    film: NormalFilm,
    seed: tuple[int, ...],
    *,
    variants: int,
    lesions: tuple[int, int],
    diameters: tuple[float, float] | None = None,
    original: bool,
) -> Iterator[KnownFilm]:
    """Yield the film itself if `original` is true, then variants of it with lesions.

    Parameters
    ----------
    film
        The film.
    seed
        Numbers 0 or greater; the variant's number is appended.
    variants
        Number of films with lesions (fewer if no place is found for any lesion).
    lesions
        Least and greatest number of lesions in a variant, drawn uniformly; at least 1.
    diameters
        Least and greatest diameter of a lesion as a fraction of the film's long side, drawn
        log-uniformly; if None, sizes depend on the bone.
    original
        Whether to include the film without lesions, on which false positives are counted.

    Raises
    ------
    ValueError
        If a number is out of range, or no lesion can be planted in the film (see
        `planting.prepare`).
    """
    low, high = lesions
    if not 1 <= low <= high:
        raise ValueError(f"lesions must be two rising numbers of 1 or more, got {low} {high}")
    long_side = max(film.pixels.shape)
    diameters_px = (
        None if diameters is None else (diameters[0] * long_side, diameters[1] * long_side)
    )
    stored, steps = storable(film.pixels)
    prepared = prepare(stored, film.bone, spacing=film.spacing)
    kept = {key: fact for key, fact in film.facts.items() if key in _COPIED_FACTS}
    common = (
        {"source": film.name}
        | kept
        | {
            "set": f"{film.facts.get('set', 'films')}_planted",
            "bone_from": film.bone_from,
            "greys": steps,
        }
    )
    if original:
        nothing = np.zeros(film.bone.shape, dtype=np.uint16)
        yield KnownFilm(film.name, "png", _png(stored), nothing, film.bone, facts=common)
    for number in range(1, variants + 1):
        count = int(generator(*seed, number).integers(low, high + 1))
        planted = plant(prepared, (*seed, number), lesions=count, diameters_px=diameters_px)
        if planted.planted:
            yield _known(variant_name(film.name, number), planted, common)


def variant_name(name: str, number: int) -> str:
    """Return the name of the files of a film's variant."""
    return f"{name}_planted_{number:02d}"


def storable(pixels: FloatImage) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], str]:
    """Convert pixels to an integer type for PNG, and state how the grey values were converted.

    Integers are kept, or shifted to start at 0; other values are scaled to 16 bits, whose steps are
    far below the noise of any film.

    Parameters
    ----------
    pixels
        float32 (rows, cols), finite.

    Returns
    -------
    stored
        uint8 if the grey values fit, else uint16; the same shape.
    steps
        "kept", "shifted" or "scaled".
    """
    low, high = float(pixels.min()), float(pixels.max())
    whole = bool((pixels == np.rint(pixels)).all()) and high - low <= 65535
    if whole and low >= 0 and high <= 65535:
        return (pixels.astype(np.uint8) if high <= 255 else pixels.astype(np.uint16)), "kept"
    if whole:
        return (pixels - np.float32(low)).astype(np.uint16), "shifted"
    scaled = (pixels.astype(np.float64) - low) * (65535.0 / max(high - low, 1e-30))
    return np.rint(scaled).astype(np.uint16), "scaled"


def _known(name: str, planted: PlantedFilm, common: dict[str, object]) -> KnownFilm:
    return KnownFilm(
        name=name,
        ending="png",
        image=_png(np.asarray(planted.pixels)),
        lesions=planted.lesions,
        bone=planted.bone,
        facts={**common, "lesion_facts": [facts(lesion) for lesion in planted.planted]},
    )


def _png(stored: NDArray[np.integer]) -> bytes:
    """Return a grey PNG of 8 or 16 bits, encoded fast rather than small."""
    done, data = cv2.imencode(".png", stored, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise ValueError(f"no PNG can be made of {stored.dtype} {stored.shape}")
    return data.tobytes()
