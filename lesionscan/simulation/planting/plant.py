"""Plant lytic lesions in real films by removing outlined bone.

`prepare` decomposes a film once; `plant` makes any number of variants of it. Both work on arrays
with bone bright; file formats, polarity and names are up to the caller.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lesionscan.radiograph import Spacing, read_only
from lesionscan.simulation.fields import MIN_SIDE_PX, Mask, generator
from lesionscan.simulation.planting.film_bones import (
    LEAST_HALF_WIDTH_PX,
    Axis,
    join_pieces,
    trace_axes,
)
from lesionscan.simulation.planting.film_lesions import (
    LEAST_DIAMETER_PX,
    FilmLesion,
    draw_candidates,
)
from lesionscan.simulation.planting.film_signal import (
    Signal,
    block_means,
    body_mask,
    enlarged,
    fitted_outline,
    outline_distance_px,
    soft_tissue_level,
    texture_bands,
)
from lesionscan.simulation.planting.film_work import PlantingWork
from lesionscan.simulation.planting.planted import PlantedFilmLesion, measure_in_film

_COARSE_SIDE = 1000
"""Long side of the grid on which the soft tissue's level, outlines and axes are computed."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedFilm:
    """A film prepared for any number of plantings.

    Attributes
    ----------
    image
        (rows, cols), as passed to `prepare`.
    signal
        Decomposition of the film.
    axes
        The axes of its bones.
    spacing
        Pixel spacing; None if unknown.
    """

    image: NDArray[np.generic]
    signal: Signal
    axes: tuple[Axis, ...]
    spacing: Spacing | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", read_only(self.image))


@dataclass(frozen=True, slots=True, eq=False)
class PlantedFilm:
    """A film with planted lesions and their truth.

    Attributes
    ----------
    pixels
        (rows, cols), with the dtype and polarity of the original.
    lesions
        uint16 (rows, cols), 0 = none, otherwise the label of a lesion.
    zone
        bool (rows, cols); outside it every pixel equals the original.
    bone
        bool (rows, cols); the bone, including expanded parts.
    planted
        The lesions in the order of their labels 1, 2, ...
    """

    pixels: NDArray[np.generic]
    lesions: NDArray[np.uint16]
    zone: Mask
    bone: Mask
    planted: tuple[PlantedFilmLesion, ...]

    def __post_init__(self) -> None:
        for name in ("pixels", "lesions", "zone", "bone"):
            object.__setattr__(self, name, read_only(getattr(self, name)))


def prepare(
    image: NDArray[np.generic], bone: Mask, *, spacing: Spacing | None = None
) -> PreparedFilm:
    """Decompose a film into the signals of soft tissue and bone.

    Parameters
    ----------
    image
        (rows, cols), bone bright; any integer dtype, or float32 as `Radiograph.pixels`.
    bone
        bool (rows, cols); outlined bone. Other bones in view need no outline, and get no lesions.
    spacing
        Pixel spacing, if known.

    Raises
    ------
    ValueError
        If the arrays differ in shape, the film is empty, constant or not finite, or no lesion fits
        into a bone.
    """
    _check(image, bone)
    film = image.astype(np.float64)
    # smooth fields are computed on a coarse grid
    step = max(1, round(max(image.shape) / _COARSE_SIDE))
    small = block_means(film, step)
    mask = block_means(bone.astype(np.float64), step) >= 0.5
    tissue = body_mask(small, mask)
    level, bone_level, soft = soft_tissue_level(small, mask, tissue)
    bright = ndimage.gaussian_filter(small, 1.5, mode="nearest") > 0.5 * (level + bone_level)
    mask = fitted_outline(small, join_pieces(mask, bright), level, bone_level, soft)
    axes = tuple(axis.enlarged(step) for axis in trace_axes(mask))
    if not axes:
        raise ValueError(
            f"no outlined bone can carry a lesion: none is {2 * LEAST_HALF_WIDTH_PX:.0f} px wide "
            "and longer than wide; give a bone mask of this film, at its full size"
        )
    edge, stored, shown, beside = (
        enlarged(array.astype(np.float64), step, film.shape).astype(np.float32)
        for array in (outline_distance_px(mask) * step, level, tissue, soft)
    )
    fitted = edge > 0
    half = float(np.median(np.concatenate([axis.half_widths_px for axis in axes])))
    textures, grain, noise = texture_bands(film, fitted, beside > 0.5, coarsest_px=0.2 * half)
    bone_signal = np.where(fitted, np.maximum(film - stored, 0.0), 0.0)
    if not (bone_signal > 2.0 * noise).any():
        raise ValueError(
            "the outlined bone is not brighter than its surroundings; give the film with bone "
            "bright and the bone mask of this film"
        )
    return PreparedFilm(
        image=image,
        signal=Signal(
            level=stored,
            bone=fitted,
            bone_signal=bone_signal.astype(np.float32),
            edge_px=edge,
            textures=np.stack(textures).astype(np.float32),
            grain=tuple(grain),
            noise=noise,
            brightest=float(np.quantile(bone_signal[fitted], 0.9)),
            tissue=shown > 0.5,
        ),
        axes=axes,
        spacing=spacing,
    )


def _check(image: NDArray[np.generic], bone: Mask) -> None:
    """Check that a film and its mask can be used; else raise a ValueError."""
    if image.ndim != 2 or min(image.shape, default=0) < MIN_SIDE_PX:
        raise ValueError(
            f"a film must be (rows, cols), at least {MIN_SIDE_PX} px per side, got {image.shape}"
        )
    if not (np.issubdtype(image.dtype, np.integer) or image.dtype == np.float32):
        raise ValueError(f"a film must be of an integer dtype or float32, got {image.dtype}")
    if bone.shape != image.shape or bone.dtype != np.bool_:
        raise ValueError(
            f"the bone mask must be bool of shape {image.shape}, got {bone.dtype} of {bone.shape}"
        )
    if not np.isfinite(image).all():
        raise ValueError("the film's pixels must be finite")
    if image.min() == image.max():
        raise ValueError(f"the film is constant: every pixel is {image.min()!r}")
    if not bone.any():
        raise ValueError("the bone mask is empty: nothing to plant a lesion in")


def plant(
    film: PreparedFilm,
    seed: int | tuple[int, ...],
    *,
    lesions: int | tuple[FilmLesion, ...] = 1,
    diameters_px: tuple[float, float] | None = None,
) -> PlantedFilm:
    """Plant lesions in a film; the same arguments give the same pixels.

    Parameters
    ----------
    film
        From `prepare`.
    seed
        A number 0 or greater, or several (such as film and variant).
    lesions
        Number of lesions to draw (fewer if no place is found), or the recipes themselves.
    diameters_px
        Smallest and largest diameter of the lesions, drawn log-uniformly; if None, sizes depend on
        the bone.

    Raises
    ------
    ValueError
        If the diameters are not rising numbers of at least `LEAST_DIAMETER_PX`, the seed or the
        number of lesions is negative, or a recipe is not in bone.
    """
    key = (seed,) if isinstance(seed, int) else seed
    if min(key, default=0) < 0:
        raise ValueError(f"seed must be 0 or greater, got {seed}")
    if diameters_px is not None and not LEAST_DIAMETER_PX <= diameters_px[0] <= diameters_px[1]:
        raise ValueError(
            f"diameters must be two rising numbers of {LEAST_DIAMETER_PX:g} px or more, got "
            f"{diameters_px[0]:g} {diameters_px[1]:g}"
        )
    work = PlantingWork(film.image, film.signal, key)
    if isinstance(lesions, int):
        if lesions < 0:
            raise ValueError(f"the number of lesions must be 0 or greater, got {lesions}")
        for lesion in draw_candidates(
            generator(*key, 40), film.axes, count=lesions, diameters_px=diameters_px
        ):
            if len(work.recipes) == lesions:
                break
            if work.has_room(lesion):
                work.add(lesion)
    else:
        for lesion in lesions:
            if not work.add(lesion):
                raise ValueError(
                    f"a lesion at {lesion.centre_px} removes no bone; its centre must be in the "
                    "bone mask"
                )
    planted = tuple(
        measure_in_film(
            label,
            recipe,
            film=work.now,
            removed=work.removed,
            bone_signal=film.signal.bone_signal,
            truth=work.truth,
            bone=work.bone,
            spacing=film.spacing,
        )
        for label, recipe in enumerate(work.recipes, start=1)
    )
    return PlantedFilm(work.pixels(), work.truth, work.zone, work.bone, planted)
