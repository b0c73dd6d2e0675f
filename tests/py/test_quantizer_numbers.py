"""What the quantizer makes of numbers: ranges of values, and integers of constants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_mlir_bridge as omb
import pytest
from budget import DETERMINISTIC
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_mlir_bridge.quantizer.observers import (
    METHODS,
    Extremes,
    Histogram,
    Range,
    find_range,
    observer,
)
from onnx_mlir_bridge.quantizer.samples import Input, samples
from onnx_mlir_bridge.quantizer.weights import (
    activation_parameters,
    least_scales,
    quantize_bias,
    quantize_blocks,
    quantize_weight,
)

FLOATS = st.floats(-(2.0**60), 2.0**60, width=32)
BATCHES = st.lists(st.lists(FLOATS, max_size=20), min_size=1, max_size=6)


def _fed(found: Extremes, batches: list[np.ndarray]) -> Extremes:
    for batch in batches:
        found.update(np.asarray(batch, np.float32))
    return found


@DETERMINISTIC
@given(BATCHES)
def test_histogram_is_that_of_all_values(batches: list[list[float]]) -> None:
    """However values are split into batches, and in whatever order they come."""
    values = np.asarray([x for batch in batches for x in batch], np.float32)
    found = _fed(Histogram("x"), batches)
    again = _fed(Histogram("x"), [values[::-1]])
    assert found.exponent == again.exponent
    np.testing.assert_array_equal(found.counts, again.counts)
    expected, _ = np.histogram(values.astype(np.float64), found.edges())
    np.testing.assert_array_equal(found.counts, expected)
    whole = found.range()
    assert (whole.low, whole.high) == (min([*values, 0]), max([*values, 0]))
    if values.any():
        # The bins are wider than needed by less than two.
        assert found.edges()[-1] <= 2 * np.abs(values).max()


@pytest.mark.parametrize("percentile", [90.0, 99.9])
@pytest.mark.parametrize("kind", ["normal", "relu", "negative"])
def test_percentiles_are_numpys(kind: str, percentile: float) -> None:
    values = np.random.default_rng(3).standard_normal(50_000).astype(np.float32)
    values = {"normal": values, "relu": np.maximum(values, 0), "negative": -np.abs(values)}[kind]
    found = _fed(Histogram("x"), np.split(values, 10))
    result = find_range(found, "percentile", 256, percentile)
    rest = (100 - percentile) / (2 if kind == "normal" else 1)
    width = found.edges()[1] - found.edges()[0]
    for end, percent, is_zero in (
        (result.low, rest, kind == "relu"),
        (result.high, 100 - rest, kind == "negative"),
    ):
        if is_zero:
            assert end == 0
            continue
        below, above = (np.percentile(values, percent, method=m) for m in ("lower", "higher"))
        assert below - width <= end <= above + width


def _error(values: np.ndarray, chosen: Range) -> float:
    parameters = activation_parameters(chosen, "u8")
    stored = np.clip(np.rint(values / parameters.scale) + int(parameters.zero), 0, 255)
    return float(np.square((stored - int(parameters.zero)) * parameters.scale - values).sum())


def test_mse_finds_the_smallest_error() -> None:
    """Smaller than that of other clippings of values with long tails; the ends found apart."""
    random = np.random.default_rng(4)
    values = random.standard_t(3, 40_000).astype(np.float32)
    values = np.where(values < 0, values / 4, values)
    chosen = find_range(_fed(Histogram("x"), [values]), "mse", 256, 0)
    least = _error(values, chosen)
    whole = Range(float(values.min()), float(values.max()))
    assert least < 0.95 * _error(values, whole)
    for low in np.linspace(0.05, 1, 12):
        for high in np.linspace(0.05, 1, 12):
            assert least < 1.02 * _error(values, Range(low * whole.low, high * whole.high))


def test_entropy_leaves_outliers_out() -> None:
    """Where that costs the others more than it costs the outliers."""
    values = np.random.default_rng(5).standard_normal(20_000).astype(np.float32)
    found = _fed(Histogram("x"), [np.float32([30, -25, 28]), *[values] * 50])
    chosen = find_range(found, "entropy", 256, 0)
    assert -20 < chosen.low < -2
    assert 2 < chosen.high < 20
    few = _fed(Histogram("x"), [np.float32([30, -25, 28]), values])
    whole = few.range()
    assert _error(values, find_range(few, "entropy", 256, 0)) <= _error(values, whole)
    assert find_range(few, "entropy", 256, 0).high > 20


def test_entropy_takes_all_of_few_values() -> None:
    """Whose distribution isn't known."""
    values = np.random.default_rng(6).standard_normal(200).astype(np.float32)
    chosen = find_range(_fed(Histogram("x"), [values]), "entropy", 256, 0)
    assert chosen == Range(float(values.min()), float(values.max()))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("values", "expected"),
    [([], (0, 0)), ([0, 0], (0, 0)), ([3, 3], (0, 3)), ([-2, -2], (-2, 0))],
)
def test_ranges_of_one_value(
    method: str, values: list[float], expected: tuple[float, float]
) -> None:
    found = _fed(observer(method, "x"), [values])
    assert find_range(found, method, 256, 99) == Range(*map(float, expected))


@pytest.mark.parametrize("method", ["min-max", "mse"])
@pytest.mark.parametrize(("bad", "word"), [(np.nan, "NaN"), (np.inf, "Inf"), (-np.inf, "Inf")])
def test_values_must_be_finite(method: str, bad: float, word: str) -> None:
    with pytest.raises(omb.OmbError, match=f"'deep/x' has {word} in the calibration data"):
        observer(method, "deep/x").update(np.asarray([1, bad, 2], np.float32))


@DETERMINISTIC
@given(st.tuples(FLOATS, FLOATS), st.sampled_from(["u8", "i8"]))
def test_parameters_of_activations(ends: tuple[float, float], kind: str) -> None:
    """Zero is exact, and the ends are at most half a step away."""
    chosen = Range(min(*ends, 0.0), max(*ends, 0.0))
    parameters = activation_parameters(chosen, kind)
    info = np.iinfo(parameters.zero.dtype)
    assert info.max - info.min == 255
    for end in (chosen.low, chosen.high):
        stored = np.clip(
            np.rint(end / float(parameters.scale)) + int(parameters.zero), *_ends(info)
        )
        back = (stored - int(parameters.zero)) * float(parameters.scale)
        assert abs(back - end) <= 0.51 * parameters.scale


def _ends(info: np.iinfo) -> tuple[int, int]:
    return info.min, info.max


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_weights(axis: int | None) -> None:
    random = np.random.default_rng(7)
    array = random.standard_normal((4, 5, 6)).astype(np.float32) * np.float32(
        [[[1, 9, 1, 1, 1, 5]]]
    )
    array[:, 3] = 0
    found = quantize_weight(array, axis)
    assert found.values.dtype == np.int8
    assert np.abs(found.values.astype(int)).max() == 127
    shape = [1 if i != axis else -1 for i in range(3)]
    scale = found.scale.reshape(shape) if axis is not None else found.scale
    assert (scale > 0).all()
    assert (np.abs(found.values * scale - array) <= scale * 0.501).all()
    if axis is not None:
        for index in range(array.shape[axis]):
            part = np.take(array, index, axis)
            assert not part.any() or found.scale[index] == np.float32(np.abs(part).max() / 127)


def test_biases_fit_into_32_bits() -> None:
    """A channel with small weights and a large bias takes a larger scale."""
    weight = np.float32([[1e-9, 2e-9], [0, 0], [1, 2]])
    bias = np.float32([100, -30, 0.25])
    scale = np.float32(0.01)
    found = quantize_weight(weight, 0, least_scales(bias, scale))
    values, bias_scale = quantize_bias(bias, scale, found.scale)
    assert values.dtype == np.int32
    error = np.abs(values * bias_scale.astype(np.float64) - bias)
    assert (error <= 0.51 * bias_scale + 1e-6 * np.abs(bias)).all()
    np.testing.assert_allclose(found.values[2] * found.scale[2], weight[2], atol=0.01)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(("axis", "block"), [(0, 4), (1, 7), (1, 100)])
def test_blocks(axis: int, block: int, bits: int, signed: bool, symmetric: bool) -> None:
    """As onnx dequantizes them, with a last block that is short."""
    random = np.random.default_rng(8)
    array = (random.standard_normal((10, 15)) + 0.5).astype(np.float32)
    array[:, :3] = 0
    block = min(block, array.shape[axis])
    found = quantize_blocks(array, axis, block, bits, symmetric=symmetric, signed=signed)
    assert found.values.dtype.name == f"{'' if signed else 'u'}int{bits}"
    assert found.scale.shape[axis] == -(-array.shape[axis] // block)
    arrays = {"w": found.values, "s": found.scale, "z": found.zero}
    arrays = {name: each for name, each in arrays.items() if each is not None}
    assert ("z" in arrays) == (not (signed and symmetric))
    graph = helper.make_graph(
        [helper.make_node("DequantizeLinear", [*arrays], ["y"], axis=axis, block_size=block)],
        "blocks",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, array.shape)],
        [numpy_helper.from_array(each, name) for name, each in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    blocks = [slice(at, at + block) for at in range(0, array.shape[axis], block)]
    each = [np.take(array, range(*b.indices(array.shape[axis])), axis) for b in blocks]
    lows, highs = (np.stack([f(part, axis=axis) for part in each], axis) for f in (np.min, np.max))
    span = np.maximum(highs, 0) - np.minimum(lows, 0)
    if symmetric:
        span = 2 * np.maximum(np.abs(lows), np.abs(highs))
    step = span / (2**bits - 1 - symmetric)
    repeated = np.repeat(step, block, axis).take(range(array.shape[axis]), axis)
    (back,) = ReferenceEvaluator(model).run(None, {})
    # Clipping a block that is best clipped costs its largest number more than half a step.
    error = np.abs(back - array)
    assert (error <= 4 * repeated + 1e-6).all()
    assert np.square(error).sum() <= np.square(0.51 * repeated).sum()


# --- calibration data ---------------------------------------------------------------------------

X = Input("x", np.dtype(np.float32), (None, 3))
MASK = Input("mask", np.dtype(np.int64), (2,))


def _runs(data: object, inputs: list[Input], batch_size: int | None = None) -> list[dict]:
    found = samples(data, None, inputs, batch_size=batch_size, seed=0, shapes={})
    first, second = list(found), list(found)
    for one, other in zip(first, second, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    return first


@pytest.mark.parametrize(
    ("shape", "batch_size", "expected"),
    [
        ((5, 4, 3), None, [(4, 3)] * 5),
        ((5, 3), None, [(5, 3)]),
        ((5, 3), 2, [(2, 3), (2, 3), (1, 3)]),
    ],
)
def test_runs_of_files(
    shape: tuple[int, ...],
    batch_size: int | None,
    expected: list[tuple[int, ...]],
    tmp_path: Path,
) -> None:
    values = np.random.default_rng(9).standard_normal(shape)
    np.savez(tmp_path / "a.npz", x=values)
    runs = _runs(tmp_path, [X], batch_size)
    assert [run["x"].shape for run in runs] == expected
    assert {run["x"].dtype for run in runs} == {np.dtype(np.float32)}
    joined = np.concatenate([run["x"].reshape(-1, 3) for run in runs])
    np.testing.assert_array_equal(joined, values.astype(np.float32).reshape(-1, 3))


def test_runs_of_a_fixed_size(tmp_path: Path) -> None:
    """An input of a fixed size is cut; several inputs and files go together, in order."""
    for number in (1, 0):
        mask = np.arange(6) + 10 * number
        np.savez(tmp_path / f"{number}.npz", mask=mask, x=np.full((3, 1, 3), number, np.float32))
    runs = _runs(tmp_path, [X, MASK])
    assert [run["mask"].tolist() for run in runs] == [
        [0, 1], [2, 3], [4, 5], [10, 11], [12, 13], [14, 15],
    ]  # fmt: skip
    assert [run["x"][0, 0] for run in runs] == [0] * 3 + [1] * 3


def test_runs_of_an_iterator() -> None:
    """Which gives its values once."""
    values = [np.float32([[number, 1, 2]]) for number in range(3)]
    assert len(_runs(({"x": value} for value in values), [X])) == 3


BAD_DATA = {
    "no file": (lambda f: f / "none.npz", "there is no file or folder .*none.npz"),
    "an empty folder": (lambda f: f, "has no .npz files"),
    "a name": ([{"y": np.zeros((1, 3), "f")}], "has 'y', which is no input; the inputs are 'x'"),
    "no value": ([{}], r"has no value for the input 'x', float32 \[\?, 3\]"),
    "a rank": ([{"x": np.zeros(3, "f")}], r"'x' of the shape \[3\]; the model takes float32"),
    "a size": ([{"x": np.zeros((1, 4), "f")}], r"'x' of the shape \[1, 4\]"),
    "a type": ([{"x": np.zeros((1, 3), complex)}], "'x' of complex128"),
    "text": ([{"x": [["a", "b", "c"]]}], "'x' of <U1"),
    "NaN": ([{"x": [[1, np.nan, 2.0]]}], "sample 0 of the calibration data has NaN or Inf in 'x'"),
    "a dict": ({"x": np.zeros((1, 3))}, "put the one dict into a list"),
    "arrays": ([np.zeros((1, 3))], "is of type ndarray; each is a dict"),
    "a number": (3, "data is a path, or an iterable of dicts, not int"),
}


@pytest.mark.parametrize("what", BAD_DATA)
def test_bad_data(what: str, tmp_path: Path) -> None:
    data, message = BAD_DATA[what]
    with pytest.raises(omb.OmbError, match=message):
        _runs(data(tmp_path) if callable(data) else data, [X])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((2, 2, 2, 3))}, r"'x' of the shape \[2, 2, 2, 3\]; .* or a stack of such"),
        ({"x": np.zeros((4, 1, 3)), "mask": np.zeros(2, int)}, "4 of 'x', 1 of 'mask'"),
        ({"x": np.zeros((1, 1, 3)), "mask": np.zeros(3, int)}, r"'mask' of the shape \[3\]"),
    ],
)
def test_bad_files(arrays: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{"mask": np.zeros(2, int), **arrays})
    with pytest.raises(omb.OmbError, match=message):
        _runs(tmp_path / "a.npz", [X, MASK])


def test_files_of_other_formats(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((1, 3)))
    (tmp_path / "b.npz").write_text("no archive")
    for name in ("a.npy", "b.npz"):
        with pytest.raises(omb.OmbError, match=f"{name}' is not a .npz file"):
            _runs(tmp_path / name, [X])
