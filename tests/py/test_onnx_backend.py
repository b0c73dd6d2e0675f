"""The official test-suite of ONNX backends, onnx.backend.test, on omb.backend.

What doesn't pass is listed, with the reason, in onnx_backend_failures.json, which
list_onnx_backend_failures.py writes; a test that
starts to pass has to be taken off that list, for it fails here as an unexpected success. The
tolerances are the suite's own.
"""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import onnx_mlir_bridge as omb
from onnx.backend.test import BackendTest

EXPECTED_FAILURES = Path(__file__).with_name("onnx_backend_failures.json")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the cases compute overflows and divisions by 0 on purpose
    suite = BackendTest(omb.backend, __name__)

# Models that would have to be downloaded; test_models_light.py has the same architectures.
suite.exclude(
    r"^test_(bvlc_alexnet|densenet121|inception_v[12]|resnet50|shufflenet|squeezenet|vgg19|zfnet512)_"
)
for names in json.loads(EXPECTED_FAILURES.read_text()).values():
    for name in names:
        suite.xfail(f"^{re.escape(name)}_cpu$")

globals().update(suite.test_cases)
