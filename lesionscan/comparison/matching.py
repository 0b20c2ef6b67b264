"""Pair the candidates of two films by overlap.

Shown candidates count as lesions. A candidate that is only listed counts as the match of one that
is shown on the other film, so that a score just below the threshold makes no lesion new or gone.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

_MIN_IOU = 0.15
"""Minimum intersection over union of two shown candidates."""
_MIN_INSIDE = 0.6
"""Minimum share of a candidate inside another, to count as merged with it or split from it."""
_MIN_IOU_BELOW = 0.25
"""Minimum intersection over union if one of the two is not shown."""
_MIN_SCORE_BELOW = 0.4
"""Minimum score of that one, as a share of the other's: candidates are listed nearly everywhere."""


@dataclass(frozen=True, slots=True)
class Group:
    """Candidates of both films that are one lesion.

    Attributes
    ----------
    before, after
        Ids on the first and on the second film, the matched one first; one of the two may be empty.
    covered
        Whether another lesion covers their place on the other film.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    covered: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Overlaps:
    """Overlaps between the candidates of two films on one grid.

    Attributes
    ----------
    before, after
        int64 (n,) and (m,), areas indexed by id - 1, in pixels; 0 for unused ids.
    both
        int64 (n, m), areas of the intersections.
    """

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    both: NDArray[np.int64]

    @classmethod
    def of(cls, before: NDArray[Any], after: NDArray[Any]) -> "Overlaps":
        """Count pixels in two label images of the same shape."""
        n, m = int(before.max(initial=0)) + 1, int(after.max(initial=0)) + 1
        either = (before > 0) | (after > 0)
        first, second = before[either].astype(np.int64), after[either].astype(np.int64)
        table = np.bincount(first * m + second, minlength=n * m).reshape(n, m)
        return cls(table[1:].sum(axis=1), table[:, 1:].sum(axis=0), table[1:, 1:])

    def iou(self, one: int, other: int) -> float:
        """Return the intersection over union of two candidates, given by id."""
        if one > len(self.before) or other > len(self.after):
            return 0.0
        both = self.both[one - 1, other - 1]
        return float(both / max(self.before[one - 1] + self.after[other - 1] - both, 1))

    def inside(self, one: int, other: int, *, of_after: bool) -> float:
        """Return the intersection as a share of the first (or, with `of_after`, second) area."""
        if one > len(self.before) or other > len(self.after):
            return 0.0
        area = self.after[other - 1] if of_after else self.before[one - 1]
        return float(self.both[one - 1, other - 1] / max(area, 1))


def groups_of(
    overlaps: Overlaps,
    shown: tuple[Mapping[int, float], Mapping[int, float]],
    listed: tuple[Mapping[int, float], Mapping[int, float]],
) -> list[Group]:
    """Return the lesions that are shown on at least one of the films.

    Parameters
    ----------
    overlaps
        Overlaps of the candidates.
    shown, listed
        For each film, the scores by id of the shown candidates, and of those that are only listed.
    """
    pairs = _assigned(_ious(overlaps, shown[0], shown[1]), shown[0], shown[1], _MIN_IOU)
    merged: dict[int, list[int]] = {after: [before] for before, after in pairs}
    split: dict[int, list[int]] = {before: [after] for before, after in pairs}
    left_before = [one for one in shown[0] if one not in split]
    left_after = [one for one in shown[1] if one not in merged]
    joined_before, joined_after = set[int](), set[int]()
    for one in left_before:
        for other, parts in merged.items():
            if len(split[parts[0]]) == 1 and overlaps.inside(one, other, of_after=False) >= (
                _MIN_INSIDE
            ):
                parts.append(one)
                joined_before.add(one)
                break
    for other in left_after:
        for one, parts in split.items():
            if len(merged[parts[0]]) == 1 and overlaps.inside(one, other, of_after=True) >= (
                _MIN_INSIDE
            ):
                parts.append(other)
                joined_after.add(other)
                break
    groups = [Group(tuple(merged[after]), tuple(split[before])) for before, after in pairs]
    left_before = [one for one in left_before if one not in joined_before]
    left_after = [one for one in left_after if one not in joined_after]
    below = _looked_up(overlaps, {one: shown[0][one] for one in left_before}, listed[1])
    above = _looked_up(overlaps, listed[0], {one: shown[1][one] for one in left_after})
    groups += [Group((one,), (other,)) for one, other in (*below, *above)]
    groups += [Group((one,), ()) for one in left_before if one not in dict(below)]
    seen = {other for _, other in above}
    groups += [Group((), (other,)) for other in left_after if other not in seen]
    return groups


def _ious(overlaps: Overlaps, before: Iterable[int], after: Collection[int]) -> NDArray[np.float64]:
    """Return the table of intersection over union, float64 (before, after)."""
    return np.array([[overlaps.iou(one, other) for other in after] for one in before])


def _looked_up(
    overlaps: Overlaps, before: Mapping[int, float], after: Mapping[int, float]
) -> list[tuple[int, int]]:
    """Pair shown candidates of one film with listed ones of the other whose score is similar."""
    if not before or not after:
        return []
    table = _ious(overlaps, before, after)
    first, second = np.array([*before.values()])[:, None], np.array([*after.values()])[None]
    alike = np.minimum(first, second) >= _MIN_SCORE_BELOW * np.maximum(first, second)
    return _assigned(np.where(alike, table, 0.0), before, after, _MIN_IOU_BELOW)


def _assigned(
    table: NDArray[np.float64], before: Iterable[int], after: Iterable[int], least: float
) -> list[tuple[int, int]]:
    """Return the one-to-one pairs with the largest total overlap, each at least `least`."""
    if table.size == 0:
        return []
    first, second, kept = [*before], [*after], np.where(table >= least, table, 0.0)
    rows, columns = linear_sum_assignment(-kept)
    return [
        (first[row], second[column])
        for row, column in zip(rows, columns, strict=True)
        if kept[row, column] > 0
    ]
