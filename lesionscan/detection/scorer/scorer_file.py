"""Read and write scorer files: a zip of `network.onnx` and `scorer.json` (format 2).

Sizes are checked before anything is unpacked, and the network before it is loaded. Even so, load
scorers only from people you trust: a network is a program, and takes memory and time.
"""

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeAlias

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from lesionscan.detection.scorer.errors import ScorerError
from lesionscan.detection.scorer.network import Network
from lesionscan.detection.scorer.preprocessing import Preprocessing
from lesionscan.detection.scorer.terms import TERM_BY_NAME
from lesionscan.files import parse_json, read_bounded

FORMAT: Final = 2
NETWORK_NAME, CARD_NAME = "network.onnx", "scorer.json"

_SHIPPED = Path(__file__).with_name("lesionscan.scorer")
_MAX_NETWORK_BYTES, _MAX_CARD_BYTES = 64_000_000, 1_000_000
_MAX_FILE_BYTES = _MAX_NETWORK_BYTES + _MAX_CARD_BYTES
"""Larger members are refused before they are unpacked; the shipped network has 5 MB."""
_ZIP_ENTRY, _MAX_ENTRIES = b"PK\1\2", 100
"""Signature of an entry in a zip archive's directory (APPNOTE 4.3.12), and the most allowed;
weights may contain it by chance."""
_REMEDY = "make it with lesionscan train"
_BROKEN_ZIP = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(NotImplementedError, RuntimeError, OSError, ValueError),
)
"""Errors that the standard library raises for damaged archives in memory."""

LogOdds: TypeAlias = Annotated[float, Field(ge=-1e3, le=1e3)]
"""At the limits, a score is exactly 0 or 1."""
AboutFact: TypeAlias = str | int | float | tuple[str | int | float, ...]


class _Checked(BaseModel):
    """Base of the parts of `scorer.json`: frozen, strict, no unknown keys, finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class TermEffect(_Checked):
    """Effect of a term on the score: a table, linear between its points and flat outside them.

    Attributes
    ----------
    name
        One of `lesionscan.detection.scorer.terms.TERMS`.
    at
        Values of the term, strictly ascending, at least one.
    effect
        Log-odds added at each value, relative to the term's mean effect in training.

    Raises
    ------
    pydantic.ValidationError
        If the name is unknown or the table is invalid.
    """

    name: str
    at: Annotated[tuple[float, ...], Field(min_length=1)]
    effect: tuple[LogOdds, ...]

    @field_validator("name")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in TERM_BY_NAME:
            raise ValueError(f"is not a term; known are {', '.join(sorted(TERM_BY_NAME))}")
        return name

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        if len(self.at) != len(self.effect):
            raise ValueError(
                f"{self.name}: at has {len(self.at)} numbers and effect {len(self.effect)}"
            )
        if any(one >= other for one, other in pairwise(self.at)):
            raise ValueError(f"{self.name}: at must be strictly ascending")
        return self

    def of(self, value: float) -> float:
        """Return the log-odds for a value of the term."""
        return float(np.interp(value, self.at, self.effect))


class ScorerCard(_Checked):
    """Content of `scorer.json`: a scorer without its network.

    Attributes
    ----------
    format
        Version of the file format.
    name
        Name of the scorer.
    preprocessing
        Parameters of the network's input.
    look_long_sides_px
        Long sides of a film at the resolutions to use, in pixels, ascending.
    offset
        Log-odds added to the effects of the terms.
    terms
        The terms, each at most once.
    about
        Notes on how it was made, for people.

    Raises
    ------
    pydantic.ValidationError
        If a value is out of range.
    """

    format: Literal[2] = FORMAT
    name: str
    preprocessing: Preprocessing = Preprocessing()
    look_long_sides_px: Annotated[
        tuple[Annotated[int, Field(ge=32, le=2048)], ...], Field(min_length=1, max_length=4)
    ]
    offset: LogOdds
    terms: tuple[TermEffect, ...]
    about: dict[str, AboutFact]

    @field_validator("look_long_sides_px")
    @classmethod
    def _rise(cls, sides: tuple[int, ...]) -> tuple[int, ...]:
        if any(one >= other for one, other in pairwise(sides)):
            raise ValueError("must be strictly ascending")
        return sides

    @model_validator(mode="after")
    def _names_each_term_once(self) -> Self:
        names = [term.name for term in self.terms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"terms has {', '.join(twice)} more than once")
        return self


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """A network and the terms of the score.

    Attributes
    ----------
    name
        Name of the scorer.
    network
        Computes the lucency and bone maps of a film.
    offset
        Log-odds added to the effects of the terms.
    terms
        The terms with their effects.
    about
        Notes on how it was made, for people.
    sha256
        SHA-256 of the file, hexadecimal; results record it.
    """

    name: str
    network: Network
    offset: float
    terms: tuple[TermEffect, ...]
    about: Mapping[str, AboutFact]
    sha256: str

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a scorer file.

        Raises
        ------
        ScorerError
            If the file cannot be read, or is not a scorer for this version.
        """
        source = f"scorer file {path}"
        try:
            data = read_bounded(path, max_bytes=_MAX_FILE_BYTES)
        except OSError as error:
            raise ScorerError(
                f"{source} cannot be read ({error.strerror}); check the path"
            ) from error
        return cls.from_bytes(data, source=source)

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = "scorer") -> Self:
        """Create a scorer from the bytes of a file.

        Parameters
        ----------
        data
            The bytes.
        source
            Name of the file in error messages.

        Raises
        ------
        ScorerError
            If they are not a scorer for this version.
        """
        if data.count(_ZIP_ENTRY) > _MAX_ENTRIES:  # opening the archive reads all entries
            raise ScorerError(f"{source} contains more files than a scorer; {_REMEDY}")
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                _check_members(archive, source)
                onnx, text = (_unpacked(archive, name) for name in (NETWORK_NAME, CARD_NAME))
        except ScorerError:
            raise
        except _BROKEN_ZIP as error:
            raise ScorerError(f"{source} is not a zip archive or is damaged; {_REMEDY}") from error
        card = _card(text, source)
        try:
            network = Network(onnx, card.preprocessing, card.look_long_sides_px)
        except ValueError as error:
            raise ScorerError(f"{source}: {NETWORK_NAME} {error}; {_REMEDY}") from error
        return cls(
            name=card.name,
            network=network,
            offset=card.offset,
            terms=card.terms,
            about=card.about,
            sha256=hashlib.sha256(data).hexdigest(),
        )


def write_scorer(onnx: bytes, card: ScorerCard) -> bytes:
    """Return the bytes of a scorer file; the same arguments give the same bytes.

    Parameters
    ----------
    onnx
        Bytes of the network, as `Network` takes them.
    card
        Content of `scorer.json`.
    """
    text = json.dumps(card.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    buffer = io.BytesIO()
    # stored, because other versions of zlib give other bytes, and weights hardly shrink
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in ((NETWORK_NAME, onnx), (CARD_NAME, (text + "\n").encode("utf-8"))):
            member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3  # the same on every system
            member.external_attr = 0o644 << 16
            archive.writestr(member, data)
    return buffer.getvalue()


@cache
def load_scorer(path: Path | None) -> Scorer:
    """Return the scorer of a file, or the shipped one if None; cached per process.

    Raises
    ------
    ScorerError
        As `Scorer.from_file`.
    """
    return Scorer.from_file(_SHIPPED if path is None else path)


def shipped_scorer() -> Scorer:
    """Return the scorer shipped with lesionscan."""
    return load_scorer(None)


def _check_members(archive: zipfile.ZipFile, source: str) -> None:
    """Refuse an archive with other files, or with files that are too large or encrypted."""
    members = archive.infolist()
    names = sorted(member.filename for member in members)
    if names != [NETWORK_NAME, CARD_NAME]:
        found = ", ".join(repr(name[:40]) for name in names[:4]) or "nothing"
        raise ScorerError(
            f"{source} must contain {NETWORK_NAME} and {CARD_NAME}, but has {found}; {_REMEDY}"
        )
    for member in members:
        most = _most_bytes(member.filename)
        if member.file_size > most:
            raise ScorerError(
                f"{source}: {member.filename} is larger than {most / 1e6:g} MB; {_REMEDY}"
            )
        packed_plainly = member.compress_type in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
        if not packed_plainly or member.flag_bits & 1:  # bit 0: encrypted (APPNOTE 4.4.4)
            raise ScorerError(
                f"{source}: {member.filename} must be stored or deflated, not encrypted; {_REMEDY}"
            )


def _unpacked(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return the bytes of a member, whose size has been checked."""
    with archive.open(name) as stream:
        return stream.read(_most_bytes(name))


def _most_bytes(name: str) -> int:
    return _MAX_CARD_BYTES if name == CARD_NAME else _MAX_NETWORK_BYTES


def _card(text: bytes, source: str) -> ScorerCard:
    """Read `scorer.json`."""
    try:
        entries = parse_json(text)
    except ValueError as error:
        raise ScorerError(f"{source}: {CARD_NAME} is not valid JSON; {_REMEDY}") from error
    version = entries.get("format") if isinstance(entries, dict) else None
    if version != FORMAT:  # checked first, because the entries depend on it
        raise ScorerError(
            f"{source}: {CARD_NAME} has format {version!r}, but this version reads {FORMAT}; "
            "use a scorer made for this version"
        )
    try:
        return ScorerCard.model_validate_json(text)
    except ValidationError as error:
        reason = _explain(error.errors()[0])
        raise ScorerError(f"{source}: {CARD_NAME}: {reason}; {_REMEDY}") from error


def _explain(error: ErrorDetails) -> str:
    """Return a message about one invalid entry."""
    name = ".".join(str(part) for part in error["loc"])
    reason = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if error["type"] in {"missing", "extra_forbidden"}:
        return f"{name}: {reason.lower()}"
    shown = f", got {str(error['input'])[:80]!r}" if name and not name.startswith("about") else ""
    return f"{name} {reason}{shown}" if name else reason
