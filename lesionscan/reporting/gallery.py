"""The report page: one HTML file beside the results that opens from disk, without a network."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from lesionscan.reporting.caption import told
from lesionscan.reporting.records import DISCLAIMER, has_overlay, name_of


@dataclass(frozen=True, slots=True)
class CandidateLine:
    """What the page says about one shown candidate."""

    id: int
    score: float
    size: str
    place: str
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FilmCard:
    """What the page says about one film that was read."""

    file: str
    overlay: str | None
    record: str
    best_score: float | None
    listed: int
    shown: tuple[CandidateLine, ...]
    facts: str
    assessed: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FailureLine:
    """What the page says about one film that failed."""

    file: str
    record: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the page says about the run.

    Attributes
    ----------
    version
        Version of the program.
    shown_score
        Candidates with at least this score (0 to 1) are shown.
    not_done
        Films that the run did not reach, because it was stopped.
    ok, failed
        Films that were read, and those that failed.
    """

    version: str
    shown_score: float
    not_done: int
    ok: int
    failed: int


def film_card(result: Mapping[str, Any]) -> FilmCard:
    """Make the card of a film that was read.

    Parameters
    ----------
    result
        The film's JSON, read back.
    """
    name = name_of(result)
    candidates = result["candidates"]
    return FilmCard(
        file=name,
        overlay=link(f"{name}.overlay.png") if has_overlay(result) else None,
        record=link(f"{name}.json"),
        best_score=max((candidate["score"] for candidate in candidates), default=None),
        listed=len(candidates),
        shown=tuple(_line(candidate) for candidate in candidates if candidate["shown"]),
        facts=_facts(result),
        assessed=result["bone"]["assessed"],
        warnings=tuple(warning["message"] for warning in result["warnings"]),
    )


def failure_line(result: Mapping[str, Any]) -> FailureLine:
    """Make the line of a film that failed, from its JSON read back."""
    name = name_of(result)
    error = result["error"]
    return FailureLine(name, link(f"{name}.json"), error["code"], error["message"])


def report_html(
    cards: Iterable[FilmCard], failures: Iterable[FailureLine], run: RunFacts
) -> Iterator[str]:
    """Yield the page in pieces: a large run's films do not fit into memory.

    Parameters
    ----------
    cards
        Films that were read, in the order in which they are shown.
    failures
        Films that failed.
    run
        What else to say.
    """
    stream = _template().stream(cards=cards, failures=failures, run=run, disclaimer=DISCLAIMER)
    stream.enable_buffering(100)
    yield from stream


def link(name: str) -> str:
    """Return a relative address for a result's name; "./" keeps "a:b.png" from being a scheme."""
    return "./" + quote(name, safe="/")


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("lesionscan.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _facts(result: Mapping[str, Any]) -> str:
    image, acquisition = result["image"], result["acquisition"]
    side = acquisition.get("image_laterality", acquisition.get("laterality"))
    named = (acquisition.get("body_part_examined"), side, acquisition.get("view_position"))
    words = [str(word) for word in named if word is not None]
    words.append(f"{image['rows']} × {image['columns']} px")
    if image["spacing_mm"] is not None:
        words.append(f"{image['spacing_mm'][1]:.3g} mm ({image['spacing_plane']})")
    return " · ".join(words)


def _line(candidate: Mapping[str, Any]) -> CandidateLine:
    size = f"{candidate['feret_max_px']:.0f} px"
    if candidate["feret_max_mm"] is not None:
        size = f"{candidate['feret_max_mm']:.0f} mm"
    row, column = candidate["centroid_px"]
    reasons = candidate["reasons"]
    return CandidateLine(
        id=candidate["id"],
        score=candidate["score"],
        size=size,
        place=f"row {row:.0f}, column {column:.0f}",
        reasons=tuple(_reason(reasons[n]) for n in told([reason["term"] for reason in reasons])),
        doubts=tuple(flag.replace("_", " ") for flag in candidate["flags"]),
    )


def _reason(reason: Mapping[str, Any]) -> str:
    """Say a reason with a mark: up where it raised the score, down where it lowered it."""
    return f"{'▲' if reason['effect'] >= 0 else '▼'} {reason['text']}"
