"""Sequences and optionals at a session's boundary, as the tensors that compiled code has for them.

A sequence is all values of its tensors, one after the other, and a matrix of their shapes; an
optional is a boolean, followed by what the value is. See dialect/transforms/RaggedSequence.h.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime.signature import TensorInfo

Value: TypeAlias = "np.ndarray | list[np.ndarray] | dict | list[dict] | None"
"""What a session takes and gives: an array, a list of them (a sequence), None (an absent one).

Dicts are maps, which only the host has.
"""


def parts(info: TensorInfo) -> list[TensorInfo]:
    """The tensors that compiled code takes or gives for an input or output."""
    tensors = []
    if info.is_optional:
        tensors.append(TensorInfo(info.name, "bool", ()))
    if info.is_sequence:
        tensors.append(TensorInfo(info.name, info.element, (None,)))
        tensors.append(TensorInfo(info.name, "int64", (None, len(info.dims))))
    else:
        tensors.append(replace(info, containers=()))
    return tensors


def pack(info: TensorInfo, value: Value) -> list[np.ndarray]:
    """The arrays for parts(info); `value` is checked already."""
    arrays: list[np.ndarray] = []
    if info.is_optional:
        arrays.append(np.array(value is not None))
    if info.is_sequence:
        tensors = value if isinstance(value, list) else []
        flat = [tensor.reshape(-1) for tensor in tensors]
        arrays.append(np.concatenate(flat) if flat else np.empty(0, info.dtype))
        shapes = np.array([tensor.shape for tensor in tensors], np.int64)
        arrays.append(shapes.reshape(len(tensors), len(info.dims)))
    elif value is None:
        sizes = tuple(dim if isinstance(dim, int) else 0 for dim in info.dims)
        arrays.append(np.zeros(sizes, info.dtype))
    else:
        assert isinstance(value, np.ndarray)
        arrays.append(value)
    return arrays


def unpack(info: TensorInfo, arrays: Sequence[np.ndarray]) -> Value:
    """The value that the arrays of parts(info) stand for."""
    if info.is_optional:
        present, *arrays = arrays
        if not present:
            return None
    if not info.is_sequence:
        return arrays[0]
    values, shapes = arrays
    tensors, begin = [], 0
    for shape in shapes.tolist():
        size = math.prod(shape)
        if begin + size > values.size:
            raise OmbError(f"the output '{info.name}' has less values than its shapes say")
        tensors.append(values[begin : begin + size].reshape(shape).copy())
        begin += size
    return tensors
