"""Make many different films fast: copies of a few phantoms that differ in one pixel."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from lesionscan.simulation.dicom_file import write_dicom
from lesionscan.simulation.phantom import BODY_PARTS, make_phantom


def copies_of(different: int, *, long_side_px: int) -> Callable[[int], bytes]:
    """Make phantoms; return a function from a number to the bytes of a unique DICOM file.

    Parameters
    ----------
    different
        Number of phantoms, of all body parts in turn; every third has no lesion.
    long_side_px
        Their long side.
    """
    parts = sorted(BODY_PARTS)
    sources = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "phantom"
        for number in range(different):
            part = parts[number % len(parts)]
            write_dicom(
                path, make_phantom(part, number, lesions=number % 3, long_side_px=long_side_px)
            )
            sources.append(path.read_bytes())

    def copy(number: int) -> bytes:
        film = bytearray(sources[number % different])
        film[-8:] = number.to_bytes(8)  # the last pixels, in a corner
        return bytes(film)

    return copy
