"""The nine architectures that the onnx package carries, with random weights (see models/light.py).

All of them compile for every target and run on the CPU; on Vulkan the two small ones run, because
lavapipe takes minutes for the others. The tolerances are explained in test_models_built.py.
"""

from __future__ import annotations

import onnx
import onnx_mlir_bridge as omb
import pytest
from models import light, ptx, reference
from models.targets import CPU_TOLERANCE, VULKAN_TOLERANCE, needs_vulkan

SMALL = ("shufflenet", "squeezenet")


@pytest.fixture(params=light.NAMES)
def model(request: pytest.FixtureRequest) -> onnx.ModelProto:
    return light.load(request.param)


def _check(model: onnx.ModelProto, provider: str, tolerance: float) -> None:
    inputs = light.inputs(model)
    session = omb.InferenceSession(model, providers=[provider])
    assert [value.name for value in session.get_inputs()] == list(inputs)
    names = [value.name for value in session.get_outputs()]
    assert names == [value.name for value in model.graph.output]
    reference.assert_runs_alike(session, model, inputs, tolerance)


def test_every_target(model: onnx.ModelProto) -> None:
    """One test, so that a model is made once: VGG-19 has 574 MB of weights."""
    _check(model, "cpu", CPU_TOLERANCE)
    assert omb.compile(model, target="vulkan").emit("vmfb")
    ptx.assemble(omb.compile(model, target="cuda"))


@needs_vulkan
@pytest.mark.parametrize("name", SMALL)
def test_vulkan_agrees(name: str) -> None:
    _check(light.load(name), "vulkan", VULKAN_TOLERANCE)
