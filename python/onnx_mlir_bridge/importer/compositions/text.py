"""TfIdfVectorizer, of integers. onnx's type inference has checked ranks and indices.

Where the standard leaves a question open, the answer is ONNX Runtime's: an n-gram that is in the
pool twice counts for the last place, and weights belong to outputs.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
from onnx import TensorProto

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.registry import composes
from onnx_mlir_bridge.runtime import ngrams


@composes("", "TfIdfVectorizer")
def tf_idf_vectorizer(call: Call) -> Value:
    """How often each n-gram of the pool occurs in a row, with up to so many items skipped."""
    (x,) = call.operands("X")
    if call.attribute("pool_strings", []) or x.element == TensorProto.STRING:
        raise call.fail("has a pool of strings; only integers are supported")
    is_batch = call.rank(0) == 2
    rows = (x if is_batch else x.unsqueeze(0)).cast(TensorProto.INT64)
    indices = call.required("ngram_indexes")
    try:
        width = ngrams.width(indices)
        pools = ngrams.pools(
            call.required("pool_int64s"),
            call.required("ngram_counts"),
            (call.required("min_gram_length"), call.required("max_gram_length")),
            call.required("max_skip_count"),
            len(indices),
        )
    except ValueError as error:
        raise call.fail(str(error)) from None
    counts: list[Value] = []
    columns: list[int] = []
    for grams in pools:
        counts.append(_count(call, rows, np.array(list(grams))))
        columns.extend(indices[place] for place in grams.values())
    result = _weigh(call, _in_columns(call, rows, counts, columns, width), width)
    return result if is_batch else result.squeeze(0)


def _in_columns(
    call: Call, rows: Value, counts: list[Value], columns: list[int], width: int
) -> Value:
    """The counts in the columns of a result; those of one column are added up."""
    if columns == list(range(width)):
        return call.concat(1, *counts)
    zeros = call.scalar(0, TensorProto.INT32).expand(rows.size(0), width)
    if not counts:
        return zeros
    places = call.ints(columns).expand(rows.size(0), len(columns))
    return zeros.op("ScatterElements", places, call.concat(1, *counts), axis=1, reduction="add")


def _count(call: Call, rows: Value, grams: np.ndarray) -> Value:
    """For each row, how often each n-gram occurs, its items at any of the distances."""
    size = grams.shape[1]
    skips = call.required("max_skip_count")
    # Without a gap to skip in, all distances are one.
    if size == 1 or skips == 0:
        # The end is a negative number: rows that are too short give nothing.
        parts = [rows.slice(1, item, item - size + 1 or None) for item in range(size)]
        matches = _matches(call, parts, grams)
        return matches.cast(TensorProto.INT32).sum(1, keepdims=False)
    # All distances in one tensor of rows, distances, beginnings, n-grams: the code doesn't grow
    # with their number, nor do distances count that no row has room for.
    length = rows.size(1)
    most = call.ints([min(skips, ngrams.MAX_WIDTH) + 1])
    distances = (call.positions(0, most.op("Min", length)) + 1).unsqueeze(1)
    begins = call.positions(0, length)
    windows = []
    for item in range(size):
        places = begins + distances * item
        windows.append(rows.op("Gather", places.op("Min", length - 1).reshape(-1), axis=1))
    fits = begins + distances * (size - 1) < length
    # In memory, as Concat's result is, they are read much faster than gathered for each n-gram.
    parts = call.concat(0, *windows).split(0, *[rows.size(0)] * size)
    matches = _matches(call, parts, grams) & fits.reshape(-1, 1)
    return matches.cast(TensorProto.INT32).sum(1, keepdims=False)


def _matches(call: Call, parts: list[Value], grams: np.ndarray) -> Value:
    """Where each n-gram is, for the values of its items; the n-grams are the last dimension."""
    found = [
        part.op("Unsqueeze", call.ints([-1])).equal(call.constant(grams[:, item]))
        for item, part in enumerate(parts)
    ]
    return reduce(Value.__and__, found)


def _weigh(call: Call, counts: Value, outputs: int) -> Value:
    """The counts as the mode has them."""
    mode = call.required("mode")
    weights = np.array(call.attribute("weights", []), np.float32)
    if weights.size and weights.size < outputs:
        raise call.fail(f"has {weights.size} weights for {outputs} outputs")
    weights = weights[:outputs] if weights.size else np.ones(1, np.float32)
    if mode == "TF":
        return counts.cast(TensorProto.FLOAT)
    if mode == "IDF":
        return call.constant(weights).where(counts > 0, 0.0)
    if mode == "TFIDF":
        return counts.cast(TensorProto.FLOAT) * call.constant(weights)
    raise call.fail(f"has the mode '{mode}'; there are TF, IDF and TFIDF")
