"""The opset upgrade: every operator version is covered, and adapters keep the meaning."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
import pytest
from import_support import evaluate, model_of, normalized, run_in_onnxruntime, stamped
from onnx import TensorProto, defs, helper
from onnx_mlir_bridge import importer
from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import upgrade
from onnx_mlir_bridge.importer.upgrade.registry import (
    incompatibility,
    newest_version,
    registered,
)

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
random = np.random.default_rng(7)


def _floats(*shape: int) -> np.ndarray:
    return random.standard_normal(shape).astype(np.float32)


# Signatures that allow less today: nodes that use what is gone are refused by type inference.
NARROWED = {
    ("", "Erf", 9): "integers",
    ("", "ReduceLogSum", 13): "integers",
    ("", "ReduceLogSum", 18): "integers",
    ("", "ReduceLogSumExp", 13): "integers",
    ("", "ReduceLogSumExp", 18): "integers",
}


def _history() -> list[defs.OpSchema]:
    return [s for s in defs.get_all_schemas_with_history() if s.domain in ("", "ai.onnx.ml")]


def test_every_version_of_every_operator_is_covered():
    assert upgrade.FAMILIES
    uncovered, useless = [], registered()
    for schema in _history():
        key = (schema.domain, schema.name, schema.since_version)
        if schema.since_version == newest_version(schema.domain, schema.name):
            continue
        if key in useless:
            useless.discard(key)
        elif incompatibility(*key) is not None:
            uncovered.append((key, incompatibility(*key)))
    assert not uncovered
    assert not useless, "adapters for versions that do not exist"


def test_types_are_only_widened():
    """A version without adapter allows no type that the newest does not, NARROWED aside."""
    narrowed = set()
    for schema in _history():
        key = (schema.domain, schema.name, schema.since_version)
        newest = defs.get_schema(schema.name, domain=schema.domain)
        if key in registered() or schema.since_version == newest.since_version:
            continue
        for kind in ("inputs", "outputs"):
            for old, new in zip(getattr(schema, kind), getattr(newest, kind), strict=False):
                if not set(map(str, old.types)) <= set(map(str, new.types)):
                    narrowed.add(key)
    # Adapters of other versions of these operators meet the same restriction.
    assert narrowed <= set(NARROWED)
    assert {key for key in NARROWED if key not in registered()} <= narrowed


@dataclass
class Case:
    """One node of an old opset. Expected: given, or else what ONNX Runtime computes."""

    op: str
    opset: int
    inputs: dict[str, np.ndarray]
    attributes: dict = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=lambda: {"y": FLOAT})
    expected: list[np.ndarray] | None = None
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    node_inputs: list[str] | None = None
    domain: str = ""
    label: str = ""
    stamp: int | None = None
    """Run the result in ONNX Runtime with this opset: where the reference evaluator can't."""

    def __str__(self) -> str:
        return f"{self.op}-{self.opset}" + (f"-{self.label}" if self.label else "")


A, B = _floats(2, 3, 4, 5), _floats(3, 4)
X3, X4 = _floats(2, 3, 4), _floats(2, 3, 4, 6)
FLAGS = random.integers(0, 2, (2, 3, 4)).astype(bool)
CHANNELS = {name: np.abs(_floats(3)) + 0.1 for name in ("scale", "bias", "mean", "var")}
ELEMENTS = {name: np.abs(_floats(3, 4, 6)) + 0.1 for name in ("scale", "bias", "mean", "var")}


def _by_element(x: np.ndarray) -> np.ndarray:
    e = ELEMENTS
    return (x - e["mean"]) / np.sqrt(e["var"] + 1e-5) * e["scale"] + e["bias"]


def _group_normalized(x: np.ndarray, scale: np.ndarray, bias: np.ndarray) -> np.ndarray:
    grouped = x.reshape(x.shape[0], len(scale), -1)
    mean, var = grouped.mean(-1, keepdims=True), grouped.var(-1, keepdims=True)
    normal = (grouped - mean) / np.sqrt(var + 1e-5)
    return (normal * scale[None, :, None] + bias[None, :, None]).reshape(x.shape)


RNN_INPUTS = {
    "X": _floats(5, 2, 3),
    "W": _floats(1, 4, 3),
    "R": _floats(1, 4, 4),
}
CASES = [
    Case("Add", 6, {"a": A, "b": B}, {"broadcast": 1, "axis": 1},
         expected=[A + B[..., None]], label="axis"),
    Case("Sub", 6, {"a": A, "b": _floats(3)}, {"broadcast": 1, "axis": -3}, label="negative",
         expected=[]),
    Case("Mul", 1, {"a": A, "b": A[0, 0]}, {"broadcast": 1, "consumed_inputs": [0, 0]},
         expected=[A * A[0, 0]]),
    Case("Div", 6, {"a": A, "b": A + 9}, expected=[A / (A + 9)]),
    Case("Pow", 1, {"a": np.abs(A), "b": B}, {"broadcast": 1, "axis": 1},
         expected=[np.abs(A) ** B[..., None]]),
    Case("And", 1, {"a": FLAGS, "b": FLAGS[0, 0]}, {"broadcast": 1}, {"y": BOOL},
         expected=[FLAGS & FLAGS[0, 0]]),
    Case("Greater", 1, {"a": A, "b": B}, {"broadcast": 1, "axis": 1}, {"y": BOOL},
         expected=[np.greater(A, B[..., None])]),
    Case("PRelu", 6, {"x": X4, "slope": B[:, 0]},
         expected=[np.where(X4 > 0, X4, X4 * B[:, 0, None, None])]),
    Case("PRelu", 6, {"x": X4, "slope": B[0, :1]}, label="shared",
         expected=[np.where(X4 > 0, X4, X4 * B[0, 0])]),
    Case("Cast", 1, {"x": X3}, {"to": "INT64"}, {"y": INT64}, [X3.astype(np.int64)]),
    Case("Selu", 1, {"x": X3},
         expected=[1.0507 * np.where(X3 > 0, X3, 1.6732 * np.exp(X3) - 1.6732)]),
    Case("Gemm", 6, {"a": A[0, 0], "b": _floats(5, 3), "c": B[:, 0]},
         {"broadcast": 1, "alpha": 0.5}, expected=[]),
    *(
        Case(op, 11, {"x": X4}, {"axis": axis}, label=f"axis{axis}")
        for op in ("Softmax", "LogSoftmax", "Hardmax")
        for axis in (0, 1, 2, 3, -2, -1)
    ),
    Case("Softmax", 1, {"x": X4}, label="default-axis"),
    Case("Softmax", 11, {"x": np.zeros((2, 0, 3), np.float32)}, label="empty",
         expected=[np.zeros((2, 0, 3), np.float32)]),
    Case("BatchNormalization", 6, {"x": X4}, {"spatial": 0, "is_test": 1}, constants=ELEMENTS,
         expected=[_by_element(X4)], label="by-element"),
    Case("BatchNormalization", 7, {"x": X4}, {"momentum": 0.8}, constants=CHANNELS),
    Case("BatchNormalization", 9, {"x": X4}, {"epsilon": 0.1}, constants=CHANNELS),
    Case("GroupNormalization", 18,
         {"x": _floats(2, 6, 4), "scale": B[:, 0], "bias": B[:, 1]}, {"num_groups": 3},
         expected=[]),
    Case("Upsample", 1, {"x": X4}, {"height_scale": 2.0, "width_scale": 3.0},
         expected=[X4.repeat(2, axis=2).repeat(3, axis=3)]),
    Case("Upsample", 7, {"x": X4}, {"scales": [1.0, 1.0, 2.5, 3.0]}),
    Case("Upsample", 7, {"x": X4}, {"scales": [1.0, 1.0, 2.0, 3.0], "mode": "linear"},
         label="linear"),
    Case("Upsample", 9, {"x": X4}, constants={"s": np.array([1, 1, 2, 1.5], np.float32)}),
    Case("Resize", 10, {"x": X4}, constants={"s": np.array([1, 1, 2, 1.5], np.float32)},
         label="up"),
    Case("Resize", 10, {"x": X4}, constants={"s": np.array([1, 1, 0.6, 0.5], np.float32)},
         label="down"),
    Case("Resize", 10, {"x": X4}, constants={"s": np.array([1, 1, 1.7, 0.7], np.float32)},
         label="both"),
    Case("Resize", 10, {"x": X4, "s": np.array([1, 1, 0.6, 2.5], np.float32)}, label="computed"),
    Case("Resize", 10, {"x": X4}, {"mode": "linear"}, label="linear",
         constants={"s": np.array([1, 1, 2, 0.5], np.float32)}),
    Case("Resize", 11, {"x": X4}, label="sizes",
         constants={"r": np.zeros(0, np.float32), "s": np.zeros(0, np.float32),
                    "z": np.array([2, 3, 9, 5], np.int64)}),
    Case("Resize", 11, {"x": X4}, {"mode": "linear"}, label="scales",
         constants={"r": np.zeros(0, np.float32), "s": np.array([1, 1, 2, 0.5], np.float32)}),
    Case("Resize", 11, {"x": X4}, label="tf-half-pixel",
         attributes={"coordinate_transformation_mode": "tf_half_pixel_for_nn",
                     "nearest_mode": "floor"},
         constants={"r": np.zeros(0, np.float32), "s": np.array([1, 1, 1.7, 0.6], np.float32)}),
    Case("Scatter", 9, {"x": X3, "u": _floats(2, 1, 4)}, {"axis": 1},
         constants={"i": np.full((2, 1, 4), 2)}, node_inputs=["x", "i", "u"]),
    Case("Reshape", 1, {"x": X3}, {"shape": [0, -1], "consumed_inputs": [0]},
         expected=[X3.reshape(2, -1)]),
    Case("Squeeze", 1, {"x": X3[:, :1]}, {"axes": [1]}),
    Case("Squeeze", 11, {"x": X3[:, :1]}, label="all"),
    Case("Unsqueeze", 11, {"x": X3}, {"axes": [0, -1]}),
    *(
        Case(op, opset, {"x": np.abs(X3) + 0.1}, {"axes": [1], "keepdims": keep})
        for op, opset in (
            ("ReduceL1", 1), ("ReduceL2", 13), ("ReduceLogSum", 1), ("ReduceLogSumExp", 11),
            ("ReduceMax", 12), ("ReduceMean", 13), ("ReduceMin", 8), ("ReduceProd", 11),
            ("ReduceSum", 11), ("ReduceSumSquare", 1),
        )
        for keep in (0, 1)
        if opset >= 7
    ),
    Case("ReduceMean", 11, {"x": X3}, label="all"),
    Case("ReduceSum", 1, {"x": X3}, {"axes": [0, 2], "keepdims": 0},
         expected=[X3.sum((0, 2))]),
    Case("Slice", 9, {"x": X4}, {"starts": [1, -3], "ends": [3, 1000], "axes": [1, 3]}),
    Case("Slice", 1, {"x": X4}, {"starts": [1], "ends": [2]}, label="no-axes",
         expected=[X4[1:2]]),
    Case("Split", 2, {"x": X4}, {"axis": 3, "split": [1, 5]}, {"y": FLOAT, "z": FLOAT},
         [X4[..., :1], X4[..., 1:]]),
    Case("Split", 11, {"x": X4}, {"axis": -1}, {"y": FLOAT, "z": FLOAT}, label="even"),
    Case("Split", 13, {"x": X4}, {"axis": 3}, {"y": FLOAT, "z": FLOAT}, label="even"),
    Case("Split", 1, {"x": X4}, {"axis": 1}, {"y": FLOAT, "z": FLOAT}, label="input",
         constants={"s": np.array([2, 1], np.float32)}, expected=[X4[:, :2], X4[:, 2:]]),
    Case("Pad", 2, {"x": X3}, {"pads": [0, 1, 0, 2, 0, -1], "value": 1.5}, stamp=18),
    Case("Pad", 2, {"x": X3}, {"pads": [0, 1, 2, 0, 0, 1], "mode": "reflect"}, label="reflect"),
    Case("Pad", 1, {"x": X3}, {"paddings": [0, 1, 0, 2, 0, 0]},
         expected=[np.pad(X3, [(0, 2), (1, 0), (0, 0)])]),
    Case("Clip", 6, {"x": X3}, {"min": -0.5}, label="min"),
    Case("Clip", 6, {"x": X3}, {"min": -0.25, "max": 0.5}, label="both"),
    Case("Clip", 6, {"x": X3.astype(np.float64)}, {"max": 0.25}, {"y": TensorProto.DOUBLE},
         [X3.astype(np.float64).clip(None, 0.25)], label="double"),
    Case("Clip", 6, {"x": X3.astype(np.float16)}, {"max": 3.4028234663852886e38},
         {"y": TensorProto.FLOAT16}, [X3.astype(np.float16)], label="float16-huge"),
    Case("TopK", 1, {"x": X4}, {"k": 2, "axis": 2}, {"y": FLOAT, "i": INT64},
         [-np.sort(-X4, axis=2)[:, :, :2], np.argsort(-X4, axis=2)[:, :, :2]]),
    Case("DFT", 17, {"x": _floats(2, 5, 6, 1)}, {"axis": 2}),
    Case("DFT", 17, {"x": _floats(2, 5, 6, 2)}, {"inverse": 1}, label="default-axis"),
    Case("Dropout", 7, {"x": X3}, {"ratio": 0.3}),
    Case("Dropout", 6, {"x": X3}, {"is_test": 1}, {"y": FLOAT, "mask": FLOAT},
         [X3, np.ones_like(X3)], label="mask"),
    Case("Dropout", 10, {"x": X3}, {"ratio": 0.3}, {"y": FLOAT, "mask": BOOL},
         [X3, np.ones(X3.shape, bool)], label="mask"),
    Case("Tile", 1, {"x": X3}, expected=[np.tile(X3, (1, 3, 1))],
         constants={"n": np.array(3, np.float32), "axis": np.array(1, np.float32)}),
    Case("Concat", 1, {"a": X3, "b": X3}, expected=[np.concatenate([X3, X3], axis=1)]),
    Case("LpPool", 1, {"x": X4}, {"p": 2.0, "kernel_shape": [2, 2]}, expected=[]),
    Case("GlobalLpPool", 1, {"x": X4}, {"p": 1.0}, stamp=18,
         expected=[np.abs(X4).sum((2, 3), keepdims=True)]),
    Case("RoiAlign", 10, {"x": X4, "r": np.array([[0.5, 0.5, 3, 3]], np.float32)},
         {"output_height": 2, "output_width": 2, "sampling_ratio": 2},
         constants={"b": np.zeros(1, np.int64)}),
    Case("GridSample", 16, {"x": X4, "g": random.uniform(-1, 1, (2, 3, 3, 2)).astype("f4")}),
    Case("GridSample", 16, {"x": X4, "g": random.uniform(-1, 1, (2, 3, 3, 2)).astype("f4")},
         {"mode": "nearest"}, label="nearest"),
    Case("LabelEncoder", 1, {"x": np.array([2, 0, 7])}, {"classes_strings": ["a", "b", "c"]},
         {"y": TensorProto.STRING}, domain="ai.onnx.ml",
         expected=[np.array(["c", "a", "_Unused"], dtype=object)], label="to-string"),
    Case("LabelEncoder", 1, {"x": np.array(["b", "?"], dtype=object)},
         {"classes_strings": ["a", "b", "c"], "default_int64": 9}, {"y": INT64},
         domain="ai.onnx.ml", expected=[np.array([1, 9])], label="to-number"),
]  # fmt: skip


def _model(case: Case) -> onnx.ModelProto:
    names = case.node_inputs or [*case.inputs, *case.constants]
    attributes = {k: v for k, v in case.attributes.items() if k != "to"}
    if case.op == "BatchNormalization":
        names = ["x", "scale", "bias", "mean", "var"]
    node = helper.make_node(
        case.op, names, list(case.outputs), "node", domain=case.domain, **attributes
    )
    if "to" in case.attributes:
        node.attribute.append(helper.make_attribute("to", case.attributes["to"]))
    if case.op == "BatchNormalization" and case.opset < 6:
        node.attribute.append(helper.make_attribute("consumed_inputs", [0] * 5))
    return model_of(
        [node], case.inputs, case.outputs, case.opset, case.constants, domain=case.domain
    )


# Filled in here where the formula is longer than a line.
_FORMULAS = {
    "Sub-6-negative": lambda i: i["a"] - i["b"][:, None, None],
    "Gemm-6": lambda i: 0.5 * i["a"] @ i["b"] + i["c"],
    "GroupNormalization-18": lambda i: _group_normalized(i["x"], i["scale"], i["bias"]),
    "LpPool-1": lambda i: np.sqrt(
        sum(i["x"][:, :, r : r + 3, c : c + 5] ** 2 for r in (0, 1) for c in (0, 1))
    ),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_adapter_keeps_the_meaning(case: Case):
    old = _model(case)
    expected = case.expected
    if str(case) in _FORMULAS:
        expected = [_FORMULAS[str(case)](case.inputs)]
    elif expected is None:
        expected = run_in_onnxruntime(old, case.inputs)
    new = normalized(old)
    assert {e.version for e in new.opset_import if e.domain == ""} == {defs.onnx_opset_version()}
    if case.stamp is None:
        results = evaluate(new, case.inputs)
    else:
        results = run_in_onnxruntime(stamped(new, case.stamp), case.inputs)
    assert len(results) == len(expected)
    for result, wanted in zip(results, expected, strict=True):
        if wanted.dtype == object:
            assert result.tolist() == wanted.tolist()
        else:
            assert result.dtype == wanted.dtype
            np.testing.assert_allclose(result, wanted, rtol=2e-5, atol=2e-5)
    assert importer.import_model(old).operation.verify()


@pytest.mark.parametrize(("op", "gates", "opset"), [("RNN", 1, 1), ("GRU", 3, 3), ("LSTM", 4, 1)])
def test_recurrent(op: str, gates: int, opset: int):
    weights = {"W": _floats(1, 4 * gates, 3), "R": _floats(1, 4 * gates, 4)}
    inputs = {"X": _floats(5, 2, 3)}
    outputs = {"Y": FLOAT, "Y_h": FLOAT}
    make = helper.make_node
    old = make(op, ["X", "W", "R"], list(outputs), hidden_size=4, output_sequence=1)
    new = make(op, ["X", "W", "R"], list(outputs), hidden_size=4)
    expected = run_in_onnxruntime(model_of([new], inputs, outputs, 7, weights), inputs)
    upgraded = normalized(model_of([old], inputs, outputs, opset, weights))
    for result, wanted in zip(evaluate(upgraded, inputs), expected, strict=True):
        np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-5)


def test_scan_over_a_batch():
    """Scan-8: running sums along the sequence, for every sample of the batch by itself."""
    body = helper.make_graph(
        [
            helper.make_node("Add", ["sum_in", "next"], ["sum_out"]),
            helper.make_node("Identity", ["sum_out"], ["scan_out"]),
        ],
        "body",
        [helper.make_tensor_value_info(n, FLOAT, [2]) for n in ("sum_in", "next")],
        [helper.make_tensor_value_info(n, FLOAT, [2]) for n in ("sum_out", "scan_out")],
    )
    scan = helper.make_node(
        "Scan", ["", "initial", "x"], ["y", "z"], body=body, num_scan_inputs=1, directions=[1]
    )
    inputs = {"initial": _floats(3, 2), "x": _floats(3, 5, 2)}
    model = model_of([scan], inputs, {"y": FLOAT, "z": FLOAT}, 8)
    # The reference evaluator knows no direction, ONNX Runtime not the newest opset yet.
    final, running = run_in_onnxruntime(stamped(normalized(model), 16), inputs)
    sums = inputs["initial"][:, None] + np.cumsum(inputs["x"][:, ::-1], axis=1)
    np.testing.assert_allclose(running, sums, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(final, sums[:, -1], rtol=1e-5, atol=1e-6)
    assert importer.import_model(model).operation.verify()


def test_nodes_in_subgraphs_are_upgraded():
    def branch(axis: int) -> onnx.GraphProto:
        node = helper.make_node("Unsqueeze", ["x"], ["u"], axes=[axis])
        output = helper.make_tensor_value_info("u", FLOAT, None)
        return helper.make_graph([node], f"branch{axis}", [], [output])

    node = helper.make_node("If", ["c"], ["y"], then_branch=branch(0), else_branch=branch(1))
    inputs = {"c": np.array(True), "x": X3[0]}
    new = normalized(model_of([node], inputs, {"y": FLOAT}, 11))
    (result,) = evaluate(new, inputs)
    np.testing.assert_array_equal(result, X3[:1])


@pytest.mark.parametrize(
    ("node", "opset", "words"),
    [
        (
            helper.make_node("BatchNormalization", ["x", "s", "s", "s", "s"], list("uvwzy"), "bn"),
            7,
            ("bn (BatchNormalization)", "training"),
        ),
        (helper.make_node("Cast", ["x"], ["y"], "cast", to="quaternion"), 1, ("cast", "QUATERN")),
        (helper.make_node("LpPool", ["x"], ["y"], "pool", p=1.5), 1, ("pool", "1.5")),
        (helper.make_node("Reshape", ["x"], ["y"], "r"), 1, ("r (Reshape)", "no shape")),
        (
            helper.make_node("Upsample", ["x"], ["y"], "up", scales=[1.0] * 4, mode="cubic"),
            7,
            ("up (Upsample)", "cubic"),
        ),
    ],
)
def test_what_has_no_equivalent_is_refused(node, opset, words):
    model = model_of([node], {"x": X4}, {"y": FLOAT}, opset, {"s": CHANNELS["scale"]})
    with pytest.raises(OmbError) as error:
        normalized(model)
    assert all(word in str(error.value) for word in words), error.value
    assert "\n" not in str(error.value)
