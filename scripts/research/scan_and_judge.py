"""Scan the films of truth folders in memory and evaluate them, for several scripts.

Nothing is written to files, so that a comparison of many scans needs no folder for each; the
outcomes are those of `lesionscan evaluate` on files.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionscan import UnreadableFileError, read_radiograph
from lesionscan.detection.pipeline import Findings
from lesionscan.evaluation.judge import JudgedFilm, judge
from lesionscan.evaluation.results import FilmResult, ListedCandidate
from lesionscan.evaluation.summary import Figure
from lesionscan.evaluation.truth import TruthError, TruthFilm, load_truth
from lesionscan.radiograph import Radiograph

OutputT = TypeVar("OutputT")
FilmT = TypeVar("FilmT")


@dataclass(frozen=True, slots=True)
class ScannedFilm(FilmResult):
    """A result in memory, without files.

    Attributes
    ----------
    findings
        The findings; None if the film failed.
    """

    findings: Findings | None = None

    def read_labels(self) -> NDArray[np.int32]:
        """Return the findings' labels."""
        if self.findings is None:
            raise ValueError(f"{self.record.stem} failed, so it has no labels")
        return self.findings.labels

    def read_bone(self) -> NDArray[np.bool_] | None:
        """Return the findings' bone mask; None if the film failed."""
        return None if self.findings is None else self.findings.bone


def as_result(film: TruthFilm, findings: Findings | None) -> ScannedFilm:
    """Convert findings to a result for `lesionscan.evaluation.judge`.

    Parameters
    ----------
    film
        The film.
    findings
        Its findings; None if the film could not be read.
    """
    record = film.image.with_name(f"{film.image.name}.json")
    if findings is None:
        return ScannedFilm(record, "failed")
    return ScannedFilm(
        record,
        "ok",
        shape=findings.radiograph.shape,
        assessed=findings.assessed,
        candidates=tuple(
            ListedCandidate(
                id=candidate.id,
                score=candidate.score,
                shown=candidate.shown,
                centroid_px=candidate.region.centroid_px,
                area_px=candidate.region.area_px,
                equivalent_diameter_px=candidate.region.equivalent_diameter_px,
            )
            for candidate in findings.candidates
        ),
        findings=findings,
    )


def judge_each(
    film: TruthFilm, ways: Mapping[str, Callable[[Radiograph], Findings]]
) -> dict[str, JudgedFilm]:
    """Scan a film in several ways and evaluate each; an unreadable film fails in all.

    Parameters
    ----------
    film
        The film and its truth; read once.
    ways
        Functions that find the candidates, by name.
    """
    try:
        radiograph = read_radiograph(film.image)
    except UnreadableFileError:
        return dict.fromkeys(ways, judge(film, as_result(film, None)))
    return {name: judge(film, as_result(film, find(radiograph))) for name, find in ways.items()}


def truth_films(folders: Sequence[Path], sets: str | None) -> list[TruthFilm]:
    """List the films of truth folders.

    Parameters
    ----------
    folders
        Each holds `index.json`, `images/` and `masks/`.
    sets
        Names of sets, separated by commas; all if None.

    Raises
    ------
    TruthError
        If a folder cannot be used, two folders have a set of the same name, or a set is in none.
    """
    films = [film for folder in folders for film in load_truth(folder)]
    homes = {(film.set_name, film.image.parent) for film in films}
    known = sorted({name for name, _ in homes})
    if len(homes) > len(known):
        raise TruthError(
            "two folders have a set of the same name, which would be pooled; give them separately"
        )
    if sets is None:
        return films
    wanted = sets.split(",")
    for name in wanted:
        if name not in known:
            raise TruthError(f"there is no set {name!r}; known are {', '.join(known)}")
    return [film for film in films if film.set_name in wanted]


def every_film(
    films: Sequence[FilmT], work: Callable[[FilmT], OutputT], *, jobs: int
) -> Iterator[OutputT]:
    """Apply a function to each film, in order, in several processes if `jobs` is above 1."""
    if jobs == 1:
        cv2.setNumThreads(1)
        yield from map(work, films)
        return
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        yield from pool.map(work, films)


def in_words(figure: Figure) -> str:
    """Write a figure and its interval with two digits; "-" if there is none."""
    if figure.value is None:
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.2f}"
    return f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f})"
