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


# The element types of numbers of so many bits.
_CODES = {2: TensorProto.UINT2, 4: TensorProto.UINT4, 8: TensorProto.UINT8}


def _unpacked(call: Call, packed: Value, bits: int, count: int) -> Value:
    """[rows, bytes] of packed numbers, lowest bits first, as [rows, count] bytes."""
    if bits < 8:
        shifts = call.constant(np.arange(0, 8, bits, dtype=np.uint8))
        mask = call.constant(np.array(2**bits - 1, dtype=np.uint8))
        wide = packed.unsqueeze(-1).op("BitShift", shifts, direction="RIGHT")
        packed = wide.op("BitwiseAnd", mask).reshape(0, -1)
    return packed.slice(1, 0, count)


@composes("com.microsoft", "MatMulNBits")
def matmul_nbits(call: Call) -> Value:
    """A @ B', where every block of a row of B has a scale and a zero point of its own."""
    a, b, scales, zeros, g_idx, bias = call.operands("A B scales zero_points? g_idx? bias?")
    n, k = call.required("N"), call.required("K")
    size, bits = call.required("block_size"), call.attribute("bits", 4)
    call.ignore("accuracy_level")
    if call.attribute("weight_prepacked", 0):
        raise call.fail("has prepacked weights, whose layout is that of one kind of GPU")
    if bits not in (2, 4, 8):
        raise call.fail(f"has weights of {bits} bits; 2, 4 and 8 are supported")
    if g_idx is not None:
        raise call.fail("has a g_idx, an input that is deprecated and not supported")
    if min(n, k, size) < 1 or size * bits % 8:
        raise call.fail(
            f"has N {n}, K {k} and block_size {size}; "
            "they are at least 1, and a block is whole bytes"
        )
    if 0 in call.shape(1):
        raise call.fail("has no weights")
    blocks = -(-k // size)
    weights = _codes(call, 1, b, bits, (n, blocks * size))
    known = call.array(2)
    if known is not None and known.size != n * blocks:
        raise call.fail(f"has {known.size} scales; {n} rows of {blocks} blocks have {n * blocks}")
    scale = scales.op("Reshape", call.ints([n, blocks]))
    if zeros is None or zeros.element == TensorProto.UINT8:
        zero = _zero_points(call, zeros, bits, (n, blocks), weights.element)
        wide = weights.op("DequantizeLinear", scale, zero, axis=1, block_size=size)
    elif zeros.element is None:
        raise call.fail("has zero_points of an unknown type")
    else:
        # Zero points that are no integers.
        numbers = weights.cast_like(a).op("Reshape", call.ints([n, blocks, size]))
        offsets = zeros.op("Reshape", call.ints([n, blocks, 1]))
        wide = (numbers - offsets) * scale.unsqueeze(-1)
        wide = wide.op("Reshape", call.ints([n, blocks * size]))
    if blocks * size != k:
        wide = wide.slice(1, 0, k)
    result = a @ wide.transpose(1, 0)
    return result if bias is None else result + bias


def _codes(call: Call, index: int, packed: Value, bits: int, shape: tuple[int, int]) -> Value:
    """Operand `index`, numbers packed lowest bits first, as a matrix of this shape.

    Constants are of a type of so many bits; others are bytes, since IREE has no code for narrower
    elements of odd counts.
    """
    rows, count = shape
    known = call.array(index)
    if known is None:
        found = _unpacked(call, packed.op("Reshape", call.ints([rows, -1])), bits, count)
        found.element = TensorProto.UINT8
        return found
    if known.dtype != np.uint8 or known.size != rows * -(-count * bits // 8):
        raise call.fail(
            f"has {known.size} numbers of {known.dtype} as input {index}; "
            f"its attributes ask for {rows} times {count} numbers of {bits} bits in uint8"
        )
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    numbers = (known.reshape(rows, -1, 1) >> shifts) & np.uint8(2**bits - 1)
    dtype = helper.tensor_dtype_to_np_dtype(_CODES[bits])
    return call.constant(np.ascontiguousarray(numbers.reshape(rows, -1)[:, :count]).astype(dtype))


def _zero_points(
    call: Call, zeros: Value | None, bits: int, shape: tuple[int, int], element: int | None
) -> Value:
    """One number of the type `element` a block: the middle of the range by default."""
    assert element is not None
    if zeros is None:
        dtype = helper.tensor_dtype_to_np_dtype(element)
        return call.constant(np.full(shape, 2 ** (bits - 1), dtype=np.uint8).astype(dtype))
    found = _codes(call, 3, zeros, bits, shape)
    return found if found.element == element else found.op("Cast", to=element)
