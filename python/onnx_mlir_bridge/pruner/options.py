"""The options of omb.prune(), checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from onnx_mlir_bridge.compiler.options import check_names
from onnx_mlir_bridge.errors import OmbError

SCOPES = ("layer", "global")


@dataclass(frozen=True)
class Pattern:
    """Which weights become zero together.

    rows, columns: of the blocks of a weight of [inputs, output channels]; 1 x 1 for single ones.
    kept, among: of so many inputs that follow each other, how many are kept of each channel; 0
    where there is no such rule.
    """

    rows: int = 1
    columns: int = 1
    kept: int = 0
    among: int = 0


@dataclass(frozen=True)
class PruneOptions:
    """What is pruned, and how much.

    sparsity: the share of weights that become zero, below 1; with a pattern of n:m, this follows.
    pattern: None for single weights; "1x16" or any other size for blocks of as many inputs and
    output channels, which are zero, or not, together ("1x16" is what omb's kernels have blocks of);
    "2:4" or any n:m keeps n of m inputs that follow each other, of each output channel.
    scope: "layer" gives each layer this sparsity, "global" all of them together: of the weights of
    all layers, the smallest become zero.
    exclude: names of nodes that stay as they are, with * ? [] for any characters; a node without a
    name goes by that of its first output. exclude_ops: operators that do.
    """

    sparsity: float | None = None
    pattern: str | None = None
    scope: str = "layer"
    exclude: Sequence[str] = ()
    exclude_ops: Sequence[str] = ()

    @staticmethod
    def checked(options: dict[str, Any]) -> PruneOptions:
        """The options of these names and values; OmbError for one that can't be used."""
        check_names(options, PruneOptions)
        checked = PruneOptions(**options)
        pattern = checked.parsed_pattern()
        if pattern.among and checked.sparsity is not None:
            raise OmbError(
                f"the pattern '{checked.pattern}' says how many become zero; leave sparsity out"
            )
        if pattern.among and checked.scope == "global":
            raise OmbError(f"the pattern '{checked.pattern}' is the same for all layers")
        if not pattern.among:
            check_sparsity(checked.sparsity)
        if checked.scope not in SCOPES:
            raise OmbError(f"scope must be 'layer' or 'global', not {checked.scope!r}")
        for name in ("exclude", "exclude_ops"):
            value = getattr(checked, name)
            if isinstance(value, str) or not all(isinstance(each, str) for each in value):
                raise OmbError(f"{name} is a sequence of names, not {value!r}")
        return checked

    def parsed_pattern(self) -> Pattern:
        """What `pattern` says; OmbError where it says nothing."""
        if self.pattern is None:
            return Pattern()
        text = self.pattern if isinstance(self.pattern, str) else ""
        if match := re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", text):
            rows, columns = map(int, match.groups())
            if rows and columns:
                return Pattern(rows, columns)
        if match := re.fullmatch(r"([0-9]{1,4}):([0-9]{1,4})", text):
            kept, among = map(int, match.groups())
            if 0 < kept < among:
                return Pattern(kept=kept, among=among)
        raise OmbError(
            f"pattern must be the size of a block, such as '1x16', or how many weights are kept of "
            f"how many, such as '2:4', not {self.pattern!r}"
        )


def check_sparsity(sparsity: object) -> None:
    """OmbError for what is no share of zeros."""
    if sparsity is None:
        raise OmbError("say how many weights become zero: sparsity=0.9, or pattern='2:4'")
    if isinstance(sparsity, bool) or not isinstance(sparsity, (int, float)):
        raise OmbError(f"sparsity must be a number, not {sparsity!r}")
    if not 0 <= sparsity < 1:
        raise OmbError(f"sparsity must be at least 0 and below 1, not {sparsity!r}")
