"""Elements of less than a byte: as inputs, outputs, weights and in between, in every operator that
takes them. The oracle is onnx's reference evaluator; everything must agree bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from models.joined import Together
from onnx import TensorProto, helper, numpy_helper, parser
from onnx.reference import ReferenceEvaluator

INTEGERS = {
    TensorProto.INT2: ml_dtypes.int2,
    TensorProto.UINT2: ml_dtypes.uint2,
    TensorProto.INT4: ml_dtypes.int4,
    TensorProto.UINT4: ml_dtypes.uint4,
}
FLOATS = {
    TensorProto.FLOAT4E2M1: ml_dtypes.float4_e2m1fn,
    TensorProto.FLOAT6E2M3: ml_dtypes.float6_e2m3fn,
    TensorProto.FLOAT6E3M2: ml_dtypes.float6_e3m2fn,
}
DTYPES = {element: np.dtype(t) for element, t in {**INTEGERS, **FLOATS}.items()}


def _name(element: int) -> str:
    return TensorProto.DataType.Name(element).lower()


# ONNX has 6-bit floats only in Cast, QuantizeLinear and DequantizeLinear.
EACH = pytest.mark.parametrize("element", DTYPES, ids=_name)
MOVED = pytest.mark.parametrize("element", [*INTEGERS, TensorProto.FLOAT4E2M1], ids=_name)
BITS = {element: 2 if "int2" in _name(element) else 4 for element in INTEGERS}

Value = tuple[str, int, Sequence | None]


def _codes(element: int, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of the type, all of them if there is room."""
    bits = 6 if "float6" in _name(element) else BITS.get(element, 4)
    codes = np.arange(np.prod(shape, dtype=int)) * 5 + 3
    return (codes % 2**bits).astype(np.uint8).view(DTYPES[element]).reshape(shape)


def _model(
    nodes: list[onnx.NodeProto],
    inputs: list[Value],
    outputs: list[Value],
    weights: Sequence[onnx.TensorProto] = (),
) -> onnx.ModelProto:
    def infos(values: list[Value]) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(*value) for value in values]

    graph = helper.make_graph(nodes, "g", infos(inputs), infos(outputs), list(weights))
    opsets = [helper.make_opsetid("", onnx.defs.onnx_opset_version())]
    return helper.make_model(graph, opset_imports=opsets, ir_version=13)


def _assert_same(found: np.ndarray, expected: np.ndarray, which: str = "") -> None:
    assert found.dtype == expected.dtype, which
    assert found.shape == expected.shape, which
    # Numbers, not bits: the evaluator leaves the unused ones as they come.
    np.testing.assert_array_equal(found.astype(np.float64), expected.astype(np.float64), which)
    assert np.array_equal(
        np.signbit(found.astype(np.float32)), np.signbit(expected.astype(np.float32))
    ), which


# --- moving -------------------------------------------------------------------------------------


@MOVED
def test_inputs_and_outputs(element: int) -> None:
    """Dynamic dimensions, odd and no sizes, a scalar."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
        helper.make_node("Identity", ["scalar"], ["s"]),
        helper.make_node("Flatten", ["x"], ["f"], axis=0),
        helper.make_node("Size", ["x"], ["count"]),
    ]
    model = _model(
        nodes,
        [("x", element, ["n", "m"]), ("scalar", element, [])],
        [
            ("t", element, ["m", "n"]),
            ("s", element, []),
            ("f", element, [1, None]),
            ("count", TensorProto.INT64, []),
            ("x", element, ["n", "m"]),
        ],
    )
    session = omb.InferenceSession(model, ["cpu"])
    assert session.get_inputs()[0].type == f"tensor({_name(element)})"
    assert session.get_outputs()[0].dtype == DTYPES[element]
    scalar = _codes(element, (3,))[2]
    for shape in [(1, 1), (3, 5), (0, 4), (17, 1)]:
        x = _codes(element, shape)
        t, s, f, count, same = session.run(None, {"x": x, "scalar": scalar})
        _assert_same(t, x.T)
        _assert_same(s, np.asarray(scalar))
        _assert_same(f, x.reshape(1, -1))
        assert count == x.size
        _assert_same(same, x)
    # Any memory layout; the evaluator would take it as well.
    x = _codes(element, (6, 5))[::2, ::-1]
    _assert_same(session.run(["t"], {"x": x, "scalar": scalar})[0], x.T)


@pytest.mark.parametrize("element", INTEGERS, ids=_name)
def test_unused_bits(element: int) -> None:
    """ml_dtypes ignores the bits above an integer's: they are anything, and come back as 0."""
    model = _model(
        [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)],
        [("x", element, ["n"])],
        [("y", TensorProto.FLOAT, ["n"]), ("x", element, ["n"])],
    )
    x = np.arange(256, dtype=np.uint8).view(DTYPES[element])
    y, same = omb.InferenceSession(model, ["cpu"]).run(None, {"x": x})
    np.testing.assert_array_equal(y, x.astype(np.float32))
    _assert_same(same, x)
    assert np.array_equal(same.view(np.uint8), x.astype(np.float32).astype(x.dtype).view(np.uint8))


@MOVED
def test_moves(element: int) -> None:
    one = np.ones(1, np.float32).astype(DTYPES[element])
    nodes = [
        helper.make_node("Reshape", ["x", "sizes"], ["y"]),
        helper.make_node("Unsqueeze", ["y", "axes"], ["three"]),
        helper.make_node("Squeeze", ["three", "axes"], ["two"]),
        helper.make_node("Pad", ["two", "pads", "one"], ["padded"]),
        helper.make_node("Shape", ["x"], ["count"], end=1),
        helper.make_node(
            "ConstantOfShape", ["count"], ["filled"], value=numpy_helper.from_array(one)
        ),
    ]
    model = _model(
        nodes,
        [
            ("x", element, ["n", 3]),
            ("sizes", TensorProto.INT64, [2]),
            ("pads", TensorProto.INT64, [4]),
        ],
        [(name, element, None) for name in ("padded", "filled", "three")],
        [
            numpy_helper.from_array(np.array([0]), "axes"),
            numpy_helper.from_array(one.reshape(()), "one"),
        ],
    )
    x = _codes(element, (5, 3))
    session = omb.InferenceSession(model, ["cpu"])
    padded, filled, three = session.run(
        None, {"x": x, "sizes": np.array([3, 5]), "pads": np.array([1, 0, 0, 2])}
    )
    expected = np.full((4, 7), one[0])
    expected[1:, :5] = x.reshape(3, 5)
    _assert_same(padded, expected)
    _assert_same(filled, np.full(5, one[0]))
    _assert_same(three, x.reshape(1, 3, 5))


LOOP = """
<ir_version: 10, opset_import: ["" : 23]>
loop (int64 m, bool c, {0}[3] x, {0}[3] other) => ({0}[3] last, {0}[k, 3] all, {0}[3] chosen) {{
  last, all = Loop (m, , x) <body = each (int64 i, bool on, {0}[3] s)
    => (bool go, {0}[3] t, {0}[3] u) {{
      go = Identity(on)
      wide = Cast<to = 6>(s)
      one = Constant<value = int32 {{1}}>()
      sum = Add(wide, one)
      t = Cast<to = {1}>(sum)
      u = Identity(s)
  }}>
  chosen = If (c) <
    then_branch = yes () => ({0}[3] a) {{ a = Identity(last) }},
    else_branch = no () => ({0}[3] b) {{ b = Identity(other) }}
  >
}}
"""


@pytest.mark.parametrize("element", INTEGERS, ids=_name)
def test_control_flow(element: int) -> None:
    model = parser.parse_model(LOOP.format(_name(element), element))
    x, other = _codes(element, (3,)), _codes(element, (6,))[3:]
    session = omb.InferenceSession(model, ["cpu"])
    for count, condition in [(6, True), (0, True), (3, False)]:
        inputs = {"m": np.int64(count), "c": np.array(condition), "x": x, "other": other}
        last, every, chosen = session.run(None, inputs)
        steps = [x.astype(np.int32) + step for step in range(count + 1)]
        states = [step.astype(x.dtype) for step in steps]
        _assert_same(last, states[-1])
        _assert_same(every, np.array(states[:-1], x.dtype).reshape(-1, 3))
        _assert_same(chosen, last if condition else other)


# --- converting ---------------------------------------------------------------------------------

WIDE = [
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
    TensorProto.DOUBLE,
    TensorProto.INT8,
    TensorProto.UINT8,
    TensorProto.INT32,
    TensorProto.INT64,
    TensorProto.UINT64,
    TensorProto.BOOL,
]


@EACH
def test_cast_from(element: int) -> None:
    """All numbers of the type, to every wider type."""
    nodes = [helper.make_node("Cast", ["x"], [f"y{to}"], to=to) for to in WIDE]
    model = _model(nodes, [("x", element, ["n"])], [(f"y{to}", to, ["n"]) for to in WIDE])
    x = np.unique(_codes(element, (64,)).view(np.uint8)).view(DTYPES[element])
    found = omb.InferenceSession(model, ["cpu"]).run(None, {"x": x})
    for to, mine in zip(WIDE, found, strict=True):
        wide = x.astype(np.float32)
        if to in (TensorProto.UINT8, TensorProto.UINT64):  # of negative numbers: modulo
            wide = wide.astype(np.int64)
        _assert_same(mine, wide.astype(helper.tensor_dtype_to_np_dtype(to)))


@EACH
def test_cast_from_float(element: int) -> None:
    """Rounded and saturated to floats, truncated to integers; in range, and out of it as here."""
    numbers = [0, -0.0, 0.2, 0.25, 0.26, 0.5, 0.75, 1, 1.25, 1.4, 1.75, -1, -1.5, -1.75, 2.5, 3]
    if element in FLOATS:
        numbers += [3.5, 4.9, 5, 5.1, 6, 7, 7.7, -28.5, 29, 1e4, np.inf, -np.inf, 2**-5, 3e-2]
    sources = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
    model = _model(
        [helper.make_node("Cast", [f"x{e}"], [f"y{e}"], to=element) for e in sources],
        [(f"x{e}", e, [f"n{e}"]) for e in sources],
        [(f"y{e}", element, [f"n{e}"]) for e in sources],
    )
    inputs = {f"x{e}": np.array(numbers, helper.tensor_dtype_to_np_dtype(e)) for e in sources}
    found = omb.InferenceSession(model, ["cpu"]).run(None, inputs)
    expected = ReferenceEvaluator(model).run(None, inputs)
    for source, mine, theirs in zip(sources, found, expected, strict=True):
        _assert_same(mine, np.asarray(theirs), f"of {_name(source)}")


@pytest.mark.parametrize("element", INTEGERS, ids=_name)
def test_cast_wraps(element: int) -> None:
    """Higher bits of integers are discarded, between types of less than a byte too."""
    sources = [TensorProto.INT32, TensorProto.UINT8, *INTEGERS]
    nodes = [helper.make_node("Cast", [f"x{e}"], [f"y{e}"], to=element) for e in sources]
    model = _model(
        nodes,
        [(f"x{e}", e, [f"n{e}"]) for e in sources],
        [(f"y{e}", element, None) for e in sources],
    )
    numbers = np.arange(256)
    arrays = {
        e: _codes(e, (16,))
        if e in INTEGERS
        else numbers.astype(helper.tensor_dtype_to_np_dtype(e))
        - (128 if e == TensorProto.INT32 else 0)
        for e in sources
    }
    inputs = {f"x{e}": array for e, array in arrays.items()}
    found = omb.InferenceSession(model, ["cpu"]).run(None, inputs)
    mask = 2 ** BITS[element] - 1
    for array, mine in zip(arrays.values(), found, strict=True):
        bits = (array.astype(np.int64) & mask).astype(np.uint8)
        _assert_same(mine, bits.view(DTYPES[element]))


def test_bit_cast() -> None:
    pairs = [
        (TensorProto.INT4, TensorProto.UINT4),
        (TensorProto.UINT4, TensorProto.INT4),
        (TensorProto.INT2, TensorProto.UINT2),
        (TensorProto.UINT2, TensorProto.INT2),
        (TensorProto.FLOAT4E2M1, TensorProto.INT4),
        (TensorProto.INT4, TensorProto.FLOAT4E2M1),
    ]
    models = [
        _model(
            [helper.make_node("BitCast", ["x"], ["y"], to=target)],
            [("x", source, ["n"])],
            [("y", target, ["n"])],
        )
        for source, target in pairs
    ]
    feeds = [{"x": _codes(source, (16,))} for source, _ in pairs]
    results = Together(models, providers=["cpu"]).run(feeds)
    for (source, target), feed, (y,) in zip(pairs, feeds, results, strict=True):
        _assert_same(y, feed["x"].view(DTYPES[target]), f"{_name(source)} to {_name(target)}")


@MOVED
def test_quantize(element: int) -> None:
    """Rounded to even and saturated, with a zero point; and the way back.

    By one scale, one a column, and one for each block of two.
    """
    cases = [((), {}), ((5,), {"axis": 1}), ((3, 3), {"axis": 1, "block_size": 2})]
    models = [_quantization(element, *case) for case in cases]
    x = np.array([-9, -1.2, 0.125, 0.375, 0.6, 1, 1.1, 2.5, 3, 4, 7.75, 30, 0, -0.3, -100])
    feed = {"x": x.astype(np.float32).reshape(3, 5)}
    results = Together(models, providers=["cpu"]).run([feed] * len(models))
    for (_, attributes), model, found in zip(cases, models, results, strict=True):
        for mine, theirs in zip(found, ReferenceEvaluator(model).run(None, feed), strict=True):
            _assert_same(mine, np.asarray(theirs), str(attributes))


def _quantization(element: int, parameters: tuple[int, ...], attributes: dict) -> onnx.ModelProto:
    """With scales and zero points of the shape `parameters`."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **attributes),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], **attributes),
    ]
    scale = (np.arange(1, 1 + np.prod(parameters, dtype=int)) / 4).astype(np.float32)
    is_float = element in FLOATS
    zero = np.zeros(scale.shape, np.uint8) if is_float else np.arange(scale.size, dtype=np.uint8)
    zero = (zero % 2 ** BITS.get(element, 4)).view(DTYPES[element])
    return _model(
        nodes,
        [("x", TensorProto.FLOAT, ["n", 5])],
        [("q", element, None), ("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(scale.reshape(parameters), "s"),
            numpy_helper.from_array(zero.reshape(parameters), "z"),
        ],
    )


# --- weights ------------------------------------------------------------------------------------


def _weight_model(weight: onnx.TensorProto) -> onnx.ModelProto:
    """The weight as an output, and as floats."""
    dims = list(weight.dims)
    return _model(
        [helper.make_node("Cast", ["w"], ["y"], to=TensorProto.FLOAT)],
        [],
        [("y", TensorProto.FLOAT, dims), ("w", weight.data_type, dims)],
        [weight],
    )


@MOVED
@pytest.mark.parametrize("is_raw", [True, False])
def test_weights(element: int, is_raw: bool) -> None:
    """Packed in raw_data and in int32_data; the last byte has room left; small and large."""
    arrays = [_codes(element, shape) for shape in [(), (0,), (1,), (7,), (3, 5), (1025, 9)]]
    models = []
    for array in arrays:
        if is_raw:
            weight = numpy_helper.from_array(array, "w")
        else:
            values = array.astype(np.float32).reshape(-1)
            weight = helper.make_tensor("w", element, array.shape, values)
        models.append(_weight_model(weight))
    results = Together(models, providers=["cpu"]).run([{}] * len(models))
    for array, (y, w) in zip(arrays, results, strict=True):
        np.testing.assert_array_equal(y, array.astype(np.float32), f"of {array.shape}")
        _assert_same(w, array, f"of {array.shape}")


def test_external_weights(tmp_path: Path) -> None:
    array = _codes(TensorProto.INT4, (1025, 9))
    model = _weight_model(numpy_helper.from_array(array, "w"))
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    y, w = omb.InferenceSession(path, ["cpu"]).run(None, {})
    np.testing.assert_array_equal(y, array.astype(np.float32))
    _assert_same(w, array)
    weights = tmp_path / "weights.bin"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(omb.OmbError, match=r"weights\.bin"):
        omb.compile(path)


@pytest.mark.parametrize(
    ("element", "size", "message"),
    [
        (TensorProto.INT4, 4, r"of \[7\] int4 must have 4 bytes of data, but has {}"),
        (TensorProto.UINT4, 4, r"of \[7\] uint4 must have 4 bytes of data, but has {}"),
        (TensorProto.INT2, 2, r"of \[7\] int2 must have 2 bytes of data, but has {}"),
        (TensorProto.UINT2, 2, r"of \[7\] uint2 must have 2 bytes of data, but has {}"),
        (TensorProto.FLOAT4E2M1, 4, r"of \[7\] float4e2m1 must have 4 bytes of data, but has {}"),
    ],
)
def test_malformed_weights(element: int, size: int, message: str) -> None:
    for wrong in (size - 1, size + 1, 7, 0):
        weight = TensorProto(name="w", data_type=element, dims=[7], raw_data=bytes(wrong))
        with pytest.raises(omb.OmbError, match=message.format(wrong)) as caught:
            omb.compile(_weight_model(weight))
        assert "\n" not in str(caught.value)
    weight = TensorProto(name="w", data_type=element, dims=[7], int32_data=[0] * (size + 1))
    with pytest.raises(omb.OmbError, match=f"must have {size} entries in int32_data"):
        omb.compile(_weight_model(weight))


# --- sessions -----------------------------------------------------------------------------------


@MOVED
def test_saved_model(element: int, tmp_path: Path) -> None:
    weight = _codes(element, (1025, 3))
    model = _model(
        [helper.make_node("Transpose", ["w"], ["t"])],
        [("x", element, ["n"])],
        [("t", element, [3, 1025]), ("x", element, ["n"])],
        [numpy_helper.from_array(weight, "w")],
    )
    path = tmp_path / "model.omb"
    omb.compile(model, "cpu").save(path)
    session = omb.load(path, "cpu")
    assert [info.type for info in session.get_outputs()] == [f"tensor({_name(element)})"] * 2
    x = _codes(element, (3,))
    t, same = session.run(None, {"x": x})
    _assert_same(t, weight.T)
    _assert_same(same, x)


def test_other_dtypes() -> None:
    model = _model(
        [helper.make_node("Identity", ["x"], ["y"])],
        [("x", TensorProto.INT4, ["n"])],
        [("y", TensorProto.INT4, ["n"])],
    )
    session = omb.InferenceSession(model, ["cpu"])
    for wrong in (np.int8, ml_dtypes.uint4, ml_dtypes.int2):
        with pytest.raises(omb.OmbError, match=r"takes int4: .* \.astype\(ml_dtypes\.int4\)"):
            session.run(None, {"x": np.zeros(3, wrong)})
    with pytest.raises(omb.OmbError, match=r"dtype=ml_dtypes\.int4\)"):
        session.run(None, {"x": [1, 2]})
