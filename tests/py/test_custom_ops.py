"""register_op and unregister_op: users' own operators."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from import_support import evaluate, normalized
from onnx import helper, parser

DOMAIN = "test.custom"
X = np.random.default_rng(2).standard_normal((2, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def _nothing_stays_registered():
    yield
    from onnx_mlir_bridge.importer.compositions import registry

    registry._CUSTOM.clear()


def model(call="y = test.custom.Twice(x)", opset=18, domains=f', "{DOMAIN}" : 1'):
    return parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : {opset}{domains}]>'
        f"g (float[2, N] x) => (float[2, N] y) {{ {call} }}"
    )


def function(body="y = Add(x, x)", name="Twice", opset=18, attributes=""):
    return (
        f'<domain: "{DOMAIN}", opset_import: ["" : {opset}, "{DOMAIN}" : 1]>'
        f"{name} {attributes} (x) => (y) {{ {body} }}"
    )


def result(source):
    return evaluate(normalized(source), {"x": X})[0]


def test_text_functions_and_callables():
    for definition in (
        function(),
        parser.parse_function(function()),
        lambda call: call.operands("x")[0] * 2,
        lambda call: [call.operands("x")[0] * 2],
        lambda call: function(),
    ):
        omb.register_op(DOMAIN, "Twice", definition)
        np.testing.assert_array_equal(result(model()), 2 * X)
        omb.unregister_op(DOMAIN, "Twice")


def test_sessions_use_it():
    omb.register_op(DOMAIN, "Twice", function())
    session = omb.InferenceSession(model())
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], 2 * X)


def test_as_a_decorator_with_attributes_and_ranks():
    @omb.register_op(DOMAIN, "Scaled")
    def scaled(call):
        (x,) = call.operands("x")
        assert call.rank(0) == 2
        assert call.shape(0) == [2, None]
        assert call.element(0) == onnx.TensorProto.FLOAT
        return x * call.attribute("factor", 1.0)

    assert callable(scaled)
    source = model("t = test.custom.Scaled<factor = 3.0>(x) y = test.custom.Scaled(t)")
    np.testing.assert_allclose(result(source), 3 * X)


def test_bodies_of_other_opsets_and_of_other_operators():
    """ReduceSum of opset 11 in a model of 18; an operator that calls another, and one of others."""
    omb.register_op(DOMAIN, "Rows", function("y = ReduceSum<axes = [1]>(x)", "Rows", opset=11))
    omb.register_op(
        DOMAIN, "Twice", function("a = test.custom.Rows(x) b = Sub(x, a) y = Add(b, a)")
    )
    np.testing.assert_allclose(result(model()), X, rtol=1e-6)


def test_in_subgraphs_with_known_types():
    @omb.register_op(DOMAIN, "Ranked")
    def ranked(call):
        (x,) = call.operands("x")
        return x.transpose(*range(call.rank(0)))

    source = model(
        "c = Constant<value = bool {1}>() h = Neg(x) "
        "y = If(c) <then_branch = t () => (float[2, N] p) { p = test.custom.Ranked(h) }, "
        "else_branch = e () => (float[2, N] q) { q = Identity(h) }>"
    )
    np.testing.assert_array_equal(result(source), -X)


def test_functions_of_the_model_come_first():
    source = model()
    source.functions.append(parser.parse_function(function("y = Neg(x)")))
    omb.register_op(DOMAIN, "Twice", function())
    np.testing.assert_array_equal(result(source), -X)


def test_built_in_operators_can_be_replaced():
    source = model("y = com.microsoft.Gelu(x)", domains=', "com.microsoft" : 1')
    with pytest.raises(omb.OmbError, match=r"'Gelu' of the domain 'com.microsoft' is built in"):
        omb.register_op("com.microsoft", "Gelu", lambda call: -call.operands("x")[0])
    omb.register_op("com.microsoft", "Gelu", lambda c: -c.operands("x")[0], replace=True)
    np.testing.assert_array_equal(result(source), -X)
    omb.unregister_op("com.microsoft", "Gelu")
    assert "Gelu" in {node.op_type for node in normalized(source).graph.node}


def test_in_the_default_domain():
    omb.register_op("ai.onnx", "Twice", lambda call: call.operands("x")[0] * 2)
    node = helper.make_node("Twice", ["x"], ["y"])
    source = model("y = Neg(x)")
    source.graph.node[0].CopyFrom(node)
    np.testing.assert_array_equal(result(source), 2 * X)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", "Relu", function()), "is one of ONNX's own"),
        ((DOMAIN, "Other", function()), "is called 'Twice'"),
        ((DOMAIN, "Twice", 3), "not by int"),
        ((DOMAIN, "no name", function()), "'no name' can't be the name"),
        ((DOMAIN, "Twice", "nonsense"), r"can't be parsed: \[ParseError at position"),
        ((DOMAIN, "Twice", function("y = Nothing(x)")), "no operator 'Nothing' in opset 18"),
        ((DOMAIN, "Twice", function("z = Neg(x)")), "doesn't produce its output 'y'"),
        ((DOMAIN, "Twice", function("y = Neg(z)")), "uses the value 'z'"),
        ((DOMAIN, "Twice", function("y = Neg(x) y = Neg(x)")), "produces the value 'y' twice"),
        ((DOMAIN, "Twice", function("y = no.such.Op(x)")), "uses the domain 'no.such'"),
    ],
)
def test_definitions_that_are_refused(arguments, message):
    with pytest.raises(omb.OmbError, match=message) as caught:
        omb.register_op(*arguments)
    assert "\n" not in str(caught.value)


def test_registering_twice_and_unregistering():
    omb.register_op(DOMAIN, "Twice", function("y = Neg(x)"))
    with pytest.raises(omb.OmbError, match="is registered already; pass replace=True"):
        omb.register_op(DOMAIN, "Twice", function())
    omb.register_op(DOMAIN, "Twice", function(), replace=True)
    np.testing.assert_array_equal(result(model()), 2 * X)
    omb.unregister_op(DOMAIN, "Twice")
    with pytest.raises(omb.OmbError, match="isn't registered"):
        omb.unregister_op(DOMAIN, "Twice")
    with pytest.raises(omb.OmbError, match="not part of ONNX"):
        normalized(model())


def _divides_by_zero(call):
    return 1 // 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (_divides_by_zero, "can't be built by its registered callable: ZeroDivisionError"),
        (lambda call: None, "returns neither a function nor values, but NoneType"),
        (lambda call: [], "has the output 'y', which isn't supported"),
        (lambda call: call.operands("x y")[0], "needs the input 'y'"),
        (lambda call: call.emit("Twice", *call.operands("x"), domain=DOMAIN), "composed of itself"),
    ],
)
def test_callables_that_fail(build, message):
    omb.register_op(DOMAIN, "Twice", build)
    with pytest.raises(omb.OmbError, match=message) as caught:
        normalized(model())
    assert "\n" not in str(caught.value)
    assert "Twice" in str(caught.value)


def test_a_value_of_unknown_rank_is_named():
    omb.register_op(DOMAIN, "Twice", lambda call: call.operands("x")[0] * call.rank(0))
    source = model("s = Shape(x) t = Squeeze(x) y = test.custom.Twice(t)")
    source.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(omb.OmbError, match="depends on the rank of its input 't'"):
        normalized(source)
