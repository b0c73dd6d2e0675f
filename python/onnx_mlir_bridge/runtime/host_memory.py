"""Arrays to and from a CPU's device, whose memory is this process's.

An input is copied to memory that the session keeps: kernels need its alignment, which few arrays
have, and IREE's threads may hold a buffer for a moment after the run, when the array is the
caller's again. A large output isn't copied: the array is of the memory that the run has left it in.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from onnx_mlir_bridge.runtime import devices
from onnx_mlir_bridge.runtime.signature import TensorInfo, element_hal_type
from onnx_mlir_bridge.runtime.sub_byte import from_compiled, is_sub_byte, to_compiled

if TYPE_CHECKING:
    from iree.runtime import HalBufferView, HalDevice, MappedMemory

_BYTE = np.dtype(np.uint8)


class Slot:
    """Memory on the device for an input; runs with the same shape use it again."""

    def __init__(self, info: TensorInfo, device: HalDevice) -> None:
        """For the input `info`."""
        import iree.runtime as rt

        self._device = device
        self._element = info.element
        self._is_sub_byte = is_sub_byte(info.element)
        self._hal_type = getattr(rt.HalElementType, element_hal_type(info.element))
        self._dtype = info.dtype
        self._shape: tuple[int, ...] | None = None
        self.view: HalBufferView | None = None
        """What the compiled code gets."""
        self.memory: np.ndarray
        """Where it gets it from."""

    def fill(self, array: np.ndarray) -> bool:
        """Copy `array` to the memory; whether `view` is another one than before."""
        is_new = array.shape != self._shape
        if is_new:
            self._allocate(array.shape, array.nbytes)
        if self._is_sub_byte:
            np.copyto(self.memory, to_compiled(array.reshape(-1), self._element))
        else:
            np.copyto(self.memory, array)
        return is_new

    def _allocate(self, shape: tuple[int, ...], size: int) -> None:
        import iree.runtime as rt

        self._shape = self.view = None
        buffer = self._device.allocator.allocate_buffer(
            int(rt.MemoryType.DEVICE_LOCAL) | int(rt.MemoryType.HOST_VISIBLE),
            int(rt.BufferUsage.DEFAULT) | int(rt.BufferUsage.MAPPING),
            size,
        )
        memory = buffer.map().asarray([size], _BYTE) if size else np.empty(0, _BYTE)
        self.memory = memory if self._is_sub_byte else memory.view(self._dtype).reshape(shape)
        self.view = rt.HalBufferView(buffer, shape, self._hal_type)
        self._shape = shape


class _Lent:
    """Memory of a result that an array has."""

    def __init__(self, mapped: MappedMemory, memory: np.ndarray, device: HalDevice) -> None:
        self.mapped = mapped  # goes first, before the device that it is on
        self._device = device
        self.__array_interface__ = memory.__array_interface__


_lent: weakref.WeakSet[_Lent] = weakref.WeakSet()


def abandon() -> None:
    """In the child of a fork: nothing of what IREE has in the parent may end here."""
    for each in list(_lent):
        devices.immortalize(each)


# Smaller arrays are copied in less time than it takes to lend their memory.
_LEAST_LENT_BYTES = 64 << 10

# Results of one run are parts of one allocation, which an array that has one of them keeps: those
# that are less than this part of it are copied.
_LEAST_LENT_PART = 4


class Results:
    """What a run gave, as arrays that nobody else has."""

    def __init__(
        self, views: Sequence[HalBufferView], device: HalDevice, slots: Sequence[Slot]
    ) -> None:
        """`slots`: the run's inputs, which results may be parts of."""
        self._views = views
        self._device = device
        self._slots = slots
        self._sizes = [view.byte_length for view in views]
        self._least = max(_LEAST_LENT_BYTES, sum(self._sizes) // _LEAST_LENT_PART)
        self._taken: list[tuple[int, int]] | None = None

    def array(self, position: int, info: TensorInfo) -> np.ndarray:
        """The result `info` at this position."""
        view, size = self._views[position], self._sizes[position]
        shape = view.shape
        if size == 0:
            return np.empty(shape, info.dtype)
        mapped = view.map()
        if size < self._least and info.dtype.isbuiltin == 1:
            return mapped.asarray(shape, info.dtype).copy()
        memory = mapped.asarray([size], _BYTE)
        if is_sub_byte(info.element):
            memory = from_compiled(memory, info.element)
        elif size < self._least or not self._take(memory):
            memory = memory.copy()
        else:
            lent = _Lent(mapped, memory, self._device)
            _lent.add(lent)
            memory = np.asarray(lent)
        return memory.view(info.dtype).reshape(shape)

    def _take(self, memory: np.ndarray) -> bool:
        """Whether no other array has a part of it: it may be an input's, or another result's."""
        if self._taken is None:
            self._taken = [_extent(slot.memory) for slot in self._slots]
        first, last = _extent(memory)
        if any(first < end and begin < last for begin, end in self._taken):
            return False
        self._taken.append((first, last))
        return True


def _extent(memory: np.ndarray) -> tuple[int, int]:
    begin = memory.__array_interface__["data"][0]
    return begin, begin + memory.nbytes
