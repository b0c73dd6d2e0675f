"""What a composition is written with: values with operators, a body that grows, the node itself.

    @composes("com.microsoft", "QuickGelu")
    def quick_gelu(call: Call) -> Value:
        (x,) = call.operands("X")
        return x * (x * call.attribute("alpha", 1.702)).op("Sigmoid")

Bodies are of the newest opset. A number that meets a value takes the value's element type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import FunctionProto, NodeProto, TensorProto, TypeProto, helper

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer.types import rank

Number: TypeAlias = "int | float"

# Operators whose first result has the element type of their first operand.
_SAME_ELEMENT = frozenset(
    {
        *("Abs", "Add", "AveragePool", "Clip", "Concat", "CumSum", "Div", "Erf", "Exp", "Expand"),
        *("Flatten", "Gather", "GatherElements", "GatherND", "Gelu", "Gemm", "Identity"),
        *("LayerNormalization", "LeakyRelu", "Log", "MatMul", "Max", "Min", "Mod", "Mul", "Neg"),
        *("Pad", "Pow", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd"),
        *("ReduceSum", "Relu", "Reshape", "Round", "ScatterElements", "ScatterND", "Sigmoid"),
        *("Cos", "Sign", "Sin", "Slice", "Softmax", "Split", "Sqrt", "Squeeze", "Sub", "Tanh"),
        *("Tile", "Transpose", "Trilu", "Unsqueeze"),
    }
)
_BOOLEAN = frozenset(
    {"And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual"}
    | {"Not", "Or"}
)


class UnsupportedError(OmbError):
    """A valid node that can't be composed. node: as locations name it; why: what is said of it."""

    def __init__(self, node: str, why: str) -> None:
        super().__init__(f"the node '{node}' {why}")
        self.node = node
        self.why = why


class Value:
    """A value in a body. element: its element type in TensorProto.DataType, None if not known."""

    __slots__ = ("body", "element", "name")

    def __init__(self, body: Body, name: str, element: int | None = None) -> None:
        self.body = body
        self.name = name
        self.element = element

    def op(self, op_type: str, *more: Value | None, **attributes: Any) -> Value:  # noqa: ANN401
        """An operator of which this is the first operand."""
        return self.body.emit(op_type, self, *more, **attributes)

    def _binary(self, op_type: str, other: Value | Number, swap: bool = False) -> Value:
        operand = other if isinstance(other, Value) else self.body.scalar(other, self)
        first, second = (operand, self) if swap else (self, operand)
        return self.body.emit(op_type, first, second)

    def __add__(self, other: Value | Number) -> Value:
        return self._binary("Add", other)

    def __radd__(self, other: Number) -> Value:
        return self._binary("Add", other, swap=True)

    def __sub__(self, other: Value | Number) -> Value:
        return self._binary("Sub", other)

    def __rsub__(self, other: Number) -> Value:
        return self._binary("Sub", other, swap=True)

    def __mul__(self, other: Value | Number) -> Value:
        return self._binary("Mul", other)

    def __rmul__(self, other: Number) -> Value:
        return self._binary("Mul", other, swap=True)

    def __truediv__(self, other: Value | Number) -> Value:
        return self._binary("Div", other)

    def __rtruediv__(self, other: Number) -> Value:
        return self._binary("Div", other, swap=True)

    def __floordiv__(self, other: Value | Number) -> Value:
        """Of integers that aren't negative."""
        return self._binary("Div", other)

    def __mod__(self, other: Value | Number) -> Value:
        return self._binary("Mod", other)

    def __pow__(self, other: Value | Number) -> Value:
        return self._binary("Pow", other)

    def __matmul__(self, other: Value) -> Value:
        return self._binary("MatMul", other)

    def __neg__(self) -> Value:
        return self.op("Neg")

    def __and__(self, other: Value) -> Value:
        return self._binary("And", other)

    def __or__(self, other: Value) -> Value:
        return self._binary("Or", other)

    def __invert__(self) -> Value:
        return self.op("Not")

    def __lt__(self, other: Value | Number) -> Value:
        return self._binary("Less", other)

    def __le__(self, other: Value | Number) -> Value:
        return self._binary("LessOrEqual", other)

    def __gt__(self, other: Value | Number) -> Value:
        return self._binary("Greater", other)

    def __ge__(self, other: Value | Number) -> Value:
        return self._binary("GreaterOrEqual", other)

    def equal(self, other: Value | Number) -> Value:
        """Elementwise ==."""
        return self._binary("Equal", other)

    def cast(self, element: int) -> Value:
        """The value with another element type."""
        return self if self.element == element else self.op("Cast", to=element)

    def cast_like(self, other: Value) -> Value:
        """The value with the element type of another one."""
        if other.element is not None:
            return self.cast(other.element)
        return self.op("CastLike", other)

    def shape(self) -> Value:
        """The sizes of all dimensions."""
        return self.op("Shape")

    def size(self, axis: int) -> Value:
        """The size of one dimension, as a tensor of one element."""
        if axis == -1:
            return self.op("Shape", start=-1)
        return self.op("Shape", start=axis, end=axis + 1)

    def reshape(self, *sizes: Value | int) -> Value:
        """The elements in another shape, of numbers (0: as it is) and one-element values."""
        return self.op("Reshape", self.body.sizes(*sizes))

    def as_scalar(self) -> Value:
        """The only element, without dimensions."""
        return self.op("Reshape", self.body.ints([]))

    def expand(self, *sizes: Value | int) -> Value:
        """Repeated to the sizes that it broadcasts to."""
        return self.op("Expand", self.body.sizes(*sizes))

    def transpose(self, *permutation: int) -> Value:
        """The dimensions in another order."""
        return self.op("Transpose", perm=list(permutation))

    def unsqueeze(self, *axes: int) -> Value:
        """With new dimensions of size 1."""
        return self.op("Unsqueeze", self.body.ints(axes))

    def squeeze(self, *axes: int) -> Value:
        """Without some dimensions of size 1."""
        return self.op("Squeeze", self.body.ints(axes))

    def slice(self, axis: int, start: Value | int, end: Value | int | None, step: int = 1) -> Value:
        """Some elements of one dimension; start and end are numbers or one-element values."""
        ends = np.iinfo(np.int64).max if end is None else end
        body = self.body
        return self.op(
            "Slice", body.sizes(start), body.sizes(ends), body.ints([axis]), body.ints([step])
        )

    def sum(self, *axes: int, keepdims: bool = True) -> Value:
        """The sum over some dimensions."""
        return self.op("ReduceSum", self.body.ints(axes), keepdims=int(keepdims))

    def mean(self, *axes: int, keepdims: bool = True) -> Value:
        """The mean over some dimensions."""
        return self.op("ReduceMean", self.body.ints(axes), keepdims=int(keepdims))

    def split(self, axis: int, *sizes: Value | int) -> list[Value]:
        """Parts of these sizes along one dimension."""
        return self.body.emit_many(
            "Split", self, self.body.sizes(*sizes), count=len(sizes), axis=axis
        )

    def where(self, condition: Value, other: Value | Number) -> Value:
        """This where `condition` holds, `other` where it doesn't."""
        operand = other if isinstance(other, Value) else self.body.scalar(other, self)
        result = self.body.emit("Where", condition, self, operand)
        result.element = self.element
        return result


class Body:
    """The nodes of a function of the newest opset."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self._count = 0

    def emit_many(
        self,
        op_type: str,
        *operands: Value | None,
        count: int,
        domain: str = "",
        **attributes: Any,  # noqa: ANN401
    ) -> list[Value]:
        """Adds a node with `count` results. Attributes that are None are left out."""
        names = []
        for _ in range(count):
            self._count += 1
            names.append(f"{op_type}_{self._count}")
        inputs = ["" if value is None else value.name for value in operands]
        while inputs and not inputs[-1]:
            inputs.pop()
        given = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(helper.make_node(op_type, inputs, names, domain=domain, **given))
        element = None if domain else _element(op_type, operands, attributes)
        return [Value(self, name, element) for name in names]

    def emit(
        self,
        op_type: str,
        *operands: Value | None,
        domain: str = "",
        **attributes: Any,  # noqa: ANN401
    ) -> Value:
        """Adds a node with one result."""
        return self.emit_many(op_type, *operands, count=1, domain=domain, **attributes)[0]

    def constant(self, value: np.ndarray) -> Value:
        """A constant tensor."""
        tensor = onnx.numpy_helper.from_array(value)
        result = self.emit("Constant", value=tensor)
        result.element = tensor.data_type
        return result

    def ints(self, values: Sequence[int]) -> Value:
        """A one-dimensional int64 constant."""
        return self.constant(np.array(list(values), dtype=np.int64))

    def scalar(self, value: Number, like: Value | int) -> Value:
        """A scalar constant of an element type, or of that of a value."""
        element = like if isinstance(like, int) else like.element
        if element is None:
            assert isinstance(like, Value)
            return self.constant(np.array(value, dtype=np.float64)).op("CastLike", like)
        dtype = helper.tensor_dtype_to_np_dtype(element)
        with np.errstate(over="ignore"):
            return self.constant(np.array(value).astype(dtype))

    def sizes(self, *sizes: Value | int) -> Value:
        """A shape: numbers and one-dimensional int64 values, one after the other."""
        parts: list[Value] = []
        numbers: list[int] = []
        for size in sizes:
            if isinstance(size, Value):
                if numbers:
                    parts.append(self.ints(numbers))
                    numbers = []
                parts.append(size)
            else:
                numbers.append(size)
        if numbers or not parts:
            parts.append(self.ints(numbers))
        return parts[0] if len(parts) == 1 else self.emit("Concat", *parts, axis=0)

    def concat(self, axis: int, *values: Value) -> Value:
        """Values one after the other along one dimension."""
        return values[0] if len(values) == 1 else self.emit("Concat", *values, axis=axis)

    def positions(self, start: Value | int, end: Value) -> Value:
        """The int64 numbers from `start` up to `end`, both of one element."""
        first = self.scalar(start, TensorProto.INT64) if isinstance(start, int) else start.squeeze()
        step = self.scalar(1, TensorProto.INT64)
        result = self.emit("Range", first, end.squeeze(), step)
        result.element = TensorProto.INT64
        return result


def _element(
    op_type: str,
    operands: Sequence[Value | None],
    attributes: dict[str, Any],
) -> int | None:
    """The element type of a result, where it is easily told."""
    if op_type in _BOOLEAN:
        return TensorProto.BOOL
    if op_type == "Shape":
        return TensorProto.INT64
    if op_type == "Cast":
        return attributes["to"]
    if op_type == "CastLike" and operands[1] is not None:
        return operands[1].element
    if op_type in _SAME_ELEMENT and operands and operands[0] is not None:
        return operands[0].element
    return None


@dataclass
class Scope:
    """What is known where a node stands.

    types: of the values that it can see. array: the value of a constant, None for what isn't one.
    nodes: what stands before it in its graph, and in the graphs around it. version: the opset of
    its domain.
    """

    types: dict[str, TypeProto]
    array: Callable[[str], np.ndarray | None]
    nodes: Sequence[NodeProto] = ()
    outer_nodes: Sequence[NodeProto] = ()
    version: int = 1


class Call(Body):
    """A node that is being composed, and the body that it becomes."""

    def __init__(self, node: NodeProto, scope: Scope) -> None:
        super().__init__()
        self.node = node
        self.scope = scope
        self._captured: list[str] = []
        self._unread = {attribute.name for attribute in node.attribute}

    # What is known about the node.

    def fail(self, why: str) -> OmbError:
        """The error for a node that can't be composed."""
        return OmbError(f"the node '{graphs.describe_node(self.node)}' {why}")

    def attribute(self, name: str, default: Any = None) -> Any:  # noqa: ANN401
        """The value of an attribute: bytes as text; `default` where it is absent."""
        self._unread.discard(name)
        found = graphs.attribute(self.node, name)
        if found is None:
            return default
        value = helper.get_attribute_value(found)
        value = value.decode() if isinstance(value, bytes) else value
        if isinstance(value, list):
            return [v.decode() if isinstance(v, bytes) else v for v in value]
        wrong = isinstance(default, str) != isinstance(value, str) or (
            isinstance(default, int) and not isinstance(value, int)
        )
        if default is not None and wrong:
            raise self.fail(f"has an attribute '{name}' of another type than the operator's")
        return value

    def required(self, name: str) -> Any:  # noqa: ANN401
        """The value of an attribute that must be there."""
        value = self.attribute(name)
        if value is None:
            raise self.fail(f"needs the attribute '{name}'")
        return value

    def ignore(self, *names: str) -> None:
        """Attributes that change nothing: hints for one kind of device."""
        self._unread -= set(names)

    def operands(self, formals: str) -> list[Value]:
        """The operands, for names like 'A B bias? more*'.

        None for an absent optional one; those of a variadic last one follow one by one. OmbError
        for a required one that is absent, and for one that the operator doesn't have.
        """
        names = formals.split()
        values: list[Value] = []
        actual = len(self.node.input)
        for index, name in enumerate(names):
            if name.endswith("*"):
                values.extend(self.operand(i) for i in range(index, actual))  # type: ignore[misc]
                return values
            value = self.operand(index)
            if value is None and not name.endswith("?"):
                raise self.fail(f"needs the input '{name}'")
            values.append(value)  # type: ignore[arg-type]
        if any(self.node.input[len(names) :]):
            raise self.fail(f"has {actual} inputs; the operator has {len(names)}")
        return values

    def operand(self, index: int) -> Value | None:
        """An operand, None where it is absent."""
        if index >= len(self.node.input) or not self.node.input[index]:
            return None
        return Value(self, self._formal(index), self.element(index))

    @staticmethod
    def _formal(index: int) -> str:
        return f"input{index}"

    def wants(self, index: int) -> bool:
        """Whether an output is named in the model."""
        return index < len(self.node.output) and self.node.output[index] != ""

    def type(self, index: int) -> TypeProto | None:
        """The type of an operand, None where it isn't known."""
        return (
            self.scope.types.get(self.node.input[index]) if index < len(self.node.input) else None
        )

    def element(self, index: int) -> int | None:
        """The element type of an operand, None where it isn't known."""
        found = self.type(index)
        if found is None or not found.HasField("tensor_type"):
            return None
        return found.tensor_type.elem_type or None

    def rank(self, index: int) -> int:
        """The rank of an operand; UnsupportedError where it isn't known."""
        known = rank(self.type(index))
        if known is None:
            name = self.node.input[index] if index < len(self.node.input) else ""
            raise UnsupportedError(
                graphs.describe_node(self.node),
                f"depends on the rank of its input '{name}', which isn't known; declare the shapes "
                "of the model's inputs",
            )
        return known

    def shape(self, index: int) -> list[int | None]:
        """The sizes of an operand's dimensions, None for those that aren't known."""
        self.rank(index)
        found = self.type(index)
        assert found is not None
        return [
            d.dim_value if d.HasField("dim_value") else None for d in found.tensor_type.shape.dim
        ]

    def array(self, index: int) -> np.ndarray | None:
        """The value of an operand that is a constant, None for others."""
        return self.scope.array(self.node.input[index]) if index < len(self.node.input) else None

    # What becomes of it.

    def capture(self, name: str) -> Value:
        """A value of the graph that isn't an operand."""
        if name not in self._captured:
            self._captured.append(name)
        found = self.scope.types.get(name)
        known = found is not None and found.HasField("tensor_type")
        return Value(
            self,
            f"captured{self._captured.index(name)}",
            (found.tensor_type.elem_type or None) if known else None,
        )

    @property
    def captured(self) -> list[str]:
        """The names that follow the operands in a call of `function`."""
        return self._captured

    def function(self, results: Value | Sequence[Value | None]) -> FunctionProto:
        """The body with these results, as a function of the operands and captured values."""
        if self._unread:
            names = "', '".join(sorted(self._unread))
            raise self.fail(f"has the attribute '{names}', which isn't supported")
        outputs = [results] if isinstance(results, Value) else list(results)
        for index, name in enumerate(self.node.output):
            if name and (index >= len(outputs) or outputs[index] is None):
                raise self.fail(f"has the output '{name}', which isn't supported")
        # An output that is an operand, or another output, gets a name of its own.
        names = []
        for index in range(len(self.node.output)):
            value = outputs[index] if index < len(outputs) else None
            name = f"output{index}"
            names.append(name)
            if value is not None:
                self.nodes.append(helper.make_node("Identity", [value.name], [name]))
        return helper.make_function(
            self.node.domain or "ai.onnx",
            self.node.op_type,
            [self._formal(i) for i in range(len(self.node.input))]
            + [f"captured{i}" for i in range(len(self._captured))],
            names,
            self.nodes,
            [helper.make_opsetid("", onnx.defs.onnx_opset_version())],
        )
