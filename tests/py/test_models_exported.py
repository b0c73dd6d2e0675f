"""ResNet-50, MobileNetV2, BERT-base, ViT-B/16 and GPT-2 as PyTorch exports them.

benchmarks/export_models.py writes the files; where they are not, these tests skip. The tolerances
are explained in test_models_built.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from models import ptx, reference, stored
from models.targets import CPU_TOLERANCE, GPU_TOLERANCE, needs_vulkan

BATCH, SEQUENCE = 2, 37
"""What dynamic dimensions get: not the sizes that the models were exported with."""


def _require(name: str, dynamic: bool = False) -> Path:
    path = stored.exported(name, dynamic)
    if path is None:
        option = " --dynamic" if dynamic else ""
        pytest.skip(f"not exported: python benchmarks/export_models.py{option} {name}")
    return path


def _inputs(path: Path) -> dict[str, np.ndarray]:
    random = np.random.default_rng(13)
    sizes = {"batch": BATCH, "sequence": SEQUENCE}
    inputs = {}
    for value in onnx.load(path, load_external_data=False).graph.input:
        tensor = value.type.tensor_type
        shape = [sizes[d.dim_param] if d.dim_param else d.dim_value for d in tensor.shape.dim]
        if tensor.elem_type == onnx.TensorProto.FLOAT:
            inputs[value.name] = random.standard_normal(shape, np.float32)
        elif value.name == "attention_mask":
            inputs[value.name] = (np.arange(shape[1]) < shape[1] - 9).astype(np.int64)[None]
            inputs[value.name] = inputs[value.name].repeat(shape[0], axis=0)
        else:
            inputs[value.name] = random.integers(0, 30000, shape)
    return inputs


def _check(path: Path, provider: str, tolerance: float) -> None:
    session = omb.InferenceSession(path, providers=[provider])
    reference.assert_runs_alike(session, path, _inputs(path), tolerance)


@pytest.mark.parametrize("dynamic", [False, True], ids=["static", "dynamic"])
@pytest.mark.parametrize("name", stored.EXPORTED)
def test_cpu_agrees(name: str, dynamic: bool) -> None:
    _check(_require(name, dynamic), "cpu", CPU_TOLERANCE)


@pytest.mark.parametrize("name", stored.EXPORTED)
def test_vulkan_compiles(name: str) -> None:
    assert omb.compile(_require(name), target="vulkan").emit("vmfb")


@needs_vulkan
def test_vulkan_agrees() -> None:
    _check(_require("mobilenetv2"), "vulkan", GPU_TOLERANCE)


@pytest.mark.parametrize("name", stored.EXPORTED)
def test_cuda_assembles(name: str) -> None:
    ptx.assemble(omb.compile(_require(name), target="cuda"))
