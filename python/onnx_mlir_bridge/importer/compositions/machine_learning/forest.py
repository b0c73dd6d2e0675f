"""Decision trees as tables: what TreeEnsemble, -Classifier and -Regressor have in common.

The nodes of all trees are numbered, the leaves first. An inner node compares one feature with a
number: `x <= value`, or `x == value`, or says where a missing feature goes. All other comparisons
become these, with the branches exchanged where needed. A leaf leads to itself, so that all trees
can be walked down for as many steps as the deepest one has levels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from onnx_mlir_bridge.importer.compositions.body import Call

MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
"""By TreeEnsemble's numbers; BRANCH_MEMBER, which has a set, is the next one."""
MEMBER = "BRANCH_MEMBER"

Ref = int
"""A node while trees are built: inner ones count from 0 up, leaves from -1 down."""


@dataclass
class Forest:
    """Trees for samples of one float type.

    feature, value, is_equality, missing_goes_true, on_true, on_false: of every node. roots: of the
    trees. depth: the most comparisons on the way to a leaf. num_leaves: nodes below are leaves.
    """

    feature: np.ndarray
    value: np.ndarray
    is_equality: np.ndarray
    missing_goes_true: np.ndarray
    on_true: np.ndarray
    on_false: np.ndarray
    roots: np.ndarray
    num_leaves: int
    depth: int


@dataclass
class ForestBuilder:
    """Collects inner nodes in the form that they are compared in."""

    call: Call
    dtype: type[np.floating]
    feature: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    is_equality: list[bool] = field(default_factory=list)
    missing_goes_true: list[bool] = field(default_factory=list)
    on_true: list[Ref] = field(default_factory=list)
    on_false: list[Ref] = field(default_factory=list)

    def reserve(self) -> Ref:
        """A new node, to be set."""
        for column in (self.feature, self.on_true, self.on_false):
            column.append(0)
        self.value.append(0.0)
        self.is_equality.append(False)
        self.missing_goes_true.append(False)
        return len(self.feature) - 1

    def _set(
        self,
        node: Ref,
        feature: int,
        value: float,
        on_true: Ref,
        on_false: Ref,
        *,
        missing: bool,
        equality: bool = False,
        exchanged: bool = False,
    ) -> None:
        if exchanged:
            on_true, on_false, missing = on_false, on_true, not missing
        self.feature[node] = feature
        self.value[node] = value
        self.is_equality[node] = equality
        self.missing_goes_true[node] = missing
        self.on_true[node], self.on_false[node] = on_true, on_false

    def compare(
        self,
        node: Ref,
        mode: str,
        feature: int,
        value: float,
        on_true: Ref,
        on_false: Ref,
        missing: bool,
    ) -> None:
        """Sets a node. A missing feature, NaN, fails every comparison but !=, unless `missing`."""
        number = self.dtype(value)
        # x < v is x <= w for the next lower float w, and x >= v its negation.
        with np.errstate(over="ignore"):
            below = np.nextafter(number, self.dtype(-np.inf))
        # A device may take subnormal numbers for 0.
        tiny = np.finfo(self.dtype).tiny
        if abs(below) < tiny:
            below = -tiny if number <= 0 else self.dtype(0)
        if number == -np.inf:
            below = self.dtype(np.nan)
        if mode in ("BRANCH_LEQ", "BRANCH_GT"):
            self._set(node, feature, number, on_true, on_false, missing=missing,
                      exchanged=mode == "BRANCH_GT")  # fmt: skip
        elif mode in ("BRANCH_LT", "BRANCH_GTE"):
            self._set(node, feature, below, on_true, on_false, missing=missing,
                      exchanged=mode == "BRANCH_GTE")  # fmt: skip
        elif mode in ("BRANCH_EQ", "BRANCH_NEQ"):
            # NaN differs from every number.
            self._set(node, feature, number, on_true, on_false, equality=True,
                      missing=missing or mode == "BRANCH_NEQ",
                      exchanged=mode == "BRANCH_NEQ")  # fmt: skip
        else:
            raise self.call.fail(f"has a node of the unknown mode '{mode}'")

    def member(
        self,
        node: Ref,
        feature: int,
        members: np.ndarray,
        on_true: Ref,
        on_false: Ref,
        missing: bool,
    ) -> None:
        """Sets a node that asks whether the feature is in a set: a bisection of the sorted set."""
        if members.size == 0:
            self._set(node, feature, np.nan, on_true, on_false, missing=missing)
        elif members.size == 1:
            self._set(node, feature, members[0], on_true, on_false, missing=missing, equality=True)
        else:
            half = members.size // 2
            low, high = self.reserve(), self.reserve()
            self._set(node, feature, members[half - 1], low, high, missing=missing)
            self.member(low, feature, members[:half], on_true, on_false, missing)
            self.member(high, feature, members[half:], on_true, on_false, missing)

    def finish(self, roots: list[Ref], num_leaves: int) -> Forest:
        """The tables, with one more tree, which adds nothing. OmbError for what is no tree."""
        num_leaves += 1
        roots = [*roots, -num_leaves]
        inner = len(self.feature)

        def number(refs: list[Ref]) -> np.ndarray:
            found = np.array(refs, dtype=np.int64)
            return np.where(found < 0, -1 - found, found + num_leaves)

        leaves = np.arange(num_leaves)

        def column(values: list, leaf: object, dtype: object) -> np.ndarray:
            return np.concatenate(
                [np.full(num_leaves, leaf, dtype), np.array(values, dtype).reshape(inner)]
            )

        on_true = np.concatenate([leaves, number(self.on_true)])
        on_false = np.concatenate([leaves, number(self.on_false)])
        first = number(roots)
        return Forest(
            feature=column(self.feature, 0, np.int64),
            value=column(self.value, 0, self.dtype),
            is_equality=column(self.is_equality, False, bool),
            missing_goes_true=column(self.missing_goes_true, False, bool),
            on_true=on_true,
            on_false=on_false,
            roots=first,
            num_leaves=num_leaves,
            depth=self._depth(first, on_true, on_false, num_leaves),
        )

    def _depth(
        self, roots: np.ndarray, on_true: np.ndarray, on_false: np.ndarray, num_leaves: int
    ) -> int:
        depth, level = 0, np.unique(roots)
        while (level := level[level >= num_leaves]).size:
            depth += 1
            if depth > len(self.feature):
                raise self.call.fail("has trees with a node that leads back to itself")
            level = np.unique(np.concatenate([on_true[level], on_false[level]]))
        return depth
