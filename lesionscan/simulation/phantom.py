"""make_phantom(): a body part, its lesions and its film, as stored pixels with the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from lesionscan.radiograph import read_only
from lesionscan.simulation import lower_limb, upper_limb
from lesionscan.simulation.anatomy import Anatomy, Builder
from lesionscan.simulation.body import Body, assemble
from lesionscan.simulation.fields import Grid, Mask, generator
from lesionscan.simulation.film import Film, draw_film, exposed_field, marker_attenuation
from lesionscan.simulation.lesions import Lesion
from lesionscan.simulation.physics import (
    BONE_PER_MM,
    MUSCLE_PER_MM,
    Exposure,
    ToneCurve,
    apply_tone,
    line_integral,
    log_image,
    quantise,
    transmission,
)
from lesionscan.simulation.planted import Evidence, PlantedLesion, measure
from lesionscan.simulation.random_lesions import draw_lesions

BODY_PARTS: Mapping[str, Builder] = MappingProxyType({
    "knee": lower_limb.knee,
    "femur": lower_limb.femur,
    "ankle": lower_limb.ankle,
    "hip": lower_limb.hip,
    "shoulder": upper_limb.shoulder,
    "wrist": upper_limb.wrist,
    "hand": upper_limb.hand,
})  # fmt: skip
"""The body parts that can be made, by the name used in recipes and file names."""


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A phantom radiograph and everything that is known about it.

    Attributes
    ----------
    stored
        uint16 (rows, cols), as a file stores it (MONOCHROME1: bone dark).
    lesions
        uint16 (rows, cols), 0 = none, otherwise the label of a lesion.
    bone
        bool (rows, cols), True where any bone is.
    planted
        The lesions in the order of their labels.
    body_part, view, film, seed, spacing_mm
        How it was made.
    """

    stored: NDArray[np.uint16]
    lesions: NDArray[np.uint16]
    bone: Mask
    planted: tuple[PlantedLesion, ...]
    body_part: str
    view: str
    film: Film
    seed: int
    spacing_mm: float

    def __post_init__(self) -> None:
        if not self.stored.shape == self.lesions.shape == self.bone.shape:
            raise ValueError(
                f"stored, lesions and bone must have one shape, got {self.stored.shape}, "
                f"{self.lesions.shape} and {self.bone.shape}"
            )
        for name in ("stored", "lesions", "bone"):
            object.__setattr__(self, name, read_only(getattr(self, name)))


def make_phantom(
    body_part: str,
    seed: int,
    *,
    lesions: int | tuple[Lesion, ...] = 1,
    long_side_px: int = 1000,
    film: Film | None = None,
    growth_plates: bool = False,
) -> Phantom:
    """Make one phantom radiograph; the same arguments give the same pixels everywhere.

    Parameters
    ----------
    body_part
        A key of `BODY_PARTS`.
    seed
        Number 0 or greater; pose, shapes, texture, lesions and noise are drawn from it.
    lesions
        How many to draw (fewer where they would touch), or the recipes themselves.
    long_side_px
        Rows of the picture; the columns follow from the body part.
    film
        How it is exposed and stored; drawn from the seed when None.
    growth_plates
        Whether growth plates are still open, as in a child: lucent bands that are no lesions.

    Returns
    -------
    Phantom
        Stored pixels, truth masks and facts.

    Raises
    ------
    ValueError
        When the body part is unknown, the seed negative, or the picture too small.
    """
    if body_part not in BODY_PARTS:
        raise ValueError(f"unknown body part {body_part!r}; known: {', '.join(BODY_PARTS)}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or greater, got {seed}")
    draws = _streams(seed)
    anatomy = BODY_PARTS[body_part](draws["anatomy"])
    anatomy = anatomy.turned(float(draws["pose"].uniform(-3.0, 3.0)))
    if growth_plates:
        anatomy = anatomy.with_growth_plates()
    width, height = anatomy.field_mm
    spacing = height / long_side_px
    grid = Grid(long_side_px, round(width / spacing), spacing)
    chosen = film if film is not None else draw_film(draws["film"])
    recipes = (
        draw_lesions(draws["lesions"], anatomy, count=lesions)
        if isinstance(lesions, int)
        else lesions
    )
    body = assemble(seed, anatomy, grid, recipes)
    if chosen.laterality != anatomy.drawn_side:
        body = body.mirrored()
    return _expose(seed, anatomy, grid, body, chosen)


def _streams(seed: int) -> dict[str, np.random.Generator]:
    """Return one independent generator for each purpose, so that one change moves one thing."""
    names = ("anatomy", "pose", "film", "lesions", "soft", "marker", "noise")
    return {name: generator(seed, index) for index, name in enumerate(names)}


def _expose(
    seed: int,
    anatomy: Anatomy,
    grid: Grid,
    body: Body,
    film: Film,
) -> Phantom:
    """Take the picture of a body and store it."""
    draws = _streams(seed)
    attenuation = line_integral(bone_mm=body.bone_mm, muscle_mm=body.muscle_mm, fat_mm=body.fat_mm)
    bone = body.bone_volume_mm > 0.6
    field = exposed_field(grid, film)
    lead = marker_attenuation(draws["marker"], grid, film, body=attenuation, exposure=field)
    # automatic exposure: the dose is reached behind the part, not in air
    behind = float(np.median(transmission(attenuation[bone])))
    exposure = Exposure(
        photons_per_mm2=7e4 * film.dose / behind, scatter_to_primary=anatomy.scatter
    )
    # lead blades pass a thousandth; the detector's glare makes 0.4 % of it
    primary = transmission(attenuation + lead) * (0.004 + 0.996 * field)
    log = log_image(draws["noise"], primary, spacing_mm=grid.spacing_mm, exposure=exposure)
    inside = field > 0.9
    low = float(np.quantile(log[inside & ~bone & (attenuation > 0.25)], 0.60))
    high = float(np.quantile(log[inside & bone], 0.985))
    tone = ToneCurve(low, high, detail=film.detail, compression=film.compression)
    picture = apply_tone(
        log, spacing_mm=grid.spacing_mm, tone=tone, field=inside.astype(np.float64)
    )
    if film.collimation == "shutter":
        picture = np.where(inside, picture, 0.0)
    # scatter fills a shadow: of a small change of the primary, 1 / (1 + ratio) is left
    drop = body.removed_mm * (BONE_PER_MM - MUSCLE_PER_MM) / (1.0 + anatomy.scatter)
    truth = np.where(inside & (lead < 0.5), body.truth, 0).astype(np.uint16)
    evidence = Evidence(log, drop, truth, bone & inside, grid.spacing_mm)
    return Phantom(
        stored=quantise(picture, bits=film.bits, inverted=film.photometric == "MONOCHROME1"),
        lesions=truth,
        bone=np.ascontiguousarray(bone & inside),
        planted=tuple(
            measure(label, recipe, evidence)
            for label, recipe in enumerate(body.recipes, start=1)
            if (truth == label).any()
        ),
        body_part=anatomy.body_part,
        view=anatomy.view,
        film=film,
        seed=seed,
        spacing_mm=grid.spacing_mm,
    )
