"""make_phantom(): compute a phantom radiograph with its truth."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.radiograph import read_only
from lesionscan.simulation.body.anatomy import Builder
from lesionscan.simulation.body.assembly import assemble
from lesionscan.simulation.body.implants import ImplantKind, draw_kind, implanted
from lesionscan.simulation.body.lesions import Lesion
from lesionscan.simulation.body.variation import TYPICAL, Variation, draw_variation, varied
from lesionscan.simulation.exposure.expose import expose
from lesionscan.simulation.exposure.film import Film, draw_film
from lesionscan.simulation.fields import Grid, Mask, generator
from lesionscan.simulation.parts import (
    arm,
    arm_lateral,
    foot,
    head,
    lower_leg,
    lower_limb,
    lower_limb_lateral,
    pelvis,
    spine,
    thorax,
    upper_limb,
)
from lesionscan.simulation.planting.planted import PlantedLesion, measure
from lesionscan.simulation.random_lesions import draw_lesions

BODY_PARTS: Mapping[str, Builder] = MappingProxyType({
    "knee": lower_limb.knee,
    "knee_lateral": lower_limb_lateral.knee_lateral,
    "femur": lower_limb.femur,
    "lower_leg": lower_leg.lower_leg,
    "ankle": lower_limb.ankle,
    "ankle_lateral": lower_limb_lateral.ankle_lateral,
    "foot": foot.foot,
    "foot_lateral": foot.foot_lateral,
    "hip": lower_limb.hip,
    "pelvis": pelvis.pelvis,
    "lumbar_spine": spine.lumbar_spine,
    "lumbar_spine_lateral": spine.lumbar_spine_lateral,
    "ribs": thorax.ribs,
    "shoulder": upper_limb.shoulder,
    "humerus": arm.humerus,
    "elbow": arm.elbow,
    "elbow_lateral": arm_lateral.elbow_lateral,
    "forearm": arm.forearm,
    "wrist": upper_limb.wrist,
    "hand": upper_limb.hand,
    "skull_lateral": head.skull_lateral,
})  # fmt: skip
"""Builders of the body parts, by the name used in recipes and file names."""


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A phantom radiograph with its truth.

    Attributes
    ----------
    stored
        uint16 (rows, cols), as stored in a file (MONOCHROME1: bone dark).
    lesions
        uint16 (rows, cols), 0 = none, otherwise the label of a lesion.
    bone
        bool (rows, cols), True where there is bone.
    bones
        uint16 (rows, cols), 0 = no bone, otherwise the number of the thickest bone.
    bone_names
        Names of the bones: number n is `bone_names[n - 1]`.
    planted
        The lesions in the order of their labels.
    body_part, view, film, seed, spacing_mm
        As passed to `make_phantom`, or drawn by it.
    kv
        Tube voltage of the exposure, in kV.
    """

    stored: NDArray[np.uint16]
    lesions: NDArray[np.uint16]
    bone: Mask
    bones: NDArray[np.uint16]
    bone_names: tuple[str, ...]
    planted: tuple[PlantedLesion, ...]
    body_part: str
    view: str
    film: Film
    seed: int
    spacing_mm: float
    kv: int

    def __post_init__(self) -> None:
        arrays = ("stored", "lesions", "bone", "bones")
        shapes = [getattr(self, name).shape for name in arrays]
        if len(set(shapes)) > 1:
            raise ValueError(f"{', '.join(arrays)} must have one shape, got {shapes}")
        if int(self.bones.max(initial=0)) > len(self.bone_names):
            raise ValueError(
                f"bones holds number {int(self.bones.max())}, but bone_names has only "
                f"{len(self.bone_names)} names"
            )
        for name in arrays:
            object.__setattr__(self, name, read_only(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class Take:
    """One of several films of the same person: position of the part, and noise.

    The same phantom seed and variation give the same bones, with and without lesions. Every take
    has its own noise. Beyond the border of the first take, the picture is extrapolated.

    Attributes
    ----------
    seed
        Seed of the noise, the marker's position and the text.
    turn_deg
        Rotation in the plane of the film about its middle, clockwise on the screen.
    shift
        Shift to the right and downwards, as fractions of the picture's width and height.
    magnification
        Size / that on the first take.

    Raises
    ------
    ValueError
        If the magnification is not over 0.
    """

    seed: int
    turn_deg: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    magnification: float = 1.0

    def __post_init__(self) -> None:
        if not self.magnification > 0:
            raise ValueError(f"magnification must be over 0, got {self.magnification!r}")

    def matrix(self, grid: Grid) -> NDArray[np.float64]:
        """Return float64 (2, 3), maps a pixel (column, row, 1) of the first take to this one."""
        middle = ((grid.cols - 1) / 2, (grid.rows - 1) / 2)
        turn = cv2.getRotationMatrix2D(middle, -self.turn_deg, self.magnification)
        shift = np.array([self.shift[0] * grid.cols, self.shift[1] * grid.rows])
        return np.hstack([turn[:, :2], turn[:, 2:] + shift[:, None]])


def make_phantom(
    body_part: str,
    seed: int,
    *,
    lesions: int | tuple[Lesion, ...] = 1,
    long_side_px: int = 1000,
    film: Film | None = None,
    growth_plates: bool | None = None,
    variation: Variation | None = TYPICAL,
    implant: ImplantKind | Literal["none"] | None = "none",
    take: Take | None = None,
) -> Phantom:
    """Make one phantom radiograph; the same arguments give the same pixels.

    Parameters
    ----------
    body_part
        A key of `BODY_PARTS`.
    seed
        0 or greater; seed of pose, shapes, texture, lesions and noise.
    lesions
        Number of lesions to draw (fewer if they would touch), or the recipes themselves.
    long_side_px
        Pixels along the longer side of the picture; the other side depends on the body part.
    film
        Exposure and storage; if None, drawn from the seed.
    growth_plates
        Whether growth plates are open, as in a child: lucent bands that are not lesions. If None,
        as in `variation`.
    variation
        Patient and pose, by default a typical adult; if None, drawn from the seed.
    implant
        Kind of implant (see `implants.kinds_for`); if None, drawn from the seed for one phantom in
        twelve.
    take
        Which film of the person this is; None for the only one. The bones are independent of the
        lesions only if a take is given.

    Returns
    -------
    Phantom
        Stored pixels, truth masks and facts.

    Raises
    ------
    ValueError
        If the body part is unknown, the seed negative, the picture too small, or the implant fits
        no bone of the part.
    """
    if body_part not in BODY_PARTS:
        raise ValueError(f"unknown body part {body_part!r}; known: {', '.join(BODY_PARTS)}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or greater, got {seed}")
    draws = _streams(seed)
    anatomy = BODY_PARTS[body_part](draws["anatomy"])
    anatomy = anatomy.turned(float(draws["pose"].uniform(-3.0, 3.0)))
    person = variation if variation is not None else draw_variation(draws["variation"])
    if growth_plates is not None:
        person = replace(person, growth_plates=growth_plates)
    anatomy = varied(draws["decoys"], anatomy, person)
    kind = implant if implant is not None else draw_kind(draws["implant"], anatomy)
    if kind is not None and kind != "none":
        anatomy = implanted(draws["implant"], anatomy, kind)
    width, height = anatomy.field_mm
    spacing = max(width, height) / long_side_px
    grid = Grid(round(height / spacing), round(width / spacing), spacing)
    chosen = film if film is not None else draw_film(draws["film"])
    recipes = (
        draw_lesions(draws["lesions"], anatomy, count=lesions)
        if isinstance(lesions, int)
        else lesions
    )
    body = assemble(seed, anatomy, grid, recipes, same_bones=take is not None)
    if chosen.laterality != anatomy.drawn_side:
        body = body.mirrored()
    if take is not None:
        body = body.placed(take.matrix(grid))
    exposed = expose(seed if take is None else take.seed, anatomy, grid, body, chosen)
    return Phantom(
        stored=exposed.stored,
        lesions=exposed.lesions,
        bone=exposed.bone,
        bones=np.where(exposed.bone, body.bone_labels, 0).astype(np.uint16),
        bone_names=body.bone_names,
        planted=tuple(
            measure(label, recipe, exposed.evidence)
            for label, recipe in enumerate(body.recipes, start=1)
            if (exposed.lesions == label).any()
        ),
        body_part=anatomy.body_part,
        view=anatomy.view,
        film=chosen,
        seed=seed,
        spacing_mm=spacing,
        kv=exposed.kv,
    )


def _streams(seed: int) -> dict[str, np.random.Generator]:
    """Return an independent generator for each purpose, so that a change has only local effects."""
    # other numbers are used in `body` (4, 10, 20) and `exposure`
    numbers = {
        "anatomy": 0, "pose": 1, "film": 2, "lesions": 3, "variation": 30, "decoys": 31,
        "implant": 32,
    }  # fmt: skip
    return {name: generator(seed, number) for name, number in numbers.items()}
