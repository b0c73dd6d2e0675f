"""Operators that sample, fold and unpool images, against onnx's reference evaluator.

Each is compiled once for its attributes, with all dimensions open; most tests compile theirs as one
model. Points of grids are multiples of 1/8, so that ties of 'nearest' are ties for both; they
reach far beyond the edges.

Tolerances. The reference computes some weights in float64 and rounds partial sums, so sums of up to
64 products may differ by some units in the last place: 64 of them in float32. What is only moved
must agree bit by bit. bfloat16 and float16 are compared with the float32 result: one rounding.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import onnx_mlir_bridge as omb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from test_property_tensors import BUDGET, DTYPES, Case, Cases, assert_close, seeds

ULPS = 64
F32 = TensorProto.FLOAT

few = st.integers(1, 4)
some = st.integers(2, 6)


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# --- GridSample, AffineGrid ---------------------------------------------------------------------


def grid_sample(rank: int, mode: str, padding: str, aligned: int, element: int = F32) -> Case:
    node = helper.make_node(
        "GridSample", ["x", "grid"], ["y"], mode=mode, padding_mode=padding, align_corners=aligned
    )
    grid = element if element in (TensorProto.FLOAT16, TensorProto.BFLOAT16) else F32
    return Case([node], {"x": (element, rank), "grid": (grid, rank)}, {"y": (element, rank)})


@cache
def grid_samples(mode: str, padding: str) -> Cases:
    """Of pictures, for both values of align_corners."""
    return Cases({aligned: grid_sample(4, mode, padding, aligned) for aligned in (0, 1)})


def grid_of(seed: int, *shape: int) -> np.ndarray:
    return (np.random.default_rng(seed).integers(-20, 21, shape) / 8).astype(np.float32)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@BUDGET
@given(batch=few, channels=few, size=st.tuples(some, some), out=st.tuples(few, few), seed=seeds)
def test_grid_sample(mode, padding, batch, channels, size, out, seed) -> None:
    feeds = {"x": normal(seed, batch, channels, *size), "grid": grid_of(seed + 1, batch, *out, 2)}
    ulps = 0 if mode == "nearest" else ULPS
    grid_samples(mode, padding).check_all(feeds, ulps)


RANKS = {"nearest": [5], "linear": [5], "cubic": [3, 5, 6]}


@cache
def grid_samples_in_other_dimensions(mode: str) -> Cases:
    return Cases({rank: grid_sample(rank, mode, "reflection", 0) for rank in RANKS[mode]})


@pytest.mark.parametrize("mode", RANKS)
@BUDGET
@given(seed=seeds)
def test_grid_sample_in_other_dimensions(mode: str, seed: int) -> None:
    feeds = {
        rank: {
            "x": normal(seed, 2, 1, *[3, 2, 3, 4][: rank - 2]),
            "grid": grid_of(seed + 1, 2, *[2] * (rank - 2), rank - 2),
        }
        for rank in RANKS[mode]
    }
    ulps = 0 if mode == "nearest" else 8 * ULPS
    grid_samples_in_other_dimensions(mode).check(feeds, ulps)


def check_other_floats(cases: Cases, feeds: dict[str, np.ndarray], elements: list[int]) -> None:
    """Narrow floats are computed in float32 and rounded once. The cases' keys are the types."""

    def converted(given_feeds: dict[str, np.ndarray], element: int) -> dict[str, np.ndarray]:
        return {
            name: array if array.dtype.kind == "i" else array.astype(DTYPES[element])
            for name, array in given_feeds.items()
        }

    typed = {element: converted(feeds, element) for element in elements}
    for element in elements:
        found = cases.run({**typed, F32: converted(typed[element], F32)})
        expected = found[F32]["y"].astype(DTYPES[element])
        is_wide = element == TensorProto.DOUBLE
        name = TensorProto.DataType.Name(element)
        assert_close(name, found[element]["y"], expected, ulps=2**32 if is_wide else 1)


def test_grid_sample_of_narrow_floats() -> None:
    elements = [TensorProto.FLOAT16, TensorProto.BFLOAT16]
    cases = {e: grid_sample(4, "linear", "zeros", 0, e) for e in (F32, *elements)}
    feeds = {"x": normal(0, 2, 2, 5, 4), "grid": grid_of(1, 2, 6, 7, 2)}
    check_other_floats(Cases(cases), feeds, elements)


def test_grid_sample_moves_other_types() -> None:
    cases, feeds = {}, {}
    for element in (TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8):
        end = 2 if element == TensorProto.BOOL else 200
        x = np.random.default_rng(0).integers(0, end, (2, 2, 3, 5)).astype(DTYPES[element])
        cases[element] = grid_sample(4, "nearest", "border", 1, element)
        feeds[element] = {"x": x, "grid": grid_of(1, 2, 4, 4, 2)}
    Cases(cases).check(feeds)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_no_grid_reads_outside(mode: str, padding: str) -> None:
    """Points that are no numbers, or too far away for integers, are inside or nowhere."""
    special = np.float32([np.nan, np.inf, -np.inf, 1e30, -1e30, 3e9, -3e9, 0])
    grid = np.stack(np.meshgrid(special, special), -1)[None]
    feeds = {"x": np.ones((1, 1, 3, 4), np.float32), "grid": grid}
    for aligned, found in grid_samples(mode, padding).run_all(feeds).items():
        known = found["y"][np.isfinite(found["y"])]
        assert found["y"].shape == (1, 1, 8, 8), aligned
        assert known.size, aligned
        assert np.all((known > -1e-5) & (known < 1.5)), aligned


def test_grids_that_do_not_fit_are_refused() -> None:
    case = grid_sample(4, "linear", "zeros", 0)
    for x, grid in [
        ((2, 1, 3, 3), (1, 2, 2, 2)),
        ((1, 1, 3, 3), (1, 2, 2, 3)),
        ((1, 1, 0, 3), (1, 2, 2, 2)),
    ]:
        with pytest.raises(omb.OmbError):
            case.run({"x": np.ones(x, np.float32), "grid": np.zeros(grid, np.float32)})


def affine_grid(dims: int, aligned: int) -> Case:
    return Case(
        [helper.make_node("AffineGrid", ["theta", "size"], ["y"], align_corners=aligned)],
        {"theta": (F32, 3), "size": (TensorProto.INT64, [dims + 2])},
        {"y": (F32, dims + 2)},
    )


@cache
def affine_grids() -> Cases:
    return Cases({case: affine_grid(*case) for case in product([2, 3], [0, 1])})


@BUDGET
@given(batch=few, size=st.tuples(some, some, some), seed=seeds)
def test_affine_grid(batch: int, size: tuple, seed: int) -> None:
    """In two and three dimensions, for both values of align_corners."""
    feeds = {
        dims: {
            "theta": normal(seed, batch, dims, dims + 1),
            "size": np.int64([batch, 3, *size[:dims]]),
        }
        for dims in (2, 3)
    }
    affine_grids().check({case: feeds[case[0]] for case in product([2, 3], [0, 1])}, ULPS)


# --- Col2Im, DeformConv -------------------------------------------------------------------------

WINDOWS = [
    ((1, 1), (1, 1), (0, 0, 0, 0)),
    ((2, 3), (1, 2), (1, 0, 2, 3)),
    ((3, 1), (2, 2), (2, 1, 0, 1)),
]


def block_counts(image, block, strides, dilations, pads) -> list[int]:
    rank = len(image)
    return [
        (image[d] + pads[d] + pads[d + rank] - dilations[d] * (block[d] - 1) - 1) // strides[d] + 1
        for d in range(rank)
    ]


@cache
def col2im(strides: tuple, dilations: tuple, pads: tuple, element: int = F32) -> Case:
    node = helper.make_node(
        "Col2Im", ["x", "i", "b"], ["y"], strides=strides, dilations=dilations, pads=pads
    )
    rank = len(strides)
    vector = (TensorProto.INT64, [rank])
    return Case([node], {"x": (element, 3), "i": vector, "b": vector}, {"y": (element, rank + 2)})


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@BUDGET
@given(batch=few, channels=few, block=st.tuples(*[st.integers(1, 3)] * 2), seed=seeds)
def test_col2im(window: tuple, batch: int, channels: int, block: tuple, seed: int) -> None:
    image = np.random.default_rng(seed).integers(5, 9, 2)
    length = np.prod(block_counts(image, block, *window))
    x = normal(seed, batch, channels * block[0] * block[1], length)
    feeds = {"x": x, "i": image, "b": np.int64(block)}
    col2im(*window).check(feeds, 8)


def test_col2im_in_three_dimensions_and_of_integers() -> None:
    window = ((1, 2, 1), (1, 1, 2), (1, 0, 0, 0, 1, 0))
    image, block = np.int64([3, 4, 5]), np.int64([2, 2, 3])
    length = np.prod(block_counts(image, block, *window))
    x = np.random.default_rng(0).integers(-9, 9, (2, 2 * 12, length))
    feeds = {"x": x.astype(np.int32), "i": image, "b": block}
    col2im(*window, TensorProto.INT32).check(feeds)


def test_blocks_that_do_not_fit_are_refused() -> None:
    case = col2im(*WINDOWS[0])
    for x, image, block in [
        ((1, 4, 5), [3, 3], [2, 2]),
        ((1, 3, 4), [3, 3], [2, 2]),
        ((1, 4, 4), [3, 3], [0, 2]),
    ]:
        with pytest.raises(omb.OmbError):
            case.run({"x": np.ones(x, np.float32), "i": np.int64(image), "b": np.int64(block)})


def deform_conv(group: int, offset_group: int, window: tuple, names: str) -> Case:
    strides, dilations, pads = window
    operands = ["x", "w", "o", *(name if name in names else "" for name in "bm")]
    node = helper.make_node(
        "DeformConv",
        operands,
        ["y"],
        group=group,
        offset_group=offset_group,
        strides=strides,
        dilations=dilations,
        pads=pads,
    )
    inputs = {name: (F32, 1 if name == "b" else 4) for name in operands if name}
    return Case([node], inputs, {"y": (F32, 4)})


@pytest.mark.parametrize("groups", [(1, 1), (2, 1), (2, 4)], ids=str)
def test_deform_conv(groups: tuple[int, int]) -> None:
    """Without and with a bias and a mask."""
    windows = {names: WINDOWS[1 + (groups[0] + len(names)) % 2] for names in ("", "b", "m", "bm")}
    cases = Cases({names: deform_conv(*groups, window, names) for names, window in windows.items()})
    for seed, (image, kernel) in enumerate([((6, 7), (2, 2)), ((7, 5), (1, 3))]):
        points = groups[1] * kernel[0] * kernel[1]
        feeds = {}
        for names, window in windows.items():
            out = block_counts(image, kernel, *window)
            every = {
                "x": normal(seed, 2, 4, *image),
                "w": normal(seed + 10, 6, 4 // groups[0], *kernel),
                "o": 2 * normal(seed + 20, 2, 2 * points, *out),
                "b": normal(seed + 30, 6),
                "m": normal(seed + 40, 2, points, *out),
            }
            feeds[names] = {name: every[name] for name in ("x", "w", "o", *names)}
        cases.check(feeds, 32 * ULPS)


# --- RoiAlign, MaxUnpool ------------------------------------------------------------------------


def roi_align(mode: str, coordinates: str, ratio: int) -> Case:
    node = helper.make_node(
        "RoiAlign",
        ["x", "rois", "images"],
        ["y"],
        mode=mode,
        coordinate_transformation_mode=coordinates,
        sampling_ratio=ratio,
        spatial_scale=0.5,
        output_height=2,
        output_width=3,
    )
    inputs = {"x": (F32, 4), "rois": (F32, [None, 4]), "images": (TensorProto.INT64, 1)}
    return Case([node], inputs, {"y": (F32, 4)})


@cache
def roi_aligns(mode: str) -> Cases:
    """Of both coordinates, with a number of points that is computed, and one that is given."""
    cases = product(["half_pixel", "output_half_pixel"], [0, 2])
    return Cases({case: roi_align(mode, *case) for case in cases})


@pytest.mark.parametrize("mode", ["avg", "max"])
@BUDGET
@given(batch=few, channels=few, size=st.tuples(few, some), seed=seeds)
def test_roi_align(mode, batch, channels, size, seed) -> None:
    generator = np.random.default_rng(seed)
    # Eighths plus a sixteenth: no bin has a whole number of points by rounding alone.
    corner = generator.integers(-32, 96, (3, 2)) / 8 + 1 / 16
    extent = generator.integers(4, 96, (3, 2)) / 8
    feeds = {
        "x": normal(seed, batch, channels, *size),
        "rois": np.concatenate([corner, corner + extent], 1).astype(np.float32),
        "images": generator.integers(0, batch, 3),
    }
    roi_aligns(mode).check_all(feeds, 4 * ULPS)


@pytest.mark.parametrize("mode", ["avg", "max"])
def test_regions_without_bounds_come_to_an_end(mode: str) -> None:
    """Points outside of the image are 0; only those near it are visited."""
    far, nan, inf = 1e30, np.nan, np.inf
    corners = [(-far, -far, far, far), (nan, 0, 4, 4), (0, 0, inf, 4), (-1e6, 0, 1e6, 8)]
    feeds = {
        "x": np.ones((1, 1, 4, 4), np.float32),
        "rois": np.float32(corners),
        "images": np.int64([0, -9, 99, 0]),
    }
    for case, found in roi_aligns(mode).run_all(feeds).items():
        assert found["y"].shape == (4, 1, 2, 3), case
        assert not np.any(found["y"] > 1), case


@cache
def max_unpool(window: tuple, has_shape: bool) -> Case:
    kernel, strides, pads = window
    node = helper.make_node(
        "MaxUnpool",
        ["x", "i", *["s"] * has_shape],
        ["y"],
        kernel_shape=kernel,
        strides=strides,
        pads=pads,
    )
    inputs = {"x": (F32, 4), "i": (TensorProto.INT64, 4)}
    if has_shape:
        inputs["s"] = (TensorProto.INT64, [4])
    return Case([node], inputs, {"y": (F32, 4)})


UNPOOLINGS = [
    ((2, 2), (2, 2), (0, 0, 0, 0)),
    ((3, 2), (1, 3), (1, 0, 0, 1)),
    ((3, 3), (2, 1), (1, 1, 1, 1)),
]


def unpooled(window: tuple, size: tuple) -> list[int]:
    kernel, strides, pads = window
    return [(size[d] - 1) * strides[d] + kernel[d] - pads[d] - pads[d + 2] for d in (0, 1)]


@cache
def max_unpools() -> Cases:
    return Cases({window: max_unpool(window, False) for window in UNPOOLINGS})


def positions(window: tuple, shape: tuple, is_pooled: bool, seed: int) -> np.ndarray:
    """Indices of a pooling, or such that no pooling gives."""
    generator = np.random.default_rng(seed)
    kernel, strides, pads = window
    batch, channels, *size = shape
    full = unpooled(window, size)
    if not is_pooled:
        return generator.integers(0, batch * channels * full[0] * full[1], shape)
    planes = np.arange(batch * channels).reshape(batch, channels, 1, 1)
    position = planes * full[0] * full[1]
    for d in (0, 1):
        at = np.arange(size[d]).reshape(-1, *[1] * (1 - d)) * strides[d] - pads[d]
        at = np.clip(at + generator.integers(0, kernel[d], shape), 0, full[d] - 1)
        position = position + at * (full[1] if d == 0 else 1)
    return position


@BUDGET
@given(batch=few, channels=few, size=st.tuples(some, some), is_pooled=st.booleans(), seed=seeds)
def test_max_unpool(batch, channels, size, is_pooled, seed) -> None:
    """The last of equal indices counts."""
    shape = (batch, channels, *size)
    feeds = {
        window: {"x": normal(seed, *shape), "i": positions(window, shape, is_pooled, seed)}
        for window in UNPOOLINGS
    }
    max_unpools().check(feeds)


def test_max_unpool_to_a_shape() -> None:
    x, i = normal(0, 1, 2, 2, 2), np.int64([5, 7, 13, 15, 21, 23, 29, 31]).reshape(1, 2, 2, 2)
    max_unpool(UNPOOLINGS[0], True).check({"x": x, "i": i, "s": np.int64([1, 2, 5, 7])})
    with pytest.raises(omb.OmbError, match="too small"):
        max_unpool(UNPOOLINGS[0], True).run({"x": x, "i": i, "s": np.int64([1, 2, 3, 7])})


@pytest.mark.parametrize("wrong", [-1, 32])
def test_max_unpool_out_of_range_is_refused(wrong: int) -> None:
    i = np.full((1, 2, 2, 2), wrong)
    with pytest.raises(omb.OmbError, match="out of range"):
        max_unpool(UNPOOLINGS[0], False).run({"x": normal(0, 1, 2, 2, 2), "i": i})


# --- other element types ------------------------------------------------------------------------

MOVING = {
    "Col2Im": (
        {"strides": [1, 2], "pads": [1, 0, 0, 1]},
        {"x": normal(0, 1, 8, 9), "i": np.int64([3, 5]), "b": np.int64([2, 2])},
    ),
    "DeformConv": (
        {"pads": [1, 1, 1, 1], "group": 2},
        {
            "x": normal(1, 1, 2, 4, 4),
            "w": normal(2, 2, 1, 2, 2),
            "o": normal(3, 1, 8, 5, 5),
            "b": normal(4, 2),
            "m": normal(5, 1, 4, 5, 5),
        },
    ),
    "RoiAlign": (
        {"output_height": 2, "output_width": 2, "spatial_scale": 0.5},
        {
            "x": normal(6, 2, 2, 5, 5),
            "r": np.float32([[0, 1, 9, 8], [2, -3, 5, 14]]),
            "i": np.int64([1, 0]),
        },
    ),
    "MaxUnpool": (
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        {"x": normal(7, 1, 1, 2, 2), "i": np.int64([0, 3, 9, 14]).reshape(1, 1, 2, 2)},
    ),
    "AffineGrid": ({}, {"t": normal(8, 2, 2, 3), "s": np.int64([2, 1, 3, 4])}),
}


def with_element(operator: str, element: int) -> Case:
    attributes, feeds = MOVING[operator]
    inputs = {
        name: (element if array.dtype == np.float32 else TensorProto.INT64, list(array.shape))
        for name, array in feeds.items()
    }
    node = helper.make_node(operator, list(feeds), ["y"], **attributes)
    return Case([node], inputs, {"y": (element, 4)})


@pytest.mark.parametrize("operator", list(MOVING))
def test_other_floats(operator: str) -> None:
    elements = [TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE]
    cases = Cases({element: with_element(operator, element) for element in (F32, *elements)})
    check_other_floats(cases, MOVING[operator][1], elements)
