"""Convolutions with sparse filters, against sums of products in f64.

Sums of up to a few hundred products in f32, in another order than the reference's: the bound is
1e-5 of the largest absolute value of the result, ten times what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import ml_dtypes
import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
import small_models
from budget import examples
from hypothesis import given
from hypothesis import strategies as st
from models.joined import Together
from models.targets import needs_kernels
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from onnx_mlir_bridge.compiler import emit
from onnx_mlir_bridge.compiler.inspection import inspect
from small_models import tensor
from test_sparse_import import sparse_tensor

BOUND = 1e-5
FLOAT = TensorProto.FLOAT

pytestmark = needs_kernels


def filters(*shape: int, zeros: float = 0.8, block: int = 1) -> np.ndarray:
    """Random numbers; those of so many features next to each other are zero, or none of them is."""
    random = np.random.default_rng([*shape, block])
    kept = random.random((-(-shape[0] // block), *shape[1:])) >= zeros
    kept = np.repeat(kept, block, axis=0)[: shape[0]]
    return (kept * random.standard_normal(shape)).astype(np.float32)


@dataclass(frozen=True)
class Case:
    """A Conv of images [batch, channels, ...], and what is done to its result.

    after: "Residual" (the Sigmoid of what there is so far is added), "Relu".
    """

    images: tuple[int | str, ...]
    w: np.ndarray
    attributes: dict[str, object] = field(default_factory=dict)
    after: tuple[str, ...] = ("Relu",)
    bias: bool = True
    stored: bool = True

    def model(self) -> onnx.ModelProto:
        constants = {}
        operands = ["x", "w"]
        if self.bias:
            random = np.random.default_rng(1)
            constants["b"] = random.standard_normal(len(self.w)).astype(np.float32)
            operands.append("b")
        nodes, value = [helper.make_node("Conv", operands, ["v0"], **self.attributes)], "v0"
        for number, op in enumerate(self.after, 1):
            if op == "Residual":
                nodes.append(helper.make_node("Sigmoid", [value], [f"s{number}"]))
                nodes.append(helper.make_node("Add", [value, f"s{number}"], [f"v{number}"]))
            else:
                nodes.append(helper.make_node(op, [value], [f"v{number}"]))
            value = f"v{number}"
        nodes[-1].output[0] = "y"
        rank = len(self.images)
        model = small_models.model(
            nodes,
            [tensor("x", FLOAT, self.images)],
            [tensor("y", FLOAT, [f"y{dim}" for dim in range(rank)])],
            constants,
        )
        if self.stored:
            model.graph.sparse_initializer.append(sparse_tensor(self.w))
        else:
            model.graph.initializer.append(onnx.numpy_helper.from_array(self.w, "w"))
        return model

    def feed(self, **sizes: int) -> dict[str, np.ndarray]:
        shape = [sizes[d] if isinstance(d, str) else d for d in self.images]
        random = np.random.default_rng(shape)
        return {"x": random.standard_normal(shape).astype(np.float32)}

    def expected(self, feed: dict[str, np.ndarray]) -> np.ndarray:
        dense = Case(self.images, self.w, self.attributes, self.after, self.bias, stored=False)
        wide = onnx.ModelProto()
        wide.CopyFrom(dense.model())
        for constant in wide.graph.initializer:
            values = onnx.numpy_helper.to_array(constant).astype(np.float64)
            constant.CopyFrom(onnx.numpy_helper.from_array(values, constant.name))
        for value in (*wide.graph.input, *wide.graph.output):
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
        return ReferenceEvaluator(wide).run(None, {"x": feed["x"].astype(np.float64)})[0]


def check(cases: Sequence[Case], *sizes: dict[str, int], **options: object) -> None:
    """The cases, compiled as one, for each of these sizes."""
    models = [case.model() for case in cases]
    session = Together(models, **{"providers": ["cpu"], "sparse": "on", **options})
    for each in sizes or ({},):
        feeds = [case.feed(**each) for case in cases]
        for case, feed, (got,) in zip(cases, feeds, session.run(feeds), strict=True):
            want = case.expected(feed)
            which = f"{feed['x'].shape} by {case.w.shape}, {case.attributes}"
            assert got.shape == want.shape, which
            scale = max(np.abs(want).max(initial=0), 1e-30)
            assert np.abs(got - want).max(initial=0) <= BOUND * scale, which


def count_sparse(model: onnx.ModelProto, **options: object) -> int:
    """How many products have a kernel with sparse weights."""
    return emit(model, "vector", **options).count("dense_resource<positions")


CPUS = pytest.mark.parametrize("cpu", ["host", "x86-64-v3"])


@CPUS
def test_windows(cpu: str):
    """Kernels, strides, dilations and padding, of one to three spatial dimensions."""
    check(
        [
            Case((2, 20, 7, 9), filters(33, 20, 3, 3), {"pads": [1, 1, 1, 1]}),
            Case((2, 20, 11, 9), filters(33, 20, 3, 3), {"pads": [1, 0, 2, 1], "strides": [2, 2]}),
            Case((1, 3, 9, 12), filters(16, 3, 2, 4), {"dilations": [3, 2], "strides": [1, 3]}),
            Case((1, 16, 14, 14), filters(32, 16, 5, 5), {"auto_pad": "SAME_UPPER"}, bias=False),
            Case((3, 16, 14, 15), filters(48, 16, 1, 1), {"strides": [2, 2]}, ("Residual", "Relu")),
            Case((2, 8, 4, 4), filters(8, 8, 1, 1), {"pads": [1, 1, 1, 1]}, ()),
            Case((1, 5, 30), filters(3, 5, 4), {"pads": [1, 2], "dilations": [3], "strides": [2]}),
            Case(
                (1, 5, 8, 9, 10),
                filters(17, 5, 3, 2, 3),
                {"pads": [1, 0, 1, 0, 1, 1], "dilations": [2, 1, 1], "strides": [1, 2, 3]},
            ),
            # One window; more positions than a tile has.
            Case((1, 40, 7, 7), filters(24, 40, 7, 7, zeros=0.9)),
            Case((1, 4, 40, 40), filters(20, 4, 3, 3), {"pads": [1, 1, 1, 1]}),
        ],
        cpu=cpu,
    )


@CPUS
def test_positions(cpu: str):
    """Kernels of one position, by channels and by blocks of 16."""
    check(
        [
            Case((2, 20, 7, 9), filters(33, 20, 1, 1)),
            Case((1, 20, 7, 9), filters(32, 20, 1, 1, block=16), after=("Residual", "Relu")),
            Case((2, 7, 30), filters(5, 7, 1), bias=False, after=()),
            Case((1, 12, 1, 1), filters(10, 12, 1, 1)),
        ],
        cpu=cpu,
    )


@pytest.mark.parametrize("storage", ["bf16", "f16", "i8"])
def test_stored_values(storage: str):
    """Filters that these types hold exactly: images and sums stay f32."""
    w = filters(33, 20, 3, 3)
    if storage == "i8":
        w, precision = np.clip(np.rint(60 * w), -128, 127), "f32"
    else:
        narrow = ml_dtypes.bfloat16 if storage == "bf16" else np.float16
        w, precision = w.astype(narrow).astype(np.float32), storage
    case = Case((2, 20, 11, 9), w, {"pads": [1, 1, 1, 1], "strides": [1, 2]})
    text = emit(case.model(), "vector", sparse="on", precision=precision)
    assert f"tensor<?xi16>, tensor<?x{storage}>, tensor<33xf32>" in text
    check([case], precision=precision)


def test_unknown_sizes():
    """The batch in all, the positions where filters have one; else they are dense."""
    whole = {"n": 2, "h": 4, "w": 5}
    check(
        [
            Case(("n", 16, "h", "w"), filters(32, 16, 1, 1), after=("Residual", "Relu")),
            Case(("n", 16, "h", "w"), filters(32, 16, 1, 1, block=16)),
            Case(("n", 16, 6, 5), filters(32, 16, 3, 3), {"pads": [1, 1, 1, 1]}, ("Residual",)),
            Case(("n", 16, "h", "w"), filters(32, 16, 3, 3)),
        ],
        whole,
        {"n": 3, "h": 17, "w": 3},
        {"n": 0, "h": 3, "w": 3},
    )


def test_channels_without_values_and_full_ones():
    empty, full, none = (filters(40, 24, 3, 3, zeros=z) for z in (0.9, 0.0, 1.0))
    empty[16:32] = 0
    empty[:, 4:8] = 0
    empty[3] = 1
    check([Case((1, 24, 6, 6), w, {"pads": [1, 1, 1, 1]}) for w in (empty, full, none)])
    check([Case((1, 24, 6, 6), w[:, :, :1, :1].copy()) for w in (empty, full, none)])


def test_what_is_dense():
    """Groups, transposed convolutions, f64 and images of unknown size; "on" takes the others."""
    images = (1, 32, 8, 8)
    grouped = Case(images, filters(32, 8, 3, 3), {"group": 4})
    unknown = Case((1, 32, "h", "w"), filters(32, 32, 3, 3))
    strided = Case((1, 32, "h", 8), filters(32, 32, 1, 1), {"strides": [2, 2]})
    for case in (grouped, unknown, strided):
        assert count_sparse(case.model(), sparse="on") == 0
    check([grouped, strided], {"h": 8})
    for w in (filters(32, 32, 3, 3), filters(32, 32, 1, 1), filters(32, 32, 1, 1, block=16)):
        assert count_sparse(Case(images, w).model(), sparse="on") == 1
        assert count_sparse(Case(images, w, stored=False).model(), sparse="on") == 1
        assert count_sparse(Case(images, w).model(), sparse="off") == 0


def test_neighbours_keep_their_layout():
    """Between dense convolutions, what a sparse one reads and gives has the channels last."""
    w = {"w0": filters(32, 32, 3, 3, zeros=0), "w2": filters(32, 32, 3, 3, zeros=0)}
    for w1 in (filters(32, 32, 3, 3), filters(32, 32, 1, 1)):
        nodes = [
            helper.make_node("Conv", ["x", "w0"], ["a"], pads=[1, 1, 1, 1]),
            helper.make_node("Conv", ["a", "w1", "b"], ["c"], pads=[w1.shape[2] // 2] * 4),
            helper.make_node("Add", ["c", "a"], ["d"]),
            helper.make_node("Relu", ["d"], ["e"]),
            helper.make_node("Conv", ["e", "w2"], ["y"], pads=[1, 1, 1, 1]),
        ]
        value = tensor("x", FLOAT, (1, 32, 12, 12))
        bias = np.ones(32, np.float32)
        model = small_models.model(
            nodes, [value], [tensor("y", FLOAT, (1, 32, 12, 12))], {**w, "w1": w1, "b": bias}
        )
        text = emit(model, "vector", sparse="on", winograd=False)
        # To the first and from the last; two dense, one sparse and what packs its input. All that
        # is done to results is part of kernels.
        assert text.count("linalg.transpose") == 2
        assert text.count('"flow.dispatch"(') == 4
        assert "linalg.generic" not in text
        feed = {"x": np.random.default_rng(2).standard_normal((1, 32, 12, 12)).astype(np.float32)}
        compiled = omb.compile(model, sparse="on")
        got = omb.InferenceSession(compiled, ["cpu"]).run(None, feed)[0]
        want = ReferenceEvaluator(model).run(None, feed)[0]
        assert np.abs(got - want).max() <= 1e-4 * np.abs(want).max()  # three layers, and Winograd's


def test_convolutions_of_one_input_share_planes():
    w = {"w0": filters(32, 32, 3, 3), "w1": filters(16, 32, 3, 3)}
    nodes = [helper.make_node("Conv", ["x", f"w{i}"], [f"y{i}"]) for i in range(2)]
    outputs = [tensor(f"y{i}", FLOAT, (1, len(w[f"w{i}"]), 10, 10)) for i in range(2)]
    model = small_models.model(nodes, [tensor("x", FLOAT, (1, 32, 12, 12))], outputs, w)
    assert emit(model, "vector", sparse="on").count('"flow.dispatch"(') == 3


def test_modes():
    """Which filters are worth it, and how `omb inspect` shows them."""
    images = (1, 128, 28, 28)
    cases = [
        (filters(128, 128, 3, 3, zeros=0.95), "by channels"),
        (filters(512, 128, 1, 1, zeros=0.95), "by channels"),
        (filters(512, 128, 1, 1, zeros=0.9, block=16), "in blocks"),
        (filters(128, 128, 3, 3, zeros=0.5), "dense"),
        # Few channels, of which dense products are fast.
        (filters(16, 128, 3, 3, zeros=0.9), "dense"),
    ]
    for w, form in cases:
        model = Case(images, w, stored=False).model()
        (weight,) = inspect(model).sparse
        assert (weight.form, weight.shape) == (form, w.shape)
        assert count_sparse(model) == (form != "dense")
    # Of bf16, fewer are.
    some = Case(images, filters(128, 128, 3, 3, zeros=0.8)).model()
    assert count_sparse(some, precision="bf16") == 0


@examples(8)
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 40),
    features=st.integers(1, 40),
    sizes=st.tuples(st.integers(5, 20), st.integers(5, 20)),
    taps=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    pads=st.lists(st.integers(0, 2), min_size=4, max_size=4),
    zeros=st.sampled_from([0.3, 0.8, 0.97]),
    is_dynamic=st.booleans(),
)
def test_any_shape(
    batch, channels, features, sizes, taps, strides, dilations, pads, zeros, is_dynamic
):
    w = filters(features, channels, *taps, zeros=zeros)
    attributes = {"strides": strides, "dilations": dilations, "pads": pads}
    check([Case(("n" if is_dynamic else batch, channels, *sizes), w, attributes)], {"n": batch})
