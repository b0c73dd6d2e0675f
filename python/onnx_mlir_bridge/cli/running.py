"""omb run."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnx_mlir_bridge.cli import text, values
from onnx_mlir_bridge.errors import FallbackWarning, OmbError

if TYPE_CHECKING:
    from onnx_mlir_bridge.runtime.containers import Value
    from onnx_mlir_bridge.runtime.session import InferenceSession

_ZIP = b"PK\3\4"
_MAX_STRINGS = 8


def is_saved(path: Path) -> bool:
    """Whether a file is a model that omb saved, rather than an ONNX model."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_ZIP))
    except OSError:
        return False  # whoever reads it says why not
    return start == _ZIP or path.suffix == ".omb"


def open_session(
    path: Path, device: str, threads: int | None, options: Mapping[str, Any]
) -> tuple[InferenceSession, str]:
    """A session of a saved or an ONNX model, and what making it took.

    `options`: for compiling an ONNX model.
    """
    begin = time.perf_counter()
    if is_saved(path):
        from onnx_mlir_bridge.runtime.session import load

        session = load(path, device, threads)
        return session, f"loaded in {text.seconds(time.perf_counter() - begin)}"
    from onnx_mlir_bridge.cli.compiling import compile_or_specialize_for
    from onnx_mlir_bridge.runtime.devices import choose
    from onnx_mlir_bridge.runtime.session import InferenceSession

    chosen = choose(None if device == "auto" else [device])
    compiled = compile_or_specialize_for(path, chosen.provider, {"threads": threads, **options})
    session = InferenceSession(compiled, [chosen.name])
    return session, f"compiled in {text.seconds(time.perf_counter() - begin)}"


def run(
    path: Path,
    given: Sequence[str],
    device: str,
    top: int,
    output_dir: Path | None,
    threads: int | None,
    **options: Any,  # noqa: ANN401 - of a compilation
) -> None:
    """Run a model once, and print what went in and what came out."""
    if output_dir is not None:
        _make(output_dir)
    session, made = open_session(path, device, threads, options)
    inputs = values.values(session.get_inputs(), given)
    feeds = {value.info.name: value.value for value in inputs}
    if session.is_specialized:
        made = _specialize(session, feeds)
    with _interruptible():
        begin = time.perf_counter()
        outputs = _run(session, feeds, [value for value in inputs if value.is_guessed])
        took = time.perf_counter() - begin

    rows = [_row(*each, v.origin) for v in inputs for each in _tensors(v.info.name, v.value)]
    infos = session.get_outputs()
    tensors = [
        each for i, value in zip(infos, outputs, strict=True) for each in _tensors(i.name, value)
    ]
    results = [_row(name, array, "") for name, array in tensors]
    lines = text.columns(rows + results, indent=2).splitlines() if rows or results else []
    if rows:
        print("inputs", *lines[: len(rows)], sep="\n")
    print("outputs")
    for line, (_, array) in zip(lines[len(rows) :], tensors, strict=True):
        print(line)
        for entry in _largest(array, top):
            print(f"    {entry}")
    print(f"{made}, ran in {text.seconds(took)} on {session.device.name} ({session.device})")
    if output_dir is not None:
        _save(output_dir, tensors)


def _run(
    session: InferenceSession, feeds: Mapping[str, Value], guessed: Sequence[values.Value]
) -> list[Value]:
    """The outputs; an error says which sizes were guessed."""
    try:
        return session.run(None, feeds)
    except OmbError as error:
        if not guessed:
            raise
        listed = ", ".join(f"'{value.info.name}'" for value in guessed)
        raise OmbError(
            f"{error} (sizes that the model leaves open were taken as 1; say which with "
            f"-i NAME=SHAPE for {listed})"
        ) from None


def _specialize(session: InferenceSession, feeds: Mapping[str, Value]) -> str:
    """Compile for the values of some inputs, print the warnings, and say what it took."""
    begin = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", FallbackWarning)
        session.specialize(feeds)
    text.warn(str(warning.message) for warning in caught)
    return f"compiled for these inputs in {text.seconds(time.perf_counter() - begin)}"


def _tensors(name: str, value: Value) -> list[tuple[str, np.ndarray]]:
    """The arrays in a value with a name for each.

    None of an absent one, those of a sequence, keys and values of a map.
    """
    if value is None:
        return []
    if isinstance(value, list):
        each = enumerate(value)
        return [tensor for i, inner in each for tensor in _tensors(f"{name}[{i}]", inner)]
    if isinstance(value, dict):
        parts = (("keys", list(value)), ("values", list(value.values())))
        return [(f"{name}.{what}", np.array(found)) for what, found in parts]
    return [(name, value)]


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the process at once: the compiled code can't be stopped in any other way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    sys.stdout.flush()
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _row(name: str, array: np.ndarray, origin: str) -> tuple[str, ...]:
    return (
        text.printable(name),
        "string" if array.dtype.kind in "OU" else str(array.dtype),
        text.shape(array.shape),
        text.printable(statistics(array)),
        text.printable(origin),
    )


def _wide(array: np.ndarray) -> np.ndarray:
    """The values in a type that numpy can calculate with; small floats as float64."""
    if array.dtype.kind in "biufc":
        return array.astype(np.float64) if array.dtype.kind == "f" else array
    return array.astype(np.float64)


def statistics(array: np.ndarray) -> str:
    """Minimum, mean, maximum; and how many values aren't numbers, where some aren't.

    Of strings, the first ones.
    """
    if array.size == 0:
        return "empty"
    if array.dtype.kind in "OU":
        shown = [json.dumps(text, ensure_ascii=False) for text in array.flat[:_MAX_STRINGS]]
        return ", ".join(shown + ["..."] * (array.size > _MAX_STRINGS))
    values = _wide(array)
    if array.dtype.kind == "b":
        return f"{np.count_nonzero(values)} of {values.size} are true"
    if array.dtype.kind == "c":
        values = np.abs(values)
    finite = values[np.isfinite(values)]
    parts = ["|.|"] if array.dtype.kind == "c" else []
    if finite.size:
        mean = finite.mean(dtype=np.float64)
        parts += [f"min {_number(finite.min())}", f"mean {mean:.6g}"]
        parts += [f"max {_number(finite.max())}"]
    for name, found in (("nan", np.isnan(values)), ("inf", np.isinf(values))):
        if count := np.count_nonzero(found):
            parts.append(f"{count} {name}")
    return "  ".join(parts)


def _number(value: np.generic) -> str:
    return f"{value:.6g}" if value.dtype.kind in "fc" else str(value)


def _largest(array: np.ndarray, count: int) -> list[str]:
    """The largest entries, such as "[0, 281]  12.3"; of equal ones the first. No NaN is large."""
    if count == 0 or array.size == 0 or array.dtype.kind in "OU":
        return []
    flat = _wide(array).reshape(-1)
    keys = np.abs(flat) if array.dtype.kind == "c" else flat
    numbers = np.flatnonzero(~np.isnan(keys)) if keys.dtype.kind == "f" else np.arange(flat.size)
    # Ascending and reversed, not negated: integers have no negative of their minimum.
    order = numbers[::-1][np.argsort(keys[numbers[::-1]], kind="stable")][::-1][:count]
    places = [[int(i) for i in np.unravel_index(at, array.shape)] for at in order]
    width = max((len(str(place)) for place in places), default=0)
    return [
        f"{place!s:<{width}}  {_number(flat[at])}" for place, at in zip(places, order, strict=True)
    ]


def _make(folder: Path) -> None:
    """Make a folder for the outputs, before all the work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OmbError(
            f"outputs can't be written to '{folder}': {error.strerror or error}"
        ) from None


def _save(folder: Path, tensors: Sequence[tuple[str, np.ndarray]]) -> None:
    """Write a .npy file for each tensor, called by its name as far as file names can be."""
    import io

    from onnx_mlir_bridge.runtime.artifact import replacing

    taken: set[str] = set()
    for name, array in tensors:
        stem = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)[:100].lstrip(".")
        unique, number = stem or "output", 1
        while unique.lower() in taken:
            number += 1
            unique = f"{stem or 'output'}_{number}"
        taken.add(unique.lower())
        path = folder / f"{unique}.npy"
        contents = io.BytesIO()
        plain = array.astype(str) if array.dtype.kind == "O" else array  # objects need pickle
        np.save(contents, plain, allow_pickle=False)
        try:
            with replacing(path) as file:
                file.write(contents.getbuffer())
        except OSError as error:
            raise OmbError(f"'{path}' can't be written: {error.strerror or error}") from None
        print(f"wrote {text.printable(str(path))}")
