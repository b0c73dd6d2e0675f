"""The one exception and the one warning that a user of this package has to know.

And how their messages name nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import NodeProto


class OmbError(Exception):
    """A failure that the user can cause, and so can mend.

    The message is one line that says what is wrong, where (ONNX node name, operator, tensor) and
    what to do. The command line prints it and exits with status 1.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class FallbackWarning(UserWarning):
    """A part of a model runs on the host, because no device can do it.

    The message, one line, names the nodes and says why. fallback="error" refuses such models.
    """


def describe_node(node: NodeProto) -> str:
    """How messages and locations name a node: '/layer/Conv (Conv)', or by its first output."""
    op = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    if node.name:
        return f"{node.name} ({op})"
    outputs = [name for name in node.output if name]
    return f"({op}) producing {outputs[0]}" if outputs else f"({op})"
