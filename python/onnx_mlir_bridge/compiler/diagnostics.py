"""From the compilers' diagnostics to one line that names the ONNX node.

Locations in the IR name the node: "/layer/Conv (Conv)". MLIR prints them in front of a message, and
IREE's diagnostics carry them through from the module that it was given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from onnx_mlir_bridge.errors import OmbError

if TYPE_CHECKING:
    from onnx_mlir_bridge._mlir import ir

_MAX_LISTED = 3

# A location in front of a message: a name in quotes, perhaps with the place in the text behind it,
# or only the place.
_NAMED = re.compile(r'^"(?P<name>(?:[^"\\]|\\.)*)"(?:\([^)]*\))?(?::\d+:\d+)?:\s*')
_PLACE = re.compile(r"^[^\s:\"]*:\d+:\d+:\s*|^<unknown>:\d+:\s*|^-:\s*")

# The same of what IREE has inlined.
_CALLSITE = re.compile(r'loc\((?:callsite\()?"(?P<name>(?:[^"\\]|\\.)*)".*?\):\s*')

# A dump of the operation, which only readers of IR want.
_DUMP = re.compile(r":? %\S+ = .*|see current operation.*| for backend #.*", re.DOTALL)
_ANY_NAME = re.compile(r'loc\("((?:[^"\\]|\\.)+)"|"((?:[^"\\]|\\.)* \([A-Za-z][\w.]*\)[^"]*)"')


def split(diagnostic: str) -> tuple[str, str]:
    """The name in a printed diagnostic's location, "" if there is none, and its message."""
    named = _NAMED.match(diagnostic)
    if called := _CALLSITE.match(diagnostic):
        return called["name"], _message(diagnostic[called.end() :])
    if named:
        return named["name"], _message(diagnostic[named.end() :])
    name = next((a or b for a, b in _ANY_NAME.findall(diagnostic)), "")
    return name, _message(_PLACE.sub("", diagnostic))


def _message(text: str) -> str:
    first = text.split("\n\n")[0]
    return _DUMP.sub("", re.sub(r"^error:\s*", "", first)).strip()


def location_name(location: ir.Location) -> str:
    """The node in an ir.Location: the name in it, also where locations were fused."""
    found = re.search(r'"((?:[^"\\]|\\.)*)"', str(location))
    return found.group(1) if found else ""


def located(diagnostic: ir.DiagnosticInfo) -> tuple[str, str]:
    """The node that a diagnostic of a pass is about, "" if it names none, and its message."""
    message = re.sub(r"^'onnx\.([\w.]+)' op ", "", diagnostic.message)
    return location_name(diagnostic.location), message


class LoweringError(OmbError):
    """A model that the passes refuse. problems: the nodes and messages; "" names no node."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        lines = [f"{name}: {text}" if name else text for name, text in problems]
        super().__init__(_joined("the model can't be compiled", lines, "no pass says why"))
        self.problems = tuple(problems)


def lowering_error(diagnostics: Sequence[ir.DiagnosticInfo], fallback: str) -> LoweringError:
    """The error for a pass that failed; `diagnostics`: those of an ir.MLIRError."""
    return LoweringError([*map(located, diagnostics)] or [("", fallback.split("\n")[0])])


# What the passes say of valid models that they can't compile; anything else they say is an error
# in the model. Where it is said: ToLinalg.cpp, DecomposeSequences.cpp, GraphBody.cpp.
_UNSUPPORTED = (
    "has no lowering to linalg",
    "can't be lowered to linalg: ",
    "a sequence or optional holds something else than",
    "is malformed: a value changes its type from one iteration to the next",
)


def is_unsupported(message: str) -> bool:
    """Whether a pass says that it has no way for a node, rather than that the node is wrong."""
    return message.startswith(_UNSUPPORTED)


def iree_error(diagnostics: Sequence[str], target: str, crash: str | None) -> OmbError:
    """The error for a module that IREE refused, or on which it ended with `crash`."""
    lines = []
    for name, message in map(split, diagnostics):
        if "RESOURCE_EXHAUSTED" in message:
            message = "a tensor that is known before the run doesn't fit into memory"
        if message:
            lines.append(f"{name}: {message}" if name else message)
    if crash:
        lines.append(f"the compiler crashed ({crash}); please report it with the model")
    start = f"IREE can't compile the model for {target}"
    return OmbError(_joined(start, lines, "it gives no reason"))


def _joined(start: str, lines: Sequence[str], fallback: str) -> str:
    unique = list(dict.fromkeys(lines))
    if not unique:
        return f"{start}: {fallback}"
    more = len(unique) - _MAX_LISTED
    listed = "; ".join(unique[:_MAX_LISTED])
    return f"{start}: {listed}" + (f"; and {more} more" if more > 0 else "")
