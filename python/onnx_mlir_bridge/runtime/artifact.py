"""The format of saved models: one file with code, weights and description.

It is a zip file whose members aren't compressed:

    metadata.json     format version, target, signature, parts, options, versions
    module.vmfb       IREE's bytecode module
    parameters.irpa   IREE's parameter archive, if the model has weights

A model some of which runs on the host is in parts, each in a folder called by its number: what is
compiled as above, what isn't as

    model.onnx        the nodes, for onnx's reference evaluator

Every member's data start at a multiple of 64 KiB, a page size of every machine in use, so the
weights are mapped, not read: processes that run one model share their memory, and only what is used
is loaded. `unzip` takes a file apart for IREE's own tools. The checksums of the small members are
checked when a model is loaded; checking the weights' would read all of them, `unzip -t` does that.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime.devices import PROVIDERS, check_threads
from onnx_mlir_bridge.runtime.executable import Buffer
from onnx_mlir_bridge.runtime.signature import STRING, ModelMetadata, Signature

FORMAT = "onnx-mlir-bridge"
FORMAT_VERSION = 2

_METADATA = "metadata.json"
_MODULE, _PARAMETERS, _MODEL = "module.vmfb", "parameters.irpa", "model.onnx"
_ALIGNMENT = 64 << 10
_MAX_METADATA_BYTES = 64 << 20

# What zipfile, json and from_json() raise for files that aren't what they should be.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    RecursionError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True)
class Description:
    """What a saved model says of itself.

    provider: the kind of device it is compiled for.
    features: what its machine code needs of the CPU, as /proc/cpuinfo names it.
    machine: the CPU's architecture, as platform.machine() names it; "" for GPUs.
    threads: how many threads it runs on by default; None: all.
    versions: of this package and of IREE's compiler.
    warnings: what there was to say about the model, one line each.
    on_host: one line that says which nodes run on the host, and why; "" if none does.
    """

    provider: str
    signature: Signature
    metadata: ModelMetadata
    machine: str = ""
    features: tuple[str, ...] = ()
    threads: int | None = None
    versions: Mapping[str, str] | None = None
    warnings: tuple[str, ...] = ()
    on_host: str = ""

    def to_json(self) -> dict[str, Any]:
        """A value for json.dump()."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "versions": dict(self.versions or {}),
            "provider": self.provider,
            "machine": self.machine,
            "features": list(self.features),
            "threads": self.threads,
            "warnings": list(self.warnings),
            "on_host": self.on_host,
            "model": asdict(self.metadata),
            **self.signature.to_json(),
        }

    @staticmethod
    def from_json(value: dict[str, Any]) -> Description:
        """The description that to_json() gave; KeyError, TypeError or ValueError for others."""
        if value["provider"] not in PROVIDERS:
            raise ValueError(f"unknown provider {value['provider']!r}")
        try:
            check_threads(value["threads"])
        except OmbError as error:
            raise ValueError(str(error)) from None
        if not all(isinstance(feature, str) for feature in value["features"]):
            raise ValueError("bad features")
        return Description(
            provider=value["provider"],
            signature=Signature.from_json(value),
            metadata=ModelMetadata(**value["model"]),
            machine=str(value["machine"]),
            features=tuple(value["features"]),
            threads=value["threads"],
            versions=dict(value["versions"]),
            warnings=tuple(map(str, value.get("warnings", ()))),
            on_host=str(value.get("on_host", "")),
        )


@dataclass(frozen=True)
class DevicePart:
    """A compiled part of a model, or all of it: IREE's module.

    weights: by name; of an opened file its parameter archive, None if there are none.
    keeps_state: whether a run leaves something in the module for the next one.
    """

    signature: Signature
    module: Buffer
    weights: Mapping[str, Buffer] | memoryview | None = None
    keeps_state: bool = False


@dataclass(frozen=True)
class HostPart:
    """A part of a model that runs on the host: a serialized ModelProto."""

    signature: Signature
    model: Buffer


Part = DevicePart | HostPart


@dataclass(frozen=True)
class Artifact:
    """An opened saved model; the buffers are views of the mapped file."""

    description: Description
    parts: tuple[Part, ...]


def _aligned(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """A member whose data will start at a multiple of the alignment.

    The gap is an extra field in the member's header, as zipalign makes it for Android.
    """
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o644 << 16
    zip64_extra = 20  # force_zip64 makes zipfile add this one
    start = archive.fp.tell() + 30 + len(name) + zip64_extra + 4
    gap = -start % _ALIGNMENT
    info.extra = struct.pack("<HH", 0xD935, gap) + bytes(gap)
    return info


def _add(archive: zipfile.ZipFile, name: str, source: BinaryIO | Buffer) -> None:
    info = _aligned(archive, name)
    with archive.open(info, "w", force_zip64=True) as member:
        if hasattr(source, "read"):
            shutil.copyfileobj(source, member, 16 << 20)
        else:
            member.write(source)
    info.extra = b""  # the directory, which would have it again, needs no gap


def checked_path(path: object) -> Path:
    """The path of a saved model; OmbError for what is no path."""
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        raise OmbError(f"a saved model is given by its path, not by {type(path).__name__}")
    if not os.fspath(path):
        raise OmbError("the path of the saved model is empty")
    return Path(path)


def write(path: Path, description: Description, parts: Sequence[Part]) -> None:
    """Save a compiled model at `path`, replacing a file that is there only once all is written.

    OmbError if it can't be written.
    """
    document = description.to_json()
    document["parts"] = [_entry(part) for part in parts]
    try:
        # Beside the file is room for the weights; /tmp may be small.
        folder = path.parent if path.is_file() or not path.exists() else None
        with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            _add(archive, _METADATA, json.dumps(document, indent=1).encode())
            for number, part in enumerate(parts):
                _add_part(archive, _folder(number, parts), part, folder)
    except OSError as error:
        raise OmbError(f"'{path}' can't be written: {error.strerror or error}") from None


def _entry(part: Part) -> dict[str, Any]:
    """What the description says of a part."""
    if isinstance(part, HostPart):
        return {"on": "host", **part.signature.to_json()}
    return {"on": "device", "keeps_state": part.keeps_state, **part.signature.to_json()}


def _folder(number: int, parts: Sequence[object]) -> str:
    """In front of the names of a part's members."""
    return f"{number}/" if len(parts) > 1 else ""


def _add_part(archive: zipfile.ZipFile, prefix: str, part: Part, folder: Path | None) -> None:
    """`folder`: for temporary files."""
    from onnx_mlir_bridge.runtime.executable import memory_parameters

    if isinstance(part, HostPart):
        _add(archive, prefix + _MODEL, part.model)
        return
    _add(archive, prefix + _MODULE, part.module)
    if isinstance(part.weights, memoryview):  # of an opened file
        _add(archive, prefix + _PARAMETERS, part.weights)
    elif part.weights:
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".irpa") as weights:
            memory_parameters(part.weights).create_archive_file(weights.name)
            _add(archive, prefix + _PARAMETERS, weights)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` at the end, unless an exception comes first.

    A link is followed, and what isn't a regular file (/dev/null) is written to at the end instead.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise OmbError(f"'{path}' can't be written: it is a directory")
    if path.exists() and not path.is_file():
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            with path.open("wb") as device:
                shutil.copyfileobj(file, device)
        return
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes it private
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def read(path: Path) -> Artifact:
    """Open a saved model; OmbError for what is missing, damaged, or not one."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise OmbError(f"'{path}' is empty; it should be a model saved by omb")
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            return _parse(path, file, mapped)
    except FileNotFoundError:
        raise OmbError(f"there is no file '{path}'") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        cause = getattr(error, "strerror", None) or error
        raise OmbError(f"'{path}' can't be read: {cause}") from None


def _parse(path: Path, file: BinaryIO, mapped: memoryview) -> Artifact:
    if bytes(mapped[:2]) != b"PK":
        raise OmbError(
            f"'{path}' is not a model saved by omb; an ONNX model is compiled with omb.compile()"
        )
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if _METADATA not in names:
                raise OmbError(f"'{path}' is a zip file, but not a model saved by omb")
            if any(info.header_offset < 0 for info in archive.infolist()):
                raise ValueError("its beginning is missing")
            if archive.getinfo(_METADATA).file_size > _MAX_METADATA_BYTES:
                raise ValueError("its description is too large")
            document = json.loads(archive.read(_METADATA))  # read() checks the checksum
            _check_version(path, document)
            description = Description.from_json(document)
            entries = document["parts"]
            signatures = [Signature.from_json(entry) for entry in entries]
            _check_flow(description.signature, signatures)
            parts = tuple(
                _part(archive, mapped, _folder(number, entries), entry, signature)
                for number, (entry, signature) in enumerate(zip(entries, signatures, strict=True))
            )
            return Artifact(description, parts)
    except _DAMAGE as error:
        raise OmbError(
            f"'{path}' is damaged or incomplete ({error}); save the model again"
        ) from None


def _check_flow(whole: Signature, parts: Sequence[Signature]) -> None:
    """ValueError unless each part takes what there is by then, and the outputs are there."""
    known = {info.name: info.type for info in whole.inputs}
    for part in (*parts, Signature(whole.outputs, ())):
        for info in part.inputs:
            if info.name not in known:
                raise ValueError(f"nothing gives '{info.name}'")
            if info.type != known[info.name]:
                raise ValueError(f"'{info.name}' is {known[info.name]} and {info.type}")
        known.update((info.name, info.type) for info in part.outputs)


def _part(
    archive: zipfile.ZipFile,
    mapped: memoryview,
    prefix: str,
    entry: Mapping[str, Any],
    signature: Signature,
) -> Part:
    def small(name: str) -> memoryview:
        data = _view(archive, mapped, prefix + name)
        archive.read(prefix + name)  # checks the checksum
        return data

    if entry["on"] == "host":
        return HostPart(signature, small(_MODEL))
    if entry["on"] != "device":
        raise ValueError(f"unknown kind of part {entry['on']!r}")
    for info in (*signature.inputs, *signature.outputs):
        if info.is_map or info.element == STRING or info.dims is None:
            raise ValueError(f"no device has '{info}'")
    module = small(_MODULE)
    has_weights = prefix + _PARAMETERS in archive.namelist()
    weights = _view(archive, mapped, prefix + _PARAMETERS) if has_weights else None
    # Files of earlier versions of the package don't say it.
    return DevicePart(signature, module, weights, bool(entry.get("keeps_state", True)))


def _check_version(path: Path, document: object) -> None:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise OmbError(f"'{path}' is a zip file, but not a model saved by omb")
    version = document.get("format_version")
    if version != FORMAT_VERSION:
        raise OmbError(
            f"'{path}' has version {version} of the format, and this package reads version "
            f"{FORMAT_VERSION}; compile the model with this version of onnx-mlir-bridge"
        )


def _view(archive: zipfile.ZipFile, mapped: memoryview, name: str) -> memoryview:
    """The bytes of a member in the mapped file."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    header = mapped[info.header_offset : info.header_offset + 30]
    if bytes(header[:4]) != b"PK\3\4":
        raise ValueError(f"{name} has no header")
    start = info.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
    if start + info.file_size > len(mapped):
        raise ValueError(f"{name} goes beyond the end of the file")
    return mapped[start : start + info.file_size]
