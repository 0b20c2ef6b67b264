"""The scorer's file: a zip of `network.onnx` and `scorer.json`, read with suspicion.

Format 2. `scorer.json` is a `ScorerCard`; `network.onnx` is what `Network` takes. Sizes are bounded
before anything is unpacked, and what is wrong is said in one line. A network is a program all the
same: it can ask for more memory or time than there is, so load only scorers from people you trust.
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
_MOST_NETWORK_BYTES, _MOST_CARD_BYTES = 64_000_000, 1_000_000
_MOST_FILE_BYTES = _MOST_NETWORK_BYTES + _MOST_CARD_BYTES
"""Larger members are refused before they are unpacked; the shipped network has 5 MB."""
_ZIP_ENTRY, _MOST_ENTRIES = b"PK\1\2", 100
"""How entries of a zip archive's list begin (APPNOTE 4.3.12); weights may hold it by chance."""
_REMEDY = "make it with lesionscan train"
_BROKEN_ZIP = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(NotImplementedError, RuntimeError, OSError, ValueError),
)
"""What the standard library raises on one damaged byte or another of an archive in memory."""

LogOdds: TypeAlias = Annotated[float, Field(ge=-1e3, le=1e3)]
"""Beyond that a score is 0 or 1 to the last digit."""
AboutFact: TypeAlias = str | int | float | tuple[str | int | float, ...]


class _Checked(BaseModel):
    """What the parts of `scorer.json` share: frozen, strict, no unknown key, finite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class TermEffect(_Checked):
    """How one term moves the score: a table, linear between its points, flat beyond its ends.

    Attributes
    ----------
    name
        One of `lesionscan.detection.scorer.terms.TERMS`.
    at
        Values of the term, strictly rising, at least one.
    effect
        Log-odds added at each of them, relative to the term's mean effect over the regions that
        the scorer was trained on.

    Raises
    ------
    pydantic.ValidationError
        When the name is unknown or the table is none.
    """

    name: str
    at: Annotated[tuple[float, ...], Field(min_length=1)]
    effect: tuple[LogOdds, ...]

    @field_validator("name")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in TERM_BY_NAME:
            raise ValueError(f"is no term; known are {', '.join(sorted(TERM_BY_NAME))}")
        return name

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        if len(self.at) != len(self.effect):
            raise ValueError(
                f"{self.name}: at has {len(self.at)} numbers and effect {len(self.effect)}"
            )
        if any(one >= other for one, other in pairwise(self.at)):
            raise ValueError(f"{self.name}: at must rise strictly")
        return self

    def of(self, value: float) -> float:
        """Return the log-odds that a term's value adds."""
        return float(np.interp(value, self.at, self.effect))


class ScorerCard(_Checked):
    """What `scorer.json` holds: everything about a scorer but its network.

    Attributes
    ----------
    format
        Version of the file's format.
    name
        Name of the scorer.
    preprocessing
        How a film becomes the network's input.
    look_long_sides_px
        Long sides of the grids on which the network looks at a film, in pixels, rising.
    offset
        Log-odds of a region before any term has its say.
    terms
        The terms it weighs, each at most once.
    about
        Facts about its making, for people.

    Raises
    ------
    pydantic.ValidationError
        When a value is out of its range.
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
            raise ValueError("must rise strictly")
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
    """What turns measured regions into scores: a network to look with, and terms to weigh.

    Attributes
    ----------
    name
        Name of the scorer.
    network
        Gives every film's lucency and bone maps.
    offset
        Log-odds of a region before any term has its say.
    terms
        The terms it weighs.
    about
        Facts about its making, for people.
    sha256
        Hash of the file's bytes, hexadecimal: says which scorer made a result.
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
            When the file cannot be read or is no scorer that this version can use.
        """
        source = f"scorer file {path}"
        try:
            data = read_bounded(path, max_bytes=_MOST_FILE_BYTES)
        except OSError as error:
            raise ScorerError(
                f"{source} cannot be read ({error.strerror}); check the path"
            ) from error
        return cls.from_bytes(data, source=source)

    @classmethod
    def from_bytes(cls, data: bytes, *, source: str = "scorer") -> Self:
        """Make a scorer from a file's bytes.

        Parameters
        ----------
        data
            The bytes.
        source
            What an error's message calls them.

        Raises
        ------
        ScorerError
            When they are no scorer that this version can use.
        """
        if data.count(_ZIP_ENTRY) > _MOST_ENTRIES:  # which would all be read
            raise ScorerError(f"{source} holds more files than a scorer; {_REMEDY}")
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
    """Return the bytes of a scorer file; the same parts give the same bytes.

    Parameters
    ----------
    onnx
        The network, as `Network` takes it.
    card
        The rest.
    """
    text = json.dumps(card.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    buffer = io.BytesIO()
    # stored: another zlib would give other bytes, and weights hardly shrink
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in ((NETWORK_NAME, onnx), (CARD_NAME, (text + "\n").encode("utf-8"))):
            member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3  # whatever system writes it
            member.external_attr = 0o644 << 16
            archive.writestr(member, data)
    return buffer.getvalue()


@cache
def load_scorer(path: Path | None) -> Scorer:
    """Return a file's scorer, or the shipped one where None; each is read once in a process.

    Raises
    ------
    ScorerError
        As `Scorer.from_file`.
    """
    return Scorer.from_file(_SHIPPED if path is None else path)


def shipped_scorer() -> Scorer:
    """Return the scorer that comes with the program."""
    return load_scorer(None)


def _check_members(archive: zipfile.ZipFile, source: str) -> None:
    """Refuse an archive of other files, or of files that are too large or cannot be unpacked."""
    members = archive.infolist()
    names = sorted(member.filename for member in members)
    if names != [NETWORK_NAME, CARD_NAME]:
        found = ", ".join(repr(name[:40]) for name in names[:4]) or "nothing"
        raise ScorerError(
            f"{source} must hold {NETWORK_NAME} and {CARD_NAME}, and holds {found}; {_REMEDY}"
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
    """Return a member's bytes; never more than its stated size, which has been checked."""
    with archive.open(name) as stream:
        return stream.read(_most_bytes(name))


def _most_bytes(name: str) -> int:
    return _MOST_CARD_BYTES if name == CARD_NAME else _MOST_NETWORK_BYTES


def _card(text: bytes, source: str) -> ScorerCard:
    """Read `scorer.json`."""
    try:
        entries = parse_json(text)
    except ValueError as error:
        raise ScorerError(f"{source}: {CARD_NAME} is not valid JSON; {_REMEDY}") from error
    version = entries.get("format") if isinstance(entries, dict) else None
    if version != FORMAT:  # first: a newer format may have any other entries
        raise ScorerError(
            f"{source}: {CARD_NAME} has format {version!r} and this version reads {FORMAT}; "
            "use a scorer made for this version"
        )
    try:
        return ScorerCard.model_validate_json(text)
    except ValidationError as error:
        reason = _in_words(error.errors()[0])
        raise ScorerError(f"{source}: {CARD_NAME}: {reason}; {_REMEDY}") from error


def _in_words(error: ErrorDetails) -> str:
    """Say what is wrong with one entry."""
    name = ".".join(str(part) for part in error["loc"])
    reason = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if error["type"] in {"missing", "extra_forbidden"}:
        return f"{name}: {reason.lower()}"
    shown = f", got {str(error['input'])[:80]!r}" if name and not name.startswith("about") else ""
    return f"{name} {reason}{shown}" if name else reason
