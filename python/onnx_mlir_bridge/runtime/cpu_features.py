"""What machine code needs of a CPU, so that a model isn't run on one that lacks it.

Running an instruction that the CPU doesn't have ends the process, so this is asked beforehand. The
names are those of /proc/cpuinfo on x86-64; other systems and architectures aren't asked.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from onnx_mlir_bridge.runtime import matrix_unit

# LLVM's name of a feature -> the flag in /proc/cpuinfo. Those that code generation for tensors can
# make use of; the others come with them in every CPU that was ever sold.
LLVM_FEATURES = {
    "sse3": "pni",
    "ssse3": "ssse3",
    "sse4.1": "sse4_1",
    "sse4.2": "sse4_2",
    "popcnt": "popcnt",
    "avx": "avx",
    "f16c": "f16c",
    "fma": "fma",
    "avx2": "avx2",
    "bmi": "bmi1",
    "bmi2": "bmi2",
    "lzcnt": "abm",
    "movbe": "movbe",
    "avxvnni": "avx_vnni",
    "avxifma": "avx_ifma",
    "gfni": "gfni",
    "vaes": "vaes",
    "vpclmulqdq": "vpclmulqdq",
    "avx512f": "avx512f",
    "avx512cd": "avx512cd",
    "avx512bw": "avx512bw",
    "avx512dq": "avx512dq",
    "avx512vl": "avx512vl",
    "avx512ifma": "avx512ifma",
    "avx512vbmi": "avx512vbmi",
    "avx512vbmi2": "avx512_vbmi2",
    "avx512vnni": "avx512_vnni",
    "avx512bitalg": "avx512_bitalg",
    "avx512vpopcntdq": "avx512_vpopcntdq",
    "avx512vp2intersect": "avx512_vp2intersect",
    "avx512bf16": "avx512_bf16",
    "avx512fp16": "avx512_fp16",
    "amx-tile": "amx_tile",
    "amx-int8": "amx_int8",
    "amx-bf16": "amx_bf16",
}


@cache
def host_flags() -> frozenset[str]:
    """The flags of this machine's CPU; empty where they can't be read."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return frozenset(line.partition(":")[2].split())
    except OSError:
        pass
    return frozenset()


@cache
def host_identity() -> str:
    """What this machine's CPU says of itself; equal for CPUs that run the same code best."""
    described = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU part")
    try:
        first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return "\n".join(line for line in first if line.partition(":")[0].strip() in described)


def flags_of(llvm_features: Iterable[str]) -> tuple[str, ...]:
    """The flags that code with these LLVM features needs, sorted."""
    return tuple(sorted({LLVM_FEATURES[f] for f in llvm_features if f in LLVM_FEATURES}))


def why_not(machine: str, features: Iterable[str]) -> str | None:
    """Why this machine can't run code for `machine` with `features`; None if it can."""
    if machine != platform.machine():
        return f"it is compiled for {machine}, and this machine is {platform.machine()}"
    host = host_flags()
    missing = [feature for feature in features if feature not in host] if host else []
    if missing:
        return f"this machine's CPU lacks {', '.join(missing)}"
    if matrix_unit.is_needed(features) and not matrix_unit.is_permitted():
        return "Linux refuses this process the registers of AMX"
    return None
