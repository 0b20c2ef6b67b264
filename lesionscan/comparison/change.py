"""How much a lesion changed from one film to the next, and how far that is known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lesionscan.codes import State
from lesionscan.comparison.fit import Fit
from lesionscan.comparison.outlines import Outlines
from lesionscan.results.record import CandidateRecord, ImageRecord

_MARGIN_SHARE = 0.15
"""Standard error of an edge's place, as a share of the width of the zone of transition."""
_GRID_SHARE, _GRID_PX = 0.5, 640
"""The same as a share of a pixel of the grid that lesions are sought on, and its long side."""
_LEAST = 0.025
"""Least standard error of a diameter, as a share: two readers of one film differ by more."""
_SHIFT_ERROR, _DISAGREEMENT_SHARE = 0.015, 0.15
"""Standard error of the shift of an edge between two films, as a share of the diameter: where the
films agree, and what it grows by as their correlation goes from 1 to 0."""
_TWO_SIDED = 1.96
"""Half of the 95 % interval of a normal distribution, in standard errors."""


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a lesion, or of several together, on one film, in its own pixels.

    Attributes
    ----------
    area_px
        Area.
    area_mm2
        The same; None without spacing.
    feret_px
        Largest distance across; None for several.
    error
        Standard error of the natural logarithm of the diameter, from the outline.
    """

    area_px: float
    area_mm2: float | None
    feret_px: float | None
    error: float

    @property
    def diameter_px(self) -> float:
        """Diameter of the disk of the same area."""
        return 2.0 * math.sqrt(self.area_px / math.pi)

    @property
    def diameter_mm(self) -> float | None:
        """The same in mm."""
        return None if self.area_mm2 is None else 2.0 * math.sqrt(self.area_mm2 / math.pi)


@dataclass(frozen=True, slots=True)
class Change:
    """The change of a diameter, magnification corrected, as natural logarithms.

    Attributes
    ----------
    ratio
        Logarithm of the second diameter over the first.
    outline, registration
        Half of the 95 % intervals of this logarithm, from the outlines and from the magnification.
    """

    ratio: float
    outline: float
    registration: float

    @property
    def uncertainty(self) -> float:
        """Half of the 95 % interval of the logarithm."""
        return math.hypot(self.outline, self.registration)

    @property
    def state(self) -> State:
        """Whether the lesion has grown or shrunk by more than the uncertainty."""
        if abs(self.ratio) <= self.uncertainty:
            return State.STABLE
        return State.GROWN if self.ratio > 0 else State.SHRUNK


def size_of(candidates: Sequence[CandidateRecord], image: ImageRecord) -> Size:
    """Return the size of one candidate, or of several together.

    Parameters
    ----------
    candidates
        At least one.
    image
        Their film.
    """
    areas = np.array([one.area_px for one in candidates])
    spacing = image.spacing_mm
    errors = np.array([_outline_error(one, image) for one in candidates])
    return Size(
        area_px=float(areas.sum()),
        area_mm2=None if spacing is None else float(areas.sum()) * spacing[0] * spacing[1],
        feret_px=candidates[0].feret_max_px if len(candidates) == 1 else None,
        error=float(np.sqrt(((areas * errors) ** 2).sum()) / areas.sum()),
    )


def _outline_error(candidate: CandidateRecord, image: ImageRecord) -> float:
    """Return the standard error of the logarithm of a candidate's diameter."""
    grid = max(1.0, max(image.rows, image.columns) / _GRID_PX)
    diameter = candidate.equivalent_diameter_px
    width = candidate.margin_width_px
    margin = 0.2 * diameter if width is None else width
    edge = math.hypot(_MARGIN_SHARE * margin, _GRID_SHARE * grid)
    return math.hypot(_LEAST, edge / diameter)


def change_of(before: Size, after: Size, fit: Fit, outlines: Outlines) -> Change:
    """Return how a lesion's diameter changed.

    Parameters
    ----------
    before, after
        Its sizes on the two films.
    fit
        Gives the magnification.
    outlines
        What the sizes were taken from.
    """
    ratio = math.log(after.diameter_px / before.diameter_px / fit.magnification)
    apart = math.hypot(before.error, after.error)
    together = _SHIFT_ERROR + _DISAGREEMENT_SHARE * max(0.0, 1.0 - outlines.agreement)
    share = outlines.borne_out or 0.0
    outline = _TWO_SIDED * (share * apart + (1.0 - share) * together)
    return Change(
        ratio=ratio,
        outline=math.hypot(outline, outlines.doubt),
        registration=_TWO_SIDED * fit.magnification_error,
    )
