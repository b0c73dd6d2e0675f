"""Writes onnx_backend_failures.json: the tests of onnx's backend suite that fail, by reason.

    python tests/py/list_onnx_backend_failures.py

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
from pathlib import Path

OUTPUT = Path(__file__).with_name("onnx_backend_failures.json")
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


def _failure(index: int) -> tuple[str, str | None]:
    """The name of a case, and why it fails."""
    import onnx
    import onnx_mlir_bridge as omb
    from onnx import numpy_helper
    from onnx.backend.test.runner import Runner

    case = _loaded[index]
    try:
        model = case.model or onnx.load(Path(case.model_dir) / "model.onnx")
        prepared = omb.backend.prepare(model)
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
    return case.name, None


def main() -> int:
    """Compile and run all cases, in parallel on the cores there are."""
    global _loaded
    _loaded = _cases()
    reasons: dict[str, list[str]] = {}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for name, reason in pool.map(_failure, range(len(_loaded)), chunksize=8):
            if reason is not None:
                reasons.setdefault(reason, []).append(name)
    ordered = {reason: sorted(names) for reason, names in sorted(reasons.items())}
    OUTPUT.write_text(json.dumps(ordered, indent=1) + "\n")
    failed = sum(map(len, ordered.values()))
    print(
        f"{len(_loaded) - failed} of {len(_loaded)} pass; {failed} fail for {len(ordered)} reasons"
    )
    return 0


_loaded: list = []

if __name__ == "__main__":
    sys.exit(main())
