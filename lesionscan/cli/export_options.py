"""Options for results in other formats."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from lesionscan.cli.terminal import RefusedError, one_line

if TYPE_CHECKING:
    from lesionscan.batch.exports import Export

ExportOption = Annotated[
    list[str] | None,
    typer.Option(
        "--export",
        metavar="FORMAT,...",
        help="Additional formats: parquet, coco, nrrd (3D Slicer), dicom-sr, dicom-seg. "
        "DICOM objects contain the patient's identity, which archives need.",
    ),
]


def chosen_exports(export: Sequence[str] | None) -> "frozenset[Export]":
    """Return the requested exports; refuse unknown ones.

    Parameters
    ----------
    export
        Names, possibly several in one text, separated by commas.
    """
    if not export:  # saves the import
        return frozenset()
    from lesionscan.batch.exports import Export

    names = [name.strip() for text in export for name in text.split(",")]
    known = [one.value for one in Export]
    for name in names:
        if name not in known:
            raise RefusedError(f"--export: {one_line(name)!r} is not one of {', '.join(known)}")
    return frozenset(map(Export, names))


def refuse_per_film_exports(exports: "frozenset[Export]") -> None:
    """Refuse exports with one file per film, for commands that do not read films."""
    from lesionscan.batch.exports import OF_FILMS

    for export in OF_FILMS:
        if export in exports:
            raise RefusedError(f"{export} is written per film: use it with scan")


def refuse_in_parts(exports: "frozenset[Export]") -> None:
    """Refuse exports with one file per run, for a part of a run."""
    from lesionscan.batch.exports import Export

    for export in (Export.PARQUET, Export.COCO):
        if export in exports:
            raise RefusedError(f"{export} is written for a whole run: use it with merge")
