"""The cases of onnx's backend suite, for those who don't run them through onnx's own runner."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.base import Backend


def load(kinds: Sequence[str]) -> list:
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases compute overflows and divisions by 0 on purpose
        return [case for kind in kinds for case in load_model_tests(kind=kind)]


def check(case: Any, backend: type[Backend], device: str, fallback: str) -> None:
    """Run a case; AssertionError where the results differ by more than the case allows."""
    from onnx.backend.test.runner import Runner

    model = case.model or onnx.load(Path(case.model_dir) / "model.onnx")
    prepared = backend.prepare(model, device, fallback=fallback)
    for inputs, outputs in _data_sets(case):
        inputs, outputs = (
            [numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v for v in values]
            for values in (inputs, outputs)
        )
        actual = prepared.run(inputs)
        Runner.assert_similar_outputs(outputs, actual, rtol=case.rtol, atol=case.atol)


def fits_vulkan(case: Any) -> bool:
    """Whether a Vulkan device can hold all that the model takes and gives: all but strings.

    SPIR-V has integers of 8 to 64 bits and floats of 16, 32 and 64, and so have lavapipe and the
    target that is compiled for. The others are made of those: a bool is a byte, a complex number
    two floats, and bfloat16 and what is narrower (floats of 8 and 4 bits, integers of 4 and 2) are
    computed with as bits.
    """
    values = [*case.model.graph.input, *case.model.graph.output]
    elements = {element for value in values for element in _elements(value.type)}
    return TensorProto.STRING not in elements


def _elements(value: onnx.TypeProto) -> Iterator[int]:
    """The types of the elements that a value of the type has, in whatever it is packed."""
    kind = value.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        yield getattr(value, kind).elem_type
    elif kind in ("sequence_type", "optional_type"):
        yield from _elements(getattr(value, kind).elem_type)
    elif kind == "map_type":
        yield value.map_type.key_type
        yield from _elements(value.map_type.value_type)


def _data_sets(case: Any) -> list[tuple[list, list]]:
    if case.model is not None:
        return case.data_sets
    sets = []
    for folder in sorted(Path(case.model_dir).glob("test_data_set*")):
        values: tuple[list, list] = ([], [])
        for kind, found in zip(("input", "output"), values, strict=True):
            for index in range(len(list(folder.glob(f"{kind}_*.pb")))):
                content = (folder / f"{kind}_{index}.pb").read_bytes()
                found.append(numpy_helper.to_array(onnx.TensorProto.FromString(content)))
        sets.append(values)
    return sets
