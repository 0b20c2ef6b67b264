"""Position of a film in ITK, and therefore in 3D Slicer; not used for measurements.

ITK chooses the spacing by the kind of object and never corrects it; the spacing for measurements is
chosen in `spacing.py`. Segmentations that are shown on the film in 3D Slicer need the position and
spacing of ITK.

References
----------
gdcm::ImageHelper (GetSpacingTagFromMediaStorage, GetSpacingValue), itk::GDCMImageIO,
itk::JPEGImageIO and itk::TIFFImageIO, as in SimpleITK 2.5 (`test_film_place.py`).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import JpegImagePlugin

from lesionscan.codes import ErrorCode
from lesionscan.files import open_ordinary
from lesionscan.reading.dicom_file import open_dicom
from lesionscan.reading.dicom_tags import Tags, silenced_pydicom
from lesionscan.reading.errors import UnreadableFileError
from lesionscan.reading.raster import silenced_decoders
from lesionscan.reading.sniff import HEAD_BYTES, file_format

Vector = tuple[float, float, float]

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_UNPLACED = frozenset(f"{_SECONDARY_CAPTURE}.{number}" for number in (1, 2, 3, 4))
"""Multi-frame secondary captures, for which ITK uses neither spacing nor position."""
_INFLATED_BYTES = 1 << 30
_MM_OF_UNIT = {2: 25.4, 3: 10.0}
"""TIFF's ResolutionUnit: inch, centimetre. JFIF counts from 1."""


@dataclass(frozen=True, slots=True)
class FilmPlace:
    """Position of the pixels of a film, in mm (left, posterior, superior).

    Attributes
    ----------
    origin
        Centre of the first pixel.
    along_row, along_column, between_slices
        Vectors from a pixel to its neighbours in the next column, row and frame.
    """

    origin: Vector = (0.0, 0.0, 0.0)
    along_row: Vector = (1.0, 0.0, 0.0)
    along_column: Vector = (0.0, 1.0, 0.0)
    between_slices: Vector = (0.0, 0.0, 1.0)

    @property
    def spacing(self) -> tuple[float, float]:
        """Spacing of rows and of columns."""
        return float(np.linalg.norm(self.along_column)), float(np.linalg.norm(self.along_row))


def film_place(path: Path, *, frame: int = 1) -> FilmPlace:
    """Return the position of a film in ITK.

    Parameters
    ----------
    path
        The film's file.
    frame
        Number of the frame, from 1.

    Raises
    ------
    UnreadableFileError
        If the file can no longer be read.
    """
    try:
        with open_ordinary(path) as stream:
            name = file_format(stream.read(HEAD_BYTES))
            stream.seek(0)
            if name == "dicom":
                return _of_dicom(stream, frame)
            with silenced_decoders():
                row_mm, column_mm = _of_raster(stream, name)
    except OSError:
        raise UnreadableFileError(
            ErrorCode.IO_ERROR, "the film cannot be read any more; scan it again"
        ) from None
    return _placed((row_mm, column_mm), frame=frame)


def _of_dicom(stream: BinaryIO, frame: int) -> FilmPlace:
    irregular: list[str] = []
    with silenced_pydicom(irregular):
        tags = open_dicom(stream, irregular, max_pixel_bytes=_INFLATED_BYTES).tags
        is_placed = tags.code("SOPClassUID") not in _UNPLACED
        position = (tags.numbers("ImagePositionPatient") or ()) if is_placed else ()
        orientation = tags.numbers("ImageOrientationPatient") or ()
        return _placed(
            _dicom_spacing(tags),
            frame=frame,
            slice_mm=(tags.number("SpacingBetweenSlices") if is_placed else None) or 1.0,
            position=position if len(position) == 3 else (0.0, 0.0, 0.0),
            orientation=orientation if len(orientation) == 6 else (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        )


def _dicom_spacing(tags: Tags) -> tuple[float, float]:
    """Return the spacing of rows and columns; ITK uses 1 mm if it is missing or 0."""
    kind = tags.code("SOPClassUID")
    if kind in _UNPLACED:
        return 1.0, 1.0
    keywords: tuple[str, ...] = ("ImagerPixelSpacing",)
    if kind == _SECONDARY_CAPTURE:
        keywords = ("PixelSpacing", "NominalScannedPixelSpacing")
    found = next(filter(None, map(tags.numbers, keywords)), (1.0, 1.0))
    row_mm, column_mm = (*found, *found)[:2]
    return row_mm or 1.0, column_mm or 1.0


def _placed(
    spacing: tuple[float, float],
    *,
    frame: int,
    slice_mm: float = 1.0,
    position: tuple[float, ...] = (0.0, 0.0, 0.0),
    orientation: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
) -> FilmPlace:
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    between = np.cross(row, column) * slice_mm
    return FilmPlace(
        origin=_vector(np.array(position) + (frame - 1) * between),
        along_row=_vector(row * spacing[1]),
        along_column=_vector(column * spacing[0]),
        between_slices=_vector(between),
    )


def _vector(values: NDArray[np.float64]) -> Vector:
    first, second, third = (float(value) + 0.0 for value in values)  # no negative zero
    return first, second, third


def _of_raster(stream: BinaryIO, name: str | None) -> tuple[float, float]:
    """Return the spacing from the print resolution; ITK does not use that of PNG."""
    try:
        if name == "jpeg":
            about = JpegImagePlugin.JpegImageFile(stream).info
            across, down = about.get("jfif_density", (0, 0))
            return _of_resolution(across, down, about.get("jfif_unit", 0) + 1)
        if name == "tiff":
            tags = tifffile.TiffFile(stream).pages.first.tags
            across, down = (_ratio(tags.valueof(code)) for code in (282, 283))
            return _of_resolution(across, down, int(tags.valueof(296, default=1)))
    except (SyntaxError, ValueError, TypeError, LookupError, tifffile.TiffFileError):
        pass  # ITK does not open it either, such as a 12-bit JPEG
    return 1.0, 1.0


def _ratio(value: object) -> float:
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return 0.0
    return float(value[0] / value[1])


def _of_resolution(across: float, down: float, unit: int) -> tuple[float, float]:
    millimetres = _MM_OF_UNIT.get(unit)
    if millimetres is None or across <= 0 or down <= 0:
        return 1.0, 1.0
    return millimetres / down, millimetres / across
