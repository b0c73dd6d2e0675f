"""IREE's tools: iree-benchmark-module runs a module and records it, iree-profile reads that.

They are executables in the package iree-base-runtime. They take files, which lie in a temporary
folder while they run.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime import containers, devices, matrix_unit, scheduling
from onnx_mlir_bridge.runtime.artifact import DevicePart
from onnx_mlir_bridge.runtime.executable import (
    ENTRY,
    PARAMETER_SCOPE,
    memory_parameters,
    reason,
)
from onnx_mlir_bridge.runtime.signature import TensorInfo, element_hal_type
from onnx_mlir_bridge.runtime.sub_byte import is_sub_byte, to_compiled

WARM_UP_RUNS = 2
"""Runs that are not looked at: their memory is cold, and a GPU's driver compiles in the first."""

_MODES = {
    "cpu": "host-execution,queue-events,executable-metadata",
    "vulkan": "dispatch-events,queue-events,executable-metadata",
    "cuda": "dispatch-events,queue-events,executable-metadata",
}
_KINDS = {"INT": "i", "FLOAT": "f", "BFLOAT": "bf", "COMPLEX": "cf"}


@dataclass(frozen=True)
class Capture:
    """What the tools give.

    seconds: what each run took, warm-up runs included. records: lines of iree-profile's export.
    """

    seconds: list[float]
    records: list[dict[str, Any]]


def capture(
    part: DevicePart,
    values: Sequence[containers.Value],
    device: devices.Device,
    threads: int,
    runs: int,
) -> Capture:
    """Run a module `runs` times, after those to warm up.

    `values`: the inputs, checked. OmbError where IREE has no tools or they fail.
    """
    run_tool, read_tool = _tool("iree-benchmark-module"), _tool("iree-profile")
    try:
        with tempfile.TemporaryDirectory(prefix="omb-profile-") as name:
            folder = Path(name)
            flags = [*_files(part, folder), *_inputs(part, values, folder)]
            flags += [f"--device={devices.uri(device)}", f"--function={ENTRY}"]
            if device.provider == "cpu":  # with one thread too: local-sync doesn't number commands
                flags += devices.tool_flags(threads)
            profile, report = folder / "runs.ireeprof", folder / "report.json"
            flags += [
                f"--device_profiling_mode={_MODES[device.provider]}",
                f"--device_profiling_output={profile}",
                # Repetitions of one run each, as each is reported with its time.
                "--benchmark_min_time=1x",
                f"--benchmark_repetitions={runs + WARM_UP_RUNS}",
                f"--benchmark_out={report}",
                "--benchmark_out_format=json",
            ]
            _run([run_tool, *flags], f"running the model on '{device.name}' failed")
            seconds = _seconds(json.loads(report.read_text()), device)
            exported = folder / "runs.jsonl"
            export = ["export", "--format=ireeperf-jsonl", f"--output={exported}", str(profile)]
            _run([read_tool, *export], "IREE's profile can't be read")
            return Capture(seconds, list(_records(exported)))
    except OSError as error:
        raise OmbError(
            f"files for IREE's tools can't be written to {tempfile.gettempdir()}: "
            f"{error.strerror or error}"
        ) from None


_STATUS = re.compile(r": [A-Z_]+; ")
"""How a line of IREE's says what failed: the place in its source, the status, the reason."""


def _tool(name: str) -> str:
    """The path of a tool of IREE's; OmbError where it isn't installed."""
    spec = importlib.util.find_spec("iree._runtime_libs")
    for folder in spec.submodule_search_locations or () if spec else ():
        path = Path(folder) / name
        if path.is_file():
            return str(path)
    raise OmbError(
        f"there is no {name}, which omb profile needs; it is in the package iree-base-runtime"
    )


def _run(command: Sequence[str], failure: str) -> None:
    """Run a tool; OmbError, with what it complains of, if it fails. An interrupt ends it."""
    try:
        with scheduling.not_preempting():  # the tool's threads are scheduled as this one is
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=matrix_unit.environment(),
                start_new_session=True,  # the terminal's Ctrl-C is for this process, which ends it
                check=False,
            )
    except OSError as error:
        raise OmbError(f"{failure}: {command[0]} can't be run: {error.strerror}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        lines = [line for line in said.splitlines() if not line.startswith("***")]
        # The time and the CPUs come first, if it is the run that fails.
        lines.sort(key=lambda line: not _STATUS.search(line))
        status = done.returncode
        how = f"exit status {status}" if status > 0 else f"signal {-status}"
        why = reason(RuntimeError(lines[0])) if lines and status > 0 else how
        raise OmbError(f"{failure}: {why}")


def _files(part: DevicePart, folder: Path) -> list[str]:
    """Flags for the module and its weights, which are written to the folder."""
    module = folder / "module.vmfb"
    with module.open("wb") as file:
        file.write(part.module)
    flags = [f"--module={module}"]
    if part.weights:
        weights = folder / "weights.irpa"
        _write_weights(part.weights, weights)
        flags.append(f"--parameters={PARAMETER_SCOPE}={weights}")
    return flags


def _write_weights(weights: Mapping[str, Any] | memoryview, path: Path) -> None:
    if isinstance(weights, memoryview):
        with path.open("wb") as file:
            file.write(weights)
        return
    try:
        memory_parameters(weights).create_archive_file(str(path))
    except (RuntimeError, ValueError) as error:
        raise OSError(reason(error)) from None


def _inputs(part: DevicePart, values: Sequence[containers.Value], folder: Path) -> list[str]:
    """A flag for each tensor that the code takes, whose values are written to the folder."""
    flags = []
    for info, value in zip(part.signature.inputs, values, strict=True):
        tensors = zip(containers.parts(info), containers.pack(info, value), strict=True)
        for tensor, array in tensors:
            file = folder / f"{len(flags)}.bin"
            data = array.reshape(-1)
            if is_sub_byte(tensor.element):
                data = to_compiled(data, tensor.element)
            file.write_bytes(data.view(np.uint8))
            flags.append(f"--input={_spelled(tensor, array.shape)}=@{file}")
    return flags


def _spelled(info: TensorInfo, shape: tuple[int, ...]) -> str:
    """A tensor's type as IREE's tools read it, such as "2x3xf32"."""
    kind, _, rest = element_hal_type(info.element).partition("_")
    element = "i1" if kind == "BOOL" else _KINDS[kind] + rest.replace("_", "")
    return "x".join([*map(str, shape), element])


def _seconds(report: dict[str, Any], device: devices.Device) -> list[float]:
    """What each run took."""
    runs = [run for run in report["benchmarks"] if run.get("run_type") == "iteration"]
    for run in runs:
        if run.get("error_occurred"):
            said = reason(RuntimeError(run.get("error_message", "")))
            raise OmbError(f"running the model on '{device.name}' failed: {said}")
    units = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
    return [run["real_time"] * units[run["time_unit"]] for run in runs]


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with path.open() as file:
        for line in file:
            yield json.loads(line)
