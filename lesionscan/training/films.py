"""Training films: normalised, reduced in size, with masks of lesions and bone."""

import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.bone import BONE_FROM
from lesionscan.detection.multiscale import compute_maps
from lesionscan.detection.pipeline import normalise_film
from lesionscan.detection.scorer.network import Network
from lesionscan.evaluation.truth import TruthFilm
from lesionscan.radiograph import FloatImage, read_only
from lesionscan.reading import read_radiograph
from lesionscan.settings import Settings
from lesionscan.simulation.planting.film_lesions import LEAST_DIAMETER_PX
from lesionscan.simulation.planting.plant import plant, prepare
from lesionscan.simulation.random_lesions import rimmed

LONG_SIDE_PX = 768
"""Long side of the films kept in memory; views zoom in, as the finer passes of the search do."""
LOOK_LONG_SIDES_PX = (320, 640)
"""Long sides of the grids on which a scorer runs the network; views are drawn for both."""
LESION, FAINT = 1, 2
"""Values in `TrainingFilm.lesions`."""
_LEAST_CONTRAST_TO_NOISE = 1.0
_LEAST_REMOVED_TO_NOISE = 1.5
"""A planted lesion below both is invisible: it is ignored in the loss."""
_HELD_OUT_OF = 5
"""One source in five is held out from the network, to fit the terms of the score on."""
_LESIONS_PER_FILM = (1, 1, 1, 2, 3)
"""Numbers of lesions planted in one film, drawn uniformly."""
_SMALL_SHARE = 0.5
"""Fraction of the planted films whose lesions are small."""
_SMALL_PER_FILM = (1, 2, 3, 5, 8)
"""Numbers of small lesions planted in one film: myeloma comes in groups."""
_SMALL_DIAMETERS = (0.01, 0.06)
"""Range of their diameters as fractions of the film's long side, drawn log-uniformly."""
_AT_FULL_DETAIL = Settings(working_long_side_px=LONG_SIDE_PX)
_PLANTING_STEPS = 60_000
"""Grey levels of the films that lesions are planted in; far finer than the noise of any film."""

BoneOutline = Literal["whole", "near", "none"]
"""Whether all bones in view are outlined, one of several, or none."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingFilm:
    """One film, at most `LONG_SIDE_PX` pixels along its long side.

    Attributes
    ----------
    name
        The film's name.
    source
        The film, patient or case it was made from: all films of a source are held out, or none.
    image
        uint8 (rows, cols); the normalised image, 255 = 1.0, bone bright.
    lesions
        uint8 (rows, cols); 0, `LESION`, or `FAINT` for lesions too faint to be a target.
    bone
        uint8 (rows, cols), 255 = bone; zeros where `bone_outline` is "none".
    bone_outline
        Where `bone` is valid: on the whole film, near the outlined bone, or nowhere.
    alarms
        (row, col) of the places where a network raised a false alarm; see `mining`.
    """

    name: str
    source: str
    image: NDArray[np.uint8]
    lesions: NDArray[np.uint8]
    bone: NDArray[np.uint8]
    bone_outline: BoneOutline
    alarms: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        for name in ("image", "lesions", "bone"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def has_lesions(self) -> bool:
        """Whether it has lesions, including faint ones."""
        return bool(self.lesions.any())

    @property
    def held_out(self) -> bool:
        """Whether it is held out from the network; fixed by a hash of `source`."""
        return zlib.crc32(self.source.encode()) % _HELD_OUT_OF == 0


def training_film(film: TruthFilm, *, bone_outline: BoneOutline) -> TrainingFilm:
    """Read a film of a truth folder.

    Parameters
    ----------
    film
        The film; lesions that are invisible according to their facts become `FAINT`.
    bone_outline
        Where its bone mask, if there is one, is valid.

    Raises
    ------
    lesionscan.reading.UnreadableFileError
        If the film cannot be read.
    lesionscan.evaluation.truth.TruthError
        If a mask cannot be used.
    """
    radiograph = read_radiograph(film.image)
    small = normalise_film(radiograph, _AT_FULL_DETAIL).small
    shape = _shape(small)
    bone = film.read_bone(radiograph.shape)
    return TrainingFilm(
        name=film.name,
        source=source_of(film),
        image=_grey(small, shape),
        lesions=_lesions(film.read_lesions(radiograph.shape), _facts(film), shape),
        bone=np.zeros(shape, np.uint8) if bone is None else _grey(bone.astype(np.float32), shape),
        bone_outline="none" if bone is None else bone_outline,
    )


def source_of(film: TruthFilm) -> str:
    """Return what a film was made from: its patient, else its case, else the original film."""
    return film.group


def planted_films(
    film: TruthFilm, network: Network, *, variants: int, seed: int
) -> list[TrainingFilm]:
    """Return a normal film and variants of it with planted lesions.

    Parameters
    ----------
    film
        A film without lesions; if it has a bone mask, lesions are planted in it.
    network
        Finds the bones: those to plant in if the film has no mask, and the bone mask of the result.
    variants
        Number of films with lesions to try; fewer are returned if no place is found.
    seed
        0 or greater; together with the film's name it determines what is planted.

    Returns
    -------
    list of TrainingFilm
        The film itself first; no others if no lesion fits into its bones.

    Raises
    ------
    lesionscan.reading.UnreadableFileError
        If the film cannot be read.
    lesionscan.evaluation.truth.TruthError
        If its bone mask cannot be used.
    """
    radiograph = read_radiograph(film.image)
    normalised = normalise_film(radiograph, _AT_FULL_DETAIL)
    film_image, shape = normalised.small, _shape(normalised.small)
    own = film.read_bone(radiograph.shape)
    share = compute_maps(film_image, network).bone
    bone = share >= BONE_FROM
    if own is not None:
        bone = _shrunk(own.astype(np.float32), film_image.shape) >= 0.5
        share = np.maximum(share, bone.astype(np.float32))
    bone = bone & normalised.field.exposed
    films = [
        TrainingFilm(
            name=film.name,
            image=_grey(film_image, shape),
            lesions=np.zeros(shape, np.uint8),
            bone=_grey(share, shape),
            source=source_of(film),
            bone_outline="whole",
        )
    ]
    try:
        prepared = prepare(np.rint(film_image * _PLANTING_STEPS).astype(np.uint16), bone)
    except ValueError:
        return films
    key = (seed, zlib.crc32(film.name.encode()))
    rng = np.random.default_rng(key)
    long_side = max(film_image.shape)
    low, high = (max(share * long_side, LEAST_DIAMETER_PX) for share in _SMALL_DIAMETERS)
    for variant in range(variants):
        small = rng.random() < _SMALL_SHARE
        planted = plant(
            prepared,
            (*key, variant),
            lesions=int(rng.choice(_SMALL_PER_FILM if small else _LESIONS_PER_FILM)),
            diameters_px=(low, high) if small else None,
        )
        if planted.planted:
            image = np.asarray(planted.pixels, np.float32) / _PLANTING_STEPS
            facts = {lesion.label: asdict(lesion) for lesion in planted.planted}
            films.append(
                replace(
                    films[0],
                    name=f"{film.name}_{variant:02d}",
                    image=_grey(image, shape),
                    lesions=_lesions(planted.lesions.astype(np.int32), facts, shape),
                    bone=_grey(np.maximum(share, planted.bone & ~bone), shape),
                )
            )
    return films


def _shape(small: FloatImage) -> tuple[int, int]:
    """Return rows and columns of the training film made from a working image."""
    factor = min(1.0, LONG_SIDE_PX / max(small.shape))
    rows, cols = (max(1, round(side * factor)) for side in small.shape)
    return rows, cols


def _shrunk(array: FloatImage, shape: tuple[int, ...]) -> FloatImage:
    if array.shape == shape:
        return array
    return np.asarray(cv2.resize(array, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)


def _grey(image: NDArray[np.floating[Any]], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Convert a picture of 0 to 1 to the uint8 picture of a training film."""
    shrunk = _shrunk(np.ascontiguousarray(image, np.float32), shape)
    return np.rint(np.clip(shrunk, 0, 1) * 255).astype(np.uint8)


def _facts(film: TruthFilm) -> dict[int, Mapping[str, object]]:
    """Return the facts of the index about each label of a film, if any."""
    return {fact["label"]: fact for fact in film.facts.get("lesion_facts", [])}


def _lesions(
    labels: NDArray[np.int32] | None,
    facts: Mapping[int, Mapping[str, object]],
    shape: tuple[int, int],
) -> NDArray[np.uint8]:
    """Reduce a label image in size, and mark invisible lesions as faint."""
    lesions = np.zeros(shape, np.uint8)
    if labels is None:
        return lesions
    for label in np.unique(labels[labels != 0]):
        mask = _shrunk((labels == label).astype(np.float32), shape) >= 0.5
        lesions[mask] = FAINT if _is_faint(facts.get(int(label), {})) else LESION
    return lesions


def _is_faint(fact: Mapping[str, object]) -> bool:
    """Return whether a lesion was measured to be invisible and has no rim to show it."""
    recipe = fact.get("recipe")
    if isinstance(recipe, Mapping) and recipe.get("kind") == rimmed.__name__:
        return False
    contrast, removed = fact.get("contrast_to_noise"), fact.get("removed_to_noise")
    if not isinstance(contrast, int | float) or not isinstance(removed, int | float):
        return False
    return contrast < _LEAST_CONTRAST_TO_NOISE and removed < _LEAST_REMOVED_TO_NOISE
