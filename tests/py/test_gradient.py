"""Gradient of ai.onnx.preview.training, against differences of what onnx's evaluator computes."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from import_support import normalized
from onnx import TensorProto, helper, parser
from onnx.reference import ReferenceEvaluator

DOMAIN = "ai.onnx.preview.training"
RNG = np.random.default_rng(11)


def array(*shape, low=-1.0, high=1.0):
    return RNG.uniform(low, high, shape)


def with_gradient(body, inputs, xs, dynamic=False, y="y"):
    """A model of float64 inputs that computes `body` (text, giving y) and its gradients by xs."""
    header = '<ir_version: 10, opset_import: ["" : 21]> g (double[1] unused) => (double[1] y)'
    graph = parser.parse_model(f"{header} {{ {body} }}").graph
    nodes = list(graph.node)
    nodes.append(
        helper.make_node("Gradient", xs, [f"d_{x}" for x in xs], "grad", domain=DOMAIN, xs=xs, y=y)
    )
    infos = [
        helper.make_tensor_value_info(
            name,
            helper.np_dtype_to_tensor_dtype(value.dtype),
            [f"{name}{i}" for i in range(value.ndim)] if dynamic else value.shape,
        )
        for name, value in inputs.items()
    ]
    outputs = [
        helper.make_tensor_value_info(f"d_{x}", TensorProto.DOUBLE, [None] * inputs[x].ndim)
        for x in xs
    ]
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_model(
        helper.make_graph(nodes, "g", infos, outputs), opset_imports=opsets, ir_version=10
    )


def differences(body, inputs, x, step=1e-5):
    """Central differences of the sum of y."""
    names = ", ".join(
        f"{'double' if v.dtype == np.float64 else 'int64'}[{','.join(map(str, v.shape))}] {n}"
        for n, v in inputs.items()
    )
    text = (
        f'<ir_version: 10, opset_import: ["" : 21]> g ({names}) => (double[unknown] y) {{ {body} }}'
    )
    model = parser.parse_model(text)
    # The evaluator's Erf is one of float32.
    exact = "Erf" not in body and "Gelu" not in body
    run = (ReferenceEvaluator if exact else omb.InferenceSession)(model).run
    result = np.zeros(inputs[x].shape)
    for index in np.ndindex(result.shape):
        sums = []
        for sign in (1, -1):
            moved = inputs[x].copy()
            moved[index] += sign * step
            sums.append(run(None, {**inputs, x: moved})[0].sum())
        result[index] = (sums[0] - sums[1]) / (2 * step)
    return result


A, B, ROW = array(3, 4), array(3, 4), array(4)
POSITIVE = array(3, 4, low=0.5, high=2.0)
AXIS = "k = Constant<value = int64[1] {1}>() "

CASES = {
    "unary": (
        "p = Tanh(a) q = Sigmoid(p) r = Exp(q) s = Neg(r) t = Cos(s) u = Sin(t) v = Erf(u) "
        "w = Softplus(v) z = Identity(w) y = Mul(z, z)",
        {"a": A},
    ),
    "positive": (
        "p = Log(a) q = Sqrt(a) r = Reciprocal(a) s = Add(p, q) y = Mul(s, r)",
        {"a": POSITIVE},
    ),
    "kinks": (
        "p = Relu(a) q = LeakyRelu<alpha = 0.3>(a) r = Abs(a) y = Sum(p, q, r)",
        {"a": A},
    ),
    "gelu": ('p = Gelu(a) q = Gelu<approximate = "tanh">(a) y = Mul(p, q)', {"a": A}),
    "broadcast": (
        "p = Sub(a, b) q = Mul(p, b) r = Div(q, c) y = Mul(r, r)",
        {"a": A, "b": ROW, "c": array(3, 1, low=1, high=2)},
    ),
    "power": ("y = Pow(a, b)", {"a": POSITIVE, "b": array(1, 4, low=1, high=3)}),
    "extrema": ("p = Max(a, b) q = Min(a, c) y = Mul(p, q)", {"a": A, "b": B, "c": ROW}),
    "choice": (
        "p = Greater(a, b) q = Where(p, a, c) y = Mul(q, q)",
        {"a": A, "b": B, "c": ROW},
    ),
    "gemm": (
        "p = Gemm<alpha = 0.5, beta = 2.0, transB = 1>(a, b, c) q = Gemm<transA = 1>(p, "
        "a) y = Tanh(q)",
        {"a": A, "b": B, "c": array(3)},
    ),
    "matmul": (
        "p = MatMul(a, b) y = Mul(p, p)",
        {"a": array(2, 1, 3, 4), "b": array(5, 4, 2)},
    ),
    "matmul_vectors": (
        "p = MatMul(a, b) q = MatMul(c, p) r = MatMul(c, c) s = Mul(q, r) y = Tanh(s)",
        {"a": array(2, 3, 4), "b": array(4), "c": array(2)},
    ),
    "movement": (
        "k = Constant<value = int64[2] {2, 6}>() p = Reshape(a, k) q = Transpose(p) r = "
        "Flatten(q) s = Concat<axis = 0>(r, r) y = Mul(s, s)",
        {"a": A},
    ),
    "parts": (
        AXIS + "p, q = Split<axis = 1, num_outputs = 2>(a) r = Unsqueeze(p, k) s = Squeeze(r, k) "
        "y = Mul(s, q)",
        {"a": A},
    ),
    "slices": (
        "l = Constant<value = int64[1] {-1}>() h = Constant<value = int64[1] {-5}>() x = "
        "Constant<value = int64[1] {1}>() n = Constant<value = int64[1] {-2}>() p = "
        "Slice(a, l, h, x, n) y = Mul(p, p)",
        {"a": A},
    ),
    "gathers": (
        "i = Constant<value = int64[2,2] {1, -1, 1, 0}>() p = Gather<axis = 1>(a, i) y = Mul(p, p)",
        {"a": A},
    ),
    "reductions": (
        AXIS + "p = ReduceSum<keepdims = 0>(a, k) q = ReduceMean(a, k) r = ReduceMax(a, k) s = "
        "ReduceSumSquare(a) t = Mul(q, r) u = Mul(p, p) v = Mul(t, s) y = Add(u, v)",
        {"a": A},
    ),
    "softmax": ("p = Softmax<axis = 0>(a) q = LogSoftmax(a) y = Mul(p, q)", {"a": A}),
    "expanded": (
        "e = Constant<value = int64[3] {2, 3, 4}>() p = Expand(a, e) y = Mul(p, p)",
        {"a": array(3, 1)},
    ),
    "clipped": (
        "l = Constant<value = double {-0.5}>() h = Constant<value = double {0.4}>() p = "
        "Clip(a, l, h) y = Mul(p, a)",
        {"a": A},
    ),
    "elus": (
        "p = Elu<alpha = 0.7>(a) q = Selu(p) r = Celu<alpha = 1.5>(q) y = Mul(r, r)",
        {"a": A},
    ),
    "layer_normalization": (
        "p = LayerNormalization(a, b, c) y = Mul(p, p)",
        {"a": A, "b": ROW, "c": array(4)},
    ),
    "bodies": (
        "p = HardSwish(a) q = Mish(p) r = Softsign(q) s = ReduceL2(r) t = Mul(r, s) y = Tanh(t)",
        {"a": A},
    ),
    "unused": ("y = Mul(a, a)", {"a": A, "b": B}),
}


# Those in which known sizes make other gradients.
STATIC = ("broadcast", "gemm", "matmul_vectors", "movement", "slices", "reductions")


@pytest.mark.parametrize(
    ("name", "dynamic"),
    [*((name, True) for name in CASES), *((name, False) for name in STATIC)],
)
def test_gradients_are_those_of_differences(name, dynamic):
    body, inputs = CASES[name]
    model = with_gradient(body, inputs, list(inputs), dynamic)
    actual = omb.InferenceSession(model).run(None, inputs)
    for x, found in zip(inputs, actual, strict=True):
        expected = differences(body, inputs, x)
        assert found.shape == expected.shape
        # Differences of step 1e-5 are good to about 1e-9 of float64 values around 1.
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7, err_msg=f"by {x}")


def test_gradient_of_a_loss():
    """d(cross entropy) = (softmax - one hot) / batch."""
    labels = np.array([2, 0, 3])
    inputs = {"a": A, "labels": labels}
    model = with_gradient("y = SoftmaxCrossEntropyLoss(a, labels)", inputs, ["a"])
    (actual,) = omb.InferenceSession(model).run(None, inputs)
    shares = np.exp(A) / np.exp(A).sum(1, keepdims=True)
    np.testing.assert_allclose(actual, (shares - np.eye(4)[labels]) / 3, rtol=1e-10)


def test_gradient_of_rms_normalization():
    inputs = {"a": A, "b": ROW}
    model = with_gradient("p = RMSNormalization(a, b) y = Mul(p, p)", inputs, ["a", "b"])
    for entry in model.opset_import:
        entry.version = 1 if entry.domain else 23
    by_a, by_b = omb.InferenceSession(model).run(None, inputs)
    root = np.sqrt((A**2).mean(1, keepdims=True) + 1e-5)
    unit, flow = A / root, 2 * A / root * ROW * ROW
    expected = (flow - unit * (flow * unit).mean(1, keepdims=True)) / root
    np.testing.assert_allclose(by_a, expected, rtol=1e-6)
    np.testing.assert_allclose(by_b, (2 * unit**2 * ROW).sum(0), rtol=1e-6)


def test_gradients_of_gradients():
    body = "p = Mul(a, a) q = Mul(p, a) y = Exp(q)"
    model = with_gradient(body, {"a": A}, ["a"])
    model.graph.node.append(
        helper.make_node("Gradient", ["a"], ["dd_a"], "second", domain=DOMAIN, xs=["a"], y="d_a")
    )
    model.graph.output[0].name = "dd_a"
    (actual,) = omb.InferenceSession(model).run(None, {"a": A})
    # y = e^(a^3): y'' = (6 a + 9 a^4) e^(a^3)
    expected = (6 * A + 9 * A**4) * np.exp(A**3)
    np.testing.assert_allclose(actual, expected, rtol=1e-10)


def test_gradients_at_other_values():
    model = with_gradient("p = Mul(a, b) y = Tanh(p)", {"a": A, "b": B, "other": ROW}, ["a"])
    gradient = model.graph.node[-1]
    gradient.input[:] = ["other", "b"]
    gradient.attribute.append(helper.make_attribute("zs", ["b"]))
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    model.graph.output[0].type.tensor_type.shape.dim.add().dim_value = 4
    (actual,) = omb.InferenceSession(model).run(None, {"a": A, "b": B, "other": ROW})
    expected = ((1 - np.tanh(ROW * B) ** 2) * B).sum(0)
    np.testing.assert_allclose(actual, expected, rtol=1e-10)


def test_old_opsets_and_intermediate_values():
    """ReduceSum of opset 11 has its axes as an attribute; `h` is computed, and independent here."""
    nodes = [
        helper.make_node("Mul", ["a", "a"], ["h"]),
        helper.make_node("Mul", ["h", "b"], ["p"]),
        helper.make_node("ReduceSum", ["p"], ["y"], axes=[1], keepdims=0),
        helper.make_node("Gradient", ["h"], ["d"], domain=DOMAIN, xs=["h"], y="y"),
    ]
    infos = [helper.make_tensor_value_info(n, TensorProto.DOUBLE, [3, 4]) for n in "ab"]
    output = helper.make_tensor_value_info("d", TensorProto.DOUBLE, [3, 4])
    model = helper.make_model(
        helper.make_graph(nodes, "g", infos, [output]),
        opset_imports=[helper.make_opsetid("", 11), helper.make_opsetid(DOMAIN, 1)],
        ir_version=7,
    )
    (actual,) = omb.InferenceSession(model).run(None, {"a": A, "b": B})
    np.testing.assert_array_equal(actual, B)


@pytest.mark.parametrize(
    ("body", "xs", "message"),
    [
        ("y = Det(a)", ["a"], r"can't differentiate the node '\(Det\).*no gradient of Det"),
        ("y = Tanh(a)", ["nothing"], "nothing"),
        ("z = Tanh(a)", ["a"], "differentiates 'y', which nothing before it computes"),
    ],
)
def test_errors_name_the_operator(body, xs, message):
    inputs = {"a": array(3, 3)}
    model = with_gradient(body, inputs, ["a"])
    gradient = model.graph.node[-1]
    gradient.input[:] = xs
    del gradient.attribute[:]
    gradient.attribute.extend([helper.make_attribute("xs", xs), helper.make_attribute("y", "y")])
    with pytest.raises(omb.OmbError, match=message):
        normalized(onnx.ModelProto.FromString(model.SerializeToString()))
