"""Products with sparse weights on devices without kernels: loops that IREE compiles.

The bound is that of test_sparse_kernels.py.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from models.joined import Together, joined
from models.targets import needs_cuda, needs_vulkan
from onnx import helper
from onnx_mlir_bridge.compiler import emit
from test_sparse_convolutions import Case, check, filters
from test_sparse_kernels import close, expected, feed_of, product, weights

GENERIC = {"providers": ["cpu"], "cpu": "generic"}
DEVICES = pytest.mark.parametrize(
    "device",
    [
        pytest.param(GENERIC, id="cpu"),
        pytest.param({"providers": ["vulkan"]}, id="vulkan", marks=needs_vulkan),
        pytest.param({"providers": ["cuda"]}, id="cuda", marks=needs_cuda),
    ],
)
"""A CPU without AVX2, and what there is for Vulkan and CUDA."""


def _with_empty_and_full_channels() -> np.ndarray:
    w = weights(70, 48, 0.9)
    w[:, 16:32] = 0
    w[:, 5] = 1
    return w


WEIGHTS = {
    "channels": weights(37, 45, 0.8),
    "blocks": weights(40, 48, 0.8, 16),
    "few": weights(3, 1, 0.5),
    "empty and full channels": _with_empty_and_full_channels(),
    "zeros": weights(24, 32, 1.0),
    "no zeros": weights(24, 32, 0.0),
}


@DEVICES
def test_shapes(device: dict[str, object]):
    cases = [
        ((rows,), w, after)
        for w in WEIGHTS.values()
        for rows, after in ((1, ()), (33, ("Bias", "Relu")))
    ]
    cases.append(((2, 3, 5), WEIGHTS["channels"], ("Residual",)))
    models = [product(*case) for case in cases]
    feeds = [feed_of(model) for model in models]
    results = Together(models, sparse="on", **device).run(feeds)
    for (rows, w, after), feed, (got,) in zip(cases, feeds, results, strict=True):
        close(got, expected(feed, w, after), f"{rows} by {w.shape}, {after}")


@DEVICES
@pytest.mark.parametrize("form", ["channels", "blocks"])
def test_unknown_rows(device: dict[str, object], form: str):
    w, after = WEIGHTS[form], ("Bias", "Gelu")
    model = product(("m",), w, after)
    session = omb.InferenceSession(model, sparse="on", **device)
    empty = [] if device["providers"] == ["vulkan"] else [0]  # IREE has no empty buffers there
    for rows in (*empty, 1, 7, 32, 65):
        feed = feed_of(model, m=rows)
        close(session.run(None, feed)[0], expected(feed, w, after), f"{rows} rows")


def _normalized(rows: int | str) -> onnx.ModelProto:
    """A product between reductions, which IREE may compute in the same dispatch."""
    model = product((rows,), WEIGHTS["channels"], ("Bias",))
    model.graph.node[-1].output[0] = "v"
    model.graph.node.append(helper.make_node("Softmax", ["v"], ["y"], axis=-1))
    return model


def test_cuda_compiles():
    models = [product(("m",), w, ("Bias",)) for w in (WEIGHTS["channels"], WEIGHTS["blocks"])]
    models += [_normalized("m"), _normalized(40)]
    assert "scf.for" in emit(joined(models), "iree", target="cuda", sparse="on")
    omb.compile(joined(models), target="cuda", sparse="on")


@DEVICES
def test_reduction_of_a_product(device: dict[str, object]):
    for model, sizes in ((_normalized("m"), {"m": 40}), (_normalized(40), {})):
        feed = feed_of(model, **sizes)
        value = expected(feed, WEIGHTS["channels"], ("Bias",))
        value = np.exp(value - value.max(-1, keepdims=True))
        got = omb.InferenceSession(model, sparse="on", **device).run(None, feed)[0]
        close(got, value / value.sum(-1, keepdims=True))


CONVOLUTIONS = [
    Case((2, 20, 7, 9), filters(33, 20, 3, 3), {"pads": [1, 1, 1, 1]}),
    Case((2, 6, 11, 9), filters(5, 6, 3, 2), {"pads": [1, 0, 2, 1], "strides": [2, 3]}),
    Case((1, 3, 9, 12), filters(16, 3, 2, 4), {"dilations": [3, 2]}, bias=False),
    Case((1, 5, 30), filters(3, 5, 4), {"pads": [1, 2], "dilations": [3], "strides": [2]}),
    Case((1, 5, 8, 9, 10), filters(17, 5, 3, 2, 3), {"pads": [1] * 6}, after=()),
    Case((3, 16, 5, 7), filters(48, 16, 1, 1), after=("Residual", "Relu")),
    Case((3, 16, 5, 7), filters(48, 16, 1, 1, block=16), {"pads": [0, 1, 0, 0]}),
    Case((1, 4, 3, 3), filters(8, 4, 3, 3, zeros=1.0)),
    Case((1, 4, 3, 3), filters(8, 4, 1, 1, zeros=0.0), {"strides": [2, 2]}),
]


@DEVICES
def test_convolutions(device: dict[str, object]):
    check(CONVOLUTIONS, **device)


@DEVICES
def test_convolutions_of_unknown_sizes(device: dict[str, object]):
    """Of one position, images may have any size; of several, there may be any number of images."""
    cases = [
        Case(("b", 16, "h", "w"), filters(48, 16, 1, 1)),
        Case(("b", 16, "h", "w"), filters(48, 16, 1, 1, block=16), bias=False),
    ]
    check(cases, {"b": 1, "h": 3, "w": 5}, {"b": 3, "h": 2, "w": 1}, **device)
    check([Case(("b", 4, 5, 6), filters(9, 4, 3, 3))], {"b": 2}, {"b": 1}, **device)


def test_convolutions_are_sparse_where_that_is_asked_for():
    model = joined([case.model() for case in CONVOLUTIONS])
    for target in ("cpu", "cuda"):
        options = {"target": target, "cpu": "generic"}
        assert emit(model, "iree", sparse="on", **options).count("scf.for") == len(CONVOLUTIONS)
        assert "scf.for" not in emit(model, "iree", sparse="auto", **options)
    omb.compile(model, target="cuda", sparse="on")


def test_modes_of_convolutions():
    layer = {
        zeros: Case((1, 64, 20, 20), filters(64, 64, 3, 3, zeros=zeros)).model()
        for zeros in (0.7, 0.9)
    }
    assert _is_sparse(layer[0.9]) and not _is_sparse(layer[0.7])
    assert not _is_sparse(layer[0.9], "vulkan") and not _is_sparse(layer[0.9], "cuda")
    assert _is_sparse(layer[0.9], "vulkan", sparse="on")


def _is_sparse(model: onnx.ModelProto, target: str = "cpu", **options: object) -> bool:
    is_loop = "scf.for" in emit(model, "iree", target, cpu="generic", **options)
    assert is_loop == ("#sparse_tensor" in emit(model, "linalg", target, cpu="generic", **options))
    return is_loop


def test_modes():
    layer = {zeros: product((128,), weights(512, 512, zeros)) for zeros in (0.7, 0.9)}
    assert _is_sparse(layer[0.9])
    assert not _is_sparse(layer[0.9], sparse="off")
    assert not _is_sparse(layer[0.9], opt_level=0)
    assert not _is_sparse(layer[0.7]) and _is_sparse(layer[0.7], sparse="on")


@pytest.mark.parametrize("target", ["vulkan", "cuda"])
def test_modes_of_gpus(target: str):
    layer = {zeros: product((128,), weights(1024, 1024, zeros)) for zeros in (0.95, 0.98)}
    assert _is_sparse(layer[0.98], target)
    assert not _is_sparse(layer[0.95], target)
    assert _is_sparse(layer[0.95], target, sparse="on")
    # Few rows don't keep threads busy, and few elements aren't worth another dispatch.
    assert not _is_sparse(product((1,), weights(1024, 1024, 0.98)), target)
    assert not _is_sparse(product(("m",), weights(1024, 1024, 0.98)), target)
    assert not _is_sparse(product((128,), weights(512, 512, 0.98)), target)
