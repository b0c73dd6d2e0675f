"""From the command line's --input to arrays: files of numpy's, shapes to fill, or nothing said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime import containers
from onnx_mlir_bridge.runtime.signature import STRING, TensorInfo

_SHAPE = re.compile(r"\d+(?:x\d+)*")
_FILES = (".npy", ".npz")
_MAX_SHOWN = 60
_SEED = 0
_FORMS = "give a .npy file, or a shape such as 1x3x224x224 for random values"


@dataclass(frozen=True)
class Value:
    """An input of a run.

    origin: where it comes from, in words. is_guessed: whether a size is 1 because nothing says it.
    """

    info: TensorInfo
    value: containers.Value
    origin: str
    is_guessed: bool = False


def values(infos: Sequence[TensorInfo], given: Iterable[str]) -> list[Value]:
    """A value for each of a model's inputs.

    given: "name=file.npy" or "name=2x3", the shape of random values; of strings, also the text
    itself, or several of them as JSON, 'name=["a", "b"]'. A file for integers of 2 or 4 bits has
    what numpy.save() makes of ml_dtypes' arrays, or 8-bit integers in their range. Inputs that
    aren't given get random values; a dimension that the model leaves open has the size that it has
    in what is given, and otherwise 1. A sequence is given by "name=file.npz", whose arrays are
    taken in the file's order; a shape, or nothing, makes a sequence of one tensor. An optional that
    isn't given is absent. OmbError for a name, a file or a shape that doesn't fit.
    """
    said: dict[str, str] = {}
    for text in given:
        name, value = _split(text, infos)
        if name in said:
            raise OmbError(f"input '{name}' is given twice: '{said[name]}' and '{value}'")
        said[name] = value
    # One text for all of an input, which has the sizes that other inputs say.
    texts = {i.name for i in infos if i.name in said and _is_text(said[i.name], i)}
    loaded = {
        info.name: _given(said[info.name], info)
        for info in infos
        if info.name in said and info.name not in texts and not _is_shape(said[info.name])
    }
    shapes = {name: array.shape for name, array in loaded.items() if isinstance(array, np.ndarray)}
    for name, text in said.items():
        if name not in loaded and name not in texts:
            shapes[name] = tuple(int(size) for size in text.split("x"))
    sizes: dict[str, int] = {}
    for info in infos:
        if info.name in shapes:
            _note_sizes(info, shapes[info.name], sizes)
    generator = np.random.default_rng(_SEED)
    result = []
    for info in infos:
        if info.name in loaded:
            result.append(Value(info, loaded[info.name], said[info.name]))
            continue
        if info.is_map:
            raise OmbError(
                f"input '{info.name}' is a map, which only Python can give: see InferenceSession"
            )
        shape = shapes.get(info.name)
        if shape is None and info.is_optional and info.name not in texts:
            result.append(Value(info, None, "absent"))
            continue
        is_guessed = shape is None and not all(isinstance(d, int) or d in sizes for d in info.shape)
        if shape is None:
            shape = tuple(d if isinstance(d, int) else sizes.get(d, 1) for d in info.shape)
        is_text = info.name in texts
        array = _filled(info, shape, said[info.name]) if is_text else random(info, shape, generator)
        origin = said[info.name] if is_text else "random"
        value = [array] if info.is_sequence else array
        result.append(Value(info, value, origin, is_guessed))
    return result


def constants(given: Iterable[str]) -> dict[str, object]:
    """Values of inputs: "name=file.npy", or JSON, "name=[0, 2]". OmbError for anything else."""
    found: dict[str, object] = {}
    for text in given:
        name, _, value = text.rpartition("=")
        if name in found:
            raise OmbError(f"the constant '{name}' is given twice")
        try:
            found[name] = (
                np.load(value, allow_pickle=False) if value.endswith(".npy") else json.loads(value)
            )
        except (OSError, ValueError, EOFError, RecursionError) as error:
            raise OmbError(
                f"the constant '{name}' is '{value}', neither a .npy file nor JSON: {error}"
            ) from None
    return found


def _split(text: str, infos: Sequence[TensorInfo]) -> tuple[str, str]:
    """Name and value; names may have an equals sign in them."""
    names = [info.name for info in infos]
    for name in sorted(names, key=len, reverse=True):
        if text.startswith(f"{name}="):
            value = text[len(name) + 1 :]
            if not value:
                raise OmbError(f"input '{name}' is given no value; {_FORMS}")
            return name, value
    listed = ", ".join(f"'{name}'" for name in names) or "none"
    name = text.partition("=")[0]
    if not name:
        raise OmbError(f"'{text}' has no name of an input before the '='; the inputs are {listed}")
    raise OmbError(f"the model has no input '{name}'; its inputs are {listed}")


def _note_sizes(info: TensorInfo, shape: tuple[int, ...], sizes: dict[str, int]) -> None:
    if info.dims is None:
        return
    if len(shape) != len(info.dims):
        raise OmbError(
            f"input '{info.name}' is given the shape {'x'.join(map(str, shape)) or 'of a scalar'}; "
            f"the model takes {info}"
        )
    for dim, size in zip(info.dims, shape, strict=True):
        if isinstance(dim, str):
            sizes.setdefault(dim, size)


def _is_text(text: str, info: TensorInfo) -> bool:
    """Whether a text stands for itself: not for a file, a shape or a JSON list."""
    is_string = info.element == STRING and not info.is_map
    return is_string and not (text.endswith(_FILES) or text.startswith("[") or _is_shape(text))


def _is_shape(text: str) -> bool:
    return _SHAPE.fullmatch(text) is not None


def _given(text: str, info: TensorInfo) -> np.ndarray | list[np.ndarray]:
    """What a text that isn't a shape, nor itself, stands for."""
    is_file = text.endswith(_FILES) or info.element != STRING
    return _load(Path(text), info) if is_file else _listed(text, info)


def _listed(text: str, info: TensorInfo) -> np.ndarray | list[np.ndarray]:
    """The texts of a JSON list."""
    try:
        array = np.array(json.loads(text), object)
    except (ValueError, RecursionError) as error:
        shown = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
        why = error if isinstance(error, ValueError) else "it is nested too deeply"
        raise OmbError(f"input '{info.name}': {shown} is not JSON: {why}") from None
    return [array] if info.is_sequence else array


def _filled(info: TensorInfo, shape: tuple[int, ...], text: str) -> np.ndarray:
    try:
        return np.full(shape, text, object)
    except (ValueError, MemoryError):
        raise _too_large(info, shape) from None


def _too_large(info: TensorInfo, shape: tuple[int, ...]) -> OmbError:
    size = "x".join(map(str, shape))
    return OmbError(f"input '{info.name}' of the shape {size} does not fit into memory")


def _load(path: Path, info: TensorInfo) -> np.ndarray | list[np.ndarray]:
    try:
        array = np.load(path, allow_pickle=False)
        if isinstance(array, np.lib.npyio.NpzFile):
            with array as file:
                loaded = list(file.values())
            if info.is_sequence:
                return loaded
            raise OmbError(
                f"input '{info.name}': '{path}' has several arrays; give a .npy file of one"
            )
    except FileNotFoundError:
        raise OmbError(f"input '{info.name}': there is no file '{path}'; {_FORMS}") from None
    except OSError as error:
        reason = error.strerror or error
        raise OmbError(f"input '{info.name}': '{path}' can't be read: {reason}") from None
    except (ValueError, EOFError, SyntaxError, TypeError, KeyError):
        raise OmbError(
            f"input '{info.name}': '{path}' is not a .npy file of numbers; numpy.save() writes one"
        ) from None
    # numpy writes the types that it doesn't know, those of ml_dtypes, as plain bytes.
    if array.dtype.kind == "V" and array.dtype.itemsize == info.dtype.itemsize:
        array = array.view(info.dtype)
    elif info.element in ("int2", "int4", "uint2", "uint4"):
        array = _narrowed(path, array, info)
    return [array] if info.is_sequence else array


def _narrowed(path: Path, array: np.ndarray, info: TensorInfo) -> np.ndarray:
    """A file of 8-bit integers as those of 2 or 4 bits: the form that other programs write."""
    if array.dtype != info.element.rstrip("24") + "8":
        return array  # the session says what is wrong with it
    lowest, highest = _integer_range(info.element)
    if array.size and not lowest <= array.min() <= array.max() <= highest:
        raise OmbError(
            f"input '{info.name}': '{path}' has values from {array.min()} to {array.max()}; "
            f"{info.element} takes {lowest} to {highest}"
        )
    return array.astype(info.dtype)


def _integer_range(element: str) -> tuple[int, int]:
    bits = int(element[-1])
    return (
        (0, 2**bits - 1) if element.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )


def random(info: TensorInfo, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Numbers that every operator can take.

    Floats lie from 0 to 1, as pictures do; integers are 0 or 1, which are indices of anything and
    masks.
    """
    try:
        if info.element == STRING:  # numbers, so that a Cast can take them
            return generator.integers(0, 2, shape).astype(str)
        if info.element == "bool" or info.element.startswith(("int", "uint")):
            return generator.integers(0, 2, shape).astype(info.dtype)
        numbers = generator.random(shape)
        if info.dtype.kind == "c":
            return (numbers + 1j * generator.random(shape)).astype(info.dtype)
        return np.asarray(numbers, dtype=info.dtype)
    except (ValueError, MemoryError, OverflowError):
        raise _too_large(info, shape) from None
