"""Read a folder of results in lesionscan's format, written by any program.

For a film `NAME.png` the folder holds `NAME.png.json` (schema 1), `NAME.png.labels.png` (value =
candidate id) and, if the program finds bone, `NAME.png.bone.png` (not 0 = bone). If the whole truth
folder was scanned, these files are in the subfolder `images`; if the index states a film's
`result`, they may have that name.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lesionscan.evaluation.truth import TruthError, TruthFilm
from lesionscan.files import RECORD_BYTES, parse_json, read_bounded, sha256_of_file
from lesionscan.results.paths import ResultPaths
from lesionscan.results.pictures import PictureError, read_grey
from lesionscan.results.record import SCHEMA_VERSION

SCHEMA_MAJOR = SCHEMA_VERSION.partition(".")[0]
AGAIN = "scan the truth folder's images again"
_DAMAGED = (ValueError, KeyError, TypeError, AttributeError, OverflowError)
"""Exceptions raised by reading a JSON file that is not a result."""


class ResultsError(Exception):
    """Raised if results cannot be used; the message names the file, the cause and the remedy."""


@dataclass(frozen=True, slots=True)
class Tool:
    """The program, settings and scorer that made the results.

    Attributes
    ----------
    name, version
        Name and version of the program.
    settings_sha256
        Hash of its settings.
    scorer_sha256
        Hash of its scorer; None if not stated.
    """

    name: str
    version: str
    settings_sha256: str
    scorer_sha256: str | None = None

    def made_with(self) -> str:
        """Return the first 8 digits of the hashes, for display."""
        words = f"settings {self.settings_sha256[:8]}"
        return words if self.scorer_sha256 is None else f"{words}, scorer {self.scorer_sha256[:8]}"


@dataclass(frozen=True, slots=True)
class ListedCandidate:
    """One candidate of a result; coordinates (row, column) in pixels."""

    id: int
    score: float
    shown: bool
    centroid_px: tuple[float, float]
    area_px: float
    equivalent_diameter_px: float


@dataclass(frozen=True, slots=True)
class FilmResult:
    """One film's result.

    Attributes
    ----------
    record
        The JSON file, which may be missing.
    status
        "missing" if there is no JSON file.
    error_code
        Why it failed; None if not stated.
    tool
        The program that made it; None if missing.
    shape
        Rows and columns of the film; None without a result.
    assessed
        False if the program did not trust its bone mask; the result then has no candidates.
    candidates
        The listed candidates.
    """

    record: Path
    status: Literal["ok", "failed", "missing"]
    error_code: str | None = None
    tool: Tool | None = None
    shape: tuple[int, int] | None = None
    assessed: bool = True
    candidates: tuple[ListedCandidate, ...] = ()

    def read_labels(self) -> NDArray[np.int32]:
        """Read the labels picture, int32 (rows, cols), value = candidate id.

        Raises
        ------
        ResultsError
            If it is missing, cannot be read or differs in size from the film.
        """
        path = ResultPaths.beside(self.record).labels
        try:
            return self._checked(path, read_grey(path))
        except PictureError as error:
            raise ResultsError(f"{path} {error}, and its candidates hit; {AGAIN}") from error

    def read_bone(self) -> NDArray[np.bool_] | None:
        """Read the program's bone mask, bool (rows, cols); None if there is none.

        Raises
        ------
        ResultsError
            If it cannot be read or differs in size from the film.
        """
        path = ResultPaths.beside(self.record).bone
        if self.status != "ok" or not path.is_file():
            return None
        try:
            return np.not_equal(self._checked(path, read_grey(path)), 0)
        except PictureError as error:
            raise ResultsError(f"{path} {error}; {AGAIN}") from error

    def _checked(self, path: Path, picture: NDArray[np.int32]) -> NDArray[np.int32]:
        if picture.shape != self.shape:
            rows, cols = self.shape or (0, 0)
            raise ResultsError(
                f"{path} has {picture.shape[0]} x {picture.shape[1]} pixels and its film "
                f"{rows} x {cols}; {AGAIN}"
            )
        return picture


def find_results(folder: Path, films: Sequence[TruthFilm]) -> Path:
    """Return the folder that holds the films' results: the given one or its subfolder `images`.

    Raises
    ------
    ResultsError
        If the folder does not exist, or holds no result of any of the films.
    """
    if not folder.is_dir():
        raise ResultsError(f"results folder {folder} does not exist; give scan's --out folder")
    for place in (folder, folder / "images"):
        if any(_record(place, film).is_file() for film in films):
            return place
    raise ResultsError(
        f"{folder} has no result of any film of the truth folder (such as "
        f"{ResultPaths.of(Path(), films[0].image.name).record}); {AGAIN} with --out {folder}"
    )


def read_result(folder: Path, film: TruthFilm) -> FilmResult:
    """Read the result of a film, and check that it belongs to this film's file.

    Parameters
    ----------
    folder
        From `find_results`.
    film
        The film; its file is hashed.

    Raises
    ------
    ResultsError
        If the JSON is damaged, has another schema, or belongs to another file.
    lesionscan.evaluation.truth.TruthError
        If the film's file cannot be read.
    """
    record = _record(folder, film)
    try:
        text = read_bounded(record, max_bytes=RECORD_BYTES)
    except FileNotFoundError:
        return FilmResult(record, "missing")
    except OSError as error:
        raise ResultsError(f"{record} cannot be read ({error.strerror}); {AGAIN}") from error
    try:
        result = parse_json(text)
        major = str(result["schema_version"]).partition(".")[0]
    except _DAMAGED as error:
        raise ResultsError(f"{record} is damaged or not the result of a scan; {AGAIN}") from error
    if major != SCHEMA_MAJOR:
        raise ResultsError(
            f"{record} has schema_version {result['schema_version']!r} and this program reads "
            f"{SCHEMA_MAJOR}.x; {AGAIN} with this version"
        )
    try:
        parsed = film_result(record, result)
        sha256 = result["input"]["sha256"]
    except _DAMAGED as error:
        cause = f"no {error}" if isinstance(error, KeyError) else error
        raise ResultsError(f"{record} is damaged ({cause}); {AGAIN}") from error
    if sha256 != _sha256(film.image) and not (sha256 is None and parsed.status == "failed"):
        raise ResultsError(
            f"{record} is the result of another file than {film.image} (its SHA-256 differs); "
            "give the results of this truth folder, or scan it again"
        )
    return parsed


def _record(folder: Path, film: TruthFilm) -> Path:
    """Return the path of a film's result, by the film's name or the one in the index."""
    named = [ResultPaths.of(folder, name).record for name in film.result_names]
    return next((path for path in named if path.is_file()), named[0])


def film_result(record: Path, result: Mapping[str, Any]) -> FilmResult:
    """Parse a film's result.

    Parameters
    ----------
    record
        Path of the JSON file.
    result
        Its content.

    Raises
    ------
    ValueError, KeyError, TypeError, AttributeError, OverflowError
        If the content is not that of a result.
    """
    made_by = result["tool"]
    scorer = made_by.get("scorer_sha256")
    tool = Tool(
        name=str(made_by["name"]),
        version=str(made_by["version"]),
        settings_sha256=str(made_by["settings_sha256"]),
        scorer_sha256=None if scorer is None else str(scorer),
    )
    status = result["status"]
    if status == "failed":
        code = (result.get("error") or {}).get("code")
        return FilmResult(record, "failed", None if code is None else str(code), tool)
    if status != "ok":
        raise ValueError(f"status must be ok or failed, got {status!r}")
    candidates = tuple(_candidate(entry) for entry in result["candidates"])
    if len({candidate.id for candidate in candidates}) < len(candidates):
        raise ValueError("two candidates share an id")
    rows, columns = int(result["image"]["rows"]), int(result["image"]["columns"])
    for candidate in candidates:
        row, column = candidate.centroid_px
        if not (-0.5 <= row <= rows - 0.5 and -0.5 <= column <= columns - 0.5):
            raise ValueError(f"candidate {candidate.id} lies outside the film")
    shown = [candidate.score for candidate in candidates if candidate.shown]
    hidden = [candidate.score for candidate in candidates if not candidate.shown]
    if min(shown, default=math.inf) < max(hidden, default=-math.inf):
        raise ValueError("a hidden candidate has a higher score than a shown one")
    return FilmResult(
        record=record,
        status="ok",
        tool=tool,
        shape=(rows, columns),
        assessed=bool((result.get("bone") or {}).get("assessed", True)),
        candidates=candidates,
    )


def one_tool(folder: Path, results: Iterable[FilmResult]) -> Tool:
    """Return the program that made all results.

    Parameters
    ----------
    folder
        The folder of the results, for the message.
    results
        Of all films; at least one is not missing.

    Raises
    ------
    ResultsError
        If programs, settings or scorers differ.
    """
    tools = list(dict.fromkeys(one.tool for one in results if one.tool is not None))
    if len(tools) > 1:
        raise ResultsError(
            f"{folder} mixes results of two versions, settings or scorers (such as "
            f"{_words(tools[0])} and {_words(tools[1])}); {AGAIN} with one"
        )
    return tools[0]


def _words(tool: Tool) -> str:
    return f"{tool.name} {tool.version} with {tool.made_with()}"


def _candidate(entry: dict[str, Any]) -> ListedCandidate:
    row, column = (float(value) for value in entry["centroid_px"])
    candidate = ListedCandidate(
        id=int(entry["id"]),
        score=float(entry["score"]),
        shown=bool(entry["shown"]),
        centroid_px=(row, column),
        area_px=float(entry["area_px"]),
        equivalent_diameter_px=float(entry["equivalent_diameter_px"]),
    )
    numbers = (candidate.score, row, column, candidate.area_px, candidate.equivalent_diameter_px)
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"candidate {candidate.id} has a number that is not finite")
    return candidate


def _sha256(path: Path) -> str:
    try:
        return sha256_of_file(path)
    except OSError as error:
        raise TruthError(f"{path} cannot be read ({error.strerror}); check the file") from error
