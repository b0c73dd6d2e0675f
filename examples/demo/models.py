"""A model out of a PyPI package, compiled by onnx-mlir-bridge, timed and checked as it runs."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import numpy as np
import onnx_mlir_bridge as omb

REPETITIONS = 3


def packaged_file(package: str, inside: str) -> Path:
    """A file of an installed package; the package isn't imported: its requirements are missing."""
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or []:
        path = Path(folder) / inside
        if path.is_file():
            return path
    raise FileNotFoundError(f"{inside} of package {package} is not installed: run `make demo`")


class CheckedModel:
    """Compiles a model once; every run is also done by ONNX Runtime, and the two are compared."""

    def __init__(self, name: str, path: Path) -> None:
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
        self.name = name
        self.path = path
        self.worst_error = 0.0
        self.run_seconds: list[float] = []
        self.reference_seconds: list[float] = []
        start = time.perf_counter()
        self._session = omb.InferenceSession(path)
        self.compile_seconds = time.perf_counter() - start
        self.device = self._session.get_providers()[0]
        self._reference = onnxruntime.InferenceSession(
            str(path), providers=["CPUExecutionProvider"]
        )

    def run(self, inputs: np.ndarray) -> np.ndarray:
        """The first output for the model's only input."""
        feed = {self._session.get_inputs()[0].name: inputs}
        for _ in range(REPETITIONS):
            start = time.perf_counter()
            actual = self._session.run(None, feed)[0]
            self.run_seconds.append(time.perf_counter() - start)
            start = time.perf_counter()
            expected = self._reference.run(None, feed)[0]
            self.reference_seconds.append(time.perf_counter() - start)
        error = np.linalg.norm(actual - expected) / np.linalg.norm(expected)
        self.worst_error = max(self.worst_error, float(error))
        return actual
