"""A graph under construction: nodes, seeded weights, a checked ModelProto at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT
INT64 = TensorProto.INT64
BOOL = TensorProto.BOOL

OPSET = 20  # what PyTorch's exporter writes by default at the time of writing

Dims = Sequence[int | str]


class Graph:
    """Collects nodes; every method that adds a value returns its name."""

    def __init__(self, name: str, seed: int = 7, opset: int = OPSET) -> None:
        self.name = name
        self.opset = opset
        self.random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._scopes: list[str] = []

    def scope(self, name: str) -> _Scope:
        """Prefix for the names of what is added inside the ``with`` block, as exporters write."""
        return _Scope(self._scopes, name)

    def _fresh(self, base: str) -> str:
        return "/".join(["", *self._scopes, f"{base}_{len(self._nodes) + len(self._initializers)}"])

    def input(self, name: str, element_type: int, dims: Dims) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, element_type, dims))
        return name

    def output(self, value: str, name: str, element_type: int, dims: Dims) -> None:
        self._nodes.append(helper.make_node("Identity", [value], [name], name=f"/{name}"))
        self._outputs.append(helper.make_tensor_value_info(name, element_type, dims))

    def constant(self, values: object, dtype: type = np.float32, base: str = "constant") -> str:
        name = self._fresh(base)
        self._initializers.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def ints(self, *values: int) -> str:
        """A 1-D int64 constant: shapes, axes, starts, ends."""
        return self.constant(values, np.int64)

    def weight(self, *shape: int, std: float | None = None) -> str:
        """A normal weight; by default at He's scale for a matrix [in, out] or filters [O, I, …]."""
        if std is None:
            fan_in = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
            std = (2.0 / fan_in) ** 0.5
        return self.constant(self.random.standard_normal(shape) * std, base="weight")

    def bias(self, size: int) -> str:
        return self.weight(size, std=0.1)

    def scale(self, size: int) -> str:
        """Factors around 1, none of them 1, as trained normalization layers have."""
        return self.constant(self.random.uniform(0.5, 1.5, size), base="scale")

    def op(self, op_type: str, *inputs: str, **attributes: object) -> str:
        return self.ops(op_type, *inputs, outputs=1, **attributes)[0]

    def ops(self, op_type: str, *inputs: str, outputs: int, **attributes: object) -> list[str]:
        """A node with several outputs; ``""`` stands for an input that is left out."""
        node_name = self._fresh(op_type)
        names = [f"{node_name}_output_{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(op_type, inputs, names, name=node_name, **attributes))
        return names

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(
            self._nodes, self.name, self._inputs, self._outputs, self._initializers
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10
        )
        onnx.checker.check_model(model, full_check=True)
        return model


class _Scope:
    def __init__(self, scopes: list[str], name: str) -> None:
        self._scopes, self._name = scopes, name

    def __enter__(self) -> None:
        self._scopes.append(self._name)

    def __exit__(self, *_: object) -> None:
        self._scopes.pop()
