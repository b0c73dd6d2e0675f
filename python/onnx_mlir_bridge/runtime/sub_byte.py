"""Elements of less than a byte, as NumPy and as compiled code keep them: one a byte in both.

ml_dtypes ignores the bits above an integer's. Compiled code has integers sign- or zero-extended
there and zeros above the code of a float: see convert-onnx-to-linalg in docs/passes.md.
"""

from __future__ import annotations

import numpy as np

_BITS = {
    "int2": 2,
    "uint2": 2,
    "int4": 4,
    "uint4": 4,
    "float4e2m1": 4,
    "float6e2m3": 6,
    "float6e3m2": 6,
}


def is_sub_byte(element: str) -> bool:
    """Whether an ONNX element type, given by ONNX's name of it, has less than 8 bits."""
    return element in _BITS


def to_compiled(array: np.ndarray, element: str) -> np.ndarray:
    """The bytes that compiled code takes for an array of a sub-byte type."""
    unused = 8 - _BITS[element]
    shifted = array.view(np.uint8) << unused
    if element.startswith("int"):
        return (shifted.view(np.int8) >> unused).view(np.uint8)
    return shifted >> unused


def from_compiled(values: np.ndarray, element: str) -> np.ndarray:
    """The bytes of an array of ml_dtypes', with zeros in the bits that it ignores."""
    return values & ((1 << _BITS[element]) - 1)
