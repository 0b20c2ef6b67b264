"""Measure planted lesions in the picture: position, size, contrast and noise."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionscan.radiograph import Spacing
from lesionscan.simulation.body.lesions import Lesion
from lesionscan.simulation.fields import Field, Mask
from lesionscan.simulation.planting.film_lesions import FilmLesion


@dataclass(frozen=True, slots=True)
class PlantedLesion:
    """Truth and measurements of a lesion in a phantom.

    Attributes
    ----------
    label
        Its number in the truth image.
    recipe
        Its recipe.
    centroid_px
        Row and column of the mask's centroid.
    area_px, area_mm2
        Area of the mask; mm2 in the detector plane.
    equivalent_diameter_px, equivalent_diameter_mm
        Diameter of the circle of that area.
    contrast
        Mean of the ring of bone minus mean inside, in natural-log units.
    contrast_to_noise
        `contrast` / noise (see `contrast_and_noise`), a measure of visibility; low or negative if
        the bone around is darker for other reasons (a hole in a bright cortex).
    removed_to_noise
        Mean log attenuation removed by the lesion inside its mask / the same noise, independent of
        the bone around. Small for expansile lesions, since the expanded bone is thin already.
    bone_loss
        Log attenuation removed by lesions inside the mask / that of the intact bone, 0 to 1.
    """

    label: int
    recipe: Lesion
    centroid_px: tuple[float, float]
    area_px: int
    area_mm2: float
    equivalent_diameter_px: float
    equivalent_diameter_mm: float
    contrast: float
    contrast_to_noise: float
    removed_to_noise: float
    bone_loss: float


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Maps for measuring lesions.

    Attributes
    ----------
    log
        The log image, bone bright, before the tone curve.
    drop
        Log attenuation removed by lesions, including the effect of scatter.
    intact
        Log attenuation of the intact bone, in lesions.
    truth, bone
        Label image of the lesions; pixels with any bone.
    spacing_mm
        Side of a pixel, in mm.
    """

    log: Field
    drop: Field
    intact: Field
    truth: NDArray[np.uint16]
    bone: Mask
    spacing_mm: float


def measure(label: int, recipe: Lesion, evidence: Evidence) -> PlantedLesion:
    """Measure a planted lesion in a phantom.

    Raises
    ------
    ValueError
        If no pixel carries the label.
    """
    mask = _mask(label, evidence.truth)
    spacing = evidence.spacing_mm
    centroid, area, diameter = _place_and_size(mask)
    contrast, noise = contrast_and_noise(
        evidence.log,
        mask,
        evidence.bone & (evidence.truth == 0),
        spacing_mm=spacing,
        margin_mm=recipe.margin_mm,
    )
    return PlantedLesion(
        label=label,
        recipe=recipe,
        centroid_px=centroid,
        area_px=area,
        area_mm2=round(area * spacing**2, 3),
        equivalent_diameter_px=round(diameter, 3),
        equivalent_diameter_mm=round(diameter * spacing, 3),
        contrast=round(contrast, 4),
        contrast_to_noise=round(contrast / noise, 3),
        removed_to_noise=round(float(evidence.drop[mask].mean()) / noise, 3),
        bone_loss=_share(evidence.drop, evidence.intact, mask),
    )


@dataclass(frozen=True, slots=True)
class PlantedFilmLesion:
    """Truth and measurements of a lesion planted in a real film.

    Attributes
    ----------
    label
        Its number in the truth image.
    recipe
        Its recipe.
    centroid_px
        Row and column of the mask's centroid.
    area_px, area_mm2
        Area of the mask; mm2 is None if the spacing is unknown.
    equivalent_diameter_px, equivalent_diameter_mm
        Diameter of the circle of that area.
    contrast
        Mean of the ring of bone minus mean inside, in grey values of the film.
    contrast_to_noise
        `contrast` / noise (see `contrast_and_noise`).
    removed_to_noise
        Mean grey value removed inside the mask / the same noise.
    bone_loss
        Grey values removed by lesions inside the mask / the bone's signal there, 0 to 1.
    extent_to_bone_width
        Width of the mask across the bone's axis / the bone's width before planting.
    margin_px
        Half width of the transition from lesion to bone.
    """

    label: int
    recipe: FilmLesion
    centroid_px: tuple[float, float]
    area_px: int
    area_mm2: float | None
    equivalent_diameter_px: float
    equivalent_diameter_mm: float | None
    contrast: float
    contrast_to_noise: float
    removed_to_noise: float
    bone_loss: float
    extent_to_bone_width: float
    margin_px: float


def measure_in_film(
    label: int,
    recipe: FilmLesion,
    *,
    film: Field,
    removed: Field,
    bone_signal: NDArray[np.float32],
    truth: NDArray[np.uint16],
    bone: Mask,
    spacing: Spacing | None,
) -> PlantedFilmLesion:
    """Measure a lesion planted in a real film.

    Parameters
    ----------
    label, recipe
        The lesion.
    film, removed
        float64 (rows, cols); the planted film, and the grey values removed by lesions.
    bone_signal
        float32 (rows, cols); signal of the intact bone, in grey values.
    truth, bone
        Label image of the lesions; the bone, including expanded parts.
    spacing
        Pixel spacing, if known.

    Raises
    ------
    ValueError
        If no pixel carries the label.
    """
    mask = _mask(label, truth)
    centroid, area, diameter = _place_and_size(mask)
    x, y = recipe.direction
    rows, cols = np.nonzero(mask)
    across = rows * x - cols * y
    # `contrast_and_noise` needs millimetres; a film has its length of detail instead
    contrast, noise = contrast_and_noise(
        film,
        mask,
        bone & (truth == 0),
        spacing_mm=1.0 / recipe.detail_px,
        margin_mm=recipe.margin_px / recipe.detail_px,
    )
    pixel_mm2 = None if spacing is None else spacing.row_mm * spacing.column_mm
    area_mm2 = None if pixel_mm2 is None else area * pixel_mm2
    return PlantedFilmLesion(
        label=label,
        recipe=recipe,
        centroid_px=centroid,
        area_px=area,
        area_mm2=None if area_mm2 is None else round(area_mm2, 3),
        equivalent_diameter_px=round(diameter, 3),
        equivalent_diameter_mm=(None if area_mm2 is None else round(_diameter(area_mm2), 3)),
        contrast=round(contrast, 4),
        contrast_to_noise=round(contrast / noise, 3),
        removed_to_noise=round(float(removed[mask].mean()) / noise, 3),
        bone_loss=_share(removed, bone_signal, mask),
        extent_to_bone_width=round((float(np.ptp(across)) + 1.0) / (2.0 * recipe.half_width_px), 3),
        margin_px=round(recipe.margin_px, 3),
    )


def _mask(label: int, truth: NDArray[np.uint16]) -> Mask:
    """Return the pixels of a lesion.

    Raises
    ------
    ValueError
        If there are none.
    """
    mask: Mask = np.asarray(truth == label, dtype=np.bool_)
    if not mask.any():
        raise ValueError(f"lesion {label} has no pixel in the truth image")
    return mask


def _place_and_size(mask: Mask) -> tuple[tuple[float, float], int, float]:
    """Return a mask's centroid (row, column), area and equivalent diameter, in px."""
    row, col = ndimage.center_of_mass(mask)
    area = int(mask.sum())
    return (round(float(row), 2), round(float(col), 2)), area, _diameter(area)


def _share(part: NDArray[np.floating], whole: NDArray[np.floating], mask: Mask) -> float:
    """Return the sum of `part` / the sum of `whole` inside a mask, 0 to 1; 0 if the whole is 0."""
    total = float(whole[mask].sum())
    return round(min(float(part[mask].sum()) / total, 1.0), 4) if total > 0 else 0.0


def _diameter(area: float) -> float:
    """Return the diameter of the circle of an area."""
    return float(np.sqrt(4.0 * area / np.pi))


def contrast_and_noise(
    log: Field, lesion: Mask, bone: Mask, *, spacing_mm: float, margin_mm: float
) -> tuple[float, float]:
    """Measure a lesion's contrast and the noise of the bone around it, in natural-log units.

    Contrast is the mean of a ring of bone minus the mean inside the lesion. The ring starts outside
    the margin (`margin_mm` + 1 mm outside the outline, past a sclerotic rim), is a quarter of the
    lesion's equivalent diameter wide (at least 2 mm and 3 px), and excludes lesions. Noise is the
    standard deviation over the ring (1.4826 times the median absolute deviation) of the log image
    of the final exposure (attenuation with trabecular texture, scatter, blur and quantum noise,
    before the tone curve) minus its Gaussian blur of 1.5 mm (at least 2 px).

    Parameters
    ----------
    log
        The log image, bone bright.
    lesion, bone
        The lesion's truth mask, and bone without any lesion.
    spacing_mm
        Side of a pixel, in mm.
    margin_mm
        Half width of the lesion's margin, in mm.
    """
    rows, cols = np.nonzero(lesion)
    diameter = _diameter(rows.size) * spacing_mm
    start = margin_mm + 1.0
    stop = start + max(2.0, 3.0 * spacing_mm, 0.25 * diameter)
    reach = int(np.ceil((stop + 6.0) / spacing_mm)) + 8
    part = (
        slice(max(int(rows.min()) - reach, 0), int(rows.max()) + reach + 1),
        slice(max(int(cols.min()) - reach, 0), int(cols.max()) + reach + 1),
    )
    away = ndimage.distance_transform_edt(~lesion[part]) * spacing_mm
    ring = bone[part] & (away > start) & (away <= stop)
    if not ring.any():
        ring = bone[part] & ~lesion[part]
    near = log[part]
    blurred = ndimage.gaussian_filter(near, max(2.0, 1.5 / spacing_mm), mode="nearest")
    grain = (near - blurred)[ring] if ring.any() else (near - blurred).ravel()
    noise = 1.4826 * float(np.median(np.abs(grain - np.median(grain))))
    around = float(near[ring].mean()) if ring.any() else float(near.mean())
    return around - float(near[lesion[part]].mean()), max(noise, 1e-6)


def facts(lesion: PlantedLesion | PlantedFilmLesion) -> dict[str, object]:
    """Return the entry of a lesion in index.json: plain JSON types, the recipe last."""
    values = asdict(lesion)
    recipe = values.pop("recipe")
    kind = {"kind": recipe["kind"]} if recipe["kind"] else {}
    rounded = {key: round(v, 4) if isinstance(v, float) else v for key, v in recipe.items()}
    return {**kind, **values, "recipe": rounded}
