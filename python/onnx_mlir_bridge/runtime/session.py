"""InferenceSession: a compiled model on a device, with the interface of ONNX Runtime's session."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime import containers, devices
from onnx_mlir_bridge.runtime.artifact import Description, HostPart, Part, checked_path, read
from onnx_mlir_bridge.runtime.cpu_features import why_not
from onnx_mlir_bridge.runtime.device_segment import DeviceSegment, OnDevice, Stored
from onnx_mlir_bridge.runtime.executable import Executable, memory_parameters, reason
from onnx_mlir_bridge.runtime.host import HostSegment
from onnx_mlir_bridge.runtime.inputs import checked_inputs, checked_output_names
from onnx_mlir_bridge.runtime.signature import ModelMetadata, Signature, TensorInfo
from onnx_mlir_bridge.runtime.variants import Variants

if TYPE_CHECKING:
    from iree.runtime import ParameterIndex

    from onnx_mlir_bridge.compiler.compiled_model import CompiledModel
    from onnx_mlir_bridge.compiler.source import ModelSource
    from onnx_mlir_bridge.compiler.specialized_model import SpecializedModel


_EMPTY_BINDING = "resolved to an empty buffer range"


_WRONG_SIZE = re.compile(
    r"input(?P<number>\d+) shape dimension (?P<axis>\d+) mismatch; expected (?P<size>\d+)"
)


def explain(message: str, infos: Sequence[TensorInfo], values: Sequence[Stored]) -> str:
    """What IREE says of the tensors that it is given, in words of the model."""
    if (found := _WRONG_SIZE.search(message)) and int(found["number"]) < len(infos):
        info, value = infos[int(found["number"])], values[int(found["number"])]
        shape = f"the shape {value.shape}" if isinstance(value, np.ndarray) else "another shape"
        return (
            f"'{info.name}' has {shape}; dimension {found['axis']} must be {found['size']}, as the "
            "operators that read it say"
        )
    if _EMPTY_BINDING not in message:
        return message
    # IREE's Vulkan driver binds no empty buffers. Where compiled code doesn't read an empty tensor,
    # as most doesn't whose sizes are known when it is compiled, there is no binding.
    empty = "a tensor in the model has no elements"
    for info, value in zip(infos, values, strict=True):
        if isinstance(value, np.ndarray) and value.size == 0:
            empty = f"'{info.name}' has no elements, {value.shape}"
            break
    return f"{empty}; Vulkan devices take no empty tensors: run the model with providers=['cpu']"


@dataclass(frozen=True)
class _Plan:
    """What runs, in this order.

    whole: the only segment, where it takes and gives what the model does.
    """

    segments: Sequence[DeviceSegment | HostSegment]
    whole: DeviceSegment | None

    @staticmethod
    def of(
        parts: Sequence[Part], signature: Signature, device: devices.Device, threads: int
    ) -> _Plan:
        """The parts of a model, opened."""
        segments = [_segment(part, device, threads) for part in parts]
        only = segments[0] if len(segments) == 1 else None
        is_whole = isinstance(only, DeviceSegment) and _names(only.signature) == _names(signature)
        return _Plan(segments, only if is_whole else None)


def _names(signature: Signature) -> list[list[str]]:
    return [[info.name for info in infos] for infos in (signature.inputs, signature.outputs)]


def _by_name(signature: Signature, values: Sequence[containers.Value]) -> dict[str, Stored]:
    return {info.name: value for info, value in zip(signature.inputs, values, strict=True)}


@dataclass(frozen=True)
class _Variant:
    """A specialized model for some values. compiled: owns the memory of the weights."""

    plan: _Plan
    compiled: CompiledModel


class InferenceSession:
    """Runs a model. Safe to use from several threads; runs of one session wait for each other.

    A model whose ranks depend on the value of an input is compiled at the first run, and once more
    for each other value of that input; what was compiled for the last 16 values is kept.

    Initializers are constants, also those that the graph lists as inputs (which is how models of
    IR version 3 list all of them): they can't be given.
    """

    def __reduce__(self) -> NoReturn:
        """Neither copied nor pickled: it holds machine code, and perhaps a device."""
        raise OmbError(
            "a session can't be copied or pickled; write it to a file with "
            "CompiledModel.save(), and open that with omb.load()"
        )

    def __init__(
        self,
        model: ModelSource | CompiledModel | SpecializedModel,
        providers: Sequence[str] | None = None,
        **options: Any,  # noqa: ANN401 - those of omb.compile(), checked there
    ) -> None:
        """Compile `model` for the first of `providers` that this machine has, and load it.

        model: a path, the bytes or the ModelProto of an ONNX model, or a CompiledModel.
        providers: names out of "cuda", "vulkan", "cpu" in order of preference; None takes the
        first device of omb.devices().
        options: those of omb.compile(); with a CompiledModel only `threads`.

        OmbError for a model, a provider or an option that can't be used.
        """
        from onnx_mlir_bridge.compiler import compile_or_specialize
        from onnx_mlir_bridge.compiler.compiled_model import CompiledModel
        from onnx_mlir_bridge.compiler.specialized_model import SpecializedModel

        compiled: CompiledModel | SpecializedModel
        if isinstance(model, (CompiledModel, SpecializedModel)):
            threads = options.pop("threads", None)
            if options:
                raise OmbError(
                    f"the model is compiled already; give {', '.join(options)} to omb.compile()"
                )
            compiled = model
            device = device_for(compiled.description, providers)
        else:
            device = devices.choose(providers)
            compiled = compile_or_specialize(model, target=device.provider, **options)
            threads = None
        self._compiled = compiled  # owns the memory of the weights
        if isinstance(compiled, SpecializedModel):
            threads = self._describe(compiled.description, device, threads)
            signature = compiled.description.signature
            self._variants = _variants(compiled, signature, device, threads)
        else:
            self._open(compiled.description, compiled.parts(), device, threads)

    def _describe(
        self, description: Description, device: devices.Device, threads: int | None
    ) -> int:
        """The number of threads, once the model is known to fit the machine."""
        check_cpu(description)
        self._description = description
        self._device = device
        self._plan = _Plan([], None)
        self._variants: Variants[_Variant | Variants] | None = None
        return devices.check_threads(description.threads if threads is None else threads)

    def _open(
        self,
        description: Description,
        parts: Sequence[Part],
        device: devices.Device,
        threads: int | None,
    ) -> None:
        threads = self._describe(description, device, threads)
        self._plan = _Plan.of(parts, description.signature, device, threads)

    def run(
        self, output_names: Sequence[str] | None, inputs: Mapping[str, containers.Value]
    ) -> list[containers.Value]:
        """Run the model once.

        output_names: which outputs to return, in this order; None: all of them.
        inputs: one array for each input name, of the model's dtype exactly, in any memory layout;
        strings in any dtype that numpy has for them; a list of arrays for a sequence; an array, a
        list or None for an optional; a dict for a map.

        The arrays returned own their memory. OmbError for inputs that don't fit the model, and for
        failures while it runs (sizes that don't fit each other, memory that doesn't suffice). An
        index out of range picks the nearest element: checking each would cost more than Gather.
        """
        signature = self._description.signature
        positions = checked_output_names(signature.outputs, output_names)
        values = checked_inputs(signature.inputs, inputs)
        variant = None  # has its weights till the end, even if it is dropped meanwhile
        if self._variants is not None:
            variant = self._variant_for(_by_name(signature, values))
        plan = self._plan if variant is None else variant.plan
        try:
            if plan.whole is not None:
                return self._run_whole(plan.whole, values, positions)
            known: dict[str, Stored] = _by_name(signature, values)
            for segment in plan.segments:
                self._run(segment, known, is_only=len(plan.segments) == 1)
            return [_owned(known[signature.outputs[position].name]) for position in positions]
        except (RuntimeError, ValueError, MemoryError, OSError, IndexError) as error:
            raise OmbError(
                f"running the model on '{self._device.name}' failed: {reason(error)}"
            ) from None

    def _variant_for(self, values: Mapping[str, Stored]) -> _Variant | None:
        """What runs for these inputs, compiled now if it isn't there; None: the same for all."""
        found: Variants | _Variant | None = self._variants
        while isinstance(found, Variants):
            found = found.get(values)
        return found

    @property
    def is_specialized(self) -> bool:
        """Whether the model is compiled anew for each value of an input on which ranks depend."""
        return self._variants is not None

    def specialize(self, inputs: Mapping[str, containers.Value]) -> None:
        """Have what runs for these inputs ready, compiled if ranks depend on them.

        run() does it by itself; this is for those who want the first run to be as fast as others.
        """
        signature = self._description.signature
        values = checked_inputs(signature.inputs, inputs)
        self._variant_for(_by_name(signature, values))

    @staticmethod
    def _run_whole(
        segment: DeviceSegment, values: list[containers.Value], positions: list[int]
    ) -> list[containers.Value]:
        try:
            return segment.arrays(values, positions)
        except (RuntimeError, ValueError) as error:
            message = explain(reason(error), segment.signature.inputs, values)
            raise RuntimeError(message) from None

    def _run(
        self, segment: DeviceSegment | HostSegment, known: dict[str, Stored], is_only: bool
    ) -> None:
        """Adds what a segment gives to the values that are known."""
        values = [known[info.name] for info in segment.signature.inputs]
        if isinstance(segment, HostSegment):
            values = [value.value if isinstance(value, OnDevice) else value for value in values]
        else:
            if not is_only:
                segment.check(values)
        names = (info.name for info in segment.signature.outputs)
        try:
            known.update(zip(names, segment.run(values), strict=True))
        except (RuntimeError, ValueError) as error:
            message = explain(reason(error), segment.signature.inputs, values)
            raise RuntimeError(message) from None

    def get_inputs(self) -> list[TensorInfo]:
        """The model's inputs; each has a name, a type and a shape."""
        return list(self._description.signature.inputs)

    def get_outputs(self) -> list[TensorInfo]:
        """The model's outputs; each has a name, a type and a shape."""
        return list(self._description.signature.outputs)

    def get_providers(self) -> list[str]:
        """The provider that the session runs on, in a list as ONNX Runtime has it."""
        return [self._device.provider]

    def get_modelmeta(self) -> ModelMetadata:
        """What the model says about itself."""
        return self._description.metadata

    @property
    def device(self) -> devices.Device:
        """The device that the session runs on."""
        return self._device


def check_cpu(description: Description) -> None:
    """OmbError for a model that was compiled for another CPU."""
    if description.provider == "cpu" and (
        problem := why_not(description.machine, description.features)
    ):
        raise OmbError(f"the model can't run here: {problem}; compile it with cpu='generic'")


def device_for(description: Description, providers: Sequence[str] | str | None) -> devices.Device:
    """The device for a compiled model: the first of `providers` that it was compiled for."""
    provider = description.provider
    if providers is None:
        return devices.find(provider)
    names = devices.checked_names(providers)
    fitting = [name for name in names if name.partition(":")[0] == provider]
    if not fitting:
        raise OmbError(
            f"the model is compiled for {provider}, not for {', '.join(names)}; "
            f"compile it with target='{names[0].partition(':')[0]}'"
        )
    return devices.choose(fitting)


def load(
    path: str | os.PathLike[str], device: str = "auto", threads: int | None = None
) -> InferenceSession:
    """Open a model that CompiledModel.save() wrote.

    path: the file. device: one of omb.devices() by name, such as "cpu" or "vulkan:1"; "auto" takes
    the first that the model is compiled for. threads: as for omb.compile().

    The weights are mapped, not read. Needs neither the compiler nor, unless parts of the model run
    on the host, onnx. Load only files that you trust: they contain machine code. OmbError for a
    file that is damaged or not a saved model, and for a device that the machine doesn't have or the
    model isn't compiled for.
    """
    path = checked_path(path)
    artifact = read(path)
    chosen = device_for(artifact.description, None if device == "auto" else device)
    session = InferenceSession.__new__(InferenceSession)
    session._compiled = None
    try:
        session._open(artifact.description, artifact.parts, chosen, threads)
    except OmbError as error:
        raise OmbError(f"'{path}': {error}") from None
    return session


def _variants(
    model: SpecializedModel, signature: Signature, device: devices.Device, threads: int
) -> Variants[_Variant | Variants]:
    """What runs for each value of a specialized model's inputs; `signature`: the session's."""
    from onnx_mlir_bridge.compiler.specialized_model import SpecializedModel

    def make(values: Mapping[str, np.ndarray]) -> _Variant | Variants:
        compiled = model.compile(values)
        if isinstance(compiled, SpecializedModel):
            return _variants(compiled, signature, device, threads)
        return _Variant(_Plan.of(compiled.parts(), signature, device, threads), compiled)

    return Variants(model.inputs, make)


def _segment(part: Part, device: devices.Device, threads: int) -> DeviceSegment | HostSegment:
    """A part of a model, opened."""
    if isinstance(part, HostPart):
        return HostSegment(part.signature, part.model)
    mapped = isinstance(part.weights, memoryview)
    weights = _mapped_weights(part.weights) if mapped else memory_parameters(part.weights or {})
    executable = Executable(part.module, weights, device, threads, part.keeps_state)
    return DeviceSegment(part.signature, executable)


def _mapped_weights(parameters: memoryview) -> ParameterIndex:
    import iree.runtime as rt

    index = rt.ParameterIndex()
    try:
        index.load_from_file_handle(rt.FileHandle.wrap_memory(parameters), "irpa")
    except (RuntimeError, ValueError, IndexError) as error:
        raise OmbError(f"its weights are damaged ({reason(error)}); save it again") from None
    return index


def _owned(value: Stored) -> containers.Value:
    """The value in memory that nobody else has."""
    if isinstance(value, OnDevice):
        return value.read()
    if isinstance(value, list):
        return [_owned(element) for element in value]
    return value.copy() if isinstance(value, (np.ndarray, dict)) else value
