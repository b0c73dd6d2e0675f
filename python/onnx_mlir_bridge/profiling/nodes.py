"""Which ONNX nodes a dispatch computes.

Locations in IREE's modules name nodes. A dispatch carries the one of the operation that gave it its
shape; the others are in its body, as long as that stands where it is called: later, calls of equal
bodies share one, which names the nodes of the first. Kernels of this compiler are shared from the
beginning. What they fuse into a node, the graph says: a node that no dispatch names is computed
where its result goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnx_mlir_bridge.compiler.diagnostics import location_name

if TYPE_CHECKING:
    from onnx_mlir_bridge._mlir import ir
    from onnx_mlir_bridge.compiler.compiled_model import CompiledModel

_WITH_BODIES, _WITH_SCHEDULE = "dispatch-creation", "executable-sources"

_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(rb"\\([0-9A-F]{2}|.)")
_NOT_NODES = (" (graph)", " (initializer)", " (input)")

_CALL = re.compile(r"stream\.cmd\.dispatch \{?@([^\[({, ]+)")

# What is in a body besides the computation; the locations say where operands and sizes come from.
_PREPARATION = re.compile(
    r"\^bb|\} count|(%\S+ = )?(tensor\.empty|arith\.constant|tensor\.dim|affine\.|linalg\.fill|"
    r"iree_tensor_ext\.|flow\.return|arith\.\w+ [^\"]* : index )"
)

# Nodes that only look at a tensor in another way, or at its shape.
_VIEWS = frozenset(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"))
_OF_SHAPES = frozenset(("Shape", "Size", "Constant", "NoValue", "Yield"))


@dataclass(frozen=True)
class Call:
    """A dispatch in the module. function: its name. nodes: which it computes, in their order."""

    function: str
    nodes: tuple[str, ...] = ()


Region = tuple[Call, ...]
"""Dispatches that are handed to the device at once, in the order of the module."""


def regions(compiled: CompiledModel) -> list[Region]:
    """The regions of a model that is compiled as one module."""
    with_bodies, with_schedule = compiled.compilation.located_ir((_WITH_BODIES, _WITH_SCHEDULE))
    bodies = _bodies(with_bodies)
    scheduled = [
        [
            (function, list(dict.fromkeys((*names, *bodies.get(names, ())))))
            for function, names in region
        ]
        for region in _regions(with_schedule)
    ]
    graph = _Graph(compiled.compilation.placed.whole.source.module.operation)
    graph.attribute([names for region in scheduled for _, names in region])
    return [
        tuple(Call(function, graph.ordered(names)) for function, names in region)
        for region in scheduled
    ]


def _names(location: str) -> tuple[str, ...]:
    """The nodes in a printed location."""
    found = map(_unescaped, _NAME.findall(location))
    return tuple(dict.fromkeys(name for name in found if not name.endswith(_NOT_NODES)))


def _unescaped(text: str) -> str:
    def character(found: re.Match[bytes]) -> bytes:
        code = found[1]
        return bytes.fromhex(code.decode()) if len(code) == 2 else code

    return _ESCAPE.sub(character, text.encode()).decode(errors="replace")


def _location(line: str) -> str:
    """The location that an operation's line ends with, "" if there is none."""
    start = line.find(" loc(")  # the first: what is behind it may be in a name
    return line[start:] if start >= 0 else ""


def _operation(lines: Iterator[str], first: str) -> list[str]:
    """The lines of an operation with regions or operands on lines of their own."""
    end = first[: len(first) - len(first.lstrip())] + "}"
    found = [first]
    for line in lines:
        found.append(line)
        if line.startswith(end) and not line.endswith("{"):
            break
    return found


def _bodies(text: str) -> dict[tuple[str, ...], tuple[str, ...]]:
    """The nodes in the bodies of dispatches, by the nodes in the dispatch's own location."""
    found: dict[tuple[str, ...], dict[str, None]] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if "flow.dispatch.workgroups" not in line:
            continue
        *body, last = _operation(lines, line)
        names = found.setdefault(_names(_location(last)), {})
        for inner in body[1:]:
            if not _PREPARATION.match(inner.lstrip()):
                names.update(dict.fromkeys(_names(_location(inner))))
    return {names: tuple(inner) for names, inner in found.items()}


def _regions(text: str) -> list[list[tuple[str, tuple[str, ...]]]]:
    """Each region's dispatches: functions and the nodes in their locations."""
    found = []
    lines = iter(text.splitlines())
    for line in lines:
        if "stream.cmd.execute" not in line:
            continue
        inner = iter(_operation(lines, line))
        calls = []
        for each in inner:
            if call := _CALL.search(each):
                last = _operation(inner, each)[-1] if each.endswith("{") else each
                calls.append((call[1].rpartition("::@")[2].strip('"'), _names(_location(last))))
        found.append(calls)
    return found


def _operator(operation: ir.Operation) -> str:
    return operation.name.rpartition(".")[2]


def _node(operation: ir.Operation | ir.OpView) -> str:
    return _unescaped(location_name(operation.location))


class _Graph:
    """The nodes of the imported model, subgraphs included."""

    def __init__(self, module: ir.Operation) -> None:
        from onnx_mlir_bridge._mlir import ir

        self._operations: list[ir.Operation] = []

        def visit(operation: ir.Operation) -> ir.WalkResult:
            if operation.name.startswith("onnx."):
                self._operations.append(operation)
            return ir.WalkResult.ADVANCE

        module.walk(visit, ir.WalkOrder.PRE_ORDER)
        self._places: dict[str, int] = {}
        for place, operation in enumerate(self._operations):
            self._places.setdefault(_node(operation), place)

    def ordered(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names in the order of the model's nodes."""
        last = len(self._places)
        return tuple(sorted(names, key=lambda name: self._places.get(name, last)))

    def attribute(self, dispatches: Sequence[list[str]]) -> None:
        """Add the nodes that no dispatch names to the dispatches that take their results."""
        named: dict[str, list[int]] = {}
        for index, names in enumerate(dispatches):
            for name in names:
                # The first of a node's dispatches is the one that takes its operands.
                named.setdefault(name, [index])
        computing = self._computing()
        users: dict[int, list[int]] = {}
        for place in reversed(range(len(self._operations))):
            operation = self._operations[place]
            name = _node(operation)
            if name in named:
                users[place] = named[name]
            elif place in computing:
                users[place] = sorted({i for use in self._uses(place) for i in users.get(use, ())})
                # Of a node with subgraphs, the nodes in them are what is computed.
                if _operator(operation) not in _VIEWS and not len(operation.regions):
                    for index in users[place]:
                        dispatches[index].append(name)

    def _uses(self, place: int) -> Iterator[int]:
        """The places of the operations that take an operation's results."""
        for result in self._operations[place].results:
            for use in result.uses:
                found = self._places.get(_node(use.owner))
                if found is not None:
                    yield found

    def _computing(self) -> set[int]:
        """The places of the operations on values that aren't known before the run."""
        from onnx_mlir_bridge._mlir import ir

        found: set[int] = set()
        for place, operation in enumerate(self._operations):
            if _operator(operation) in _OF_SHAPES:
                continue
            for operand in operation.operands:
                owner = operand.owner
                if isinstance(owner, ir.Block) or self._places.get(_node(owner)) in found:
                    found.add(place)
                    break
        return found
