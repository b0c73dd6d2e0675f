"""Integers for constants: weights, biases, and the parameters of ranges."""

from __future__ import annotations

import math
from dataclasses import dataclass

import ml_dtypes
import numpy as np

from onnx_mlir_bridge.quantizer.observers import Range

_WEIGHT_LEVELS = 127
_BIAS_LEVELS = 2.0**30  # of 2^31: sums of products are added to the bias
_TINY = float(np.finfo(np.float32).tiny)

# By which parts of the largest number the scale of a block is tried, for the smallest error.
_BLOCK_FACTORS = (1.0, 0.96, 0.92, 0.88, 0.84, 0.8)


@dataclass(frozen=True)
class Parameters:
    """How a tensor is rounded: q = round(x / scale) + zero, saturated."""

    scale: np.float32
    zero: np.ndarray  # of rank 0, of the stored type


def activation_parameters(found: Range, kind: str) -> Parameters:
    """Scale and zero point of the 256 integers for a range; `kind`: "u8" or "i8"."""
    lowest = 0 if kind == "u8" else -128
    dtype = np.uint8 if kind == "u8" else np.int8
    scale = np.float32(max((found.high - found.low) / 255, _TINY))
    if found.high == found.low:
        scale = np.float32(1)
    zero = lowest + round(-found.low / float(scale))
    return Parameters(scale, np.asarray(min(max(zero, lowest), lowest + 255), dtype))


@dataclass(frozen=True)
class Weight:
    """Integers and their scale: one, or one for each index of `axis`. No zero point."""

    values: np.ndarray
    scale: np.ndarray
    axis: int | None


def quantize_weight(array: np.ndarray, axis: int | None, least: np.ndarray | None = None) -> Weight:
    """A weight as signed bytes, symmetric.

    `least`: scales that aren't fallen below, one for each channel or one for all.
    """
    others = None if axis is None else tuple(i for i in range(array.ndim) if i != axis)
    largest = np.abs(array.astype(np.float64)).max(axis=others)
    scale = largest / _WEIGHT_LEVELS
    if least is not None:
        scale = np.maximum(scale, least if axis is not None else least.max(initial=0.0))
    scale = np.where(scale > 0, np.maximum(scale, _TINY), 1.0).astype(np.float32)
    shape = [-1 if i == axis else 1 for i in range(array.ndim)]
    shaped = scale if axis is None else scale.reshape(shape)
    values = np.rint(array / shaped)
    values = np.clip(values, -_WEIGHT_LEVELS, _WEIGHT_LEVELS).astype(np.int8)
    return Weight(values, scale, axis)


def least_scales(bias: np.ndarray, input_scale: np.float32) -> np.ndarray:
    """The scales that the channels of a weight need, so that the bias fits into 32 bits."""
    return np.abs(bias.astype(np.float64)).reshape(-1) / (float(input_scale) * _BIAS_LEVELS)


def quantize_bias(
    bias: np.ndarray, input_scale: np.float32, weight_scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A bias as 32-bit integers, and its scale: that of the products."""
    scale = np.maximum(input_scale * weight_scale, _TINY).astype(np.float32)
    values = np.rint(bias.astype(np.float64).reshape(-1) / scale)
    limits = np.iinfo(np.int32)
    return np.clip(values, limits.min, limits.max).astype(np.int32), scale


@dataclass(frozen=True)
class Blocks:
    """Integers with a scale, and maybe a zero point, for each block along an axis."""

    values: np.ndarray
    scale: np.ndarray
    zero: np.ndarray | None


def block_type(bits: int, signed: bool) -> np.dtype:
    """The type of the integers."""
    if bits == 8:
        return np.dtype(np.int8 if signed else np.uint8)
    return np.dtype(ml_dtypes.int4 if signed else ml_dtypes.uint4)


def quantize_blocks(
    array: np.ndarray, axis: int, block: int, bits: int, *, symmetric: bool, signed: bool
) -> Blocks:
    """A weight in blocks of `block` elements along `axis`; the last one may be short.

    Each block takes the scale, of some, with the smallest error.
    """
    moved = np.moveaxis(array, axis, -1).astype(np.float32)
    length = moved.shape[-1]
    blocks = math.ceil(length / block)
    padded = np.zeros((*moved.shape[:-1], blocks * block), np.float32)
    padded[..., :length] = moved
    parts = padded.reshape(*moved.shape[:-1], blocks, block)
    lowest = -(1 << (bits - 1)) if signed else 0
    highest = lowest + (1 << bits) - 1
    values, scale, zero = _best_blocks(parts, lowest, highest, symmetric)
    values = values.reshape(padded.shape)[..., :length]
    dtype = block_type(bits, signed)
    has_zero = not symmetric or not signed

    def back(part: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.moveaxis(part, -1, axis))

    return Blocks(
        back(values).astype(np.int8 if signed else np.uint8).astype(dtype),
        back(scale).astype(np.float32),
        back(zero).astype(np.int8 if signed else np.uint8).astype(dtype) if has_zero else None,
    )


def _best_blocks(
    parts: np.ndarray, lowest: int, highest: int, symmetric: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Integers, scales and zero points (whole numbers, as floats) of blocks along the last axis."""
    low, high = np.minimum(parts.min(-1), 0), np.maximum(parts.max(-1), 0)
    least: np.ndarray | None = None
    for factor in _BLOCK_FACTORS:
        if symmetric:
            middle = (lowest + highest + 1) // 2
            scale = np.maximum(-low, high) * np.float32(factor) / (highest - middle)
            zero = np.full(scale.shape, middle, np.float32)
        else:
            scale = (high - low) * np.float32(factor) / (highest - lowest)
            scale = np.where(scale > 0, np.maximum(scale, _TINY), 1).astype(np.float32)
            zero = np.clip(np.rint(lowest - low * np.float32(factor) / scale), lowest, highest)
        scale = np.where(scale > 0, np.maximum(scale, _TINY), 1).astype(np.float32)
        values = np.rint(parts / scale[..., None]) + zero[..., None]
        values = np.clip(values, lowest, highest)
        error = (((values - zero[..., None]) * scale[..., None] - parts) ** 2).sum(-1)
        if least is None:
            least, best = error, (values, scale, zero)
            continue
        is_better = error < least
        least = np.where(is_better, error, least)
        best = (
            np.where(is_better[..., None], values, best[0]),
            np.where(is_better, scale, best[1]),
            np.where(is_better, zero, best[2]),
        )
    return best
