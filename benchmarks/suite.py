"""The models that are measured, and their inputs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx

REPOSITORY = Path(__file__).resolve().parents[1]
EXPORTED = ("resnet50", "mobilenetv2", "bert", "vit", "gpt2")

sys.path.insert(0, str(REPOSITORY / "tests" / "py"))
from models import light  # noqa: E402 - the tests' builders; not an installed package

LIGHT = tuple(f"light-{name}" for name in light.NAMES)
NAMES = EXPORTED + LIGHT
TOKEN = "gpt2-token"
"""GPT-2 of one token."""


def folder() -> Path:
    """Where the model files are: $OMB_EXPORTED_MODELS, else benchmarks/models."""
    return Path(os.environ.get("OMB_EXPORTED_MODELS", REPOSITORY / "benchmarks" / "models"))


def kept(path: Path, write: Callable[[Path], None]) -> Path:
    """``path``, which ``write`` makes on first use; an interrupted one counts as not made."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"part-{path.name}")
        write(part)
        part.replace(path)
    return path


def find(name: str) -> Path | None:
    """The file of model ``name``; light models and TOKEN are written on first use.

    None: not exported.
    """
    path = folder() / f"{name}.onnx"
    if not path.is_file() and name in LIGHT:
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(light.load(name.removeprefix("light-")), path)
    dynamic = folder() / "gpt2-dynamic.onnx"
    if not path.is_file() and name == TOKEN and dynamic.is_file():
        _fix_dimensions(dynamic, path)
    return path if path.is_file() else None


def _fix_dimensions(dynamic: Path, path: Path) -> None:
    """The model with 1 for each symbolic dimension of its inputs."""
    model = onnx.load(dynamic)
    for value in (*model.graph.input, *model.graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.dim_value = 1
    del model.graph.value_info[:]
    onnx.save(model, path)


def inputs(path: Path, seed: int = 3) -> dict[str, np.ndarray]:
    """Random inputs of the model's (static) shapes; every token of an attention mask is visible."""
    graph = onnx.load(path, load_external_data=False).graph
    weights = {initializer.name for initializer in graph.initializer}
    random = np.random.default_rng(seed)
    values = {}
    for value in graph.input:
        if value.name in weights:
            continue
        tensor = value.type.tensor_type
        shape = [d.dim_value for d in tensor.shape.dim]
        if tensor.elem_type == onnx.TensorProto.FLOAT:
            values[value.name] = random.standard_normal(shape, np.float32)
        elif value.name == "attention_mask":
            values[value.name] = np.ones(shape, np.int64)
        else:
            values[value.name] = random.integers(0, 30000, shape)
    return values
