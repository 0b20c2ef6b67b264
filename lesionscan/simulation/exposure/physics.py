"""Detection of the beam behind a body: scatter, blur, noise and the log image.

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
"""Weights and standard deviations in mm of the Gaussians of the scatter's spread. One Gaussian fits
a slab of one thickness (Boone, Arnold and Seibert, Med Phys 1986;13:254); a limb has a thin and a
thick side. The values are estimates."""


@dataclass(frozen=True, slots=True)
class Detector:
    """Point spread and noise of a detector.

    The point spread is the sum of a narrow and a wide Gaussian and glare: the modulation transfer
    function is `narrow_share` exp(-2 (pi narrow_mm f)^2) + ..., which drops steeply from 1 by the
    glare's weight and has a longer tail than one Gaussian.

    Attributes
    ----------
    narrow_share, narrow_mm
        Weight and standard deviation of the narrow part, in mm.
    wide_mm
        Standard deviation of the wide part, which has the remaining weight.
    glare, glare_mm
        Weight and standard deviation of the glare, in mm.
    structure
        Structure noise of screen or panel, relative to the signal, in a pixel of 0.15 mm.
    """

    narrow_share: float
    narrow_mm: float
    wide_mm: float
    glare: float
    glare_mm: float
    structure: float

    def transfer(self, cycles_per_mm: float) -> float:
        """Return the modulation transfer function of the detector alone, at a frequency."""
        parts = (
            (self.narrow_share, self.narrow_mm),
            (1.0 - self.narrow_share - self.glare, self.wide_mm),
            (self.glare, self.glare_mm),
        )
        return float(sum(w * np.exp(-2.0 * (np.pi * s * cycles_per_mm) ** 2) for w, s in parts))

    def spread(self, signal: Field, *, spacing_mm: float, blur_mm: float) -> Field:
        """Blur a signal by the detector, and by `blur_mm` in front of it."""
        # the standard deviation of a square pixel is its side / sqrt(12)
        before = blur_mm**2 + spacing_mm**2 / 12.0
        narrow = np.sqrt(before + self.narrow_mm**2) / spacing_mm
        wide = np.sqrt(before + self.wide_mm**2) / spacing_mm
        out = self.narrow_share * gaussian(signal, sigma_px=narrow)
        out += (1.0 - self.narrow_share - self.glare) * gaussian(signal, sigma_px=wide)
        out += self.glare * gaussian(signal, sigma_px=self.glare_mm / spacing_mm)
        return out


# MTF 0.5 at 1.3, 1.1 and 1.3 cycles per mm, and 0.2 at 2.6, 2.1 and 2.4: typical of caesium-iodide
# panels, storage phosphors and scanned screen-films. These, glare and structure noise are estimates
# and were not measured on a device.
DETECTORS: Mapping[DetectorKind, Detector] = MappingProxyType({
    "csi": Detector(0.59, 0.09, 0.25, glare=0.02, glare_mm=5.0, structure=0.004),
    "cr": Detector(0.54, 0.105, 0.27, glare=0.02, glare_mm=3.0, structure=0.008),
    "film": Detector(0.62, 0.10, 0.22, glare=0.01, glare_mm=2.0, structure=0.010),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exposure:
    """Conditions of an exposure.

    Attributes
    ----------
    quanta_per_mm2
        Detected quanta per mm2 in air.
    detector
        Kind of detector.
    blur_mm
        Standard deviation of the blur of focal spot and motion, in mm: 0.04 for a focal spot of
        1.2 mm at a magnification of 1.1, more with motion or distance.
    electronic
        Electronic noise, as quanta per pixel.

    Raises
    ------
    ValueError
        If a number is negative, or `quanta_per_mm2` is 0.
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
    """Compute the scatter behind a body, relative to the signal in air.

    A ray with transmission T scatters about -T ln T of the beam forward: proportional to the matter
    in its path, attenuated by that matter. Blurred, this gives more scatter behind thick parts and
    in wide fields, less at the skin and in narrow fields, and none in air.

    Parameters
    ----------
    primary
        Transmission of the body, 0 to 1.
    beam
        The incident beam, 1 in the exposed field and 0 outside.
    spacing_mm
        Side of a pixel, in mm.
    ratio
        Scatter / primary in a wide field of uniform matter with transmission `reference`.
    reference
        Transmission that the ratio refers to, under 1.

    Raises
    ------
    ValueError
        If the ratio is negative.
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
    """Compute the log image: minus the log of the detected signal, about 0 in air.

    Quantum noise is Gaussian with variance = mean. rng.poisson is not used, since the number of
    random words that it draws depends on the last bit of the mean, and so the whole picture on the
    processor. The noise is blurred by the wide part of the detector; the narrow part leaves it
    white.

    Parameters
    ----------
    rng
        Source of the noise.
    signal
        Primary and scattered beam before the detector, relative to the signal in air.
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
    # blurred by the wide part of the detector, else the noise would be white
    noise = detector.narrow_share * noise + (1.0 - detector.narrow_share) * gaussian(
        noise, sigma_px=detector.wide_mm / spacing_mm
    )
    counts = mean + noise
    if exposure.electronic:
        counts = counts + exposure.electronic * rng.standard_normal(signal.shape)
    return np.asarray(-np.log(np.maximum(counts, 0.25) / air), dtype=np.float64)
