"""Model-local functions, and operators that the standard defines by functions."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pytest
from import_support import evaluate, model_of, normalized
from onnx import TensorProto, defs, helper
from onnx_mlir_bridge import importer
from onnx_mlir_bridge.errors import OmbError

FLOAT = TensorProto.FLOAT
X = np.random.default_rng(3).standard_normal((2, 3)).astype(np.float32)
DOMAIN = "test.functions"


def _function(name, inputs, outputs, nodes, attributes=(), opset=17, defaults=()):
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(DOMAIN, 1)]
    return helper.make_function(
        DOMAIN, name, inputs, outputs, nodes, opsets, attributes, list(defaults)
    )


def _call(name, inputs, outputs, node_name="", **attributes):
    return helper.make_node(name, inputs, outputs, node_name, domain=DOMAIN, **attributes)


def _model(nodes, functions, outputs=("y",)):
    model = model_of(nodes, {"x": X}, dict.fromkeys(outputs, FLOAT), 17, functions=functions)
    model.opset_import.add(domain=DOMAIN, version=1)
    return model


def _reference_to(attribute: str, of: str, kind: int) -> onnx.AttributeProto:
    return onnx.AttributeProto(name=attribute, ref_attr_name=of, type=kind)


def _leaky() -> onnx.FunctionProto:
    node = helper.make_node("LeakyRelu", ["a"], ["t"])
    node.attribute.append(_reference_to("alpha", "slope", onnx.AttributeProto.FLOAT))
    twice = helper.make_node("Add", ["t", "t"], ["b"])
    return _function("Leaky", ["a"], ["b"], [node, twice], ["slope"])


def test_calls_are_inlined_with_their_attributes():
    # 't' is a name in the graph as well as in the function.
    nodes = [
        _call("Leaky", ["x"], ["t"], "one", slope=0.5),
        _call("Leaky", ["t"], ["y"], slope=2.0),
    ]
    model = _model(nodes, [_leaky()])
    new = normalized(model)
    assert not new.functions
    assert {n.domain for n in new.graph.node} == {""}
    leaky = [n for n in new.graph.node if n.op_type == "LeakyRelu"]
    assert [n.attribute[0].f for n in leaky] == [0.5, 2.0]
    assert leaky[0].name == "one/LeakyRelu"
    inner = 2 * np.where(X > 0, X, 0.5 * X)
    np.testing.assert_allclose(
        evaluate(new, {"x": X})[0], 2 * np.where(inner > 0, inner, 2 * inner), rtol=1e-6
    )
    assert importer.import_model(model).operation.verify()


def test_an_absent_attribute_takes_the_operators_default():
    new = normalized(_model([_call("Leaky", ["x"], ["y"])], [_leaky()]))
    (result,) = evaluate(new, {"x": X})
    np.testing.assert_allclose(result, 2 * np.where(X > 0, X, 0.01 * X), rtol=1e-6)


def test_an_absent_attribute_takes_the_functions_default():
    node = helper.make_node("LeakyRelu", ["a"], ["b"])
    node.attribute.append(_reference_to("alpha", "slope", onnx.AttributeProto.FLOAT))
    default = helper.make_attribute("slope", 0.25)
    function = _function("Leaky", ["a"], ["b"], [node], defaults=[default])
    new = normalized(_model([_call("Leaky", ["x"], ["y"])], [function]))
    np.testing.assert_allclose(evaluate(new, {"x": X})[0], np.where(X > 0, X, 0.25 * X))


def test_functions_call_functions():
    outer = _function(
        "Outer",
        ["p"],
        ["q"],
        [_call("Leaky", ["p"], ["r"], slope=0.5), helper.make_node("Neg", ["r"], ["q"])],
    )
    new = normalized(_model([_call("Outer", ["x"], ["y"])], [outer, _leaky()]))
    np.testing.assert_allclose(
        evaluate(new, {"x": X})[0], -2 * np.where(X > 0, X, 0.5 * X), rtol=1e-6
    )


def test_a_function_of_another_opset():
    body = [helper.make_node("Neg", ["a"], ["b"])]
    model = _model(
        [_call("Minus", ["x"], ["y"])], [_function("Minus", ["a"], ["b"], body, opset=13)]
    )
    new = normalized(model)
    np.testing.assert_array_equal(evaluate(new, {"x": X})[0], -X)
    assert not any(n.metadata_props for n in new.graph.node)


def test_standard_functions_of_older_opsets_are_upgraded():
    """LayerNormalization's body is written in opset 18; its model may be in the newest."""
    node = helper.make_node("LayerNormalization", ["x", "s"], ["y"], axis=-1)
    scale = np.array([1, 2, 3], np.float32)
    newest = defs.onnx_opset_version()
    model = model_of([node], {"x": X}, {"y": FLOAT}, newest, {"s": scale})
    new = normalized(model, frozenset())
    assert "LayerNormalization" not in {n.op_type for n in new.graph.node}
    assert not any(n.metadata_props for n in new.graph.node)
    expected = (X - X.mean(-1, keepdims=True)) / np.sqrt(X.var(-1, keepdims=True) + 1e-5) * scale
    np.testing.assert_allclose(evaluate(new, {"x": X})[0], expected, rtol=1e-5, atol=1e-6)


def test_absent_inputs_and_outputs():
    body = [
        helper.make_node("Clip", ["a", "low", "high"], ["b"]),
        helper.make_node("Neg", ["b"], ["unused"]),
    ]
    function = _function("Bounded", ["a", "low", "high"], ["unused", "b"], body)
    model = model_of(
        [_call("Bounded", ["x", "", "h"], ["", "y"])],
        {"x": X},
        {"y": FLOAT},
        17,
        {"h": np.array(0.5, np.float32)},
        functions=[function],
    )
    model.opset_import.add(domain=DOMAIN, version=1)
    np.testing.assert_array_equal(
        evaluate(normalized(model), {"x": X})[0], np.minimum(X, np.float32(0.5))
    )


def test_a_function_that_returns_its_input():
    model = _model([_call("Same", ["x"], ["y"])], [_function("Same", ["a"], ["a"], [])])
    np.testing.assert_array_equal(evaluate(normalized(model), {"x": X})[0], X)


def test_names_in_subgraphs_of_functions():
    def branch(op: str) -> onnx.GraphProto:
        output = helper.make_tensor_value_info("r", FLOAT, None)
        return helper.make_graph([helper.make_node(op, ["a"], ["r"])], op, [], [output])

    node = helper.make_node(
        "If", ["c"], ["b"], then_branch=branch("Neg"), else_branch=branch("Abs")
    )
    function = _function("Choose", ["c", "a"], ["b"], [node])
    true, false = (helper.make_node("Constant", [], [n], value=onnx.numpy_helper.from_array(
        np.array(n == "t"))) for n in ("t", "f"))  # fmt: skip
    model = _model(
        [true, false, _call("Choose", ["t", "x"], ["m"]), _call("Choose", ["f", "m"], ["y"])],
        [function],
    )
    np.testing.assert_array_equal(evaluate(normalized(model), {"x": X})[0], np.abs(X))
    assert importer.import_model(model).operation.verify()


def test_recursion_is_refused():
    functions = [
        _function("A", ["a"], ["b"], [_call("B", ["a"], ["b"])]),
        _function("B", ["a"], ["b"], [_call("A", ["a"], ["b"])]),
    ]
    with pytest.raises(OmbError, match=r"calls itself|cycle|recurs"):
        normalized(_model([_call("A", ["x"], ["y"])], functions))


def test_exponential_growth_is_refused():
    """Forty functions, each of which calls the one before twice."""
    functions = [_function("F0", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])])]
    for i in range(1, 40):
        calls = [_call(f"F{i - 1}", ["a"], ["t"]), _call(f"F{i - 1}", ["t"], ["b"])]
        functions.append(_function(f"F{i}", ["a"], ["b"], calls))
    with pytest.raises(OmbError, match="expand to"):
        normalized(_model([_call("F39", ["x"], ["y"])], functions))


@pytest.mark.parametrize("length", [90, 2000])
def test_a_long_chain_of_functions(length):
    """Each function calls the one before; onnx.checker follows a hundred."""
    functions = [_function("F0", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])])]
    functions += [
        _function(f"F{i}", ["a"], ["b"], [_call(f"F{i - 1}", ["a"], ["b"])])
        for i in range(1, length)
    ]
    model = _model([_call(f"F{length - 1}", ["x"], ["y"])], functions)
    if length > 100:
        with pytest.raises(OmbError, match="chain"):
            normalized(model)
    else:
        assert [n.op_type for n in normalized(model).graph.node] == ["Neg"]


NOT_COMPARED = {
    "Bernoulli": "random",
    "CastLike": "the reference evaluator knows no attribute of Cast-25",
    "Range": "expands to a Loop, whose scalars the reference evaluator stacks as columns",
    "SequenceMap": "its result is a sequence",
}


def _function_cases() -> list[onnx.backend.test.case.test_case.TestCase]:
    from onnx.backend.test.case.node import collect_testcases

    names = {
        s.name
        for s in defs.get_all_schemas()
        if not s.domain and (s.has_function or s.has_context_dependent_function)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    return [
        case
        for case in cases
        if case.model is not None
        and case.model.graph.node[0].op_type in names - NOT_COMPARED.keys()
        and "expanded" not in case.name
        and "bfloat16" not in case.name
    ]


def test_function_bodied_operators_expand():
    """Every operator with a function body, on onnx's own tests: gone, with the same results."""
    keep = frozenset(NOT_COMPARED) - {"CastLike"}
    expanded = set()
    for case in _function_cases():
        operator = case.model.graph.node[0].op_type
        new = normalized(case.model, keep)
        assert operator not in {n.op_type for n in new.graph.node}, case.name
        expanded.add(operator)
        for inputs, outputs in case.data_sets:
            names = [value.name for value in new.graph.input]
            results = evaluate(new, dict(zip(names, inputs, strict=True)))
            for result, wanted in zip(results, outputs, strict=True):
                np.testing.assert_allclose(
                    np.asarray(result, dtype=np.float64),
                    np.asarray(wanted, dtype=np.float64),
                    rtol=max(case.rtol, 1e-3),
                    atol=max(case.atol, 1e-5),
                    err_msg=case.name,
                )
    assert len(expanded) > 35


def test_kept_operators_stay():
    node = helper.make_node("Gelu", ["x"], ["y"])
    model = model_of([node], {"x": X}, {"y": FLOAT}, 20)
    assert [n.op_type for n in normalized(model, frozenset({"Gelu"})).graph.node] == ["Gelu"]
    assert [n.op_type for n in normalized(model).graph.node] == ["Gelu"]
    assert "Gelu" not in {n.op_type for n in normalized(model, frozenset()).graph.node}
