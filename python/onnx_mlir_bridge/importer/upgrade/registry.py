"""What an adapter is: it rewrites one node of an old opset for the newest.

An adapter is registered for an operator and the versions of its schema that it takes from, and
goes to the newest version in one step. A node without an adapter must mean the same in the newest
opset; `compatible` decides that from the two schemas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, TypeProto
from onnx.defs import OpSchema

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer.types import rank


@dataclass
class Scope:
    """What is known about the values that a node can see."""

    types: dict[str, TypeProto]
    constants: dict[str, TensorProto]
    used: set[str]
    names: graphs.FreshNames
    array: Callable[[TensorProto], np.ndarray]


@dataclass
class Rewrite:
    """One node that is being rewritten.

    node: a copy to edit; it follows `nodes` unless `keep` is cleared. since: the schema version
    that it was written for.
    """

    node: NodeProto
    since: int
    scope: Scope
    nodes: list[NodeProto] = field(default_factory=list)
    keep: bool = True

    def fail(self, why: str) -> OmbError:
        """The error for a node that has no equivalent in the newest opset."""
        return OmbError(
            f"the node '{graphs.describe_node(self.node)}' of version {self.since} can't be "
            f"brought to opset {onnx.defs.onnx_opset_version()}: {why}"
        )

    def pop(self, name: str, default: Any = None) -> Any:  # noqa: ANN401
        """Removes an attribute and returns its value."""
        found = graphs.pop_attribute(self.node, name)
        return default if found is None else onnx.helper.get_attribute_value(found)

    def set(self, name: str, value: Any) -> None:  # noqa: ANN401
        """Sets an attribute."""
        graphs.pop_attribute(self.node, name)
        self.node.attribute.append(onnx.helper.make_attribute(name, value))

    def input(self, index: int) -> str:
        """The name of an input, '' where it is absent."""
        return self.node.input[index] if index < len(self.node.input) else ""

    def set_input(self, index: int, name: str) -> None:
        """Sets an input, with absent ones before it."""
        while len(self.node.input) <= index:
            self.node.input.append("")
        self.node.input[index] = name

    def rank(self, index: int = 0) -> int | None:
        """The rank of an input, None where it isn't known."""
        return rank(self.scope.types.get(self.input(index)))

    def element(self, index: int = 0) -> int | None:
        """The ONNX element type of an input, None where it isn't known."""
        found = self.scope.types.get(self.input(index))
        if found is None or not found.HasField("tensor_type"):
            return None
        return found.tensor_type.elem_type or None

    def value(self, name: str) -> np.ndarray | None:
        """The value of a constant, None for what isn't one."""
        tensor = self.scope.constants.get(name)
        return None if tensor is None else self.scope.array(tensor)

    def emit(
        self,
        op_type: str,
        inputs: Iterable[str],
        outputs: Iterable[str] | None = None,
        **attributes: Any,  # noqa: ANN401
    ) -> str:
        """Adds a node of the newest opset; returns its first output, a fresh one by default."""
        base = self.node.name or self.node.op_type
        if outputs is None:
            outputs = [self.scope.names.new(f"{base}/{op_type}")]
        new = onnx.helper.make_node(
            op_type, list(inputs), list(outputs), name=f"{base}/{op_type}", **attributes
        )
        self.nodes.append(new)
        return new.output[0]

    def finish(self, op_type: str, inputs: Iterable[str], **attributes: Any) -> None:  # noqa: ANN401
        """Adds the node that produces the outputs in place of the rewritten one."""
        new = onnx.helper.make_node(
            op_type, list(inputs), list(self.node.output), name=self.node.name, **attributes
        )
        self.nodes.append(new)
        self.keep = False

    def constant(self, value: np.ndarray) -> str:
        """A constant tensor."""
        return self.emit("Constant", [], value=onnx.numpy_helper.from_array(value))

    def ints(self, values: Iterable[int]) -> str:
        """A one-dimensional int64 constant."""
        return self.constant(np.array(list(values), dtype=np.int64))

    def scalar_like(self, value: float, index: int = 0) -> str:
        """A scalar constant of the element type of an input."""
        element = self.element(index)
        if element is not None:
            dtype = onnx.helper.tensor_dtype_to_np_dtype(element)
            with np.errstate(over="ignore"):
                return self.constant(np.array(value).astype(dtype))
        plain = self.constant(np.array(value, dtype=np.float32))
        return self.emit("CastLike", [plain, self.input(index)])

    def drop_unused_outputs(self, keep: int) -> None:
        """Removes outputs after the first `keep`; fails where one of them is used."""
        for name in self.node.output[keep:]:
            if name in self.scope.used:
                raise self.fail(f"its output '{name}' exists in training only, but is used")
        del self.node.output[keep:]


Adapter = Callable[[Rewrite], None]
_ADAPTERS: dict[tuple[str, str, int], Adapter] = {}


def adapts(operators: str, *since: int, domain: str = "") -> Callable[[Adapter], Adapter]:
    """Registers an adapter for operators (separated by spaces) and their schema versions."""

    def register(adapter: Adapter) -> Adapter:
        for op_type in operators.split():
            for version in since:
                key = (domain, op_type, version)
                if key in _ADAPTERS:
                    raise ValueError(f"two adapters for {key}")
                _ADAPTERS[key] = adapter
        return adapter

    return register


def adapter_for(domain: str, op_type: str, since: int) -> Adapter | None:
    """The adapter for nodes of one version of an operator's schema, or None."""
    return _ADAPTERS.get((domain, op_type, since))


def registered() -> set[tuple[str, str, int]]:
    """Every (domain, operator, schema version) with an adapter."""
    return set(_ADAPTERS)


# An attribute of opset 1 that told the executor what it may overwrite; it means nothing now.
IGNORED_ATTRIBUTE = "consumed_inputs"


@cache
def _newest(domain: str, op_type: str) -> OpSchema:
    return onnx.defs.get_schema(op_type, domain=domain)


@cache
def newest_version(domain: str, op_type: str) -> int:
    """The schema version that the operator has in the newest opset."""
    return _newest(domain, op_type).since_version


@cache
def incompatibility(domain: str, op_type: str, since: int) -> str | None:
    """Why a node of an old schema version does not mean the same today; None if it does.

    The rule: every old attribute exists with the same type and default, new ones are not
    required, old operands are the first of the new ones, and new ones are optional. Changes of
    meaning behind an unchanged signature have adapters.
    """
    new = _newest(domain, op_type)
    old = onnx.defs.get_schema(op_type, since, domain)
    for name, attribute in old.attributes.items():
        if name == IGNORED_ATTRIBUTE:
            continue
        today = new.attributes.get(name)
        if today is None:
            return f"the attribute '{name}' is gone"
        if today.type != attribute.type:
            return f"the attribute '{name}' has another type"
        if _default(attribute) != _default(today):
            return f"the attribute '{name}' has another default"
    for name, attribute in new.attributes.items():
        if attribute.required and name not in old.attributes:
            return f"the attribute '{name}' is required now"
    for kind in ("inputs", "outputs"):
        before, after = list(getattr(old, kind)), list(getattr(new, kind))
        if len(before) > len(after):
            return f"some {kind} are gone"
        optional = OpSchema.FormalParameterOption.Optional
        variadic = OpSchema.FormalParameterOption.Variadic
        for was, now in zip(before, after, strict=False):
            widened = now.option == optional or was.option == now.option
            if not widened:
                return f"one of the {kind}, '{was.name}', has become {now.option}"
        if any(p.option not in (optional, variadic) for p in after[len(before) :]):
            return f"there are new {kind}"
    return None


def _default(attribute: OpSchema.Attribute) -> object:
    if attribute.required or not attribute.default_value.type:
        return None
    return onnx.helper.get_attribute_value(attribute.default_value)
