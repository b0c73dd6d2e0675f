"""Which weights are the smallest: single ones, those of blocks, or some of each few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnx_mlir_bridge.pruner.options import Pattern


def scores(matrix: np.ndarray, pattern: Pattern) -> np.ndarray:
    """How large the weights of each block of a matrix are: the root of their mean square.

    A block at the border may be smaller. What isn't a number counts as the largest.
    """
    magnitudes = np.abs(matrix)
    if (pattern.rows, pattern.columns) != (1, 1):
        row_starts = np.arange(0, matrix.shape[0], pattern.rows)
        column_starts = np.arange(0, matrix.shape[1], pattern.columns)
        squares = np.add.reduceat(np.square(magnitudes, dtype=np.float64), row_starts, axis=0)
        squares = np.add.reduceat(squares, column_starts, axis=1)
        heights = np.diff([*row_starts, matrix.shape[0]])
        widths = np.diff([*column_starts, matrix.shape[1]])
        magnitudes = np.sqrt(squares / np.outer(heights, widths)).astype(np.float32)
    return np.nan_to_num(magnitudes, nan=np.inf, posinf=np.inf)


def smallest(all_scores: Sequence[np.ndarray], sparsity: float) -> list[np.ndarray]:
    """Which of these scores, taken together, are the smallest: a share of `sparsity`, rounded."""
    flat = np.concatenate([each.reshape(-1) for each in all_scores])
    count = round(sparsity * flat.size)
    chosen = np.zeros(flat.size, dtype=bool)
    if count:
        chosen[np.argpartition(flat, count - 1)[:count]] = True
    parts = np.split(chosen, np.cumsum([each.size for each in all_scores])[:-1])
    return [part.reshape(each.shape) for part, each in zip(parts, all_scores, strict=True)]


def of_weights(blocks: np.ndarray, shape: tuple[int, ...], pattern: Pattern) -> np.ndarray:
    """The weights of a matrix of `shape` in these blocks."""
    rows = np.repeat(blocks, pattern.rows, axis=0)[: shape[0]]
    return np.repeat(rows, pattern.columns, axis=1)[:, : shape[1]]


def beyond_kept(matrix: np.ndarray, pattern: Pattern) -> np.ndarray:
    """The weights that aren't among the `kept` largest of each `among` rows that follow each other.

    A rest of rows has as many zeros as it would have in whole groups, rounded down.
    """
    zeros = np.zeros(matrix.shape, dtype=bool)
    magnitudes = np.nan_to_num(np.abs(matrix), nan=np.inf, posinf=np.inf)
    dropped = pattern.among - pattern.kept
    whole = len(matrix) // pattern.among * pattern.among
    groups = magnitudes[:whole].reshape(-1, pattern.among, matrix.shape[1])
    order = np.argsort(groups, axis=1, kind="stable")[:, :dropped]
    chosen = np.zeros(groups.shape, dtype=bool)
    np.put_along_axis(chosen, order, True, axis=1)
    zeros[:whole] = chosen.reshape(whole, matrix.shape[1])
    rest = len(matrix) - whole
    if left := rest * dropped // pattern.among:
        order = np.argsort(magnitudes[whole:], axis=0, kind="stable")[:left]
        np.put_along_axis(zeros[whole:], order, True, axis=0)
    return zeros
