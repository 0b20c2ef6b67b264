"""Check for packages that only some options need, after all other checks."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from lesionscan.cli.terminal import RefusedError

if TYPE_CHECKING:
    from lesionscan.batch.exports import Export

EXTRAS = {"pyarrow": "parquet", "highdicom": "dicom", "distributed": "dask"}
"""Packages, and the extras of lesionscan that install them."""


def require_for(exports: "frozenset[Export]", *, dask: bool = False) -> None:
    """Refuse a command whose options need packages that are not installed.

    Parameters
    ----------
    exports
        Additional formats to write.
    dask
        Whether a Dask cluster is used.

    Raises
    ------
    RefusedError
        If a package is missing; the message says how to install it.
    """
    needed = ["distributed"] if dask else []
    if exports:  # saves the import
        from lesionscan.batch.exports import Export

        if Export.PARQUET in exports:
            needed.append("pyarrow")
        if exports & {Export.DICOM_SR, Export.DICOM_SEG}:
            needed.append("highdicom")
    for package in needed:
        if find_spec(package) is None:
            raise RefusedError(
                f"{package} is not installed; run: pip install 'lesionscan[{EXTRAS[package]}]'"
            )
