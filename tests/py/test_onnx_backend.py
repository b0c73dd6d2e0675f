"""The official test-suite of ONNX backends, onnx.backend.test, on omb.backend.

All of it where everything has to be compiled, with fallback="error"; what fails there also where
the host takes what can't be compiled. What doesn't pass is listed, with the reasons, in
onnx_backend_failures.json and onnx_backend_host_failures.json, which
list_onnx_backend_failures.py writes; a test that starts to pass has to be taken off that list, for
it fails here as an unexpected success. The tolerances are the suite's own.
"""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import onnx
import onnx_mlir_bridge as omb
import pytest
from onnx.backend.base import Backend, BackendRep
from onnx.backend.test import BackendTest

FOLDER = Path(__file__).parent

pytestmark = pytest.mark.filterwarnings("ignore::onnx_mlir_bridge.FallbackWarning")


class CompiledOnly(omb.backend):
    """omb.backend where the host takes nothing."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **options: Any) -> BackendRep:
        return super().prepare(model, device, fallback="error", **options)

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **options: Any) -> bool:
        """So that no model is compiled twice, and none skipped: prepare() says what isn't."""
        return True


def failures(name: str) -> set[str]:
    listed = json.loads((FOLDER / name).read_text())
    return {f"{test}_cpu" for tests in listed.values() for test in tests}


def suite(backend: type[Backend], expected_failures: set[str]) -> BackendTest:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases compute overflows and divisions by 0 on purpose
        made = BackendTest(backend, __name__)
    # Models that would have to be downloaded; test_models_light.py has the same architectures.
    made.exclude(
        r"^test_(bvlc_alexnet|densenet121|inception_v[12]|resnet50|shufflenet|squeezenet|vgg19|"
        r"zfnet512)_"
    )
    for name in expected_failures:
        made.xfail(f"^{re.escape(name)}$")
    return made


NOT_COMPILED = failures("onnx_backend_failures.json")
NOT_EVEN_WITH_HOST = failures("onnx_backend_host_failures.json")

globals().update(suite(CompiledOnly, NOT_COMPILED).test_cases)

for _name, _case in suite(omb.backend, NOT_EVEN_WITH_HOST).test_cases.items():
    for _test in [name for name in vars(_case) if name.startswith("test_")]:
        if _test not in NOT_COMPILED:  # what is compiled is compiled in the same way
            delattr(_case, _test)
    globals()[f"{_name}WithHost"] = _case
del _case
