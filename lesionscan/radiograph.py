"""The film in memory: pixels, spacing and acquisition, independent of the file format."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

FloatImage: TypeAlias = NDArray[np.float32]
BoolImage: TypeAlias = NDArray[np.bool_]
LabelImage: TypeAlias = NDArray[np.int32]
Fact: TypeAlias = str | int | float | bool
Plane: TypeAlias = Literal["patient", "detector", "film", "undetermined"]
Array = TypeVar("Array", bound=NDArray[np.generic])

MAX_SPACING_MM = 10.0
"""No radiograph has wider pixels; a larger value is an error in the file."""


def read_only(array: Array) -> Array:
    """Return a read-only view, for the arrays of frozen records."""
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning about one film."""

    code: Annotated[str, Field(description="Stable name, for programs.")]
    message: Annotated[
        str, Field(description="One sentence for people; never repeats text from the file.")
    ]


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distance between pixel centres, and the plane in which it was measured.

    Attributes
    ----------
    row_mm, column_mm
        Distance between the centres of neighbouring rows and of neighbouring columns, in mm.
    source
        Origin of the values: a DICOM keyword ("ImagerPixelSpacing"), "TIFF" or "user".
    plane
        Plane in which the spacing holds (PS3.3 10.7.1): in the patient (calibrated or corrected
        for magnification), at the detector, on the scanned film, or not stated.
    calibrated
        Whether the file states that the spacing was calibrated for magnification.

    Raises
    ------
    ValueError
        If a distance is not positive and finite, or exceeds `MAX_SPACING_MM`.
    """

    row_mm: float
    column_mm: float
    source: str
    plane: Plane
    calibrated: bool = False

    def __post_init__(self) -> None:
        for name, value in (("row_mm", self.row_mm), ("column_mm", self.column_mm)):
            if not (np.isfinite(value) and 0.0 < value <= MAX_SPACING_MM):
                raise ValueError(
                    f"{name} from {self.source} must be over 0 and at most {MAX_SPACING_MM} mm, "
                    f"got {value!r}"
                )


@dataclass(frozen=True, slots=True, eq=False)
class Radiograph:
    """One radiograph, ready for analysis.

    Grey values are independent of the file format: after the modality transform, bone bright, not
    clipped by a display window.

    Attributes
    ----------
    pixels
        float32 (rows, cols), finite; in the stored matrix, never flipped or rotated.
    valid
        bool (rows, cols); False where the file declares no image data (padding, shutter).
    spacing
        Pixel spacing, or None without a plausible one.
    pixel_aspect
        Height of a pixel / its width: that of the spacing, or as the file states it without one.
    photometric_interpretation
        As stored, e.g. "MONOCHROME1"; None if the file format does not state it.
    polarity
        Origin of the polarity: the file ("stated"), the user, or neither ("assumed").
    polarity_steps
        How the polarity was determined: one clause per step, in the order of the display pipeline.
    acquisition
        Values of an allow-list of tags, by DICOM keyword in snake_case ("body_part_examined").
    notices
        Warnings of the reader.
    frame, frames
        Number of this image in its file, from 1 on, and the number of images in the file.

    Raises
    ------
    ValueError
        If the arrays are not two-dimensional, differ in shape, are empty or are not finite, or the
        aspect is not positive and finite.
    """

    pixels: FloatImage
    valid: BoolImage
    spacing: Spacing | None = None
    pixel_aspect: float = 1.0
    photometric_interpretation: str | None = None
    polarity: Literal["stated", "assumed", "user"] = "stated"
    polarity_steps: tuple[str, ...] = ()
    acquisition: Mapping[str, Fact] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    frame: int = 1
    frames: int = 1

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.size == 0:
            raise ValueError(
                f"pixels must be a non-empty (rows, cols) array, got {self.pixels.shape}"
            )
        if self.pixels.dtype != np.float32:
            raise ValueError(f"pixels must be float32, got {self.pixels.dtype}")
        if self.valid.dtype != np.bool_ or self.valid.shape != self.pixels.shape:
            raise ValueError(
                f"valid must be bool of shape {self.pixels.shape}, "
                f"got {self.valid.dtype} of shape {self.valid.shape}"
            )
        if not np.isfinite(self.pixels).all():
            raise ValueError("pixels must be finite")
        if not (np.isfinite(self.pixel_aspect) and self.pixel_aspect > 0):
            raise ValueError(f"pixel_aspect must be over 0 and finite, got {self.pixel_aspect!r}")
        if not 1 <= self.frame <= self.frames:
            raise ValueError(f"frame must be 1 to {self.frames}, got {self.frame}")
        object.__setattr__(self, "pixels", read_only(self.pixels))
        object.__setattr__(self, "valid", read_only(self.valid))
        object.__setattr__(self, "acquisition", MappingProxyType(dict(self.acquisition)))

    def __reduce__(self) -> tuple[type["Radiograph"], tuple[object, ...]]:
        """Support pickling, which a read-only mapping does not."""
        values = (getattr(self, one.name) for one in fields(self))
        return Radiograph, tuple(
            dict(value) if isinstance(value, MappingProxyType) else value for value in values
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the stored matrix."""
        rows, cols = self.pixels.shape
        return rows, cols
