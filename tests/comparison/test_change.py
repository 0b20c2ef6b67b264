"""Changes and their uncertainty, with numbers calculated by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lesionscan.codes import State
from lesionscan.comparison.change import Change, Size, change_of, size_of
from lesionscan.comparison.fit import Fit
from lesionscan.comparison.outlines import Outlines
from tests.comparison.made import sample

FIT = Fit(
    overlap=0.9,
    common_bone=1.0,
    correlation=0.9,
    matched_blocks=0.9,
    residual=0.001,
    magnification=1.1,
    magnification_error=0.01,
    turn_deg=0.0,
)


def size(diameter: float, error: float = 0.03) -> Size:
    """Return the size of a disk."""
    return Size(math.pi * diameter**2 / 4, None, diameter, error)


def outlines(borne_out: float | None, agreement: float = 1.0, unexplained: float = 0.0) -> Outlines:
    """Return outlines of size 0 with the given measures of certainty."""
    none = np.zeros(48)
    return Outlines(none, none, borne_out, agreement, None, unexplained)


def test_the_magnification_is_taken_out() -> None:
    """At a magnification of 1.1, an increase from 10 to 11 pixels is not a change."""
    change = change_of(size(10.0), size(11.0), FIT, outlines(1.0))
    assert change.ratio == pytest.approx(0.0)
    assert change.outline == pytest.approx(1.96 * math.hypot(0.03, 0.03))
    assert change.registration == pytest.approx(0.0196)
    assert change.uncertainty == pytest.approx(math.hypot(change.outline, change.registration))


def test_outlines_that_lie_on_the_same_edge_are_surer() -> None:
    """The less the films agree and the more the outlines differ, the larger the uncertainty."""
    sizes = size(10.0), size(11.0)
    same, alike, apart, doubtful = (
        change_of(*sizes, FIT, one).outline
        for one in (outlines(0.0), outlines(0.0, 0.9), outlines(1.0), outlines(0.0, 1.0, 0.2))
    )
    assert same == pytest.approx(1.96 * 0.015)
    assert alike == pytest.approx(1.96 * 0.03)
    assert same < alike < apart
    assert doubtful == pytest.approx(math.hypot(same, 0.2))


@pytest.mark.parametrize(
    ("ratio", "state"),
    [(0.0, State.STABLE), (0.1, State.STABLE), (0.11, State.GROWN), (-0.11, State.SHRUNK)],
)
def test_a_change_must_exceed_the_uncertainty(ratio: float, state: State) -> None:
    """A change that equals its uncertainty counts as stable."""
    assert Change(ratio, outline=0.1, registration=0.0).state is state


def test_a_wider_margin_is_less_sure() -> None:
    """A wider margin increases the error; areas of several candidates are added, Feret is None."""
    (best,), image = sample().record.candidates, sample().record.image
    assert image is not None
    sharp, faint = (size_of([replace(best, margin_width_px=width)], image) for width in (1.0, 30.0))
    assert faint.error > 1.5 * sharp.error
    both = size_of([best, best], image)
    assert both.area_px == 2 * best.area_px
    assert both.feret_px is None
    single = best.equivalent_diameter_mm
    assert single is not None
    assert both.diameter_mm == pytest.approx(math.sqrt(2) * single, rel=1e-4)
