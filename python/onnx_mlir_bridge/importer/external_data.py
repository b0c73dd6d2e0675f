"""External tensor data: files beside the model, mapped into memory.

The model is untrusted: a path that leaves the model's directory, by `..`, by being absolute or
through a symbolic link, is refused, and sizes are checked against the file before anything is
mapped. Format: onnx docs/ExternalData.md.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from onnx import TensorProto

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer.tensors import Payloads, byte_size, describe

_MAX_PATH = 4096  # PATH_MAX of Linux


class ExternalFiles:
    """Resolves tensors' external data relative to the model's directory."""

    def __init__(self, base_dir: Path | None) -> None:
        self._base_dir = base_dir
        self._maps: dict[str, np.ndarray] = {}

    def load(self, tensor: TensorProto, payloads: Payloads) -> None:
        """Makes the tensor's external data its payload.

        OmbError for a path that is missing or leaves the directory, and for data that do not fit.
        """
        what = describe(tensor)
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        if not location:
            raise OmbError(f"the external data of {what} have no location")
        if self._base_dir is None:
            raise OmbError(
                f"{what} has external data in '{location}', but the model was not read from a "
                "file; give the path of the model, or load its data first (onnx.load does)"
            )
        if tensor.data_type == TensorProto.STRING:
            raise OmbError(f"{what} has external data; strings must be in string_data")
        if len(location) > _MAX_PATH:
            raise OmbError(f"the external data of {what} have a location of {len(location)} bytes")
        expected = byte_size(tensor)
        file = self._map(location, what)
        offset = self._number(entries, "offset", 0, what)
        length = self._number(entries, "length", expected, what)
        if length != expected:
            raise OmbError(
                f"{what} of {list(tensor.dims)} must have {expected} bytes of data, but its "
                f"external data are {length} bytes"
            )
        if offset + length > file.size:
            raise OmbError(
                f"the external data of {what} end at byte {offset + length} of '{location}', "
                f"which has only {file.size} bytes; is it truncated?"
            )
        payloads.attach(tensor, file[offset : offset + length])

    @staticmethod
    def _number(entries: dict[str, str], key: str, default: int, what: str) -> int:
        text = entries.get(key, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise OmbError(f"the external data of {what} have the {key} '{text}', not a number")
        return int(text)

    def _map(self, location: str, what: str) -> np.ndarray:
        mapped = self._maps.get(location)
        if mapped is None:
            path = self._resolve(location, what)
            size = path.stat().st_size
            try:
                mapped = np.memmap(path, dtype=np.uint8, mode="r") if size else np.empty(0, "u1")
            except OSError as error:
                raise OmbError(
                    f"the external data of {what} can't be read from '{location}': {error.strerror}"
                ) from None
            self._maps[location] = mapped
        return mapped

    def _resolve(self, location: str, what: str) -> Path:
        escapes = (
            "\0" in location
            or PurePosixPath(location).is_absolute()
            or PureWindowsPath(location).drive
            or ".." in PurePosixPath(location.replace("\\", "/")).parts
        )
        base = os.path.realpath(self._base_dir)
        path = Path(base, location)
        if not escapes:
            real = os.path.realpath(path)
            escapes = os.path.commonpath([base, real]) != base
        if escapes:
            raise OmbError(
                f"the external data of {what} are in '{location}', outside of the model's "
                "directory, which is refused; put the file beside the model"
            )
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise OmbError(
                f"the external data of {what} can't be read from '{location}': {error.strerror}"
            ) from None
        if not stat.S_ISREG(mode):
            raise OmbError(f"the external data of {what}, '{location}', are not a regular file")
        return path
