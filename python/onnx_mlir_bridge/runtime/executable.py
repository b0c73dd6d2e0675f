"""A compiled module on a device: IREE's half of a session."""

from __future__ import annotations

import collections
import os
import re
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime import devices, host_memory, scheduling
from onnx_mlir_bridge.runtime.devices import Device
from onnx_mlir_bridge.runtime.inline_runs import InlineRuns
from onnx_mlir_bridge.runtime.signature import TensorInfo, element_hal_type
from onnx_mlir_bridge.runtime.sub_byte import from_compiled, is_sub_byte, to_compiled

if TYPE_CHECKING:
    from iree.runtime import (
        HalBuffer,
        HalBufferView,
        HalDevice,
        ParameterIndex,
        VmInstance,
        VmModule,
        VmVariantList,
    )

ENTRY = "main"
"""The name of the function that the importer makes of the model's graph."""

PARAMETER_SCOPE = "model"
"""The scope of the weights; lowering/iree/Parameters.h has the other copy."""

Buffer = Any
"""What supports the buffer protocol: bytes, memoryview, mmap (collections.abc.Buffer in 3.12)."""


# What IREE puts in front of its messages: the call, the place in its source, the status code.
_PREAMBLE = re.compile(r"^[^;]*(/src/iree/\S+|<vm>:\d+): [A-Z_]+; ")


_LOST = "VK_ERROR_DEVICE_LOST"


def reason(error: BaseException) -> str:
    """What IREE says went wrong, without its source locations and the lines after the first."""
    line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    what = _PREAMBLE.sub("", line).strip("; ")
    if _LOST in line:
        what += "; the device's driver gave up: make a new session, which opens it again"
    return what


def _forget_if_lost(device: HalDevice, error: Exception) -> None:
    if _LOST in str(error):
        devices.forget(device)


# IREE's threads may use the weights for a moment after their context is gone. Whoever holds a
# buffer last gives it back to Python, and IREE's threads do that without Python's lock, which can
# end the process. So the weights of sessions that are gone are kept for this long, and until the
# next session comes or goes: no thread waits for the time to pass, as none may when Python ends.
_GRACE_SECONDS = 1.0
_retired: collections.deque[tuple[float, ParameterIndex]] = collections.deque()


def _release_retired() -> None:
    now = time.monotonic()
    while _retired and now - _retired[0][0] > _GRACE_SECONDS:
        _retired.popleft()


_live: weakref.WeakSet[Executable] = weakref.WeakSet()


def _abandon_all() -> None:
    """In the child of a fork: what IREE's threads, which stayed behind, would have to end."""
    for executable in list(_live):
        executable.abandon()
    for _, weights in _retired:
        devices.immortalize(weights)
    host_memory.abandon()
    devices.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)


class _Context:
    """A module that is loaded on a device."""

    def __init__(
        self,
        instance: VmInstance,
        device: HalDevice,
        module: VmModule,
        parameters: ParameterIndex | None,
    ) -> None:
        import iree.runtime as rt

        modules = [rt.create_hal_module(instance, device)]
        if parameters is not None:
            provider = parameters.create_provider(scope=PARAMETER_SCOPE)
            modules.append(rt.create_io_parameters_module(instance, provider))
        self._function = module.lookup_function(ENTRY)
        self._context = rt.VmContext(instance, [*modules, module])

    def invoke(self, arguments: VmVariantList, results: VmVariantList) -> None:
        self._context.invoke(self._function, arguments, results)

    def abandon(self) -> None:
        devices.immortalize(self._function)
        devices.immortalize(self._context)


class Executable:
    """A loaded module with its weights, ready to be called.

    One call runs at a time: IREE's contexts aren't made for concurrent calls. Calls from several
    threads wait for each other.
    """

    _weights: ParameterIndex | None = None  # __del__ is called where __init__ wasn't, too

    def __init__(
        self,
        module: Buffer,
        parameters: ParameterIndex | None,
        device: Device,
        threads: int,
        keeps_state: bool = True,
    ) -> None:
        """Load `module` (a .vmfb) on `device`.

        `parameters`: an iree.runtime.ParameterIndex with the weights, or None. `keeps_state`:
        whether a run leaves something for the next one, so that the same threads must do all of
        them. OmbError if IREE refuses any of them.
        """
        self._weights = parameters
        import iree.runtime as rt

        _release_retired()
        self._device = devices.open_device(device, threads)
        self._is_host = device.provider == "cpu"
        self._has_workers = not self._is_host or threads > 1
        has_choice = self._is_host and threads > 1 and not keeps_state
        self._inline_runs = InlineRuns() if has_choice else None
        self._lock = threading.Lock()
        self._slots: list[host_memory.Slot] = []
        self._arguments: VmVariantList | None = None
        self._new_list, self._view_type = rt.VmVariantList, rt.HalBufferView
        self._instance = rt.VmInstance()
        self._inline: _Context | None = None
        try:
            self._module = rt.VmModule.copy_buffer(self._instance, module)
            if self._module.lookup_function(ENTRY) is None:
                raise OmbError(f"the compiled module has no function '{ENTRY}'; compile it again")
            self._context = _Context(self._instance, self._device, self._module, parameters)
        except (RuntimeError, ValueError, OSError, KeyError, IndexError, MemoryError) as error:
            _forget_if_lost(self._device, error)
            raise OmbError(
                f"the compiled model can't be loaded on '{device.name}': {reason(error)}"
            ) from None
        self._is_abandoned = False
        _live.add(self)

    def abandon(self) -> None:
        """Make the executable unusable without ending anything: see _abandon_all()."""
        for context in (self._context, self._inline):
            if context is not None:
                context.abandon()
        for value in (self._device, self._module, self._weights, self._arguments, *self._slots):
            devices.immortalize(value)
        self._is_abandoned = True

    def __del__(self) -> None:
        """Drop the contexts first, then what they use."""
        self._context = self._inline = None
        if _retired is None or _release_retired is None:  # Python ends, this module is gone
            return
        _release_retired()
        if self._weights is not None:
            _retired.append((time.monotonic(), self._weights))

    def run(
        self,
        inputs: Sequence[np.ndarray],
        infos: Sequence[TensorInfo],
        wanted: Sequence[tuple[int, TensorInfo]],
    ) -> list[np.ndarray]:
        """The `wanted` results of the entry function for `inputs`, in memory that nobody else has.

        OmbError in the child of a fork of the process that loaded the module.
        """
        if not self._is_host:
            views = self.call(inputs, infos)
            return [self.read(views[position], info) for position, info in wanted]
        self._check_process()
        with self._lock:
            size = self._fill_slots(inputs, infos)
            views = self._invoke(self._arguments, size)
            results = host_memory.Results(views, self._device, self._slots)
            return [results.array(*each) for each in wanted]

    def _fill_slots(self, inputs: Sequence[np.ndarray], infos: Sequence[TensorInfo]) -> int:
        """Have `inputs` as the arguments; how many bytes they are."""
        if len(self._slots) != len(infos):
            self._slots = [host_memory.Slot(info, self._device) for info in infos]
        arguments, self._arguments = self._arguments, None  # stays so if memory doesn't suffice
        size = 0
        for slot, array in zip(self._slots, inputs, strict=True):
            if slot.fill(array):
                arguments = None
            size += array.nbytes
        if arguments is None:
            arguments = self._new_list(len(infos))
            for slot in self._slots:
                arguments.push_ref(slot.view)
        self._arguments = arguments
        return size

    def call(
        self, inputs: Sequence[np.ndarray | HalBufferView], infos: Sequence[TensorInfo]
    ) -> list[HalBufferView]:
        """Run the entry function; one HalBufferView per output, not yet copied to the host.

        Inputs may be what another executable of the same device gave. OmbError as for run().
        """
        self._check_process()
        with self._lock:
            arguments = self._new_list(len(inputs))
            for value, info in zip(inputs, infos, strict=True):
                is_array = isinstance(value, np.ndarray)
                arguments.push_ref(self._buffer_view(value, info) if is_array else value)
            return self._invoke(arguments)

    def _check_process(self) -> None:
        if self._is_abandoned:
            raise OmbError(
                "the session was made before this process was forked, and its threads stayed in "
                "the parent; make the session in the child, or start the child with 'spawn'"
            )

    def _invoke(self, arguments: VmVariantList, size: int | None = None) -> list[HalBufferView]:
        """`size`: of the inputs, if the caller may run the code itself."""
        results = self._new_list(1)
        runs = None if size is None else self._inline_runs
        start = 0.0 if runs is None else time.perf_counter()
        try:
            if not self._has_workers:
                self._context.invoke(arguments, results)
            elif runs is not None and runs.has(size):
                self._inline_context().invoke(arguments, results)
            else:
                with scheduling.not_preempting():
                    self._context.invoke(arguments, results)
        except RuntimeError as error:
            _forget_if_lost(self._device, error)
            raise
        if runs is not None and runs.is_open(size):
            runs.add(size, time.perf_counter() - start)
        view = self._view_type
        return [results.get_as_object(index, view) for index in range(len(results))]

    def _inline_context(self) -> _Context:
        """The module on a device without threads: the caller runs its code."""
        if self._inline is None:
            device = devices.open_inline()
            self._inline = _Context(self._instance, device, self._module, self._weights)
        return self._inline

    def _buffer_view(self, array: np.ndarray, info: TensorInfo) -> HalBufferView:
        import iree.runtime as rt

        data = array.reshape(-1)
        if is_sub_byte(info.element):
            data = to_compiled(data, info.element)
        # As bytes, because the buffer protocol has no name for the dtypes of ml_dtypes.
        buffer = self._device.allocator.allocate_buffer_copy(
            memory_type=rt.MemoryType.DEVICE_LOCAL,
            allowed_usage=rt.BufferUsage.DEFAULT,
            device=self._device,
            buffer=data.view(np.uint8),
        )
        hal_type = getattr(rt.HalElementType, element_hal_type(info.element))
        return rt.HalBufferView(buffer, array.shape, hal_type)

    def read(self, view: HalBufferView, info: TensorInfo) -> np.ndarray:
        """The contents of a result, in memory that the array owns."""
        try:
            return self._read(view, info)
        except RuntimeError as error:
            _forget_if_lost(self._device, error)
            raise

    def _read(self, view: HalBufferView, info: TensorInfo) -> np.ndarray:
        import iree.runtime as rt

        shape = tuple(view.shape)
        if view.byte_length == 0:
            return np.empty(shape, info.dtype)
        buffer = view.get_buffer()
        mappable = int(rt.MemoryType.HOST_VISIBLE) & int(buffer.memory_type())
        scoped = int(rt.BufferUsage.MAPPING_SCOPED)
        if not (mappable and scoped & int(buffer.allowed_usage())):
            buffer = self._staged(buffer, view.byte_length)
        raw = buffer.map().asarray([view.byte_length], np.dtype(np.uint8))
        values = from_compiled(raw, info.element) if is_sub_byte(info.element) else np.array(raw)
        return values.view(info.dtype).reshape(shape)

    def _staged(self, buffer: HalBuffer, size: int) -> HalBuffer:
        """A copy of a device's buffer that the host can map."""
        import iree.runtime as rt

        staging = self._device.allocator.allocate_buffer(
            int(rt.MemoryType.HOST_LOCAL) | int(rt.MemoryType.DEVICE_VISIBLE),
            int(rt.BufferUsage.TRANSFER) | int(rt.BufferUsage.MAPPING),
            size,
        )
        done = self._device.create_semaphore(0)
        self._device.queue_copy(buffer, staging, rt.HalFence(0), rt.HalFence.create_at(done, 1))
        done.wait(1)
        return staging


def memory_parameters(buffers: Mapping[str, Buffer]) -> ParameterIndex | None:
    """A ParameterIndex over weights in memory, which isn't copied; None if there are no weights."""
    import iree.runtime as rt

    if not buffers:
        return None
    index = rt.ParameterIndex()
    for name, buffer in buffers.items():
        index.add_buffer(name, buffer)
    return index
