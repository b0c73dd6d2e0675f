"""TfIdfVectorizer, of integers. onnx's type inference has checked ranks and indices.

Where the standard leaves a question open, the answer is ONNX Runtime's: an n-gram that is in the
pool twice counts for the last place, and weights belong to outputs.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.registry import composes


@composes("", "TfIdfVectorizer")
def tf_idf_vectorizer(call: Call) -> Value:
    """How often each n-gram of the pool occurs in a row, with up to so many items skipped."""
    (x,) = call.operands("X")
    if call.attribute("pool_strings", []) or x.element == TensorProto.STRING:
        raise call.fail("has a pool of strings; only integers are supported")
    is_batch = call.rank(0) == 2
    rows = (x if is_batch else x.unsqueeze(0)).cast(TensorProto.INT64)
    length = call.shape(0)[-1]
    skips = call.required("max_skip_count")
    # Column 0 is that of no n-gram.
    columns = [call.scalar(0, TensorProto.INT32).expand(rows.size(0), 1)]
    indices = call.required("ngram_indexes")
    counted: list[list[int]] = [[] for _ in range(max(indices) + 1)]
    width = 1
    for size, grams in _pools(call, len(indices)):
        # Without a gap to skip in, all distances are one.
        distances = range(1, 2 if size == 1 else skips + 2)
        counts = [
            _count(call, rows, np.array(list(grams)), distance)
            for distance in distances
            if length is None or (size - 1) * distance < length
        ]
        if not counts:
            continue
        columns.append(sum(counts[1:], counts[0]))
        for place in grams.values():
            counted[indices[place]].append(width)
            width += 1
    most = max(map(len, counted))
    picks = np.array([[*found, *[0] * (most - len(found))] for found in counted], np.int64)
    picked = call.concat(1, *columns).op("Gather", call.constant(picks), axis=1)
    result = _weigh(call, picked.sum(2, keepdims=False), len(counted))
    return result if is_batch else result.squeeze(0)


def _pools(call: Call, total: int) -> list[tuple[int, dict[tuple[int, ...], int]]]:
    """Of each size in use, the n-grams and their places in the pool."""
    pool = call.required("pool_int64s")
    starts = call.required("ngram_counts")
    shortest, longest = call.required("min_gram_length"), call.required("max_gram_length")
    skips = call.required("max_skip_count")
    if not 1 <= shortest <= longest <= len(starts) or skips < 0:
        raise call.fail(
            f"takes n-grams of {shortest} to {longest} items with up to {skips} skipped; its pool "
            f"has those of 1 to {len(starts)}"
        )
    pools = []
    place = 0
    ends = [*starts[1:], len(pool)]
    for size, (start, end) in enumerate(zip(starts, ends, strict=True), 1):
        if not 0 <= start <= end <= len(pool) or (end - start) % size:
            raise call.fail(
                f"has its {size}-grams from {start} to {end} in a pool of {len(pool)} items"
            )
        grams = {}
        for begin in range(start, end, size):
            grams[tuple(pool[begin : begin + size])] = place
            place += 1
        if grams and shortest <= size <= longest:
            pools.append((size, grams))
    if place != total:
        raise call.fail(f"has {total} ngram_indexes for {place} n-grams")
    return pools


def _count(call: Call, rows: Value, grams: np.ndarray, distance: int) -> Value:
    """For each row, how often each n-gram occurs with its items at a distance."""
    size = grams.shape[1]
    matches = None
    for item in range(size):
        # The end is a negative number: rows that are too short give nothing.
        left = (size - 1 - item) * distance
        part = rows.slice(1, item * distance, -left if left else None)
        found = part.unsqueeze(2).equal(call.constant(grams[:, item]))
        matches = found if matches is None else matches & found
    assert matches is not None
    return matches.cast(TensorProto.INT32).sum(1, keepdims=False)


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
