"""Which candidates of two films are one lesion, on label images whose answer is known by hand."""

import numpy as np
from numpy.typing import NDArray

from lesionscan.comparison.matching import Group, Overlaps, groups_of

Boxes = dict[int, tuple[int, int]]


def labels(boxes: Boxes) -> NDArray[np.uint16]:
    """Return a label image of one row whose candidates fill columns from, to."""
    image = np.zeros((1, 100), np.uint16)
    for number, (start, end) in boxes.items():
        image[0, start:end] = number
    return image


def groups(
    before: Boxes,
    after: Boxes,
    listed: tuple[dict[int, float], dict[int, float]] = ({}, {}),
) -> list[Group]:
    """Return the lesions; candidates that are not in `listed` are shown, with a score of 0.9."""
    shown = tuple(
        {number: 0.9 for number in boxes if number not in below}
        for boxes, below in zip((before, after), listed, strict=True)
    )
    return groups_of(Overlaps.of(labels(before), labels(after)), (shown[0], shown[1]), listed)


def test_overlaps_are_counted() -> None:
    """Two boxes of 10 and 20 pixels with 5 in common, and an id that has no pixel."""
    overlaps = Overlaps.of(labels({1: (0, 10)}), labels({2: (5, 25)}))
    assert overlaps.iou(1, 2) == 5 / 25
    assert overlaps.inside(1, 2, of_after=False) == 0.5
    assert overlaps.inside(1, 2, of_after=True) == 0.25
    assert overlaps.iou(1, 7) == overlaps.inside(7, 2, of_after=False) == 0.0


def test_one_and_the_same() -> None:
    """Each has its own partner, whatever their ids."""
    assert set(groups({1: (0, 10), 2: (50, 70)}, {1: (52, 70), 2: (1, 12)})) == {
        Group((1,), (2,)),
        Group((2,), (1,)),
    }


def test_new_and_gone() -> None:
    """What has no partner stands alone."""
    assert set(groups({1: (0, 10)}, {1: (50, 60)})) == {Group((1,), ()), Group((), (1,))}
    assert groups({}, {}) == []


def test_two_merge_into_one() -> None:
    """The larger is the partner, the other lies inside it as well."""
    assert groups({1: (0, 10), 2: (12, 30)}, {1: (0, 30)}) == [Group((2, 1), (1,))]


def test_one_splits_into_two() -> None:
    """The other way round."""
    assert groups({1: (0, 30)}, {1: (0, 10), 2: (12, 30)}) == [Group((1,), (2, 1))]


def test_one_below_the_shown_score_is_looked_up() -> None:
    """On either film, where its score is not far from the other's."""
    assert groups({1: (0, 10)}, {1: (0, 11)}, ({}, {1: 0.45})) == [Group((1,), (1,))]
    assert groups({1: (0, 10)}, {1: (0, 11)}, ({1: 0.45}, {})) == [Group((1,), (1,))]


def test_one_far_below_is_none() -> None:
    """Nearly everywhere something is listed with a low score."""
    assert groups({1: (0, 10)}, {1: (0, 11)}, ({}, {1: 0.2})) == [Group((1,), ())]


def test_one_below_beside_a_shown_one_is_passed_over() -> None:
    """A shown partner comes first; what is only listed on both films is no lesion."""
    assert groups({1: (0, 10)}, {1: (0, 11), 2: (11, 14)}, ({}, {2: 0.4})) == [Group((1,), (1,))]
    assert groups({1: (0, 10)}, {1: (0, 10)}, ({1: 0.4}, {1: 0.4})) == []
