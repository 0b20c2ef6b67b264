"""Fitting the network to random views of known films."""

import hashlib
import io
import itertools
import pickle
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch import save as pack  # into memory: this room writes no file
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits

from lesionscan.training.errors import TrainingError
from lesionscan.training.films import TrainingFilm
from lesionscan.training.network import LucencyNet
from lesionscan.training.views import random_view

CHECKPOINT_STEPS = 100
"""Steps between two checkpoints: two minutes' work."""
_WITHOUT_LESIONS = 0.4
"""Share of views without a lesion, of sources that have films with and without."""
_ENCODER_SHARE = 0.4
"""Learning rate of what ImageNet has taught already, as a share of the rest's."""
_WEIGHT_DECAY = 0.02
_MEMORY = 0.998
"""Of the running mean of the weights, which is what is kept (Polyak averaging)."""
_WARM_UP_STEPS = 100
_HARDEST = 64
"""Pixels of a view whose false alarm counts extra."""
_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
"""What PyTorch calls the instructions for it on x86 and Arm."""
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
    network: LucencyNet,
    pools: Sequence[Pool],
    plan: Plan,
    tell: Callable[[str], None],
    *,
    checkpoint: Path | None = None,
    write: Callable[[Path, bytes], object] | None = None,
) -> LucencyNet:
    """Train a network and return the mean of its last states.

    The state is written to a checkpoint every `CHECKPOINT_STEPS` steps. If a checkpoint of the same
    plan and films exists, training resumes from it, and ends as if it had never been interrupted.

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
    checkpoint
        File of the checkpoint, which remains when the training is done; none is kept where None.
    write
        Writes a file whole or not at all; needed for a checkpoint.

    Raises
    ------
    TrainingError
        When there are no films, or the checkpoint is damaged.
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
    state = _State(network, optimiser, schedule, kept)
    key = "" if checkpoint is None else _key(pools, plan)
    done = 0 if checkpoint is None else state.restore(checkpoint, key)
    if done:
        tell(f"resumed at step {done} of {plan.steps}")
    losses: list[float] = []
    for step, (image, targets) in enumerate(_batches(pools, plan, done), start=done + 1):
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16()):
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
        if (
            checkpoint is not None
            and write is not None
            and (step % CHECKPOINT_STEPS == 0 or step == plan.steps)
        ):
            write(checkpoint, state.packed(key, step))
    network.load_state_dict(kept)
    network.eval()
    return network


def has_bfloat16() -> bool:
    """Say whether this processor computes with bfloat16.

    Where it does not, PyTorch emulates it, at a quarter of the speed of float32.
    """
    known = torch.cpu.get_capabilities()
    return any(known.get(name, False) for name in _BFLOAT16)


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """All that a training changes as it goes."""

    network: LucencyNet
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR
    kept: dict[str, Tensor]

    def packed(self, key: str, step: int) -> bytes:
        """Return everything as the bytes of a checkpoint."""
        buffer = io.BytesIO()
        pack(
            {
                "key": key,
                "step": step,
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "schedule": self.schedule.state_dict(),
                "kept": self.kept,
            },
            buffer,
        )
        return buffer.getvalue()

    def restore(self, path: Path, key: str) -> int:
        """Take a checkpoint of the same training over and return its step; 0 without one."""
        try:
            saved = torch.load(path, weights_only=True)
        except FileNotFoundError:
            return 0
        except (RuntimeError, EOFError, pickle.UnpicklingError, OSError) as error:
            raise TrainingError(
                f"checkpoint {path} cannot be read; delete it to train from the beginning"
            ) from error
        if saved["key"] != key:
            return 0
        self.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.schedule.load_state_dict(saved["schedule"])
        self.kept.update(saved["kept"])
        return int(saved["step"])


def _key(pools: Sequence[Pool], plan: Plan) -> str:
    """Return what identifies a training: its plan, and the films' names and pixels."""
    digest = hashlib.sha256(repr(plan).encode())
    for pool in pools:
        digest.update(f"{pool.weight} {len(pool.films)}".encode())
        for film in pool.films:
            digest.update(f"{film.name} {zlib.crc32(film.image.tobytes())}".encode())
    return digest.hexdigest()


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


def _batches(pools: Sequence[Pool], plan: Plan, done: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield a plan's batches after the first `done`; the same plan gives the same batches."""
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

    numbers = iter(range(done * plan.batch, plan.steps * plan.batch))
    with ThreadPoolExecutor(2) as pool:
        ahead = [pool.submit(view, number) for number in itertools.islice(numbers, _AHEAD)]
        for _ in range(plan.steps - done):
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
