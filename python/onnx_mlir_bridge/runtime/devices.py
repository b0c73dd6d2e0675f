"""The devices of this machine, and opening them.

A provider ("cpu", "vulkan", "cuda") is a kind of device and what models are compiled for; a machine
may have several devices of one.
"""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime import scheduling

if TYPE_CHECKING:
    from iree.runtime import HalDevice, HalDriver

PROVIDERS = ("cuda", "vulkan", "cpu")
"""All providers, the fastest first."""

# Kernels may use this much of the stack (see compiler/targets.py), which the workers' own default
# of 128 KiB does not hold.
STACK_ALLOCATION_LIMIT = 256 << 10
_WORKER_STACK_BYTES = 1 << 20


@dataclass(frozen=True)
class Device:
    """A device of this machine.

    name: how sessions ask for it: the provider, with ":1" and so on behind the first one.
    provider: "cpu", "vulkan" or "cuda".
    description: the hardware, in words.
    is_software: whether a GPU interface is implemented by the CPU, as lavapipe does for Vulkan.
    """

    name: str
    provider: str
    description: str
    is_software: bool = False
    device_id: int = 0

    def __str__(self) -> str:
        """The description, and whether it is only software."""
        return f"{self.description} (software)" if self.is_software else self.description


def available_threads() -> int:
    """How many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_description() -> str:
    model = ""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    threads = available_threads()
    cores = "1 thread" if threads == 1 else f"{threads} threads"
    return f"{model or platform.processor() or platform.machine()}, {cores}"


@cache
def _driver(name: str) -> HalDriver | None:
    """IREE's driver, or None where the machine lacks what it needs."""
    import iree.runtime as rt

    try:
        return rt.get_driver(name)
    except (RuntimeError, ValueError, OSError):
        return None


def _gpu_devices(provider: str) -> list[Device]:
    driver = _driver(provider)
    if driver is None:
        return []
    devices = []
    for number, info in enumerate(driver.query_available_devices()):
        details = driver.dump_device_info(info["device_id"])
        lines = dict(line.partition(": ")[::2] for line in details.splitlines())
        devices.append(
            Device(
                name=f"{provider}:{number}" if number else provider,
                provider=provider,
                description=lines.get("name") or info["name"],
                is_software=lines.get("type") == "cpu",
                device_id=info["device_id"],
            )
        )
    return devices


@cache
def _devices_of(provider: str) -> tuple[Device, ...]:
    """Those of one provider: asking for the others loads their drivers (of lavapipe, 45 MB)."""
    if provider == "cpu":
        return (Device("cpu", "cpu", _cpu_description()),)
    return tuple(_gpu_devices(provider))


@cache
def _all_devices() -> tuple[Device, ...]:
    found = [device for provider in PROVIDERS for device in _devices_of(provider)]
    return tuple(sorted(found, key=lambda device: device.is_software))  # stable: software last


def devices() -> list[Device]:
    """The devices of this machine, the one that sessions take by default first.

    GPUs come before the CPU, and the CPU before a GPU interface in software.
    """
    return list(_all_devices())


def _split_name(name: object) -> tuple[str, str]:
    if not isinstance(name, str):
        raise OmbError(f"a device is given by its name, not by {name!r}; omb.devices() lists them")
    provider, _, number = name.partition(":")
    if provider not in PROVIDERS:
        raise OmbError(f"there is no provider '{name}'; use one of {', '.join(PROVIDERS)}")
    return provider, number


def find(name: str) -> Device:
    """The device of that name; OmbError where this machine doesn't have it."""
    provider, number = _split_name(name)
    for device in _devices_of(provider):
        if device.name == (f"{provider}:{number}" if number not in ("", "0") else provider):
            return device
    names = ", ".join(device.name for device in _all_devices())
    raise OmbError(f"this machine has no device '{name}'; it has {names}")


def checked_names(providers: Sequence[str] | str) -> list[str]:
    """The names of devices, which this machine may lack; OmbError for what isn't such a name."""
    names = [providers] if isinstance(providers, str) else list(providers)
    if not names:
        raise OmbError(f"providers is empty; name some of {', '.join(PROVIDERS)}, or pass None")
    for name in names:
        _split_name(name)
    return names


def choose(providers: Sequence[str] | None) -> Device:
    """The first device that the machine has out of `providers`, of all where that is None.

    OmbError for an unknown name, an empty list, or where none is there.
    """
    if providers is None:
        return _all_devices()[0]
    names = checked_names(providers)
    missing: OmbError | None = None
    for name in names:
        try:
            return find(name)
        except OmbError as error:
            missing = missing or error
    if len(names) == 1 and missing:
        raise missing
    has = ", ".join(device.name for device in _all_devices())
    raise OmbError(f"this machine has none of the devices {', '.join(names)}; it has {has}")


def check_threads(threads: int | None) -> int:
    """The number of threads to use: `threads`, or all CPUs for None. OmbError for nonsense."""
    if threads is None:
        return available_threads()
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= 1024:
        raise OmbError(f"threads must be a number from 1 to 1024, not {threads!r}")
    return threads


def uri(device: Device) -> str:
    """What IREE's tools call the device; of the CPU, the one with a pool of threads."""
    if device.provider == "cpu":
        return "local-task"
    found = _driver(device.provider).query_available_devices()
    path = next(info["path"] for info in found if info["device_id"] == device.device_id)
    return f"{device.provider}://{path}"


def pool_flags(threads: int) -> tuple[str, str]:
    """Flags of IREE for a pool of `threads` worker threads."""
    return (
        f"--task_topology_group_count={threads}",
        f"--task_worker_stack_size={_WORKER_STACK_BYTES}",
    )


def tool_flags(threads: int) -> list[str]:
    """Flags for IREE's tools: a pool as a session has it."""
    count, *others = pool_flags(threads)
    if cpus := scheduling.own_cpus(threads):
        return [f"--task_topology_cpu_ids={','.join(map(str, cpus))}", *others]
    return [count, *others]


_lock = threading.Lock()
_opened: dict[tuple[str, int], HalDevice] = {}
_lost: list[HalDevice] = []


def _cpu_pool(threads: int) -> HalDevice:
    """A device with `threads` worker threads, shared by all sessions that ask for as many.

    IREE takes the number from flags of the process when a driver is made, so each number needs a
    driver of its own, made under a lock; the flags are put back.
    """
    import iree.runtime as rt
    from iree.runtime import _binding

    cpus = scheduling.own_cpus(threads)
    before = scheduling.workers() if cpus else frozenset()
    rt.flags.parse_flags(*pool_flags(threads))
    try:
        device = _binding.create_hal_driver("local-task").create_default_device()
    finally:
        rt.flags.parse_flags("--task_topology_group_count=0", "--task_worker_stack_size=131072")
    if cpus:
        scheduling.pin(before, cpus)
    return device


def _single_thread() -> HalDevice:
    import iree.runtime as rt

    return rt.get_driver("local-sync").create_default_device()


def _open(device: Device, threads: int) -> HalDevice:
    if device.provider != "cpu":
        return _driver(device.provider).create_device(device.device_id)
    return _single_thread() if threads == 1 else _cpu_pool(threads)


def open_device(device: Device, threads: int) -> HalDevice:
    """IREE's device. One thread runs in the caller's; OmbError if it can't be opened."""
    key = (device.name, threads if device.provider == "cpu" else 0)
    with _lock:
        try:
            if key not in _opened:
                _opened[key] = _open(device, threads)
            return _opened[key]
        except (RuntimeError, ValueError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise OmbError(f"the device '{device.name}' can't be opened: {reason}") from None


def open_inline() -> HalDevice:
    """IREE's device that runs code of the CPU in the caller's thread."""
    return open_device(find("cpu"), threads=1)


def forget(opened: HalDevice) -> None:
    """Have the next session open another device in the place of this one, whose driver gave up.

    It isn't closed: other sessions may have buffers of it.
    """
    with _lock:
        for key in [key for key, value in _opened.items() if value is opened]:
            _lost.append(_opened.pop(key))


def abandon() -> None:
    """Forget what was opened, without closing it: for the child of a fork.

    The threads behind it exist in the parent only; closing would wait for them for ever.
    """
    global _lock
    _lock = threading.Lock()
    for opened in (*_opened.values(), *_lost):
        immortalize(opened)
    _opened.clear()
    _lost.clear()


def immortalize(value: object) -> None:
    """Keep `value` from ever being destroyed, also when the interpreter ends."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
