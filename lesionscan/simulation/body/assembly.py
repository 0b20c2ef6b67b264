"""Thickness maps of a whole body part, bones with lesions in soft tissue, in mm."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan.simulation.body.anatomy import Anatomy
from lesionscan.simulation.body.bones import Bone, bone_window, fill_bone, outline_distance_mm
from lesionscan.simulation.body.lesions import Lesion, blown_up, lesion_field, remove_bone
from lesionscan.simulation.body.metal import metal_mm
from lesionscan.simulation.body.soft_tissue import soft_tissue_mm
from lesionscan.simulation.fields import Field, Grid, Window, generator


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Thickness maps of a whole part along the beam, with the truth and the recipe of each label.

    Attributes
    ----------
    bone_mm
        Mineral, as compact bone, in mm.
    bone_volume_mm
        Everything inside the outer surfaces of bones, marrow included, in mm.
    removed_mm
        Mineral removed by lesions, in mm.
    muscle_mm, fat_mm
        Soft tissue, in mm; marrow is fat, and tumour is muscle.
    metal_mm
        Implants as titanium alloy of equal attenuation, in mm; zeros without implants.
    truth
        uint16, 0 = none, otherwise the label of a lesion: recipe n has label n + 1.
    bone_labels
        uint16, 0 = none, otherwise the number of the thickest bone at this pixel: `bone_names[n]`
        has number n + 1.
    recipes, bone_names
        Recipes of the lesions, and names of the bones.
    """

    bone_mm: Field
    bone_volume_mm: Field
    removed_mm: Field
    muscle_mm: Field
    fat_mm: Field
    metal_mm: Field
    truth: NDArray[np.uint16]
    bone_labels: NDArray[np.uint16]
    recipes: tuple[Lesion, ...]
    bone_names: tuple[str, ...]

    def mirrored(self) -> "Body":
        """Return the other side of the body."""
        return replace(
            self,
            bone_mm=self.bone_mm[:, ::-1],
            bone_volume_mm=self.bone_volume_mm[:, ::-1],
            removed_mm=self.removed_mm[:, ::-1],
            muscle_mm=self.muscle_mm[:, ::-1],
            fat_mm=self.fat_mm[:, ::-1],
            metal_mm=self.metal_mm[:, ::-1],
            truth=self.truth[:, ::-1],
            bone_labels=self.bone_labels[:, ::-1],
        )

    def placed(self, matrix: Field) -> "Body":
        """Return the part moved to its place on another film, extrapolating at the border.

        Parameters
        ----------
        matrix
            float64 (2, 3), maps a pixel (column, row, 1) to its new position.
        """

        def warped(array: NDArray[Any], interpolation: int, border: int) -> NDArray[Any]:
            size = array.shape[::-1]
            return np.asarray(
                cv2.warpAffine(array, matrix, size, flags=interpolation, borderMode=border)
            )

        def thickness(array: Field) -> Field:
            moved = warped(np.ascontiguousarray(array), cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
            return np.asarray(np.maximum(moved, 0.0), np.float64)

        def numbers(array: NDArray[np.uint16], border: int) -> NDArray[np.uint16]:
            return warped(np.ascontiguousarray(array), cv2.INTER_NEAREST, border)

        return replace(
            self,
            bone_mm=thickness(self.bone_mm),
            bone_volume_mm=thickness(self.bone_volume_mm),
            removed_mm=thickness(self.removed_mm),
            muscle_mm=thickness(self.muscle_mm),
            fat_mm=thickness(self.fat_mm),
            metal_mm=thickness(self.metal_mm),
            truth=numbers(self.truth, cv2.BORDER_REPLICATE),
            bone_labels=numbers(self.bone_labels, cv2.BORDER_REPLICATE),
        )


def assemble(
    seed: int,
    anatomy: Anatomy,
    grid: Grid,
    recipes: tuple[Lesion, ...],
    *,
    same_bones: bool = False,
) -> Body:
    """Compute the thickness maps of a part with lesions, labelled 1, 2, ... in their order.

    Parameters
    ----------
    seed
        Seed of the bones' texture.
    anatomy
        The body part.
    grid
        The pixel grid.
    recipes
        The lesions.
    same_bones
        Make the texture of bones independent of lesions, for several films of one person. No lesion
        may be expansile then.

    Raises
    ------
    ValueError
        If a lesion names a bone that the part does not have, or is expansile with `same_bones`.
    """
    for recipe in recipes:
        anatomy.bone(recipe.bone)
        if recipe.expansile and same_bones:
            raise ValueError("an expansile lesion changes its bone; films of one person cannot")
    bones = _Bones(grid)
    for number, bone in enumerate(anatomy.bones):
        own = tuple((i, r) for i, r in enumerate(recipes, start=1) if r.bone == bone.name)
        # the texture depends on the size of the window, which must not depend on lesions here
        wide = [] if same_bones else [recipe.diameter_mm for _, recipe in own]
        window = bone_window(bone, grid, margin_mm=max([3.0, *wide]))
        _add_bone(seed, number, (bone, window), own, bones)
    muscle, fat = soft_tissue_mm(
        generator(seed, 4), anatomy.soft, anatomy.gas, grid,
        grain=anatomy.grain, planes=anatomy.planes,
    )  # fmt: skip
    # bone displaces muscle, also where the model's soft tissue is thinner than the bone
    muscle = np.maximum(muscle - bones.volume, 1.5 * (bones.volume > 0))
    # marrow is fat; removed bone is replaced by tumour, as dense as muscle
    marrow = np.maximum(bones.volume - bones.mineral - bones.removed, 0.0)
    return Body(
        bone_mm=bones.mineral,
        bone_volume_mm=bones.volume,
        removed_mm=bones.removed,
        muscle_mm=muscle + bones.removed,
        fat_mm=fat + marrow,
        metal_mm=metal_mm(anatomy.metal, grid),
        truth=bones.truth,
        bone_labels=bones.labels,
        recipes=recipes,
        bone_names=tuple(bone.name for bone in anatomy.bones),
    )


class _Bones:
    """Sums over the bones added so far, in mm, and the truth."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.mineral: Field = np.zeros(grid.shape)
        self.volume: Field = np.zeros(grid.shape)
        self.removed: Field = np.zeros(grid.shape)
        self.truth: NDArray[np.uint16] = np.zeros(grid.shape, dtype=np.uint16)
        self.thickest: Field = np.zeros(grid.shape)
        self.labels: NDArray[np.uint16] = np.zeros(grid.shape, dtype=np.uint16)


def _add_bone(
    seed: int,
    number: int,
    place: tuple[Bone, Window],
    own: tuple[tuple[int, Lesion], ...],
    total: _Bones,
) -> None:
    """Add a bone with its lesions (label, recipe) to the sums."""
    bone, window = place
    if min(window.shape) < 4:
        return
    distance = outline_distance_mm(bone, window)
    thinned = np.zeros(window.shape)
    fields = []
    for label, recipe in own:
        field = lesion_field(generator(seed, 20, number, label), recipe, bone, window)
        distance, thin = blown_up(distance, recipe, field)
        thinned = np.maximum(thinned, thin)
        fields.append((label, recipe, field))
    maps = fill_bone(generator(seed, 10, number), bone, window, distance, thinned)
    left = maps.mineral
    for label, recipe, field in fields:
        done = remove_bone(recipe, field, replace(maps, mineral=left))
        left = left - done.removed_mm + done.added_mm
        total.truth[window.slices][done.truth] = label
        total.removed[window.slices] += done.removed_mm
    total.mineral[window.slices] += left
    total.volume[window.slices] += maps.volume
    thicker = maps.volume > total.thickest[window.slices]
    total.thickest[window.slices][thicker] = maps.volume[thicker]
    total.labels[window.slices][thicker] = number + 1
