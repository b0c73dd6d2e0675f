"""omb.backend: the interface of onnx.backend.base, for tools and tests that are written for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime import devices
from onnx_mlir_bridge.runtime.session import InferenceSession

_ONNX_ERRORS = (
    onnx.checker.ValidationError,
    onnx.defs.SchemaError,
    onnx.shape_inference.InferenceError,
    ValueError,
)


class PreparedModel(BackendRep):
    """A compiled model. Made by BridgeBackend.prepare()."""

    def __init__(self, session: InferenceSession) -> None:
        """Not for users: see BridgeBackend.prepare()."""
        self._session = session

    def run(self, inputs: Any, **kwargs: Any) -> tuple[np.ndarray, ...]:  # noqa: ANN401
        """Run the model once.

        inputs: the arrays in the order of the model's inputs, a mapping from name to array, or the
        only array. Returns all outputs; OmbError for inputs that don't fit the model.
        """
        if kwargs:
            raise OmbError(f"run() has no option '{next(iter(kwargs))}'")
        if isinstance(inputs, np.ndarray):
            inputs = [inputs]
        if not isinstance(inputs, Mapping):
            names = [info.name for info in self._session.get_inputs()]
            if len(inputs) > len(names):
                raise OmbError(f"{len(inputs)} inputs were given; the model takes {len(names)}")
            inputs = dict(zip(names, inputs, strict=False))
        return tuple(self._session.run(None, inputs))


class BridgeBackend(Backend):
    """onnx-mlir-bridge as an onnx.backend.base.Backend: omb.backend.

    Devices are named as onnx names them, "CPU" and "CUDA", and "VULKAN"; "CUDA:1" is the second.
    """

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **options: Any) -> bool:  # noqa: ANN401
        """Whether prepare() takes the model; compiles it to know."""
        try:
            cls.prepare(model, device, **options)
        except OmbError:
            return False
        return True

    @classmethod
    def prepare(
        cls,
        model: onnx.ModelProto,
        device: str = "CPU",
        **options: Any,  # noqa: ANN401 - those of omb.compile(), checked there
    ) -> PreparedModel:
        """Compile a model for a device; OmbError for one that can't be compiled, or no device."""
        return PreparedModel(InferenceSession(model, providers=[_provider(device)], **options))

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Sequence[np.ndarray],
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype, tuple[int, ...]]] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> tuple[np.ndarray, ...]:
        """Compile and run one node.

        inputs: an array for each of its inputs that isn't left out. outputs_info: not needed, the
        types are inferred. options: `opset_version` (default: the newest) and those of
        omb.compile(). OmbError for a node that can't be compiled or inputs that don't fit it.
        """
        arrays = [np.asarray(array) for array in inputs]
        model = _model_of(node, arrays, options.pop("opset_version", None))
        return cls.run_model(model, arrays, device, **options)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether this machine has the device."""
        try:
            devices.choose([_provider(device)])
        except OmbError:
            return False
        return True


def _provider(device: str) -> str:
    return device.lower().removesuffix(":0")


def _model_of(
    node: onnx.NodeProto, inputs: Sequence[np.ndarray], opset: int | None
) -> onnx.ModelProto:
    """A model of one node, whose inputs have the types of the arrays."""
    names = [name for name in node.input if name]
    if len(names) != len(inputs):
        raise OmbError(
            f"the node {node.op_type} has {len(names)} inputs, but {len(inputs)} arrays were given"
        )
    try:
        schema = onnx.defs.get_schema(
            node.op_type, opset or onnx.defs.onnx_opset_version(), node.domain
        )
        values = [
            onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in zip(names, inputs, strict=True)
        ]
        types = onnx.shape_inference.infer_node_outputs(
            schema, node, {value.name: value.type for value in values}
        )
        outputs = [onnx.helper.make_value_info(name, types[name]) for name in node.output if name]
    except KeyError as error:
        raise OmbError(
            f"the node {node.op_type} can't be run alone: the type of its output {error} depends "
            "on more than the types of its inputs; put it into a model"
        ) from None
    except _ONNX_ERRORS as error:
        reason = str(error).splitlines()[0]
        raise OmbError(f"the node {node.op_type} can't be run: {reason}") from None
    graph = onnx.helper.make_graph([node], "node", values, outputs)
    imports = [
        onnx.helper.make_opsetid(node.domain, schema.since_version if opset is None else opset)
    ]
    return onnx.helper.make_model(graph, opset_imports=imports)
