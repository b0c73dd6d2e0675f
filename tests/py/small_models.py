"""Small models of operators that compile, made to be shared by the tests of sessions and files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Dims = Sequence["int | str | None"]


def tensor(name: str, element: int, dims: Dims | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element, dims)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: dict[str, np.ndarray] | None = None,
    opset: int = 21,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "small",
        list(inputs),
        list(outputs),
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


BIAS = np.array([1, 2, 3], np.float32)


def affine() -> onnx.ModelProto:
    """sum = x + y + [1, 2, 3] and double = x + x, for x and y of n x 3."""
    made = model(
        [
            helper.make_node("Add", ["x", "y"], ["both"], name="add"),
            helper.make_node("Add", ["both", "bias"], ["sum"], name="add_bias"),
            helper.make_node("Add", ["x", "x"], ["double"], name="add_twice"),
        ],
        [tensor("x", TensorProto.FLOAT, ["n", 3]), tensor("y", TensorProto.FLOAT, ["n", 3])],
        [tensor("sum", TensorProto.FLOAT, ["n", 3]), tensor("double", TensorProto.FLOAT, ["n", 3])],
        {"bias": BIAS},
    )
    made.producer_name = "the tests"
    made.model_version = 7
    made.domain = "org.example"
    made.doc_string = "adds"
    made.metadata_props.add(key="color", value="green")
    return made


def product(dims: Dims = ("n", 5), channels: int = 7) -> onnx.ModelProto:
    """y = relu(x @ w + b), for w and b of seeded random numbers."""
    rng = np.random.default_rng(7)
    weights = rng.standard_normal((dims[-1], channels)).astype(np.float32)
    bias = rng.standard_normal(channels).astype(np.float32)
    return model(
        [
            helper.make_node("MatMul", ["x", "w"], ["xw"], name="product"),
            helper.make_node("Add", ["xw", "b"], ["sum"], name="add_bias"),
            helper.make_node("Relu", ["sum"], ["y"], name="activate"),
        ],
        [tensor("x", TensorProto.FLOAT, dims)],
        [tensor("y", TensorProto.FLOAT, [*dims[:-1], channels])],
        {"w": weights, "b": bias},
    )


def identity(element: int, dims: Dims) -> onnx.ModelProto:
    """Y = x, copied by a Reshape of any shape to a vector and back by the caller."""
    return model(
        [helper.make_node("Reshape", ["x", "flat"], ["y"], name="flatten")],
        [tensor("x", element, dims)],
        [tensor("y", element, [None])],
        {"flat": np.array([-1], np.int64)},
    )


def weighted(values: int = 1 << 16) -> onnx.ModelProto:
    """Y = x + weights, with so many weights that they are kept as parameters."""
    return model(
        [helper.make_node("Add", ["x", "w"], ["y"], name="add")],
        [tensor("x", TensorProto.FLOAT, [values])],
        [tensor("y", TensorProto.FLOAT, [values])],
        {"w": np.arange(values, dtype=np.float32)},
    )


def not_lowered(name: str = "decode") -> onnx.ModelProto:
    """An operator that reads pictures, which is no work for a tensor compiler."""
    return model(
        [helper.make_node("ImageDecoder", ["data"], ["picture"], name=name)],
        [tensor("data", TensorProto.UINT8, ["n"])],
        [tensor("picture", TensorProto.UINT8, [None, None, None])],
    )
