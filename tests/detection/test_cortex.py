"""The cortex of a synthetic shaft: what was removed from it is measured."""

import numpy as np
import pytest

from lesionscan.detection.cortex import Cortex, follow_cortex, scalloping_word
from lesionscan.detection.grid import Footprint
from lesionscan.detection.location import BoneMap
from lesionscan.radiograph import BoolImage, FloatImage
from tests.detection.made import disk

SHAPE = (400, 240)
LEFT, RIGHT, CORTEX = 84, 156, 10
"""Columns of the shaft's edges and the thickness of its cortex."""


def _shaft() -> tuple[FloatImage, BoolImage]:
    """Return soft tissue of 0.3 with a shaft of 0.9 cortex and 0.6 marrow, and its mask."""
    film = np.full(SHAPE, 0.3, np.float32)
    film[:, LEFT:RIGHT] = 0.9
    film[:, LEFT + CORTEX : RIGHT - CORTEX] = 0.6
    film += np.random.default_rng(1).normal(0.0, 0.004, SHAPE).astype(np.float32)
    bone = np.zeros(SHAPE, np.bool_)
    bone[:, LEFT:RIGHT] = True
    return film, bone


def _followed(film: FloatImage, bone: BoolImage, region: BoolImage) -> Cortex:
    rows, cols = np.nonzero(region)
    box = np.s_[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    footprint = Footprint(1, box, np.ascontiguousarray(region[box]))
    reach = float(np.sqrt(region.sum() / np.pi))
    frame = BoneMap.of(bone).locate(footprint.mask, box, reach_px=reach).frame
    assert frame is not None
    return follow_cortex(film, bone, footprint, frame)


def _with_hole(region: BoolImage, *, turned: bool = False) -> Cortex:
    film, bone = _shaft()
    film[region] = 0.35
    if turned:
        film, bone, region = film.T.copy(), bone.T.copy(), region.T.copy()
    return _followed(film, bone, region)


def test_a_hole_in_the_marrow_leaves_the_cortex() -> None:
    """A hole in the marrow gives no scalloping, no break and no expansion."""
    cortex = _with_hole(disk(SHAPE, (200, 120), 14))

    assert cortex.unknown is None
    assert cortex.scalloping == pytest.approx(0.0, abs=0.1)
    assert cortex.break_px == 0.0
    assert cortex.expansion == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("left", "share", "word"), [(7, 0.3, "under_half"), (3, 0.7, "over_half")])
def test_a_hole_that_takes_the_inside_of_the_cortex(
    left: int, share: float, word: str, *, turned: bool
) -> None:
    """With 7 or 3 of 10 px of cortex left, 0.3 or 0.7 is gone, in upright and horizontal bones."""
    region = np.zeros(SHAPE, np.bool_)
    region[180:220, LEFT + left : 120] = True

    cortex = _with_hole(region, turned=turned)

    assert cortex.scalloping == pytest.approx(share, abs=0.12)
    assert scalloping_word(cortex.scalloping) == word
    assert cortex.break_px == 0.0


@pytest.mark.parametrize("turned", [False, True])
def test_a_hole_that_takes_all_of_the_cortex_breaks_it(*, turned: bool) -> None:
    """A break of 40 rows is measured, whether or not the bone mask has the notch."""
    region = np.zeros(SHAPE, np.bool_)
    region[180:220, LEFT:110] = True
    cortex = _with_hole(region, turned=turned)
    film, bone = _shaft()
    film[region] = 0.32
    notched = _followed(film, bone & ~region, region)

    assert cortex.break_px == pytest.approx(40, abs=5)
    assert notched.break_px == pytest.approx(40, abs=5)
    assert cortex.expansion == pytest.approx(1.0, abs=0.05)


def test_a_thin_shell_is_no_break() -> None:
    """A shell of 2 of 10 px of cortex, fainter than the full cortex, is not a break."""
    film, bone = _shaft()
    region = np.zeros(SHAPE, np.bool_)
    region[180:220, LEFT + 2 : 110] = True
    film[region] = 0.35
    film[180:220, LEFT : LEFT + 2] = 0.75

    cortex = _followed(film, bone, region)

    assert cortex.break_px == 0.0
    assert cortex.scalloping is not None
    assert cortex.scalloping > 0.6


def test_a_balloon_expands_its_bone() -> None:
    """A balloon of 100 px on a shaft of 72 px expands it by 1.38 (it is narrower at its poles)."""
    film, bone = _shaft()
    balloon = disk(SHAPE, (200, 120), 50)
    inner = disk(SHAPE, (200, 120), 47)
    film[balloon], film[inner] = 0.9, 0.4
    with_balloon = bone | balloon

    cortex = _followed(film, with_balloon, inner)

    assert cortex.expansion == pytest.approx(1.38, abs=0.06)
    assert cortex.break_px == 0.0


def test_a_flare_is_no_expansion() -> None:
    """A bone that widens evenly from 60 to 100 px is not expanded."""
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    half = 30 + 20 * rows / SHAPE[0]
    bone = np.abs(cols - 119.5) <= half
    film = np.where(bone, 0.6, 0.3).astype(np.float32)
    film[bone & (np.abs(cols - 119.5) > half - 8)] = 0.9
    region = disk(SHAPE, (200, 120), 12)
    film[region] = 0.35

    assert _followed(film, bone, region).expansion == pytest.approx(1.0, abs=0.05)


def test_without_an_inner_border_there_is_no_share() -> None:
    """A bone as bright inside as at its edge has no scalloping, but a break is still measured."""
    film, bone = _shaft()
    film[bone] = 0.8
    region = np.zeros(SHAPE, np.bool_)
    region[180:220, LEFT:110] = True
    film[region] = 0.32

    cortex = _followed(film, bone, region)

    assert cortex.scalloping is None
    assert cortex.break_px == pytest.approx(40, abs=5)


def test_why_a_cortex_is_not_followed() -> None:
    """The reason is reported: too coarse, at the bone's end, no step at the edge, a rough mask."""
    film, bone = _shaft()
    region = disk(SHAPE, (200, 120), 14)
    narrow = np.zeros(SHAPE, np.bool_)
    narrow[:, 112:128] = True
    assert _followed(film, narrow, disk(SHAPE, (200, 120), 4)) == Cortex(unknown="too_coarse")
    assert _followed(film, bone, disk(SHAPE, (370, 120), 14)) == Cortex(unknown="no_bone_beside")
    flat = np.full(SHAPE, 0.5, np.float32)
    assert _followed(flat, bone, region) == Cortex(unknown="outline_unclear")
    wavy = bone.copy()
    wavy[::2] = False
    wavy |= np.abs(np.mgrid[:400, :240][1] - 119.5) < 20 + 15 * (np.mgrid[:400, :240][0] // 12 % 2)
    assert _followed(flat, wavy, region).unknown == "outline_unclear"


@pytest.mark.parametrize(
    ("share", "word"),
    [(None, None), (0.0, "none"), (0.19, "none"), (0.2, "under_half"), (0.5, "under_half"),
     (0.51, "over_half")],
)  # fmt: skip
def test_shares_in_words(share: float | None, word: str | None) -> None:
    """Shares from a fifth are `under_half`, and shares above a half are `over_half`."""
    assert scalloping_word(share) == word
