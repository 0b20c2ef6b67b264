"""expose(): compute the film of a body, with the maps for measuring its lesions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lesionscan.simulation.body.anatomy import Anatomy
from lesionscan.simulation.body.assembly import Body
from lesionscan.simulation.exposure.film import Film, exposed_field, heel
from lesionscan.simulation.exposure.markings import (
    Stroke,
    burnt_in_text,
    lead_marker,
    marker_strokes,
)
from lesionscan.simulation.exposure.physics import Exposure, log_image, scattered
from lesionscan.simulation.exposure.spectrum import Material, automatic_kv, transmission
from lesionscan.simulation.exposure.tone import ToneCurve, apply_tone, quantise
from lesionscan.simulation.fields import Field, Grid, Mask, gaussian, generator
from lesionscan.simulation.planting.planted import Evidence

LEAD_MM = 1.0
"""Thickness of a lead letter."""
_BLADES = 0.001
"""Fraction of the beam that passes the collimator's blades, with off-focus radiation."""
_QUANTA_PER_MM2 = 4e4
"""Detected quanta behind the part's bones. 2.5 uGy at the detector (a speed class of 400) are 6e4
photons per mm2 behind 12 cm of water at 65 to 75 kV (spekpy 2.5.4), of which 4e4 are detected with
a detective quantum efficiency of 0.65 (assumed)."""


@dataclass(frozen=True, slots=True, eq=False)
class Exposed:
    """Result of an exposure.

    Attributes
    ----------
    stored
        uint16 (rows, cols), as stored in a file (MONOCHROME1: bone dark).
    lesions
        uint16 (rows, cols), the visible part of the truth: inside the exposed field and not under
        lead, metal or text.
    bone
        bool (rows, cols), True where any bone is inside the exposed field.
    evidence
        Maps for measuring the lesions.
    kv
        Tube voltage, in kV.
    """

    stored: NDArray[np.uint16]
    lesions: NDArray[np.uint16]
    bone: Mask
    evidence: Evidence
    kv: int


def expose(seed: int, anatomy: Anatomy, grid: Grid, body: Body, film: Film) -> Exposed:
    """Compute the film of a body.

    Parameters
    ----------
    seed
        Seed of the marker's position, the noise and the text.
    anatomy
        The body part, for its scatter.
    grid
        The pixel grid.
    body
        Thickness maps in mm, already mirrored to the side that the film shows.
    film
        Exposure, markers and storage.
    """
    bone = body.bone_volume_mm > 0.6
    field = exposed_field(grid, film)
    inside = field > 0.9
    seen = np.ascontiguousarray(bone & inside)
    kv = film.kv if film.kv is not None else automatic_kv(_thickness_mm(body, seen))
    primary = transmission(_materials(body), kv)
    beam = heel(grid, film) * (_BLADES + (1.0 - _BLADES) * field)
    behind = float(np.median(primary[seen])) if seen.any() else float(np.median(primary))
    scatter = scattered(
        primary, beam, spacing_mm=grid.spacing_mm, ratio=anatomy.scatter, reference=behind
    )
    strokes = _strokes(film)
    cover = lead_marker(
        generator(seed, 5), grid, strokes, body=-np.log(np.maximum(primary, 1e-6)), beam=field
    )
    signal = primary * beam + scatter
    # the letter is on the detector and stops scatter too
    if strokes:
        signal = signal * transmission({"lead": LEAD_MM * cover}, kv)
    # automatic exposure: the primary dose is reached behind the part; scatter is added to it
    exposure = Exposure(
        _QUANTA_PER_MM2 * film.dose / behind, detector=film.detector, blur_mm=film.blur_mm
    )
    log = log_image(generator(seed, 6), signal, spacing_mm=grid.spacing_mm, exposure=exposure)
    covered = (cover > 0.5) | (body.metal_mm > 0.5)
    picture = _developed(log, grid, film, inside=inside, bone=bone & ~covered, flesh=primary < 0.75)
    picture, text = _archived(seed, picture, grid, film, inside=inside, bare=primary > 0.9)
    # the rim of an expanded thin bone, such as a rib, is too thin to count as bone
    shown = seen & ~covered & (text < 0.5)
    truth = np.where(shown, body.truth, 0).astype(np.uint16)
    drop, intact = _removed(body, kv, beam, signal=(primary, scatter))
    return Exposed(
        stored=quantise(picture, bits=film.bits, inverted=film.photometric == "MONOCHROME1"),
        lesions=truth,
        bone=seen,
        evidence=Evidence(
            log=log,
            drop=drop,
            intact=intact,
            truth=truth,
            bone=seen,
            spacing_mm=grid.spacing_mm,
        ),
        kv=kv,
    )


def _strokes(film: Film) -> tuple[Stroke, ...]:
    """Return the strokes of the film's lead marker."""
    if film.marker == "none":
        return ()
    return marker_strokes(film.laterality, ring=film.marker == "ring", text=film.marker_text)


def _materials(body: Body) -> dict[Material, Field]:
    """Return the thickness maps by material, with metal only if there is any."""
    materials: dict[Material, Field] = {
        "bone": body.bone_mm,
        "muscle": body.muscle_mm,
        "fat": body.fat_mm,
    }
    if body.metal_mm.any():
        materials["titanium"] = body.metal_mm
    return materials


def _thickness_mm(body: Body, seen: Mask) -> float:
    """Return the median thickness of the part where there is bone, in mm."""
    total = body.bone_mm + body.muscle_mm + body.fat_mm
    return float(np.median(total[seen])) if seen.any() else float(np.median(total))


def _developed(
    log: Field, grid: Grid, film: Film, *, inside: Mask, bone: Mask, flesh: Mask
) -> Field:
    """Apply the tone curve, with anchors from inside the field; return the picture in 0..1."""
    soft = log[inside & ~bone & flesh]
    dense = log[inside & bone]
    low = float(np.quantile(soft, 0.60)) if soft.size else float(np.quantile(log[inside], 0.1))
    high = float(np.quantile(dense, 0.985)) if dense.size else float(np.quantile(log[inside], 0.99))
    tone = ToneCurve(
        low,
        max(high, low + max(film.latitude, 0.05)),
        family=film.tone,
        detail=film.detail,
        compression=film.compression,
        flesh=film.flesh,
        bone=film.bone,
    )
    return apply_tone(log, spacing_mm=grid.spacing_mm, tone=tone, field=inside.astype(np.float64))


def _archived(
    seed: int, picture: Field, grid: Grid, film: Film, *, inside: Mask, bare: Mask
) -> tuple[Field, Field]:
    """Apply the archive's changes; return the picture and the opacity of text, both in 0..1."""
    if film.gamma != 1.0:
        picture = picture**film.gamma
    if film.grain:
        noise = gaussian(
            generator(seed, 60).standard_normal(grid.shape), sigma_px=0.12 / grid.spacing_mm
        )
        picture = picture + film.grain * min(0.3 / grid.spacing_mm, 2.0) * noise
    if film.stretch:
        low, high = np.quantile(picture[inside], [film.stretch, 1.0 - film.stretch])
        picture = (picture - low) / max(float(high - low), 1e-3)
    if film.collimation == "shutter":
        picture = np.where(inside, picture, 1.0 if film.white_shutter else 0.0)
    text = np.zeros(grid.shape)
    if film.burnt_in:
        text = burnt_in_text(generator(seed, 61), grid, free=bare | ~inside)
        # text is black on a white page
        ink = 0.0 if film.white_shutter and film.collimation == "shutter" else 1.0
        picture = picture * (1.0 - text) + ink * text
    return np.clip(picture, 0.0, 1.0), text


def _removed(
    body: Body, kv: int, beam: Field, *, signal: tuple[Field, Field]
) -> tuple[Field, Field]:
    """Compute the log attenuation removed by lesions, and that of the intact bone.

    Beam hardening and scatter are included; the intact bone is compared with muscle in its place.
    `beam` is the incident beam; `signal` the transmitted fraction and the scatter.
    """
    primary, scatter = signal
    drop, intact = np.zeros(primary.shape), np.zeros(primary.shape)
    rows, cols = np.nonzero(body.removed_mm > 0)
    if rows.size == 0:
        return drop, intact
    box = np.s_[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    removed = body.removed_mm[box]
    whole = {material: thickness[box] for material, thickness in _materials(body).items()}
    marrow = np.maximum(body.bone_volume_mm[box] - whole["bone"] - removed, 0.0)
    flesh = {
        **whole,
        "bone": np.zeros_like(removed),
        "muscle": whole["muscle"] + whole["bone"] + marrow,
        "fat": np.maximum(whole["fat"] - marrow, 0.0),
    }
    # removed bone is replaced by tumour, as dense as muscle
    whole["bone"] = whole["bone"] + removed
    whole["muscle"] = np.maximum(whole["muscle"] - removed, 0.0)
    before, without = (
        np.log(np.maximum(transmission(one, kv) * beam[box] + scatter[box], 1e-9))
        for one in (whole, flesh)
    )
    after = np.log(np.maximum(primary[box] * beam[box] + scatter[box], 1e-9))
    drop[box], intact[box] = after - before, without - before
    return drop, intact
