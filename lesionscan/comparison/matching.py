"""Candidates of two films that lie on each other -> which are the same lesion.

What is shown on a film counts as a lesion. What is listed below that score counts only as the other
film's view of one that is shown there, so that a score just below the limit on one date makes
nothing new or gone.
"""

from collections.abc import Collection, Iterable, Mapping
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
"""Least intersection over union where one of the two is below the score of shown candidates."""
_LEAST_SCORE_BELOW = 0.4
"""Least score of that one, as a share of the other's: nearly everywhere something is listed."""


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
    shown: tuple[Mapping[int, float], Mapping[int, float]],
    listed: tuple[Mapping[int, float], Mapping[int, float]],
) -> list[Group]:
    """Return the lesions that are shown on at least one of the films.

    Parameters
    ----------
    overlaps
        How the candidates of the two films overlap.
    shown, listed
        Scores by id of the candidates shown on the first and on the second film, and of the other
        listed ones.
    """
    pairs = _assigned(_ious(overlaps, shown[0], shown[1]), shown[0], shown[1], _LEAST_IOU)
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
    below = _looked_up(overlaps, {one: shown[0][one] for one in left_before}, listed[1])
    above = _looked_up(overlaps, listed[0], {one: shown[1][one] for one in left_after})
    groups += [Group((one,), (other,)) for one, other in (*below, *above)]
    groups += [Group((one,), ()) for one in left_before if one not in dict(below)]
    seen = {other for _, other in above}
    groups += [Group((), (other,)) for other in left_after if other not in seen]
    return groups


def _ious(overlaps: Overlaps, before: Iterable[int], after: Collection[int]) -> NDArray[np.float64]:
    """Return intersection over union of candidates, float64 (before, after)."""
    return np.array([[overlaps.iou(one, other) for other in after] for one in before])


def _looked_up(
    overlaps: Overlaps, before: Mapping[int, float], after: Mapping[int, float]
) -> list[tuple[int, int]]:
    """Return pairs of which one is shown, and the other listed with a score not far from it."""
    if not before or not after:
        return []
    table = _ious(overlaps, before, after)
    first, second = np.array([*before.values()])[:, None], np.array([*after.values()])[None]
    alike = np.minimum(first, second) >= _LEAST_SCORE_BELOW * np.maximum(first, second)
    return _assigned(np.where(alike, table, 0.0), before, after, _LEAST_IOU_BELOW)


def _assigned(
    table: NDArray[np.float64], before: Iterable[int], after: Iterable[int], least: float
) -> list[tuple[int, int]]:
    """Return pairs, one to one, whose overlap is largest in sum and at least so large each."""
    if table.size == 0:
        return []
    first, second, kept = [*before], [*after], np.where(table >= least, table, 0.0)
    rows, columns = linear_sum_assignment(-kept)
    return [
        (first[row], second[column])
        for row, column in zip(rows, columns, strict=True)
        if kept[row, column] > 0
    ]
