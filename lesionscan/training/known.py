"""The films of a training, by kind: read, made or planted in, by several processes."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from lesionscan import __version__
from lesionscan.detection.scorer.network import Network
from lesionscan.evaluation.truth import TruthError, TruthFilm, load_truth
from lesionscan.reading import UnreadableFileError
from lesionscan.simulation.phantom_folder import PhantomJob, make_and_write
from lesionscan.simulation.truth_folder import write_index
from lesionscan.training.errors import TrainingError
from lesionscan.training.films import TrainingFilm, planted_films, training_film
from lesionscan.training.fit import Pool
from lesionscan.training.options import TrainingOptions

WorkT = TypeVar("WorkT")
DoneT = TypeVar("DoneT")


@dataclass(frozen=True)
class Known:
    """The films to learn from, by kind."""

    phantoms: list[TrainingFilm]
    planted: list[TrainingFilm]
    labelled: list[TrainingFilm]
    weighs_terms: bool
    """Whether some films are held out to weigh the terms on."""

    def pools(self) -> list[Pool]:
        """Return what the network sees."""
        kept = seen if self.weighs_terms else list
        labelled = kept(self.labelled)
        return [
            Pool(kept(self.phantoms), 0.3),
            Pool(kept(self.planted), 0.7),
            # those with lesions are the fewer, and the ones to learn from
            Pool([film for film in labelled if film.has_lesions], 0.35),
            Pool([film for film in labelled if not film.has_lesions], 0.2),
        ]

    def held_out(self) -> list[TrainingFilm]:
        """Return what it does not see."""
        return [f for f in (*self.phantoms, *self.planted, *self.labelled) if f.held_out]

    def check(self) -> None:
        """Raise a TrainingError where the terms could not be weighed: before the long training."""
        if self.weighs_terms and len({film.has_lesions for film in self.held_out()}) < 2:
            raise TrainingError(
                "a fifth of the films is held out to weigh the terms on, and must have films with "
                "lesions and films without; give more phantoms or films"
            )


@dataclass(frozen=True)
class Work:
    """What every step needs: the options, and the processes that share the work."""

    options: TrainingOptions
    workers: Executor
    report: Callable[[str], None]
    started: float

    def tell(self, line: str) -> None:
        """Report a line with the minutes since the start."""
        self.report(f"{(time.monotonic() - self.started) / 60:6.1f} min  {line}")

    def spread(self, function: Callable[[WorkT], DoneT], work: Sequence[WorkT]) -> Iterator[DoneT]:
        """Do work on several cores, in order."""
        chunk = max(1, min(8, len(work) // (4 * self.options.jobs)))
        return self.workers.map(function, work, chunksize=chunk)

    def read(self, read: Callable[[TruthFilm], DoneT], truth: Sequence[TruthFilm]) -> list[DoneT]:
        """Read films; name those that cannot be read, and go on."""
        films = []
        for film, (made, fault) in zip(
            truth, self.spread(partial(_tried, read), truth), strict=True
        ):
            if made is None:
                self.tell(f"{film.name}: left out: {fault}")
            else:
                films.append(made)
        return films


def normal_films(folder: Path | None) -> list[TruthFilm]:
    """Return the films that may shape what ships: without lesions, and not for measuring."""
    if folder is None:
        return []
    films = [
        film
        for film in load_truth(folder)
        if not film.lesions and film.facts.get("use", "train") == "train"
    ]
    if not films:
        raise TrainingError(
            f'--films {folder} has no film without lesions that says "use": "train" or nothing; '
            "give normal films (films with lesions go to --data)"
        )
    return films


def labelled_films(truth: Sequence[TruthFilm], work: Work) -> list[TrainingFilm]:
    """Read a researcher's films."""
    films = work.read(partial(training_film, bone_outline="near"), truth)
    with_lesions = sum(film.has_lesions for film in films)
    if truth and not with_lesions:
        raise TrainingError(
            f"--data {work.options.data} has no film with lesions to learn from; give films whose "
            "lesions are outlined"
        )
    if truth:
        work.tell(f"{len(films)} labelled films, {with_lesions} with lesions")
    return films


def phantoms_of(work: Work) -> list[TrainingFilm]:
    """Make phantoms, or take those of an earlier run, and read them."""
    options = work.options
    if not options.phantoms:
        return []
    folder = options.work / f"phantoms_{__version__}_{options.seed}_{options.phantoms}"
    if not (folder / "index.json").is_file():
        jobs = [
            PhantomJob(folder, options.seed, number) for number in range(1, options.phantoms + 1)
        ]
        write_index(folder, list(work.spread(make_and_write, jobs)))
        work.tell(f"{len(jobs)} phantoms made: {folder}")
    films = work.read(partial(training_film, bone_outline="whole"), load_truth(folder))
    work.tell(f"{len(films)} phantoms read")
    return films


def planted(truth: Sequence[TruthFilm], looker: Network, work: Work) -> list[TrainingFilm]:
    """Plant lesions in the bones that the network finds."""
    if not truth:
        return []
    plant = partial(
        planted_films, network=looker, variants=work.options.variants, seed=work.options.seed
    )
    films = [film for group in work.read(plant, truth) for film in group]
    with_lesions = sum(film.has_lesions for film in films)
    work.tell(
        f"{len(films)} films of {len(truth)} normal ones, {with_lesions} with planted lesions"
    )
    return films


def seen(films: Iterable[TrainingFilm]) -> list[TrainingFilm]:
    """Return the films that are not held out."""
    return [film for film in films if not film.held_out]


def _tried(
    read: Callable[[TruthFilm], DoneT], film: TruthFilm
) -> tuple[DoneT, None] | tuple[None, str]:
    try:
        return read(film), None
    except (UnreadableFileError, TruthError) as error:
        return None, str(error)
