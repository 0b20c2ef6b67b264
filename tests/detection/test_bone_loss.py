import numpy as np
import pytest

from lesionscan.detection.bone_loss import BoneLoss, SoftTissue, bone_losses
from lesionscan.detection.grid import Footprint
from lesionscan.detection.location import BoneMap
from lesionscan.radiograph import BoolImage, FloatImage
from tests.detection.made import disk, limb

SHAPE = (320, 240)
WHOLE = np.s_[0:320, 0:240]


def _bone() -> BoolImage:
    """Return the mask of the bone in `limb`."""
    bone = np.zeros(SHAPE, bool)
    bone[20:-20, 84:156] = True
    return bone


def _body() -> BoolImage:
    """Return the mask of the part of `limb` that is not air."""
    body = np.zeros(SHAPE, bool)
    body[:, 30:210] = True
    return body


def _loss(
    film: FloatImage, region: BoolImage, bone: BoolImage, usable: BoolImage | None = None
) -> BoneLoss | None:
    (loss,) = bone_losses(
        [Footprint.of(1, WHOLE, region)],
        image=film,
        bone=bone,
        usable=_body() if usable is None else usable,
        bone_map=BoneMap.of(bone),
    )
    return loss


def _taken(film: FloatImage, region: BoolImage, share: float) -> FloatImage:
    """Return the film after a region has lost a share of its signal above 0.3, soft tissue."""
    film = film.copy()
    film[region] -= share * (film[region] - 0.3)
    return film


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    "region",
    [
        disk(SHAPE, (160, 120), 14),
        disk(SHAPE, (160, 120), 4),
        disk(SHAPE, (160, 100), 14) & _bone(),
        disk(SHAPE, (160, 120), 45) & _bone(),
    ],
    ids=["in the marrow", "small", "in marrow and cortex", "from edge to edge"],
)
def test_the_share_that_was_taken_comes_back(region: BoolImage, share: float) -> None:
    """The share is correct anywhere: cortex is compared with cortex, and marrow with marrow."""
    loss = _loss(_taken(limb(lesion_radius=0), region, share), region, _bone())

    assert loss is not None
    assert loss.share == pytest.approx(share, abs=0.07)


def test_a_film_that_is_brighter_on_one_side_has_the_same_loss() -> None:
    """A brightness ramp, as by the heel effect or thicker soft tissue, does not change the loss."""
    region = disk(SHAPE, (160, 120), 14)
    ramp = np.linspace(-0.1, 0.1, SHAPE[1], dtype=np.float32)[None]

    loss = _loss(_taken(limb(lesion_radius=0), region, 0.5) + ramp, region, _bone())

    assert loss is not None
    assert loss.share == pytest.approx(0.5, abs=0.07)


def test_a_region_as_bright_as_its_bone_has_lost_nothing() -> None:
    """The loss of a region that is as bright as its bone, or slightly brighter, is 0."""
    region = disk(SHAPE, (160, 120), 14)
    same = _loss(limb(lesion_radius=0), region, _bone())
    slightly = _loss(_taken(limb(lesion_radius=0), region, -0.03), region, _bone())

    assert same is not None
    assert same.share == pytest.approx(0.0, abs=0.03)
    assert slightly is not None
    assert slightly.share == 0.0


def test_a_region_brighter_than_the_bone_around_has_no_loss() -> None:
    """The bone around cannot be compared with a region that is brighter."""
    region = disk(SHAPE, (160, 120), 14)
    assert _loss(_taken(limb(lesion_radius=0), region, -0.2), region, _bone()) is None


def test_the_error_is_larger_where_the_bone_around_is_uneven() -> None:
    """The error is larger if the bone above the region is denser than the bone below it."""
    region = disk(SHAPE, (160, 120), 14)
    even = _taken(limb(lesion_radius=0), region, 0.5)
    uneven = even.copy()
    uneven[:146, 92:148] += 0.15

    errors = [_loss(film, region, _bone()) for film in (even, uneven)]

    assert errors[0] is not None
    assert errors[1] is not None
    assert errors[0].error < 0.05
    assert errors[1].error > 0.06


def test_a_share_that_could_be_any_is_not_given() -> None:
    """There is no result between bone of twice the density and bone as dark as the region."""
    region = disk(SHAPE, (160, 120), 14)
    film = _taken(limb(lesion_radius=0), region, 0.5)
    film[:160, 92:148] = film[160, 120]
    film[160:, 92:148] += 0.3
    film[region] = film[160, 120]
    assert _loss(film, region, _bone()) is None


def test_without_bone_around_nothing_is_said() -> None:
    """There is no result for a region that fills all of its bone."""
    region = disk(SHAPE, (160, 120), 14)
    assert _loss(limb(), region, region) is None


def test_without_soft_tissue_nothing_is_said() -> None:
    """There is no result if bone is everywhere or nowhere, or if nothing beside it is exposed."""
    region, bone = disk(SHAPE, (160, 120), 14), _bone()
    assert _loss(limb(), region, np.ones(SHAPE, bool)) is None
    assert _loss(limb(), region, np.zeros(SHAPE, bool)) is None
    assert _loss(limb(), region, bone, bone) is None


def test_bone_in_one_direction_alone_gives_no_loss() -> None:
    """If all bone around a region lies in one of four directions, no error can be estimated.

    With bone in the other direction too, the loss is known.
    """
    region = disk(SHAPE, (160, 120), 14)
    corner = region.copy()
    corner[162:200, 122:150] = True
    both = corner.copy()
    both[120:158, 90:118] = True
    film = np.where(both, 0.7, 0.3).astype(np.float32)
    film[region] = 0.5

    loss = _loss(film, region, both)

    assert _loss(film, region, corner) is None
    assert loss is not None
    assert loss.share == pytest.approx(0.5, abs=0.07)


def test_bone_that_hardly_adds_anything_cannot_be_divided_by() -> None:
    """There is no result if the bone's signal is too weak, or if more than all of it is lost."""
    region, bone = disk(SHAPE, (160, 120), 14), _bone()
    flat = np.full(SHAPE, 0.3, np.float32)
    flat[bone] = 0.38
    assert _loss(flat, region, bone) is None
    assert _loss(_taken(limb(lesion_radius=0), region, 1.5), region, bone) is None


def test_the_level_of_the_soft_tissue_is_carried_across_the_bone() -> None:
    """Between 0.3 on one side and 0.4 on the other, the level in the bone's middle is 0.35."""
    film = limb(lesion_radius=0)
    film[:, 156:210] += 0.1

    level = SoftTissue.of(film, _bone(), _body())

    assert level is not None
    across = level.at(np.array([160]), np.array([70, 120, 170]))[0]
    assert across == pytest.approx([0.3, 0.35, 0.4], abs=0.02)


def test_a_limb_that_thins_towards_its_skin_is_no_thinner_at_its_bone() -> None:
    """If soft tissue falls by 0.1 over 54 px beside the bone, its level at the bone is 0.3."""
    film = limb(lesion_radius=0)
    away = np.arange(1, 55)
    film[:, 83:29:-1] = film[:, 156:210] = np.float32(0.3) - 0.1 * away / 54

    level = SoftTissue.of(film, _bone(), _body())

    assert level is not None
    assert level.at(np.array([160]), np.array([120]))[0, 0] == pytest.approx(0.3, abs=0.02)


def test_no_regions_have_no_losses() -> None:
    """Without regions, an empty tuple is returned."""
    film = limb()
    assert (
        bone_losses([], image=film, bone=_bone(), usable=_body(), bone_map=BoneMap.of(_bone()))
        == ()
    )
