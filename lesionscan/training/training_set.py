"""Read or make the films of a training, in several processes."""

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

InputT = TypeVar("InputT")
OutputT = TypeVar("OutputT")


@dataclass(frozen=True)
class TrainingSet:
    """The films of a training, by kind."""

    phantoms: list[TrainingFilm]
    planted: list[TrainingFilm]
    labelled: list[TrainingFilm]
    weighs_terms: bool
    """Whether a fifth of the sources is held out to weigh the terms on."""
    mined: Sequence[TrainingFilm] = ()
    """Films without lesions with their false alarms."""

    def pools(self) -> list[Pool]:
        """Return the films that the network is trained on."""
        kept = not_held_out if self.weighs_terms else list
        labelled = kept(self.labelled)
        return [
            Pool(kept(self.phantoms), 0.3),
            Pool(kept(self.planted), 0.7),
            # more weight for those with lesions, which are fewer and teach more
            Pool([film for film in labelled if film.has_lesions], 0.35),
            Pool([film for film in labelled if not film.has_lesions], 0.2),
            Pool([film for film in self.mined if film.alarms], 0.25),
        ]

    def without_lesions(self) -> list[TrainingFilm]:
        """Return the films without lesions that the network is trained on."""
        kept = not_held_out if self.weighs_terms else list
        return [
            film
            for film in kept([*self.phantoms, *self.planted, *self.labelled])
            if not film.has_lesions
        ]

    def held_out(self) -> list[TrainingFilm]:
        """Return the films that the network is not trained on."""
        return [f for f in (*self.phantoms, *self.planted, *self.labelled) if f.held_out]

    def check(self) -> None:
        """Check, before the long training, that the terms can be weighed; else TrainingError."""
        if self.weighs_terms and len({film.has_lesions for film in self.held_out()}) < 2:
            raise TrainingError(
                "a fifth of the films is held out to weigh the terms on, and must have films with "
                "lesions and films without; give more phantoms or films"
            )


@dataclass(frozen=True)
class Work:
    """The options and worker processes that every step needs."""

    options: TrainingOptions
    workers: Executor
    report: Callable[[str], None]
    started: float

    def log(self, line: str) -> None:
        """Report a line with the minutes since the start."""
        self.report(f"{(time.monotonic() - self.started) / 60:6.1f} min  {line}")

    def map(
        self, function: Callable[[InputT], OutputT], inputs: Sequence[InputT]
    ) -> Iterator[OutputT]:
        """Apply a function in the worker processes; yield results in the order of the inputs."""
        chunk = max(1, min(8, len(inputs) // (4 * self.options.jobs)))
        return self.workers.map(function, inputs, chunksize=chunk)

    def read(
        self, read: Callable[[TruthFilm], OutputT], truth: Sequence[TruthFilm]
    ) -> list[OutputT]:
        """Read films; skip and report those that cannot be read."""
        films = []
        for film, (made, fault) in zip(
            truth, self.map(partial(_read_or_fault, read), truth), strict=True
        ):
            if made is None:
                self.log(f"{film.name}: left out: {fault}")
            else:
                films.append(made)
        return films


def normal_films(folder: Path | None) -> list[TruthFilm]:
    """Return the films of a folder without lesions that are not reserved for measuring."""
    if folder is None:
        return []
    films = [
        film
        for film in load_truth(folder)
        if not film.lesions and film.facts.get("use", "train") == "train"
    ]
    if not films:
        raise TrainingError(
            f'--films {folder} has no film without lesions whose "use" is "train" or absent; '
            "give normal films (films with lesions go to --data)"
        )
    return films


def labelled_films(truth: Sequence[TruthFilm], work: Work) -> list[TrainingFilm]:
    """Read the films of --data."""
    films = work.read(partial(training_film, bone_outline="near"), truth)
    with_lesions = sum(film.has_lesions for film in films)
    if truth and not with_lesions:
        raise TrainingError(
            f"--data {work.options.data} has no film with lesions to train on; give films with "
            "outlined lesions"
        )
    if truth:
        work.log(f"{len(films)} labelled films, {with_lesions} with lesions")
    return films


def phantoms_of(work: Work) -> list[TrainingFilm]:
    """Make phantoms, or reuse those of an earlier run, and read them."""
    options = work.options
    if not options.phantoms:
        return []
    folder = options.work / f"phantoms_{__version__}_{options.seed}_{options.phantoms}"
    if not (folder / "index.json").is_file():
        jobs = [
            PhantomJob(folder, options.seed, number) for number in range(1, options.phantoms + 1)
        ]
        write_index(folder, list(work.map(make_and_write, jobs)))
        work.log(f"{len(jobs)} phantoms made: {folder}")
    films = work.read(partial(training_film, bone_outline="whole"), load_truth(folder))
    work.log(f"{len(films)} phantoms read")
    return films


def planted(truth: Sequence[TruthFilm], network: Network, work: Work) -> list[TrainingFilm]:
    """Plant lesions in the bones that the network finds."""
    if not truth:
        return []
    plant = partial(
        planted_films, network=network, variants=work.options.variants, seed=work.options.seed
    )
    films = [film for group in work.read(plant, truth) for film in group]
    with_lesions = sum(film.has_lesions for film in films)
    work.log(
        f"{len(films)} films from {len(truth)} normal ones, {with_lesions} with planted lesions"
    )
    return films


def not_held_out(films: Iterable[TrainingFilm]) -> list[TrainingFilm]:
    """Return the films that are not held out."""
    return [film for film in films if not film.held_out]


def _read_or_fault(
    read: Callable[[TruthFilm], OutputT], film: TruthFilm
) -> tuple[OutputT, None] | tuple[None, str]:
    try:
        return read(film), None
    except (UnreadableFileError, TruthError) as error:
        return None, str(error)
