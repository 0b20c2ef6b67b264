"""Check a scorer's network before ONNX Runtime loads it.

A network is a program. This module infers the shapes of all tensors, operator by operator, without
running it. A network may use only the operators that `lesionscan.training.network` writes, must map
an input of any size to maps of half that size, and is limited in memory and operations. Parts that
do not depend on the input count too, because ONNX Runtime computes them on loading.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from lesionscan.detection.scorer.onnx_file import Graph, Node, OnnxError, read_onnx
from lesionscan.detection.scorer.operators import (
    MAX_KNOWN,
    RULES,
    Inferred,
    Shape,
    Value,
    required,
    stored,
)

INPUT, OUTPUT = "image", "maps"

MAX_BYTES: Final = 768 << 20
"""Tensors in memory at the same time; the shipped network needs 43 MB."""
MAX_CONSTANT_BYTES: Final = 256 << 20
"""Stored tensors and tensors computed from them alone; the shipped network has 16 MB."""
MAX_OPERATIONS: Final = 100_000_000_000
"""Multiplications and output elements for the largest input; the shipped network needs 2.6e9."""
MAX_PROBE_OPERATIONS: Final = 10_000_000_000
"""The same for the small inputs on which a network is tried on loading; there, 4e8."""
_PROBE_PIXELS = 1 << 15


def check_model(onnx: bytes, inputs: Sequence[Shape]) -> None:
    """Refuse a network that is not a scorer's, or needs too much memory or time.

    Parameters
    ----------
    onnx
        Bytes of the ONNX model.
    inputs
        Shapes (n, channels, rows, cols) of inputs, including the largest one in use. The output
        must have the shape (n, 2, rows / 2, cols / 2).

    Raises
    ------
    ValueError
        With the cause as a phrase that follows the name of the file.
    """
    graph = read_onnx(onnx)
    if graph.inputs != (INPUT,) or graph.outputs != (OUTPUT,):
        raise OnnxError(f"does not turn an input '{INPUT}' into an output '{OUTPUT}'")
    for shape in inputs:
        actual = _output_shape(graph, shape)
        expected = (shape[0], 2, shape[2] // 2, shape[3] // 2)
        if actual != expected:
            raise OnnxError(f"returns {actual} for {shape}, not {expected}")


def _output_shape(graph: Graph, shape: Shape) -> Shape:
    """Return the shape of the output for a shape of the input; check the limits."""
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
        name, inferred, value = _step(node, values)
        values[name] = value
        operations += inferred.multiplications + math.prod(inferred.shape)
        if value.constant:
            constants += value.bytes
        else:
            live += value.bytes
        if live > MAX_BYTES or constants > MAX_CONSTANT_BYTES:
            raise OnnxError(f"needs too much memory ({node.operator})")
        if operations > (MAX_PROBE_OPERATIONS if small else MAX_OPERATIONS):
            raise OnnxError(f"needs too many operations ({node.operator})")
        live -= sum(
            values[used].bytes
            for used in {*node.inputs, name}
            if used and not values[used].constant and last_use.get(used, place) == place
        )
    if OUTPUT not in values:
        raise OnnxError(f"does not turn an input '{INPUT}' into an output '{OUTPUT}'")
    return values[OUTPUT].shape


def _step(node: Node, values: Mapping[str, Value]) -> tuple[str, Inferred, Value]:
    """Return the name of a node's output, and what is known of it."""
    rule = RULES.get(node.operator)
    if rule is None:
        raise OnnxError("uses an operator that is not allowed in a scorer")
    if len(node.outputs) != 1 or not node.outputs[0] or node.outputs[0] in values:
        raise OnnxError(f"has a {node.operator} without a single, unique output")
    if not set(node.attributes) <= rule.attributes:
        raise OnnxError(f"has a {node.operator} with an attribute that is not allowed")
    if any(name and name not in values for name in node.inputs):
        raise OnnxError(f"has a {node.operator} before one of its inputs")
    inputs = [values[name] if name else None for name in node.inputs]
    try:
        inferred = rule.infer(inputs, node.attributes)
    except OnnxError:
        raise
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, AttributeError) as error:
        raise OnnxError(f"has an inconsistent {node.operator}") from error
    constant = all(value is None or value.constant for value in inputs)
    known = inferred.known if constant and math.prod(inferred.shape) <= MAX_KNOWN else None
    element_bytes = (
        required(inputs, 0).element_bytes if inferred.element is None else inferred.element.itemsize
    )
    return node.outputs[0], inferred, Value(inferred.shape, known, constant, element_bytes)
