"""The nine architectures that the onnx package carries, with random weights (see models/light.py).

All of them run on the CPU; on Vulkan the two small ones run, because lavapipe takes minutes for the
others. All compile for Vulkan and CUDA: the large ones, which have more of the layers that others
have and take longer than all else in this suite, in `make test-nightly`. The tolerances are
explained in test_models_built.py.
"""

from __future__ import annotations

import onnx
import onnx_mlir_bridge as omb
import pytest
from models import light, ptx, reference
from models.targets import CPU_TOLERANCE, GPU_TOLERANCE, on_gpus

SMALL = ("shufflenet", "squeezenet")
LARGE = ("densenet121", "inception_v1", "inception_v2", "resnet50", "vgg19", "zfnet512")


def _check(model: onnx.ModelProto, provider: str, tolerance: float) -> None:
    inputs = light.inputs(model)
    session = omb.InferenceSession(model, providers=[provider])
    assert [value.name for value in session.get_inputs()] == list(inputs)
    names = [value.name for value in session.get_outputs()]
    assert names == [value.name for value in model.graph.output]
    reference.assert_runs_alike(session, model, inputs, tolerance)


def _compile_for_others(model: onnx.ModelProto) -> None:
    assert omb.compile(model, target="vulkan").emit("vmfb")
    ptx.assemble(omb.compile(model, target="cuda"))


@pytest.mark.parametrize("name", [name for name in light.NAMES if name not in LARGE])
def test_every_target(name: str) -> None:
    """One test, so that a model is made once."""
    model = light.load(name)
    _check(model, "cpu", CPU_TOLERANCE)
    _compile_for_others(model)


@pytest.mark.parametrize("name", LARGE)
def test_cpu_agrees(name: str) -> None:
    _check(light.load(name), "cpu", CPU_TOLERANCE)


@pytest.mark.nightly
@pytest.mark.parametrize("name", LARGE)
def test_other_targets_of_large_models(name: str) -> None:
    _compile_for_others(light.load(name))


@on_gpus
@pytest.mark.parametrize("name", SMALL)
def test_gpus_agree(name: str, provider: str) -> None:
    _check(light.load(name), provider, GPU_TOLERANCE)
