"""What a scorer's network would do, worked out before ONNX Runtime loads it.

A network is a program. This module follows the shapes of all its tensors, operator by operator, for
the inputs that it will get, without running it: it may use only the operators that
`lesionscan.training.network` writes, must turn an input of any size into maps of half that size,
and may take only so much memory and so many operations. ONNX Runtime computes what depends on no
input when it loads a network, so these parts count as well.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lesionscan.detection.scorer.onnx_file import (
    ELEMENT_TYPES,
    Attribute,
    ElementType,
    Graph,
    Node,
    OnnxError,
    Tensor,
    read_onnx,
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

_MOST_KNOWN = 64
"""Elements of a tensor whose values are followed; shapes and paddings have at most sixteen."""
_MOST_SCALE = 64.0

Shape: TypeAlias = tuple[int, ...]
_Known: TypeAlias = NDArray[np.generic] | None


@dataclass(frozen=True, slots=True)
class _Value:
    """What is known of a tensor without running the network.

    Attributes
    ----------
    shape
        Its dimensions, all at least 1, or none for a single number; or (0,) where it is empty.
    known
        Its elements where they are few and do not depend on the input, otherwise None.
    constant
        Whether it does not depend on the input.
    element_bytes
        Bytes of one element.
    """

    shape: Shape
    known: _Known = None
    constant: bool = False
    element_bytes: int = 4

    @property
    def bytes(self) -> int:
        """Bytes of all its elements."""
        return math.prod(self.shape) * self.element_bytes


@dataclass(frozen=True, slots=True)
class _Made:
    """What an operator makes: the shape, the elements where known, and the multiplications.

    The type of the elements is that of the operator's first input where none is given.
    """

    shape: Shape
    known: _Known = None
    multiplications: int = 0
    element: ElementType | None = None


_Inputs: TypeAlias = Sequence[_Value | None]
_Attributes: TypeAlias = Mapping[str, Attribute]


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
    values = {name: _stored(tensor) for name, tensor in graph.tensors.items()}
    if INPUT in values:
        raise OnnxError("stores a tensor under the name of its input")
    values[INPUT] = _Value(shape)
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


def _step(node: Node, values: Mapping[str, _Value]) -> tuple[str, _Made, _Value]:
    """Return the name of what a node makes, and what is known of it."""
    rule = _RULES.get(node.operator)
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
    known = made.known if constant and math.prod(made.shape) <= _MOST_KNOWN else None
    element_bytes = (
        _required(inputs, 0).element_bytes if made.element is None else made.element.itemsize
    )
    return node.outputs[0], made, _Value(made.shape, known, constant, element_bytes)


def _stored(tensor: Tensor) -> _Value:
    few = math.prod(tensor.shape) <= _MOST_KNOWN
    known = tensor.array() if few else None
    return _Value(tensor.shape, known, constant=True, element_bytes=tensor.type.itemsize)


def _required(inputs: _Inputs, place: int) -> _Value:
    value = inputs[place]
    if value is None:
        raise ValueError("an input is left out")
    return value


def _optional(inputs: _Inputs, place: int) -> _Value | None:
    return inputs[place] if place < len(inputs) else None


def _numbers(value: _Value) -> tuple[int, ...]:
    """Return the elements of a vector of whole numbers that does not depend on the input."""
    if value.known is None or value.known.dtype.kind != "i" or value.known.ndim != 1:
        raise OnnxError("has a shape that depends on the picture, or that is no shape")
    return tuple(int(number) for number in value.known)


def _sized(shape: Sequence[int], known: _Known = None, multiplications: int = 0) -> _Made:
    """Return what is made; every size is at least 1."""
    if min(shape, default=1) < 1:
        raise ValueError("a tensor is empty")
    return _Made(tuple(shape), known, multiplications)


def _integers(attributes: _Attributes, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    value = attributes.get(name, default)
    if not isinstance(value, tuple) or len(value) != len(default):
        raise TypeError("the attribute is no list of so many whole numbers")
    return value


def _integer(attributes: _Attributes, name: str, default: int) -> int:
    value = attributes.get(name, default)
    if not isinstance(value, int):
        raise TypeError("the attribute is no whole number")
    return value


def _constant(_: _Inputs, attributes: _Attributes) -> _Made:
    tensor = attributes["value"]
    if not isinstance(tensor, Tensor):
        raise TypeError("the value is no tensor")
    return _Made(tensor.shape, _stored(tensor).known, element=tensor.type)


def _identity(inputs: _Inputs, _: _Attributes) -> _Made:
    (value,) = (_required(inputs, place) for place in range(len(inputs)))
    return _Made(value.shape, value.known)


def _cast(inputs: _Inputs, attributes: _Attributes) -> _Made:
    value = _required(inputs, 0)
    element = ELEMENT_TYPES[_integer(attributes, "to", 0)]
    whole = value.known is not None and value.known.dtype.kind == element.kind == "i"
    return _Made(value.shape, value.known if whole else None, element=element)


def _constant_of_shape(inputs: _Inputs, attributes: _Attributes) -> _Made:
    shape = _numbers(_required(inputs, 0))
    tensor = attributes["value"]
    if not isinstance(tensor, Tensor) or tensor.shape != (1,) or min(shape, default=0) < 0:
        raise ValueError("the value is no single number, or the shape none")
    few = math.prod(shape) <= _MOST_KNOWN
    known = np.full(shape, tensor.array()[0]) if few else None
    return _Made(shape, known, element=tensor.type)


def _concat(inputs: _Inputs, attributes: _Attributes) -> _Made:
    parts = [_required(inputs, place) for place in range(len(inputs))]
    shape = list(parts[0].shape)
    axis = range(len(shape))[_integer(attributes, "axis", len(shape))]
    for one, other in pairwise(parts):
        for place, (size, same) in enumerate(zip(one.shape, other.shape, strict=True)):
            if place != axis and size != same:
                raise ValueError("the parts do not fit together")
    shape[axis] = sum(part.shape[axis] for part in parts)
    arrays = [part.known for part in parts if part.known is not None]
    known = np.concatenate(arrays, axis) if len(arrays) == len(parts) else None
    return _Made(tuple(shape), known)


def _reshape(inputs: _Inputs, _: _Attributes) -> _Made:
    value, sizes = _required(inputs, 0), list(_numbers(_required(inputs, 1)))
    shape = [value.shape[place] if size == 0 else size for place, size in enumerate(sizes)]
    whole = math.prod(value.shape)
    if shape.count(-1) == 1:
        rest = math.prod(size for size in shape if size != -1)
        shape[shape.index(-1)] = whole // rest if rest > 0 else 0
    if min(shape, default=1) < 0 or math.prod(shape) != whole:
        raise ValueError("the sizes do not fit")
    return _Made(tuple(shape), None if value.known is None else value.known.reshape(shape))


def _slice(inputs: _Inputs, _: _Attributes) -> _Made:
    value = _required(inputs, 0)
    starts, ends = (_numbers(_required(inputs, place)) for place in (1, 2))
    axes, steps = (_optional(inputs, place) for place in (3, 4))
    along = tuple(range(len(starts))) if axes is None else _numbers(axes)
    by = (1,) * len(starts) if steps is None else _numbers(steps)
    cuts = [slice(None)] * len(value.shape)
    for axis, start, end, step in zip(along, starts, ends, by, strict=True):
        cuts[axis] = slice(start, end, step)
    shape = tuple(
        len(range(*cut.indices(size))) for cut, size in zip(cuts, value.shape, strict=True)
    )
    return _Made(shape, None if value.known is None else value.known[tuple(cuts)])


def _transpose(inputs: _Inputs, attributes: _Attributes) -> _Made:
    value = _required(inputs, 0)
    order = _integers(attributes, "perm", tuple(reversed(range(len(value.shape)))))
    if sorted(order) != list(range(len(order))):
        raise ValueError("the order is none")
    known = None if value.known is None else value.known.transpose(order)
    return _Made(tuple(value.shape[axis] for axis in order), known)


def _pad(inputs: _Inputs, attributes: _Attributes) -> _Made:
    value, pads = _required(inputs, 0), _numbers(_required(inputs, 1))
    if attributes.get("mode", "constant") != "constant" or len(pads) != 2 * len(value.shape):
        raise ValueError("the padding is none")
    before, after = pads[: len(value.shape)], pads[len(value.shape) :]
    return _sized([sum(sizes) for sizes in zip(value.shape, before, after, strict=True)])


def _add(inputs: _Inputs, _: _Attributes) -> _Made:
    one, other = (_required(inputs, place) for place in (0, 1))
    return _Made(np.broadcast_shapes(one.shape, other.shape))


def _clip(inputs: _Inputs, _: _Attributes) -> _Made:
    for limit in inputs[1:]:
        if limit is not None and math.prod(limit.shape) != 1:
            raise ValueError("a limit is no single number")
    return _Made(_required(inputs, 0).shape)


def _batch_normalization(inputs: _Inputs, attributes: _Attributes) -> _Made:
    picture, *norms = (_required(inputs, place) for place in range(5))
    if _integer(attributes, "training_mode", 0) or any(
        norm.shape != (picture.shape[1],) for norm in norms
    ):
        raise ValueError("the channels do not fit")
    return _Made(picture.shape)


def _conv(inputs: _Inputs, attributes: _Attributes) -> _Made:
    picture, weights, bias = (*(_required(inputs, n) for n in (0, 1)), _optional(inputs, 2))
    count, channels, *sides = picture.shape
    made, taken, *kernel = weights.shape
    groups = _integer(attributes, "group", 1)
    fits = (
        len(sides) == len(kernel) == 2
        and groups >= 1
        and made % groups == 0
        and taken * groups == channels
        and _integers(attributes, "kernel_shape", tuple(kernel)) == tuple(kernel)
        and (bias is None or bias.shape == (made,))
    )
    pads = _integers(attributes, "pads", (0, 0, 0, 0))
    strides, dilations = (_integers(attributes, n, (1, 1)) for n in ("strides", "dilations"))
    if not fits or min(pads) < 0 or min(*strides, *dilations) < 1:
        raise ValueError("the convolution does not fit its input")
    grid = [
        (sides[n] + pads[n] + pads[n + 2] - dilations[n] * (kernel[n] - 1) - 1) // strides[n] + 1
        for n in (0, 1)
    ]
    shape = (count, made, *grid)
    return _sized(shape, multiplications=math.prod(shape) * math.prod(weights.shape[1:]))


def _resize(inputs: _Inputs, attributes: _Attributes) -> _Made:
    value, scales = _required(inputs, 0), _required(inputs, 2).known
    if (
        len(inputs) != 3
        or scales is None
        or scales.shape != (len(value.shape),)
        or attributes.get("mode") not in {"linear", "nearest"}
    ):
        raise ValueError("the scales are none")
    # float32, as the operator computes it
    factors = scales.astype(np.float32)
    if not ((factors > 0) & (factors <= _MOST_SCALE)).all():
        raise ValueError("a scale is too large, or none")
    return _sized([int(size) for size in np.floor(np.array(value.shape, np.float32) * factors)])


@dataclass(frozen=True, slots=True)
class _Rule:
    """How one operator is followed, and the attributes that it may have."""

    made: Callable[[_Inputs, _Attributes], _Made]
    attributes: frozenset[str] = frozenset()


_RULES: Final[Mapping[str, _Rule]] = {
    "Add": _Rule(_add),
    "BatchNormalization": _Rule(
        _batch_normalization, frozenset({"epsilon", "momentum", "training_mode"})
    ),
    "Cast": _Rule(_cast, frozenset({"to"})),
    "Clip": _Rule(_clip),
    "Concat": _Rule(_concat, frozenset({"axis"})),
    "Constant": _Rule(_constant, frozenset({"value"})),
    "ConstantOfShape": _Rule(_constant_of_shape, frozenset({"value"})),
    "Conv": _Rule(_conv, frozenset({"dilations", "group", "kernel_shape", "pads", "strides"})),
    "Identity": _Rule(_identity),
    "Pad": _Rule(_pad, frozenset({"mode"})),
    "Reshape": _Rule(_reshape),
    "Resize": _Rule(
        _resize,
        frozenset({"coordinate_transformation_mode", "cubic_coeff_a", "mode", "nearest_mode"}),
    ),
    "Slice": _Rule(_slice),
    "Transpose": _Rule(_transpose, frozenset({"perm"})),
}
"""The operators that `lesionscan.training.network.to_onnx` writes."""
