"""onnx-mlir-bridge: ONNX models through MLIR and IREE to CPU, Vulkan and CUDA.

    import onnx_mlir_bridge as omb

    session = omb.InferenceSession("model.onnx")
    outputs = session.run(None, {"x": array})

    omb.compile("model.onnx", target="cpu").save("model.omb")
    session = omb.load("model.omb")

    omb.quantize("model.onnx", "calibration.npz").save("quantized.onnx")
    omb.prune("model.onnx", sparsity=0.9).save("pruned.onnx")

Every failure that the user can cause is an OmbError, whose message is one line; a FallbackWarning
lists what runs on the host because no device can do it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from onnx_mlir_bridge.errors import FallbackWarning, OmbError

if TYPE_CHECKING:
    from onnx_mlir_bridge import _mlir
    from onnx_mlir_bridge.compiler import compile
    from onnx_mlir_bridge.compiler.compiled_model import CompiledModel
    from onnx_mlir_bridge.importer import import_model
    from onnx_mlir_bridge.importer.compositions.custom import register_op, unregister_op
    from onnx_mlir_bridge.onnx_backend import BridgeBackend as backend  # noqa: N813
    from onnx_mlir_bridge.pruner import prune
    from onnx_mlir_bridge.pruner.result import PrunedModel
    from onnx_mlir_bridge.quantizer import quantize
    from onnx_mlir_bridge.quantizer.result import QuantizedModel
    from onnx_mlir_bridge.runtime.devices import Device, devices
    from onnx_mlir_bridge.runtime.session import InferenceSession, load

    ir = _mlir.ir

__all__ = [
    "CompiledModel",
    "Device",
    "FallbackWarning",
    "InferenceSession",
    "OmbError",
    "PrunedModel",
    "QuantizedModel",
    "backend",
    "compile",
    "devices",
    "import_model",
    "ir",
    "load",
    "prune",
    "quantize",
    "register_op",
    "unregister_op",
]

# Public name -> the module that has it (an empty attribute: the module itself). They are imported
# on first use: importing the package costs nothing, and running a saved model needs no compiler.
_LAZY = {
    "CompiledModel": ("onnx_mlir_bridge.compiler.compiled_model", "CompiledModel"),
    "Device": ("onnx_mlir_bridge.runtime.devices", "Device"),
    "InferenceSession": ("onnx_mlir_bridge.runtime.session", "InferenceSession"),
    "PrunedModel": ("onnx_mlir_bridge.pruner.result", "PrunedModel"),
    "QuantizedModel": ("onnx_mlir_bridge.quantizer.result", "QuantizedModel"),
    "backend": ("onnx_mlir_bridge.onnx_backend", "BridgeBackend"),
    "compile": ("onnx_mlir_bridge.compiler", "compile"),
    "devices": ("onnx_mlir_bridge.runtime.devices", "devices"),
    "import_model": ("onnx_mlir_bridge.importer", "import_model"),
    "ir": ("onnx_mlir_bridge._mlir.ir", ""),
    "load": ("onnx_mlir_bridge.runtime.session", "load"),
    "prune": ("onnx_mlir_bridge.pruner", "prune"),
    "quantize": ("onnx_mlir_bridge.quantizer", "quantize"),
    "register_op": ("onnx_mlir_bridge.importer.compositions.custom", "register_op"),
    "unregister_op": ("onnx_mlir_bridge.importer.compositions.custom", "unregister_op"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("onnx-mlir-bridge")
        except PackageNotFoundError:  # a build tree
            return "0.0.0"
    if name not in _LAZY:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    module_name, attribute = _LAZY[name]
    module = import_module(module_name)
    value = getattr(module, attribute) if attribute else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
