"""Fit the network to random views of the training films."""

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
from torch import save as pack  # into memory: this package writes no file
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits

from lesionscan.training.errors import TrainingError
from lesionscan.training.films import TrainingFilm
from lesionscan.training.network import LucencyNet
from lesionscan.training.views import random_view

CHECKPOINT_STEPS = 100
"""Steps between two checkpoints, about two minutes."""
_WITHOUT_LESIONS = 0.4
"""Fraction of views of films without lesions, for sources that have films of both kinds."""
_ENCODER_SHARE = 0.4
"""Learning rate of the pretrained encoder / that of the decoder."""
_WEIGHT_DECAY = 0.02
_DECAY = 0.998
"""Of the running mean of the weights, which becomes the result (Polyak averaging)."""
_WARM_UP_STEPS = 100
_HARDEST = 64
"""Number of pixels of a view with the strongest false alarms, which get extra weight."""
_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")
"""PyTorch's names of the bfloat16 instructions on x86 and Arm."""
_AHEAD = 24
"""Number of views drawn ahead of the current one."""

View = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Plan:
    """Length and speed of the training.

    Attributes
    ----------
    steps
        Number of batches.
    learning_rate
        Its maximum; it decreases as a cosine.
    side_px
        Rows and columns of a view.
    batch
        Views per batch.
    seed
        Determines the views.
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
        All of them; an empty pool is ignored.
    weight
        Relative frequency of views from this pool.
    """

    films: Sequence[TrainingFilm]
    weight: float


def fit(
    network: LucencyNet,
    pools: Sequence[Pool],
    plan: Plan,
    report: Callable[[str], None],
    *,
    checkpoint: Path | None = None,
    write: Callable[[Path, bytes], object] | None = None,
) -> LucencyNet:
    """Train a network and return the running mean of its weights.

    The state is written to a checkpoint every `CHECKPOINT_STEPS` steps. If a checkpoint of the same
    plan, films and initial weights exists, training resumes from it, and ends as if it had never
    been interrupted.

    Parameters
    ----------
    network
        The initial network; modified in place.
    pools
        The films to draw views from.
    plan
        Length and speed of the training.
    report
        Called with lines of progress.
    checkpoint
        File of the checkpoint, which is not deleted at the end; no checkpoints if None.
    write
        Writes a file atomically; needed for a checkpoint.

    Raises
    ------
    TrainingError
        If there are no films, or the checkpoint is damaged.
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
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: _learning_rate_factor(step, plan.steps)
    )
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    state = _State(network, optimiser, schedule, kept)
    key = "" if checkpoint is None else _key(network, pools, plan)
    done = 0 if checkpoint is None else state.restore(checkpoint, key)
    if done:
        report(f"resumed at step {done} of {plan.steps}")
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
        _update_mean(kept, network.state_dict(), min(_DECAY, (1 + step) / (10 + step)))
        losses.append(loss.item())
        if step % 50 == 0 or step == plan.steps:
            report(f"step {step} of {plan.steps}: loss {np.mean(losses):.3f}")
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
    """Return whether this processor has bfloat16 instructions.

    Without them, PyTorch emulates bfloat16 at a quarter of the speed of float32.
    """
    known = torch.cpu.get_capabilities()
    return any(known.get(name, False) for name in _BFLOAT16)


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """The state of a training."""

    network: LucencyNet
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR
    kept: dict[str, Tensor]

    def packed(self, key: str, step: int) -> bytes:
        """Return the bytes of a checkpoint."""
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
        """Load a checkpoint of the same training and return its step; 0 if there is none."""
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


def _key(network: LucencyNet, pools: Sequence[Pool], plan: Plan) -> str:
    """Return a key that identifies a training by its plan, its films and the initial weights."""
    digest = hashlib.sha256(repr(plan).encode())
    for name, value in network.state_dict().items():
        digest.update(f"{name} {zlib.crc32(value.contiguous().numpy().tobytes())}".encode())
    for pool in pools:
        digest.update(f"{pool.weight} {len(pool.films)}".encode())
        for film in pool.films:
            digest.update(f"{film.name} {film.bone_outline} {film.alarms}".encode())
            for array in (film.image, film.lesions, film.bone):
                digest.update(f" {zlib.crc32(array.tobytes())}".encode())
    return digest.hexdigest()


def _learning_rate_factor(step: int, steps: int) -> float:
    """Return the factor of the learning rate at a step: a short rise, then half a cosine."""
    return min(1.0, (step + 1) / _WARM_UP_STEPS) * (
        0.02 + 0.49 * (1 + float(np.cos(np.pi * min(1.0, step / steps))))
    )


def _update_mean(kept: dict[str, Tensor], now: dict[str, Tensor], share: float) -> None:
    for name, value in now.items():
        if value.dtype.is_floating_point:
            kept[name].mul_(share).add_(value, alpha=1 - share)
        else:
            kept[name].copy_(value)


def _loss(maps: Tensor, targets: Tensor) -> Tensor:
    """Compute the loss of a batch: lesions per pixel, overlap and false alarms; bone per pixel.

    The pixels of a lesion are weighted by 1 / sqrt(number of pixels), so that small lesions count,
    but less than large ones.
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
    """Yield the batches of a plan after the first `done`; they depend on the plan alone."""
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
    """Group films by source; return for each the films with lesions and those without."""
    groups: dict[str, tuple[list[TrainingFilm], list[TrainingFilm]]] = {}
    for film in films:
        groups.setdefault(film.source, ([], []))[0 if film.has_lesions else 1].append(film)
    return list(groups.values())
