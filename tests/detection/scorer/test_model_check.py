"""A scorer's network is checked before it is loaded: its contents and the resources it needs."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from lesionscan.detection.scorer import model_check
from lesionscan.detection.scorer.model_check import check_model
from lesionscan.detection.scorer.network import Network
from lesionscan.detection.scorer.onnx_file import OnnxError, read_onnx
from lesionscan.detection.scorer.preprocessing import Preprocessing
from lesionscan.detection.scorer.scorer_file import shipped_scorer
from tests.detection.scorer.made import made_model, onnx_network

SHAPES = ((2, 3, 64, 64), (2, 3, 96, 160))
WEIGHTS = np.full((2, 3, 2, 2), 0.1, np.float32)
CONV = helper.make_node("Conv", ["image", "w"], ["maps"], strides=[2, 2], kernel_shape=[2, 2])


def _made(
    *nodes: NodeProto,
    change: Callable[[ModelProto], object] = lambda _: None,
    **stored: NDArray[Any],
) -> bytes:
    """Return a valid network with these nodes before it, and these tensors beside its weights."""
    return made_model([*nodes, CONV], {"w": WEIGHTS, **stored}, change=change)


def _node(operator: str, *inputs: str, **attributes: object) -> NodeProto:
    """Return a node whose output is not used."""
    return helper.make_node(operator, inputs, ["unused"], **attributes)


def _whole(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)


def _real(*numbers: float) -> NDArray[np.float32]:
    return np.array(numbers, np.float32)


def _external(model: ModelProto) -> None:
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("length", "96")):
        entry = weights.external_data.add()
        entry.key, entry.value = key, value


def _with_function(model: ModelProto) -> None:
    model.functions.append(
        helper.make_function("own", "F", ["x"], ["y"], [], [helper.make_opsetid("", 13)])
    )


def _loop() -> NodeProto:
    body = helper.make_graph([], "body", [], [])
    return _node("Loop", "trips", "", body=body)


def test_the_shipped_network_passes() -> None:
    """The shipped network is within the limits, even at twice its largest size."""
    network = shipped_scorer().network
    size = network.long_sides_px[-1]
    check_model(network.onnx, (*SHAPES, (2, 3, size, size), (2, 3, 2 * size, 2 * size)))


def test_weights_from_another_file_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """External weights are refused: unhashed, and read from the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.bin").write_bytes(WEIGHTS.tobytes())
    with pytest.raises(ValueError, match="stores weights in another file"):
        Network(_made(change=_external), Preprocessing(), (64,))


@pytest.mark.parametrize(
    ("onnx", "message"),
    [
        (_made(change=_with_function), "defines functions"),
        (_made(_loop(), trips=_whole(9)), "uses loops or branches"),
        (_made(_node("If", "c", then_branch=helper.make_graph([], "a", [], []))), "uses loops"),
        (_made(_node("Scan", "c", num_scan_inputs=1)), "uses an operator that"),
        (_made(helper.make_node("Conv", ["image", "w"], ["x"], domain="com.microsoft")), "domain"),
        (
            _made(change=lambda m: m.opset_import.append(helper.make_opsetid("x", 1))),
            "1 entries op",
        ),
        (_made(change=lambda m: setattr(m.opset_import[0], "domain", "x")), "another domain"),
        (_made(change=lambda m: setattr(m.opset_import[0], "version", 99)), "uses version 99 of"),
        (_made(change=lambda m: m.ClearField("opset_import")), "it has no opset_import"),
        (_made(change=lambda m: m.ClearField("graph")), "it has no graph"),
        (_made(change=lambda m: m.metadata_props.add(key="k")), "is not an ONNX model of the kind"),
        (_made(change=lambda m: m.graph.initializer.add(name="x")), "of a type that"),
        (
            _made(change=lambda m: m.graph.initializer.append(m.graph.initializer[0])),
            "two stored tensors with the same name",
        ),
        (_made(change=lambda m: m.graph.initializer[0].dims.append(7)), "whose size does not fit"),
        (_made(change=lambda m: m.graph.initializer[0].dims.extend([1] * 9)), "8 entries dims in"),
        (
            _made(change=lambda m: m.graph.node[0].attribute.append(m.graph.node[0].attribute[0])),
            "has an attribute twice",
        ),
        (
            _made(change=lambda m: m.graph.node[0].attribute.add(name="group", type=2, f=1.0)),
            "attribute of a type that",
        ),
        (_made(_node("Cast", "image", to=TensorProto.STRING)), "an inconsistent Cast"),
        (_made(_node("Clip", "image", "w")), "an inconsistent Clip"),
        (_made(_node("Conv", "image", "w", auto_pad="SAME_UPPER")), "with an attribute that"),
        (_made(_node("Conv", "image", "w", group=3)), "an inconsistent Conv"),
        (_made(_node("Conv", "image", "w", pads=[-1, 0, 0, 0])), "an inconsistent Conv"),
        (_made(_node("Conv", "", "w")), "an inconsistent Conv"),
        (_made(_node("Conv", "image", "later")), "a Conv before one of its inputs"),
        (_made(helper.make_node("Identity", ["image"], ["w"])), "a single, unique output"),
        (
            _made(helper.make_node("Identity", ["image"], ["a", "b"])),
            "without a single, unique output",
        ),
        (_made(image=_whole(1)), "stores a tensor under the name of its input"),
        (_made(_node("Reshape", "image", "image")), "has a shape that depends on the image"),
        (
            _made(_node("Reshape", "image", "s"), s=_whole(1, 2)),
            "an inconsistent Reshape",
        ),
        (_made(_node("Slice", "image", "s", "s", "s", "s"), s=_whole(0)), "an inconsistent Slice"),
        (_made(_node("Transpose", "image", perm=[0, 0, 1, 2])), "an inconsistent Transpose"),
        (_made(_node("Pad", "image", "s", mode="edge"), s=_whole(*[0] * 8)), "an inconsistent Pad"),
        (_made(_node("Pad", "image", "s"), s=_whole(*[-90] * 8)), "an inconsistent Pad"),
        (_made(_node("Add", "image", "s"), s=_whole(1, 2)), "an inconsistent Add"),
        (_made(_node("Concat", "image", "s", axis=0), s=_whole(1)), "an inconsistent Concat"),
        (
            _made(_node("Resize", "image", "", "s", mode="linear"), s=_real(1, 1, 0, 1)),
            "an inconsistent Resize",
        ),
        (
            _made(_node("BatchNormalization", "image", "s", "s", "s", "s"), s=_real(1, 1)),
            "an inconsistent BatchNormalization",
        ),
        (_made(_node("Constant", value_ints=[1])), "a Constant with an attribute that"),
        (_made(_node("Constant")), "an inconsistent Constant"),
        (_made(_node("ConstantOfShape", "s"), s=_whole(1)), "an inconsistent ConstantOfShape"),
    ],
)
def test_what_a_scorers_network_may_not_use_is_refused(onnx: bytes, message: str) -> None:
    """Functions, control flow, other domains, unknown fields, inconsistent shapes are refused."""
    with pytest.raises(OnnxError, match=message) as error:
        check_model(onnx, SHAPES)
    assert "\n" not in str(error.value)


def test_attributes_of_every_kind_that_is_not_needed_are_refused() -> None:
    """Attributes of unneeded kinds are refused: graphs, types, sparse tensors, lists of strings."""
    for kind in AttributeProto.AttributeType.values():
        if kind in {1, 2, 3, 4, 7}:
            continue

        def change(model: ModelProto, kind: int = kind) -> None:
            model.graph.node[0].attribute.add(name="x", type=kind)

        with pytest.raises(OnnxError, match="attribute of a type that"):
            read_onnx(_made(change=change))


def _big() -> NodeProto:
    """Return a node that fills a tensor of the shape `s` when the network is loaded."""
    return _node("ConstantOfShape", "s", value=numpy_helper.from_array(np.zeros(1, np.float32)))


@pytest.mark.parametrize(
    ("onnx", "message"),
    [
        (_made(_big(), s=_whole(10**10)), r"too much memory \(ConstantOfShape\)"),
        (_made(_big(), s=_whole(2**62, 2**62)), r"too much memory \(ConstantOfShape\)"),
        (
            _made(_node("Pad", "image", "s"), s=_whole(0, 0, 0, 0, 0, 0, 10**5, 10**5)),
            r"too much memory \(Pad\)",
        ),
        (
            _made(
                *(
                    helper.make_node("Concat", [f"c{n}"] * 64, [f"c{n + 1}"], axis=0)
                    for n in range(5)
                ),
                c0=_whole(1),
            ),
            r"too much memory \(Concat\)",
        ),
        (
            _made(_node("Resize", "image", "", "s", mode="linear"), s=_real(1, 1, 65, 1)),
            "an inconsistent Resize",
        ),
        (
            _made(
                _node("Conv", "image", "k", pads=[255, 255, 255, 255]),
                k=np.zeros((8, 3, 256, 256), np.float32),
            ),
            r"too many operations \(Conv\)",
        ),
    ],
)
def test_a_network_that_needs_too_much_is_refused_before_it_is_loaded(
    onnx: bytes, message: str
) -> None:
    """A network that needs too much memory or computation is refused within 5 seconds."""
    started = time.perf_counter()
    with pytest.raises(OnnxError, match=message):
        check_model(onnx, SHAPES)
    assert time.perf_counter() - started < 5


def test_many_small_parts_are_refused_too() -> None:
    """A network of more than 4,000 nodes is refused, even if each is small."""
    nodes = [helper.make_node("Identity", ["image"], [f"x{number}"]) for number in range(4001)]
    with pytest.raises(OnnxError, match="more than 4,000 entries node in one graph"):
        read_onnx(_made(*nodes))


def test_maps_of_a_fixed_size_are_refused() -> None:
    """A network whose maps have the same size for every film is refused."""
    small = helper.make_node("Conv", ["image", "w"], ["c"], strides=[2, 2], kernel_shape=[2, 2])
    fixed = helper.make_node("Reshape", ["c", "s"], ["maps"])
    onnx = made_model([small, fixed], {"w": WEIGHTS, "s": _whole(2, 2, 32, 32)})
    with pytest.raises(ValueError, match="an inconsistent Reshape"):
        Network(onnx, Preprocessing(), (64,))
    cut = helper.make_node("Slice", ["c", "from", "to", "axes"], ["maps"])
    limits = {"from": _whole(0, 0), "to": _whole(32, 32), "axes": _whole(2, 3)}
    onnx = made_model([small, cut], {"w": WEIGHTS, **limits})
    with pytest.raises(ValueError, match=r"returns \(2, 2, 32, 32\) for \(2, 3, 96, 160\), not"):
        Network(onnx, Preprocessing(), (64,))


def test_shapes_are_followed_as_onnx_runtime_makes_them() -> None:
    """With all permitted operators, the computed output shape is that of ONNX Runtime."""
    nodes = [
        helper.make_node("Identity", ["image"], ["a"]),
        helper.make_node("Constant", [], ["two"], value=numpy_helper.from_array(_whole(2))),
        helper.make_node(
            "ConstantOfShape", ["two"], ["zeros"], value=numpy_helper.from_array(_whole(0))
        ),
        helper.make_node("Concat", ["zeros", "zeros", "twos", "ones"], ["flat"], axis=0),
        helper.make_node("Reshape", ["flat", "grid"], ["square"]),
        helper.make_node("Slice", ["square", "from", "to", "axis", "step"], ["turned"]),
        helper.make_node("Transpose", ["turned"], ["across"], perm=[1, 0]),
        helper.make_node("Reshape", ["across", "all"], ["pads"]),
        helper.make_node("Cast", ["pads"], ["pads64"], to=TensorProto.INT64),
        helper.make_node("Pad", ["a", "pads64", "zero"], ["wide"], mode="constant"),
        helper.make_node("Clip", ["wide", "zero"], ["clipped"]),
        helper.make_node("Cast", ["half"], ["weights"], to=TensorProto.FLOAT),
        helper.make_node(
            "Conv", ["clipped", "weights"], ["c"], strides=[3, 2], pads=[1, 0, 2, 1],
            dilations=[2, 1], group=6, kernel_shape=[3, 2],
        ),
        helper.make_node("BatchNormalization", ["c", "n", "n", "n", "n"], ["b"]),
        helper.make_node("Add", ["b", "n4"], ["d"]),
        helper.make_node("Resize", ["d", "", "scales"], ["maps"], mode="linear"),
    ]  # fmt: skip
    stored: dict[str, NDArray[Any]] = {
        "twos": _whole(3, 0),
        "ones": _whole(1, 5),
        "grid": _whole(4, -1),
        "from": _whole(-1),
        "to": _whole(-(2**63)),
        "axis": _whole(0),
        "step": _whole(-1),
        "all": _whole(-1),
        "zero": np.array(0, np.float32),
        "half": np.ones((6, 1, 3, 2), np.float16),
        "n": np.ones(6, np.float32),
        "n4": np.ones((1, 6, 1, 1), np.float32),
        "scales": np.array([1, 1, 1.7, 2.3], np.float32),
    }
    onnx = made_model(nodes, stored, maps=6)
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    for shape in ((2, 3, 64, 64), (1, 3, 37, 91), (2, 3, 96, 160)):
        (maps,) = session.run(["maps"], {"image": np.zeros(shape, np.float32)})
        assert model_check._output_shape(read_onnx(onnx), shape) == maps.shape


GOOD = onnx_network()


@settings(max_examples=300)
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_one_damaged_byte_passes_or_gives_one_line(place: float, value: int) -> None:
    """With any byte replaced, the check passes or raises OnnxError with a one-line message."""
    data = bytearray(GOOD)
    data[int(place * len(data))] = value
    try:
        check_model(bytes(data), SHAPES)
    except OnnxError as error:
        assert "\n" not in str(error)  # noqa: PT017 - there may be none


@settings(max_examples=300)
@given(data=st.binary(max_size=60))
def test_any_bytes_give_one_line(data: bytes) -> None:
    """Random bytes always raise OnnxError with a one-line message, and no other exception."""
    with pytest.raises(OnnxError) as caught:
        check_model(data, SHAPES)
    assert "\n" not in str(caught.value)


def test_a_long_file_of_small_entries_is_refused_at_once() -> None:
    """A file with 64 MiB of empty entries is refused without reading all of it."""
    started = time.perf_counter()
    with pytest.raises(OnnxError, match="more than 1 entries graph in one model"):
        read_onnx(b"\x3a\x00" * (32 << 20))
    assert time.perf_counter() - started < 5
