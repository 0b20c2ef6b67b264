"""Candidates of two films that lie on each other -> which are the same lesion.

What is shown on a film counts as a lesion. What is listed below that score counts only as the other
film's view of one that is shown there, so that a score just below the limit on one date makes
nothing new or gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

_LEAST_IOU = 0.15
"""Least intersection over union of two outlines of one lesion."""
_LEAST_INSIDE = 0.6
"""Share of a lesion inside another one with which it merged, or of which it is a part."""
_LEAST_IOU_BELOW = 0.25
"""The same where one of the two is below the score of shown candidates."""


@dataclass(frozen=True, slots=True)
class Group:
    """Candidates of the two films that are one lesion: their ids, the largest first.

    Attributes
    ----------
    before, after
        Ids on the first and on the second film; one of the two may be empty.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """How candidates of two films overlap on one grid.

    Attributes
    ----------
    before, after
        int64 (n,), (m,), areas by id - 1, in pixels of the grid; 0 for an id without a pixel.
    both
        int64 (n, m), areas of intersections.
    """

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    both: NDArray[np.int64]

    @classmethod
    def of(cls, before: NDArray[Any], after: NDArray[Any]) -> "Overlaps":
        """Count the pixels of two label images of one shape."""
        n, m = int(before.max(initial=0)) + 1, int(after.max(initial=0)) + 1
        either = (before > 0) | (after > 0)
        first, second = before[either].astype(np.int64), after[either].astype(np.int64)
        table = np.bincount(first * m + second, minlength=n * m).reshape(n, m)
        return cls(table[1:].sum(axis=1), table[:, 1:].sum(axis=0), table[1:, 1:])

    def iou(self, one: int, other: int) -> float:
        """Return intersection over union of two candidates, by their ids."""
        if one > len(self.before) or other > len(self.after):
            return 0.0
        both = self.both[one - 1, other - 1]
        return float(both / max(self.before[one - 1] + self.after[other - 1] - both, 1))

    def inside(self, one: int, other: int, *, of_after: bool) -> float:
        """Return the share of the one (or of the other, of the second film) in both."""
        if one > len(self.before) or other > len(self.after):
            return 0.0
        area = self.after[other - 1] if of_after else self.before[one - 1]
        return float(self.both[one - 1, other - 1] / max(area, 1))


def groups_of(
    overlaps: Overlaps,
    shown: tuple[Sequence[int], Sequence[int]],
    listed: tuple[Sequence[int], Sequence[int]],
) -> list[Group]:
    """Return the lesions that are shown on at least one of the films.

    Parameters
    ----------
    overlaps
        How the candidates of the two films overlap.
    shown
        Ids of the candidates shown on the first and on the second film.
    listed
        Ids of the other ones that may be looked up on each.
    """
    pairs = _assigned(overlaps, shown[0], shown[1], least=_LEAST_IOU)
    merged: dict[int, list[int]] = {after: [before] for before, after in pairs}
    split: dict[int, list[int]] = {before: [after] for before, after in pairs}
    left_before = [one for one in shown[0] if one not in split]
    left_after = [one for one in shown[1] if one not in merged]
    joined_before, joined_after = set[int](), set[int]()
    for one in left_before:
        for other, parts in merged.items():
            if len(split[parts[0]]) == 1 and overlaps.inside(one, other, of_after=False) >= (
                _LEAST_INSIDE
            ):
                parts.append(one)
                joined_before.add(one)
                break
    for other in left_after:
        for one, parts in split.items():
            if len(merged[parts[0]]) == 1 and overlaps.inside(one, other, of_after=True) >= (
                _LEAST_INSIDE
            ):
                parts.append(other)
                joined_after.add(other)
                break
    groups = [Group(tuple(merged[after]), tuple(split[before])) for before, after in pairs]
    left_before = [one for one in left_before if one not in joined_before]
    left_after = [one for one in left_after if one not in joined_after]
    below = _assigned(overlaps, left_before, listed[1], least=_LEAST_IOU_BELOW)
    above = _assigned(overlaps, listed[0], left_after, least=_LEAST_IOU_BELOW)
    groups += [Group((one,), (other,)) for one, other in (*below, *above)]
    groups += [Group((one,), ()) for one in left_before if one not in dict(below)]
    seen = {other for _, other in above}
    groups += [Group((), (other,)) for other in left_after if other not in seen]
    return groups


def _assigned(
    overlaps: Overlaps, before: Sequence[int], after: Sequence[int], *, least: float
) -> list[tuple[int, int]]:
    """Return pairs, one to one, whose overlap is largest in sum and at least so large each."""
    if not before or not after:
        return []
    table = np.array([[overlaps.iou(one, other) for other in after] for one in before])
    table[table < least] = 0.0
    rows, columns = linear_sum_assignment(-table)
    return [
        (before[row], after[column])
        for row, column in zip(rows, columns, strict=True)
        if table[row, column] > 0
    ]
