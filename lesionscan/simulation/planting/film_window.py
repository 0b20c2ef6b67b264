"""Window of a film in which a lesion is planted: its bone, texture and remaining cortex."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lesionscan.simulation.fields import Field, Mask, Window
from lesionscan.simulation.planting.film_lesions import FilmLesion
from lesionscan.simulation.planting.film_signal import Signal

_BLUR_PX = 0.6
"""Standard deviation of the blur of a film's pixels, applied to planted edges."""


@dataclass(frozen=True, slots=True, eq=False)
class BoneWindow:
    """The bone in a window of a film.

    Attributes
    ----------
    window
        The window.
    above
        Grey values above the soft tissue's level, 0 or more, in bone and outside.
    textures
        (bands, rows, cols); fine structure, finest first.
    grain
        Fraction of each band's power that is film grain.
    edge
        Distance to the bone's outline in pixels, positive inside.
    mask
        The bone.
    brightest
        90th percentile of the bone's signal, in grey values.
    """

    window: Window
    above: Field
    textures: Field
    grain: tuple[float, ...]
    edge: Field
    mask: Mask
    brightest: float

    @classmethod
    def of(cls, window: Window, film: Field, signal: Signal) -> "BoneWindow":
        """Create the window from the current film (float64) and the intact film's signal."""
        part = window.slices
        mask = signal.bone[part]
        above = np.maximum(film[part] - signal.level[part], 0.0)
        return cls(
            window=window,
            above=above,
            textures=signal.textures[:, part[0], part[1]].astype(np.float64),
            grain=signal.grain,
            edge=signal.edge_px[part].astype(np.float64),
            mask=mask,
            brightest=float(np.quantile(above[mask], 0.9)) if mask.any() else 0.0,
        )

    @property
    def signal(self) -> Field:
        """Signal of the bone: 0 outside it."""
        return self.above * self.mask


def kept_amplitude(fraction: Field, grain: float) -> Field:
    """Return the factor of a texture's amplitude when a fraction of the bone is removed.

    Layers of trabeculae add up in power, so that their amplitude decreases as the root of the
    remaining bone, while film grain is not affected: at fraction 1 the texture is that of soft
    tissue.
    """
    return np.asarray(np.sqrt(grain + (1.0 - grain) * (1.0 - fraction)))


def cortical_excess(smooth: Field, deep: Mask) -> Field:
    """Return the excess of a bright cortex over the signal of the bone in the lesion.

    A lesion of the marrow removes as much in front of the cortex as beside it, and less of the
    excess.
    """
    if not deep.any():
        return np.zeros_like(smooth)
    return np.maximum(smooth - 1.1 * float(np.median(smooth[deep])), 0.0)


def removable(lesion: FilmLesion, depth: Field) -> Field:
    """Return 0 in the shell of cortex that is not removed, rising to 1 deeper in the bone.

    It rises like the chord of a round hollow: a lesion that scallops the cortex from inside thins
    it gradually.
    """
    if lesion.shell_px <= 0.0:
        return np.ones_like(depth)
    rise = np.clip((depth - lesion.shell_px) / max(1.5, 0.3 * lesion.half_width_px), 0.0, 1.0)
    return np.asarray(np.sqrt(rise * (2.0 - rise)))


def film_sharp(field: Field) -> Field:
    """Blur to the resolution of a film."""
    return np.asarray(ndimage.gaussian_filter(field, _BLUR_PX, mode="nearest", truncate=3.0))
