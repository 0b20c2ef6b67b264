"""Change of a lesion between two films, and its uncertainty."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lesionscan.codes import State
from lesionscan.comparison.fit import Fit
from lesionscan.comparison.outlines import Outlines
from lesionscan.results.record import CandidateRecord, ImageRecord

_MARGIN_SHARE = 0.15
"""Standard error of an edge's position, as a share of the width of the zone of transition."""
_GRID_SHARE, _GRID_PX = 0.5, 640
"""Standard error in pixels of the detection grid, and the long side of that grid."""
_MIN_ERROR = 0.025
"""Smallest relative standard error of a diameter: two readers of one film differ by more."""
_SHIFT_ERROR, _DISAGREEMENT_SHARE = 0.015, 0.15
"""Standard error of the shift of an edge between two films, as a share of the diameter, at a
correlation of 1, and its increase as the correlation falls from 1 to 0."""
_TWO_SIDED = 1.96
"""Half of the 95 % interval of a normal distribution, in standard errors."""


@dataclass(frozen=True, slots=True)
class Size:
    """Size of one or several candidates on one film, in pixels of that film.

    Attributes
    ----------
    area_px
        Total area.
    area_mm2
        Total area; None without spacing.
    feret_px
        Largest Feret diameter; None for several candidates.
    error
        Standard error of the natural logarithm of the diameter, due to the outline.
    """

    area_px: float
    area_mm2: float | None
    feret_px: float | None
    error: float

    @property
    def diameter_px(self) -> float:
        """Equivalent diameter."""
        return 2.0 * math.sqrt(self.area_px / math.pi)

    @property
    def diameter_mm(self) -> float | None:
        """Equivalent diameter in mm; None without spacing."""
        return None if self.area_mm2 is None else 2.0 * math.sqrt(self.area_mm2 / math.pi)


@dataclass(frozen=True, slots=True)
class Change:
    """Change of a diameter after correction of the magnification, as natural logarithms.

    Attributes
    ----------
    ratio
        Logarithm of second diameter / first diameter.
    outline, registration
        Half widths of the 95 % intervals of `ratio`, due to outlines and to magnification.
    """

    ratio: float
    outline: float
    registration: float

    @property
    def uncertainty(self) -> float:
        """Half width of the 95 % interval of `ratio`."""
        return math.hypot(self.outline, self.registration)

    @property
    def state(self) -> State:
        """Grown or shrunk if the change exceeds the uncertainty, else stable."""
        if abs(self.ratio) <= self.uncertainty:
            return State.STABLE
        return State.GROWN if self.ratio > 0 else State.SHRUNK


def size_of(candidates: Sequence[CandidateRecord], image: ImageRecord) -> Size:
    """Return the size of one or several candidates.

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
    return math.hypot(_MIN_ERROR, edge / diameter)


def change_of(before: Size, after: Size, fit: Fit, outlines: Outlines) -> Change:
    """Return the change of a lesion's diameter.

    Parameters
    ----------
    before, after
        Sizes on the two films.
    fit
        Quality of the registration, with the magnification.
    outlines
        The outlines that were measured.
    """
    ratio = math.log(after.diameter_px / before.diameter_px / fit.magnification)
    apart = math.hypot(before.error, after.error)
    together = _SHIFT_ERROR + _DISAGREEMENT_SHARE * max(0.0, 1.0 - outlines.agreement)
    share = outlines.borne_out or 0.0
    outline = _TWO_SIDED * (share * apart + (1.0 - share) * together)
    return Change(
        ratio=ratio,
        outline=math.hypot(outline, outlines.unexplained),
        registration=_TWO_SIDED * fit.magnification_error,
    )
