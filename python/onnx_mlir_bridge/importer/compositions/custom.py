"""Users' own operators: register_op and unregister_op."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar, overload

import onnx
from onnx import FunctionProto, defs

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer.compositions import registry
from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.registry import Composition, Results

Function: TypeAlias = "FunctionProto | str"
Build: TypeAlias = "Callable[[Call], Function | Results]"
_Build = TypeVar("_Build", bound=Callable)


@overload
def register_op(
    domain: str, name: str, definition: Function | Build, *, replace: bool = False
) -> None: ...


@overload
def register_op(
    domain: str, name: str, definition: None = None, *, replace: bool = False
) -> Callable[[_Build], _Build]: ...


def register_op(
    domain: str,
    name: str,
    definition: Function | Build | None = None,
    *,
    replace: bool = False,
) -> Callable[[_Build], _Build] | None:
    """Defines the operator `name` of `domain` for all models that are imported from now on.

    `definition`: an onnx.FunctionProto; the text of one, as onnx.parser.parse_function reads it; or
    a callable that gets the node and returns either of them, or the outputs that it has built. The
    callable's argument is a `Call`: its operands() are values with Python's operators, attribute()
    reads an attribute, rank(), shape() and element() tell what is known of an operand, and emit()
    adds any operator. Without `definition`, a decorator for such a callable.

    A function that the model itself defines comes first. `replace`: in place of an earlier
    registration, or of an operator that is built in. OmbError for an operator that exists, for one
    of ONNX's own, and for a function that isn't valid.
    """
    if definition is None:

        def register(build: _Build) -> _Build:
            register_op(domain, name, build, replace=replace)
            return build

        return register

    domain = "" if domain == "ai.onnx" else domain
    shown = f"the operator '{name}' of the domain '{domain or 'ai.onnx'}'"
    if not name.isidentifier():
        raise OmbError(f"'{name}' can't be the name of an operator")
    if domain in ("", "ai.onnx.ml") and defs.has(name, domain=domain):
        raise OmbError(f"{shown} is one of ONNX's own, which can't be defined anew")
    if registry.find(domain, name) is not None and not replace:
        what = "is registered already" if registry.is_custom(domain, name) else "is built in"
        raise OmbError(f"{shown} {what}; pass replace=True to define it anew")
    serialized = None
    if isinstance(definition, (FunctionProto, str)):
        function = _checked(definition, domain, name)
        serialized = function.SerializeToString(deterministic=True)

        def build(_: Call) -> FunctionProto:
            return function

    elif callable(definition):
        build = _Callable(definition, domain, name)
    else:
        raise OmbError(
            f"{shown} is defined by an onnx.FunctionProto, its text or a callable, not by "
            f"{type(definition).__name__}"
        )
    registry.add_custom(Composition(domain, name, build, function=serialized))
    return None


def unregister_op(domain: str, name: str) -> None:
    """Forgets what register_op() defined; an operator that is built in is what it was again.

    OmbError for an operator that isn't registered.
    """
    domain = "" if domain == "ai.onnx" else domain
    if not registry.is_custom(domain, name):
        raise OmbError(
            f"the operator '{name}' of the domain '{domain or 'ai.onnx'}' isn't registered"
        )
    registry.remove_custom(domain, name)


class _Callable:
    """A user's callable, whose result and whose errors are checked."""

    def __init__(self, build: Build, domain: str, name: str) -> None:
        self._build = build
        self._domain = domain
        self._name = name

    def __call__(self, call: Call) -> Results:
        try:
            results = self._build(call)
        except OmbError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise call.fail(f"can't be built by its registered callable: {reason}") from error
        if isinstance(results, (FunctionProto, str)):
            return _checked(results, self._domain, self._name)
        values = [results] if isinstance(results, Value) else results
        if not isinstance(values, (list, tuple)) or not all(
            value is None or isinstance(value, Value) for value in values
        ):
            raise call.fail(
                "is built by a callable that returns neither a function nor values, but "
                f"{type(results).__name__}"
            )
        return values


def _checked(definition: Function, domain: str, name: str) -> FunctionProto:
    """A copy of the function in normal form. OmbError, naming it, for one that isn't valid."""
    shown = f"the function of the operator '{name}'"
    function = FunctionProto()
    if isinstance(definition, FunctionProto):
        function.CopyFrom(definition)
    else:
        try:
            function.CopyFrom(onnx.parser.parse_function(definition))
        except onnx.parser.ParseError as error:
            raise OmbError(f"{shown} can't be parsed: {_one_line(error)}") from None
    theirs = "" if function.domain == "ai.onnx" else function.domain
    if (theirs and theirs != domain) or (function.name and function.name != name):
        raise OmbError(f"{shown} is called '{function.name}' of the domain '{function.domain}'")
    function.domain, function.name = domain, name
    for entry in function.opset_import:
        entry.domain = "" if entry.domain == "ai.onnx" else entry.domain
    opsets = {entry.domain: entry.version for entry in function.opset_import}
    for top in function.node:
        for node in (top, *(n for g in graphs.subgraphs(top) for n in graphs.each_node(g))):
            node.domain = "" if node.domain == "ai.onnx" else node.domain
            if node.domain not in opsets:
                raise OmbError(
                    f"{shown} uses the domain '{node.domain or 'ai.onnx'}' without importing it"
                )
            if node.domain in ("", "ai.onnx.ml") and not defs.has(
                node.op_type, opsets[node.domain], node.domain
            ):
                raise OmbError(
                    f"{shown}: there is no operator '{node.op_type}' in opset "
                    f"{opsets[node.domain]} of {node.domain or 'ai.onnx'}"
                )
    _check_names(function, shown)
    return function


def _check_names(function: FunctionProto, shown: str) -> None:
    """OmbError unless every value is produced before it is used, and only once."""
    known = {"", *function.input}
    for node in function.node:
        for name in (*node.input, *sorted(graphs.captured_values(node))):
            if name not in known:
                raise OmbError(f"{shown} uses the value '{name}', which nothing before it produces")
        for name in node.output:
            if name and name in known:
                raise OmbError(f"{shown} produces the value '{name}' twice")
        known.update(node.output)
    for name in function.output:
        if name not in known:
            raise OmbError(f"{shown} doesn't produce its output '{name}'")


def _one_line(error: Exception) -> str:
    text = error.args[0] if error.args and isinstance(error.args[0], bytes) else str(error)
    return " ".join((text.decode(errors="replace") if isinstance(text, bytes) else text).split())
