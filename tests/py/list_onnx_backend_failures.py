"""Writes which tests of onnx's backend suite fail, by reason.

    python tests/py/list_onnx_backend_failures.py

onnx_backend_failures.json has those that fail where everything has to be compiled (fallback=
"error"), onnx_backend_host_failures.json those that fail also where the host takes what can't be.

Run it when a lowering was added, and read the difference: tests may leave the list, and one that
joins it is a regression. The reason is the compiler's message without the names of the nodes.
"""

from __future__ import annotations

import json
import os
import re
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

OUTPUTS = {
    "error": Path(__file__).with_name("onnx_backend_failures.json"),
    "host": Path(__file__).with_name("onnx_backend_host_failures.json"),
}
KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")


def _cases() -> list:
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [case for kind in KINDS for case in load_model_tests(kind=kind)]


def _reason(message: str) -> str:
    """The message about the first node, without its name and without numbers of values."""
    message = message.removeprefix("the model can't be compiled: ").split("; ")[0]
    return re.sub(r"^[^:]*?\(([\w.]+)\)( producing [^:]*)?: ", r"\1: ", message)


def _data_sets(case) -> list[tuple[list, list]]:
    import onnx
    from onnx import numpy_helper

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


def _failure(index: int, fallback: str) -> tuple[str, str | None]:
    """The name of a case, and why it fails."""
    import onnx
    import onnx_mlir_bridge as omb
    from onnx import numpy_helper
    from onnx.backend.test.runner import Runner

    case = _loaded[index]
    try:
        model = case.model or onnx.load(Path(case.model_dir) / "model.onnx")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", omb.FallbackWarning)
            prepared = omb.backend.prepare(model, fallback=fallback)
        for inputs, outputs in _data_sets(case):
            inputs, outputs = (
                [numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v for v in values]
                for values in (inputs, outputs)
            )
            actual = prepared.run(inputs)
            Runner.assert_similar_outputs(outputs, actual, rtol=case.rtol, atol=case.atol)
    except omb.OmbError as error:
        return case.name, _reason(str(error))
    except AssertionError:
        return case.name, "the result differs"
    except TypeError as error:
        if "Unable to compare" not in str(error):
            raise
        return case.name, "the suite can't compare scalars in a sequence"
    return case.name, None


def _write(path: Path, reasons: dict[str, list[str]], total: int) -> None:
    ordered = {reason: sorted(names) for reason, names in sorted(reasons.items())}
    path.write_text(json.dumps(ordered, indent=1) + "\n")
    failed = sum(map(len, ordered.values()))
    print(
        f"{total - failed} of {total} pass; {failed} fail for {len(ordered)} reasons: {path.name}"
    )


def main() -> int:
    """Run all cases compiled, in parallel on the cores there are; what fails, with the host."""
    global _loaded
    _loaded = _cases()
    remaining = list(range(len(_loaded)))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for fallback, path in OUTPUTS.items():
            reasons: dict[str, list[str]] = {}
            failing = []
            found = pool.map(partial(_failure, fallback=fallback), remaining, chunksize=8)
            for index, (name, reason) in zip(remaining, found, strict=True):
                if reason is not None:
                    reasons.setdefault(reason, []).append(name)
                    failing.append(index)
            _write(path, reasons, len(_loaded))
            remaining = failing  # what is compiled is compiled in the same way with the host
    return 0


_loaded: list = []

if __name__ == "__main__":
    sys.exit(main())
