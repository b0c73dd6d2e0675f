"""DFT, STFT and MelWeightMatrix against NumPy and the reference evaluator."""

import numpy as np
import onnx_mlir_bridge as omb
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator


def _model(op, feeds, rank, output=None, initializers=(), dynamic=(), **attributes):
    """One node. `initializers` and `dynamic`: inputs that are constants, or have symbolic sizes."""
    inputs, constants = [], []
    for name, array in feeds.items():
        proto = helper.np_dtype_to_tensor_dtype(array.dtype)
        if name in initializers:
            constants.append(helper.make_tensor(name, proto, array.shape, array.ravel().tolist()))
            continue
        shape = list(array.shape)
        if name in dynamic:
            shape = [
                f"{name}{i}" if i < array.ndim - 1 or array.ndim == 1 else n
                for i, n in enumerate(shape)
            ]
        inputs.append(helper.make_tensor_value_info(name, proto, shape))
    names = list(feeds)
    node = helper.make_node(op, names, ["y"], **attributes)
    proto = output or helper.np_dtype_to_tensor_dtype(next(iter(feeds.values())).dtype)
    graph = helper.make_graph(
        [node],
        "g",
        inputs,
        [helper.make_tensor_value_info("y", proto, [None] * rank)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _run(model, feeds, initializers=()):
    given = {name: array for name, array in feeds.items() if name not in initializers}
    return omb.InferenceSession(model, providers=["cpu"]).run(None, given)[0]


def _complex(array):
    array = array.astype(np.float64)
    return array[..., 0] + (1j * array[..., 1] if array.shape[-1] == 2 else 0)


def _close(actual, expected, dtype):
    """An error of a few roundings of the largest number."""
    scale = max(np.abs(expected).max(), 1e-30)
    assert np.abs(actual - expected).max() <= 8 * np.finfo(dtype).eps * scale


@pytest.mark.parametrize(
    ("dtype", "length"),
    [
        *((np.float32, length) for length in (1, 2, 7, 64, 100, 257, 400, 1024)),
        *((dtype, length) for dtype in (np.float16, np.float64) for length in (7, 257, 400)),
    ],
)
@pytest.mark.parametrize("parts", [1, 2])
def test_dft(dtype, length, parts):
    data = np.random.default_rng(length).standard_normal((3, length, parts)).astype(dtype)
    actual = _run(_model("DFT", {"x": data}, 3), {"x": data})
    assert actual.dtype == dtype
    _close(_complex(actual), np.fft.fft(_complex(data), axis=1), dtype)


@pytest.mark.parametrize("axis", [0, 1, -2, -3])
@pytest.mark.parametrize("length", [3, 90, 150, 521])
@pytest.mark.parametrize("how", ["inverse", "onesided"])
def test_axes_and_lengths(axis, length, how):
    """Padded, cut off, and with an axis in any place."""
    shape = (100, 2, 11, 2 if how == "inverse" else 1)
    data = np.random.default_rng(length).standard_normal(shape).astype(np.float32)
    feeds = {"x": data, "length": np.array(length), "axis": np.array(axis)}
    constant = ("length", "axis")
    model = _model("DFT", feeds, 4, initializers=constant, dynamic=("x",), **{how: 1})
    actual = _complex(_run(model, feeds, constant))
    place = axis if axis >= 0 else axis + 4
    if how == "inverse":
        expected = np.fft.ifft(_complex(data), length, place)
    else:
        whole = np.fft.fft(_complex(data), length, place)
        expected = np.take(whole, range(length // 2 + 1), place)
    _close(actual, expected, np.float32)


@pytest.mark.parametrize("length", [None, 8, 9, 128, 131, 200])
@pytest.mark.parametrize("known", [True, False])
def test_irfft(length, known):
    data = np.random.default_rng(0).standard_normal((2, 90, 2)).astype(np.float32)
    feeds = {"x": data}
    if length:
        feeds["length"] = np.array(length, np.int32)
    constant, dynamic = (("length",), ()) if known else ((), ("x",))
    model = _model(
        "DFT",
        feeds,
        3,
        initializers=constant,
        dynamic=dynamic,
        inverse=1,
        onesided=1,
    )
    actual = _run(model, feeds, constant)
    assert actual.shape[-1] == 1
    _close(actual[..., 0], np.fft.irfft(_complex(data), length or 178, 1), np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("length", "given"), [(1, None), (5, 8), (60, None), (200, 77)])
@pytest.mark.parametrize("inverse", [0, 1])
def test_lengths_of_the_run(dtype, length, given, inverse):
    data = np.random.default_rng(length).standard_normal((2, length, 2)).astype(dtype)
    feeds = {"x": data}
    if given:
        feeds["length"] = np.array(given)
    model = _model("DFT", feeds, 3, dynamic=("x",), inverse=inverse)
    transform = np.fft.ifft if inverse else np.fft.fft
    _close(_complex(_run(model, feeds)), transform(_complex(data), given, 1), dtype)


@pytest.mark.parametrize("axis", [0, 1, -2])
@pytest.mark.parametrize(("inverse", "onesided"), [(0, 0), (1, 1), (1, 0)])
def test_the_axis_of_the_run(axis, inverse, onesided):
    data = np.random.default_rng(0).standard_normal((4, 6, 5, 2)).astype(np.float32)
    feeds = {"x": data, "length": np.array(9), "axis": np.array(axis)}
    model = _model("DFT", feeds, 4, inverse=inverse, onesided=onesided)
    place = axis if axis >= 0 else axis + 4
    transform = np.fft.irfft if onesided else np.fft.ifft if inverse else np.fft.fft
    actual = _complex(_run(model, feeds))
    _close(actual, transform(_complex(data), 9, place), np.float32)


def test_a_length_of_zero_stops_the_run():
    feeds = {"x": np.ones((2, 3, 1), np.float32), "length": np.array(0)}
    with pytest.raises(omb.OmbError, match="the dft_length is less than 1"):
        _run(_model("DFT", feeds, 3), feeds)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize(("size", "step"), [(16, 5), (100, 40)])
def test_stft(parts, known, onesided, size, step):
    rng = np.random.default_rng(size)
    signal = rng.standard_normal((2, 250, parts)).astype(np.float32)
    feeds = {
        "x": signal,
        "step": np.array(step),
        "window": rng.random(size).astype(np.float32),
        "size": np.array(size),
    }
    constant = ("step", "size", "window") if known else ()
    dynamic = () if known else ("x", "window")
    model = _model("STFT", feeds, 4, initializers=constant, dynamic=dynamic, onesided=onesided)
    frames = [
        _complex(signal)[:, at : at + size] * feeds["window"].astype(np.float64)
        for at in range(0, 250 - size + 1, step)
    ]
    expected = np.fft.fft(np.stack(frames, 1), axis=2)
    if onesided:
        expected = expected[:, :, : size // 2 + 1]
    _close(_complex(_run(model, feeds, constant)), expected, np.float32)


def test_a_signal_shorter_than_a_frame_stops_the_run():
    feeds = {
        "x": np.ones((1, 8, 1), np.float32),
        "step": np.array(1),
        "window": np.ones(9, np.float32),
    }
    model = _model("STFT", feeds, 4, dynamic=("x", "window"))
    with pytest.raises(omb.OmbError, match="shorter than a frame"):
        _run(model, feeds)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("output", [TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT32])
@pytest.mark.parametrize(("bins", "length", "rate"), [(8, 16, 8192), (80, 400, 16000), (5, 7, 100)])
def test_mel_weights(known, output, bins, length, rate):
    feeds = {
        "bins": np.array(bins),
        "length": np.array(length),
        "rate": np.array(rate),
        "low": np.array(0.0, np.float32),
        "high": np.array(rate / 2, np.float32),
    }
    constant = tuple(feeds) if known else ()
    model = _model(
        "MelWeightMatrix", feeds, 2, output, initializers=constant, output_datatype=output
    )
    given = {} if known else feeds
    expected = ReferenceEvaluator(model).run(None, given)[0]
    actual = _run(model, feeds, constant)
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6)
