"""The parts of a model that run on the host: onnx's reference evaluator computes them.

onnx is imported when such a part is opened, so that models without one don't need it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime.containers import Value
from onnx_mlir_bridge.runtime.executable import Buffer
from onnx_mlir_bridge.runtime.inputs import check_shape
from onnx_mlir_bridge.runtime.signature import STRING, Signature, TensorInfo

if TYPE_CHECKING:
    import onnx
    from onnx.reference import ReferenceEvaluator


class HostSegment:
    """A part of a model, ready to be called. One call runs at a time."""

    def __init__(self, signature: Signature, model: Buffer) -> None:
        """`model`: a serialized ModelProto whose inputs and outputs are the signature's.

        OmbError where a package is missing, or onnx can't evaluate an operator.
        """
        self.signature = signature
        self._lock = threading.Lock()
        self._evaluator = evaluator(model)
        _check_packages(self._evaluator.proto_)

    def run(self, values: Sequence[Value]) -> list[Value]:
        """The outputs for inputs in the signature's order; OmbError where onnx fails."""
        feeds = {i.name: v for i, v in zip(self.signature.inputs, values, strict=True)}
        try:
            with self._lock, np.errstate(all="ignore"):
                results = self._evaluator.run(None, feeds)
        except MemoryError:
            raise OmbError(
                "running a part of the model on the host needs too much memory"
            ) from None
        except Exception as error:  # whatever an operator's implementation raises
            reason = str(error) or type(error).__name__
            raise OmbError(f"running the model on the host failed: {reason}") from None
        return [_settled(*pair) for pair in zip(self.signature.outputs, results, strict=True)]


def evaluator(model: Buffer) -> ReferenceEvaluator:
    """onnx's evaluator of a serialized model; OmbError where it has no way for a node."""
    if find_spec("onnx") is None:
        raise OmbError(
            "parts of the model run on the host, which needs the package onnx: pip install onnx"
        )
    import onnx
    from onnx.reference import ReferenceEvaluator

    from onnx_mlir_bridge.runtime.host_operators import OPERATORS

    try:
        proto = onnx.ModelProto.FromString(bytes(model))
    except Exception as error:  # google.protobuf's DecodeError, whose module may vary
        raise OmbError(f"a part for the host is damaged ({error}); save the model again") from None
    try:
        return ReferenceEvaluator(proto, new_ops=OPERATORS)
    except Exception as error:  # whatever an operator's implementation raises
        raise OmbError(f"onnx can't evaluate a part of the model: {error}") from None


def _check_packages(model: onnx.ModelProto) -> None:
    graphs = [model.graph]
    while graphs:
        for node in graphs.pop().node:
            graphs.extend(a.g for a in node.attribute if a.HasField("g"))
            if node.op_type == "ImageDecoder" and find_spec("PIL") is None:
                raise OmbError(
                    f"the node '{node.name or node.output[0]}' (ImageDecoder) decodes pictures "
                    "with the package Pillow, which isn't installed: pip install pillow"
                )


def _settled(info: TensorInfo, value: object) -> Value:
    """`value` in the form that sessions and compiled code take.

    onnx gives some results in a wider type than the operator's, strings in two dtypes, and scalars
    that aren't arrays.
    """
    if value is None and info.is_optional:
        return None
    if info.is_map:
        return value
    if info.is_sequence:
        # Their shapes are what models say of them at most, and models err.
        return [_tensor(info, element) for element in value]
    array = _tensor(info, value)
    try:
        check_shape(info, array.shape, {})
    except OmbError:
        raise OmbError(
            f"onnx's evaluator gives '{info.name}' the shape {array.shape}, not {info}"
        ) from None
    return array


def _tensor(info: TensorInfo, value: object) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype != info.dtype:
        if info.element == STRING:
            fits = array.dtype.kind == "U"
        else:  # numpy's comparisons of strings are objects
            fits = array.dtype.kind == "O" or np.can_cast(array.dtype, info.dtype, "same_kind")
        if not fits:
            raise OmbError(
                f"onnx's evaluator gives '{info.name}' as {array.dtype}, not {info.dtype}"
            )
        array = array.astype(info.dtype)
    return np.asarray(array, order="C")
