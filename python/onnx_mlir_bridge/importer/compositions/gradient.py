"""Gradient of ai.onnx.preview.training: reverse-mode differentiation of the graph before it.

The nodes between the operator's `xs` and its `y` are walked backwards; the rule of each one turns
the gradients of its results into those of its operands (gradient_rules.py); an operator without a
rule that the standard defines by a function is taken apart (gradient_bodies.py). What flows into
a value from several users is summed.

Where the operands of Gradient are the values that `xs` and `zs` name, the forward pass is the
graph's own; where they are others, it is computed anew from them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from onnx import NodeProto, TensorProto, helper
from onnx.defs import onnx_ml_opset_version, onnx_opset_version
from onnx.numpy_helper import from_array, to_array

from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer import types
from onnx_mlir_bridge.importer.compositions.body import Body, Call, Value
from onnx_mlir_bridge.importer.compositions.gradient_bodies import standard_body
from onnx_mlir_bridge.importer.compositions.registry import composes
from onnx_mlir_bridge.importer.tensors import Payloads, constant_tensor

Rule: TypeAlias = "Callable[[Step], list[Value | None]]"
_RULES: dict[str, Rule] = {}

_FLOATS = frozenset(
    {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16}
)


def differentiates(operators: str) -> Callable[[Rule], Rule]:
    """Registers the rule of operators (separated by spaces) of the default domain."""

    def register(rule: Rule) -> Rule:
        for op_type in operators.split():
            if op_type in _RULES:
                raise ValueError(f"two rules for {op_type}")
            _RULES[op_type] = rule
        return rule

    return register


class Step:
    """A node of the forward pass, while the gradients of its operands are found.

    body: where they are built. inputs, outputs: the values of the forward pass. gradients: those of
    the outputs, None where nothing flows into one.
    """

    def __init__(self, tape: _Tape, node: NodeProto, gradients: list[Value | None]) -> None:
        self._tape = tape
        self.node = node
        self.gradients = gradients
        self.body: Body = tape.call
        self.inputs = [tape.value(name) if name else None for name in node.input]
        self.outputs = [tape.value(name) if name else None for name in node.output]

    @property
    def gradient(self) -> Value:
        """The gradient of the first output."""
        return self.gradients[0] or self.zeros(self.output)

    @property
    def output(self) -> Value:
        """The first output."""
        return self.outputs[0]  # type: ignore[return-value]

    def attribute(self, name: str, default: Any = None) -> Any:  # noqa: ANN401
        """The value of an attribute of the node."""
        found = graphs.attribute(self.node, name)
        return default if found is None else helper.get_attribute_value(found)

    def needs(self, index: int) -> bool:
        """Whether an operand depends on what is differentiated by."""
        return self.node.input[index] in self._tape.active

    def rank(self, index: int = 0) -> int:
        """The rank of an operand."""
        return len(self._tape.dims(self.node.input[index]))

    def result_rank(self) -> int:
        """The rank of the first output."""
        return len(self._tape.dims(self.node.output[0]))

    def array(self, index: int) -> Any:  # noqa: ANN401
        """The value of an operand that is a constant, None for others."""
        return self._tape.array(self.node.input[index])

    def zeros(self, like: Value) -> Value:
        """Zeros in the shape of a value."""
        return self.body.scalar(0, like).op("Expand", like.shape())

    def fit(self, gradient: Value, index: int) -> Value:
        """The gradient of an operand that was broadcast to the result: summed to its shape."""
        return self._tape.fit(gradient, self.node.input[index], self.node.output[0])

    def fail(self, why: str) -> Exception:
        """The error for a node that can't be differentiated."""
        return self._tape.call.fail(
            f"can't differentiate the node '{graphs.describe_node(self.node)}': {why}"
        )


class _Tape:
    """The forward pass from xs to y."""

    def __init__(self, call: Call, xs: list[str], zs: list[str], y: str) -> None:
        self.call = call
        self._y = y
        given = dict(zip((*xs, *zs), call.node.input, strict=True))
        self._reuse = all(name == actual for name, actual in given.items())
        self._values: dict[str, Value] = {}
        self._types = dict(call.scope.types)
        for index, name in enumerate((*xs, *zs)):
            operand = call.operand(index)
            if operand is None:
                raise call.fail(f"needs an input for '{name}'")
            self._values[name] = operand
            known = call.type(index)
            if known is not None:
                self._types[name] = known
        self._stops = frozenset(given)
        self._constants: dict[str, TensorProto] = {}
        self.active = set(xs)
        self._depends = set() if self._reuse else set(given)
        self._nodes: list[NodeProto] = []
        for node in self._between(y):
            self._add(node)

    def _add(self, node: NodeProto, inner: bool = False) -> None:
        """The next node of the forward pass. inner: of an operator that was taken apart."""
        names = [name for name in node.output if name]
        used = {*node.input, *graphs.captured_values(node)}
        active = bool(used & self.active)
        again = inner or bool(used & self._depends)
        if active and not node.domain and node.op_type not in _RULES:
            body = standard_body(node, self._types, f"{names[0]}/{len(self._nodes)}/")
            for part in body or ():
                self._add(part, inner=True)
            if body is not None:
                return
        self._nodes.append(node)
        if again:
            self._replay(node)
            # What the graph has is taken from there by those that follow.
            graph_has = self.call.scope.types if self._reuse else {}
            self._depends.update(name for name in names if name not in graph_has)
        if active:
            self.active.update(name for name in names if self._is_real(name))

    def _is_real(self, name: str) -> bool:
        """Whether something can be differentiated by a value: shapes and indices end the way."""
        known = self._types.get(name)
        return known is None or known.tensor_type.elem_type in (0, *_FLOATS)

    def _between(self, y: str) -> list[NodeProto]:
        """The nodes that `y` is computed by, in topological order, up to the independent values."""
        nodes = [*reversed(self.call.scope.outer_nodes), *self.call.scope.nodes]
        producer = {name: i for i, node in enumerate(nodes) for name in node.output if name}
        if y not in producer and y not in self._stops:
            raise self.call.fail(f"differentiates '{y}', which nothing before it computes")
        needed: set[int] = set()
        work = [y]
        while work:
            name = work.pop()
            index = producer.get(name)
            if name in self._stops or index is None or index in needed:
                continue
            needed.add(index)
            work.extend((*nodes[index].input, *graphs.captured_values(nodes[index])))
        return [nodes[index] for index in sorted(needed)]

    def value(self, name: str) -> Value:
        """A value of the forward pass."""
        if name not in self._values:
            self._values[name] = self.call.capture(name)
        return self._values[name]

    def array(self, name: str) -> np.ndarray | None:
        """The value of a constant, None for what isn't one."""
        if name in self._constants:
            return to_array(self._constants[name])
        return self.call.scope.array(name)

    def _replay(self, node: NodeProto) -> None:
        """Computes a node in the body: for other operands, or because the graph doesn't have it."""
        if any(True for _ in graphs.subgraphs(node)):
            raise self.call.fail(
                f"can't compute the node '{graphs.describe_node(node)}' for other values: it has a "
                "graph of its own"
            )
        self._infer(node)
        copy = NodeProto.FromString(node.SerializeToString())
        copy.name = ""
        copy.input[:] = [self.value(name).name if name else "" for name in node.input]
        for index, name in enumerate(node.output):
            if name:
                copy.output[index] = f"replayed_{len(self._values)}"
                found = self._types.get(name)
                element = found.tensor_type.elem_type if found is not None else 0
                self._values[name] = Value(self.call, copy.output[index], element or None)
        self.call.nodes.append(copy)
        constant = constant_tensor(node)
        if constant is not None:
            self._constants[node.output[0]] = constant

    def _infer(self, node: NodeProto) -> None:
        """The types of what a replayed node produces: they may not be those of the graph."""
        constants = {
            name: from_array(array)
            for name in node.input
            if (array := self.array(name)) is not None
        }
        opsets = {"": onnx_opset_version(), "ai.onnx.ml": onnx_ml_opset_version()}
        found = types.infer_nodes([node], self._types, constants, opsets, Payloads())
        for name in node.output:
            self._types.pop(name, None)
        self._types.update(found)

    def dims(self, name: str) -> list[int | str | None]:
        """The sizes of a value's dimensions: a number, a name or None. OmbError if unranked."""
        known = self._types.get(name)
        if known is None or types.rank(known) is None:
            raise self.call.fail(f"depends on the rank of '{name}', which isn't known")
        dims = known.tensor_type.shape.dim
        return [d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in dims]

    def fit(self, gradient: Value, operand: str, result: str) -> Value:
        """Sums a gradient in the shape of `result` to that of `operand`, which broadcasts to it."""
        mine, theirs = self.dims(operand), self.dims(result)
        lead = len(theirs) - len(mine)
        if lead:
            gradient = gradient.sum(*range(lead), keepdims=False)
        theirs = theirs[lead:]
        repeated = [i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a == 1 != b]
        unsure = [
            i
            for i, (a, b) in enumerate(zip(mine, theirs, strict=True))
            if (a is None or a != b) and not (isinstance(a, int) or b == 1)
        ]
        if repeated:
            gradient = gradient.sum(*repeated)
        if not unsure:
            return gradient
        # A size that is 1 or the result's: the dimension is split in repetitions and elements.
        sizes: list[Value | int] = []
        axes = []
        for axis in range(len(mine)):
            if axis in unsure:
                own = self.value(operand).size(axis)
                one = self.call.ints([1])
                axes.append(len(sizes))
                sizes += [gradient.size(axis) // own.op("Max", one), own]
            else:
                sizes.append(gradient.size(axis))
        split = gradient.op("Reshape", self.call.sizes(*sizes), allowzero=1)
        return split.sum(*axes, keepdims=False)

    def backward(self, xs: list[str]) -> list[Value | None]:
        """The gradients of `y` with respect to `xs`."""
        seed = self.value(self._y)
        flow = {self._y: self.call.scalar(1, seed).op("Expand", seed.shape())}
        for node in reversed(self._nodes):
            results = [flow.get(name) if name else None for name in node.output]
            if not any(name in self.active for name in node.output) or not any(results):
                continue
            rule = _RULES.get(node.op_type) if not node.domain else None
            if rule is None:
                raise self.call.fail(
                    f"can't differentiate the node '{graphs.describe_node(node)}': there is no "
                    f"gradient of {node.op_type}; there are those of {', '.join(sorted(_RULES))}"
                )
            operands = rule(Step(self, node, results))
            for name, gradient in zip(node.input, operands, strict=False):
                if gradient is None or name not in self.active:
                    continue
                flow[name] = flow[name] + gradient if name in flow else gradient
        zero = self.call.scalar
        return [
            flow.get(name) or zero(0, self.value(name)).op("Expand", self.value(name).shape())
            for name in xs
        ]


@composes("ai.onnx.preview.training", "Gradient", late=True)
def gradient(call: Call) -> list[Value | None]:
    """The partial derivatives of the sum of `y` with respect to every one of `xs`."""
    xs, zs, y = call.required("xs"), call.attribute("zs") or [], call.required("y")
    names = [*xs, *zs]
    if len(call.node.input) != len(names):
        raise call.fail(f"has {len(call.node.input)} inputs for {len(names)} values in xs and zs")
    if len(set(names)) != len(names):
        raise call.fail("names a value twice in xs and zs")
    for name in xs:
        known = call.scope.types.get(name)
        if known is not None and known.tensor_type.elem_type not in _FLOATS:
            raise call.fail(f"differentiates by '{name}', which isn't of floating-point numbers")
    return _Tape(call, xs, zs, y).backward(xs)
