"""Which operators are compositions of others: (domain, operator) -> what builds the body.

A builder is registered by `composes` and gets a `Call` (see body.py): the node, its operands, their
types, and the operations to build with. It returns the outputs, or a FunctionProto of its own.
What users register with `register_op` comes before what is built in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias, Union

if TYPE_CHECKING:
    from onnx import FunctionProto

    from onnx_mlir_bridge.importer.compositions.body import Call, Value

Results: TypeAlias = Union["Value", Sequence["Value | None"], "FunctionProto"]
Builder: TypeAlias = Callable[["Call"], Results]


@dataclass(frozen=True)
class Composition:
    """An operator that is composed.

    late: it looks at the graph around it, and is expanded when everything else is of the newest
    opset and composed of standard operators.
    function: serialized, where it is always the same one.
    """

    domain: str
    op_type: str
    build: Builder
    late: bool = False
    function: bytes | None = None


_BUILT_IN: dict[tuple[str, str], Composition] = {}
_CUSTOM: dict[tuple[str, str], Composition] = {}


def composes(domain: str, operators: str, *, late: bool = False) -> Callable[[Builder], Builder]:
    """Registers a builder for operators (separated by spaces) of a domain."""

    def register(build: Builder) -> Builder:
        for op_type in operators.split():
            key = (domain, op_type)
            if key in _BUILT_IN:
                raise ValueError(f"two compositions for {key}")
            _BUILT_IN[key] = Composition(domain, op_type, build, late)
        return build

    return register


@cache
def _import_families(domain: str) -> None:
    """Has the families of a domain register their operators."""
    package = "onnx_mlir_bridge.importer.compositions"
    for family in import_module(package).FAMILIES.get(domain, ()):
        import_module(f"{package}.{family}")


def find(domain: str, op_type: str) -> Composition | None:
    """How an operator is composed, None where it isn't."""
    _import_families(domain)
    key = (domain, op_type)
    return _CUSTOM.get(key) or _BUILT_IN.get(key)


def is_custom(domain: str, op_type: str) -> bool:
    """Whether a user has registered the operator."""
    return (domain, op_type) in _CUSTOM


def add_custom(composition: Composition) -> None:
    """Registers a user's operator, in place of an earlier one."""
    _CUSTOM[composition.domain, composition.op_type] = composition


def remove_custom(domain: str, op_type: str) -> None:
    """Forgets a user's operator."""
    del _CUSTOM[domain, op_type]


def custom_functions() -> list[bytes] | None:
    """What users have registered; None where a callable builds some of it."""
    functions = [composition.function for _, composition in sorted(_CUSTOM.items())]
    return None if None in functions else functions
