"""Fitting lowers the loss, ignores what is unknown, and is reproducible."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

import torch

from lesionscan.training import fit as fitting
from lesionscan.training.errors import TrainingError
from lesionscan.training.films import TrainingFilm
from lesionscan.training.fit import Plan, Pool, fit, has_bfloat16
from lesionscan.training.network import LucencyNet
from tests.training.made import made_film

pytestmark = pytest.mark.train

SIDE = 64


def plan(steps: int, *, seed: int = 3, batch: int = 4) -> Plan:
    """Return a plan with few steps and small views."""
    return Plan(steps=steps, learning_rate=5e-3, side_px=SIDE, seed=seed, batch=batch)


def network() -> LucencyNet:
    """Return a new network, always with the same weights."""
    torch.manual_seed(1)
    return LucencyNet(pretrained=True)


def silent(_: str) -> None:
    """Ignore a line of progress."""


def two_films() -> list[Pool]:
    """Return one film with lesions and one without."""
    return [Pool([made_film("a"), made_film("b", lesions=False)], 1.0)]


def loss_of(net: LucencyNet) -> float:
    """Return the loss on views that are not in any plan of these tests."""
    batches = list(fitting._batches(two_films(), plan(2, seed=99), 0))
    with torch.no_grad():
        net.eval()
        losses = [
            fitting._loss(net(image), torch.nn.functional.avg_pool2d(targets, 2))
            for image, targets in batches
        ]
    return float(np.mean([loss.item() for loss in losses]))


@pytest.mark.parametrize(
    ("processor", "expected"),
    [({"avx512_bf16": True}, True), ({"avx2": True, "avx512_bf16": False}, False),
     ({"amx_bf16": True}, True), ({"bf16": True}, True), ({}, False)],
)  # fmt: skip
def test_bfloat16_is_used_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, processor: dict[str, bool], expected: bool
) -> None:
    """bfloat16 is used only if the processor supports it; emulated, it is slower than float32."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: processor)
    assert has_bfloat16() is expected


def test_a_few_steps_lower_the_loss() -> None:
    """After 40 batches of two films, the loss on new views of them is at least a third lower."""
    before = loss_of(network())
    lines: list[str] = []
    after = loss_of(fit(network(), two_films(), plan(40), lines.append))
    assert after < 0.67 * before
    assert [line.split(":")[0] for line in lines] == ["step 40 of 40"]


def test_the_same_plan_gives_the_same_weights() -> None:
    """The same plan gives the same weights, and another seed gives others."""

    def head(seed: int) -> torch.Tensor:
        return fit(network(), two_films(), plan(2, seed=seed), silent).state_dict()["head.weight"]

    assert torch.equal(head(3), head(3))
    assert not torch.equal(head(3), head(4))


class Killed(Exception):  # noqa: N818 - an event, not an error
    """Exception that stops a training in a test."""


def test_a_training_killed_twice_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training killed in steps 4 and 6 of 7 ends with the weights of an uninterrupted one."""
    whole = fit(network(), two_films(), plan(7), silent).state_dict()
    monkeypatch.setattr(fitting, "CHECKPOINT_STEPS", 2)
    checkpoint, remember = tmp_path / "x.checkpoint", fitting._update_mean
    steps_left: Iterator[int] = iter(())

    def counted(*arguments: Any) -> None:  # noqa: ANN401 - like the function it replaces
        if next(steps_left, None) is None:
            raise Killed
        remember(*arguments)

    monkeypatch.setattr(fitting, "_update_mean", counted)
    for steps in (3, 3):  # steps 1 to 3; then 3 to 5, from the checkpoint of step 2
        steps_left = iter(range(steps))
        with pytest.raises(Killed):
            fit(
                network(),
                two_films(),
                plan(7),
                silent,
                checkpoint=checkpoint,
                write=Path.write_bytes,
            )
    monkeypatch.setattr(fitting, "_update_mean", remember)
    lines: list[str] = []
    resumed = fit(
        network(), two_films(), plan(7), lines.append, checkpoint=checkpoint, write=Path.write_bytes
    )

    assert lines[0] == "resumed at step 4 of 7"
    assert all(torch.equal(value, whole[name]) for name, value in resumed.state_dict().items())


@pytest.mark.parametrize("what", ["seed", "weights", "alarms", "lesions"])
def test_a_checkpoint_of_another_training_is_not_used(what: str, tmp_path: Path) -> None:
    """With another seed, network, truth or places of false alarms, the checkpoint is ignored."""

    def another() -> tuple[LucencyNet, list[Pool], Plan]:
        net, pools, it = network(), two_films(), plan(2, seed=4 if what == "seed" else 3)
        film = pools[0].films[0]
        if what == "weights":
            with torch.no_grad():
                net.state_dict()["head.weight"].add_(0.125)
        if what == "alarms":
            film = replace(film, alarms=((5, 6),))
        if what == "lesions":
            film = replace(film, lesions=np.flipud(film.lesions).copy())
        return net, [replace(pools[0], films=[film, *pools[0].films[1:]]), *pools[1:]], it

    checkpoint = tmp_path / "x.checkpoint"
    fit(network(), two_films(), plan(2), silent, checkpoint=checkpoint, write=Path.write_bytes)
    lines: list[str] = []
    other = fit(*another(), lines.append, checkpoint=checkpoint, write=Path.write_bytes)

    expected = fit(*another(), silent).state_dict()
    assert not any("resumed" in line for line in lines)
    assert torch.equal(other.state_dict()["head.weight"], expected["head.weight"])


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    """A damaged checkpoint is an error with the file's name and a remedy."""
    checkpoint = tmp_path / "x.checkpoint"
    checkpoint.write_bytes(b"no checkpoint")
    with pytest.raises(TrainingError, match=r"x\.checkpoint cannot be read; delete it"):
        fit(network(), two_films(), plan(1), silent, checkpoint=checkpoint, write=Path.write_bytes)


def test_the_kept_weights_are_a_mean() -> None:
    """After one step, the running mean of the weights is 9/11 of the way to the new weights."""
    start, step = {"w": torch.tensor([0.0])}, {"w": torch.tensor([11.0])}
    fitting._update_mean(start, step, 2 / 11)
    assert start["w"].item() == pytest.approx(9.0)


def test_nothing_to_learn_from_is_said() -> None:
    """A training without films is refused."""
    with pytest.raises(TrainingError, match="no films to learn from"):
        fit(network(), [Pool([], 1.0)], plan(1), silent)


def test_the_rate_rises_and_falls() -> None:
    """The learning rate starts at 1 %, reaches 100 % after 100 steps, and ends at 2 %."""
    assert fitting._learning_rate_factor(0, 10_000) == pytest.approx(0.01)
    assert fitting._learning_rate_factor(99, 10**9) == pytest.approx(1.0)
    assert fitting._learning_rate_factor(5000, 10_000) == pytest.approx(0.51)
    assert fitting._learning_rate_factor(10_000, 10_000) == pytest.approx(0.02)


def test_views_are_drawn_by_pool_source_and_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pools are drawn by weight, sources evenly, and lesion-free films at a share of 0.35."""
    drawn: list[str] = []

    def note(
        film: TrainingFilm, rng: np.random.Generator, *, side_px: int
    ) -> tuple[np.ndarray, np.ndarray]:
        assert isinstance(rng, np.random.Generator)
        drawn.append(film.name)
        return np.zeros((3, side_px, side_px), np.float32), np.zeros((4, 8, 8), np.float32)

    monkeypatch.setattr(fitting, "random_view", note)
    many = [made_film(f"many{number}", source="s") for number in range(9)]
    normal = made_film("normal", source="s", lesions=False)
    single = made_film("single", lesions=False)
    pools = [Pool([*many, normal, single], 0.75), Pool([], 5.0), Pool([made_film("other")], 0.25)]
    for _ in fitting._batches(pools, plan(500), 0):
        pass
    share = {name: drawn.count(name) / 2000 for name in set(drawn)}
    assert len(drawn) == 2000
    assert share["other"] == pytest.approx(0.25, abs=0.04)
    assert share["single"] == pytest.approx(0.375, abs=0.04)
    assert share["normal"] == pytest.approx(0.375 * 0.35, abs=0.03)


def test_what_is_not_known_is_not_asked() -> None:
    """The loss ignores faint lesions, and the bone map where bone is unknown."""
    generator = torch.Generator().manual_seed(5)
    maps = torch.randn((2, 2, 16, 16), generator=generator)
    targets = torch.zeros((2, 4, 16, 16))  # lesion, faint, bone, known
    targets[:, 0, 2:6, 2:6] = 1
    targets[:, 1, 8:12, 8:12] = 1
    targets[:, 3, :, :8] = 1
    loss = fitting._loss(maps, targets).item()
    unseen = maps.clone()
    unseen[:, 0, 8:12, 8:12] += 3
    unseen[:, 1, :, 8:] -= 3
    assert fitting._loss(unseen, targets).item() == pytest.approx(loss, rel=1e-6)
    for channel, place in ((0, np.s_[2:6, 2:6]), (0, np.s_[13:, 13:]), (1, np.s_[:, :8])):
        asked = maps.clone()
        asked[:, channel, place[0], place[1]] += 3
        assert fitting._loss(asked, targets).item() != pytest.approx(loss, rel=1e-3)


def test_a_perfect_answer_costs_nothing() -> None:
    """The loss is almost 0 if certain and right, and large if certain and wrong."""
    targets = torch.zeros((1, 4, 16, 16))
    targets[:, 0, 2:10, 2:10] = 1
    targets[:, 2, :, :8] = 1
    targets[:, 3] = 1
    right = 40 * (targets[:, [0, 2]] - 0.5)
    assert fitting._loss(right, targets).item() < 1e-3
    assert fitting._loss(-right, targets).item() > 20
