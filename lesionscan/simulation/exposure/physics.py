"""What a detector makes of the beam behind a body: scatter, blur, noise and the log image.

Lengths are in millimetres, log images in natural-log units (0 = air, brighter = more matter).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np

from lesionscan.simulation.fields import Field, gaussian

DetectorKind: TypeAlias = Literal["csi", "cr", "film"]

_SCATTER = ((0.4, 12.0), (0.6, 40.0))
"""Shares and standard deviations in mm of the scatter's spread. One Gaussian fits a slab of one
thickness (Boone, Arnold and Seibert, Med Phys 1986;13:254); a limb has a thin and a thick side.
The numbers are judgement."""


@dataclass(frozen=True, slots=True)
class Detector:
    """How a detector spreads a point and what noise it adds of its own.

    The spread is a narrow and a wide Gaussian and a veil of glare: the modulation transfer
    function is `narrow_share` exp(-2 (pi narrow_mm f)^2) + ..., which falls steeply from 1 by the
    glare's share and has the long tail that one Gaussian lacks.

    Attributes
    ----------
    narrow_share, narrow_mm
        Share and standard deviation of the narrow part, in mm.
    wide_mm
        Standard deviation of the wide part, which has the rest but for the glare.
    glare, glare_mm
        Share and standard deviation of the glare.
    structure
        Fixed noise of screen or panel, as a share of the signal in a pixel of 0.15 mm.
    """

    narrow_share: float
    narrow_mm: float
    wide_mm: float
    glare: float
    glare_mm: float
    structure: float

    def transfer(self, cycles_per_mm: float) -> float:
        """Return the modulation transfer function, without focal spot and pixel."""
        parts = (
            (self.narrow_share, self.narrow_mm),
            (1.0 - self.narrow_share - self.glare, self.wide_mm),
            (self.glare, self.glare_mm),
        )
        return float(sum(w * np.exp(-2.0 * (np.pi * s * cycles_per_mm) ** 2) for w, s in parts))

    def spread(self, signal: Field, *, spacing_mm: float, blur_mm: float) -> Field:
        """Return what the detector shows of a signal; `blur_mm` is the blur in front of it."""
        # a pixel is a square: as a Gaussian, its side over the root of 12
        before = blur_mm**2 + spacing_mm**2 / 12.0
        narrow = np.sqrt(before + self.narrow_mm**2) / spacing_mm
        wide = np.sqrt(before + self.wide_mm**2) / spacing_mm
        out = self.narrow_share * gaussian(signal, sigma_px=narrow)
        out += (1.0 - self.narrow_share - self.glare) * gaussian(signal, sigma_px=wide)
        out += self.glare * gaussian(signal, sigma_px=self.glare_mm / spacing_mm)
        return out


# half of the contrast is left at 1.3, 1.1 and 1.3 cycles per mm, a fifth at 2.6, 2.1 and 2.4.
# Typical figures of caesium-iodide panels, storage phosphors and scanned screen-films, chosen by
# judgement and not measured on a device; so are glare and structure noise
DETECTORS: Mapping[DetectorKind, Detector] = MappingProxyType({
    "csi": Detector(0.59, 0.09, 0.25, glare=0.02, glare_mm=5.0, structure=0.004),
    "cr": Detector(0.54, 0.105, 0.27, glare=0.02, glare_mm=3.0, structure=0.008),
    "film": Detector(0.62, 0.10, 0.22, glare=0.01, glare_mm=2.0, structure=0.010),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exposure:
    """How one film was taken.

    Attributes
    ----------
    quanta_per_mm2
        Quanta per mm2 that count behind air.
    detector
        What catches the picture.
    blur_mm
        Standard deviation of the blur of focal spot and motion, in mm: 1.2 mm of focal spot at a
        magnification of 1.1 make 0.04, a shaky or distant part more.
    electronic
        Noise of the electronics, as quanta in a pixel.

    Raises
    ------
    ValueError
        When a number is negative or no quantum is left.
    """

    quanta_per_mm2: float = 4e5
    detector: DetectorKind = "csi"
    blur_mm: float = 0.05
    electronic: float = 3.0

    def __post_init__(self) -> None:
        if not self.quanta_per_mm2 > 0:
            raise ValueError(f"quanta_per_mm2 must be over 0, got {self.quanta_per_mm2!r}")
        if min(self.blur_mm, self.electronic) < 0:
            raise ValueError(f"blur and electronic noise must not be negative, got {self}")


def scattered(
    primary: Field, beam: Field, *, spacing_mm: float, ratio: float, reference: float
) -> Field:
    """Return the scatter behind a body, as a share of the signal behind air.

    A ray that passes T of the beam scatters about -T ln T of it forward: in proportion to the
    matter it meets, weakened by that matter. Spread out, this gives more scatter to thick parts
    and wide fields and less at the skin and in narrow fields, and none to air.

    Parameters
    ----------
    primary
        Share of the beam that passes the body, 0 to 1.
    beam
        The beam that enters, 1 in the exposed field and 0 outside.
    spacing_mm
        Side of a pixel, in mm.
    ratio
        Scatter over primary in a wide field of even matter that passes `reference`.
    reference
        Transmission that the ratio was stated for, under 1.

    Raises
    ------
    ValueError
        When the ratio is negative.
    """
    if ratio < 0:
        raise ValueError(f"the scatter-to-primary ratio must not be negative, got {ratio!r}")
    floor = np.maximum(primary, 1e-6)
    source = -floor * np.log(floor) * beam
    total: Field = np.zeros_like(source)
    for share, width_mm in _SCATTER:
        total += share * gaussian(source, sigma_px=width_mm / spacing_mm)
    total *= ratio / -np.log(min(reference, 0.99))
    return total


def log_image(
    rng: np.random.Generator, signal: Field, *, spacing_mm: float, exposure: Exposure
) -> Field:
    """Return minus the log of what the detector shows of a signal, air at about 0.

    Quanta have noise of variance = mean, as a Gaussian: rng.poisson draws a different number of
    random words where its mean differs in the last bit, and then the whole picture depends on the
    processor. It is spread as the wide part of the detector spreads the signal; the narrow part
    leaves it white.

    Parameters
    ----------
    rng
        Source of the noise.
    signal
        Primary and scattered beam as a share of the signal behind air, before the detector.
    spacing_mm
        Side of a pixel, in mm.
    exposure
        Dose, detector and blur.
    """
    detector = DETECTORS[exposure.detector]
    air = exposure.quanta_per_mm2 * spacing_mm**2
    mean = air * np.maximum(
        detector.spread(signal, spacing_mm=spacing_mm, blur_mm=exposure.blur_mm), 0.0
    )
    own = detector.structure * 0.15 / spacing_mm
    sigma = np.sqrt(mean + (own * mean) ** 2)
    noise = sigma * rng.standard_normal(signal.shape)
    # the wide part of the spread makes grain of what would be salt and pepper
    noise = detector.narrow_share * noise + (1.0 - detector.narrow_share) * gaussian(
        noise, sigma_px=detector.wide_mm / spacing_mm
    )
    counts = mean + noise
    if exposure.electronic:
        counts = counts + exposure.electronic * rng.standard_normal(signal.shape)
    return np.asarray(-np.log(np.maximum(counts, 0.25) / air), dtype=np.float64)
