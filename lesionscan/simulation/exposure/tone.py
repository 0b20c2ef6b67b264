"""Convert the log image to a picture with one of four families of tone.

"s-curve": a manufacturer's sensitometric curve with a long toe. "linear": a window on the log
image. "detail": multi-frequency processing, which amplifies weak detail of every size and flattens
the background. "scanned": the characteristic curve of a scanned film, with fog.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lesionscan.simulation.fields import Field, gaussian

ToneFamily: TypeAlias = Literal["s-curve", "linear", "detail", "scanned"]

_AIR = 0.03
"""Grey value of air in an s-curve, as a fraction of the scale."""
_BANDS = ((0.5, 1.0), (1.0, 1.0), (2.0, 0.8), (4.0, 0.5), (8.0, 0.3), (16.0, 0.2))
"""Standard deviations in mm of the blurs that separate the bands of detail, finest first, and the
relative gain of each band: edges and trabeculae are amplified more than slow variations."""
_FILM_RANGE = (0.02, 0.93)
"""Grey values of a scanner's darkest density (3), and of a film's fog and base (density 0.2)."""


@dataclass(frozen=True, slots=True)
class ToneCurve:
    """Parameters of the conversion of the log image to a picture.

    Attributes
    ----------
    low, high
        Log values of flesh and of dense bone, converted to `flesh` and `bone`.
    family
        See the module docstring.
    detail
        Gain added to detail finer than `detail_mm`, or in all bands of "detail" (0 = none;
        manufacturers use 0.2 to 0.8, and up to 3 for the weakest detail).
    compression
        Fraction of the slow background that is removed (0 = none, 0.4 = strong).
    flesh, bone
        Grey values of the two log values, as fractions of the scale.
    detail_mm
        Standard deviation of the blur that splits detail from background, in mm.

    Raises
    ------
    ValueError
        If the curve would not rise.
    """

    low: float
    high: float
    family: ToneFamily = "s-curve"
    detail: float = 0.3
    compression: float = 0.2
    flesh: float = 0.20
    bone: float = 0.85
    detail_mm: float = 12.0

    def __post_init__(self) -> None:
        if not self.high > self.low:
            raise ValueError(f"high must be over low, got {self.low!r} and {self.high!r}")
        if not _AIR < self.flesh < self.bone < 1:
            raise ValueError(
                f"flesh and bone must rise between {_AIR} and 1, got {self.flesh!r}, {self.bone!r}"
            )


def apply_tone(log: Field, *, spacing_mm: float, tone: ToneCurve, field: Field) -> Field:
    """Return the picture in 0..1, bone bright, after detail gain, compression and tone curve.

    `field` is 1 in the exposed field and 0 outside, so that its border does not affect the
    background.
    """
    value = _processed(log, spacing_mm=spacing_mm, tone=tone, field=field)
    return np.clip(_CURVES[tone.family](value, tone), 0.0, 1.0)


def _processed(log: Field, *, spacing_mm: float, tone: ToneCurve, field: Field) -> Field:
    """Return the log image with amplified detail and compressed background."""
    middle = 0.5 * (tone.low + tone.high)
    widest = _BANDS[-1][0] if tone.family == "detail" else tone.detail_mm
    base = _slow(log, field, sigma_px=widest / spacing_mm)
    flat = middle + (base - middle) * (1.0 - tone.compression)
    if tone.family != "detail":
        return np.asarray(flat + (log - base) * (1.0 + tone.detail), dtype=np.float64)
    # weak detail is amplified most: x (1 + gain m / (m + |x|)) is monotonic
    knee = 0.06 * (tone.high - tone.low)
    value, finer = flat, log
    for sigma_mm, share in _BANDS:
        slow = sigma_mm == widest
        coarser = base if slow else gaussian(log, sigma_px=sigma_mm / spacing_mm)
        band = finer - coarser
        value = value + band * (1.0 + share * tone.detail * knee / (knee + np.abs(band)))
        finer = coarser
    return np.asarray(value, dtype=np.float64)


def _slow(log: Field, field: Field, *, sigma_px: float) -> Field:
    """Return the blur of the exposed field alone."""
    share = gaussian(field, sigma_px=sigma_px)
    mean = gaussian(log * field, sigma_px=sigma_px) / np.maximum(share, 0.02)
    return np.asarray(np.where(share > 0.02, mean, log), dtype=np.float64)


def _logit(share: float) -> float:
    return float(np.log(share / (1.0 - share)))


def _shoulder(value: Field, tone: ToneCurve) -> Field:
    """Return the logistic curve through both anchors."""
    start, rise = _logit(tone.flesh), _logit(tone.bone) - _logit(tone.flesh)
    reach = (value - tone.low) / (tone.high - tone.low)
    return np.asarray(1.0 / (1.0 + np.exp(np.minimum(-start - rise * reach, 60.0))))


def _s_curve(value: Field, tone: ToneCurve) -> Field:
    """Return a logistic with a long toe, so that thin flesh differs from air."""
    air = 0.5 * (tone.low + tone.high) * tone.compression
    share = np.clip((value - air) / max(tone.low - air, 1e-6), 0.0, 1.0)
    toe = _AIR + (tone.flesh - _AIR) * share**1.3
    return np.asarray(np.where(value < tone.low, toe, _shoulder(value, tone)))


def _linear(value: Field, tone: ToneCurve) -> Field:
    """Return a straight line through both anchors."""
    reach = (value - tone.low) / (tone.high - tone.low)
    return np.asarray(tone.flesh + (tone.bone - tone.flesh) * reach)


def _scanned(value: Field, tone: ToneCurve) -> Field:
    """Return a film's curve between black and fog; density is a logistic of log exposure."""
    black, fog = _FILM_RANGE
    return np.asarray(black + (fog - black) * _shoulder(value, tone))


_CURVES: Mapping[ToneFamily, Callable[[Field, ToneCurve], Field]] = MappingProxyType(
    {"s-curve": _s_curve, "linear": _linear, "detail": _s_curve, "scanned": _scanned}
)


def quantise(picture: Field, *, bits: int, inverted: bool) -> NDArray[np.uint16]:
    """Return the stored integers of a picture in 0..1 (inverted: MONOCHROME1, bone dark)."""
    top = 2**bits - 1
    stored = np.rint(np.clip(picture, 0.0, 1.0) * top).astype(np.uint16)
    return np.asarray(top - stored if inverted else stored, dtype=np.uint16)
