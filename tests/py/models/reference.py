"""What ONNX Runtime answers, and how far two answers are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx_mlir_bridge as omb

Model = onnx.ModelProto | Path


def onnxruntime_outputs(model: Model, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """All outputs of ``model`` on ONNX Runtime's CPU provider."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)  # its warnings about unused initializers
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    return session.run(None, dict(inputs))


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """‖actual - expected‖ / ‖expected‖ in float64; 0 for two empty arrays, NaN if there is any."""
    difference = np.linalg.norm(actual.astype(np.float64) - expected.astype(np.float64))
    norm = np.linalg.norm(expected.astype(np.float64))
    return float(difference / norm) if norm else float(difference)


def assert_agree(
    names: Sequence[str],
    actual: Sequence[np.ndarray],
    expected: Sequence[np.ndarray],
    tolerance: float,
) -> None:
    """Every output has the reference's dtype and shape, and is within ``tolerance`` of it.

    Also asserts that the reference itself is fit to judge by: finite, and not all one value (a
    model whose answer is flat agrees with almost anything).
    """
    assert len(actual) == len(expected) == len(names)
    for name, a, e in zip(names, actual, expected, strict=True):
        assert (a.dtype, a.shape) == (e.dtype, e.shape), name
        assert np.isfinite(e).all(), f"the reference for {name} is not finite"
        assert e.size < 2 or np.ptp(e) > 0, f"the reference for {name} is flat"
        error = relative_error(a, e)
        assert error <= tolerance, f"{name}: relative error {error:.2e} > {tolerance:.0e}"


def assert_runs_alike(
    session: omb.InferenceSession, model: Model, inputs: Mapping[str, np.ndarray], tolerance: float
) -> None:
    """A run of ``session`` agrees with ONNX Runtime on the CPU."""
    names = [value.name for value in session.get_outputs()]
    expected = onnxruntime_outputs(model, inputs)
    assert_agree(names, session.run(None, inputs), expected, tolerance)
