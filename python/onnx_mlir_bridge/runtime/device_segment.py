"""A compiled part of a model on a device, or all of it: values in, values out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime import containers
from onnx_mlir_bridge.runtime.executable import Executable
from onnx_mlir_bridge.runtime.inputs import Sizes, check_shape
from onnx_mlir_bridge.runtime.signature import Signature, TensorInfo

if TYPE_CHECKING:
    from iree.runtime import HalBufferView


class OnDevice:
    """A value that compiled code gave, on the device still."""

    def __init__(
        self, executable: Executable, info: TensorInfo, views: Sequence[HalBufferView]
    ) -> None:
        """`views`: of the tensors that containers.parts(info) names."""
        self.views = views  # goes first, before the device that it is on
        self._executable = executable
        self._info = info

    @cached_property
    def value(self) -> containers.Value:
        """The value, to look at: all who ask get the same memory."""
        return self.read()

    def read(self) -> containers.Value:
        """The value, in memory of its own."""
        parts = zip(self.views, containers.parts(self._info), strict=True)
        return containers.unpack(self._info, [self._executable.read(*each) for each in parts])


Stored: TypeAlias = "containers.Value | OnDevice"
"""A value while a model runs: with the host, or on the device, where it stays if it can."""


class DeviceSegment:
    """Compiled code, ready to be called."""

    def __init__(self, signature: Signature, executable: Executable) -> None:
        """`signature`: what the code takes and gives."""
        self.signature = signature
        self._executable = executable
        self._parts = [part for info in signature.inputs for part in containers.parts(info)]
        self._is_plain = not any(i.containers for i in (*signature.inputs, *signature.outputs))
        numbers = itertools.count()
        self._results = [[next(numbers) for _ in containers.parts(i)] for i in signature.outputs]

    def arrays(
        self, values: Sequence[containers.Value], positions: Sequence[int]
    ) -> list[containers.Value]:
        """The outputs at `positions`, in memory that nobody else has."""
        if self._is_plain:
            outputs = self.signature.outputs
            wanted = [(position, outputs[position]) for position in positions]
            return self._executable.run(values, self._parts, wanted)
        inputs = self.signature.inputs
        tensors = [t for pair in zip(inputs, values, strict=True) for t in containers.pack(*pair)]
        outputs = [self.signature.outputs[position] for position in positions]
        wanted = [
            pair
            for position, info in zip(positions, outputs, strict=True)
            for pair in zip(self._results[position], containers.parts(info), strict=True)
        ]
        arrays = iter(self._executable.run(tensors, self._parts, wanted))
        return [
            containers.unpack(info, [next(arrays) for _ in containers.parts(info)])
            for info in outputs
        ]

    def run(self, values: Sequence[Stored]) -> list[OnDevice]:
        """The outputs for inputs in the signature's order, which fit it."""
        tensors = []
        for info, value in zip(self.signature.inputs, values, strict=True):
            on_device = isinstance(value, OnDevice)
            tensors += value.views if on_device else containers.pack(info, value)
        results = self._executable.call(tensors, self._parts)
        return [
            OnDevice(self._executable, info, [results[number] for number in numbers])
            for info, numbers in zip(self.signature.outputs, self._results, strict=True)
        ]

    def check(self, values: Sequence[Stored]) -> None:
        """OmbError unless the sizes are those that the code was compiled for.

        For what other segments give. Code that was compiled for other sizes reads out of bounds,
        and what the host gives is what onnx's inference promised only if onnx has no bugs.
        """
        sizes: Sizes = {}
        for info, value in zip(self.signature.inputs, values, strict=True):
            if info.containers:
                continue  # their sizes are open, and their ranks part of what they consist of
            shape = tuple(value.views[0].shape) if isinstance(value, OnDevice) else value.shape
            try:
                check_shape(info, shape, sizes)
            except OmbError as error:
                raise OmbError(f"between two segments of the model: {error}") from None
