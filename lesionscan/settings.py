"""Settings: every number that a user may tune, with its unit, range and reason.

Defaults are defined only here: functions take the numbers they need as required keyword-only
arguments. Lengths without a unit are shares of the film's long side, because films have 256 to
4000 pixels and mostly no usable spacing.
"""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from lesionscan.files import as_utf8, read_bounded

Polarity: TypeAlias = Literal["auto", "bone-bright", "bone-dark"]
Search: TypeAlias = Literal["full", "quick"]
Distance: TypeAlias = Annotated[float, Field(ge=0.005, le=10.0, allow_inf_nan=False)]
"""Pixel spacing in mm: 0.02 on dental sensors, and no radiograph is coarser than 10."""

_QUICK_LONG_SIDE_PX = 400
_MAX_FILE_BYTES = 20_000
"""Parsing dotted keys takes time that grows with the square of their length."""


class SettingsError(ValueError):
    """Invalid settings file; the message names the file, the entry and the remedy."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Part):
    """Limits on the files that are read; they do not change results."""

    max_megapixels: float = Field(
        default=50.0,
        gt=0,
        le=1000,
        description="Largest image, in megapixels; a 43 x 43 cm detector at 0.1 mm has 18. Larger"
        " images are refused before memory is allocated. Searching an image takes "
        "about 26 bytes per pixel.",
    )
    max_file_mb: float = Field(
        default=2000.0,
        gt=0,
        le=1_000_000,
        description="Largest file, in million bytes; 50 uncompressed images of 18 megapixels have"
        " 1,800. Larger files are refused before they are read.",
    )
    max_frames: int = Field(
        default=50,
        ge=1,
        le=10_000,
        description="Most images per file (frames of a DICOM file, pages of a TIFF); a file with "
        "more is a film run, not radiographs.",
    )


class ReadingSettings(_Part):
    """Settings of the reader."""

    polarity: Polarity = Field(
        default="auto",
        description="Whether bone is bright or dark as displayed; auto follows the file, and "
        "assumes bright bone if the file does not state it.",
    )
    spacing_mm: Distance | tuple[Distance, Distance] | None = Field(
        default=None,
        description="Pixel spacing (rows, columns) in mm, which replaces that of the files. A "
        "single number is the shorter side of pixels that are not square.",
    )
    keep_uids: bool = Field(
        default=False,
        description="Whether results contain the DICOM study, series and instance UIDs, which can"
        " identify a patient.",
    )


class SearchSettings(_Part):
    """Settings of the search."""

    search: Search = Field(
        default="full",
        description="full runs the network at every resolution of the scorer; quick runs it at "
        "the lowest only, takes about half the time, and misses more small lesions.",
    )
    working_long_side_px: int = Field(
        default=640,
        ge=128,
        le=2048,
        description="Long side of the search grid in pixels, at most 400 for a quick search; "
        "smaller images are not enlarged. On this grid, a lesion of 1 % of a film is "
        "6 pixels wide.",
    )
    dark_percent: float = Field(
        default=0.5,
        ge=0,
        lt=50,
        description="Percentile of the exposed field that becomes black (air).",
    )
    bright_percent: float = Field(
        default=99.7,
        gt=50,
        le=100,
        description="Percentile of the exposed field that becomes white (densest cortex); letters"
        " and metal are excluded first.",
    )
    least_bone_confidence: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="Images whose bone mask has a lower confidence are not assessed.",
    )
    smallest_radius: float = Field(
        default=0.006,
        gt=0,
        lt=0.5,
        description="Radius of the smallest region, as a share of the long side: 2.4 mm on a 40 "
        "cm film.",
    )
    largest_radius: float = Field(
        default=0.2,
        gt=0,
        le=0.5,
        description="Radius of the largest region, as a share of the long side: a lesion that "
        "fills the humerus on a shoulder film.",
    )
    scales: int = Field(
        default=11,
        ge=2,
        le=32,
        description="Number of sizes between the smallest and the largest.",
    )
    max_candidates: int = Field(
        default=50,
        ge=1,
        le=100,
        description="Most candidates listed per image, best first. More cost time, and no real "
        "lesion was found among the next fifty.",
    )


class OutputSettings(_Part):
    """Settings of the output; changing them needs no new search."""

    shown_score: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Candidates with at least this score are shown; the others are listed in the "
        "JSON only. Training sets the scale so that 0.5 shows at most half a candidate per film "
        "without lesions.",
    )
    overlay: bool = Field(
        default=True,
        description="Whether an overlay is written per film; without overlays, a scan takes a "
        "seventh less time and a quarter of the disk space.",
    )
    overlay_max_px: int = Field(
        default=1600,
        ge=256,
        le=8192,
        description="Long side of the largest overlay in pixels: 1600 fill a screen, and the "
        "overlay of a 4000 pixel film stays below about 2 MB.",
    )
    allow_burned_in: bool = Field(
        default=False,
        description="Whether pictures are written of films that declare burned-in identifying "
        "text.",
    )


class Settings(OutputSettings, SearchSettings, ReadingSettings, Limits):
    """All settings of a scan.

    Raises
    ------
    pydantic.ValidationError
        If a value is out of range or a name is unknown.
    """

    @model_validator(mode="after")
    def _check_radii(self) -> Self:
        if self.smallest_radius >= self.largest_radius:
            raise ValueError(
                f"smallest_radius must be less than largest_radius, got {self.smallest_radius} "
                f"and {self.largest_radius}"
            )
        return self

    @property
    def grid_long_side_px(self) -> int:
        """Largest long side of the search grid, in pixels; smaller films are not enlarged."""
        if self.search == "quick":
            return min(self.working_long_side_px, _QUICK_LONG_SIDE_PX)
        return self.working_long_side_px

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read settings from a TOML file whose keys are the names of the fields.

        Raises
        ------
        SettingsError
            If the file cannot be read, is not TOML, or holds an unknown name or invalid value.
        """
        try:
            entries = tomllib.loads(_text(read_bounded(path, max_bytes=_MAX_FILE_BYTES)))
        except OSError as error:
            raise SettingsError(
                f"settings file {path} cannot be read ({error.strerror}); check the path"
            ) from error
        except UnicodeError as error:
            raise SettingsError(
                f"settings file {path} is not UTF-8 text; save it as UTF-8"
            ) from error
        except (ValueError, RecursionError) as error:
            known = isinstance(error, tomllib.TOMLDecodeError)
            cause = error if known else "nested too deeply, or a number with too many digits"
            raise SettingsError(
                f"settings file {path} is not valid TOML ({cause}); write lines like "
                "'shown_score = 0.6'"
            ) from error
        try:
            return cls(**entries)
        except ValidationError as error:
            raise SettingsError(f"settings file {path}: {_explain(error.errors()[0])}") from error

    def to_toml(self) -> str:
        """Return TOML lines from which `from_file` reads the same settings.

        They hold `shown_score`, then every other setting that differs from its default.
        """
        default = type(self)()
        values = self.model_dump(mode="json")
        names = ["shown_score", *(name for name in values if name != "shown_score")]
        # JSON and TOML write these values alike; there is no null, as None is always the default
        return "".join(
            f"{name} = {json.dumps(values[name])}\n"
            for name in names
            if name == "shown_score" or getattr(self, name) != getattr(default, name)
        )

    def sha256(self) -> str:
        """Return the SHA-256 of the settings of reading and search, hexadecimal."""
        return self._hash_of(ReadingSettings, SearchSettings)

    def output_sha256(self) -> str:
        """Return the SHA-256 of the settings of the output, hexadecimal."""
        return self._hash_of(OutputSettings)

    def _hash_of(self, *parts: type[_Part]) -> str:
        names = {name for part in parts for name in part.model_fields}
        text = json.dumps(self.model_dump(mode="json", include=names), sort_keys=True)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _text(data: bytes) -> str:
    """Decode UTF-8, or the encoding of a byte order mark."""
    text = as_utf8(data).decode("utf-8")
    if "\0" in text:  # UTF-16 without a byte order mark
        raise UnicodeError("a null character")
    return text


def _explain(error: ErrorDetails) -> str:
    """Return a message about one invalid entry."""
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown setting {name}; known are {', '.join(sorted(Settings.model_fields))}"
    reason = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{name} {reason}, got {error['input']!r}" if name else reason
