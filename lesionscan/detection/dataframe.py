"""Candidates as a pandas DataFrame with the columns of candidates.csv."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from lesionscan.detection.measurements import MEASUREMENTS, PLACE_COLUMNS
from lesionscan.detection.place import LOCATION_COLUMNS
from lesionscan.detection.score import Candidate

if TYPE_CHECKING:
    from pandas import DataFrame


def candidates_frame(candidates: Sequence[Candidate]) -> "DataFrame":
    """Return a pandas DataFrame with one row per candidate.

    Raises
    ------
    ModuleNotFoundError
        If pandas is not installed; lesionscan needs it for nothing else.
    """
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "to_dataframe needs pandas; run: pip install pandas", name=error.name
        ) from error
    rows = [tuple(_cells(candidate)) for candidate in candidates]
    return pd.DataFrame(rows, columns=list(_columns()))


_LEADING = ("id", "score", "shown")


def _columns() -> Iterator[str]:
    yield from _LEADING
    yield from chain.from_iterable(PLACE_COLUMNS.values())
    yield from (*MEASUREMENTS, *LOCATION_COLUMNS, "flags", "reasons")


def _cells(candidate: Candidate) -> Iterator[Any]:
    """Yield the cells of a row, in the order of the columns."""
    region = candidate.region
    yield from (getattr(candidate, name) for name in _LEADING)
    for name, parts in PLACE_COLUMNS.items():
        yield from getattr(region, name) or (None,) * len(parts)
    yield from (getattr(region, name) for name in MEASUREMENTS)
    # the location may be None
    yield from (getattr(region.location, name, None) for name in LOCATION_COLUMNS.values())
    yield ";".join(region.flags)
    yield ";".join(f"{one.term}={one.effect:.6g}" for one in candidate.reasons)
