"""The engines that are compared, behind one interface.

``load`` is all that an engine does before the first answer: for onnx-mlir-bridge compiling and
loading, for the others making a session. The returned function runs the model once. All get the
same options, of which some have no choice: ONNX Runtime computes in f32 only, and zeros among the
weights are nothing special to the others.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Inputs = Mapping[str, np.ndarray]
Run = Callable[[Inputs], list[np.ndarray]]


@dataclass(frozen=True)
class Options:
    """precision: of products, "f32" or "bf16". sparse: whether zeros are left out, as in omb."""

    precision: str = "f32"
    sparse: str = "auto"


@dataclass(frozen=True)
class Engine:
    """An engine: ``load(model file, threads, options)``, and of compilers its two halves."""

    title: str
    distribution: str
    module: str
    load: Callable[[Path, int, Options], Run]
    compile: Callable[[Path, Path, int, Options], None] | None = None
    """Compile the first file to the second. None: the engine does that whenever it loads."""
    open: Callable[[Path, int], Run] | None = None
    """Load what ``compile`` wrote."""

    @property
    def installed(self) -> bool:
        """Whether the engine's package can be imported here."""
        return importlib.util.find_spec(self.module) is not None

    @property
    def version(self) -> str:
        """The version of the engine's distribution."""
        return importlib.metadata.version(self.distribution)


def _session_run(session: Any) -> Run:  # noqa: ANN401 - two classes with the same methods
    return lambda inputs: session.run(None, dict(inputs))


def _load_bridge(model: Path, threads: int, options: Options) -> Run:
    import onnx_mlir_bridge as omb

    session = omb.InferenceSession(
        model,
        providers=["cpu"],
        threads=threads,
        precision=options.precision,
        sparse=options.sparse,
    )
    return _session_run(session)


def _compile_bridge(model: Path, compiled: Path, threads: int, options: Options) -> None:
    import onnx_mlir_bridge as omb

    omb.compile(
        model,
        target="cpu",
        threads=threads,
        precision=options.precision,
        sparse=options.sparse,
    ).save(compiled)


def _open_bridge(compiled: Path, threads: int) -> Run:
    import onnx_mlir_bridge as omb

    return _session_run(omb.load(compiled, device="cpu", threads=threads))


def _load_onnxruntime(model: Path, threads: int, _options: Options) -> Run:
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    of_session = onnxruntime.SessionOptions()
    of_session.intra_op_num_threads = threads
    of_session.inter_op_num_threads = 1
    return _session_run(
        onnxruntime.InferenceSession(str(model), of_session, providers=["CPUExecutionProvider"])
    )


def _load_openvino(model: Path, threads: int, options: Options) -> Run:
    import openvino

    core = openvino.Core()
    config = {
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": options.precision,  # by default bf16 where the CPU has it
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = core.compile_model(core.read_model(model), "CPU", config).create_infer_request()

    def run(inputs: Inputs) -> list[np.ndarray]:
        outputs = request.infer(dict(inputs))
        return [outputs[i] for i in range(len(outputs))]

    return run


ENGINES = {
    "bridge": Engine(
        "onnx-mlir-bridge",
        "onnx-mlir-bridge",
        "onnx_mlir_bridge",
        _load_bridge,
        _compile_bridge,
        _open_bridge,
    ),
    "onnxruntime": Engine("ONNX Runtime", "onnxruntime", "onnxruntime", _load_onnxruntime),
    "openvino": Engine("OpenVINO", "openvino", "openvino", _load_openvino),
}
REFERENCE = "onnxruntime"
"""What the other engines' outputs are compared with."""
