"""From an ONNX model to a file."""

from __future__ import annotations

import os
from pathlib import Path

import onnx
from onnx import ModelProto

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime.artifact import replacing

PROTOBUF_BYTES = 2_000_000_000
"""More than this can't be serialized; a little less than the limit, for what isn't weights."""


def save_model(model: ModelProto, path: str | os.PathLike[str], size: int) -> None:
    """Write a model of `size` bytes to a file; the weights of one of 2 GB go to `path`.data.

    OmbError where it can't be written. A file that is there is replaced when all is written.
    """
    path = Path(path)
    try:
        if size < PROTOBUF_BYTES:
            with replacing(path) as file:
                file.write(model.SerializeToString())
            return
        # onnx moves the weights out of the model that it is given.
        copy = ModelProto()
        copy.CopyFrom(model)
        data = f"{path.name}.data"
        (path.parent / data).unlink(missing_ok=True)
        onnx.save_model(copy, path, save_as_external_data=True, location=data)
    except OSError as error:
        raise OmbError(f"'{path}' can't be written: {error.strerror or error}") from None
