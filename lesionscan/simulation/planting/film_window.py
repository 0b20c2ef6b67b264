"""One window of a film while a lesion is planted: its bone, and what of it stays."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lesionscan.simulation.fields import Field, Mask, Window
from lesionscan.simulation.planting.film_lesions import FilmLesion
from lesionscan.simulation.planting.film_signal import Signal

_BLUR_PX = 0.6
"""No edge is sharper than a film's own: a Gaussian of 0.6 px, that of its pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class BoneWindow:
    """The bone in a window of a film.

    Attributes
    ----------
    window
        Where.
    above
        Grey values over the soft tissue's level, 0 or more, in bone and out of it.
    textures
        (bands, rows, cols); fine structure, finest first.
    grain
        Share of each band's power that is grain of the film.
    edge
        Distance to the bone's outline in pixels, positive inside.
    mask
        The bone.
    brightest
        What the brightest tenth of the bone gives at least, in grey values.
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
        """Cut a window from a film (float64) as it is now, and from its intact signal."""
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
        """What the bone adds to the film: 0 outside it."""
        return self.above * self.mask


def kept_amplitude(fraction: Field, grain: float) -> Field:
    """Return the share of a texture's amplitude that stays when a fraction of the bone goes.

    Trabeculae are many layers that add up in power, so the root of what is left of the bone stays
    of theirs, and the grain of the film stays whole: at fraction 1 the texture is that of soft
    tissue, and not that of paint.
    """
    return np.asarray(np.sqrt(grain + (1.0 - grain) * (1.0 - fraction)))


def cortical_excess(smooth: Field, deep: Mask) -> Field:
    """Return what a bright cortex gives more than the bone where a lesion is deep.

    A lesion of the marrow takes as much before the cortex as beside it, and of the excess less.
    """
    if not deep.any():
        return np.zeros_like(smooth)
    return np.maximum(smooth - 1.1 * float(np.median(smooth[deep])), 0.0)


def standing(lesion: FilmLesion, depth: Field) -> Field:
    """Return 0 in the shell of cortex that is left standing, rising to 1 deeper in the bone.

    It rises as the chord of a round hollow does: a lesion that scallops the cortex from inside
    thins it gradually, and leaves no frame around an even hole.
    """
    if lesion.shell_px <= 0.0:
        return np.ones_like(depth)
    rise = np.clip((depth - lesion.shell_px) / max(1.5, 0.3 * lesion.half_width_px), 0.0, 1.0)
    return np.asarray(np.sqrt(rise * (2.0 - rise)))


def film_sharp(field: Field) -> Field:
    """Blur to the sharpness of a film."""
    return np.asarray(ndimage.gaussian_filter(field, _BLUR_PX, mode="nearest", truncate=3.0))
