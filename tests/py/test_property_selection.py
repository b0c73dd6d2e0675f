"""NonMaxSuppression and Unique, whose results have as many elements as the data say.

The oracle of NonMaxSuppression is onnx's reference evaluator; coordinates and scores are multiples
of 1/8, of which float32 calculates all areas exactly. That of Unique is numpy.unique, with what the
standard adds: the order of first occurrence, and NaN equal to NaN whatever the axis. All results
are compared bit by bit.

What each test runs is compiled as one: an operator takes seconds, much of which its models share.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import ml_dtypes
import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from budget import examples
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from models.joined import Together
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

BUDGET = examples(20, HealthCheck.data_too_large)


def _model(node: onnx.NodeProto, inputs: dict, outputs: dict) -> onnx.ModelProto:
    def values(described: dict) -> list:
        return [helper.make_tensor_value_info(n, e, s) for n, (e, s) in described.items()]

    graph = helper.make_graph([node], "g", values(inputs), values(outputs))
    opset = helper.make_opsetid("", onnx.defs.onnx_opset_version())
    return helper.make_model(graph, opset_imports=[opset], ir_version=10)


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
def _nms(center: int, *scalars: str) -> omb.InferenceSession:
    return omb.InferenceSession(_nms_model(center, *scalars))


def _eighths(shape: tuple[int, ...], low: int, high: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).integers(low, high, shape)
    return (values / 8).astype(np.float32)


_NMS = [(center, names) for center in (0, 1) for names in (("limit", "iou"), tuple(_SCALARS))]


@cache
def _every_nms() -> tuple[Together, list[ReferenceEvaluator]]:
    """Both encodings of boxes, each without and with a threshold of scores."""
    models = [_nms_model(center, *names) for center, names in _NMS]
    return Together(models), [ReferenceEvaluator(model) for model in models]


@BUDGET
@given(
    batches=st.integers(1, 2),
    classes=st.integers(1, 3),
    boxes=st.integers(1, 24),
    limit=st.sampled_from([0, 1, 3, 100, 2**40]),
    iou=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    threshold=st.sampled_from([-1.0, 0.25, 0.5, 2.0]),
    seed=st.integers(0, 1000),
)
def test_non_max_suppression(batches, classes, boxes, limit, iou, threshold, seed):
    scalars = {
        "limit": np.array([limit], dtype=np.int64),
        "iou": np.array([iou], dtype=np.float32),
        "score": np.array([threshold], dtype=np.float32),
    }
    feeds = [
        {
            # Few different scores, so that many are equal.
            "boxes": _eighths((batches, boxes, 4), 0, 32, seed + 2 * case),
            "scores": _eighths((batches, classes, boxes), 0, 8, seed + 2 * case + 1),
            **{name: scalars[name] for name in names},
        }
        for case, (_, names) in enumerate(_NMS)
    ]
    session, references = _every_nms()
    cases = zip(_NMS, session.run(feeds), references, feeds, strict=True)
    for case, (found,), reference, given_inputs in cases:
        (expected,) = reference.run(None, given_inputs)
        np.testing.assert_array_equal(found, expected, err_msg=str(case))


def test_a_negative_limit_selects_nothing():
    session = _nms(0, "limit", "iou")
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
    session = _nms(0, "limit", "iou")
    # Boxes apart from each other.
    boxes = np.array([[[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5], [6, 6, 7, 7]]], dtype=np.float32)
    scores = np.array([[[np.nan, -np.inf, -0.0, 0.0]]], dtype=np.float32)
    limit, iou = np.array([9], dtype=np.int64), np.array([0.5], dtype=np.float32)
    (found,) = session.run(None, {"boxes": boxes, "scores": scores, "limit": limit, "iou": iou})
    assert found[:, 2].tolist() == [2, 3, 1, 0]


def test_boxes_and_scores_that_do_not_fit():
    session = _nms(0, "limit", "iou")
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
    TensorProto.BFLOAT16: ml_dtypes.bfloat16,
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


def _expected(x: np.ndarray, axis: int | None, is_sorted: int) -> list[np.ndarray]:
    """Slices as tuples of sort keys, in which NaN comes last and equals itself."""
    rows = x.reshape(-1) if axis is None else np.moveaxis(x, axis, 0)

    def key(row: np.ndarray) -> tuple:
        return tuple((v != v, 0 if v != v else v) for v in row.reshape(-1).tolist())

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


def _check(found: list[np.ndarray], expected: list[np.ndarray], message: str) -> None:
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == theirs.dtype, message
        if mine.dtype == ml_dtypes.bfloat16:
            mine, theirs = mine.astype(np.float32), theirs.astype(np.float32)
        np.testing.assert_array_equal(mine, theirs, err_msg=message)


class _Kind(NamedTuple):
    element: int
    is_sorted: int
    outputs: tuple[str, ...] = _OUTPUTS

    def __str__(self) -> str:
        name = TensorProto.DataType.Name(self.element).lower()
        return f"{name}, {'sorted' if self.is_sorted else 'by occurrence'}"


# In order of occurrence the element types differ in nothing more.
_KINDS = [
    *(_Kind(element, 1) for element in _DTYPES if element != TensorProto.BFLOAT16),
    _Kind(TensorProto.FLOAT, 0),
    _Kind(TensorProto.INT64, 0),
    _Kind(TensorProto.BFLOAT16, 1, ("y", "", "inverse", "")),
]


@cache
def _unique_elements() -> Together:
    return Together([_unique_model(k.element, 1, None, k.is_sorted, k.outputs) for k in _KINDS])


def _elements(element: int, size: int, seed: int) -> np.ndarray:
    """Numbers of which many are equal, with those at the ends of the type between them."""
    dtype = np.dtype(_DTYPES[element])
    generator = np.random.default_rng(seed)
    x = generator.integers(0, max(12, size // 3), size).astype(dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        x = np.where(generator.random(size) < 0.2, dtype.type(limits.max), x)
        x = np.where(generator.random(size) < 0.2, dtype.type(limits.min), x)
    elif dtype != np.bool_:
        special = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 0.5], dtype=dtype)
        x = np.where(generator.random(size) < 0.4, generator.choice(special, size), x)
    return x


@BUDGET
@given(
    sizes=st.tuples(*[st.integers(1, 70)] * len(_KINDS)),
    seed=st.integers(0, 1000),
)
@example(
    sizes=tuple(100_000 if kind == _Kind(TensorProto.INT64, 1) else 1 for kind in _KINDS), seed=0
)
def test_unique_elements(sizes, seed):
    """Of all element types; once very many; bfloat16 without the outputs that are optional."""
    arrays = [
        _elements(kind.element, size, seed + place)
        for place, (kind, size) in enumerate(zip(_KINDS, sizes, strict=True))
    ]
    found = _unique_elements().run([{"x": x} for x in arrays])
    for kind, x, results in zip(_KINDS, arrays, found, strict=True):
        outputs = zip(kind.outputs, _expected(x, None, kind.is_sorted), strict=True)
        _check(results, [array for name, array in outputs if name], str(kind))


_SLICES = [(None, 1), (0, 0), (0, 1), (1, 1), (-1, 0)]  # axis and is_sorted


@cache
def _unique_slices() -> Together:
    return Together([_unique_model(TensorProto.FLOAT, 3, *kind) for kind in _SLICES])


@BUDGET
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
    seed=st.integers(0, 1000),
)
@example(shape=(0, 3, 2), seed=0)
def test_unique_slices(shape, seed):
    """Along each axis, and of all elements, which may be none."""
    generator = np.random.default_rng(seed)
    values = np.array([0, 1, np.nan], dtype=np.float32)
    arrays = [generator.choice(values, shape, p=[0.6, 0.3, 0.1]) for _ in _SLICES]
    found = _unique_slices().run([{"x": x} for x in arrays])
    for (axis, is_sorted), x, results in zip(_SLICES, arrays, found, strict=True):
        _check(results, _expected(x, axis, is_sorted), f"axis {axis}, sorted {is_sorted}")
