"""TfIdfVectorizer of integers; the oracle is onnx's reference evaluator. Counts are exact."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from budget import examples
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

BUDGET = examples(10)

# Two 1-grams, three 2-grams, one 3-gram; the outputs are in another order, and one is empty.
POOL = {
    "pool_int64s": [2, 3, 5, 4, 5, 6, 7, 8, 2, 3, 2],
    "ngram_counts": [0, 2, 8],
    "ngram_indexes": [0, 6, 2, 3, 4, 1],
}
LIMITS = {"min_gram_length": 1, "max_gram_length": 3, "max_skip_count": 0, "mode": "TF"}


def _model(dims: list, element: int = TensorProto.INT64, **attributes: object) -> onnx.ModelProto:
    node = helper.make_node("TfIdfVectorizer", ["x"], ["y"], **{**POOL, **LIMITS, **attributes})
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", element, dims)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def _check(
    model: onnx.ModelProto, *inputs: np.ndarray, oracle: onnx.ModelProto | None = None
) -> None:
    session = omb.InferenceSession(model, ["cpu"])
    for x in inputs:
        (expected,) = ReferenceEvaluator(oracle or model).run(None, {"x": x})
        (found,) = session.run(None, {"x": x})
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape


@BUDGET
@given(
    shortest=st.integers(1, 3),
    longer=st.integers(0, 2),
    skips=st.integers(0, 4),
    mode=st.sampled_from(["TF", "IDF", "TFIDF"]),
    weights=st.sampled_from([None, [0.5, -1.0, 2.0, 3.0, 4.0, 5.0, 0.25]]),
    seed=st.integers(0, 99),
)
def test_rows_of_any_length(
    shortest: int, longer: int, skips: int, mode: str, weights: list | None, seed: int
) -> None:
    attributes = {
        "min_gram_length": shortest,
        "max_gram_length": min(shortest + longer, 3),
        "max_skip_count": skips,
        "mode": mode,
    }
    # The evaluator takes no absent weights.
    oracle = _model(["n", "length"], weights=weights or [1.0] * 7, **attributes)
    if weights:
        attributes["weights"] = weights
    model = _model(["n", "length"], **attributes)
    random = np.random.default_rng(seed)
    # Rows that are shorter than an n-gram with its gaps too.
    shapes = ((1, 1), (3, 4), (2, 17), (2, 0))
    _check(model, *(random.integers(2, 9, shape) for shape in shapes), oracle=oracle)


@pytest.mark.parametrize("element", [TensorProto.INT32, TensorProto.INT64])
@pytest.mark.parametrize("dims", [["n"], [9], [1, 9], ["n", 9]])
def test_shapes_and_types(dims: list, element: int) -> None:
    shape = [9 if dim == "n" and len(dims) == 1 else 2 if dim == "n" else dim for dim in dims]
    dtype = helper.tensor_dtype_to_np_dtype(element)
    x = np.random.default_rng(3).integers(2, 9, shape).astype(dtype)
    _check(_model(dims, element, max_skip_count=5), x)


def test_no_rows() -> None:
    session = omb.InferenceSession(_model(["n", 4]), ["cpu"])
    (found,) = session.run(None, {"x": np.zeros((0, 4), np.int64)})
    assert found.shape == (0, 7)


def test_several_n_grams_of_one_output() -> None:
    x = np.array([[2, 3, 2, 3, 5, 4], [5, 6, 7, 8, 7, 8]])
    _check(_model([2, 6], ngram_indexes=[1, 1, 0, 1, 0, 0]), x)
    # The same one twice.
    _check(_model([2, 6], pool_int64s=[2, 2, 5, 4, 5, 4, 7, 8, 2, 3, 2]), x)


@pytest.mark.parametrize("dims", [["n", "length"], ["n", 30]])
def test_large_limits(dims: list) -> None:
    """Neither skips nor indices far beyond what there is cost time or memory."""
    x = np.random.default_rng(5).integers(2, 9, (2, 30))
    _check(_model(dims, max_skip_count=100), x)
    far = {"ngram_indexes": [0, 6, 2, 3, 4, 10**5]}
    capped = _model(dims, max_skip_count=29, **far)  # the evaluator tries each distance
    _check(_model(dims, max_skip_count=2**63 - 1, **far), x, oracle=capped)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"ngram_indexes": [0, 1]}, "has 2 ngram_indexes for 6 n-grams"),
        ({"ngram_indexes": [0, 1, 2, 3, 4, -5]}, "no negative values"),
        ({"ngram_counts": [0, 3, 8]}, "has its 2-grams from 3 to 8 in a pool of 11 items"),
        ({"ngram_counts": [0, 2, 800]}, "has its 2-grams from 2 to 800 in a pool of 11 items"),
        ({"max_gram_length": 4}, "its pool has those of 1 to 3"),
        ({"max_skip_count": -1}, "with up to -1 skipped"),
        ({"ngram_indexes": [0, 1, 2, 3, 4, 10**8]}, "gives rows of 100000001 numbers"),
        ({"mode": "tf"}, "has the mode 'tf'; there are TF, IDF and TFIDF"),
        ({"mode": "IDF", "weights": [1.0, 2.0]}, "has 2 weights for 7 outputs"),
    ],
)
def test_refused(attributes: dict, message: str) -> None:
    with pytest.raises(omb.OmbError, match=message) as caught:
        omb.compile(_model([2, 6], **attributes))
    assert "TfIdfVectorizer" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_inputs_refused() -> None:
    with pytest.raises(omb.OmbError, match="must have rank 1 or 2"):
        omb.compile(_model([2, 6, 1]))
    model = _model([2, 6], TensorProto.STRING, pool_strings=["a"])
    with pytest.raises(omb.OmbError, match="string"):
        omb.compile(model, fallback="error")
