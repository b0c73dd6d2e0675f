"""Sparse initializers and constants: what they become, and which are refused."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from budget import examples
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx_mlir_bridge.importer import import_model


def sparse_tensor(
    array: np.ndarray, name: str = "w", linear: bool = False
) -> onnx.SparseTensorProto:
    """The elements of `array` that aren't zero."""
    at = np.argwhere(array != array.dtype.type(0)).reshape(-1, array.ndim)
    values = numpy_helper.from_array(array[tuple(at.T)], name)
    if linear:
        at = np.ravel_multi_index(tuple(at.T), array.shape) if len(at) else np.zeros(0)
    indices = numpy_helper.from_array(np.asarray(at, dtype=np.int64), f"{name}/indices")
    return helper.make_sparse_tensor(values, indices, array.shape)


def model_of(node: onnx.NodeProto, element: int, *sparse: onnx.SparseTensorProto, x: tuple = ()):
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)] if x else [],
        [helper.make_tensor_value_info("y", element, None)],
    )
    graph.sparse_initializer.extend(sparse)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def mostly_zeros(shape: tuple[int, ...], dtype: object = np.float32, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = random.integers(1, 100, shape).astype(dtype)
    return np.where(random.random(shape) < 0.2, values, np.zeros((), dtype)).astype(dtype)


def run(model: onnx.ModelProto, **feed: np.ndarray) -> np.ndarray:
    return omb.InferenceSession(model, ["cpu"]).run(None, feed)[0]


IDENTITY = helper.make_node("Identity", ["w"], ["y"], "id")
DTYPES = (
    *(np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int8, np.uint8, np.int16),
    *(np.uint16, np.int32, np.uint32, np.int64, np.uint64, bool, np.complex64),
)


@pytest.mark.parametrize("linear", [False, True], ids=["coordinates", "linear"])
@pytest.mark.parametrize("shape", [(7,), (40, 30), (3, 5, 7), (2, 3, 4, 5)])
def test_type_and_value(shape: tuple[int, ...], linear: bool):
    array = mostly_zeros(shape)
    model = model_of(IDENTITY, TensorProto.FLOAT, sparse_tensor(array, linear=linear))
    text = str(import_model(model))
    assert "#sparse_tensor.encoding" in text and "sparse_value = sparse<" in text
    np.testing.assert_array_equal(run(model), array)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("shape", [(5, 9), (60, 70)], ids=["small", "large"])
def test_element_types(dtype: object, shape: tuple[int, ...]):
    array = mostly_zeros(shape, dtype)
    element = helper.np_dtype_to_tensor_dtype(array.dtype)
    model = model_of(IDENTITY, element, sparse_tensor(array))
    result = run(model)
    assert result.dtype == array.dtype
    np.testing.assert_array_equal(result, array)


def test_text_is_read_again():
    from onnx_mlir_bridge._mlir import ir

    module = import_model(
        model_of(IDENTITY, TensorProto.FLOAT, sparse_tensor(mostly_zeros((30, 20))))
    )
    with module.context:
        text = str(module)
        assert str(ir.Module.parse(text)) == text


def test_indices_beyond_the_threshold_of_payloads():
    # 200 values take less than 1 KiB, their indices more: only the latter are left in the file.
    array = np.zeros((100, 20), dtype=np.float32)
    array[:, :2] = 1 + np.arange(200).reshape(100, 2)
    model = model_of(IDENTITY, TensorProto.FLOAT, sparse_tensor(array))
    np.testing.assert_array_equal(run(model), array)


def test_constant_node():
    array = mostly_zeros((6, 8))
    constant = helper.make_node("Constant", [], ["w"], sparse_value=sparse_tensor(array))
    model = model_of(helper.make_node("Relu", ["w"], ["y"]), TensorProto.FLOAT)
    model.graph.node.insert(0, constant)
    np.testing.assert_array_equal(run(model), array)


def test_output_that_is_a_sparse_constant():
    array = mostly_zeros((6, 8))
    node = helper.make_node("Neg", ["w"], ["z"])
    model = model_of(node, TensorProto.FLOAT, sparse_tensor(array, "w"))
    model.graph.output[0].name = "w"
    np.testing.assert_array_equal(run(model), array)


def test_branches_that_yield_sparse_constants():
    arrays = [mostly_zeros((6, 8), seed=seed) for seed in (1, 2)]
    branches = []
    for number, array in enumerate(arrays):
        node = helper.make_node(
            "Constant", [], [f"v{number}"], sparse_value=sparse_tensor(array, f"s{number}")
        )
        output = helper.make_tensor_value_info(f"v{number}", TensorProto.FLOAT, (6, 8))
        branches.append(helper.make_graph([node], f"b{number}", [], [output]))
    node = helper.make_node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("c", TensorProto.BOOL, ())],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (6, 8))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = omb.InferenceSession(model, ["cpu"])
    for condition, array in zip((True, False), arrays, strict=True):
        np.testing.assert_array_equal(session.run(None, {"c": np.array(condition)})[0], array)


def test_shape_operand():
    # Shape inference reads the elements of sparse constants, too.
    shape = np.array([0, 6, 0, 4], dtype=np.int64)[[1, 3]]
    model = model_of(
        helper.make_node("Reshape", ["x", "w"], ["y"]),
        TensorProto.FLOAT,
        sparse_tensor(shape),
        x=(3, 8),
    )
    assert "-> (tensor<6x4xf32>" in omb.compile(model).emit("linalg")
    x = np.arange(24, dtype=np.float32).reshape(3, 8)
    np.testing.assert_array_equal(run(model, x=x), x.reshape(6, 4))


def test_strings():
    values = helper.make_tensor("w", TensorProto.STRING, [2], [b"a", b"b"])
    indices = helper.make_tensor("i", TensorProto.INT64, [2], [1, 3])
    sparse = helper.make_sparse_tensor(values, indices, [2, 2])
    text = str(import_model(model_of(IDENTITY, TensorProto.STRING, sparse)))
    assert 'dense<[["", "a"], ["", "b"]]>' in text


@examples(13)
@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    linear=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_shape(shape: tuple[int, ...], density: float, linear: bool, seed: int):
    random = np.random.default_rng(seed)
    array = np.where(random.random(shape) < density, 1 + random.random(shape), 0)
    array = array.astype(np.float32)
    model = model_of(IDENTITY, TensorProto.FLOAT, sparse_tensor(array, linear=linear))
    np.testing.assert_array_equal(run(model), array)


# ---- what is refused


def refusal(indices: np.ndarray | list, dims: list[int], count: int | None = None) -> str:
    at = np.asarray(indices, dtype=np.int64) if isinstance(indices, list) else indices
    count = len(at) if count is None else count
    sparse = onnx.SparseTensorProto(
        values=numpy_helper.from_array(np.ones(count, dtype=np.float32), "w"),
        indices=numpy_helper.from_array(at, "i"),
        dims=dims,
    )
    return refusal_of(sparse)


def refusal_of(sparse: onnx.SparseTensorProto) -> str:
    with pytest.raises(omb.OmbError) as caught:
        import_model(model_of(IDENTITY, TensorProto.FLOAT, sparse))
    message = str(caught.value)
    assert "\n" not in message and "the sparse tensor 'w'" in message
    return message


BAD = {
    "unsorted": ([3, 1], [6], "index 1, 1, after 3"),
    "unsorted-coordinates": ([[1, 0], [0, 1]], [2, 2], "index 1, [0, 1], after [1, 0]"),
    "unsorted-last": ([[0, 1], [0, 0]], [2, 2], "index 1, [0, 0], after [0, 1]"),
    "twice": ([1, 2, 2], [6], "index 2, 2, twice"),
    "twice-coordinates": ([[0, 1], [0, 1]], [2, 2], "index 1, [0, 1], twice"),
    "negative": ([-1, 2], [6], "index 0, -1, out of range"),
    "too-large": ([0, 6], [2, 3], "index 1, 6, out of range"),
    "coordinate-too-large": ([[0, 3]], [2, 3], "index 0, [0, 3], out of range"),
    "wrong-rank": ([[0, 1, 0]], [2, 3], "of the shape [1, 3]; it must be [1] or [1, 2]"),
    "no-dimensions": ([], [], "has no dimensions"),
    "negative-dimension": ([0], [-4], "a dimension that isn't positive"),
    "empty": ([], [0, 3], "a dimension that isn't positive"),
    "overflow": ([0], [1 << 40, 1 << 40], "1208925819614629174706176 elements"),
    "overflow-of-64-bits": ([0], [1 << 32, 1 << 32, 4], "elements for 1 stored values"),
    "much-larger-than-the-file": ([0], [1 << 20, 1 << 10], "1024 times what is stored"),
}


@pytest.mark.parametrize("name", BAD)
def test_refused_indices(name: str):
    indices, dims, words = BAD[name]
    assert words in refusal(indices, dims)


def test_refused_counts():
    assert "has 3 values, but indices of the shape [2]" in refusal([0, 1], [6], count=3)


def test_refused_type_of_indices():
    message = refusal(np.array([0, 1], dtype=np.int32), [6])
    assert "indices of int32; they must be int64" in message


def test_refused_shape_of_values():
    sparse = onnx.SparseTensorProto(
        values=numpy_helper.from_array(np.ones((2, 1), dtype=np.float32), "w"),
        indices=numpy_helper.from_array(np.arange(2), "i"),
        dims=[6],
    )
    assert "values of the shape [2, 1]; it must be [NNZ]" in refusal_of(sparse)


def test_large_and_full_enough_is_taken():
    # More than 1 GiB dense would be refused of fewer values; the rule is about the share.
    from onnx_mlir_bridge.importer import sparse
    from onnx_mlir_bridge.importer.load import load

    count = (1 << 20) + 1
    tensor = onnx.SparseTensorProto(
        values=numpy_helper.from_array(np.ones(count, dtype=np.float32), "w"),
        indices=numpy_helper.from_array(np.arange(count), "i"),
        dims=[1 << 20, 1 << 9],
    )
    loaded = load(model_of(IDENTITY, TensorProto.FLOAT, tensor))
    sparse.each_sparse(loaded.proto, lambda each: sparse.check(each, loaded.payloads))
    assert math.prod(tensor.dims) * 4 > 1 << 30
