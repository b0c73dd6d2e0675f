"""Tiny transformers as PyTorch exports them, each compiled once for all sizes.

benchmarks/export_tiny_models.py writes the files; where they are not, these tests skip. The
tolerances are explained in test_models_built.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx_mlir_bridge as omb
import pytest
from models import ptx, reference, stored
from models.targets import CPU_TOLERANCE, GPU_TOLERANCE, on_gpus

Inputs = dict[str, np.ndarray]
VOCABULARY, PADDING = 64, 1


def _random() -> np.random.Generator:
    return np.random.default_rng(13)


def _ids(batch: int, sequence: int) -> np.ndarray:
    return _random().integers(2, VOCABULARY, (batch, sequence))


def _mask(batch: int, sequence: int) -> np.ndarray:
    """All rows but the first end in padding, each in more than the one before."""
    lengths = np.maximum(sequence - 2 * np.arange(batch), 1)
    return (np.arange(sequence) < lengths[:, None]).astype(np.int64)


def _text() -> Iterator[Inputs]:
    for batch, sequence in ((2, 7), (3, 41), (1, 1)):
        mask = _mask(batch, sequence)
        ids = np.where(mask, _ids(batch, sequence), PADDING)
        yield {"input_ids": ids, "attention_mask": mask}


def _unmasked_text(*sizes: tuple[int, int]) -> Callable[[], Iterator[Inputs]]:
    return lambda: ({"input_ids": _ids(*size)} for size in sizes)


def _cached_text() -> Iterator[Inputs]:
    """The prompt (an empty cache), and then one token, and several."""
    random = _random()
    for batch, past, sequence in ((2, 0, 5), (3, 8, 1), (1, 3, 6)):
        caches = {
            f"past.{layer}.{part}": random.standard_normal((batch, 2, past, 8), np.float32)
            for layer in range(2)
            for part in ("key", "value")
        }
        mask = _mask(batch, past + sequence)[:, ::-1].copy()  # to generate, one pads at the left
        yield {"input_ids": _ids(batch, sequence), "attention_mask": mask, **caches}


def _images(*sizes: tuple[int, int, int]) -> Callable[[], Iterator[Inputs]]:
    def inputs() -> Iterator[Inputs]:
        for batch, height, width in sizes:
            shape = (batch, 3, height, width)
            yield {"pixel_values": _random().standard_normal(shape, np.float32)}

    return inputs


def _sound() -> Iterator[Inputs]:
    for batch in (1, 3):
        yield {"input_features": _random().standard_normal((batch, 20, 50), np.float32)}


def _latents() -> Iterator[Inputs]:
    for batch, sequence in ((1, 16), (3, 37)):
        latents = _random().standard_normal((batch, sequence, 32), np.float32)
        yield {"latents": latents, "timestep": np.arange(batch, dtype=np.int64) * 300 + 7}


MODELS: dict[str, Callable[[], Iterator[Inputs]]] = {
    "bert": _text,
    "roberta": _text,
    "deberta-v2": _text,
    "gpt2": _text,
    "llama": _text,
    "llama-past": _cached_text,
    "qwen2": _text,
    "qwen3": _text,
    "mixtral": _text,
    "mamba": _unmasked_text((2, 7), (3, 41), (1, 1)),
    "mamba-unrolled": _unmasked_text((1, 10), (3, 10)),
    "t5": _text,
    "whisper": _sound,
    "vit": _images((1, 64, 64), (3, 80, 48)),
    "swin": _images((1, 64, 64), (3, 96, 160)),
    "convnext": _images((1, 64, 64), (3, 75, 101)),
    "segformer": _images((1, 64, 64), (2, 75, 101)),
    "diffusion": _latents,
}
every_model = pytest.mark.parametrize("name", MODELS)


def _require(name: str) -> Path:
    path = stored.exported(f"tiny-{name}")
    if path is None:
        pytest.skip(f"not exported: python benchmarks/export_tiny_models.py {name}")
    return path


def _check(name: str, provider: str, tolerance: float) -> None:
    path = _require(name)
    session = omb.InferenceSession(path, providers=[provider], fallback="error")
    for inputs in MODELS[name]():
        if provider == "vulkan" and not all(array.size for array in inputs.values()):
            continue  # an error there, as test_models_built.py asserts
        reference.assert_runs_alike(session, path, inputs, tolerance)


@every_model
def test_cpu_agrees(name: str) -> None:
    _check(name, "cpu", CPU_TOLERANCE)


@on_gpus
@every_model
def test_gpus_agree(name: str, provider: str) -> None:
    _check(name, provider, GPU_TOLERANCE)


@every_model
def test_vulkan_compiles(name: str) -> None:
    assert omb.compile(_require(name), target="vulkan", fallback="error").emit("vmfb")


@every_model
def test_cuda_assembles(name: str) -> None:
    ptx.assemble(omb.compile(_require(name), target="cuda", fallback="error"))
