"""Building small ONNX models of any opset, and running what the importer makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper
from onnx_mlir_bridge.importer import normalize_model
from onnx_mlir_bridge.importer.functions import expand_functions
from onnx_mlir_bridge.importer.load import ModelSource, load
from onnx_mlir_bridge.importer.tensors import each_tensor


def value_info(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
    """The static type of `array`."""
    element = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, element, array.shape)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, np.ndarray],
    outputs: dict[str, int],
    opset: int,
    constants: dict[str, np.ndarray] | None = None,
    domain: str = "",
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    """A model with static inputs; `outputs`: name -> ONNX element type, of unknown shape."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [value_info(name, array) for name, array in inputs.items()],
        [helper.make_tensor_value_info(name, element, None) for name, element in outputs.items()],
        [onnx.numpy_helper.from_array(a, n) for n, a in (constants or {}).items()],
    )
    imports = [helper.make_opsetid(domain, opset)]
    if domain:
        imports.append(helper.make_opsetid("", 17))
    return helper.make_model(graph, opset_imports=imports, ir_version=8, functions=list(functions))


def normalized(source: ModelSource, keep: frozenset[str] | None = None) -> onnx.ModelProto:
    """The model as it is emitted, with all tensors in it."""
    loaded = load(source)
    normalize_model(loaded)
    if keep is not None:
        expand_functions(loaded, keep)

    def restore(tensor: onnx.TensorProto) -> None:
        if loaded.payloads.has(tensor):
            tensor.raw_data = loaded.payloads.buffer(tensor).tobytes()
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")

    each_tensor(loaded.proto, restore)
    return loaded.proto


def evaluate(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Runs a model of the newest opset in onnx's reference evaluator."""
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(model).run(None, inputs)


def run_in_onnxruntime(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Runs a model in ONNX Runtime, which knows old opsets."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)


def stamped(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    """The model as one of an older opset, for nodes that mean the same there."""
    old = onnx.ModelProto()
    old.CopyFrom(model)
    old.ir_version = 8
    del old.opset_import[:]
    old.opset_import.add(domain="", version=opset)
    return old
