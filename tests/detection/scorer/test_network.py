"""The network: its input channels, maps aligned with the film, and errors."""

import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as runtime
from scipy.special import expit

from lesionscan.detection.scorer.errors import ScorerError
from lesionscan.detection.scorer.network import Network
from lesionscan.detection.scorer.preprocessing import Preprocessing
from lesionscan.radiograph import FloatImage
from tests.detection.made import disk
from tests.detection.scorer.made import (
    LONG_SIDE_PX,
    lopsided_network,
    onnx_network,
    overflowing_network,
)


def _network() -> Network:
    return Network(onnx_network(), Preprocessing(), (64,))


def _film(shape: tuple[int, int], seed: int = 0) -> FloatImage:
    return np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32)


def test_a_flat_image_has_its_grey_value_and_no_local_contrast() -> None:
    """A constant 0.7 is (0.7 - 0.45) / 0.25 = 1 in channel 0, and 0 in the two local channels."""
    seen = Preprocessing().channels(np.full((96, 64), 0.7, np.float32))

    assert seen.shape == (3, 96, 64)
    assert seen.dtype == np.float32
    assert seen[0] == pytest.approx(1.0, abs=1e-5)
    assert seen[1:] == pytest.approx(0.0, abs=0.02)  # the variance of equal floats is not quite 0


@pytest.mark.parametrize(("channel", "sigma", "floor"), [(1, 20.0, 0.04), (2, 6.4, 0.02)])
def test_beside_a_step_local_channels_follow_from_the_normal_distribution(
    channel: int, sigma: float, floor: float
) -> None:
    """Beside a step from 0 to 1, the local mean is the normal distribution at half a pixel."""
    image = np.zeros((320, 320), np.float32)
    image[:, 160:] = 1.0
    mean = 0.5 * (1 + math.erf(0.5 / sigma / math.sqrt(2)))
    expected = (1 - mean) / (math.sqrt(mean - mean**2) + floor) / 1.2

    assert Preprocessing().channels(image)[channel, 160, 160] == pytest.approx(expected, abs=0.005)


def test_local_channels_are_cut_at_three_spreads() -> None:
    """The local channels of one bright pixel on black are clipped at 3 / 1.2."""
    image = np.zeros((320, 320), np.float32)
    image[160, 160] = 1.0

    assert Preprocessing().channels(image)[1:, 160, 160] == pytest.approx(2.5)


def test_maps_are_what_the_network_says() -> None:
    """The maps are the logistic function of the logits, here of means of the first channel.

    The squares of 8 x 8 pixels are so large that the middle of each keeps its own value.
    """
    image = np.kron(_film((8, 8)), np.ones((8, 8))).astype(np.float32)

    maps = _network().run(image, LONG_SIDE_PX)

    expected = expit((image - 0.45) / 0.25)[3::8, 3::8]
    assert maps.lucency[3::8, 3::8] == pytest.approx(expected, abs=2e-3)
    assert maps.bone == pytest.approx(1 - maps.lucency, abs=1e-6)


@pytest.mark.parametrize("shape", [(64, 64), (256, 192), (40, 23), (300, 77), (23, 999)])
def test_maps_lie_on_the_film(shape: tuple[int, int]) -> None:
    """The map is high where the film has a bright disk, whatever its size and padding."""
    centre = (0.4 * shape[0], 0.6 * shape[1])
    image = disk(shape, centre, 0.15 * max(shape)).astype(np.float32)

    lucency = _network().run(image, LONG_SIDE_PX).lucency

    assert lucency.shape == shape
    inside = np.argwhere(image > 0.5).mean(axis=0)
    assert np.argwhere(lucency > 0.5).mean(axis=0) == pytest.approx(
        inside, abs=0.02 * max(shape) + 0.5
    )


def test_a_mirrored_film_has_mirrored_maps() -> None:
    """Without padding, mirroring the film mirrors the maps, even for an asymmetric network."""
    image = _film((64, 32))
    network = Network(lopsided_network(), Preprocessing(), (64,))

    maps, mirrored = (
        network.run(image, LONG_SIDE_PX),
        network.run(np.ascontiguousarray(image[:, ::-1]), LONG_SIDE_PX),
    )

    assert mirrored.lucency == pytest.approx(maps.lucency[:, ::-1], abs=1e-6)
    assert mirrored.bone == pytest.approx(maps.bone[:, ::-1], abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3000, 7), (33, 31), (640, 640)])
def test_any_shape_has_maps(shape: tuple[int, int]) -> None:
    """Maps of films of any shape have that shape, lie in [0, 1] and are read-only."""
    maps = _network().run(_film(shape), LONG_SIDE_PX)

    for part in (maps.lucency, maps.bone):
        assert part.shape == shape
        assert part.dtype == np.float32
        assert np.isfinite(part).all()
        assert part.min() >= 0
        assert part.max() <= 1
        assert not part.flags.writeable


def test_what_was_looked_at_before_does_not_matter() -> None:
    """The maps of a film are the same after running a film of another shape."""
    network, film = _network(), _film((200, 130))
    before = network.run(film, LONG_SIDE_PX)
    network.run(_film((77, 300), seed=1), LONG_SIDE_PX)
    after = network.run(film, LONG_SIDE_PX)

    assert (before.lucency == after.lucency).all()


def test_threads_do_not_mix_their_films() -> None:
    """Eight films run in four threads have the same maps as one by one."""
    network = _network()
    films = [_film((90 + 20 * number, 100), seed=number) for number in range(8)]
    expected = [network.run(film, LONG_SIDE_PX).lucency for film in films]

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda film: network.run(film, LONG_SIDE_PX).lucency, films))

    assert all((one == other).all() for one, other in zip(found, expected, strict=True))


def test_a_network_can_be_sent_to_another_process() -> None:
    """A network that was pickled and unpickled gives the same maps."""
    network, film = _network(), _film((50, 60))
    sent = pickle.loads(pickle.dumps(network))  # noqa: S301 - our own bytes

    assert sent.preprocessing == network.preprocessing
    assert (sent.run(film, LONG_SIDE_PX).lucency == network.run(film, LONG_SIDE_PX).lucency).all()


@pytest.mark.parametrize(
    ("onnx", "message"),
    [
        (b"", "is not a valid ONNX model"),
        (b"garbage" * 50, "is not a valid ONNX model"),
        (onnx_network()[:150], "is not a valid ONNX model"),
        (
            onnx_network().replace(b"Conv", b"Cunv"),
            "uses an operator that is not allowed in a scorer",
        ),
        (onnx_network().replace(b"Conv", b"C\xffnv"), "is not a valid ONNX model"),
        (onnx_network(names=("picture", "maps")), "does not turn an input 'image'"),
        (onnx_network(names=("image", "map")), "does not turn an input 'image'"),
        (onnx_network(maps=1), r"returns \(2, 1, 32, 32\) for \(2, 3, 64, 64\)"),
        (onnx_network(cell_px=4), r"returns \(2, 2, 16, 16\) for \(2, 3, 64, 64\)"),
        (onnx_network(bias=np.inf), "returns values that are not finite"),
        (onnx_network(lucency=np.nan), "returns values that are not finite"),
    ],
)
def test_a_network_that_cannot_be_used_is_refused_in_one_line(
    onnx: bytes, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """An invalid, unsuitable or damaged model raises an error, and nothing is printed."""
    with pytest.raises(ValueError, match=message):
        Network(onnx, Preprocessing(), (64,))
    assert capfd.readouterr() == ("", "")


def test_a_network_that_fails_on_bright_films_only_is_named_as_the_cause() -> None:
    """The error for a network that overflows only on a bright film names the network."""
    network = Network(overflowing_network(), Preprocessing(), (64,))
    assert np.isfinite(network.run(np.zeros((64, 64), np.float32), LONG_SIDE_PX).lucency).all()
    with pytest.raises(ScorerError, match=r"the scorer's network returns values .* not finite"):
        network.run(np.ones((64, 64), np.float32), LONG_SIDE_PX)


class _Session:
    """A session that gives the same output for all films, or raises an error."""

    def __init__(self, answer: FloatImage | Exception) -> None:
        self.answer = answer

    def run(self, _: list[str], __: dict[str, FloatImage]) -> list[FloatImage]:
        """Return the output or raise the error."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return [self.answer]


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (
            np.zeros((2, 2, 16, 16), np.float32),
            ScorerError,
            r"returns \(2, 2, 16, 16\) for \(2, 3, 64",
        ),
        (runtime.RuntimeException("Reshape"), ScorerError, "network fails on this film"),
        (runtime.RuntimeException("std::bad_alloc"), MemoryError, None),
    ],
)
def test_a_failure_on_a_film_is_the_scorers_unless_memory_ran_out(
    answer: FloatImage | Exception, error: type[Exception], message: str | None
) -> None:
    """Maps of another size and errors of ONNX Runtime are errors of the scorer, not of the film."""
    network = _network()
    network._session = _Session(answer)
    with pytest.raises(error, match=message):
        network.run(np.ones((64, 64), np.float32), LONG_SIDE_PX)
