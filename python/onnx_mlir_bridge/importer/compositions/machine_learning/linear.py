"""LinearClassifier, LinearRegressor."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer.compositions.body import Call, UnsupportedError, Value
from onnx_mlir_bridge.importer.compositions.machine_learning import scores as scoring
from onnx_mlir_bridge.importer.compositions.machine_learning.inputs import (
    DOMAIN,
    array_type,
    as_float,
    class_labels,
    floats,
    matrix,
    pick_labels,
)
from onnx_mlir_bridge.importer.compositions.registry import composes


def _scores(call: Call, x: Value, rows: int) -> Value:
    """The products of each sample with `rows` rows of coefficients, and the intercepts."""
    coefficients, intercepts = floats(call, "coefficients"), floats(call, "intercepts")
    if rows < 1 or coefficients.size == 0 or coefficients.size % rows:
        raise call.fail(f"has {coefficients.size} coefficients for {rows} rows of scores")
    if intercepts.size not in (0, 1, rows):
        raise call.fail(f"has {intercepts.size} intercepts for {rows} scores")
    dtype = array_type(x)
    weights = np.ascontiguousarray(coefficients.reshape(rows, -1).T).astype(dtype)
    result = x @ call.constant(weights)
    if intercepts.size:
        result = result + call.constant(intercepts.astype(dtype))
    return result


@composes(DOMAIN, "LinearRegressor")
def linear_regressor(call: Call) -> Value:
    """One score for each target."""
    x = as_float(matrix(call, call.operands("X")[0]))
    result = _scores(call, x, call.attribute("targets", 1))
    return scoring.transform(call, result, scoring.post_transform(call)).cast(TensorProto.FLOAT)


def _rows_without_intercepts(call: Call, classes: int) -> int:
    """How many scores there are, where only the coefficients tell."""
    if classes < 2:
        return 1
    if classes > 2:
        return classes
    features = call.shape(0)[-1]
    if features is None:
        raise UnsupportedError(
            graphs.describe_node(call.node),
            "has two classes, no intercepts, and an input with an unknown number of features; "
            "declare their number",
        )
    return floats(call, "coefficients").size // max(features, 1)


@composes(DOMAIN, "LinearClassifier")
def linear_classifier(call: Call) -> list[Value]:
    """The label with the highest score, and the scores."""
    x = as_float(matrix(call, call.operands("X")[0]))
    call.ignore("multi_class")
    labels = class_labels(call, "classlabels_ints")
    name = scoring.post_transform(call)
    rows = floats(call, "intercepts").size or _rows_without_intercepts(call, labels.size)
    result = _scores(call, x, rows)
    if rows > 1:
        result = scoring.transform(call, result, name)
        places = scoring.arg_max(result)
    elif labels.size == 2:
        places = (result > 0).cast(TensorProto.INT64).squeeze(1)
        result = scoring.two_scores(call, result, name, is_probability=False)
    else:
        # One class: a sample is of it or not.
        places = (result > 0).cast(TensorProto.INT64).squeeze(1)
        labels = np.array([0, labels[0] if labels.size else 1], dtype=np.int64)
        result = scoring.transform(call, result, name)
    return [pick_labels(call, places, labels), scoring.as_float_output(result)]
