"""From films to a scorer's file: from nothing to the shipped one, or on from it with own films.

`docs/training.md` says what each step does.
"""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

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
from lesionscan.training.known import (
    Known,
    Work,
    labelled_films,
    normal_films,
    phantoms_of,
    planted,
    seen,
)
from lesionscan.training.network import LucencyNet, from_onnx, to_onnx
from lesionscan.training.options import (
    LEAST_DATA_STEPS,
    LESION_STEPS,
    STEPS_PER_FILM,
    TrainingOptions,
)
from lesionscan.training.weigh import rate, weigh

WorkT = TypeVar("WorkT")
DoneT = TypeVar("DoneT")

SIDE_PX = LOOK_LONG_SIDES_PX[0]
"""Rows and columns of a view."""
_BATCH = 12
_BONE_RATE = 1.5e-3
_LESION_RATE = 1.2e-3
_DATA_RATE, _DATA_BATCH = 6e-4, 8
"""Where a scorer learns on from labelled films alone: smaller, since there is less to average."""
_FADED = 0.25
"""What is left of the terms that are measured, where the network learns on from labelled films."""
_FALSE_ALARMS = 0.5
"""Regions a lesion-free film of the training that reach a score of 0.5."""
_NEUTRAL = (TermEffect(name="lucency_peak", at=(0.0, 1.0), effect=(-3.0, 3.0)),)
"""What orders the regions until the terms are weighed."""


def train(options: TrainingOptions, report: Callable[[str], None]) -> None:
    """Train a scorer and write its file.

    The number of PyTorch's threads of this process becomes that of the options.

    Parameters
    ----------
    options
        What to learn from, and for how long. The same ones give the same file on one machine.
    report
        Takes a line of progress now and then.

    Raises
    ------
    TrainingError
        When it cannot be done with what was given.
    lesionscan.evaluation.truth.TruthError
        When a truth folder cannot be used.
    lesionscan.detection.scorer.errors.ScorerError
        When the scorer to start from cannot be used.
    lesionscan.results.atomic.OutputError
        When a file cannot be written.
    concurrent.futures.process.BrokenProcessPool
        When a worker process dies, most likely for want of memory.
    """
    torch.set_num_threads(options.jobs)
    # spawned: PyTorch's threads survive no fork
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        options.jobs, context, initializer=cv2.setNumThreads, initargs=(1,)
    ) as workers:
        _train(Work(options, workers, report, time.monotonic()))


def _train(work: Work) -> None:
    """From films to the scorer's file."""
    options = work.options
    start = None if options.start is None else load_scorer(_path_of(options.start))
    torch.manual_seed(options.seed)  # of the weights that no one has taught yet
    network = LucencyNet(pretrained=True) if start is None else from_onnx(start.network.onnx)
    normal, own, left_out = _films_to_use(options)
    remove(left_out_listing(options.out), within=options.out.parent)  # of an earlier training
    labelled = labelled_films(own, work)
    phantoms = phantoms_of(work)
    if start is None:
        network = _learn_bone(network, phantoms, normal, work)
    # of the labelled films, those that were read and have no lesions of their own
    free = {film.name for film in labelled if not film.has_lesions}
    grounds = [*normal, *(film for film in own if film.name in free)]
    looker = Network(to_onnx(network), Preprocessing(), LOOK_LONG_SIDES_PX)
    known = Known(
        phantoms,
        planted(grounds, looker, work),
        labelled,
        weighs_terms=bool(options.phantoms or options.films),
    )
    known.check()
    fresh = start is None
    plan = Plan(
        steps=options.steps or (LESION_STEPS if fresh else _further_steps(labelled)),
        learning_rate=_LESION_RATE if known.weighs_terms else _DATA_RATE,
        batch=_BATCH if known.weighs_terms else _DATA_BATCH,
        side_px=SIDE_PX,
        seed=options.seed + 1,
    )
    network = fit(
        network,
        known.pools(),
        plan,
        work.tell,
        checkpoint=options.work / "lesions.checkpoint",
        write=_write_beside,
    )
    offset, terms = _weigh(network, known, start, work)
    card = _card(options.out.stem, offset, terms, _about(options, known, start, plan))
    data = write_scorer(to_onnx(network), card)
    Scorer.from_bytes(data, source="the scorer just trained")  # what cannot be read is not written
    write_bytes(options.out, data, within=options.out.parent)
    if left_out:
        listing = left_out_listing(options.out)
        write_bytes(
            listing, "".join(f"{name}\n" for name in left_out).encode(), within=listing.parent
        )
        work.tell(f"left out, to measure on: {len(left_out)} films, {listing}")
    work.tell(f"done: {options.out}")


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
    # together: a patient may have films in both folders
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
    """Return how long to learn on from a scorer that exists."""
    with_lesions = sum(film.has_lesions for film in labelled)
    return min(LESION_STEPS, max(LEAST_DATA_STEPS, STEPS_PER_FILM * with_lesions))


def _about(
    options: TrainingOptions, known: Known, start: Scorer | None, plan: Plan
) -> dict[str, AboutFact]:
    """Return what a user of the file should know about its making; no path, no time."""
    about: dict[str, AboutFact] = {
        "lesionscan": __version__,
        "started from": "ImageNet" if start is None else f"scorer {start.name} {start.sha256[:8]}",
        "seed": options.seed,
        "steps": plan.steps,
        "phantoms": len(known.phantoms),
        "films planted in": len({f.source for f in known.planted if f.has_lesions}),
        "labelled films": len(known.labelled),
    }
    if known.weighs_terms:
        about["false alarms a lesion-free training film at 0.5"] = _FALSE_ALARMS
    return about


def _learn_bone(
    network: LucencyNet,
    phantoms: list[TrainingFilm],
    truth: Sequence[TruthFilm],
    work: Work,
) -> LucencyNet:
    """Teach bones, on phantoms and outlined films, so that lesions can be planted in the others."""
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
        [Pool(seen(phantoms), 0.75), Pool(seen(films), 0.25)],
        plan,
        work.tell,
        checkpoint=work.options.work / "bone.checkpoint",
        write=_write_beside,
    )


def faded(terms: Sequence[TermEffect]) -> tuple[TermEffect, ...]:
    """Let the terms that are not the network's count less.

    They were weighed beside another network, whose mistakes they make good; this one has learnt
    from films like those it will see.

    Parameters
    ----------
    terms
        Of the scorer that the training went on from.
    """
    return tuple(
        term
        if term.name.startswith("lucency")
        else term.model_copy(
            update={"effect": tuple(round(_FADED * one, 4) for one in term.effect)}
        )
        for term in terms
    )


def _weigh(
    network: LucencyNet, known: Known, start: Scorer | None, work: Work
) -> tuple[float, tuple[TermEffect, ...]]:
    """Weigh the terms on the held-out sources; labelled films alone keep the start's, faded."""
    if start is not None and not known.weighs_terms:
        return start.offset, faded(start.terms)
    scorer = Scorer.from_bytes(write_scorer(to_onnx(network), _card("new", 0.0, _NEUTRAL, {})))
    rated = list(work.spread(partial(rate, scorer=scorer), known.held_out()))
    offset, terms = weigh(rated, false_alarms=_FALSE_ALARMS)
    regions = sum(len(one.hit) for one in rated)
    work.tell(f"terms weighed on {regions} regions of {len(rated)} films")
    return offset, terms
