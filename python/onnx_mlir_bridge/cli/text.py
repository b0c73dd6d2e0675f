"""Numbers, shapes and names as text for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence


def printable(text: str, keep: str = "") -> str:
    """`text` with what would move the cursor or change colors written as an escape sequence.

    Names come from models, which may hold anything.
    """
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text
    )


def shape(dims: Iterable[int | str | None] | None) -> str:
    """Such as "[batch, 3, ?]"."""
    if dims is None:
        return "of unknown rank"
    return "[" + ", ".join("?" if dim is None else printable(str(dim)) for dim in dims) + "]"


def seconds(value: float) -> str:
    """Such as "3.2 ms"."""
    if value < 1e-3:
        return f"{1e6 * value:.0f} us"
    return f"{1e3 * value:.1f} ms" if value < 1 else f"{value:.1f} s"


def size(count: int) -> str:
    """Bytes, such as "97.5 MiB"."""
    value = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{count} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def columns(rows: Sequence[Sequence[str]], indent: int = 2) -> str:
    """The rows as lines, their columns aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(" " * indent + line.rstrip() for line in lines)


def warn(messages: Iterable[str]) -> None:
    """Print warnings, a line each, on standard error."""
    for message in messages:
        print(f"warning: {printable(message)}", file=sys.stderr)
