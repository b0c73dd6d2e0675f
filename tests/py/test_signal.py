"""DFT, STFT and MelWeightMatrix against NumPy and the reference evaluator."""

import numpy as np
import onnx_mlir_bridge as omb
import pytest
from models.joined import Together
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


def _run_all(models, feeds, initializers=()):
    """The result of each model for its feeds; all are compiled as one."""
    given = [{n: x for n, x in each.items() if n not in initializers} for each in feeds]
    return [result for (result,) in Together(models, providers=["cpu"]).run(given)]


def _complex(array):
    array = array.astype(np.float64)
    return array[..., 0] + (1j * array[..., 1] if array.shape[-1] == 2 else 0)


def _close(actual, expected, dtype, which=""):
    """An error of a few roundings of the largest number."""
    scale = max(np.abs(expected).max(), 1e-30)
    assert np.abs(actual - expected).max() <= 8 * np.finfo(dtype).eps * scale, which


LENGTHS = {
    np.float32: (1, 2, 7, 64, 100, 257, 400, 1024),
    np.float16: (7, 257, 400),
    np.float64: (7, 257, 400),
}


@pytest.mark.parametrize("dtype", LENGTHS)
@pytest.mark.parametrize("parts", [1, 2])
def test_dft(dtype, parts):
    feeds = [
        {"x": np.random.default_rng(length).standard_normal((3, length, parts)).astype(dtype)}
        for length in LENGTHS[dtype]
    ]
    results = _run_all([_model("DFT", each, 3) for each in feeds], feeds)
    for length, each, actual in zip(LENGTHS[dtype], feeds, results, strict=True):
        assert actual.dtype == dtype
        expected = np.fft.fft(_complex(each["x"]), axis=1)
        _close(_complex(actual), expected, dtype, f"{length} elements")


@pytest.mark.parametrize("axis", [0, 1, -2, -3])
@pytest.mark.parametrize("how", ["inverse", "onesided"])
def test_axes_and_lengths(axis, how):
    """Padded, cut off, and with an axis in any place."""
    shape = (100, 2, 11, 2 if how == "inverse" else 1)
    place = axis if axis >= 0 else axis + 4
    lengths = (3, 90, 150, 521)
    feeds = [
        {
            "x": np.random.default_rng(length).standard_normal(shape).astype(np.float32),
            "length": np.array(length),
            "axis": np.array(axis),
        }
        for length in lengths
    ]
    constant = ("length", "axis")
    models = [
        _model("DFT", each, 4, initializers=constant, dynamic=("x",), **{how: 1}) for each in feeds
    ]
    results = _run_all(models, feeds, constant)
    for length, each, actual in zip(lengths, feeds, results, strict=True):
        data = _complex(each["x"])
        if how == "inverse":
            expected = np.fft.ifft(data, length, place)
        else:
            expected = np.take(np.fft.fft(data, length, place), range(length // 2 + 1), place)
        _close(_complex(actual), expected, np.float32, f"length {length}")


@pytest.mark.parametrize("known", [True, False])
def test_irfft(known):
    data = np.random.default_rng(0).standard_normal((2, 90, 2)).astype(np.float32)
    lengths = (None, 8, 9, 128, 131, 200)
    feeds = [
        {"x": data, "length": np.array(length, np.int32)} if length else {"x": data}
        for length in lengths
    ]
    options = {"inverse": 1, "onesided": 1, "dynamic": () if known else ("x",)}
    constant = ("length",) if known else ()
    if known:
        models = [_model("DFT", each, 3, initializers=constant, **options) for each in feeds]
        results = _run_all(models, feeds, constant)
    else:
        # One model for the lengths of the run, and one without.
        bare = omb.InferenceSession(_model("DFT", feeds[0], 3, **options), providers=["cpu"])
        session = omb.InferenceSession(_model("DFT", feeds[1], 3, **options), providers=["cpu"])
        runs = [bare.run(None, feeds[0]), *(session.run(None, each) for each in feeds[1:])]
        results = [result for (result,) in runs]
    for length, actual in zip(lengths, results, strict=True):
        assert actual.shape[-1] == 1
        expected = np.fft.irfft(_complex(data), length or 178, 1)
        _close(actual[..., 0], expected, np.float32, f"length {length}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("inverse", [0, 1])
def test_lengths_of_the_run(dtype, inverse):
    """That of the data, and another that is an input."""
    transform = np.fft.ifft if inverse else np.fft.fft
    for cases in [((1, None), (60, None)), ((5, 8), (200, 77))]:
        session = None
        for length, given in cases:
            data = np.random.default_rng(length).standard_normal((2, length, 2)).astype(dtype)
            feeds = {"x": data} | ({"length": np.array(given)} if given else {})
            if session is None:
                model = _model("DFT", feeds, 3, dynamic=("x",), inverse=inverse)
                session = omb.InferenceSession(model, providers=["cpu"])
            (actual,) = session.run(None, feeds)
            which = f"{length} elements, length {given}"
            _close(_complex(actual), transform(_complex(data), given, 1), dtype, which)


@pytest.mark.parametrize(("inverse", "onesided"), [(0, 0), (1, 1), (1, 0)])
def test_the_axis_of_the_run(inverse, onesided):
    data = np.random.default_rng(0).standard_normal((4, 6, 5, 2)).astype(np.float32)
    feeds = {"x": data, "length": np.array(9), "axis": np.array(0)}
    model = _model("DFT", feeds, 4, inverse=inverse, onesided=onesided)
    session = omb.InferenceSession(model, providers=["cpu"])
    transform = np.fft.irfft if onesided else np.fft.ifft if inverse else np.fft.fft
    for axis in (0, 1, -2):
        place = axis if axis >= 0 else axis + 4
        (actual,) = session.run(None, {**feeds, "axis": np.array(axis)})
        expected = transform(_complex(data), 9, place)
        _close(_complex(actual), expected, np.float32, f"axis {axis}")


def test_a_length_of_zero_stops_the_run():
    feeds = {"x": np.ones((2, 3, 1), np.float32), "length": np.array(0)}
    with pytest.raises(omb.OmbError, match="the dft_length is less than 1"):
        _run(_model("DFT", feeds, 3), feeds)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("onesided", [0, 1])
def test_stft(parts, known, onesided):
    sizes = {16: 5, 100: 40}  # of frames, and the steps between them
    feeds = []
    for size, step in sizes.items():
        rng = np.random.default_rng(size)
        feeds.append(
            {
                "x": rng.standard_normal((2, 250, parts)).astype(np.float32),
                "step": np.array(step),
                "window": rng.random(size).astype(np.float32),
                "size": np.array(size),
            }
        )
    constant = ("step", "size", "window") if known else ()
    dynamic = () if known else ("x", "window")
    models = [
        _model("STFT", each, 4, initializers=constant, dynamic=dynamic, onesided=onesided)
        for each in feeds
    ]
    if known:
        results = _run_all(models, feeds, constant)
    else:
        session = omb.InferenceSession(models[0], providers=["cpu"])
        results = [session.run(None, each)[0] for each in feeds]
    for (size, step), each, actual in zip(sizes.items(), feeds, results, strict=True):
        frames = [
            _complex(each["x"])[:, at : at + size] * each["window"].astype(np.float64)
            for at in range(0, 250 - size + 1, step)
        ]
        expected = np.fft.fft(np.stack(frames, 1), axis=2)
        if onesided:
            expected = expected[:, :, : size // 2 + 1]
        _close(_complex(actual), expected, np.float32, f"frames of {size}")


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
def test_mel_weights(known, output):
    feeds = [
        {
            "bins": np.array(bins),
            "length": np.array(length),
            "rate": np.array(rate),
            "low": np.array(0.0, np.float32),
            "high": np.array(rate / 2, np.float32),
        }
        for bins, length, rate in [(8, 16, 8192), (80, 400, 16000), (5, 7, 100)]
    ]
    constant = tuple(feeds[0]) if known else ()
    options = {"initializers": constant, "output_datatype": output}
    models = [_model("MelWeightMatrix", each, 2, output, **options) for each in feeds]
    if known:
        results = _run_all(models, feeds, constant)
    else:
        session = omb.InferenceSession(models[0], providers=["cpu"])
        results = [session.run(None, each)[0] for each in feeds]
    for model, each, actual in zip(models, feeds, results, strict=True):
        expected = ReferenceEvaluator(model).run(None, {} if known else each)[0]
        assert actual.dtype == expected.dtype
        which = f"{each['bins']} bins of {each['length']}"
        np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6, err_msg=which)
