"""Small networks and scorers whose output can be calculated by hand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from lesionscan.detection.scorer.scorer_file import ScorerCard, TermEffect, write_scorer

LONG_SIDE_PX = 64
"""Long side, in pixels, of the input of these networks."""


def onnx_network(
    *,
    lucency: float = 1.0,
    bias: float = 0.0,
    maps: int = 2,
    cell_px: int = 2,
    names: tuple[str, str] = ("image", "maps"),
) -> bytes:
    """Return a network whose logits are cell means of channel 0, and their negatives for bone.

    Parameters
    ----------
    lucency
        Factor of the means.
    bias
        Added to all logits.
    maps, cell_px, names
        The defaults make a valid network; other values make one that is refused.
    """
    weights = np.zeros((maps, 3, cell_px, cell_px), np.float32)
    weights[0, 0] = lucency / cell_px**2
    weights[1:, 0] = -lucency / cell_px**2
    return _network(weights, bias, names)


def lopsided_network() -> bytes:
    """Return a network that uses one pixel of each 2 x 2 cell only, so that mirroring matters."""
    weights = np.zeros((2, 3, 2, 2), np.float32)
    weights[:, 0, 0, 0] = 1.0
    return _network(weights, 0.0, ("image", "maps"))


def overflowing_network() -> bytes:
    """Return a network whose logits are not finite where a channel is above 1.5."""
    weights = np.full((2, 3, 2, 2), 3e38, np.float32)
    return made_model(
        [
            helper.make_node("Add", ["image", "low"], ["above"]),
            helper.make_node("Clip", ["above", "zero", "two"], ["bright"]),
            helper.make_node(
                "Conv", ["bright", "weights"], ["maps"], strides=[2, 2], kernel_shape=[2, 2]
            ),
        ],
        {
            "low": np.array(-1.5, np.float32),
            "zero": np.array(0, np.float32),
            "two": np.array(2, np.float32),
            "weights": weights,
        },
    )


def _network(weights: NDArray[np.float32], bias: float, names: tuple[str, str]) -> bytes:
    maps, _, *cell = weights.shape
    convolution = helper.make_node(
        "Conv", [names[0], "weights", "biases"], [names[1]], strides=cell, kernel_shape=cell
    )
    stored = {"weights": weights, "biases": np.full(maps, bias, np.float32)}
    return made_model([convolution], stored, names=names, maps=maps)


def made_model(
    nodes: Sequence[NodeProto],
    stored: Mapping[str, NDArray[Any]],
    *,
    names: tuple[str, str] = ("image", "maps"),
    maps: int = 2,
    change: Callable[[ModelProto], object] = lambda _: None,
) -> bytes:
    """Return a network of the given nodes and stored tensors.

    Parameters
    ----------
    nodes, stored
        Its operations, and its tensors by name.
    names, maps
        Names of the input and of the output, and the output's channels.
    change
        Applied to the finished model.
    """
    graph = helper.make_graph(
        list(nodes),
        "made",
        [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info(names[1], TensorProto.FLOAT, ["n", maps, "p", "q"])],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    change(model)
    return bytes(model.SerializeToString())


def scorer_card(
    *terms: tuple[str, tuple[float, ...], tuple[float, ...]],
    offset: float = 0.0,
    name: str = "made",
) -> ScorerCard:
    """Return a card with terms given as (name, at, effect)."""
    return ScorerCard(
        name=name,
        look_long_sides_px=(LONG_SIDE_PX,),
        offset=offset,
        terms=tuple(TermEffect(name=term, at=at, effect=effect) for term, at, effect in terms),
        about={"films": 3, "sources": ("made", "by hand")},
    )


def scorer_bytes(card: ScorerCard | None = None, onnx: bytes | None = None) -> bytes:
    """Return a scorer file; by default, its only term is enclosure."""
    return write_scorer(
        onnx_network() if onnx is None else onnx,
        scorer_card(("enclosed", (0.0, 1.0), (-2.0, 2.0))) if card is None else card,
    )
