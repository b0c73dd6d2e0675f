"""From a path, bytes or a ModelProto to a parsed model whose large tensors are views.

What comes out has been checked for everything that later steps rely on: data that fit their
dimensions, known element types, no external data left.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import onnx

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import sparse as sparse_tensors
from onnx_mlir_bridge.importer import wire
from onnx_mlir_bridge.importer.external_data import ExternalFiles
from onnx_mlir_bridge.importer.tensors import Payloads, byte_size, each_tensor

if TYPE_CHECKING:
    from google.protobuf.message import Message

ModelSource: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | onnx.ModelProto"

# Files up to this size are read, so that replacing the file later does no harm; larger ones are
# mapped, so that their weights take memory only where they are used.
_MAP_FROM = 64 << 20

# How MLIR's text begins, after comments: with an alias, or with an operation.
_MLIR = re.compile(rb"""(\s|//[^\n]*\n)*([#!]\w+ = |module\b|"?builtin\.module\b|"?func\.func\b)""")
_START = 64 << 10


@dataclass
class LoadedModel:
    """A parsed model.

    proto: the model without the bytes of its large tensors, owned by the importer.
    payloads: those bytes.
    warnings: one line each, for the user.
    """

    proto: onnx.ModelProto
    payloads: Payloads
    warnings: list[str] = field(default_factory=list)

    def copy(self) -> LoadedModel:
        """A model to change: another proto, which shares the large tensors."""
        proto = onnx.ModelProto()
        proto.CopyFrom(self.proto)
        return LoadedModel(proto, self.payloads, list(self.warnings))

    def contents(self) -> list[bytes | np.ndarray]:
        """All bytes that the model consists of, equal for equal models."""
        skeleton = self.proto.SerializeToString(deterministic=True)
        return [skeleton.replace(self.payloads.key.encode(), b""), *self.payloads.buffers()]


def _read(path: Path) -> np.ndarray:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise OmbError(f"'{path}' is a directory, not an ONNX model")
        if not stat.S_ISREG(status.st_mode):
            raise OmbError(f"'{path}' is not a regular file")
        if status.st_size >= _MAP_FROM:
            return np.memmap(path, dtype=np.uint8, mode="r")
        return np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except FileNotFoundError:
        raise OmbError(f"there is no file '{path}'") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OmbError(f"the model '{path}' can't be read: {reason}") from None


def _other_format(start: bytes) -> str | None:
    """What a file is that begins like this, and what to do with it; None if it may be ONNX."""
    if start.startswith(b"PK\3\4"):
        if start[30:].startswith(b"metadata.json"):
            return "omb has compiled it already; run it with 'omb run' or omb.load()"
        return "it is a zip archive; give the model that is in it"
    if start.startswith(b"ML\xefR") or _MLIR.match(start):
        return "it is MLIR; give the ONNX model that it comes from, or run its passes with omb-opt"
    return None


def _serialize(model: onnx.ModelProto) -> bytes:
    from google.protobuf.message import EncodeError

    try:
        return model.SerializeToString()
    except (EncodeError, ValueError, RecursionError) as error:
        raise OmbError(
            f"the ModelProto can't be serialized ({error}); a model of 2 GiB or more must be saved "
            "with external data and given by its path"
        ) from None


def _parse(skeleton: bytes) -> onnx.ModelProto:
    from google.protobuf.message import DecodeError

    try:
        return onnx.ModelProto.FromString(skeleton)
    except DecodeError as error:
        if "MaxDepth" in str(error) or "recursion" in str(error).lower():
            raise OmbError(
                f"the model nests subgraphs deeper than {wire.MAX_NESTED_MESSAGES // 3} levels, "
                "which protobuf does not read; flatten its control flow"
            ) from None
        raise OmbError(f"not a usable ONNX model: {error}") from None


def load(source: ModelSource, base_dir: Path | None = None) -> LoadedModel:
    """Reads a model.

    `source`: a path, the serialized model, or a ModelProto, which is not changed. `base_dir`:
    where external data are looked up for a model that does not come from a file. Raises OmbError
    for everything that can't be read.
    """
    if isinstance(source, onnx.ModelProto):
        data = np.frombuffer(_serialize(source), dtype=np.uint8)
    elif isinstance(source, (bytes, bytearray, memoryview)):
        data = np.frombuffer(source, dtype=np.uint8)
    elif isinstance(source, (str, os.PathLike)):
        if not os.fspath(source):
            raise OmbError("the path of the model is empty")
        path = Path(source)
        data = _read(path)
        base_dir = path.parent
    else:
        raise OmbError(
            f"a model is a path, bytes or an onnx.ModelProto, not {type(source).__name__}"
        )
    if data.size == 0:
        raise OmbError("not a usable ONNX model: it is empty")
    if other := _other_format(data[:_START].tobytes()):
        raise OmbError(f"not a usable ONNX model: {other}")

    payloads = Payloads()
    skeleton, spans = wire.split(memoryview(data), payloads.key)
    payloads.adopt(data, spans)
    loaded = LoadedModel(_parse(skeleton), payloads)
    _check_text(loaded.proto)
    _settle_tensors(loaded, ExternalFiles(base_dir))
    return loaded


def _check_text(model: onnx.ModelProto) -> None:
    """OmbError unless all strings are UTF-8; protobuf returns bytes for those that are not."""
    stack: list[Message] = [model]
    while stack:
        message = stack.pop()
        for descriptor, value in message.ListFields():
            repeated = not isinstance(value, (str, bytes)) and hasattr(value, "__len__")
            if descriptor.type == descriptor.TYPE_MESSAGE:
                stack.extend(value if repeated else (value,))
            elif descriptor.type == descriptor.TYPE_STRING:
                for text in value if repeated else (value,):
                    if not isinstance(text, str):
                        raise OmbError(
                            f"not a usable ONNX model: the {descriptor.name} {text!r} is not UTF-8"
                        )


def _settle_tensors(loaded: LoadedModel, files: ExternalFiles) -> None:
    """Resolves external data, checks every tensor, and makes payloads of large typed data."""
    payloads = loaded.payloads

    def settle(tensor: onnx.TensorProto) -> None:
        if tensor.data_location == onnx.TensorProto.EXTERNAL and not payloads.has(tensor):
            files.load(tensor, payloads)
        payloads.check(tensor)
        large = byte_size(tensor) > wire.PAYLOAD_THRESHOLD
        if large and not payloads.has(tensor):
            packed = onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor))
            payloads.attach(tensor, np.frombuffer(packed.raw_data, dtype=np.uint8))

    each_tensor(loaded.proto, settle)
    sparse_tensors.each_sparse(loaded.proto, lambda sparse: sparse_tensors.check(sparse, payloads))
