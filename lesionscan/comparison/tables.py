"""Tables of a run: changes.csv with one row per lesion, pairs.csv with one row per pair.

index.html lists the pairs with links to their pages.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from lesionscan.comparison.job import ENDINGS
from lesionscan.comparison.page import frame_of_pairs, line_of_pair
from lesionscan.comparison.record import (
    ComparisonRecord,
    LesionChange,
    RegistrationRecord,
    parse_comparison,
)
from lesionscan.files import RECORD_BYTES, read_bounded
from lesionscan.results.csv_text import Cell, table_writer
from lesionscan.results.own_files import OwnFiles

CHANGES, PAIRS, INDEX = "changes.csv", "pairs.csv", "index.html"
_FIT = tuple(name for name in RegistrationRecord.model_fields if name != "matrix")
_PLACES = ("centroid_before_px", "centroid_after_px")
_LISTS = ("before_ids", "after_ids")
_CONTOURS = ("contour_before_px", "contour_after_px")


def change_columns() -> tuple[str, ...]:
    """Return the columns of the table of lesions: the pair, then the JSON fields but contours."""
    columns = ["name", "before", "after"]
    for name in LesionChange.model_fields:
        if name in _PLACES:
            stem = name.removesuffix("_px")
            columns += [f"{stem}_row_px", f"{stem}_column_px"]
        elif name not in _CONTOURS:
            columns.append(name)
    return tuple(columns)


def pair_columns() -> tuple[str, ...]:
    """Return the columns of the table of pairs."""
    return ("name", "before", "after", "status", "code", "message", "lesions", *_FIT)


def write_tables(own: OwnFiles, names: Iterable[str]) -> tuple[Path, Path, Path]:
    """Write both tables and the list of pairs from the JSON files.

    Parameters
    ----------
    own
        Writer of the output folder.
    names
        The pairs, in the order of the rows; pairs without a JSON file are skipped.

    Returns
    -------
    changes, pairs, index : Path
        Paths of the files.
    """
    changes, pairs, index = (own.out / name for name in (CHANGES, PAIRS, INDEX))
    start, end = frame_of_pairs()
    with (
        own.open_text(changes) as lesions,
        own.open_text(pairs) as all_pairs,
        own.open_text(index) as page,
    ):
        page.write(start)
        lesion_rows = table_writer(lesions, change_columns())
        pair_rows = table_writer(all_pairs, pair_columns())
        for name in names:
            record = _read(own.out / f"{name}{ENDINGS['record']}")
            if record is None:
                continue
            pair_rows.writerow(_pair_row(name, record))
            for lesion in record.lesions:
                lesion_rows.writerow([*_names(name, record), *_cells(lesion)])
            page.write(line_of_pair(name, f"{name}{ENDINGS['page']}", record))
        page.write(end)
    return changes, pairs, index


def _read(path: Path) -> ComparisonRecord | None:
    try:
        return parse_comparison(read_bounded(path, max_bytes=RECORD_BYTES))
    except OSError:
        return None


def _names(name: str, record: ComparisonRecord) -> list[Cell]:
    return [name, record.before.name, record.after.name]


def _pair_row(name: str, record: ComparisonRecord) -> list[Cell]:
    error, fit = record.error, record.registration
    reason: list[Cell] = [None, None] if error is None else [error.code, error.message]
    numbers: list[Cell] = [None if fit is None else getattr(fit, column) for column in _FIT]
    return [*_names(name, record), record.status, *reason, len(record.lesions), *numbers]


def _cells(lesion: LesionChange) -> Iterator[Cell]:
    for name in LesionChange.model_fields:
        value = getattr(lesion, name)
        if name in _PLACES:
            yield from value
        elif name in _LISTS:
            yield ";".join(map(str, value))
        elif name not in _CONTOURS:
            yield value
