"""Recurrent operators of many steps, whose last results follow from all of them.

The oracle is onnx's reference evaluator. It computes in float32, too, and steps add up what both
round: 1e-5 of results below 1.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from models.joined import Together, joined
from models.targets import GPU_TOLERANCE, on_gpus
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
_INPUTS, _HIDDEN, _BATCH = 5, 7, 2


def _model(op: str, steps: int | str, direction: str, batch: int | str = _BATCH) -> onnx.ModelProto:
    random = np.random.default_rng(0)
    directions = 2 if direction == "bidirectional" else 1
    height = _GATES[op] * _HIDDEN

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        values = random.uniform(-0.5, 0.5, shape).astype(np.float32)
        return numpy_helper.from_array(values, name)

    constants = [
        weight("w", directions, height, _INPUTS),
        weight("r", directions, height, _HIDDEN),
        weight("b", directions, 2 * height),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [steps, batch, _INPUTS])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank)
        for name, rank in (("all", 4), ("last", 3))
    ]
    node = helper.make_node(
        op, ["x", "w", "r", "b"], ["all", "last"], hidden_size=_HIDDEN, direction=direction
    )
    graph = helper.make_graph([node], "g", [x], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)


def _check(
    models: list[onnx.ModelProto], steps: list[int], provider: str = "cpu", atol: float = 1e-5
) -> None:
    session = Together(models, providers=[provider])
    random = np.random.default_rng(1)
    feeds = [
        {"x": random.uniform(-1, 1, (count, _BATCH, _INPUTS)).astype(np.float32)} for count in steps
    ]
    # A second run has the state of none before it.
    for _ in range(2):
        for model, values, found in zip(models, feeds, session.run(feeds), strict=True):
            expected = ReferenceEvaluator(model).run(None, values)
            for ours, theirs in zip(found, expected, strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


@pytest.mark.parametrize("op", _GATES)
def test_many_steps(op):
    directions = ["forward", "reverse", "bidirectional"]
    _check([_model(op, 83, direction) for direction in directions], [83] * 3)


def test_an_unknown_number_of_steps():
    _check([_model(op, "steps", "forward") for op in _GATES], [83, 1, 20])


# Steps add to a part of a tensor where there are several rows.
_BATCHES = [_model(op, 5, "bidirectional", batch) for op in _GATES for batch in (_BATCH, "batch")]


@on_gpus
def test_gpus_agree(provider):
    _check(_BATCHES, [5] * len(_BATCHES), provider, atol=GPU_TOLERANCE)


def test_cuda_compiles():
    omb.compile(joined(_BATCHES), target="cuda")
