"""The operators that a scorer's network may use: what each makes of what it takes.

Shapes, few known elements and multiplications are followed without running the operator.
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

MOST_KNOWN = 64
"""Elements of a tensor whose values are followed; shapes and paddings have at most sixteen."""
_MOST_SCALE = 64.0

Shape: TypeAlias = tuple[int, ...]
_Known: TypeAlias = NDArray[np.generic] | None


@dataclass(frozen=True, slots=True)
class Value:
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
class Made:
    """What an operator makes: the shape, the elements where known, and the multiplications.

    The type of the elements is that of the operator's first input where none is given.
    """

    shape: Shape
    known: _Known = None
    multiplications: int = 0
    element: ElementType | None = None


Inputs: TypeAlias = Sequence[Value | None]
Attributes: TypeAlias = Mapping[str, Attribute]


def stored(tensor: Tensor) -> Value:
    """Return what is known of a stored tensor."""
    few = math.prod(tensor.shape) <= MOST_KNOWN
    known = tensor.array() if few else None
    return Value(tensor.shape, known, constant=True, element_bytes=tensor.type.itemsize)


def required(inputs: Inputs, place: int) -> Value:
    """Return an input that may not be left out; ValueError where it is."""
    value = inputs[place]
    if value is None:
        raise ValueError("an input is left out")
    return value


def _optional(inputs: Inputs, place: int) -> Value | None:
    return inputs[place] if place < len(inputs) else None


def _numbers(value: Value) -> tuple[int, ...]:
    """Return the elements of a vector of whole numbers that does not depend on the input."""
    if value.known is None or value.known.dtype.kind != "i" or value.known.ndim != 1:
        raise OnnxError("has a shape that depends on the picture, or that is no shape")
    return tuple(int(number) for number in value.known)


def _sized(shape: Sequence[int], known: _Known = None, multiplications: int = 0) -> Made:
    """Return what is made; every size is at least 1."""
    if min(shape, default=1) < 1:
        raise ValueError("a tensor is empty")
    return Made(tuple(shape), known, multiplications)


def _integers(attributes: Attributes, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    value = attributes.get(name, default)
    if not isinstance(value, tuple) or len(value) != len(default):
        raise TypeError("the attribute is no list of so many whole numbers")
    return value


def _integer(attributes: Attributes, name: str, default: int) -> int:
    value = attributes.get(name, default)
    if not isinstance(value, int):
        raise TypeError("the attribute is no whole number")
    return value


def _constant(_: Inputs, attributes: Attributes) -> Made:
    tensor = attributes["value"]
    if not isinstance(tensor, Tensor):
        raise TypeError("the value is no tensor")
    return Made(tensor.shape, stored(tensor).known, element=tensor.type)


def _identity(inputs: Inputs, _: Attributes) -> Made:
    (value,) = (required(inputs, place) for place in range(len(inputs)))
    return Made(value.shape, value.known)


def _cast(inputs: Inputs, attributes: Attributes) -> Made:
    value = required(inputs, 0)
    element = ELEMENT_TYPES[_integer(attributes, "to", 0)]
    whole = value.known is not None and value.known.dtype.kind == element.kind == "i"
    return Made(value.shape, value.known if whole else None, element=element)


def _constant_of_shape(inputs: Inputs, attributes: Attributes) -> Made:
    shape = _numbers(required(inputs, 0))
    tensor = attributes["value"]
    if not isinstance(tensor, Tensor) or tensor.shape != (1,) or min(shape, default=0) < 0:
        raise ValueError("the value is no single number, or the shape none")
    few = math.prod(shape) <= MOST_KNOWN
    known = np.full(shape, tensor.array()[0]) if few else None
    return Made(shape, known, element=tensor.type)


def _concat(inputs: Inputs, attributes: Attributes) -> Made:
    parts = [required(inputs, place) for place in range(len(inputs))]
    shape = list(parts[0].shape)
    axis = range(len(shape))[_integer(attributes, "axis", len(shape))]
    for one, other in pairwise(parts):
        for place, (size, same) in enumerate(zip(one.shape, other.shape, strict=True)):
            if place != axis and size != same:
                raise ValueError("the parts do not fit together")
    shape[axis] = sum(part.shape[axis] for part in parts)
    arrays = [part.known for part in parts if part.known is not None]
    known = np.concatenate(arrays, axis) if len(arrays) == len(parts) else None
    return Made(tuple(shape), known)


def _reshape(inputs: Inputs, _: Attributes) -> Made:
    value, sizes = required(inputs, 0), list(_numbers(required(inputs, 1)))
    shape = [value.shape[place] if size == 0 else size for place, size in enumerate(sizes)]
    whole = math.prod(value.shape)
    if shape.count(-1) == 1:
        rest = math.prod(size for size in shape if size != -1)
        shape[shape.index(-1)] = whole // rest if rest > 0 else 0
    if min(shape, default=1) < 0 or math.prod(shape) != whole:
        raise ValueError("the sizes do not fit")
    return Made(tuple(shape), None if value.known is None else value.known.reshape(shape))


def _slice(inputs: Inputs, _: Attributes) -> Made:
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
    return Made(shape, None if value.known is None else value.known[tuple(cuts)])


def _transpose(inputs: Inputs, attributes: Attributes) -> Made:
    value = required(inputs, 0)
    order = _integers(attributes, "perm", tuple(reversed(range(len(value.shape)))))
    if sorted(order) != list(range(len(order))):
        raise ValueError("the order is none")
    known = None if value.known is None else value.known.transpose(order)
    return Made(tuple(value.shape[axis] for axis in order), known)


def _pad(inputs: Inputs, attributes: Attributes) -> Made:
    value, pads = required(inputs, 0), _numbers(required(inputs, 1))
    if attributes.get("mode", "constant") != "constant" or len(pads) != 2 * len(value.shape):
        raise ValueError("the padding is none")
    before, after = pads[: len(value.shape)], pads[len(value.shape) :]
    return _sized([sum(sizes) for sizes in zip(value.shape, before, after, strict=True)])


def _add(inputs: Inputs, _: Attributes) -> Made:
    one, other = (required(inputs, place) for place in (0, 1))
    return Made(np.broadcast_shapes(one.shape, other.shape))


def _clip(inputs: Inputs, _: Attributes) -> Made:
    for limit in inputs[1:]:
        if limit is not None and math.prod(limit.shape) != 1:
            raise ValueError("a limit is no single number")
    return Made(required(inputs, 0).shape)


def _batch_normalization(inputs: Inputs, attributes: Attributes) -> Made:
    picture, *norms = (required(inputs, place) for place in range(5))
    if _integer(attributes, "training_mode", 0) or any(
        norm.shape != (picture.shape[1],) for norm in norms
    ):
        raise ValueError("the channels do not fit")
    return Made(picture.shape)


def _conv(inputs: Inputs, attributes: Attributes) -> Made:
    picture, weights, bias = (*(required(inputs, n) for n in (0, 1)), _optional(inputs, 2))
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


def _resize(inputs: Inputs, attributes: Attributes) -> Made:
    value, scales = required(inputs, 0), required(inputs, 2).known
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
class Rule:
    """How one operator is followed, and the attributes that it may have."""

    made: Callable[[Inputs, Attributes], Made]
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
