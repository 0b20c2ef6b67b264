"""Read ONNX strictly: only the part that a scorer's network may use.

ONNX Runtime accepts weights in other files, operators of other domains, loops, branches and
functions. A scorer file may contain none of them, so that its hash covers everything that it does.
This reader therefore refuses unknown fields, fields that occur too often, and numbers in another
encoding than that of ``onnx.proto``; what it returns is the whole content of the file.

References
----------
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto and
https://protobuf.dev/programming-guides/encoding
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

ElementType: TypeAlias = np.dtype[np.generic]

ELEMENT_TYPES: Final[Mapping[int, ElementType]] = {
    1: np.dtype("<f4"), 7: np.dtype("<i8"), 10: np.dtype("<f2"),
}  # fmt: skip
"""TensorProto.DataType of the tensors that a network may hold: float, int64 and float16."""

_OPSETS = range(13, 18)
"""Versions of the operators that `operators` implements; training writes 13."""
_MAX_NODES, _MAX_TENSORS = 4_000, 4_000
"""The shipped network has 624 nodes and 292 tensors."""
_MAX_DIMENSIONS = 8
_MAX_NAMES, _MAX_ATTRIBUTES = 64, 16
"""Inputs or outputs of one node (a concatenation has many), and its attributes."""

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor stored in the file.

    Attributes
    ----------
    shape
        Dimensions.
    type
        Type of the elements.
    data
        The elements, little-endian; their number fits the shape.
    """

    shape: tuple[int, ...]
    type: ElementType
    data: memoryview

    def array(self) -> NDArray[np.generic]:
        """Return the elements."""
        return np.frombuffer(self.data, self.type).reshape(self.shape)


Attribute: TypeAlias = float | int | str | Tensor | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One operation.

    Attributes
    ----------
    operator
        Name of the operator, in the default domain.
    inputs, outputs
        Names of the tensors; an omitted input has an empty name.
    attributes
        Attributes by name.
    """

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True, slots=True)
class Graph:
    """A network.

    Attributes
    ----------
    nodes
        The operations, in the order in which they run.
    tensors
        The stored tensors by name.
    inputs, outputs
        Names of the network's inputs and outputs.
    """

    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class OnnxError(ValueError):
    """A file that is not ONNX, or uses a part of ONNX that is not allowed in a scorer."""


@dataclass(frozen=True, slots=True)
class _Field:
    """Content allowed under a field number of a message."""

    name: str
    kind: Literal["int", "float", "bytes"]
    at_most: int = 1


_Message: TypeAlias = dict[str, list[int | float | memoryview]]

_MODEL = {
    1: _Field("ir_version", "int"), 2: _Field("producer_name", "bytes"),
    3: _Field("producer_version", "bytes"), 4: _Field("domain", "bytes"),
    5: _Field("model_version", "int"), 6: _Field("doc_string", "bytes"),
    7: _Field("graph", "bytes"), 8: _Field("opset_import", "bytes"),
}  # fmt: skip
_OPSET = {1: _Field("domain", "bytes"), 2: _Field("version", "int")}
_GRAPH = {
    1: _Field("node", "bytes", _MAX_NODES), 2: _Field("name", "bytes"),
    5: _Field("initializer", "bytes", _MAX_TENSORS), 10: _Field("doc_string", "bytes"),
    11: _Field("input", "bytes"), 12: _Field("output", "bytes"),
}  # fmt: skip
_VALUE_INFO = {1: _Field("name", "bytes"), 2: _Field("type", "bytes")}
_NODE = {
    1: _Field("input", "bytes", _MAX_NAMES), 2: _Field("output", "bytes", _MAX_NAMES),
    3: _Field("name", "bytes"), 4: _Field("op_type", "bytes"),
    5: _Field("attribute", "bytes", _MAX_ATTRIBUTES), 6: _Field("doc_string", "bytes"),
    7: _Field("domain", "bytes"),
}  # fmt: skip
_ATTRIBUTE = {
    1: _Field("name", "bytes"), 2: _Field("f", "float"), 3: _Field("i", "int"),
    4: _Field("s", "bytes"), 5: _Field("t", "bytes"),
    8: _Field("ints", "int", 2 * _MAX_DIMENSIONS), 20: _Field("type", "int"),
}  # fmt: skip
_ATTRIBUTE_VALUES = {1: "f", 2: "i", 3: "s", 4: "t", 7: "ints"}
"""AttributeProto.AttributeType, and the field that holds the value; subgraphs (5) are refused."""
_TENSOR = {
    1: _Field("dims", "int", _MAX_DIMENSIONS), 2: _Field("data_type", "int"),
    8: _Field("name", "bytes"), 9: _Field("raw_data", "bytes"),
}  # fmt: skip

_REFUSED_FIELDS = {
    ("model", 25): "defines functions",
    ("tensor", 13): "stores weights in another file, which its hash would not cover",
    ("tensor", 14): "stores weights in another file, which its hash would not cover",
    ("attribute", 6): "uses loops or branches",
    ("attribute", 11): "uses loops or branches",
}
"""Fields with their own message; all other unknown fields share one."""


def read_onnx(data: bytes) -> Graph:
    """Read a network.

    Parameters
    ----------
    data
        Bytes of an ONNX model.

    Returns
    -------
    Graph
        The content without names, versions and comments. The stored tensors are views of `data`.

    Raises
    ------
    OnnxError
        If it is not an ONNX model, or uses a part of ONNX that is not allowed.
    """
    model = _message("model", memoryview(data), _MODEL)
    opset = _message("opset", _only(model, "opset_import"), _OPSET)
    if _text(opset, "domain"):
        raise OnnxError("uses operators of another domain")
    version = _number(opset, "version")
    if version not in _OPSETS:
        raise OnnxError(
            f"uses version {version} of the ONNX operators; this version of lesionscan supports "
            f"{_OPSETS[0]} to {_OPSETS[-1]}"
        )
    graph = _message("graph", _only(model, "graph"), _GRAPH)
    tensors: dict[str, Tensor] = {}
    for part in _parts(graph, "initializer"):
        message = _message("tensor", part, _TENSOR)
        name = _text(message, "name")
        if name in tensors:
            raise OnnxError("has two stored tensors with the same name")
        tensors[name] = _tensor(message)
    return Graph(
        nodes=tuple(_node(part) for part in _parts(graph, "node")),
        tensors=tensors,
        inputs=tuple(_value_names(graph, "input")),
        outputs=tuple(_value_names(graph, "output")),
    )


def _value_names(graph: _Message, name: str) -> Iterator[str]:
    for part in _parts(graph, name):
        yield _text(_message("value", part, _VALUE_INFO), "name")


def _node(data: memoryview) -> Node:
    message = _message("node", data, _NODE)
    if _text(message, "domain"):
        raise OnnxError("uses operators of another domain")
    attributes: dict[str, Attribute] = {}
    for part in _parts(message, "attribute"):
        entry = _message("attribute", part, _ATTRIBUTE)
        name = _text(entry, "name")
        if name in attributes:
            raise OnnxError("has an attribute twice")
        attributes[name] = _attribute(entry)
    return Node(
        operator=_text(message, "op_type"),
        inputs=tuple(_decoded(part) for part in _parts(message, "input")),
        outputs=tuple(_decoded(part) for part in _parts(message, "output")),
        attributes=attributes,
    )


def _attribute(entry: _Message) -> Attribute:
    """Return the value of an attribute, which is in the field that its type names."""
    held = set(entry) - {"name", "type"}
    field = _ATTRIBUTE_VALUES.get(_number(entry, "type"))
    if field is None or not held <= {field} or (not held and field != "ints"):
        raise OnnxError("has an attribute of a type that is not allowed")
    if field == "ints":
        return tuple(int(value) for value in entry.get("ints", ()) if isinstance(value, int))
    (value,) = entry[field]
    if not isinstance(value, memoryview):
        return value
    return _tensor(_message("tensor", value, _TENSOR)) if field == "t" else _decoded(value)


def _tensor(message: _Message) -> Tensor:
    shape = tuple(int(size) for size in message.get("dims", ()) if isinstance(size, int))
    element = ELEMENT_TYPES.get(_number(message, "data_type"))
    if element is None:
        raise OnnxError("stores a tensor of a type that is not allowed")
    data = _only(message, "raw_data")
    if min(shape, default=0) < 0 or math.prod(shape) * element.itemsize != len(data):
        raise OnnxError("has a stored tensor whose size does not fit its shape")
    return Tensor(shape, element, data)


def _parts(message: _Message, name: str) -> Iterator[memoryview]:
    for value in message.get(name, ()):
        if isinstance(value, memoryview):
            yield value


def _only(message: _Message, name: str) -> memoryview:
    """Return the bytes of a required field."""
    for part in _parts(message, name):
        return part
    raise OnnxError(f"is not a valid ONNX model (it has no {name})")


def _number(message: _Message, name: str) -> int:
    """Return an integer, 0 if omitted as in every protocol buffer."""
    (value,) = message.get(name, [0])
    return int(value) if isinstance(value, int) else 0


def _text(message: _Message, name: str) -> str:
    """Return a text, empty if omitted."""
    return next((_decoded(part) for part in _parts(message, name)), "")


def _decoded(data: memoryview) -> str:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise _broken() from error


def _broken() -> OnnxError:
    return OnnxError("is not a valid ONNX model")


def _message(kind: str, data: memoryview, fields: Mapping[int, _Field]) -> _Message:
    """Split a message into its fields; refuse unknown and too many fields."""
    found: _Message = {}
    for number, value in _entries(data):
        field = fields.get(number)
        if field is None:
            reason = _REFUSED_FIELDS.get(
                (kind, number), "is not an ONNX model of the kind that lesionscan train writes"
            )
            raise OnnxError(reason)
        values = found.setdefault(field.name, [])
        if field.kind == "int" and field.at_most > 1 and isinstance(value, memoryview):
            values += _packed(value, field.at_most)
        elif isinstance(value, {"int": int, "float": float, "bytes": memoryview}[field.kind]):
            values.append(value)
        else:
            raise _broken()
        if len(values) > field.at_most:
            raise OnnxError(
                f"has more than {field.at_most:,} entries {field.name} in one {kind}, the most "
                "allowed"
            )
    return found


def _entries(data: memoryview) -> Iterator[tuple[int, int | float | memoryview]]:
    """Yield number and value of each field of a message."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, place = _varint(data, place)
            yield number, value - (1 << 64) if value >> 63 else value
            continue
        if wire_type == _BYTES:
            size, place = _varint(data, place)
        elif wire_type in {_FIXED_32, _FIXED_64}:
            size = 4 if wire_type == _FIXED_32 else 8
        else:
            raise _broken()
        part = data[place : place + size]
        if len(part) != size:
            raise _broken()
        place += size
        if wire_type == _BYTES:
            yield number, part
        else:
            yield number, float(np.frombuffer(part, "<f4" if size == 4 else "<f8")[0])


def _packed(data: memoryview, at_most: int) -> list[int | float | memoryview]:
    """Return the integers of a packed field, at most one more than allowed."""
    values: list[int | float | memoryview] = []
    place = 0
    while place < len(data) and len(values) <= at_most:
        value, place = _varint(data, place)
        values.append(value - (1 << 64) if value >> 63 else value)
    return values


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """Return an integer of variable length, at most 64 bits, and the position after it."""
    value = 0
    for count, byte in enumerate(data[place : place + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            if value >> 64:
                break
            return value, place + count + 1
    raise _broken()
