"""Checks of what the user passes to a session, before any of it reaches IREE.

Arrays of any memory layout and byte order are accepted, and copied where theirs isn't the compiled
code's. Values are never converted: the dtype must be the model's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime.containers import Value
from onnx_mlir_bridge.runtime.signature import STRING, Dim, TensorInfo, element_dtype


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"


def _spelled(dtype: np.dtype) -> str:
    """An expression for the dtype; numpy doesn't know those of ml_dtypes by their names."""
    return f"'{dtype}'" if dtype.isbuiltin == 1 else f"ml_dtypes.{dtype}"


def _array(info: TensorInfo, value: object) -> np.ndarray:
    """`value` as an array, if it is one or (a torch.Tensor for one) gives one out."""
    if isinstance(value, np.ma.MaskedArray):
        raise OmbError(f"input '{info.name}' is a masked array; pass .filled() of it")
    if isinstance(value, (np.ndarray, np.generic)):
        return np.asarray(value)
    if hasattr(value, "__array__"):
        try:
            return np.asarray(value)
        except Exception as error:  # whatever a foreign class raises
            raise OmbError(
                f"input '{info.name}' is a {type(value).__name__} that numpy can't convert: {error}"
            ) from None
    raise OmbError(
        f"input '{info.name}' is a {type(value).__name__}, not an array; "
        f"pass np.asarray(..., dtype={_spelled(info.dtype)})"
    )


Sizes = dict[str, tuple[int, str]]
"""Name of a symbolic dimension -> its size, and the input that has given it."""


def check_shape(info: TensorInfo, shape: tuple[int, ...], sizes: Sizes) -> None:
    """Compares with the model's dimensions, and adds to `sizes`; OmbError if they don't fit."""
    if info.dims is None or shape == info.dims:
        return
    if len(shape) != len(info.dims):
        raise OmbError(
            f"input '{info.name}' has {len(shape)} dimensions, {shape}; "
            f"the model takes {len(info.dims)}: {_spelled_dims(info.dims)}"
        )
    for axis, (actual, dim) in enumerate(zip(shape, info.dims, strict=True)):
        if isinstance(dim, int) and actual != dim:
            raise OmbError(
                f"input '{info.name}' has the shape {shape}; the model takes "
                f"{_spelled_dims(info.dims)}: dimension {axis} must be {dim}, not {actual}"
            )
        if isinstance(dim, str):
            size, where = sizes.setdefault(dim, (actual, info.name))
            if actual != size:
                raise OmbError(
                    f"input '{info.name}' has the shape {shape}, so that '{dim}' is {actual}, "
                    f"but it is {size} in input '{where}'; they must be equal"
                )


def _spelled_dims(dims: Sequence[Dim]) -> str:
    return "(" + ", ".join("?" if d is None else str(d) for d in dims) + ")"


def _check_dtype(info: TensorInfo, dtype: np.dtype) -> None:
    if dtype.newbyteorder("=") != info.dtype:
        raise OmbError(
            f"input '{info.name}' is {dtype}; the model takes {info.dtype}: "
            f"convert it with .astype({_spelled(info.dtype)}) if that is what you mean"
        )


def _strings(info: TensorInfo, array: np.ndarray) -> np.ndarray:
    """Strings of any dtype that numpy has for them, as objects of type str."""
    if array.dtype.kind in "UT":
        return array.astype(object)
    wrong = None if array.dtype.kind == "O" else array.dtype
    if wrong is None:
        wrong = next((type(s).__name__ for s in array.flat if not isinstance(s, str)), None)
    if wrong is not None:
        raise OmbError(
            f"input '{info.name}' is an array of {wrong}; the model takes strings: "
            "pass an array whose dtype is str, or object with elements of type str"
        )
    return array


_MAX_SHOWN = 40


def _checked_map(info: TensorInfo, value: object) -> dict:
    """A map of the model's types of keys and values."""
    if not isinstance(value, Mapping):
        raise OmbError(
            f"input '{info.name}' is a {type(value).__name__}; the model takes {info}: pass a dict"
        )
    checked = {}
    for key, element in value.items():
        plain_key = _plain(info.keys, key)
        if plain_key is None:
            raise OmbError(
                f"input '{info.name}' has the key {_shown(key)}; the model takes {info}: "
                f"its keys are {info.keys}"
            )
        plain = _plain(info.element, element)
        if plain is None:
            raise OmbError(
                f"input '{info.name}' has {_shown(element)} for the key {_shown(key)}; the model "
                f"takes {info}: its values are {info.element}"
            )
        checked[plain_key] = plain
    return checked


def _plain(element: str, value: object) -> str | int | float | None:
    """A key or value of a map, as an element type holds it; None if that can't."""
    if element == STRING:
        return value if isinstance(value, str) else None
    dtype = element_dtype(element)
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole and (dtype.kind in "iu" or not isinstance(value, (float, np.floating))):
        return None
    try:
        with np.errstate(over="ignore"):
            return dtype.type(int(value) if whole else float(value)).item()
    except OverflowError:
        return None


def _shown(value: object) -> str:
    """A key or value in a message."""
    try:
        text = repr(value) if isinstance(value, (str, int, float, np.generic)) else ""
    except ValueError:  # integers of thousands of digits
        text = ""
    return text if 0 < len(text) <= _MAX_SHOWN else f"a value of type {type(value).__name__}"


def _checked_tensor(info: TensorInfo, value: object, sizes: Sizes) -> np.ndarray:
    if type(value) is np.ndarray and value.dtype == info.dtype and info.element != STRING:
        check_shape(info, value.shape, sizes)
        return value if value.flags.c_contiguous else value.copy(order="C")
    array = _array(info, value)
    if info.element == STRING:
        array = _strings(info, array)
    _check_dtype(info, array.dtype)
    check_shape(info, array.shape, sizes)
    # Not np.ascontiguousarray(), which makes a vector of a scalar.
    return np.asarray(array, dtype=info.dtype, order="C")


def _checked_value(info: TensorInfo, value: object, sizes: Sizes) -> Value:
    if not info.containers:
        return _checked_tensor(info, value, sizes)
    if value is None and info.is_optional:
        return None
    if not info.is_sequence:
        return _checked_map(info, value) if info.is_map else _checked_tensor(info, value, sizes)
    if not isinstance(value, (list, tuple)):
        raise OmbError(
            f"input '{info.name}' is a {type(value).__name__}; the model takes {info}: "
            f"pass a list of {'dicts' if info.is_map else 'arrays'}"
        )
    tensors = [replace(info, name=f"{info.name}[{index}]") for index in range(len(value))]
    if info.is_map:
        return [_checked_map(*pair) for pair in zip(tensors, value, strict=True)]
    # The tensors of a sequence need not have equal sizes.
    return [_checked_tensor(*pair, {}) for pair in zip(tensors, value, strict=True)]


def checked_inputs(infos: Sequence[TensorInfo], values: Mapping[str, object]) -> list[Value]:
    """The inputs in the model's order, C-contiguous and of the machine's byte order.

    A sequence is a list of arrays, an optional may be None, a map is a dict.

    OmbError for a missing or unknown name, and for what isn't an array of the dtype, rank and
    dimensions that the model takes; dimensions of one name must have one size.
    """
    if type(values) is not dict and not isinstance(values, Mapping):
        raise OmbError(
            f"the inputs are a mapping from name to array, not a {type(values).__name__}; "
            f"the model's inputs are {_listed(i.name for i in infos)}"
        )
    if len(values) != len(infos):
        _check_names(infos, values)
    sizes: Sizes = {}
    checked = []
    for info in infos:
        if info.name not in values:
            _check_names(infos, values)
        checked.append(_checked_value(info, values[info.name], sizes))
    return checked


def _check_names(infos: Sequence[TensorInfo], values: Mapping[str, object]) -> None:
    """OmbError for names that are missing or unknown."""
    known = {info.name for info in infos}
    if unknown := [name for name in values if name not in known]:
        raise OmbError(
            f"the model has no input {_listed(map(str, unknown))}; "
            f"its inputs are {_listed(i.name for i in infos)}"
        )
    if missing := [info for info in infos if info.name not in values]:
        raise OmbError(
            f"no value for input {_listed(i.name for i in missing)}; "
            f"the model takes {'; '.join(map(str, missing))}"
        )


def checked_output_names(infos: Sequence[TensorInfo], names: Sequence[str] | None) -> list[int]:
    """Positions of the outputs asked for, of all for None; OmbError for a name that isn't one."""
    if names is None:
        return list(range(len(infos)))
    if isinstance(names, str):
        raise OmbError(f"output_names is a list of names, not a string; pass ['{names}']")
    positions = {info.name: index for index, info in enumerate(infos)}
    try:
        names = list(names)
    except TypeError:
        raise OmbError(
            f"output_names is a list of names or None, not a {type(names).__name__}"
        ) from None
    for name in names:
        if not isinstance(name, str) or name not in positions:
            raise OmbError(
                f"the model has no output '{name}'; its outputs are {_listed(positions)}"
            )
    return [positions[name] for name in names]
