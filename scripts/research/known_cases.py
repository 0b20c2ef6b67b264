"""Make films with one known lesion and a given margin: phantoms, and lesions in real films.

Position, size and depth are drawn as by `lesionscan phantom` and `lesionscan plant`; the margin is
one of four kinds. Expansile lesions are left out: their margin is the shell of the expanded bone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice

import numpy as np
from numpy.typing import NDArray

from lesionscan import Radiograph, find_candidates, read_radiograph
from lesionscan.evaluation.truth import TruthFilm
from lesionscan.radiograph import Spacing
from lesionscan.simulation.body.lesions import Lesion
from lesionscan.simulation.fields import generator
from lesionscan.simulation.phantom import BODY_PARTS, make_phantom
from lesionscan.simulation.planted_folder import storable
from lesionscan.simulation.planting.film_lesions import FilmLesion, draw_candidates
from lesionscan.simulation.planting.film_work import PlantingWork
from lesionscan.simulation.planting.plant import PlantedFilm, PreparedFilm, plant, prepare
from lesionscan.simulation.planting.planted import PlantedFilmLesion, PlantedLesion

MARGINS = ("sharp_with_rim", "sharp", "ill_defined", "permeative")
TRIES = 120
"""Most drafts for one film."""
LEAST_DIAMETER_PX = 10.0
_PHANTOM_SIDE_PX = 640


@dataclass(frozen=True, eq=False)
class KnownCase:
    """A film with one known lesion.

    Attributes
    ----------
    name
        Name of the film.
    radiograph
        The film.
    lesion
        bool (rows, cols).
    margin
        One of `MARGINS`.
    bone_loss, contrast_to_noise
        Of the lesion, as in `planting.planted`.
    """

    name: str
    radiograph: Radiograph
    lesion: NDArray[np.bool_]
    margin: str
    bone_loss: float
    contrast_to_noise: float


def phantoms(count: int, seed: int) -> Iterator[KnownCase]:
    """Yield phantoms with one lesion each, of every body part and margin in turn."""
    numbers = range(seed, seed + TRIES * count)
    wanted = zip(cycle(BODY_PARTS), numbers, strict=False)
    made = (_phantom(part, number, MARGINS[number % 4]) for part, number in wanted)
    yield from islice((case for case in made if case is not None), count)


def plantings(films: Sequence[TruthFilm], count: int, seed: int) -> Iterator[KnownCase]:
    """Yield copies of real films without lesions with one planted lesion, of every margin.

    If a film has no bone mask, lesionscan's is used.
    """
    order = generator(seed, 1).permutation(len(films))
    yield from islice((case for n in order for case in _planted(films[n], seed, int(n))), count)


def _phantom(part: str, seed: int, margin: str) -> KnownCase | None:
    # the drawn lesions do not depend on the number of pixels
    drawn = make_phantom(part, seed, lesions=8, long_side_px=128).planted
    fitting = [one.recipe for one in drawn if _can_have(one.recipe.kind, margin)]
    if not fitting:
        return None
    recipe = _with_margin(generator(seed, 90), fitting[0], margin)
    phantom = make_phantom(part, seed, lesions=(recipe,), long_side_px=_PHANTOM_SIDE_PX)
    if not phantom.planted or phantom.planted[0].equivalent_diameter_px < LEAST_DIAMETER_PX:
        return None
    stored = phantom.stored.astype(np.float32)
    if phantom.film.photometric == "MONOCHROME1":
        stored = stored.max() - stored
    return _case(
        f"{part}_{seed}",
        stored,
        phantom.lesions > 0,
        margin,
        phantom.planted[0],
        Spacing(phantom.spacing_mm, phantom.spacing_mm, "made", "detector"),
    )


def _planted(film: TruthFilm, seed: int, number: int) -> Iterator[KnownCase]:
    """Yield copies of a film with a lesion of each margin, as far as lesions fit."""
    radiograph = read_radiograph(film.image)
    prepared = _prepared(film, radiograph)
    if prepared is None:
        return
    for turn, margin in enumerate(MARGINS):
        planted = _planting(prepared, (seed, number, turn), margin)
        if planted is not None:
            yield _case(
                f"{film.name}_{margin}",
                planted.pixels.astype(np.float32),
                planted.lesions > 0,
                margin,
                planted.planted[0],
                radiograph.spacing,
            )


def _planting(prepared: PreparedFilm, seed: tuple[int, ...], margin: str) -> PlantedFilm | None:
    rng = generator(*seed, 2)
    room = PlantingWork(prepared.image, prepared.signal, seed)
    for drawn in islice(draw_candidates(rng, prepared.axes, count=3), TRIES):
        if not _can_have(drawn.kind, margin):
            continue
        recipe = _film_margin(rng, drawn, margin)
        if not room.has_room(recipe):
            continue
        try:
            planted = plant(prepared, seed, lesions=(recipe,))
        except ValueError:  # it removes no bone there
            continue
        if planted.planted[0].equivalent_diameter_px >= LEAST_DIAMETER_PX:
            return planted
    return None


def _prepared(film: TruthFilm, radiograph: Radiograph) -> PreparedFilm | None:
    bone = film.read_bone(radiograph.shape)
    if bone is None:
        findings = find_candidates(radiograph)
        if not findings.assessed:
            return None
        bone = findings.bone
    try:
        return prepare(storable(radiograph.pixels)[0], bone, spacing=radiograph.spacing)
    except ValueError:  # no lesion fits into a bone
        return None


def _can_have(kind: str, margin: str) -> bool:
    """Return whether a kind of lesion can have a margin: only permeative ones are permeative."""
    return kind != "expansile" and (kind == "permeative") == (margin == "permeative")


def _film_margin(rng: np.random.Generator, drawn: FilmLesion, margin: str) -> FilmLesion:
    """Return a lesion drawn for a film with its margin replaced."""
    if margin == "permeative":
        return drawn
    unit = drawn.detail_px
    width, rim = _margin(rng, margin, drawn.diameter_px / unit)
    return replace(drawn, margin_px=max(width * unit, 0.8), rim=0.09 * rim, one_sided=0.0)


def _with_margin(rng: np.random.Generator, drawn: Lesion, margin: str) -> Lesion:
    """Return a lesion drawn for a phantom with its margin replaced."""
    if margin == "permeative":
        return drawn
    width, rim = _margin(rng, margin, drawn.diameter_mm)
    return replace(drawn, margin_mm=width, rim_mm=rim, one_sided=0.0)


def _margin(rng: np.random.Generator, margin: str, diameter: float) -> tuple[float, float]:
    """Draw half width and rim of a margin, lengths in mm.

    A sharp one is like that of `random_lesions.punched_out`; an ill-defined one fades over 0.3 to
    0.5 of the lesion's radius on either side.
    """
    if margin == "ill_defined":
        return float(rng.uniform(0.15, 0.25)) * diameter, 0.0
    rim = float(rng.uniform(1.0, 2.2)) if margin == "sharp_with_rim" else 0.0
    return float(rng.uniform(0.3, 0.7)), rim


def _case(
    name: str,
    pixels: NDArray[np.float32],
    lesion: NDArray[np.bool_],
    margin: str,
    facts: PlantedLesion | PlantedFilmLesion,
    spacing: Spacing | None,
) -> KnownCase:
    radiograph = Radiograph(pixels=pixels, valid=np.ones(pixels.shape, bool), spacing=spacing)
    return KnownCase(name, radiograph, lesion, margin, facts.bone_loss, facts.contrast_to_noise)
