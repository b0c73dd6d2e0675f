"""Operators that replace numbers by others: LabelEncoder, OneHotEncoder; and what needs strings."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.machine_learning.inputs import (
    DOMAIN,
    floats,
    integers,
    tensor,
)
from onnx_mlir_bridge.importer.compositions.registry import composes


def _lookup(call: Call, x: Value, keys: np.ndarray) -> tuple[Value, Value]:
    """Where each element is among the keys, which are sorted, and whether it is there."""
    table = call.constant(keys)
    place = call.constant(np.zeros((), dtype=np.int64))
    # Bisection: `place` keys are below the element.
    bit = 1 << max(int(keys.size).bit_length() - 1, 0)
    while bit:
        probe = place + bit
        last = probe.op("Min", call.scalar(keys.size, TensorProto.INT64)) - 1
        is_below = table.op("Gather", last) < x
        is_inside = probe <= keys.size
        place = probe.where(is_below & is_inside, place)
        bit >>= 1
    place = place.op("Min", call.scalar(keys.size - 1, TensorProto.INT64))
    return place, table.op("Gather", place).equal(x)


def _pairs(call: Call, prefix: str) -> np.ndarray | None:
    """The keys or values of a LabelEncoder; OmbError for strings."""
    found = tensor(call, f"{prefix}_tensor")
    if call.attribute(f"{prefix}_strings", []) or (found is not None and found.dtype.kind in "OSU"):
        raise call.fail(f"has {prefix} that are strings; only numbers are supported")
    reals, whole = floats(call, f"{prefix}_floats"), integers(call, f"{prefix}_int64s")
    if found is not None:
        return found.reshape(-1)
    if reals.size:
        return reals
    return whole if whole.size else None


@composes(DOMAIN, "LabelEncoder")
def label_encoder(call: Call) -> Value:
    """Each element replaced by the value that belongs to it, or by the default."""
    (x,) = call.operands("X")
    if x.element == TensorProto.STRING:
        raise call.fail("has an input of strings; only numbers are supported")
    keys, values = _pairs(call, "keys"), _pairs(call, "values")
    default = tensor(call, "default_tensor")
    plain = {
        "f": call.attribute("default_float", -0.0),
        "i": call.attribute("default_int64", -1),
    }
    call.ignore("default_string")
    if keys is None or values is None or keys.size != values.size:
        raise call.fail("has keys without values, or values without keys")
    if default is None:
        default = np.array(plain["f" if values.dtype.kind == "f" else "i"])
    other = call.constant(default.astype(values.dtype).reshape(()))
    # Of equal keys, the first one counts.
    is_nan = np.isnan(keys) if keys.dtype.kind == "f" else np.zeros(keys.shape, dtype=bool)
    known, first = np.unique(keys[~is_nan], return_index=True)
    result = other
    if known.size:
        place, is_found = _lookup(call, x, known)
        result = call.constant(values[~is_nan][first]).op("Gather", place).where(is_found, other)
    if is_nan.any():
        replacement = call.constant(values[is_nan][0].reshape(()))
        result = replacement.where(x.op("IsNaN"), result)
    elif not known.size:
        result = other.op("Expand", x.shape())
    result.element = helper.np_dtype_to_tensor_dtype(values.dtype)
    return result


@composes(DOMAIN, "OneHotEncoder")
def one_hot_encoder(call: Call) -> Value:
    """A last dimension with a 1 at the place of the element's category."""
    (x,) = call.operands("X")
    categories = integers(call, "cats_int64s")
    if x.element == TensorProto.STRING or call.attribute("cats_strings", []):
        raise call.fail("has categories that are strings; only integers are supported")
    # An element of no category becomes zeros, whatever `zeros` says: a run isn't stopped for it.
    call.ignore("zeros")
    if x.element in (TensorProto.FLOAT, TensorProto.DOUBLE):
        x = x.cast(TensorProto.INT64)
    names = call.constant(categories.astype(np.int64))
    return x.cast(TensorProto.INT64).unsqueeze(-1).equal(names).cast(TensorProto.FLOAT)


@composes(DOMAIN, "CategoryMapper DictVectorizer CastMap")
def not_of_numbers(call: Call) -> Value:
    """Operators between strings or maps and numbers."""
    raise call.fail("works on strings or maps; only tensors of numbers are supported")


@composes(DOMAIN, "ZipMap")
def zip_map(call: Call) -> Value:
    """Gives a sequence of maps, which no compiled model has."""
    raise call.fail(
        "gives a sequence of maps, which isn't supported; convert the model without it "
        "(skl2onnx: options={'zipmap': False})"
    )
