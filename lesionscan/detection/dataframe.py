"""Candidates -> one row each, with the columns of candidates.csv, for those who work in pandas."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from lesionscan.detection.measure import Region
from lesionscan.detection.score import Candidate

if TYPE_CHECKING:
    from pandas import DataFrame

_PARTS = {
    "centroid_px": ("centroid_row_px", "centroid_column_px"),
    "centroid_mm": ("centroid_row_mm", "centroid_column_mm"),
    "bbox_px": (
        "bbox_first_row_px",
        "bbox_first_column_px",
        "bbox_end_row_px",
        "bbox_end_column_px",
    ),
}
_LEFT_OUT = {"label", "contour_px", "location", "flags"}


def candidates_frame(candidates: Sequence[Candidate]) -> "DataFrame":
    """Return a pandas DataFrame with a row a candidate.

    Parameters
    ----------
    candidates
        Best first.

    Raises
    ------
    ModuleNotFoundError
        When pandas is not installed; lesionscan needs it for nothing else.
    """
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "to_dataframe needs pandas; run: pip install pandas", name=error.name
        ) from error
    rows = [dict(_cells(candidate)) for candidate in candidates]
    return pd.DataFrame(rows, columns=list(_columns()))


def _columns() -> Iterator[str]:
    yield from ("id", "score", "shown")
    for part in fields(Region):
        if part.name not in _LEFT_OUT:
            yield from _PARTS.get(part.name, (part.name,))
    yield from ("mirels_width_band", "bone_id", "along_bone", "across_bone", "flags", "reasons")


def _cells(candidate: Candidate) -> Iterator[tuple[str, Any]]:
    region, location = candidate.region, candidate.region.location
    yield from (("id", candidate.id), ("score", candidate.score), ("shown", candidate.shown))
    for part in fields(Region):
        value = getattr(region, part.name)
        if part.name in _PARTS:
            names = _PARTS[part.name]
            yield from zip(names, value or (None,) * len(names), strict=True)
        elif part.name not in _LEFT_OUT:
            yield part.name, value
    yield "mirels_width_band", region.mirels_width_band
    for name in ("bone_id", "along_bone", "across_bone"):
        yield name, None if location is None else getattr(location, name)
    yield "flags", ";".join(region.flags)
    yield "reasons", ";".join(f"{one.term}={one.effect:.6g}" for one in candidate.reasons)
