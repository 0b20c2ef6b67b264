"""Training views vary like real films, and their targets stay correct."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_cdt

from lesionscan.training import views
from lesionscan.training.films import BoneOutline
from lesionscan.training.views import View, random_view
from tests.training.made import made_film

SIDE = 96
Arrays = tuple[NDArray[np.float32], NDArray[np.float32]]


def view_of(seed: int, bone_outline: BoneOutline = "whole") -> Arrays:
    """Return a view of the synthetic film."""
    film = made_film(bone_outline=bone_outline)
    return random_view(film, np.random.default_rng(seed), side_px=SIDE)


def plain_view(value: float = 0.5) -> View:
    """Return a uniform grey view whose left half is bone, with all other targets 1."""
    ones = np.ones((SIDE, SIDE), np.float32)
    bone = ones.copy()
    bone[:, SIDE // 2 :] = 0
    return View(
        image=value * ones, lesion=ones.copy(), faint=ones.copy(), bone=bone,
        known=ones.copy(), inside=ones,
    )  # fmt: skip


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), bone_outline=st.sampled_from(["whole", "near", "none"]))
def test_a_view_is_what_the_network_takes(seed: int, bone_outline: BoneOutline) -> None:
    """Pixels are finite, targets are from 0 to 1, and lesions lie within outlined bone."""
    shown, targets = view_of(seed, bone_outline)
    assert shown.shape == (3, SIDE, SIDE)
    assert targets.shape == (4, SIDE, SIDE)
    assert shown.dtype == targets.dtype == np.float32
    assert np.isfinite(shown).all()
    assert (targets >= 0).all()
    assert (targets <= 1 + 1e-5).all()
    lesion, faint, bone, _ = targets
    assert (lesion + faint <= 1 + 1e-5).all()
    if bone_outline != "none":
        assert (lesion + faint <= bone + 1e-5).all()


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_the_generator_decides_everything(seed: int) -> None:
    """Generators with the same seed give the same bytes, and another seed gives others."""
    one, other = view_of(seed), view_of(seed)
    assert one[0].tobytes() == other[0].tobytes()
    assert one[1].tobytes() == other[1].tobytes()
    assert view_of(seed + 1)[0].tobytes() != one[0].tobytes()


def test_a_lesion_stays_in_view() -> None:
    """At least 90 of 100 views of a film with a lesion show a good part of it.

    Some close views show none, as most of what is searched contains no lesion.
    """
    shown = [view_of(seed)[1][0] for seed in range(100)]
    assert sum(lesion.sum() > 40 for lesion in shown) >= 90


@pytest.mark.parametrize(("bone_outline", "share"), [("none", 0.0), ("whole", 1.0)])
def test_bone_is_known_where_it_was_outlined(bone_outline: BoneOutline, share: float) -> None:
    """Bone is known nowhere without an outline, and everywhere with a whole one."""
    for seed in range(20):
        assert (view_of(seed, bone_outline)[1][3] == share).all()


def test_near_one_outlined_bone_the_mask_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the outline "near", bone is known in the outlined bone and 4 pixels around it only."""
    monkeypatch.setattr(views, "_add_frame", lambda *_: None)  # it would remove bone
    partly = 0
    for seed in range(20):
        _, _, bone, known = view_of(seed, "near")[1]
        away = distance_transform_cdt(bone <= 0.5, "chessboard")
        np.testing.assert_array_equal(known, away <= 4)
        assert known.any()
        partly += not known.all()  # a close view may show only the bone
    assert partly >= 10


def test_decoys_never_touch_bone() -> None:
    """Decoys change soft tissue, but not bone more than 5 px from its edge, nor the targets."""
    for seed in range(20):
        view = plain_view()
        views._add_decoys(view, np.random.default_rng(seed))
        changed = np.abs(view.image - 0.5)
        assert changed[:, : SIDE // 2 - 5].max() == 0
        assert changed[:, SIDE // 2 :].max() > 0.005
        assert (view.lesion == 1).all()


def test_all_bone_leaves_no_place_for_decoys() -> None:
    """A view that is all bone gets no decoys."""
    view = plain_view()
    view.bone[:] = 1
    views._add_decoys(view, np.random.default_rng(0))
    assert (view.image == 0.5).all()


def test_decoys_need_all_bones_outlined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoys are drawn in about a third of the views, and only if all bone is known."""
    drawn: list[str] = []
    monkeypatch.setattr(views, "_add_decoys", lambda view, rng: drawn.append("one"))  # noqa: ARG005
    expected: list[tuple[BoneOutline, int, int]] = [
        ("near", 0, 0), ("none", 0, 0), ("whole", 20, 50),
    ]  # fmt: skip
    for outline, least, most in expected:
        drawn.clear()
        for seed in range(100):
            view_of(seed, outline)
        assert least <= len(drawn) <= most, outline


def test_a_frame_blanks_what_it_covers() -> None:
    """Lesions and bone are removed from the targets under a frame, and nowhere else."""
    framed = 0
    for seed in range(20):
        view = plain_view()
        views._add_frame(view, np.random.default_rng(seed))
        covered = view.image != 0.5
        framed += bool(covered.any())
        for target in (view.lesion, view.faint):
            np.testing.assert_array_equal(target, np.where(covered, 0, 1))
        assert (view.bone[covered] == 0).all()
    assert framed >= 15


def test_letters_and_compression_keep_the_targets() -> None:
    """Letters and JPEG compression change the picture but not the targets."""
    view = plain_view()
    views._add_letters(view, np.random.default_rng(0))
    assert (view.image != 0.5).any()
    before = view.image.copy()
    views._compress(view, np.random.default_rng(0))
    assert 0 < np.abs(view.image - before).mean() < 0.05
    assert (view.lesion == 1).all()
