"""The records that every reader produces and every step takes.

A :class:`Radiograph` is one picture whose grey values mean the same whatever file it came from:
after the modality transform, bone bright, not clipped by any display window.
"""

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
"""A radiograph whose pixels are wider than this is not a radiograph; the tag is wrong."""


def read_only(array: Array) -> Array:
    """Return a view of `array` that cannot be written to (records are frozen, arrays included)."""
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a user should know about one picture: a stable code and one clear sentence.

    `message` never repeats text found in the file, since that may identify a patient.
    """

    code: Annotated[str, Field(description="Stable name, for programs.")]
    message: Annotated[
        str, Field(description="One sentence for people; never repeats text from the file.")
    ]


@dataclass(frozen=True, slots=True)
class Spacing:
    """Distance between pixel centres, and what that distance means.

    Attributes
    ----------
    row_mm, column_mm
        Distance between the centres of neighbouring rows and of neighbouring columns, in mm.
    source
        Where the numbers come from: a DICOM keyword ("ImagerPixelSpacing"), "TIFF" or "user".
    plane
        Where a millimetre is a millimetre (PS3.3 10.7.1): in the patient (calibrated or
        corrected for magnification), at the detector, on the scanned film, or not stated.
    calibrated
        Whether the file says that the spacing was calibrated for magnification.

    Raises
    ------
    ValueError
        When a distance is not a positive, finite, plausible number.
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

    Attributes
    ----------
    pixels
        float32 (rows, cols), finite, after the modality transform, bone bright, not clipped by a
        window; rows and columns are those of the stored matrix (never flipped or turned).
    valid
        bool (rows, cols); False where the file says that there is no image data (padding, shutter).
    spacing
        Pixel spacing, or None where the file does not give one that can be believed.
    pixel_aspect
        Height of a pixel over its width (distance of rows over distance of columns): that of the
        spacing, or what the file says of it where there is none.
    photometric_interpretation
        As stored, e.g. "MONOCHROME1"; None for a file format that does not say.
    polarity
        Who says which end of the scale is bright: the file ("stated"), the user, or nobody
        ("assumed").
    polarity_steps
        What was read and decided about bright and dark, one clause each, in the order in which a
        viewer goes.
    acquisition
        Facts from an allow-list, keyed by the DICOM keyword in snake_case ("body_part_examined").
    notices
        What a user should know about how the file was read.
    frame, frames
        Which of how many pictures in its file, from 1 on.

    Raises
    ------
    ValueError
        When the arrays are not two-dimensional, differ in shape, are empty or are not finite, or
        the aspect is no ratio.
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
        """Return how to rebuild it in another process: a read-only mapping cannot be sent."""
        values = (getattr(self, one.name) for one in fields(self))
        return Radiograph, tuple(
            dict(value) if isinstance(value, MappingProxyType) else value for value in values
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the stored matrix."""
        rows, cols = self.pixels.shape
        return rows, cols
