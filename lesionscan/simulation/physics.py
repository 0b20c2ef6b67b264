"""From thickness maps to what a detector stores: attenuation, scatter, blur, noise, tone curve.

Lengths are in millimetres, log images in natural-log units (0 = air, brighter = more matter).
"""

from dataclasses import dataclass

import numpy as np

from lesionscan.simulation.fields import Field, gaussian

# Linear attenuation at 55 keV, the mean energy of a filtered 70 to 80 kV beam: log-log
# interpolation between 50 and 60 keV of the mass attenuation coefficients (cm2/g) of NIST XCOM /
# NISTIR 5632 for ICRU-44 materials (cortical bone 0.4242 and 0.3148, 1.92 g/cm3; skeletal muscle
# 0.2262 and 0.2048, 1.05 g/cm3; adipose tissue 0.2123 and 0.1974, 0.95 g/cm3).
BONE_PER_MM = 0.0697
MUSCLE_PER_MM = 0.0226
FAT_PER_MM = 0.0194


@dataclass(frozen=True, slots=True)
class Exposure:
    """How one film was taken.

    Attributes
    ----------
    photons_per_mm2
        Photons per mm2 counted behind air. About 2.5 uGy at the detector, a speed class of 400,
        is 7e4 photons per mm2 at 70 kV (RQA5: 30174 per mm2 and uGy, IEC 62220-1).
    scatter_to_primary
        Scattered photons over primary photons behind the grid: 0.1 (hand) to 0.5 (hip).
    scatter_width_mm
        Standard deviation of the scatter's spread, in mm.
    blur_mm
        Standard deviation of detector and focal-spot blur, in mm; 0.12 gives an MTF of one half
        at 1.6 cycles per mm, as caesium-iodide panels have.

    Raises
    ------
    ValueError
        When a number is negative or no photon is left.
    """

    photons_per_mm2: float = 7e4
    scatter_to_primary: float = 0.25
    scatter_width_mm: float = 25.0
    blur_mm: float = 0.12

    def __post_init__(self) -> None:
        if not self.photons_per_mm2 > 0:
            raise ValueError(f"photons_per_mm2 must be over 0, got {self.photons_per_mm2!r}")
        if min(self.scatter_to_primary, self.scatter_width_mm, self.blur_mm) < 0:
            raise ValueError(f"scatter and blur must not be negative, got {self}")


def line_integral(*, bone_mm: Field, muscle_mm: Field, fat_mm: Field) -> Field:
    """Return the attenuation integral along each ray: the sum of coefficient x thickness."""
    total = BONE_PER_MM * bone_mm + MUSCLE_PER_MM * muscle_mm + FAT_PER_MM * fat_mm
    return np.asarray(total, dtype=np.float64)


def transmission(attenuation: Field) -> Field:
    """Return the fraction of photons that pass (Beer-Lambert law)."""
    return np.asarray(np.exp(-attenuation), dtype=np.float64)


def log_image(
    rng: np.random.Generator, primary: Field, *, spacing_mm: float, exposure: Exposure
) -> Field:
    """Return minus the log of the detected signal, air at about 0, for `primary` transmission.

    Scatter is a blurred fraction of what passes the body. Counts have quantum noise of variance =
    mean, as a Gaussian: rng.poisson draws a different number of random words where its mean
    differs in the last bit, and then the whole picture depends on the processor.
    """
    # air scatters nothing: the source is what passes times the fraction that interacted
    source = primary * np.clip(1.0 - primary, 0.0, 1.0)
    scatter = gaussian(source, sigma_px=exposure.scatter_width_mm / spacing_mm)
    scatter = scatter * exposure.scatter_to_primary
    signal = gaussian(primary, sigma_px=exposure.blur_mm / spacing_mm)
    mean = (signal + scatter) * exposure.photons_per_mm2 * spacing_mm**2
    counts = mean + np.sqrt(np.maximum(mean, 0.0)) * rng.standard_normal(primary.shape)
    # a fifth of the light spreads to neighbours after conversion and correlates the noise
    counts = 0.8 * counts + 0.2 * gaussian(counts, sigma_px=0.8)
    air = exposure.photons_per_mm2 * spacing_mm**2
    return np.asarray(-np.log(np.maximum(counts, 0.25) / air), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class ToneCurve:
    """How a maker turns the log image into a picture to look at.

    Attributes
    ----------
    low, high
        Log values drawn at 20 % and 85 % of the scale.
    detail
        Gain added to detail finer than `detail_mm` (0 = none; makers use 0.2 to 0.8).
    compression
        How much of the slow background is taken away (0 = none; 0.4 flattens thick and thin).
    detail_mm
        Standard deviation of the blur that splits detail from background, in mm.
    """

    low: float
    high: float
    detail: float = 0.3
    compression: float = 0.2
    detail_mm: float = 12.0

    def __post_init__(self) -> None:
        if not self.high > self.low:
            raise ValueError(f"high must be over low, got {self.low!r} and {self.high!r}")


def apply_tone(log: Field, *, spacing_mm: float, tone: ToneCurve, field: Field) -> Field:
    """Return the picture in 0..1, bone bright: detail gain, flatter base, S-curve with toe."""
    # makers find the exposed field (1 in `field`) first: its border must not colour the base
    sigma = tone.detail_mm / spacing_mm
    share = gaussian(field, sigma_px=sigma)
    base = np.where(
        share > 0.02, gaussian(log * field, sigma_px=sigma) / np.maximum(share, 0.02), log
    )
    middle = 0.5 * (tone.low + tone.high)
    value = middle + (base - middle) * (1.0 - tone.compression) + (log - base) * (1 + tone.detail)
    # logistic through 0.20 (its argument is ln(1 / 4) = -1.386) and 0.85 (ln(17 / 3) = 1.735)
    reach = np.maximum((value - tone.low) / (tone.high - tone.low), 0.0)
    shoulder = 1.0 / (1.0 + np.exp(1.386 - 3.121 * reach))
    # the long toe of a film: air at 3 %, and thin flesh apart from it instead of drowned in black
    air = middle * tone.compression
    toe = 0.03 + 0.17 * np.clip((value - air) / max(tone.low - air, 1e-6), 0.0, 1.0) ** 1.3
    return np.asarray(np.where(value < tone.low, toe, shoulder), dtype=np.float64)


def quantise(
    picture: Field, *, bits: int, inverted: bool
) -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
    """Return the stored integers of a picture in 0..1 (inverted: MONOCHROME1, bone dark)."""
    top = 2**bits - 1
    stored = np.rint(np.clip(picture, 0.0, 1.0) * top).astype(np.uint16)
    return np.asarray(top - stored if inverted else stored, dtype=np.uint16)
