"""Trained models that packages on PyPI carry: magika, nudenet, PP-OCR and silero-vad.

`make test` installs the packages without their dependencies (tests/model-packages.txt); where one
is missing its tests skip. Every file imports to a verified module. Those in NOT_LOWERED have to
be refused with an error that names the operator, and fail here as soon as they run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx_mlir_bridge as omb
import pytest
from models import reference, stored
from models.targets import CPU_TOLERANCE

Inputs = dict[str, np.ndarray]

NOT_LOWERED: dict[str, str] = {}
"""Model -> the operator that its refusal names."""

TOLERANCES = {"silero-vad-half": 1e-3}
"""Where the model itself computes in float16."""


def _pictures(name: str, *sizes: tuple[int, int]) -> Callable[[], Iterator[Inputs]]:
    """Dark strokes on light paper, in noise: what a text detector sees as text."""

    def inputs() -> Iterator[Inputs]:
        random = np.random.default_rng(17)
        for batch, (height, width) in enumerate(sizes, start=1):
            picture = 0.9 + 0.02 * random.standard_normal((batch, 3, height, width))
            for left in range(10, width - 20, 14):
                top, bottom = height // 3, 2 * height // 3
                picture[:, :, top:bottom, left : left + 3] = -0.9
                middle = int(random.integers(top, bottom - 3))
                picture[:, :, middle : middle + 3, left : left + 10] = -0.9
            yield {name: picture.astype(np.float32)}

    return inputs


def _bytes() -> Iterator[Inputs]:
    random = np.random.default_rng(17)
    for batch in (1, 3):
        yield {"bytes": random.integers(0, 257, (batch, 2048), dtype=np.int32)}


def _sound(*names: str, batch: int = 2) -> Callable[[], Iterator[Inputs]]:
    """One window of 512 samples with 64 of context: a chirp in noise, and a state that is not 0."""

    def inputs() -> Iterator[Inputs]:
        random = np.random.default_rng(17)
        time = np.arange(576) / 16000
        tone = np.sin(2 * np.pi * (200 + 4000 * time) * time)
        noise = 0.1 * random.standard_normal((batch, 576))
        values = {
            "input": (0.5 * tone + noise).astype(np.float32),
            "state": 0.1 * random.standard_normal((2, batch, 128), np.float32),
            "h": 0.1 * random.standard_normal((1, 1, 128), np.float32),
            "c": 0.1 * random.standard_normal((1, 1, 128), np.float32),
        }
        values["sr"] = np.array(16000, np.int64)
        yield {name: values[name] for name in names}

    return inputs


INPUTS: dict[str, Callable[[], Iterator[Inputs]]] = {
    "magika": _bytes,
    "nudenet": _pictures("images", (320, 320), (160, 224)),
    "ppocr-det": _pictures("x", (96, 160), (64, 320)),
    "ppocr-rec": _pictures("x", (48, 160), (48, 320)),
    "ppocr-cls": _pictures("x", (48, 192), (48, 192)),
    "silero-vad": _sound("input", "state", "sr"),
    "silero-vad-16k-op15": _sound("input", "state", "sr"),
    "silero-vad-16k-sequence": _sound("input", "h", "c", batch=5),
    "silero-vad-half": _sound("input", "state"),
    "silero-vad-op18-ifless": _sound("input", "state", "sr"),
    "silero-vad-openvino-16k": _sound("input", "state", batch=1),
}


@pytest.fixture(params=stored.CARRIED)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def path(name: str) -> Path:
    found = stored.carried(name)
    if found is None:
        pytest.skip(f"the package {stored.CARRIED[name][0]} is not installed")
    return found


def test_imports_to_a_verified_module(path: Path) -> None:
    assert omb.import_model(path).operation.verify()


def test_cpu_agrees(name: str, path: Path) -> None:
    if name in NOT_LOWERED:
        with pytest.raises(omb.OmbError, match=NOT_LOWERED[name]):
            omb.compile(path, fallback="error")
        return
    session = omb.InferenceSession(path, providers=["cpu"], fallback="error")
    for inputs in INPUTS[name]():
        tolerance = TOLERANCES.get(name, CPU_TOLERANCE)
        reference.assert_runs_alike(session, path, inputs, tolerance)
