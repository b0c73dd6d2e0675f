"""What becomes of the scores of classifiers and regressors: the attribute post_transform."""

from __future__ import annotations

import math

import numpy as np
from onnx import TensorProto

from onnx_mlir_bridge.importer.compositions.body import Call, Value

TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
"""By TreeEnsemble's numbers."""

_ERF_INV = 0.147
_SMALL = 1e-7


def post_transform(call: Call) -> str:
    """The attribute, checked."""
    name = call.attribute("post_transform", "NONE")
    if name not in TRANSFORMS:
        raise call.fail(f"has the post_transform '{name}', which the standard doesn't know")
    return name


def transform(call: Call, scores: Value, name: str) -> Value:
    """The scores, one row a sample, transformed."""
    if name == "LOGISTIC":
        return scores.op("Sigmoid")
    if name == "SOFTMAX":
        return scores.op("Softmax", axis=-1)
    if name == "SOFTMAX_ZERO":
        return _softmax_zero(call, scores)
    if name == "PROBIT":
        return _probit(scores)
    return scores


def _softmax_zero(call: Call, scores: Value) -> Value:
    """A softmax in which scores of 0 stay 0."""
    highest = scores.op("ReduceMax", call.ints([-1]), keepdims=1)
    is_zero = scores.op("Abs") <= _SMALL
    small = scores * (-highest).op("Exp")
    powers = small.where(is_zero, (scores - highest).op("Exp"))
    total = powers.sum(-1)
    # Exact zeros divided by their sum would be NaN.
    half = call.scalar(0.5, scores)
    return half.where(total.equal(0), powers / total)


def _probit(x: Value) -> Value:
    """The inverse of the normal distribution, by an approximation of erf's inverse."""
    x = x * 2 - 1
    distance = (1 - x) * (1 + x)
    log = distance.op("Log")
    half = log * 0.5 + 2 / (math.pi * _ERF_INV)
    inner = (half * half - log * (1 / _ERF_INV)).op("Sqrt") - half
    root = inner.op("Sqrt")
    signed = (-root).where(x < 0, root) * np.sqrt(2.0).item()
    return (x * 0).where(distance.equal(0), signed)


def two_scores(call: Call, score: Value, name: str, *, is_probability: bool) -> Value:
    """The scores of two classes from that of the second, transformed; `score` is one column."""
    if name == "PROBIT":
        return transform(call, score, name)
    if is_probability:
        return call.concat(1, 1 - score, score)
    return transform(call, call.concat(1, -score, score), name)


def arg_max(scores: Value) -> Value:
    """The place of the highest score of each row."""
    places = scores.op("ArgMax", axis=1, keepdims=0)
    places.element = TensorProto.INT64
    return places


def as_float_output(scores: Value) -> Value:
    """Scores are floats, whatever they are computed in."""
    return scores.cast(TensorProto.FLOAT)
