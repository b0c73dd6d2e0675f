"""The tests of single nodes of onnx's backend suite, compiled for a Vulkan device and run there.

For `make test-vulkan`, once a night: with lavapipe on two cores they take up to half an hour, so
that pytest doesn't find this file by itself. What doesn't pass is listed, with the reasons, in
onnx_backend_vulkan_failures.json, which `list_onnx_backend_failures.py vulkan` writes; a test that
starts to pass has to be taken off that list. The tolerances are the suite's own.
"""

from __future__ import annotations

import json
from pathlib import Path

import onnx_backend_cases
import onnx_mlir_bridge as omb
import pytest
from isolated_backend import IsolatedBackend, ProcessFailure

if not IsolatedBackend.supports_device("VULKAN"):
    raise pytest.UsageError("no Vulkan device (Debian: apt install libvulkan1 mesa-vulkan-drivers)")

_FAILURES = json.loads(Path(__file__).with_name("onnx_backend_vulkan_failures.json").read_text())
_REASONS = {test: reason for reason, tests in _FAILURES.items() for test in tests}
_CASES = {
    case.name: case
    for case in onnx_backend_cases.load(["node"])
    if onnx_backend_cases.fits_vulkan(case)
}


def _parameter(name: str):
    if name not in _REASONS:
        return name
    raises = (omb.OmbError, ProcessFailure, AssertionError)
    return pytest.param(
        name, marks=pytest.mark.xfail(strict=True, reason=_REASONS[name], raises=raises)
    )


def test_the_list_names_tests() -> None:
    assert not _REASONS.keys() - _CASES.keys()


@pytest.mark.parametrize("name", [_parameter(name) for name in _CASES])
def test_vulkan(name: str) -> None:
    onnx_backend_cases.check(_CASES[name], IsolatedBackend, "VULKAN", fallback="error")
