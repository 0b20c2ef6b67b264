"""Train a scorer: from nothing, or from an existing scorer.

`docs/training.md` describes the steps.
"""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import torch

from lesionscan import __version__
from lesionscan.detection.scorer.network import Network
from lesionscan.detection.scorer.preprocessing import Preprocessing
from lesionscan.detection.scorer.scorer_file import (
    AboutFact,
    Scorer,
    ScorerCard,
    TermEffect,
    load_scorer,
    write_scorer,
)
from lesionscan.evaluation.truth import TruthFilm, load_truth
from lesionscan.results.atomic import remove, write_bytes
from lesionscan.training.films import (
    LOOK_LONG_SIDES_PX,
    TrainingFilm,
    source_of,
    training_film,
)
from lesionscan.training.fit import Plan, Pool, fit
from lesionscan.training.folds import divided, left_out_listing, thinned
from lesionscan.training.mining import mined
from lesionscan.training.network import LucencyNet, from_onnx, to_onnx
from lesionscan.training.options import (
    LEAST_DATA_STEPS,
    LESION_STEPS,
    STEPS_PER_FILM,
    TrainingOptions,
)
from lesionscan.training.training_set import (
    TrainingSet,
    Work,
    labelled_films,
    normal_films,
    not_held_out,
    phantoms_of,
    planted,
)
from lesionscan.training.weigh import labelled_regions, weigh

SIDE_PX = LOOK_LONG_SIDES_PX[0]
"""Rows and columns of a view."""
_BATCH = 12
_BONE_RATE = 1.5e-3
_LESION_RATE = 1.2e-3
_LATER_RATE = 8e-4
"""For a network that has already learnt lesions."""
_DATA_RATE, _DATA_BATCH = 6e-4, 8
"""If a scorer is trained on labelled films alone: lower, since there are fewer films."""
_ROUNDS = 2
"""Rounds of a training with normal films; the false alarms of each are mined for the next."""
_DAMPING = 0.25
"""Factor of the terms other than the network's, if a scorer is trained on labelled films alone."""
_FALSE_ALARMS = 0.5
"""Regions per lesion-free film of the training that reach a score of 0.5."""
_NEUTRAL = (TermEffect(name="lucency_peak", at=(0.0, 1.0), effect=(-3.0, 3.0)),)
"""Term that ranks the regions before the terms are weighed."""


def train(options: TrainingOptions, report: Callable[[str], None]) -> None:
    """Train a scorer and write its file.

    Sets the number of PyTorch's threads in this process to `options.jobs`.

    Parameters
    ----------
    options
        The options. The same options give the same file on the same machine.
    report
        Called with lines of progress.

    Raises
    ------
    TrainingError
        If the training is impossible with the given options or films.
    lesionscan.evaluation.truth.TruthError
        If a truth folder cannot be used.
    lesionscan.detection.scorer.errors.ScorerError
        If the scorer to start from cannot be used.
    lesionscan.results.atomic.OutputError
        If a file cannot be written.
    concurrent.futures.process.BrokenProcessPool
        If a worker process dies, most likely for lack of memory.
    """
    torch.set_num_threads(options.jobs)
    # spawn: PyTorch's threads do not survive a fork
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        options.jobs, context, initializer=cv2.setNumThreads, initargs=(1,)
    ) as workers:
        _train(Work(options, workers, report, time.monotonic()))


def _train(work: Work) -> None:
    options = work.options
    start = None if options.start is None else load_scorer(_path_of(options.start))
    torch.manual_seed(options.seed)  # for the initial weights of the decoder
    network = LucencyNet(pretrained=True) if start is None else from_onnx(start.network.onnx)
    normal, own, left_out = _films_to_use(options)
    remove(left_out_listing(options.out), within=options.out.parent)  # of an earlier training
    labelled = labelled_films(own, work)
    phantoms = phantoms_of(work)
    if start is None:
        network = _learn_bone(network, phantoms, normal, work)
    # lesions are planted in labelled films too, if these were read and have none
    free = {film.name for film in labelled if not film.has_lesions}
    lesion_free = [*normal, *(film for film in own if film.name in free)]
    films = TrainingSet(
        phantoms,
        planted(lesion_free, _as_used(network), work),
        labelled,
        weighs_terms=bool(options.phantoms or options.films),
    )
    films.check()
    steps = options.steps or (LESION_STEPS if start is None else _further_steps(labelled))
    network = _learn_lesions(network, films, steps, work)
    offset, terms = _weigh(network, films, start, work)
    card = _card(options.out.stem, offset, terms, _about(options, films, start, steps))
    data = write_scorer(to_onnx(network), card)
    Scorer.from_bytes(data, source="the scorer just trained")  # written only if valid
    write_bytes(options.out, data, within=options.out.parent)
    if left_out:
        listing = left_out_listing(options.out)
        write_bytes(
            listing, "".join(f"{name}\n" for name in left_out).encode(), within=listing.parent
        )
        work.log(f"left out, to measure on: {len(left_out)} films, {listing}")
    work.log(f"done: {options.out}")


def _write_beside(path: Path, data: bytes) -> None:
    """Write a checkpoint into its own folder."""
    write_bytes(path, data, within=path.parent)


def _films_to_use(
    options: TrainingOptions,
) -> tuple[list[TruthFilm], Sequence[TruthFilm], list[str]]:
    """Return normal films, labelled films, and the names of those left out of either."""
    normal = normal_films(options.films)
    own = [] if options.data is None else list(load_truth(options.data))
    if options.leave_out is None:
        return normal, thinned(own, options.at_most), []
    # split together, since a patient may have films in both folders
    _, left_out = divided([*normal, *own], *options.leave_out)
    sources = {source_of(film) for film in left_out}
    kept = [film for film in own if source_of(film) not in sources]
    return (
        [film for film in normal if source_of(film) not in sources],
        thinned(kept, options.at_most),
        [film.name for film in left_out],
    )


def _path_of(start: Path | Literal["shipped"]) -> Path | None:
    return None if start == "shipped" else start


def _card(
    name: str, offset: float, terms: tuple[TermEffect, ...], about: dict[str, AboutFact]
) -> ScorerCard:
    return ScorerCard(
        name=name, look_long_sides_px=LOOK_LONG_SIDES_PX, offset=offset, terms=terms, about=about
    )


def _further_steps(labelled: Sequence[TrainingFilm]) -> int:
    """Return the number of steps of a training that starts from a scorer."""
    with_lesions = sum(film.has_lesions for film in labelled)
    return min(LESION_STEPS, max(LEAST_DATA_STEPS, STEPS_PER_FILM * with_lesions))


def _about(
    options: TrainingOptions, films: TrainingSet, start: Scorer | None, steps: int
) -> dict[str, AboutFact]:
    """Return facts about the training for the scorer's file; no path, no time."""
    about: dict[str, AboutFact] = {
        "lesionscan": __version__,
        "started from": "ImageNet" if start is None else f"scorer {start.name} {start.sha256[:8]}",
        "seed": options.seed,
        "steps": steps,
        "phantoms": len(films.phantoms),
        "films planted in": len({f.source for f in films.planted if f.has_lesions}),
        "labelled films": len(films.labelled),
    }
    if films.weighs_terms:
        about["false alarms per held-out film at 0.5"] = _FALSE_ALARMS
    return about


def _learn_bone(
    network: LucencyNet,
    phantoms: list[TrainingFilm],
    truth: Sequence[TruthFilm],
    work: Work,
) -> LucencyNet:
    """Train on the bones of phantoms and outlined films, to find those of films to plant in."""
    outlined = [film for film in truth if film.bone.is_file()]
    films = work.read(partial(training_film, bone_outline="near"), outlined)
    plan = Plan(
        steps=work.options.bone_steps,
        learning_rate=_BONE_RATE,
        side_px=SIDE_PX,
        seed=work.options.seed,
        batch=_BATCH,
    )
    return fit(
        network,
        [Pool(not_held_out(phantoms), 0.75), Pool(not_held_out(films), 0.25)],
        plan,
        work.log,
        checkpoint=work.options.work / "bone.checkpoint",
        write=_write_beside,
    )


def _learn_lesions(network: LucencyNet, films: TrainingSet, steps: int, work: Work) -> LucencyNet:
    """Train on all films, in rounds.

    Before each round, the false alarms of the network so far are mined, unless it has not learnt
    lesions yet.
    """
    options = work.options
    rounds = _ROUNDS if films.weighs_terms else 1
    has_learnt = options.start is not None
    for number, share in enumerate(_shares(steps, rounds), start=1):
        if films.weighs_terms and has_learnt:
            films = replace(films, mined=_mined(network, films, work))
        rate = _LATER_RATE if has_learnt else _LESION_RATE
        plan = Plan(
            steps=share,
            learning_rate=rate if films.weighs_terms else _DATA_RATE,
            batch=_BATCH if films.weighs_terms else _DATA_BATCH,
            side_px=SIDE_PX,
            seed=options.seed + number,
        )
        network = fit(
            network,
            films.pools(),
            plan,
            work.log,
            checkpoint=options.work / f"lesions_{number}.checkpoint",
            write=_write_beside,
        )
        has_learnt = True
    return network


def _shares(steps: int, rounds: int) -> list[int]:
    """Divide steps among rounds, as evenly as possible; rounds without a step are left out."""
    shares = [steps // rounds + (number < steps % rounds) for number in range(rounds)]
    return [share for share in shares if share]


def _mined(network: LucencyNet, films: TrainingSet, work: Work) -> list[TrainingFilm]:
    """Find the network's false alarms on the films without lesions that it is trained on."""
    mine = partial(mined, network=_as_used(network))
    found = list(work.map(mine, films.without_lesions()))
    alarms = sum(len(film.alarms) for film in found)
    work.log(f"{alarms} false alarms mined on {len(found)} films without lesions")
    return found


def _as_used(network: LucencyNet) -> Network:
    """Return the network as a search runs it."""
    return Network(to_onnx(network), Preprocessing(), LOOK_LONG_SIDES_PX)


def damped(terms: Sequence[TermEffect]) -> tuple[TermEffect, ...]:
    """Reduce the effect of the terms that are not from the network.

    They were weighed to correct the errors of the previous network; the new one was trained on
    films like those it will be used on.

    Parameters
    ----------
    terms
        Terms of the scorer that the training started from.
    """
    return tuple(
        term
        if term.name.startswith("lucency")
        else term.model_copy(
            update={"effect": tuple(round(_DAMPING * one, 4) for one in term.effect)}
        )
        for term in terms
    )


def _weigh(
    network: LucencyNet, films: TrainingSet, start: Scorer | None, work: Work
) -> tuple[float, tuple[TermEffect, ...]]:
    """Weigh the terms on the held-out sources; without these, damp the terms of the start."""
    if start is not None and not films.weighs_terms:
        return start.offset, damped(start.terms)
    scorer = Scorer.from_bytes(write_scorer(to_onnx(network), _card("new", 0.0, _NEUTRAL, {})))
    labelled = list(work.map(partial(labelled_regions, scorer=scorer), films.held_out()))
    offset, terms = weigh(labelled, false_alarms=_FALSE_ALARMS)
    regions = sum(len(one.hit) for one in labelled)
    work.log(f"terms weighed on {regions} regions of {len(labelled)} films")
    return offset, terms
