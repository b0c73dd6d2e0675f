"""NonMaxSuppression and Unique, whose results have as many elements as the data say.

The oracle of NonMaxSuppression is onnx's reference evaluator; coordinates and scores are multiples
of 1/8, of which float32 calculates all areas exactly. That of Unique is numpy.unique, with what the
standard adds: the order of first occurrence, and NaN equal to NaN whatever the axis. All results
are compared bit by bit.
"""

from __future__ import annotations

from functools import cache

import ml_dtypes
import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from budget import examples
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

BUDGET = examples(20, HealthCheck.too_slow, HealthCheck.data_too_large)


def _model(node: onnx.NodeProto, inputs: dict, outputs: dict) -> onnx.ModelProto:
    def values(described: dict) -> list:
        return [helper.make_tensor_value_info(n, e, s) for n, (e, s) in described.items()]

    graph = helper.make_graph([node], "g", values(inputs), values(outputs))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


# --- NonMaxSuppression --------------------------------------------------------------------------

_SCALARS = {
    "limit": (TensorProto.INT64, [1]),
    "iou": (TensorProto.FLOAT, [1]),
    "score": (TensorProto.FLOAT, [1]),
}


def _nms_model(center: int, *scalars: str) -> onnx.ModelProto:
    inputs = {
        "boxes": (TensorProto.FLOAT, ["n", "b", 4]),
        "scores": (TensorProto.FLOAT, ["n", "c", "b"]),
        **{name: _SCALARS[name] for name in scalars},
    }
    names = [name if name in inputs else "" for name in ("boxes", "scores", *_SCALARS)]
    node = helper.make_node("NonMaxSuppression", names, ["selected"], center_point_box=center)
    return _model(node, inputs, {"selected": (TensorProto.INT64, [None, 3])})


@cache
def _nms(center: int, *scalars: str) -> tuple[omb.InferenceSession, ReferenceEvaluator]:
    model = _nms_model(center, *scalars)
    return omb.InferenceSession(model), ReferenceEvaluator(model)


def _eighths(shape: tuple[int, ...], low: int, high: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).integers(low, high, shape)
    return (values / 8).astype(np.float32)


@BUDGET
@given(
    batches=st.integers(1, 2),
    classes=st.integers(1, 3),
    boxes=st.integers(1, 24),
    center=st.sampled_from([0, 1]),
    limit=st.sampled_from([0, 1, 3, 100, 2**40]),
    iou=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    threshold=st.sampled_from([None, -1.0, 0.25, 0.5, 2.0]),
    seed=st.integers(0, 1000),
)
def test_non_max_suppression(batches, classes, boxes, center, limit, iou, threshold, seed):
    feeds = {
        # Few different scores, so that many are equal.
        "boxes": _eighths((batches, boxes, 4), 0, 32, seed),
        "scores": _eighths((batches, classes, boxes), 0, 8, seed + 1),
        "limit": np.array([limit], dtype=np.int64),
        "iou": np.array([iou], dtype=np.float32),
    }
    if threshold is not None:
        feeds["score"] = np.array([threshold], dtype=np.float32)
    session, reference = _nms(center, *(n for n in _SCALARS if n in feeds))
    (expected,) = reference.run(None, feeds)
    (found,) = session.run(None, feeds)
    np.testing.assert_array_equal(found, expected)


def test_a_negative_limit_selects_nothing():
    session, _ = _nms(0, "limit", "iou")
    feeds = {
        "boxes": _eighths((1, 3, 4), 0, 8, 0),
        "scores": _eighths((1, 1, 3), 0, 8, 1),
        "limit": np.array([-1], dtype=np.int64),
        "iou": np.array([0.5], dtype=np.float32),
    }
    assert session.run(None, feeds)[0].shape == (0, 3)


def test_without_a_limit_nothing_is_selected():
    session = omb.InferenceSession(_nms_model(0))
    boxes, scores = _eighths((1, 3, 4), 0, 8, 0), _eighths((1, 1, 3), 0, 8, 1)
    (found,) = session.run(None, {"boxes": boxes, "scores": scores})
    assert found.shape == (0, 3)


def test_scores_without_a_number_come_last():
    session, _ = _nms(0, "limit", "iou")
    # Boxes apart from each other.
    boxes = np.array([[[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5], [6, 6, 7, 7]]], dtype=np.float32)
    scores = np.array([[[np.nan, -np.inf, -0.0, 0.0]]], dtype=np.float32)
    limit, iou = np.array([9], dtype=np.int64), np.array([0.5], dtype=np.float32)
    (found,) = session.run(None, {"boxes": boxes, "scores": scores, "limit": limit, "iou": iou})
    assert found[:, 2].tolist() == [2, 3, 1, 0]


def test_boxes_and_scores_that_do_not_fit():
    session, _ = _nms(0, "limit", "iou")
    limit, iou = np.array([9], dtype=np.int64), np.array([0.5], dtype=np.float32)
    feeds = {"boxes": np.zeros((1, 3, 4), np.float32), "scores": np.zeros((1, 1, 5), np.float32)}
    with pytest.raises(omb.OmbError):
        session.run(None, {**feeds, "limit": limit, "iou": iou})


# --- Unique -------------------------------------------------------------------------------------

_DTYPES = {
    TensorProto.BOOL: np.bool_,
    TensorProto.INT8: np.int8,
    TensorProto.UINT8: np.uint8,
    TensorProto.INT16: np.int16,
    TensorProto.UINT16: np.uint16,
    TensorProto.INT32: np.int32,
    TensorProto.UINT32: np.uint32,
    TensorProto.INT64: np.int64,
    TensorProto.UINT64: np.uint64,
    TensorProto.FLOAT16: np.float16,
    TensorProto.FLOAT: np.float32,
    TensorProto.DOUBLE: np.float64,
}
_OUTPUTS = ("y", "indices", "inverse", "counts")


def _unique_model(
    element: int, rank: int, axis: int | None, is_sorted: int, outputs: tuple[str, ...] = _OUTPUTS
) -> onnx.ModelProto:
    attributes = {"sorted": is_sorted} | ({} if axis is None else {"axis": axis})
    node = helper.make_node("Unique", ["x"], list(outputs), **attributes)
    dims = [f"d{i}" for i in range(rank)]
    described = {"y": (element, [None] * (1 if axis is None else rank))}
    described |= {n: (TensorProto.INT64, [None]) for n in outputs if n and n != "y"}
    return _model(node, {"x": (element, dims)}, described)


@cache
def _unique(element: int, rank: int, axis: int | None, is_sorted: int) -> omb.InferenceSession:
    return omb.InferenceSession(_unique_model(element, rank, axis, is_sorted))


def _expected(x: np.ndarray, axis: int | None, is_sorted: int) -> list[np.ndarray]:
    """Slices as tuples of sort keys, in which NaN comes last and equals itself."""
    rows = x.reshape(-1, 1) if axis is None else np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)

    def key(row: np.ndarray) -> tuple:
        return tuple((v != v, 0 if v != v else v) for v in row.tolist())

    keys = [key(row) for row in rows]
    first: dict[tuple, int] = {}
    for place, value in enumerate(keys):
        first.setdefault(value, place)
    order = sorted(first) if is_sorted else list(first)
    number = {value: place for place, value in enumerate(order)}
    indices = np.array([first[v] for v in order], dtype=np.int64)
    inverse = np.array([number[v] for v in keys], dtype=np.int64)
    counts = np.bincount(inverse, minlength=len(order)).astype(np.int64)
    y = x.reshape(-1)[indices] if axis is None else np.take(x, indices, axis)
    return [y, indices, inverse, counts]


@pytest.mark.parametrize("element", _DTYPES, ids=lambda e: TensorProto.DataType.Name(e).lower())
@BUDGET
@given(size=st.integers(1, 70), is_sorted=st.sampled_from([0, 1]), seed=st.integers(0, 1000))
def test_unique_elements(element, size, is_sorted, seed):
    if element not in (TensorProto.FLOAT, TensorProto.INT64):
        is_sorted = 1  # without order, the types differ in nothing more; a model takes 4 s
    dtype = _DTYPES[element]
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 12, size).astype(dtype)
    if np.issubdtype(dtype, np.floating):
        special = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 0.5], dtype=dtype)
        x = np.where(generator.random(size) < 0.4, generator.choice(special, size), x)
    elif np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        x = np.where(generator.random(size) < 0.2, dtype(limits.max), x)
        x = np.where(generator.random(size) < 0.2, dtype(limits.min), x)
    found = _unique(element, 1, None, is_sorted).run(None, {"x": x})
    for mine, theirs in zip(found, _expected(x, None, is_sorted), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@BUDGET
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
    kind=st.sampled_from([(None, 1), (0, 0), (1, 1), (-1, 0)]),  # a model takes 4 s
    seed=st.integers(0, 1000),
)
def test_unique_slices(shape, kind, seed):
    axis, is_sorted = kind
    generator = np.random.default_rng(seed)
    x = generator.choice(np.array([0, 1, np.nan], dtype=np.float32), shape, p=[0.6, 0.3, 0.1])
    found = _unique(TensorProto.FLOAT, 3, axis, is_sorted).run(None, {"x": x})
    for mine, theirs in zip(found, _expected(x, axis, is_sorted), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_unique_of_many():
    x = np.random.default_rng(0).integers(0, 30_000, 100_000)
    found = _unique(TensorProto.INT64, 1, None, 1).run(None, {"x": x})
    for mine, theirs in zip(found, np.unique(x, True, True, True), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_unique_of_nothing():
    for axis, shape in ((None, (0, 3, 2)), (0, (0, 3, 2))):
        x = np.zeros(shape, dtype=np.float32)
        y, *others = _unique(TensorProto.FLOAT, 3, axis, 1).run(None, {"x": x})
        assert y.shape == ((0,) if axis is None else shape)
        assert all(o.shape == (0,) for o in others)


def test_unique_bfloat16_and_some_outputs():
    model = _unique_model(TensorProto.BFLOAT16, 1, None, 1, ("y", "", "inverse"))
    x = np.array([2, 1, np.nan, 2, np.nan, 1], dtype=ml_dtypes.bfloat16)
    model.opset_import[0].version = onnx.defs.onnx_opset_version()
    y, inverse = omb.InferenceSession(model).run(None, {"x": x})
    np.testing.assert_array_equal(y.astype(np.float32), np.array([1, 2, np.nan], np.float32))
    assert inverse.tolist() == [1, 0, 2, 1, 2, 0]
