"""TreeEnsemble, TreeEnsembleClassifier, TreeEnsembleRegressor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from onnx import TensorProto

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.machine_learning import scores as scoring
from onnx_mlir_bridge.importer.compositions.machine_learning.forest import (
    MEMBER,
    MODES,
    Forest,
    ForestBuilder,
    Ref,
)
from onnx_mlir_bridge.importer.compositions.machine_learning.inputs import (
    DOMAIN,
    class_labels,
    integers,
    matrix,
    numbers,
    pick_labels,
    repeat,
    tensor,
)
from onnx_mlir_bridge.importer.compositions.registry import composes

_AGGREGATIONS = ("AVERAGE", "SUM", "MIN", "MAX")
_UNROLLED = 8
"""As many levels are walked down in one step of a loop, which makes one kernel of them."""
_MAX_PADDING = 2
"""How much larger a table may become so that all targets have as many trees."""


@dataclass
class Weights:
    """What the leaves add: `weight` to the score of `target` at leaf `leaf`."""

    leaf: np.ndarray
    target: np.ndarray
    weight: np.ndarray


# --- walking down -------------------------------------------------------------------------------


def _leaves(call: Call, x: Value, forest: Forest) -> Value:
    """The leaf that each sample comes to in each tree: samples x trees."""
    tables = _Tables(call, forest)
    if forest.depth == 0:
        start = call.constant(forest.roots.astype(np.int32))
        return start.op("Expand", call.sizes(x.size(0), forest.roots.size))
    state = tables.begin(x)
    steps = forest.depth - 1
    if steps <= _UNROLLED:
        for _ in range(steps):
            state = tables.step(x, state)
        return state

    def walk(states: Sequence[Value]) -> tuple[Value, Sequence[Value]]:
        (inner,) = states
        for _ in range(_UNROLLED):
            inner = tables.step(x, inner)
        return call.constant(np.array(True)), [inner]

    return repeat(call, -(-steps // _UNROLLED), [state], walk)[0]


class _Tables:
    """The columns of a forest as constants."""

    def __init__(self, call: Call, forest: Forest) -> None:
        self._call = call
        self._forest = forest
        self._constants: dict[str, Value] = {}

    def _column(self, name: str, nodes: Value | np.ndarray) -> Value:
        column = getattr(self._forest, name)
        # Large tables of booleans don't reach IREE.
        is_flag = column.dtype == bool
        if is_flag or name in ("feature", "on_true", "on_false"):
            column = column.astype(np.int32)
        if isinstance(nodes, np.ndarray):
            found = self._call.constant(column[nodes])
        else:
            if name not in self._constants:
                self._constants[name] = self._call.constant(column)
            found = self._constants[name].op("Gather", nodes)
        return found > 0 if is_flag else found

    def _next(self, x: Value, nodes: Value | np.ndarray) -> Value:
        value = self._column("value", nodes)
        goes_true = x <= value
        if self._forest.is_equality.any():
            is_equality = self._column("is_equality", nodes)
            goes_true = self._call.emit("Where", is_equality, x.equal(value), goes_true)
        if self._forest.missing_goes_true.any():
            missing = self._column("missing_goes_true", nodes)
            goes_true = goes_true | (x.op("IsNaN") & missing)
        on_true, on_false = self._column("on_true", nodes), self._column("on_false", nodes)
        return on_true.where(goes_true, on_false)

    def begin(self, x: Value) -> Value:
        """The nodes below the roots."""
        roots = self._forest.roots
        features = self._call.constant(self._forest.feature[roots])
        return self._next(x.op("Gather", features, axis=1), roots)

    def step(self, x: Value, nodes: Value) -> Value:
        """The nodes below `nodes`."""
        feature = self._column("feature", nodes)
        return self._next(x.op("GatherElements", feature, axis=1), nodes)


# --- adding up ----------------------------------------------------------------------------------


def _aggregate(
    call: Call, x: Value, forest: Forest, weights: Weights, targets: int, how: str
) -> Value:
    """The scores of all targets: samples x targets."""
    if weights.target.size and (weights.target.min() < 0 or weights.target.max() >= targets):
        raise call.fail(f"has a weight for a target that isn't one of its {targets}")
    dtype = forest.value.dtype
    neutral = {"MIN": np.inf, "MAX": -np.inf}.get(how, 0.0)
    combine = {"MIN": np.minimum, "MAX": np.maximum}.get(how, np.add)
    table = np.full((forest.num_leaves, targets), neutral, dtype=dtype)
    combine.at(table, (weights.leaf, weights.target), weights.weight.astype(dtype))
    reduce = {"MIN": "ReduceMin", "MAX": "ReduceMax"}.get(how, "ReduceSum")
    trees = _trees_by_target(forest, weights, targets)
    if trees is None:
        found = call.constant(table).op("Gather", _leaves(call, x, forest))
        result = found.op(reduce, call.ints([1]), keepdims=0)
    else:
        # Every leaf has one weight.
        own = np.full(forest.num_leaves, neutral, dtype=dtype)
        own[weights.leaf] = table[weights.leaf, weights.target]
        leaves = _leaves(call, x, replace(forest, roots=forest.roots[trees.reshape(-1)]))
        found = call.constant(own).op("Gather", leaves).reshape(0, *trees.shape)
        result = found.op(reduce, call.ints([2]), keepdims=0)
    if how == "AVERAGE":
        # The last tree is the one that adds nothing.
        result = result / (forest.roots.size - 1)
    if how in ("MIN", "MAX"):
        # What no leaf adds to is 0.
        result = call.scalar(0, result).where(result.op("IsInf"), result)
    return result


def _trees_by_target(forest: Forest, weights: Weights, targets: int) -> np.ndarray | None:
    """The trees that add to each target, targets x trees; None unless each adds to one only.

    Targets with fewer trees get the last one, which adds nothing, to fill up with.
    """
    owner = _tree_of_leaves(forest)
    tree = owner[weights.leaf]
    pairs = np.unique(np.stack([tree, weights.target], axis=1)[tree >= 0], axis=0)
    if np.any(tree == _SEVERAL) or np.unique(pairs[:, 0]).size != pairs.shape[0]:
        return None
    counts = np.bincount(pairs[:, 1], minlength=targets)
    width = max(int(counts.max()), 1)
    if width * targets > _MAX_PADDING * forest.roots.size:
        return None
    result = np.full((targets, width), forest.roots.size - 1)
    for target in range(targets):
        result[target, : counts[target]] = pairs[pairs[:, 1] == target, 0]
    return result


_SEVERAL = -2


def _tree_of_leaves(forest: Forest) -> np.ndarray:
    """The tree that each leaf belongs to: -1 where there is none, _SEVERAL where trees share it."""
    owner = np.full(forest.num_leaves, -1)
    trees, level = np.arange(forest.roots.size), forest.roots
    while level.size:
        is_leaf = level < forest.num_leaves
        leaves, owners = level[is_leaf], trees[is_leaf]
        taken = (owner[leaves] != -1) & (owner[leaves] != owners)
        owner[leaves] = np.where(taken, _SEVERAL, owners)
        trees, level = trees[~is_leaf], level[~is_leaf]
        below = np.concatenate([forest.on_true[level], forest.on_false[level]])
        both = np.unique(np.stack([below, np.tile(trees, 2)], axis=1), axis=0)
        level, trees = both[:, 0], both[:, 1]
    return owner


# --- reading the attributes ---------------------------------------------------------------------


def _samples(call: Call, *tables: np.ndarray) -> tuple[Value, type[np.floating]]:
    """The operand as a matrix of the float type that is computed in."""
    x = matrix(call, call.operands("X")[0])
    is_double = x.element == TensorProto.DOUBLE or any(t.dtype == np.float64 for t in tables)
    dtype = np.float64 if is_double else np.float32
    return x.cast(TensorProto.DOUBLE if is_double else TensorProto.FLOAT), dtype


def _check_lengths(call: Call, **columns: np.ndarray | list) -> None:
    sizes = {len(column) for column in columns.values()}
    if len(sizes) > 1:
        names = ", ".join(f"{len(column)} {name}" for name, column in columns.items())
        raise call.fail(f"has tables of different lengths: {names}")


def _old_forest(
    call: Call, values: np.ndarray, kind: str, dtype: type[np.floating]
) -> tuple[Forest, Weights]:
    """The trees of a TreeEnsembleClassifier or -Regressor; `kind` is 'class' or 'target'."""
    call.ignore("nodes_hitrates", "nodes_hitrates_as_tensor")
    columns = {
        name: integers(call, f"nodes_{name}").tolist()
        for name in ("treeids", "nodeids", "featureids", "truenodeids", "falsenodeids")
    }
    modes = call.attribute("nodes_modes", [])
    missing = integers(call, "nodes_missing_value_tracks_true").tolist() or [0] * len(modes)
    _check_lengths(call, modes=modes, values=values, missing=missing, **columns)
    keys = list(zip(columns["treeids"], columns["nodeids"], strict=True))
    refs: dict[tuple[int, int], Ref] = {}
    builder = ForestBuilder(call, dtype)
    num_leaves = 0
    for key, mode in zip(keys, modes, strict=True):
        if key in refs:
            raise call.fail(f"has the node {key[1]} of the tree {key[0]} twice")
        if mode == "LEAF":
            num_leaves += 1
            refs[key] = -num_leaves
        else:
            refs[key] = builder.reserve()

    def below(tree: int, node: int) -> Ref:
        if (tree, node) not in refs:
            raise call.fail(f"leads to the node {node} of the tree {tree}, which doesn't exist")
        return refs[tree, node]

    for index, (key, mode) in enumerate(zip(keys, modes, strict=True)):
        if mode != "LEAF":
            builder.compare(
                refs[key],
                mode,
                columns["featureids"][index],
                float(values[index]),
                below(key[0], columns["truenodeids"][index]),
                below(key[0], columns["falsenodeids"][index]),
                bool(missing[index]),
            )
    roots: dict[int, Ref] = {}
    for key in keys:
        roots.setdefault(key[0], refs[key])
    forest = builder.finish(list(roots.values()), num_leaves)
    return forest, _old_weights(call, refs, kind)


def _old_weights(call: Call, refs: dict[tuple[int, int], Ref], kind: str) -> Weights:
    trees, nodes = integers(call, f"{kind}_treeids"), integers(call, f"{kind}_nodeids")
    targets, weights = integers(call, f"{kind}_ids"), numbers(call, f"{kind}_weights")
    _check_lengths(call, trees=trees, nodes=nodes, targets=targets, weights=weights)
    places = [refs.get(key, 0) for key in zip(trees.tolist(), nodes.tolist(), strict=True)]
    # Weights of inner nodes add nothing.
    found = np.array(places, dtype=np.int64)
    is_leaf = found < 0
    return Weights(-1 - found[is_leaf], targets[is_leaf], weights[is_leaf])


def _first_of_each_leaf(weights: Weights) -> Weights:
    """Of several weights of a leaf, the first alone: so does ONNX Runtime where there is one score.

    By the standard they are added up, but converters give leaves the same weight several times
    (skl2onnx, for the number of the leaf that a sample comes to).
    """
    _, first = np.unique(weights.leaf, return_index=True)
    return Weights(weights.leaf[first], weights.target[first], weights.weight[first])


def _new_forest(call: Call, splits: np.ndarray, dtype: type[np.floating]) -> tuple[Forest, Weights]:
    """The trees of a TreeEnsemble."""
    call.ignore("nodes_hitrates")
    modes = tensor(call, "nodes_modes")
    columns = {
        name: integers(call, f"nodes_{name}").tolist()
        for name in ("featureids", "truenodeids", "falsenodeids", "trueleafs", "falseleafs")
    }
    assert modes is not None
    modes = modes.reshape(-1)
    missing = integers(call, "nodes_missing_value_tracks_true").tolist() or [0] * modes.size
    _check_lengths(call, modes=modes, splits=splits, missing=missing, **columns)
    leaf_weights = tensor(call, "leaf_weights")
    assert leaf_weights is not None
    weights = leaf_weights.reshape(-1)
    targets = integers(call, "leaf_targetids")
    _check_lengths(call, weights=weights, targets=targets)
    builder = ForestBuilder(call, dtype)
    for _ in range(modes.size):
        builder.reserve()
    sets = _membership_sets(call, int(np.sum(modes == len(MODES))))

    def below(side: str, index: int) -> Ref:
        node = columns[f"{side}nodeids"][index]
        is_leaf = columns[f"{side}leafs"][index] != 0
        if not 0 <= node < (weights.size if is_leaf else modes.size):
            raise call.fail(f"leads to a node {node}, which doesn't exist")
        return -1 - node if is_leaf else node

    for index, number in enumerate(modes.tolist()):
        mode = (*MODES, MEMBER)[number] if number <= len(MODES) else str(number)
        feature, goes_true = columns["featureids"][index], bool(missing[index])
        on_true, on_false = below("true", index), below("false", index)
        if mode == MEMBER:
            builder.member(index, feature, sets.pop(0), on_true, on_false, goes_true)
        else:
            value = float(splits[index])
            builder.compare(index, mode, feature, value, on_true, on_false, goes_true)
    roots = integers(call, "tree_roots").tolist()
    if any(not 0 <= root < modes.size for root in roots):
        raise call.fail("has a root that isn't a node")
    forest = builder.finish(roots, weights.size)
    return forest, Weights(np.arange(weights.size), targets, weights)


def _membership_sets(call: Call, count: int) -> list[np.ndarray]:
    """The sets of the nodes that have one, in the order of the nodes, sorted."""
    members = tensor(call, "membership_values")
    members = np.zeros(0) if members is None else members.reshape(-1)
    ends = np.flatnonzero(np.isnan(members))
    if ends.size != count:
        raise call.fail(f"has {count} nodes with sets, and {ends.size} sets")
    return [np.unique(part[~np.isnan(part)]) for part in np.split(members, ends)[:count]]


# --- the operators ------------------------------------------------------------------------------


@composes(DOMAIN, "TreeEnsemble")
def tree_ensemble(call: Call) -> Value:
    """The scores that the leaves add up to."""
    splits = tensor(call, "nodes_splits")
    assert splits is not None
    splits = splits.reshape(-1)
    how, transform = call.attribute("aggregate_function", 1), call.attribute("post_transform", 0)
    if not (0 <= how < len(_AGGREGATIONS) and 0 <= transform < len(scoring.TRANSFORMS)):
        raise call.fail("has an aggregate_function or post_transform the standard doesn't know")
    original = call.operands("X")[0]
    x, dtype = _samples(call, splits)
    forest, weights = _new_forest(call, splits, dtype)
    targets = call.attribute("n_targets", 1)
    result = _aggregate(call, x, forest, weights, targets, _AGGREGATIONS[how])
    return scoring.transform(call, result, scoring.TRANSFORMS[transform]).cast_like(original)


@composes(DOMAIN, "TreeEnsembleRegressor")
def tree_ensemble_regressor(call: Call) -> Value:
    """The scores that the leaves and base values add up to."""
    how = call.attribute("aggregate_function", "SUM")
    if how not in _AGGREGATIONS:
        raise call.fail(f"has the aggregate_function '{how}', which the standard doesn't know")
    transform = scoring.post_transform(call)
    values, base = numbers(call, "nodes_values"), numbers(call, "base_values")
    x, dtype = _samples(call, values)
    forest, weights = _old_forest(call, values, "target", dtype)
    targets = call.attribute("n_targets", 1)
    if targets == 1:
        weights = _first_of_each_leaf(weights)
    result = _aggregate(call, x, forest, weights, targets, how)
    result = _add_base(call, result, base, targets, dtype)
    return scoring.transform(call, result, transform).cast(TensorProto.FLOAT)


def _add_base(
    call: Call, result: Value, base: np.ndarray, targets: int, dtype: type[np.floating]
) -> Value:
    if base.size == 0:
        return result
    if base.size not in (1, targets):
        raise call.fail(f"has {base.size} base values for {targets} scores")
    return result + call.constant(base.astype(dtype))


@composes(DOMAIN, "TreeEnsembleClassifier")
def tree_ensemble_classifier(call: Call) -> list[Value]:
    """The label with the highest score, and the scores."""
    labels = class_labels(call, "classlabels_int64s")
    transform = scoring.post_transform(call)
    values, base = numbers(call, "nodes_values"), numbers(call, "base_values")
    x, dtype = _samples(call, values)
    forest, weights = _old_forest(call, values, "class", dtype)
    if labels.size == 0:
        raise call.fail("has no class labels")
    ids = np.unique(weights.target)
    if labels.size > 2 or ids.size > 1:
        result = _aggregate(call, x, forest, weights, labels.size, "SUM")
        result = _add_base(call, result, base, labels.size, dtype)
        places = scoring.arg_max(result)
        result = scoring.transform(call, result, transform)
        return [pick_labels(call, places, labels), scoring.as_float_output(result)]
    if labels.size == 1:
        labels = np.array([0, labels[0]], dtype=np.int64)
    # Two classes with the score of one.
    weights = _first_of_each_leaf(replace(weights, target=np.zeros_like(weights.target)))
    score = _aggregate(call, x, forest, weights, 1, "SUM")
    score = _add_base(call, score, base[-1:], 1, dtype)
    is_probability = bool(np.all(weights.weight >= 0))
    is_second = score > (0.5 if is_probability else 0)
    places = is_second.cast(TensorProto.INT64).squeeze(1)
    # As ONNX Runtime does it: SOFTMAX leaves two scores that come from one alone.
    is_whole = is_probability and base.size != 2 and transform != "LOGISTIC"
    name = transform if transform in ("LOGISTIC", "PROBIT") else "NONE"
    result = scoring.two_scores(call, score, name, is_probability=is_whole)
    return [pick_labels(call, places, labels), scoring.as_float_output(result)]
