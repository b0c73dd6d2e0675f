"""SVMClassifier, SVMRegressor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.machine_learning import scores as scoring
from onnx_mlir_bridge.importer.compositions.machine_learning.inputs import (
    DOMAIN,
    class_labels,
    floats,
    integers,
    matrix,
    pick_labels,
    repeat,
)
from onnx_mlir_bridge.importer.compositions.registry import composes

_ITERATIONS = 100
_PROBABILITY_MARGIN = 1e-7


def _kernel(call: Call, x: Value, vectors: np.ndarray, name: str) -> Value:
    """How similar each sample is to each vector: samples x vectors."""
    parameters = floats(call, "kernel_params")
    if parameters.size not in (0, 3):
        raise call.fail(f"has {parameters.size} kernel_params; there are gamma, coef0 and degree")
    gamma, offset, degree = (float(p) for p in (parameters if parameters.size else np.zeros(3)))
    if name == "RBF":
        differences = x.unsqueeze(1) - call.constant(vectors)
        squares = (differences * differences).sum(2, keepdims=False)
        return (squares * -gamma).op("Exp")
    product = x @ call.constant(np.ascontiguousarray(vectors.T))
    if name == "LINEAR":
        return product
    if name == "POLY":
        return (product * gamma + offset) ** float(int(degree))
    if name == "SIGMOID":
        return (product * gamma + offset).op("Tanh")
    raise call.fail(f"has the kernel_type '{name}', which the standard doesn't know")


def _rows(call: Call, values: np.ndarray, rows: int, what: str) -> np.ndarray:
    if rows < 1 or values.size == 0 or values.size % rows:
        raise call.fail(f"has {values.size} {what} for {rows} rows")
    return values.reshape(rows, -1)


@composes(DOMAIN, "SVMRegressor")
def svm_regressor(call: Call) -> Value:
    """A sum over the support vectors; for one class, its sign."""
    x = matrix(call, call.operands("X")[0]).cast(TensorProto.FLOAT)
    coefficients, rho = floats(call, "coefficients"), floats(call, "rho")
    supports, kernel = call.attribute("n_supports", 0), call.attribute("kernel_type", "LINEAR")
    vectors = floats(call, "support_vectors")
    transform = scoring.post_transform(call)
    if rho.size < 1:
        raise call.fail("has no rho")
    if supports > 0:
        if coefficients.size != supports:
            raise call.fail(f"has {coefficients.size} coefficients for {supports} vectors")
        similar = _kernel(call, x, _rows(call, vectors, supports, "support_vectors"), kernel)
        score = similar @ call.constant(coefficients.reshape(-1, 1))
    else:
        score = _kernel(call, x, coefficients.reshape(1, -1), "LINEAR")
    score = score + float(rho[0])
    if call.attribute("one_class", 0):
        return call.scalar(1, score).where(score > 0, call.scalar(-1, score))
    return scoring.transform(call, score, transform)


@composes(DOMAIN, "SVMClassifier")
def svm_classifier(call: Call) -> list[Value]:
    """The label with most votes (or the highest score), and the scores or probabilities."""
    x = matrix(call, call.operands("X")[0]).cast(TensorProto.FLOAT)
    labels = class_labels(call, "classlabels_ints")
    transform = scoring.post_transform(call)
    coefficients, rho = floats(call, "coefficients"), floats(call, "rho")
    per_class, kernel = integers(call, "vectors_per_class"), call.attribute("kernel_type", "LINEAR")
    prob_a, prob_b = floats(call, "prob_a"), floats(call, "prob_b")
    vectors = floats(call, "support_vectors")
    classes = max(labels.size, 1)
    if rho.size < 1:
        raise call.fail("has no rho")
    if per_class.sum() == 0:
        rows = _rows(call, coefficients, classes, "coefficients")
        # The standard has one intercept here.
        result = votes = _kernel(call, x, rows, "LINEAR") + float(rho[0])
        has_probabilities = False
    else:
        similar = _kernel(
            call, x, _rows(call, vectors, int(per_class.sum()), "support_vectors"), kernel
        )
        result, votes = _vote(call, similar, coefficients, rho, per_class)
        has_probabilities = prob_a.size > 0
        if has_probabilities:
            result = _probabilities(call, result, prob_a, prob_b, classes)
    places = scoring.arg_max(votes)
    if rho.size == 1 and labels.size != 2:
        places = (votes.op("ReduceMax", call.ints([1]), keepdims=0) > 0).cast(TensorProto.INT64)
        return [places, scoring.transform(call, result, transform)]
    is_positive = bool(coefficients.size and coefficients.min() >= 0)
    if rho.size == 1 and labels.size == 2 and is_positive and not has_probabilities:
        highest = votes.op("ReduceMax", call.ints([1]), keepdims=0)
        places = call.scalar(1, places).where(highest >= 0.5, places)
    pairs = classes * (classes - 1) // 2
    if per_class.sum() and not has_probabilities and pairs == 1:
        return [
            pick_labels(call, places, labels),
            scoring.two_scores(call, result, transform, is_probability=transform != "NONE"),
        ]
    return [pick_labels(call, places, labels), scoring.transform(call, result, transform)]


def _class_pairs(classes: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(classes) for j in range(i + 1, classes)]


def _vote(
    call: Call, similar: Value, coefficients: np.ndarray, rho: np.ndarray, per_class: np.ndarray
) -> tuple[Value, Value]:
    """The scores of each pair of classes, and the votes for each class."""
    classes, vectors = per_class.size, int(per_class.sum())
    pairs = _class_pairs(classes)
    if rho.size != len(pairs):
        raise call.fail(f"has {rho.size} rho for {len(pairs)} pairs of classes")
    table = _rows(call, coefficients, classes - 1, "coefficients")
    if table.shape[1] != vectors:
        raise call.fail(f"has {coefficients.size} coefficients for {vectors} vectors")
    ends = np.cumsum(per_class)
    starts = ends - per_class
    weights = np.zeros((vectors, len(pairs)), dtype=np.float32)
    first = np.zeros((len(pairs), classes), dtype=np.float32)
    second = np.zeros((len(pairs), classes), dtype=np.float32)
    for place, (i, j) in enumerate(pairs):
        weights[starts[i] : ends[i], place] = table[j - 1, starts[i] : ends[i]]
        weights[starts[j] : ends[j], place] = table[i, starts[j] : ends[j]]
        first[place, i] = second[place, j] = 1
    scores = similar @ call.constant(weights) + call.constant(rho)
    wins = (scores > 0).cast(TensorProto.FLOAT)
    votes = wins @ call.constant(first) + (1 - wins) @ call.constant(second)
    return scores, votes


def _probabilities(
    call: Call, scores: Value, prob_a: np.ndarray, prob_b: np.ndarray, classes: int
) -> Value:
    """The classes' probabilities out of those of pairs: samples x classes.

    Wu, Lin and Weng: Probability estimates for multi-class classification by pairwise coupling.
    Each sample is iterated until its own error is small, as LIBSVM does.
    """
    pairs = _class_pairs(classes)
    if prob_a.size != len(pairs) or prob_b.size != len(pairs):
        raise call.fail(f"has {prob_a.size} prob_a for {len(pairs)} pairs of classes")
    low = call.scalar(_PROBABILITY_MARGIN, scores)
    high = call.scalar(1 - _PROBABILITY_MARGIN, scores)
    wins = 1 - (scores * call.constant(prob_a) + call.constant(prob_b)).op("Sigmoid")
    wins = wins.op("Clip", low, high)
    columns = wins.split(1, *([1] * len(pairs))) if len(pairs) > 1 else [wins]
    against = {}
    for (i, j), column in zip(pairs, columns, strict=True):
        against[i, j], against[j, i] = column, 1 - column
    q = _coupling(call, against, classes)
    return _solve(call, scores, q, classes)


def _coupling(call: Call, against: dict[tuple[int, int], Value], classes: int) -> Value:
    """The matrix whose quadratic form the probabilities minimize: samples x classes x classes."""
    rows = []
    for t in range(classes):
        row = []
        for j in range(classes):
            if t == j:
                squares = [against[k, t] * against[k, t] for k in range(classes) if k != t]
                total = squares[0]
                for square in squares[1:]:
                    total = total + square
                row.append(total)
            else:
                row.append(-(against[j, t] * against[t, j]))
        rows.append(call.concat(1, *row).unsqueeze(1))
    return call.concat(1, *rows)


def _solve(call: Call, scores: Value, q: Value, classes: int) -> Value:
    columns = [q.slice(1, t, t + 1).squeeze(1) for t in range(classes)]
    diagonal = [columns[t].slice(1, t, t + 1) for t in range(classes)]
    epsilon = 0.005 / classes
    even = call.constant(np.full((1, classes), 1 / classes, dtype=np.float32))
    start = even.expand(scores.size(0), classes)

    def step(states: Sequence[Value]) -> tuple[Value, Sequence[Value]]:
        (p,) = states
        qp = (q * p.unsqueeze(1)).sum(2, keepdims=False)
        pqp = (p * qp).sum(1)
        error = (qp - pqp).op("Abs").op("ReduceMax", call.ints([1]), keepdims=1)
        is_open = error >= epsilon
        new = p
        for t in range(classes):
            mine = qp.slice(1, t, t + 1)
            change = (pqp - mine) / diagonal[t]
            unit = np.zeros((1, classes), dtype=np.float32)
            unit[0, t] = 1
            scale = 1 + change
            new = (new + change * call.constant(unit)) / scale
            pqp = (pqp + change * (change * diagonal[t] + 2 * mine)) / (scale * scale)
            qp = (qp + change * columns[t]) / scale
        left = is_open.cast(TensorProto.INT32).op("ReduceMax", keepdims=0)
        return left > 0, [new.where(is_open, p)]

    return repeat(call, max(_ITERATIONS, classes), [start], step)[0]
