"""Operators on features: ArrayFeatureExtractor, Binarizer, FeatureVectorizer, Imputer,
Normalizer, Scaler."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.machine_learning.inputs import (
    DOMAIN,
    array_type,
    as_float,
    floats,
    integers,
)
from onnx_mlir_bridge.importer.compositions.registry import composes


def _refuse_strings(call: Call, x: Value) -> None:
    if x.element == TensorProto.STRING:
        raise call.fail("has an input of strings; only numbers are supported")


@composes(DOMAIN, "ArrayFeatureExtractor")
def array_feature_extractor(call: Call) -> Value:
    """Some elements of the last dimension. Of a vector, they become a row."""
    x, indices = call.operands("X Y")
    _refuse_strings(call, x)
    picked = x.op("Gather", indices.reshape(-1), axis=-1)
    return picked.unsqueeze(0) if call.rank(0) == 1 else picked


@composes(DOMAIN, "Binarizer")
def binarizer(call: Call) -> Value:
    """1 where an element is above the threshold, else 0."""
    (x,) = call.operands("X")
    threshold = call.attribute("threshold", 0.0)
    return (as_float(x) > threshold).op("CastLike", x)


@composes(DOMAIN, "Scaler")
def scaler(call: Call) -> Value:
    """(x - offset) * scale, with an offset and a scale for each feature or for all."""
    x = as_float(call.operands("X")[0])
    dtype = array_type(x)
    for name, change in (("offset", Value.__sub__), ("scale", Value.__mul__)):
        values = floats(call, name)
        if values.size:
            x = change(x, call.constant(values.astype(dtype)))
    return x.cast(TensorProto.FLOAT)


@composes(DOMAIN, "Normalizer")
def normalizer(call: Call) -> Value:
    """Each row divided by its norm; a row of zeros stays as it is."""
    x = as_float(call.operands("X")[0])
    norm = call.attribute("norm", "MAX")
    axes = call.ints([-1])
    if norm == "MAX":
        divisor = x.op("ReduceMax", axes, keepdims=1)
    elif norm == "L1":
        divisor = x.op("Abs").op("ReduceSum", axes, keepdims=1)
    elif norm == "L2":
        divisor = (x * x).op("ReduceSum", axes, keepdims=1).op("Sqrt")
    else:
        raise call.fail(f"has the norm '{norm}'; there are MAX, L1 and L2")
    divisor = call.scalar(1, divisor).where(divisor.equal(0), divisor)
    return (x / divisor).cast(TensorProto.FLOAT)


@composes(DOMAIN, "Imputer")
def imputer(call: Call) -> Value:
    """One value, or NaN, replaced by another one for each feature or for all."""
    (x,) = call.operands("X")
    reals, whole = floats(call, "imputed_value_floats"), integers(call, "imputed_value_int64s")
    replaced_real = call.attribute("replaced_value_float", 0.0)
    replaced_whole = call.attribute("replaced_value_int64", 0)
    is_real = x.element in (TensorProto.FLOAT, TensorProto.DOUBLE)
    values, replaced = (reals, replaced_real) if is_real else (whole, replaced_whole)
    if values.size == 0:
        name = "imputed_value_floats" if is_real else "imputed_value_int64s"
        raise call.fail(f"needs the attribute '{name}'")
    assert x.element is not None
    dtype = array_type(x) if is_real else np.int64
    if x.element == TensorProto.INT32:
        dtype = np.int32
    is_missing = x.op("IsNaN") if is_real and np.isnan(replaced) else x.equal(replaced)
    return call.constant(values.astype(dtype)).where(is_missing, x)


@composes(DOMAIN, "FeatureVectorizer")
def feature_vectorizer(call: Call) -> Value:
    """The inputs' columns beside each other, each cut or filled up with 0 to its dimension."""
    inputs = call.operands("X*")
    widths = call.attribute("inputdimensions", [])
    if len(widths) != len(inputs):
        raise call.fail(f"has {len(inputs)} inputs and dimensions for {len(widths)}")
    parts = []
    for index, (x, width) in enumerate(zip(inputs, widths, strict=True)):
        x = x.cast(TensorProto.FLOAT)
        if call.rank(index) == 1:
            x = x.unsqueeze(1)
        elif call.rank(index) != 2:
            raise call.fail("takes vectors and matrices")
        filled = x.op("Pad", call.ints([0, 0, 0, width]))
        parts.append(filled.slice(1, 0, width))
    return call.concat(1, *parts)
