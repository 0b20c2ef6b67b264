"""The network's maps at several resolutions are combined into one pair on the film's grid."""

import numpy as np
import pytest

from lesionscan.detection.multiscale import compute_maps
from lesionscan.detection.scorer.network import Maps, Network
from lesionscan.detection.scorer.preprocessing import Preprocessing
from lesionscan.radiograph import FloatImage
from tests.detection.scorer.made import onnx_network


class Recording(Network):
    """A network that records its inputs; its bone is a box, its lucency rises with each run."""

    def __init__(self, sides: tuple[int, ...], bone_box: tuple[slice, slice] | None = None) -> None:
        super().__init__(onnx_network(), Preprocessing(), sides)
        self.bone_box = bone_box
        self.inputs: list[tuple[tuple[int, ...], int]] = []

    def run(self, image: FloatImage, long_side_px: int) -> Maps:
        """Return a constant lucency of 0.1 from the first run, 0.3 from the second, and so on."""
        bone = np.zeros(image.shape, np.float32)
        if self.bone_box is not None and not self.inputs:
            bone[self.bone_box] = 1.0
        self.inputs.append((image.shape, long_side_px))
        return Maps(np.full(image.shape, 0.2 * len(self.inputs) - 0.1, np.float32), bone)


def _film(shape: tuple[int, int]) -> FloatImage:
    return np.zeros(shape, np.float32)


def test_one_resolution_is_one_run() -> None:
    """With one resolution, the maps of a single run are returned."""
    network = Recording((320,))

    maps = compute_maps(_film((640, 480)), network)

    assert network.inputs == [((640, 480), 320)]
    assert (maps.lucency == np.float32(0.1)).all()


def test_the_lucency_map_is_the_mean_of_all_runs_where_bone_is() -> None:
    """The mean of 0.1, 0.3 and 0.5 applies in the bone's box and its margin, 0.1 outside."""
    network = Recording((320, 400, 500), np.s_[200:300, 100:400])
    film = _film((500, 500))

    maps = compute_maps(film, network)

    margin = 30  # 6 % of 500
    inside = np.s_[200 - margin : 300 + margin, 100 - margin : 400 + margin]
    outside = np.ones(film.shape, np.bool_)
    outside[inside] = False
    assert maps.lucency[inside] == pytest.approx(0.3)
    assert (maps.lucency[outside] == np.float32(0.1)).all()
    # 360 of 500 columns, at the pixel size of a run on the whole film
    assert network.inputs == [((500, 500), 320), ((160, 360), 288), ((160, 360), 360)]


def test_the_bone_map_is_that_of_the_first_run() -> None:
    """The bone map is that of the first run; the second run of this network finds no bone."""
    maps = compute_maps(_film((500, 500)), Recording((320, 500), np.s_[100:200, 100:200]))

    assert maps.bone[150, 150] == 1.0


@pytest.mark.parametrize(
    ("shape", "sides"),
    [
        ((640, 512), [320, 640]),
        ((3000, 2500), [320, 640]),
        ((256, 256), [320, 486]),  # enlarged by 1.9
        ((200, 100), [320]),  # 380 px would hardly be finer
        ((1000, 500), [320, 640]),
        ((3200, 320), [1600, 3200]),  # five times as elongated as 2 : 1
        ((320, 3200), [1600, 3200]),
        ((32_000, 64), [1600, 3200]),  # not a film, but a possible header
        ((1, 1), [320]),
    ],
)
def test_grids_follow_what_the_film_can_show(shape: tuple[int, int], sides: list[int]) -> None:
    """Small films are enlarged slightly, and long ones get the resolution of square ones."""
    network = Recording((320, 640))

    compute_maps(_film(shape), network)

    assert [side for _, side in network.inputs] == sides


def test_a_film_without_bone_is_run_whole() -> None:
    """If the first run finds no bone, the second one covers the whole film."""
    network = Recording((320, 600))

    compute_maps(_film((600, 400)), network)

    assert network.inputs == [((600, 400), 320), ((600, 400), 600)]


def test_a_mirrored_film_has_mirrored_maps() -> None:
    """Mirroring a film with bone at one side mirrors its maps, except for effects of padding."""
    film = np.zeros((512, 384), np.float32)
    film[64:448, 32:160] = 0.9
    film[200:230, 80:110] = 0.4
    network = Network(onnx_network(), Preprocessing(), (256, 512))

    maps = compute_maps(film, network)
    mirrored = compute_maps(np.ascontiguousarray(film[:, ::-1]), network)

    assert np.abs(mirrored.lucency[:, ::-1] - maps.lucency).mean() < 0.01
