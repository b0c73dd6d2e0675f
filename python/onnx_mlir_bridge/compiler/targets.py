"""What can be compiled for, and which flags of IREE say so."""

from __future__ import annotations

import platform
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache

from onnx_mlir_bridge.compiler import iree
from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.runtime import cpu_features, matrix_unit
from onnx_mlir_bridge.runtime.devices import PROVIDERS, STACK_ALLOCATION_LIMIT

CUDA_ARCHITECTURES = ("sm_80", "sm_86", "sm_89")


# A Vulkan device of no particular make: the limits of Vulkan's Roadmap 2022 profile, which all
# desktop GPUs of the last ten years and lavapipe exceed, and arithmetic on all types. A module asks
# the driver only for what it uses, so that a model in f32 also loads where there is no f64. Integer
# dot products are part of Vulkan 1.3. No subgroup operations: they need the device's subgroup size,
# from 8 (lavapipe) to 64. IREE's default, an Android profile of f32 and i32 alone, computes wrong
# numbers in f16 without any error.
def _generic_vulkan(subgroup: int) -> str:
    return (
        '[#hal.device.target<"vulkan", [#hal.executable.target<"vulkan-spirv", "vulkan-spirv-fb", '
        "{iree_codegen.target_info = #iree_gpu.target<"
        'arch = "", features = "spirv:v1.6,cap:Shader", wgp = <'
        "compute = fp64|fp32|fp16|int64|int32|int16|int8, storage = b64|b32|b16|b8, "
        f"subgroup = none, dot = dp4xi8toi32, subgroup_size_choices = [{subgroup}], "
        "max_workgroup_sizes = [256, 256, 64], max_thread_count_per_workgroup = 256, "
        "max_workgroup_memory_bytes = 16384, max_workgroup_counts = [65535, 65535, 65535]>>}>]> "
        ": !hal.device]"
    )


# IREE makes f32 of all f64 unless told otherwise; and above O0 it drops assertions, which here are
# not for debugging: they keep inputs that don't fit each other from reading out of bounds. Looking
# for dialects of other front ends takes a twentieth of a small model's compilation.
_COMMON_FLAGS = (
    "--iree-input-type=none",
    "--iree-input-demote-f64-to-f32=false",
    "--iree-opt-strip-assertions=false",
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True)
class VectorUnit:
    """The vector registers of a CPU: the bytes of one, and how many there are.

    dot_bytes: how many products of bytes an instruction adds to a number of 32 bits; 0: none does.
    dots_bfloats: whether an instruction adds two products of bf16 to an f32. matrix_bytes,
    matrix_bfloats: whether there is a matrix unit for products of bytes, of bf16.
    """

    bytes: int
    registers: int
    dot_bytes: int
    dots_bfloats: bool
    matrix_bytes: bool = False
    matrix_bfloats: bool = False


@dataclass(frozen=True)
class Target:
    """A kind of device and what is known of the device.

    flags: of IREE's compiler. module_attributes: attributes of the module, as MLIR's text, where
    no flag can say it. machine, features: what the code needs of the CPU. depthwise_attributes:
    module_attributes of modules with depthwise convolutions; None: IREE computes them wrong.
    vector_unit: of a CPU that kernels are generated for. notices: what the user should know of it.
    workarounds: passes that keep IREE from errors of its code generation.
    """

    provider: str
    name: str
    flags: tuple[str, ...]
    module_attributes: Mapping[str, str]
    machine: str = ""
    features: tuple[str, ...] = ()
    depthwise_attributes: Mapping[str, str] | None = field(default_factory=dict)
    vector_unit: VectorUnit | None = None
    notices: tuple[str, ...] = ()
    workarounds: str = ""


def _cpu_flags(cpu: str) -> tuple[str, ...]:
    return (
        *_COMMON_FLAGS,
        "--iree-hal-target-device=local",
        "--iree-hal-local-target-device-backends=llvm-cpu",
        f"--iree-llvmcpu-target-cpu={cpu}",
        # IREE's own kernels of products, which this project's take the place of: reading them is
        # a sixteenth of what a small module takes.
        "--iree-llvmcpu-enable-ukernels=none",
        # Runs what can be computed of constants while it compiles, a program for each. All that
        # is left of that is of small constants (weights are parameters), and runs on loading.
        "--iree-opt-const-eval=false",
        # Otherwise what is joined along the channels, which are last, is transposed twice.
        "--iree-opt-outer-dim-concat=false",
        f"--iree-llvmcpu-stack-allocation-limit={STACK_ALLOCATION_LIMIT}",
    )


def _cpu(cpu: str) -> Target:
    known = _llvm_features(cpu)
    notices: tuple[str, ...] = ()
    if cpu == "host" and "amx-tile" in known and not matrix_unit.is_permitted():
        known = tuple(feature for feature in known if not feature.startswith("amx-"))
        notices = ("compiled without AMX, whose registers Linux refuses this process",)
    features = cpu_features.flags_of(known)
    return Target(
        "cpu",
        cpu,
        _cpu_flags(cpu),
        {},
        platform.machine(),
        features,
        vector_unit=_vector_unit(known),
        notices=notices,
    )


def _vector_unit(features: Collection[str]) -> VectorUnit | None:
    """The registers that kernels use; None without fused multiply-add on vectors."""
    if "avx512f" in features:
        dot = 4 if "avx512vnni" in features else 2 if "avx512bw" in features else 0
        return VectorUnit(
            64,
            32,
            dot_bytes=dot,
            dots_bfloats="avx512bf16" in features,
            matrix_bytes=dot == 4 and "amx-int8" in features,
            matrix_bfloats="avx512bf16" in features and "amx-bf16" in features,
        )
    if "avx2" in features and "fma" in features:
        dot = 4 if "avxvnni" in features else 2
        return VectorUnit(32, 16, dot_bytes=dot, dots_bfloats=False)
    return None


@cache
def _llvm_features(cpu: str) -> tuple[str, ...]:
    """The LLVM features that a CPU has, according to IREE; OmbError for a name it doesn't know."""
    reply = iree.run("target", b"module {}", _cpu_flags(cpu), [["phase", "preprocessing"], ["ir"]])
    if reply.result is None:
        raise OmbError(f"the CPU '{cpu}' is not known; use host, generic, or LLVM's name of a CPU")
    found = re.search(rb'cpu_features = "([^"]*)"', reply.result)
    listed = found.group(1).decode().split(",") if found else []
    last = {feature[1:]: feature[0] for feature in listed if feature}  # the last one counts
    return tuple(feature for feature, sign in last.items() if sign == "+")


def _vulkan(device: str) -> Target:
    # For Vulkan, IREE 3.13 distributes a depthwise convolution wrongly where its workgroup isn't a
    # multiple of the subgroup (24 or 36 channels, for 32): no error, other numbers. With subgroups
    # of 1 every workgroup is.
    if device == "generic":
        usual, depthwise = ({"hal.device.targets": _generic_vulkan(size)} for size in (32, 1))
        return Target(
            "vulkan",
            device,
            _COMMON_FLAGS,
            usual,
            depthwise_attributes=depthwise,
            workarounds="omb-extend-signed{dot-products=true},omb-isolate-broadcasts",
        )
    flags = ("--iree-hal-target-device=vulkan", f"--iree-vulkan-target={device}")
    return Target(
        "vulkan",
        device,
        (*_COMMON_FLAGS, *flags),
        {},
        depthwise_attributes=None,
        workarounds="omb-extend-signed,omb-isolate-broadcasts",
    )


def _cuda(architecture: str) -> Target:
    if architecture not in CUDA_ARCHITECTURES:
        raise OmbError(
            f"the CUDA architecture '{architecture}' can't be compiled for; "
            f"use one of {', '.join(CUDA_ARCHITECTURES)} (newer GPUs run code for older ones)"
        )
    flags = ("--iree-hal-target-device=cuda", f"--iree-cuda-target={architecture}")
    return Target(
        "cuda",
        architecture,
        (*_COMMON_FLAGS, *flags),
        {},
        workarounds="omb-isolate-gathers,omb-add-initial-sums",
    )


def resolve(target: str, cpu: str, vulkan: str, cuda: str) -> Target:
    """The target of that name; the others say which device of its kind is meant."""
    if target not in PROVIDERS:
        raise OmbError(
            f"there is no target {target!r}; use one of {', '.join(reversed(PROVIDERS))}"
        )
    detail = {"cpu": cpu, "vulkan": vulkan, "cuda": cuda}[target]
    if not isinstance(detail, str) or not _NAME.fullmatch(detail):
        raise OmbError(f"{detail!r} is not the name of a {target} device")
    return {"cpu": _cpu, "vulkan": _vulkan, "cuda": _cuda}[target](detail)
