"""Shape inference for the operators that a scorer's network may use.

Shapes, the values of small tensors and multiplications are inferred without running an operator.
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
    OnnxError,
    Tensor,
)

MAX_KNOWN = 64
"""Most elements of a tensor whose values are tracked; shapes and paddings have at most sixteen."""
_MAX_SCALE = 64.0

Shape: TypeAlias = tuple[int, ...]
_Known: TypeAlias = NDArray[np.generic] | None


@dataclass(frozen=True, slots=True)
class Value:
    """What is known of a tensor without running the network.

    Attributes
    ----------
    shape
        Dimensions, all at least 1; () for a scalar, (0,) for an empty tensor.
    known
        The elements if they are few and do not depend on the input, otherwise None.
    constant
        Whether the tensor is independent of the input.
    element_bytes
        Bytes per element.
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
class Inferred:
    """Inferred output of an operator: shape, elements if known, multiplications, element type.

    Without an element type, it is that of the operator's first input.
    """

    shape: Shape
    known: _Known = None
    multiplications: int = 0
    element: ElementType | None = None


Inputs: TypeAlias = Sequence[Value | None]
Attributes: TypeAlias = Mapping[str, Attribute]


def stored(tensor: Tensor) -> Value:
    """Return the value of a stored tensor."""
    few = math.prod(tensor.shape) <= MAX_KNOWN
    known = tensor.array() if few else None
    return Value(tensor.shape, known, constant=True, element_bytes=tensor.type.itemsize)


def required(inputs: Inputs, place: int) -> Value:
    """Return a required input; raise ValueError if it is omitted."""
    value = inputs[place]
    if value is None:
        raise ValueError("an input is omitted")
    return value


def _optional(inputs: Inputs, place: int) -> Value | None:
    return inputs[place] if place < len(inputs) else None


def _numbers(value: Value) -> tuple[int, ...]:
    """Return the elements of a constant vector of integers."""
    if value.known is None or value.known.dtype.kind != "i" or value.known.ndim != 1:
        raise OnnxError("has a shape that depends on the image, or is invalid")
    return tuple(int(number) for number in value.known)


def _not_empty(shape: Sequence[int], known: _Known = None, multiplications: int = 0) -> Inferred:
    """Return an output; raise ValueError if it is empty."""
    if min(shape, default=1) < 1:
        raise ValueError("a tensor is empty")
    return Inferred(tuple(shape), known, multiplications)


def _integers(attributes: Attributes, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    value = attributes.get(name, default)
    if not isinstance(value, tuple) or len(value) != len(default):
        raise TypeError(f"the attribute is not a list of {len(default)} integers")
    return value


def _integer(attributes: Attributes, name: str, default: int) -> int:
    value = attributes.get(name, default)
    if not isinstance(value, int):
        raise TypeError("the attribute is not an integer")
    return value


def _constant(_: Inputs, attributes: Attributes) -> Inferred:
    tensor = attributes["value"]
    if not isinstance(tensor, Tensor):
        raise TypeError("the value is not a tensor")
    return Inferred(tensor.shape, stored(tensor).known, element=tensor.type)


def _identity(inputs: Inputs, _: Attributes) -> Inferred:
    (value,) = (required(inputs, place) for place in range(len(inputs)))
    return Inferred(value.shape, value.known)


def _cast(inputs: Inputs, attributes: Attributes) -> Inferred:
    value = required(inputs, 0)
    element = ELEMENT_TYPES[_integer(attributes, "to", 0)]
    whole = value.known is not None and value.known.dtype.kind == element.kind == "i"
    return Inferred(value.shape, value.known if whole else None, element=element)


def _constant_of_shape(inputs: Inputs, attributes: Attributes) -> Inferred:
    shape = _numbers(required(inputs, 0))
    tensor = attributes["value"]
    if not isinstance(tensor, Tensor) or tensor.shape != (1,) or min(shape, default=0) < 0:
        raise ValueError("the value is not a scalar, or the shape is invalid")
    few = math.prod(shape) <= MAX_KNOWN
    known = np.full(shape, tensor.array()[0]) if few else None
    return Inferred(shape, known, element=tensor.type)


def _concat(inputs: Inputs, attributes: Attributes) -> Inferred:
    parts = [required(inputs, place) for place in range(len(inputs))]
    shape = list(parts[0].shape)
    axis = range(len(shape))[_integer(attributes, "axis", len(shape))]
    for one, other in pairwise(parts):
        for place, (size, same) in enumerate(zip(one.shape, other.shape, strict=True)):
            if place != axis and size != same:
                raise ValueError("the shapes do not match")
    shape[axis] = sum(part.shape[axis] for part in parts)
    arrays = [part.known for part in parts if part.known is not None]
    known = np.concatenate(arrays, axis) if len(arrays) == len(parts) else None
    return Inferred(tuple(shape), known)


def _reshape(inputs: Inputs, _: Attributes) -> Inferred:
    value, sizes = required(inputs, 0), list(_numbers(required(inputs, 1)))
    shape = [value.shape[place] if size == 0 else size for place, size in enumerate(sizes)]
    whole = math.prod(value.shape)
    if shape.count(-1) == 1:
        rest = math.prod(size for size in shape if size != -1)
        shape[shape.index(-1)] = whole // rest if rest > 0 else 0
    if min(shape, default=1) < 0 or math.prod(shape) != whole:
        raise ValueError("the sizes do not match")
    return Inferred(tuple(shape), None if value.known is None else value.known.reshape(shape))


def _slice(inputs: Inputs, _: Attributes) -> Inferred:
    value = required(inputs, 0)
    starts, ends = (_numbers(required(inputs, place)) for place in (1, 2))
    axes, steps = (_optional(inputs, place) for place in (3, 4))
    along = tuple(range(len(starts))) if axes is None else _numbers(axes)
    by = (1,) * len(starts) if steps is None else _numbers(steps)
    cuts = [slice(None)] * len(value.shape)
    for axis, start, end, step in zip(along, starts, ends, by, strict=True):
        cuts[axis] = slice(start, end, step)
    shape = tuple(
        len(range(*cut.indices(size))) for cut, size in zip(cuts, value.shape, strict=True)
    )
    return Inferred(shape, None if value.known is None else value.known[tuple(cuts)])


def _transpose(inputs: Inputs, attributes: Attributes) -> Inferred:
    value = required(inputs, 0)
    order = _integers(attributes, "perm", tuple(reversed(range(len(value.shape)))))
    if sorted(order) != list(range(len(order))):
        raise ValueError("the permutation is invalid")
    known = None if value.known is None else value.known.transpose(order)
    return Inferred(tuple(value.shape[axis] for axis in order), known)


def _pad(inputs: Inputs, attributes: Attributes) -> Inferred:
    value, pads = required(inputs, 0), _numbers(required(inputs, 1))
    if attributes.get("mode", "constant") != "constant" or len(pads) != 2 * len(value.shape):
        raise ValueError("the padding is invalid")
    before, after = pads[: len(value.shape)], pads[len(value.shape) :]
    return _not_empty([sum(sizes) for sizes in zip(value.shape, before, after, strict=True)])


def _add(inputs: Inputs, _: Attributes) -> Inferred:
    one, other = (required(inputs, place) for place in (0, 1))
    return Inferred(np.broadcast_shapes(one.shape, other.shape))


def _clip(inputs: Inputs, _: Attributes) -> Inferred:
    for limit in inputs[1:]:
        if limit is not None and math.prod(limit.shape) != 1:
            raise ValueError("a limit is not a scalar")
    return Inferred(required(inputs, 0).shape)


def _batch_normalization(inputs: Inputs, attributes: Attributes) -> Inferred:
    picture, *norms = (required(inputs, place) for place in range(5))
    if _integer(attributes, "training_mode", 0) or any(
        norm.shape != (picture.shape[1],) for norm in norms
    ):
        raise ValueError("the channels do not match")
    return Inferred(picture.shape)


def _conv(inputs: Inputs, attributes: Attributes) -> Inferred:
    picture, weights, bias = (*(required(inputs, n) for n in (0, 1)), _optional(inputs, 2))
    count, channels, *sides = picture.shape
    out_channels, group_channels, *kernel = weights.shape
    groups = _integer(attributes, "group", 1)
    fits = (
        len(sides) == len(kernel) == 2
        and groups >= 1
        and out_channels % groups == 0
        and group_channels * groups == channels
        and _integers(attributes, "kernel_shape", tuple(kernel)) == tuple(kernel)
        and (bias is None or bias.shape == (out_channels,))
    )
    pads = _integers(attributes, "pads", (0, 0, 0, 0))
    strides, dilations = (_integers(attributes, n, (1, 1)) for n in ("strides", "dilations"))
    if not fits or min(pads) < 0 or min(*strides, *dilations) < 1:
        raise ValueError("the convolution does not match its input")
    grid = [
        (sides[n] + pads[n] + pads[n + 2] - dilations[n] * (kernel[n] - 1) - 1) // strides[n] + 1
        for n in (0, 1)
    ]
    shape = (count, out_channels, *grid)
    return _not_empty(shape, multiplications=math.prod(shape) * math.prod(weights.shape[1:]))


def _resize(inputs: Inputs, attributes: Attributes) -> Inferred:
    value, scales = required(inputs, 0), required(inputs, 2).known
    if (
        len(inputs) != 3
        or scales is None
        or scales.shape != (len(value.shape),)
        or attributes.get("mode") not in {"linear", "nearest"}
    ):
        raise ValueError("the scales are invalid")
    # float32, as the operator computes it
    factors = scales.astype(np.float32)
    if not ((factors > 0) & (factors <= _MAX_SCALE)).all():
        raise ValueError("a scale is too large or not positive")
    return _not_empty([int(size) for size in np.floor(np.array(value.shape, np.float32) * factors)])


@dataclass(frozen=True, slots=True)
class Rule:
    """Shape inference of an operator, and the attributes that it may have."""

    infer: Callable[[Inputs, Attributes], Inferred]
    attributes: frozenset[str] = frozenset()


RULES: Final[Mapping[str, Rule]] = {
    "Add": Rule(_add),
    "BatchNormalization": Rule(
        _batch_normalization, frozenset({"epsilon", "momentum", "training_mode"})
    ),
    "Cast": Rule(_cast, frozenset({"to"})),
    "Clip": Rule(_clip),
    "Concat": Rule(_concat, frozenset({"axis"})),
    "Constant": Rule(_constant, frozenset({"value"})),
    "ConstantOfShape": Rule(_constant_of_shape, frozenset({"value"})),
    "Conv": Rule(_conv, frozenset({"dilations", "group", "kernel_shape", "pads", "strides"})),
    "Identity": Rule(_identity),
    "Pad": Rule(_pad, frozenset({"mode"})),
    "Reshape": Rule(_reshape),
    "Resize": Rule(
        _resize,
        frozenset({"coordinate_transformation_mode", "cubic_coeff_a", "mode", "nearest_mode"}),
    ),
    "Slice": Rule(_slice),
    "Transpose": Rule(_transpose, frozenset({"perm"})),
}
"""The operators that `lesionscan.training.network.to_onnx` writes."""
