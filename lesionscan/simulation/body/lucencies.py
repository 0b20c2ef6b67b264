"""Normal lucencies and lines of bones, which a detector should not report."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lesionscan.simulation.body.strokes import stroke_distance_mm
from lesionscan.simulation.fields import Field, Knots, Window, random_field, smooth_step


@dataclass(frozen=True, slots=True)
class Rarefaction:
    """A normal patch of sparse trabeculae (Ward's triangle, greater tubercle).

    Lengths are local millimetres along and across the bone; `loss` is the fraction of trabecular
    bone missing in the middle. It has no margin but fades like a Gaussian.
    """

    along: float
    across: float
    radius_along: float
    radius_across: float
    loss: float


@dataclass(frozen=True, slots=True)
class Canal:
    """A nutrient canal: a thin oblique lucent line through the cortex, in local millimetres."""

    along: float
    across: float
    length: float
    width: float
    tilt_deg: float


@dataclass(frozen=True, slots=True)
class Foramen:
    """A nutrient foramen seen end-on: a small dark dot with a sharp edge, in local millimetres.

    It is in one wall only, hence `loss`, the fraction of the mineral missing, is about a third.
    """

    along: float
    across: float
    radius: float
    loss: float


@dataclass(frozen=True, slots=True)
class Groove:
    """A vascular groove or a suture: a line through (along, across) points in local mm.

    `loss` is the fraction of the mineral missing in its middle (negative for a plate of bone seen
    edge-on), `lips` the additional fraction at the edges of an old suture, `width` the half width
    in mm.
    """

    points: tuple[tuple[float, float], ...]
    width: float
    loss: float
    lips: float = 0.0


def sparse_patch(
    rng: np.random.Generator,
    along: float,
    across: float,
    radii: tuple[float, float],
    *,
    most: float = 0.9,
) -> Rarefaction:
    """Draw a rarefaction: slight in some people, nearly empty in others.

    Parameters
    ----------
    rng
        Random number generator of the person.
    along, across
        Middle, in local mm.
    radii
        Usual radii along and across, in mm.
    most
        Largest loss; the least is a tenth of it.
    """
    size = float(rng.uniform(0.8, 1.35))
    loss = most * float(rng.uniform(0.1, 1.0))
    return Rarefaction(along, across, size * radii[0], size * radii[1], loss)


def rarefied(
    spongy: Field, rarefactions: tuple[Rarefaction, ...], along: Field, across: Field
) -> Field:
    """Return the trabecular fraction `spongy` reduced by rarefactions."""
    for spot in rarefactions:
        gone = ((along - spot.along) / spot.radius_along) ** 2
        gone = gone + ((across - spot.across) / spot.radius_across) ** 2
        spongy = spongy * (1.0 - spot.loss * np.exp(-gone))
    return spongy


def pierced(
    canals: tuple[Canal, ...], foramina: tuple[Foramen, ...], along: Field, across: Field
) -> Field:
    """Return the fraction of mineral missing in nutrient canals and foramina."""
    missing = np.zeros(np.broadcast_shapes(along.shape, across.shape))
    for canal in canals:
        tilt = np.deg2rad(canal.tilt_deg)
        u = (along - canal.along) * np.cos(tilt) + (across - canal.across) * np.sin(tilt)
        v = (across - canal.across) * np.cos(tilt) - (along - canal.along) * np.sin(tilt)
        reach = smooth_step((canal.length / 2 - np.abs(u)) / (0.2 * canal.length))
        missing = np.maximum(missing, 0.28 * reach * np.exp(-((v / canal.width) ** 2)))
    for hole in foramina:
        away = np.hypot(along - hole.along, across - hole.across)
        missing = np.maximum(missing, hole.loss * smooth_step((hole.radius - away) / 0.25))
    return missing


def grooved(lines_mm: tuple[tuple[Groove, Field], ...], window: Window) -> Field:
    """Return the factor by which grooves, given with their corners (x, y) in image mm, thin bone.

    Where lines cross, their factors are multiplied.
    """
    factor = np.ones(window.shape)
    for groove, line in lines_mm:
        away = stroke_distance_mm(window, line, reach_mm=4.0 * groove.width + 1.0)
        inside = np.exp(-((away / groove.width) ** 2))
        lips = np.exp(-(((away - 2.0 * groove.width) / (0.8 * groove.width)) ** 2))
        factor = factor * (1.0 - groove.loss * inside) * (1.0 + groove.lips * lips)
    return factor


def growth_plates(
    rng: np.random.Generator,
    window: Window,
    along: Field,
    *,
    physes: Knots,
    scars: tuple[float, ...],
) -> Field:
    """Return the factor by which growth plates thin the bone: a wavy gap with dense lips.

    A closed growth plate is a faint dense line, its scar.
    """
    factor = np.ones(window.shape)
    for position, width in physes:
        # the plate undulates by 1 to 2 mm and is seen obliquely, so the gap is never empty
        wave = random_field(rng, window, wavelengths_mm=(7.0, 35.0), exponent=3.0)
        offset = along - position - 0.9 * wave
        gap = np.exp(-((offset / (0.62 * width)) ** 2))
        lips = np.exp(-(((np.abs(offset) - 1.35 * width) / (0.45 * width)) ** 2))
        factor = factor * (1.0 - 0.62 * gap) * (1.0 + 0.30 * lips)
    for position in scars:
        wave = random_field(rng, window, wavelengths_mm=(6.0, 40.0), exponent=3.0)
        offset = (along - position - 1.6 * wave) / 0.7
        factor = factor * (1.0 + 0.14 * np.clip(1.0 + wave, 0.0, 2.0) * np.exp(-(offset**2)))
    return np.asarray(ndimage.gaussian_filter(factor, 0.6), dtype=np.float64)
