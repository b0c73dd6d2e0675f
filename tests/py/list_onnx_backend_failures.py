"""Writes which tests of onnx's backend suite fail, by reason, and prints how many pass.

    python tests/py/list_onnx_backend_failures.py [cpu | vulkan]

cpu: onnx_backend_failures.json has those that fail where everything has to be compiled (fallback=
"error"), onnx_backend_host_failures.json those that fail also where the host takes what can't be.
vulkan: onnx_backend_vulkan_failures.json has the tests of single nodes that fail on a Vulkan device
that can hold their types.

Run it when a lowering was added, and read the difference: tests may leave the list, and one that
joins it is a regression. The reason is the compiler's message without the names of the nodes.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import onnx_backend_cases
from isolated_backend import IsolatedBackend, ProcessFailure

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Way:
    """A way to run the cases, and the list of those that fail so."""

    device: str
    fallback: str
    output: str


@dataclass(frozen=True)
class Suite:
    """Which cases are run, and in which ways: in each, those that failed in the one before."""

    kinds: tuple[str, ...]
    includes: Callable[[Any], bool]
    ways: tuple[Way, ...]


SUITES = {
    "cpu": Suite(
        ("node", "simple", "pytorch-converted", "pytorch-operator"),
        lambda _: True,
        (
            Way("CPU", "error", "onnx_backend_failures.json"),
            Way("CPU", "host", "onnx_backend_host_failures.json"),
        ),
    ),
    "vulkan": Suite(
        ("node",),
        onnx_backend_cases.fits_vulkan,
        (Way("VULKAN", "error", "onnx_backend_vulkan_failures.json"),),
    ),
}


def _reason(message: str) -> str:
    """The message about the first node, without its name and without numbers of values."""
    message = message.removeprefix("the model can't be compiled: ").split("; ")[0]
    message = re.sub(r"^'[^']*' has no elements, \(.*\)$", "an input has no elements", message)
    return re.sub(r"^[^:]*?\(([\w.]+)\)( producing [^:]*)?: ", r"\1: ", message)


def _check(case: Any, device: str, fallback: str) -> str | None:
    """Why a case fails."""
    import onnx_mlir_bridge as omb

    try:
        onnx_backend_cases.check(case, IsolatedBackend, device, fallback)
    except omb.OmbError as error:
        return _reason(str(error))
    except ProcessFailure as failure:
        return str(failure)
    except AssertionError:
        return "the result differs"
    except TypeError as error:
        if "Unable to compare" not in str(error):
            raise
        return "the suite can't compare scalars in a sequence"
    return None


def _failure(index: int, way: Way) -> tuple[str, str | None]:
    """The name of a case, and why it fails; of a result that differs, whether the CPU's does."""
    case = _loaded[index]
    reason = _check(case, way.device, way.fallback)
    if reason == "the result differs" and way.device != "CPU":
        on_cpu = _check(case, "CPU", way.fallback)
        reason += " on every device" if on_cpu else f" on {way.device} only"
    return case.name, reason


def _write(path: Path, reasons: dict[str, list[str]], total: int) -> None:
    ordered = {reason: sorted(names) for reason, names in sorted(reasons.items())}
    path.write_text(json.dumps(ordered, indent=1) + "\n")
    failed = sum(map(len, ordered.values()))
    print(
        f"{total - failed} of {total} pass; {failed} fail for {len(ordered)} reasons: {path.name}"
    )


def main(name: str = "cpu") -> int:
    """Run a suite's cases, in parallel on the cores there are."""
    global _loaded
    suite = SUITES[name]
    _loaded = [case for case in onnx_backend_cases.load(suite.kinds) if suite.includes(case)]
    remaining = list(range(len(_loaded)))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for way in suite.ways:
            reasons: dict[str, list[str]] = {}
            failing = []
            found = pool.map(partial(_failure, way=way), remaining, chunksize=8)
            for index, (case, reason) in zip(remaining, found, strict=True):
                if reason is not None:
                    reasons.setdefault(reason, []).append(case)
                    failing.append(index)
            _write(FOLDER / way.output, reasons, len(_loaded))
            remaining = failing  # what is compiled is compiled in the same way with the host
    return 0


_loaded: list = []

if __name__ == "__main__":
    if sys.argv[2:] or not {*sys.argv[1:]} <= {*SUITES}:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
