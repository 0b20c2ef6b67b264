"""Fitting the network to random views of known films."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits

from lesionscan.training.films import TrainingError, TrainingFilm
from lesionscan.training.network import LucencyNet
from lesionscan.training.views import random_view

_WITHOUT_LESIONS = 0.35
"""Share of views without a lesion, of sources that have films with and without."""
_ENCODER_SHARE = 0.4
"""Learning rate of what ImageNet has taught already, as a share of the rest's."""
_WEIGHT_DECAY = 0.02
_MEMORY = 0.998
"""Of the running mean of the weights, which is what is kept (Polyak averaging)."""
_WARM_UP_STEPS = 100
_HARDEST = 64
"""Pixels of a view whose false alarm counts extra."""
_AHEAD = 24
"""Views drawn ahead of the one that is learnt from."""

View = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to learn.

    Attributes
    ----------
    steps
        Batches.
    learning_rate
        At its highest; it falls as a cosine.
    side_px
        Rows and columns of a view.
    batch
        Views in a batch.
    seed
        Decides which views are drawn.
    """

    steps: int
    learning_rate: float
    side_px: int
    seed: int
    batch: int


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Films of one kind.

    Attributes
    ----------
    films
        All of them; a pool without any is left away.
    weight
        How often a view comes from here, against other pools.
    """

    films: Sequence[TrainingFilm]
    weight: float


def fit(
    network: LucencyNet, pools: Sequence[Pool], plan: Plan, tell: Callable[[str], None]
) -> LucencyNet:
    """Train a network and return the mean of its last states.

    Parameters
    ----------
    network
        Where to start; changed.
    pools
        What to draw views from.
    plan
        How long and how fast.
    tell
        Takes a line of progress now and then.

    Raises
    ------
    TrainingError
        When there are no films.
    """
    if not any(pool.films for pool in pools):
        raise TrainingError("there are no films to learn from; give more phantoms or films")
    network.to(memory_format=torch.channels_last)
    network.train()
    optimiser = torch.optim.AdamW(
        [
            {"params": network.encoder_parameters(), "lr": _ENCODER_SHARE * plan.learning_rate},
            {"params": network.decoder_parameters(), "lr": plan.learning_rate},
        ],
        weight_decay=_WEIGHT_DECAY,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _pace(step, plan.steps))
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    losses: list[float] = []
    for step, (image, targets) in enumerate(_batches(pools, plan), start=1):
        with torch.autocast("cpu", torch.bfloat16):
            maps = network(image.to(memory_format=torch.channels_last))
        loss = _loss(maps.float(), avg_pool2d(targets, 2))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        _remember(kept, network.state_dict(), min(_MEMORY, (1 + step) / (10 + step)))
        losses.append(loss.item())
        if step % 50 == 0 or step == plan.steps:
            tell(f"step {step} of {plan.steps}: loss {np.mean(losses):.3f}")
            losses.clear()
    network.load_state_dict(kept)
    network.eval()
    return network


def _pace(step: int, steps: int) -> float:
    """Return the learning rate's share at a step: a short rise, then half a cosine."""
    return min(1.0, (step + 1) / _WARM_UP_STEPS) * (
        0.02 + 0.49 * (1 + float(np.cos(np.pi * min(1.0, step / steps))))
    )


def _remember(kept: dict[str, Tensor], now: dict[str, Tensor], share: float) -> None:
    for name, value in now.items():
        if value.dtype.is_floating_point:
            kept[name].mul_(share).add_(value, alpha=1 - share)
        else:
            kept[name].copy_(value)


def _loss(maps: Tensor, targets: Tensor) -> Tensor:
    """Return the loss of a batch: lesions by pixel, by overlap and by worst alarm; bone by pixel.

    A lesion's pixels weigh with one over the root of their number, so that small lesions count,
    but not as much as large ones.
    """
    lesion, faint, bone, known = targets.unbind(1)
    asked = 1 - faint
    error = binary_cross_entropy_with_logits(maps[:, 0], lesion, reduction="none") * asked
    size = lesion.sum((1, 2))
    weight = 1 + lesion * (60 / size.clamp(min=20).sqrt())[:, None, None]
    share = maps[:, 0].sigmoid() * asked
    overlap = (2 * (share * lesion).sum((1, 2)) + 1) / (share.sum((1, 2)) + size + 1)
    alarms = (error * (lesion < 0.05)).flatten(1).topk(_HARDEST, 1)[0].mean(1)
    bone_error = binary_cross_entropy_with_logits(maps[:, 1], bone, reduction="none") * known
    parts = (
        4 * (error * weight).mean((1, 2)),
        0.05 * alarms,
        0.25 * (1 - overlap) * (size > 3),
        0.5 * bone_error.sum((1, 2)) / (known.sum((1, 2)) + 1),
    )
    return torch.stack(parts).sum(0).mean()


def _batches(pools: Sequence[Pool], plan: Plan) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of a plan; the same plan gives the same, whatever the machine's load."""
    filled = [pool for pool in pools if pool.films]
    weights = np.array([pool.weight for pool in filled])
    weights /= weights.sum()
    sources = [_by_source(pool.films) for pool in filled]

    def view(number: int) -> View:
        rng = np.random.default_rng((plan.seed, number))
        groups = sources[rng.choice(len(sources), p=weights)]
        with_lesions, without = groups[rng.integers(len(groups))]
        normal = without and (not with_lesions or rng.random() < _WITHOUT_LESIONS)
        films = without if normal else with_lesions
        return random_view(films[rng.integers(len(films))], rng, side_px=plan.side_px)

    numbers = iter(range(plan.steps * plan.batch))
    with ThreadPoolExecutor(2) as pool:
        ahead = [pool.submit(view, number) for number in itertools.islice(numbers, _AHEAD)]
        for _ in range(plan.steps):
            drawn = [ahead.pop(0).result() for _ in range(plan.batch)]
            ahead += [pool.submit(view, n) for n in itertools.islice(numbers, plan.batch)]
            images, targets = (np.stack(arrays) for arrays in zip(*drawn, strict=True))
            yield torch.from_numpy(images), torch.from_numpy(targets)


def _by_source(
    films: Sequence[TrainingFilm],
) -> list[tuple[list[TrainingFilm], list[TrainingFilm]]]:
    """Group films by what they were made from: those with lesions, and those without."""
    groups: dict[str, tuple[list[TrainingFilm], list[TrainingFilm]]] = {}
    for film in films:
        groups.setdefault(film.source, ([], []))[0 if film.has_lesions else 1].append(film)
    return list(groups.values())
