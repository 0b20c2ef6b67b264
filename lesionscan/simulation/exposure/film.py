"""Properties of a film other than anatomy: exposure, collimation, markers, tone, storage."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from lesionscan.simulation.body.anatomy import Laterality
from lesionscan.simulation.exposure.markings import CHARACTERS
from lesionscan.simulation.exposure.physics import DetectorKind
from lesionscan.simulation.exposure.spectrum import KILOVOLTS
from lesionscan.simulation.exposure.tone import ToneFamily
from lesionscan.simulation.fields import Field, Grid, smooth_step

Photometric: TypeAlias = Literal["MONOCHROME1", "MONOCHROME2"]
Collimation: TypeAlias = Literal["none", "shutter", "bright"]
Aperture: TypeAlias = Literal["rectangle", "octagon", "circle"]
Marker: TypeAlias = Literal["none", "plain", "ring"]


@dataclass(frozen=True, slots=True)
class Film:
    """Exposure, markers and storage of a phantom.

    Attributes
    ----------
    photometric
        PhotometricInterpretation; MONOCHROME1 stores bone dark.
    bits
        BitsStored, 8 to 16.
    laterality
        ImageLaterality, and the letter of the marker.
    collimation
        "none": the field fills the picture; "shutter": one grey outside the field; "bright": the
        unexposed border as detected, white if bone is bright.
    border_mm
        Distance of the collimated field's edges from those of the picture, in mm.
    tilt_deg
        Rotation of the collimated field, in degrees.
    marker
        Lead letter: none, plain, or in a ring.
    dose
        Detector dose / the usual 2.5 uGy.
    detail, compression
        Of the maker's processing (see `tone.ToneCurve`).
    kv
        Tube voltage in kV, one of `spectrum.KILOVOLTS`; if None, by the thickness of the part.
    detector
        Caesium-iodide panel, storage phosphor or screen-film.
    tone
        Family of the tone curve.
    flesh, bone
        Grey values of flesh and dense bone as fractions of the scale.
    latitude
        Least range between flesh and dense bone for the tone curve, in natural-log units; 0 adapts
        the curve to the flesh and bone of each part.
    gamma
        Exponent applied to the picture, bone bright; under 1 is brighter.
    blur_mm
        Blur of motion, magnification and coarse scanning, in mm.
    shading
        Loss of beam at one end of the picture, in natural-log units, from the heel effect and
        viewing-box light. 0.3 is a quarter less.
    grain
        Standard deviation of film grain on the scale of 0 to 1, in a pixel of 0.3 mm.
    aperture
        Shape of the collimated field.
    white_shutter
        Whether the shutter is white, like the page of a scan, instead of black.
    marker_text
        Small lead characters below the letter, of `markings.CHARACTERS`.
    burnt_in
        Whether software has burned small characters into the corners.
    stretch
        Fraction of the pixels clipped at each end when an archive stretched the scale.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    photometric: Photometric = "MONOCHROME2"
    bits: int = 12
    laterality: Laterality = "R"
    collimation: Collimation = "none"
    border_mm: float = 8.0
    tilt_deg: float = 0.0
    marker: Marker = "plain"
    dose: float = 1.0
    detail: float = 0.35
    compression: float = 0.35
    kv: int | None = None
    detector: DetectorKind = "csi"
    tone: ToneFamily = "s-curve"
    flesh: float = 0.20
    bone: float = 0.85
    latitude: float = 0.0
    gamma: float = 1.0
    blur_mm: float = 0.05
    shading: float = 0.0
    grain: float = 0.0
    aperture: Aperture = "rectangle"
    white_shutter: bool = False
    marker_text: str = ""
    burnt_in: bool = False
    stretch: float = 0.0

    def __post_init__(self) -> None:
        if not 8 <= self.bits <= 16:
            raise ValueError(f"bits must be 8 to 16, got {self.bits}")
        for name, (low, high) in _RANGES.items():
            value = float(getattr(self, name))
            if not low <= value <= high:
                raise ValueError(f"{name} must be {low:g} to {high:g}, got {value!r}")
        if self.kv is not None and self.kv not in KILOVOLTS:
            known = ", ".join(str(value) for value in KILOVOLTS)
            raise ValueError(f"kv must be one of {known}, got {self.kv!r}")
        if not 0.04 <= self.flesh < self.bone <= 0.98:
            raise ValueError(
                f"flesh and bone must rise between 0.04 and 0.98, got {self.flesh!r}, {self.bone!r}"
            )
        unknown = sorted(set(self.marker_text) - CHARACTERS)
        if unknown:
            known = "".join(sorted(CHARACTERS))
            raise ValueError(f"marker_text must hold only {known}, got {''.join(unknown)!r}")


_RANGES = {
    "border_mm": (0.0, 60.0),
    "tilt_deg": (-20.0, 20.0),
    "dose": (0.02, 50.0),
    "latitude": (0.0, 4.0),
    "gamma": (0.4, 2.5),
    "blur_mm": (0.0, 3.0),
    "shading": (0.0, 1.0),
    "grain": (0.0, 0.1),
    "stretch": (0.0, 0.05),
}


def draw_film(rng: np.random.Generator) -> Film:
    """Draw a film with polarity, bit depth, border, marker and tone distributed as in archives.

    The frequencies of tones and the ranges of contrast, blur and dose are chosen so that the
    statistics of phantoms cover those of real films
    (`scripts/research/compare_phantoms_with_films.py`).
    """
    draw, pick = rng.random, rng.integers
    photometric: Photometric = "MONOCHROME1" if draw() < 0.35 else "MONOCHROME2"
    laterality: Laterality = "L" if draw() < 0.5 else "R"
    collimations: tuple[Collimation, ...] = ("none", "none", "none", "none", "shutter", "bright")
    apertures: tuple[Aperture, ...] = ("rectangle",) * 8 + ("octagon", "circle")
    markers: tuple[Marker, ...] = ("none", "plain", "plain", "ring")
    texts = ("", "", "", "^", f"{int(pick(1, 10))}", f"{int(pick(10, 100))}")
    tones: tuple[ToneFamily, ...] = ("s-curve", "s-curve", "linear", "detail", "detail", "scanned")
    tone = tones[int(pick(len(tones)))]
    scanned = tone == "scanned"
    panels: tuple[DetectorKind, ...] = ("csi", "csi", "cr")
    archive = bool(draw() < 0.4)
    return Film(
        photometric=photometric,
        bits=8 if archive else int(pick(10, 15)),
        laterality=laterality,
        collimation=collimations[int(pick(len(collimations)))],
        border_mm=float(rng.uniform(3.0, 14.0)),
        tilt_deg=float(rng.uniform(-4.0, 4.0)),
        marker=markers[int(pick(len(markers)))],
        dose=float(np.exp(rng.uniform(np.log(0.15), np.log(1.5)))),
        detail=float(rng.uniform(0.4, 2.0) if tone == "detail" else rng.uniform(0.0, 0.7)),
        compression=float(rng.uniform(0.0, 0.15) if scanned else rng.uniform(0.15, 0.5)),
        detector="film" if scanned else panels[int(pick(len(panels)))],
        tone=tone,
        flesh=float(rng.uniform(0.10, 0.40)),
        bone=float(rng.uniform(0.75, 0.95)),
        latitude=float(rng.uniform(0.7, 1.7)),
        gamma=float(np.exp(rng.uniform(-0.3, 0.3))),
        blur_mm=float(np.exp(rng.uniform(np.log(0.06), np.log(0.6)))),
        shading=float(rng.uniform(0.0, 0.35)),
        grain=float(rng.uniform(0.005, 0.02)) if scanned else 0.0,
        aperture=apertures[int(pick(len(apertures)))],
        white_shutter=bool(draw() < 0.2),
        marker_text=texts[int(pick(len(texts)))],
        burnt_in=bool(draw() < 0.12),
        stretch=float(rng.uniform(0.0005, 0.01)) if archive else 0.0,
    )


def exposed_field(grid: Grid, film: Film) -> Field:
    """Return the exposure, 1 inside the collimated field and 0 outside, with a 0.8 mm penumbra."""
    if film.collimation == "none":
        return np.ones(grid.shape)
    x = (np.arange(grid.cols) + 0.5)[None, :] * grid.spacing_mm
    y = (np.arange(grid.rows) + 0.5)[:, None] * grid.spacing_mm
    half_x, half_y = 0.5 * grid.cols * grid.spacing_mm, 0.5 * grid.rows * grid.spacing_mm
    turn = np.deg2rad(film.tilt_deg)
    u = (x - half_x) * np.cos(turn) + (y - half_y) * np.sin(turn)
    v = (y - half_y) * np.cos(turn) - (x - half_x) * np.sin(turn)
    if film.aperture == "circle":
        # the picture's short sides cut the circle, like the edge of a plate
        return smooth_step((max(half_x, half_y) - film.border_mm - np.hypot(u, v)) / 0.8)
    # the border differs between sides
    right, left = half_x - film.border_mm, half_x - 0.6 * film.border_mm
    bottom, top = half_y - 0.8 * film.border_mm, half_y - 1.1 * film.border_mm
    sides = [right - u, left + u, bottom - v, top + v]
    if film.aperture == "octagon":
        cut = 0.45 * min(half_x, half_y)
        for across, signed_u in ((right, u), (left, -u)):
            for along, signed_v in ((bottom, v), (top, -v)):
                sides.append((across + along - cut - signed_u - signed_v) / np.sqrt(2.0))
    field = np.ones(grid.shape)
    for side in sides:
        field = field * smooth_step(side / 0.8)
    return field


def heel(grid: Grid, film: Film) -> Field:
    """Return the relative beam intensity from the cathode's end (1) to the anode's, along rows."""
    along = (np.arange(grid.rows) + 0.5)[:, None] / grid.rows
    # the sign of the random tilt chooses the anode's end
    if film.tilt_deg < 0:
        along = 1.0 - along
    return np.asarray(np.broadcast_to(np.exp(-film.shading * along**1.5), grid.shape))
