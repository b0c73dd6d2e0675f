"""Matrix products of com.microsoft.

Operators: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.registry import composes


def _transposed(call: Call, index: int, x: Value, matrix: int, batch: int) -> Value:
    """An operand with its last two dimensions swapped, or its first one behind the batch."""
    if not (matrix or batch):
        return x
    rank = call.rank(index)
    if rank < 2:
        return x
    order = list(range(rank))
    if batch and rank > 2:
        order = [*order[1:-1], order[0], order[-1]]
    if matrix:
        order[-1], order[-2] = order[-2], order[-1]
    return x.transpose(*order)


@composes("com.microsoft", "FusedMatMul TransposeMatMul")
def fused_matmul(call: Call) -> Value:
    """alpha * A' @ B'."""
    a, b = call.operands("A B")
    a = _transposed(call, 0, a, call.attribute("transA", 0), call.attribute("transBatchA", 0))
    b = _transposed(call, 1, b, call.attribute("transB", 0), call.attribute("transBatchB", 0))
    alpha = call.attribute("alpha", 1.0)
    return a @ b if alpha == 1.0 else (a @ b) * alpha


_PACKED = {2: TensorProto.UINT2, 4: TensorProto.UINT4, 8: TensorProto.UINT8}


def _unpacked(call: Call, packed: Value, bits: int, count: int) -> Value:
    """[rows, bytes] of packed numbers, lowest bits first, as [rows, count] bytes."""
    if bits == 8:
        return packed.slice(-1, 0, count)
    parts = []
    mask = call.constant(np.array(2**bits - 1, dtype=np.uint8))
    for shift in range(0, 8, bits):
        amount = call.constant(np.array(shift, dtype=np.uint8))
        shifted = packed.op("BitShift", amount, direction="RIGHT") if shift else packed
        parts.append(shifted.op("BitwiseAnd", mask).unsqueeze(-1))
    joined = call.concat(-1, *parts)
    joined.element = TensorProto.UINT8
    return joined.reshape(0, -1).slice(-1, 0, count)


def _unpacked_constant(array: np.ndarray, bits: int, count: int) -> np.ndarray:
    """_unpacked(), of a constant."""
    if bits == 8:
        return array[:, :count]
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    mask = np.uint8(2**bits - 1)
    return ((array[..., None] >> shifts) & mask).reshape(len(array), -1)[:, :count]


def _narrow(call: Call, rows: np.ndarray, bits: int) -> Value:
    """Small unsigned numbers as a constant of `bits` bits an element."""
    dtype = helper.tensor_dtype_to_np_dtype(_PACKED[bits])
    return call.constant(rows.astype(dtype))


@composes("com.microsoft", "MatMulNBits")
def matmul_nbits(call: Call) -> Value:
    """A @ B', where every block of a row of B has a scale and a zero point of its own."""
    a, b, scales, zeros, g_idx, bias = call.operands("A B scales zero_points? g_idx? bias?")
    n, k = call.required("N"), call.required("K")
    size, bits = call.required("block_size"), call.attribute("bits", 4)
    call.ignore("accuracy_level")
    if call.attribute("weight_prepacked", 0):
        raise call.fail("has prepacked weights, whose layout is that of one kind of GPU")
    if bits not in _PACKED:
        raise call.fail(f"has weights of {bits} bits; 2, 4 and 8 are supported")
    if g_idx is not None:
        raise call.fail("has a g_idx, an input that is deprecated and not supported")
    if 0 in call.shape(1):
        raise call.fail("has no weights")
    blocks = -(-k // size)
    weights = _block_weights(call, b, n, blocks * size, bits)
    scale = scales.op("Reshape", call.ints([n, blocks]))
    zero = _block_zeros(call, zeros, n, blocks, bits, scale)
    if zero.element in _PACKED.values():
        wide = weights.op("DequantizeLinear", scale, zero, axis=1, block_size=size)
    else:
        # Zero points that are no integers.
        plain = call.scalar(1, a)
        raw = weights.op("DequantizeLinear", plain).op("Reshape", call.ints([n, blocks, size]))
        raw.element = a.element
        wide = (raw - zero.unsqueeze(-1)) * scale.unsqueeze(-1)
        wide = wide.op("Reshape", call.ints([n, blocks * size]))
    if blocks * size != k:
        wide = wide.slice(1, 0, k)
    result = a @ wide.transpose(1, 0)
    return result if bias is None else result + bias


def _block_weights(call: Call, b: Value, n: int, columns: int, bits: int) -> Value:
    """The weights, [n, columns], of the narrow type where they are constant."""
    known = call.array(1)
    if known is not None:
        rows = known.reshape(n, -1)
        return _narrow(call, _unpacked_constant(rows, bits, columns), bits)
    rows = _unpacked(call, b.op("Reshape", call.ints([n, -1])), bits, columns)
    return rows if bits == 8 else rows.cast(_PACKED[bits])


def _block_zeros(
    call: Call, zeros: Value | None, n: int, blocks: int, bits: int, scale: Value
) -> Value:
    """The zero points, [n, blocks]: of the weights' type, or of the scales' if they came so."""
    if zeros is None:
        return _narrow(call, np.full((n, blocks), 2 ** (bits - 1), dtype=np.uint8), bits)
    if zeros.element is None:
        raise call.fail("has zero_points of an unknown type")
    if zeros.element != TensorProto.UINT8:
        return zeros.op("Reshape", call.ints([n, blocks]))
    known = call.array(3)
    if known is not None:
        return _narrow(call, _unpacked_constant(known.reshape(n, -1), bits, blocks), bits)
    rows = _unpacked(call, zeros.op("Reshape", call.ints([n, -1])), bits, blocks)
    return rows if bits == 8 else rows.cast(_PACKED[bits])
