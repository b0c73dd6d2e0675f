"""What the tests of models that run on the host in parts have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnx_mlir_bridge as omb
import pytest
from onnx import TensorProto, helper
from onnx_mlir_bridge.runtime.host import HostSegment

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
BOOL, UINT8 = TensorProto.BOOL, TensorProto.UINT8


def node(op: str, inputs: str, outputs: str, **attributes: object) -> onnx.NodeProto:
    name = attributes.pop("name", outputs.split()[0])
    return helper.make_node(op, inputs.split(), outputs.split(), name=name, **attributes)


def session(model: onnx.ModelProto, **options: object) -> omb.InferenceSession:
    """A session of a model that has to warn."""
    with pytest.warns(omb.FallbackWarning):
        return omb.InferenceSession(model, ["cpu"], **options)


def kinds(made: omb.InferenceSession) -> str:
    """The session's parts: H on the host, D on the device."""
    return "".join("H" if isinstance(s, HostSegment) else "D" for s in made._plan.segments)


def same(actual: Sequence[object], expected: Sequence[object]) -> None:
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, e)
        assert np.asarray(a).dtype == (object if np.asarray(e).dtype.kind in "OU" else e.dtype)
