"""What the model tests expect of each target, and when they can run on it."""

from __future__ import annotations

import platform

import pytest

CPU_TOLERANCE = 1e-4
GPU_TOLERANCE = 1e-3


def has_device(provider: str) -> bool:
    """Whether this machine has a device for ``provider`` ("cpu", "vulkan", "cuda")."""
    import onnx_mlir_bridge as omb

    return any(device.provider == provider for device in omb.devices())


needs_vulkan = pytest.mark.skipif(
    not has_device("vulkan"),
    reason="no Vulkan device (Debian: apt install libvulkan1 mesa-vulkan-drivers)",
)
needs_kernels = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="kernels are generated for x86-64 with AVX2 or AVX-512"
)
needs_cuda = pytest.mark.skipif(not has_device("cuda"), reason="no CUDA device")
GPUS = (
    pytest.param("vulkan", marks=needs_vulkan),
    pytest.param("cuda", marks=needs_cuda),
)
on_gpus = pytest.mark.parametrize("provider", GPUS)
