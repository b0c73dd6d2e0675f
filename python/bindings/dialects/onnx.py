"""The onnx dialect: one class per operator, `onnx.AddOp` and so on."""

from ._onnx_ops_gen import *  # noqa: F403
