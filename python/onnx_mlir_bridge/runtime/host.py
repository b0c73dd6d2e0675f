"""The parts of a model that run on the host: onnx's reference evaluator computes them.

onnx is imported when such a part is opened, so that models without one don't need it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from onnx_mlir_bridge.errors import OmbError, describe_node
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
        proto = _parsed(model)
        _check_names(proto, signature)
        _check_packages(proto)
        self._evaluator = _evaluator(proto)

    def run(self, values: Sequence[Value]) -> list[Value]:
        """The outputs for inputs in the signature's order; OmbError where onnx fails."""
        feeds = {i.name: v for i, v in zip(self.signature.inputs, values, strict=True)}
        try:
            with self._lock, np.errstate(all="ignore"):
                results = self._evaluator.run(None, feeds)
            return [_settled(*pair) for pair in zip(self.signature.outputs, results, strict=True)]
        except OmbError:
            raise
        except MemoryError:
            raise OmbError(
                "running a part of the model on the host needs too much memory"
            ) from None
        except Exception as error:  # whatever an operator's implementation raises
            raise OmbError(f"running the model on the host failed: {_reason(error)}") from None


def evaluator(model: Buffer) -> ReferenceEvaluator:
    """onnx's evaluator of a serialized model; OmbError where it has no way for a node."""
    return _evaluator(_parsed(model))


def _parsed(model: Buffer) -> onnx.ModelProto:
    if find_spec("onnx") is None:
        raise OmbError(
            "parts of the model run on the host, which needs the package onnx: pip install onnx"
        )
    import onnx

    try:
        proto = onnx.ModelProto.FromString(bytes(model))
    except Exception as error:  # google.protobuf's DecodeError, whose module may vary
        raise _damaged(str(error)) from None
    # Files beside a model aren't the part's, which has its weights in itself.
    for tensor in _tensors(proto):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise _damaged(f"the data of '{tensor.name}' are in another file")
    return proto


def _damaged(why: str) -> OmbError:
    return OmbError(f"a part for the host is damaged ({why}); save the model again")


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """All tensors, wherever they are: in attributes, subgraphs, functions."""
    messages: list = [model]
    while messages:
        message = messages.pop()
        if hasattr(message, "data_location"):
            yield message
            continue
        for field, value in message.ListFields():
            if field.message_type is not None:
                messages.extend([value] if hasattr(value, "ListFields") else value)


def _check_names(model: onnx.ModelProto, signature: Signature) -> None:
    for kind in ("input", "output"):
        names = [value.name for value in getattr(model.graph, kind)]
        if names != [info.name for info in getattr(signature, f"{kind}s")]:
            raise _damaged(f"its {kind}s are called otherwise than the description says")


def _evaluator(model: onnx.ModelProto) -> ReferenceEvaluator:
    from onnx.reference import ReferenceEvaluator

    from onnx_mlir_bridge.runtime.host_operators import OPERATORS

    try:
        made = ReferenceEvaluator(model, new_ops=OPERATORS)
    except Exception as error:  # whatever an operator's implementation raises
        raise OmbError(f"onnx can't evaluate a part of the model: {error}") from None
    _name_nodes(made)
    return made


def _name_nodes(made: ReferenceEvaluator) -> None:
    """Has the errors of the nodes, and of those in their subgraphs, name them."""
    for operator in made.rt_nodes_:
        operator.run = partial(_run, operator.run, describe_node(operator.onnx_node))
        for attribute in vars(operator).values():
            if isinstance(attribute, type(made)):
                _name_nodes(attribute)


def _run(run: Callable[..., tuple], node: str, *inputs: object, **context: object) -> tuple:
    """What an operator of onnx's gives; OmbError, which names the node, where it fails."""
    try:
        return run(*inputs, **context)
    except (MemoryError, OmbError):
        raise
    except Exception as error:  # whatever an operator's implementation raises
        raise OmbError(f"the node '{node}' on the host: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """What went wrong, as onnx's evaluator says it."""
    if isinstance(error, TypeError) and str(error).startswith("Issues with types"):
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        return f"onnx's evaluator doesn't support what it gets{cause}"
    return str(error) or f"onnx's evaluator fails ({type(error).__name__})"


def _check_packages(model: onnx.ModelProto) -> None:
    graphs = [model.graph]
    while graphs:
        for node in graphs.pop().node:
            graphs.extend(a.g for a in node.attribute if a.HasField("g"))
            if node.op_type == "ImageDecoder" and find_spec("PIL") is None:
                raise OmbError(
                    f"the node '{describe_node(node)}' decodes pictures "
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
    if info.element == STRING:
        wrong = next((type(s).__name__ for s in array.flat if not isinstance(s, str)), None)
        if wrong is not None:
            raise OmbError(f"onnx's evaluator gives '{info.name}' with a {wrong}, not a string")
    return np.asarray(array, order="C")
