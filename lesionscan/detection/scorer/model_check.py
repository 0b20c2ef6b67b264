"""What a scorer's network would do, worked out before ONNX Runtime loads it.

A network is a program. This module follows the shapes of all its tensors, operator by operator, for
the inputs that it will get, without running it: it may use only the operators that
`lesionscan.training.network` writes, must turn an input of any size into maps of half that size,
and may take only so much memory and so many operations. ONNX Runtime computes what depends on no
input when it loads a network, so these parts count as well.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from lesionscan.detection.scorer.onnx_file import Graph, Node, OnnxError, read_onnx
from lesionscan.detection.scorer.operators import (
    MOST_KNOWN,
    RULES,
    Made,
    Shape,
    Value,
    required,
    stored,
)

INPUT, OUTPUT = "image", "maps"

MOST_BYTES: Final = 768 << 20
"""Tensors in memory at the same time; the shipped network needs 43 MB."""
MOST_CONSTANT_BYTES: Final = 256 << 20
"""Stored tensors and what is computed from them alone; the shipped network has 16 MB."""
MOST_OPERATIONS: Final = 100_000_000_000
"""Multiplications and elements made for the largest input; the shipped network needs 2.6e9."""
MOST_PROBE_OPERATIONS: Final = 10_000_000_000
"""The same for a small input, which is tried when a scorer is loaded; there, 4e8."""
_PROBE_PIXELS = 1 << 15


def check_model(onnx: bytes, inputs: Sequence[Shape]) -> None:
    """Refuse a network that is no scorer's, or that asks for too much memory or time.

    Parameters
    ----------
    onnx
        Bytes of the ONNX model.
    inputs
        Shapes (n, channels, rows, cols) of the inputs for which it must make maps of
        (n, 2, rows / 2, cols / 2), the largest that it will get among them.

    Raises
    ------
    ValueError
        With the reason, to be read after the name of the file.
    """
    graph = read_onnx(onnx)
    if graph.inputs != (INPUT,) or graph.outputs != (OUTPUT,):
        raise OnnxError(f"does not turn an input '{INPUT}' into an output '{OUTPUT}'")
    for shape in inputs:
        made = _followed(graph, shape)
        expected = (shape[0], 2, shape[2] // 2, shape[3] // 2)
        if made != expected:
            raise OnnxError(f"makes {made} of {shape}, not {expected}")


def _followed(graph: Graph, shape: Shape) -> Shape:
    """Return the shape of the output for one of the input, within the limits."""
    values = {name: stored(tensor) for name, tensor in graph.tensors.items()}
    if INPUT in values:
        raise OnnxError("stores a tensor under the name of its input")
    values[INPUT] = Value(shape)
    last_use = {name: place for place, node in enumerate(graph.nodes) for name in node.inputs}
    last_use[OUTPUT] = len(graph.nodes)
    constants = sum(value.bytes for value in values.values() if value.constant)
    live, operations = values[INPUT].bytes, 0
    small = math.prod(shape[2:]) <= _PROBE_PIXELS
    for place, node in enumerate(graph.nodes):
        name, made, value = _step(node, values)
        values[name] = value
        operations += made.multiplications + math.prod(made.shape)
        if value.constant:
            constants += value.bytes
        else:
            live += value.bytes
        if live > MOST_BYTES or constants > MOST_CONSTANT_BYTES:
            raise OnnxError(f"needs more memory than a scorer's network may ({node.operator})")
        if operations > (MOST_PROBE_OPERATIONS if small else MOST_OPERATIONS):
            raise OnnxError(f"needs more operations than a scorer's network may ({node.operator})")
        live -= sum(
            values[used].bytes
            for used in {*node.inputs, name}
            if used and not values[used].constant and last_use.get(used, place) == place
        )
    if OUTPUT not in values:
        raise OnnxError(f"does not turn an input '{INPUT}' into an output '{OUTPUT}'")
    return values[OUTPUT].shape


def _step(node: Node, values: Mapping[str, Value]) -> tuple[str, Made, Value]:
    """Return the name of what a node makes, and what is known of it."""
    rule = RULES.get(node.operator)
    if rule is None:
        raise OnnxError("uses an operator that a scorer's network may not use")
    if len(node.outputs) != 1 or not node.outputs[0] or node.outputs[0] in values:
        raise OnnxError(f"has a {node.operator} without an output of its own")
    if not set(node.attributes) <= rule.attributes:
        raise OnnxError(f"has a {node.operator} with an attribute that it may not have")
    if any(name and name not in values for name in node.inputs):
        raise OnnxError(f"has a {node.operator} before what it takes")
    inputs = [values[name] if name else None for name in node.inputs]
    try:
        made = rule.made(inputs, node.attributes)
    except OnnxError:
        raise
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, AttributeError) as error:
        raise OnnxError(f"has a {node.operator} that contradicts itself") from error
    constant = all(value is None or value.constant for value in inputs)
    known = made.known if constant and math.prod(made.shape) <= MOST_KNOWN else None
    element_bytes = (
        required(inputs, 0).element_bytes if made.element is None else made.element.itemsize
    )
    return node.outputs[0], made, Value(made.shape, known, constant, element_bytes)
