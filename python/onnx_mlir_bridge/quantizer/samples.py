"""Calibration data: runs of a model's inputs, which can be gone through several times.

What is read of files is one file at a time, so that memory doesn't grow with their number.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper

from onnx_mlir_bridge.errors import OmbError

if TYPE_CHECKING:
    from onnx_mlir_bridge.importer import ValueInfo

Feeds = dict[str, np.ndarray]


@dataclass(frozen=True)
class Input:
    """An input of a model: a size of None is any."""

    name: str
    dtype: np.dtype
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.dtype} [{sizes}]"


def inputs_of(values: Sequence[ValueInfo]) -> list[Input]:
    """The inputs that data are for; OmbError where they aren't tensors of numbers."""
    found = []
    for value in values:
        is_tensor = value.type.startswith("tensor(") and value.element != TensorProto.STRING
        if not is_tensor or value.shape is None:
            raise OmbError(
                f"input '{value.name}' is {value.type or 'of an unknown type'}; calibration data "
                "are for tensors of numbers whose rank is known"
            )
        sizes = (size if isinstance(size, int) and size >= 0 else None for size in value.shape)
        dtype = helper.tensor_dtype_to_np_dtype(value.element)
        found.append(Input(value.name, dtype, tuple(sizes)))
    return found


class Samples:
    """The runs of some calibration data, each a value for each input of the model."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._inputs = inputs

    def __iter__(self) -> Iterator[Feeds]:
        raise NotImplementedError

    def close(self) -> None:
        """Give back what the runs take; there are none after that."""

    def _checked(self, feeds: Mapping[str, Any], origin: str) -> Feeds:
        """A run's values as the model takes them; OmbError where they don't fit."""
        _check_names(feeds, self._inputs, origin)
        return {i.name: _checked_array(i, feeds[i.name], origin) for i in self._inputs}


class FileSamples(Samples):
    """Runs in .npz files."""

    def __init__(
        self, inputs: Sequence[Input], paths: Sequence[Path], batch_size: int | None
    ) -> None:
        super().__init__(inputs)
        self._paths = paths
        self._batch_size = batch_size

    def __iter__(self) -> Iterator[Feeds]:
        for path in self._paths:
            arrays = _read(path)
            origin = f"'{path}'"
            _check_names(arrays, self._inputs, origin)
            yield from self._runs(arrays, origin)

    def _runs(self, arrays: Mapping[str, np.ndarray], origin: str) -> Iterator[Feeds]:
        parts = {i.name: self._parts(i, arrays[i.name], origin) for i in self._inputs}
        counts = {name: len(each) for name, each in parts.items()}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{count} of '{name}'" for name, count in counts.items())
            raise OmbError(f"{origin} has samples for different numbers of runs: {listed}")
        for run in range(next(iter(counts.values()), 0)):
            feeds = {name: each[run] for name, each in parts.items()}
            yield self._checked(feeds, origin)

    def _parts(self, info: Input, array: np.ndarray, origin: str) -> Sequence[np.ndarray]:
        """The values of an input, run by run; see omb.quantize()."""
        rank = len(info.shape)
        if array.ndim == rank + 1:
            return array
        if array.ndim != rank:
            raise OmbError(
                f"{origin} has '{info.name}' of the shape {list(array.shape)}; the model takes "
                f"{info}, or a stack of such arrays"
            )
        size = info.shape[0] if rank else None
        if size is None:
            size = self._batch_size
        is_uneven = bool(size) and info.shape[:1] == (size,) and array.shape[0] % size != 0
        if not size or is_uneven:
            return [array]  # whether it fits is checked with all others
        return [array[at : at + size] for at in range(0, array.shape[0], size)]


class IterableSamples(Samples):
    """Runs that Python gives."""

    def __init__(self, inputs: Sequence[Input], feeds: Iterable[Mapping[str, Any]]) -> None:
        super().__init__(inputs)
        self._feeds = feeds

    def __iter__(self) -> Iterator[Feeds]:
        for number, feeds in enumerate(self._feeds):
            origin = f"sample {number}"
            if not isinstance(feeds, Mapping):
                raise OmbError(
                    f"{origin} of the calibration data is of type {type(feeds).__name__}; each is "
                    "a dict from the names of the model's inputs to arrays"
                )
            yield self._checked(feeds, f"{origin} of the calibration data")


class SpooledSamples(Samples):
    """Runs of an iterator, which can be gone through once: the first pass keeps them in files."""

    def __init__(self, source: IterableSamples) -> None:
        super().__init__(())
        self._source = source
        self._folder = tempfile.TemporaryDirectory(prefix="omb-quantize-")
        self._count: int | None = None

    def __iter__(self) -> Iterator[Feeds]:
        if self._count is not None:
            for number in range(self._count):
                with np.load(self._path(number), allow_pickle=False) as file:
                    yield dict(file)
            return
        number = 0
        for feeds in self._source:
            try:
                # Not by keyword: an input may be called "file".
                with zipfile.ZipFile(self._path(number), "w") as archive:
                    for name, array in feeds.items():
                        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                            np.lib.format.write_array(member, array, allow_pickle=False)
            except OSError as error:
                raise OmbError(
                    f"calibration data can't be kept in {self._folder.name}: {error.strerror}"
                ) from None
            number += 1
            yield feeds
        self._count = number

    def close(self) -> None:
        """Remove the files."""
        self._folder.cleanup()

    def _path(self, number: int) -> Path:
        return Path(self._folder.name) / f"{number}.npz"


class RandomSamples(Samples):
    """Runs of random numbers, the same in each pass."""

    def __init__(
        self,
        inputs: Sequence[Input],
        count: int,
        seed: int,
        shapes: Mapping[str, Sequence[int]],
    ) -> None:
        super().__init__(inputs)
        _check_known(shapes, inputs, "shapes")
        self._count, self._seed = count, seed
        self._shapes = {i.name: _random_shape(i, shapes.get(i.name)) for i in inputs}

    def __iter__(self) -> Iterator[Feeds]:
        generator = np.random.default_rng(self._seed)
        for _ in range(self._count):
            yield {i.name: _random(generator, self._shapes[i.name], i.dtype) for i in self._inputs}


def _random(generator: np.random.Generator, shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """Normal floats; integers 0 and 1, which are indices of anything, and masks."""
    if dtype.kind in "biu" or dtype.name.startswith(("int", "uint")):
        return generator.integers(0, 2, shape).astype(dtype)
    return generator.standard_normal(shape).astype(dtype)


def _random_shape(info: Input, given: Sequence[int] | None) -> tuple[int, ...]:
    if given is None:
        return tuple(1 if size is None else size for size in info.shape)
    shape = tuple(given)
    if not _fits(info, shape):
        raise OmbError(f"input '{info.name}' can't have the shape {list(shape)}: it is {info}")
    return shape


def _fits(info: Input, shape: Sequence[int]) -> bool:
    return len(shape) == len(info.shape) and all(
        wanted is None or wanted == size for wanted, size in zip(info.shape, shape, strict=True)
    )


def _check_known(names: Iterable[str], inputs: Sequence[Input], origin: str) -> None:
    known = {i.name for i in inputs}
    for name in names:
        if name not in known:
            listed = ", ".join(f"'{each}'" for each in sorted(known)) or "none"
            raise OmbError(f"{origin} has '{name}', which is no input; the inputs are {listed}")


def _check_names(feeds: Mapping[str, Any], inputs: Sequence[Input], origin: str) -> None:
    _check_known(feeds, inputs, origin)
    for info in inputs:
        if info.name not in feeds:
            raise OmbError(f"{origin} has no value for the input '{info.name}', {info}")


def _checked_array(info: Input, value: object, origin: str) -> np.ndarray:
    array = np.asarray(value)
    if not np.can_cast(array.dtype, info.dtype, "same_kind"):
        raise OmbError(f"{origin} has '{info.name}' of {array.dtype}; the model takes {info}")
    if not _fits(info, array.shape):
        raise OmbError(
            f"{origin} has '{info.name}' of the shape {list(array.shape)}; the model takes {info}"
        )
    array = array.astype(info.dtype, copy=False)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise OmbError(f"{origin} has NaN or Inf in '{info.name}'")
    return array


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise OmbError(f"'{path}' is not a .npz file; numpy.savez() writes one, by input name")
        with loaded as file:
            return dict(file)
    except OSError as error:
        raise OmbError(f"'{path}' can't be read: {error.strerror or error}") from None
    except (ValueError, EOFError, zipfile.BadZipFile, KeyError):
        raise OmbError(
            f"'{path}' is not a .npz file of numbers; numpy.savez() writes one, by input name"
        ) from None


def samples(
    data: object,
    random: int | None,
    inputs: Sequence[Input],
    *,
    batch_size: int | None,
    seed: int,
    shapes: Mapping[str, Sequence[int]],
) -> Samples | None:
    """The calibration data that a caller gives; None where there are none."""
    if data is not None and random is not None:
        raise OmbError("give calibration data, or a number of random samples, not both")
    if random is not None:
        if type(random) is not int or random < 1:
            raise OmbError(f"random must be a positive number of samples, not {random!r}")
        if batch_size is not None:
            raise OmbError("batch_size is for calibration data in files; give shapes")
        return RandomSamples(inputs, random, seed, shapes)
    if shapes:
        raise OmbError("shapes are for random data")
    if isinstance(data, (str, Path)):
        return FileSamples(inputs, _files(Path(data)), batch_size)
    if batch_size is not None:
        raise OmbError("batch_size is for calibration data in files; other data come run by run")
    if data is None:
        return None
    if isinstance(data, Mapping):
        raise OmbError("data is a path, or an iterable of dicts; put the one dict into a list")
    if not isinstance(data, Iterable):
        raise OmbError(f"data is a path, or an iterable of dicts, not {type(data).__name__}")
    found = IterableSamples(inputs, data)
    return SpooledSamples(found) if isinstance(data, Iterator) else found


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix == ".npz")
        if not files:
            raise OmbError(f"the folder '{path}' has no .npz files")
        return files
    if not path.exists():
        raise OmbError(f"there is no file or folder '{path}' of calibration data")
    return [path]
