"""Matching of candidates on two films, with label images made by hand."""

import numpy as np
from numpy.typing import NDArray

from lesionscan.comparison.matching import Group, Overlaps, groups_of

Boxes = dict[int, tuple[int, int]]


def labels(boxes: Boxes) -> NDArray[np.uint16]:
    """Return a label image of one row, with candidates in the given (start, end) columns."""
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
    """Boxes of 10 and 20 pixels have 5 in common, and an unknown id has no overlap."""
    overlaps = Overlaps.of(labels({1: (0, 10)}), labels({2: (5, 25)}))
    assert overlaps.iou(1, 2) == 5 / 25
    assert overlaps.inside(1, 2, of_after=False) == 0.5
    assert overlaps.inside(1, 2, of_after=True) == 0.25
    assert overlaps.iou(1, 7) == overlaps.inside(7, 2, of_after=False) == 0.0


def test_one_and_the_same() -> None:
    """Overlapping candidates are matched, whatever their ids."""
    assert set(groups({1: (0, 10), 2: (50, 70)}, {1: (52, 70), 2: (1, 12)})) == {
        Group((1,), (2,)),
        Group((2,), (1,)),
    }


def test_new_and_gone() -> None:
    """A candidate without a match is a lesion of its own."""
    assert set(groups({1: (0, 10)}, {1: (50, 60)})) == {Group((1,), ()), Group((), (1,))}
    assert groups({}, {}) == []


def test_two_merge_into_one() -> None:
    """Two candidates that lie inside one of the other film are merged, the larger one first."""
    assert groups({1: (0, 10), 2: (12, 30)}, {1: (0, 30)}) == [Group((2, 1), (1,))]


def test_one_splits_into_two() -> None:
    """A candidate that contains two of the other film is split, the larger one first."""
    assert groups({1: (0, 30)}, {1: (0, 10), 2: (12, 30)}) == [Group((1,), (2, 1))]


def test_one_below_the_shown_score_is_looked_up() -> None:
    """A candidate below the shown score is matched, on either film, if its score is close."""
    assert groups({1: (0, 10)}, {1: (0, 11)}, ({}, {1: 0.45})) == [Group((1,), (1,))]
    assert groups({1: (0, 10)}, {1: (0, 11)}, ({1: 0.45}, {})) == [Group((1,), (1,))]


def test_one_far_below_is_none() -> None:
    """A candidate far below the shown score is not matched, as such ones are nearly everywhere."""
    assert groups({1: (0, 10)}, {1: (0, 11)}, ({}, {1: 0.2})) == [Group((1,), ())]


def test_one_below_beside_a_shown_one_is_passed_over() -> None:
    """A shown match takes precedence, and candidates that neither film shows are no lesion."""
    assert groups({1: (0, 10)}, {1: (0, 11), 2: (11, 14)}, ({}, {2: 0.4})) == [Group((1,), (1,))]
    assert groups({1: (0, 10)}, {1: (0, 10)}, ({1: 0.4}, {1: 0.4})) == []
