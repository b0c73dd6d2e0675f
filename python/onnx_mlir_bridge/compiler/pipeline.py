"""The passes from the onnx dialect to IREE, and IREE."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from onnx_mlir_bridge.compiler import diagnostics, iree
from onnx_mlir_bridge.compiler.options import CompileOptions
from onnx_mlir_bridge.compiler.targets import Target
from onnx_mlir_bridge.errors import OmbError

if TYPE_CHECKING:
    from onnx_mlir_bridge._mlir import ir

SIMPLIFY = "omb-simplify"
TO_LINALG = "omb-to-linalg"
TO_VECTOR = "omb-to-vector"
EXPAND_FUNCTIONS = "omb-expand-functions"
LOWER_SPARSE = "omb-lower-sparse-contractions"
DENSIFY = "omb-densify-constants"
CHANNELS_LAST = "omb-convert-layout{named=true}"
TO_IREE = "omb-to-iree"

_PARAMETERS = "omb.parameters"
_RANDOM_STREAMS = "omb.random_streams"  # lowering/to_linalg/RandomStream.cpp has the other copy

# Constants beyond these sizes are printed without their values, so that IR stays readable.
_MAX_PRINTED_ELEMENTS = 64
_MAX_PRINTED_RESOURCE = 256

VMFB = (["vmfb"],)


@dataclass(frozen=True)
class HandOff:
    """What IREE gets.

    module: after omb-to-iree, with the target's attributes; owns the memory of the weights.
    weights: each parameter's name and bytes.
    """

    module: ir.Operation
    weights: Mapping[str, memoryview]


def run_passes(module: ir.Operation, pipeline: str) -> None:
    """Run a pass pipeline on `module`; LoweringError, which names the nodes, if a pass fails."""
    from onnx_mlir_bridge._mlir import ir, passmanager

    with module.context:
        try:
            passmanager.PassManager.parse(f"builtin.module({pipeline})").run(module)
        except ir.MLIRError as error:
            raise diagnostics.lowering_error(error.error_diagnostics, str(error)) from None


# Where products of dense factors take half the time, fewer zeros are worth nothing.
_BF16_ZEROS = 0.85


SPARSE_ESTIMATE = "onnx.sparse_estimate"
_SIMPLIFY_AND_ESTIMATE = "omb-simplify,onnx-qdq-to-quant,onnx-sparsify-constants"


def sparse_costs(target: Target) -> str:
    """How products with sparse weights are computed, as onnx-sparsify-constants names it."""
    if target.vector_unit is not None:
        return "matrix" if target.vector_unit.matrix_bytes else "kernels"
    return "loops" if target.provider == "cpu" else "threads"


def estimate_sparse(module: ir.Operation, target: Target, fewest_zeros: float) -> ir.Operation:
    """A copy of a module of the onnx dialect whose products say what zeros of their weights gain.

    Those with at least this share of zeros do, in an attribute SPARSE_ESTIMATE.
    """
    estimated = module.clone().operation
    settings = f"mode=auto annotate threshold={fewest_zeros} costs={sparse_costs(target)}"
    run_passes(estimated, f"{_SIMPLIFY_AND_ESTIMATE}{{{settings}}}")
    return estimated


def lowering(options: CompileOptions, target: Target) -> str:
    """The pipeline from the onnx dialect to linalg."""
    sparse = options.sparse if options.opt_level > 0 else "off"
    settings = f"sparse={sparse} sparse-costs={sparse_costs(target)}"
    if sparse == "auto" and options.precision == "bf16":
        settings += f" zeros={_BF16_ZEROS}"
    return f"{TO_LINALG}{{{settings}}}"


def to_linalg(module: ir.Operation, passes: str) -> ir.Operation:
    """A copy of a module of the onnx dialect after `passes`; the weights are shared.

    LoweringError, which names the nodes, if it can't be lowered.
    """
    lowered = module.clone().operation
    run_passes(lowered, passes)
    return lowered


def to_vector(linalg: ir.Operation, target: Target, options: CompileOptions) -> ir.Operation:
    """Makes kernels, in place, of what in a module of linalg decides its speed on a CPU.

    For Vulkan, convolutions get their channels last: IREE's code for the others reads memory value
    by value (SqueezeNet on a device in software: 143 s, with the channels last 5).

    Left alone but for products with sparse weights: modules for CPUs without fused multiply-add on
    vectors, and for CUDA; and all that is compiled at level 0. OmbError if another precision than
    f32 is asked for there.
    """
    has_kernels = target.vector_unit is not None and options.opt_level > 0
    if options.precision != "f32" and not has_kernels:
        raise OmbError(
            f"precision='{options.precision}' is for kernels, which {target.provider} "
            f"'{target.name}' at opt_level={options.opt_level} has none of: compile for a CPU with "
            "AVX2 or AVX-512, or leave it at 'f32'"
        )
    if options.opt_level == 0:
        return linalg
    if target.vector_unit is None:
        threads = str(target.provider != "cpu").lower()
        run_passes(linalg, f"{LOWER_SPARSE}{{threads={threads}}},{DENSIFY}")
    if target.provider == "vulkan":
        run_passes(linalg, CHANNELS_LAST)
    if target.vector_unit is not None:
        unit = target.vector_unit
        run_passes(
            linalg,
            f"{TO_VECTOR}{{vector-bytes={unit.bytes} vector-registers={unit.registers} "
            f"vector-dot-bytes={unit.dot_bytes} "
            f"vector-dot-bfloats={str(unit.dots_bfloats).lower()} "
            f"matrix-bytes={str(unit.matrix_bytes).lower()} "
            f"matrix-bfloats={str(unit.matrix_bfloats).lower()}"
            f" winograd={str(options.winograd).lower()} threads={options.kernel_threads}"
            + ("" if options.precision == "f32" else f" narrow={options.precision}")
            + f"}},{EXPAND_FUNCTIONS}{{vector-bytes={unit.bytes}}}",
        )
    return linalg


def separate_random_streams(linalg: ir.Operation, part: int) -> None:
    """Has random numbers without a seed in a part of a model differ from those in other parts.

    Their streams are numbered from 0 on in each module.
    """
    from onnx_mlir_bridge._mlir import ir

    for operation in linalg.regions[0].blocks[0].operations:
        attributes = operation.operation.attributes
        if "sym_name" in attributes and str(attributes["sym_name"]) == f'"{_RANDOM_STREAMS}"':
            i64 = ir.IntegerType.get_signless(64, linalg.context)
            attributes["initial_value"] = ir.IntegerAttr.get(i64, part << 40)


def to_iree(linalg: ir.Operation, target: Target) -> HandOff:
    """Makes of a module of linalg, in place, what IREE gets."""
    from onnx_mlir_bridge._mlir import ir
    from onnx_mlir_bridge._mlir._mlir_libs import _omb

    attributes = _module_attributes(linalg, target)
    if target.workarounds:
        run_passes(linalg, target.workarounds)
    run_passes(linalg, TO_IREE)
    weights: dict[str, memoryview] = {}
    if _PARAMETERS in linalg.attributes:
        for entry in ir.DictAttr(linalg.attributes[_PARAMETERS]):
            weights[entry.name] = _omb.elements_data(entry.attr)
        del linalg.attributes[_PARAMETERS]
    context = linalg.context
    strict = not context.allow_unregistered_dialects
    context.allow_unregistered_dialects = True  # IREE's attributes aren't registered here
    try:
        for name, text in attributes.items():
            linalg.attributes[name] = ir.Attribute.parse(text, context)
    finally:
        context.allow_unregistered_dialects = not strict
    return HandOff(linalg, weights)


def _module_attributes(linalg: ir.Operation, target: Target) -> Mapping[str, str]:
    from onnx_mlir_bridge._mlir import ir

    depthwise: list[str] = []

    def visit(operation: ir.Operation) -> ir.WalkResult:
        if operation.name.startswith("linalg.depthwise_conv"):
            depthwise.append(diagnostics.location_name(operation.location))
        return ir.WalkResult.ADVANCE

    linalg.walk(visit)
    if not depthwise:
        return target.module_attributes
    if target.depthwise_attributes is None:
        raise OmbError(
            f"{depthwise[0]}: IREE computes wrong results of depthwise convolutions for "
            f"{target.provider} '{target.name}'; compile for '{target.provider}' 'generic'"
        )
    return target.depthwise_attributes


def compile_with_iree(
    hand_off: HandOff, target: Target, opt_level: int, steps: Sequence[Sequence[str]] = VMFB
) -> bytes:
    """What `steps` (see worker.py) give for the module; OmbError if IREE fails or crashes.

    For a CPU, IREE verifies after each pass only if it fails or crashes without: to say where.
    What it makes for other devices goes to their drivers, of which some crash on what is invalid.
    """
    text = hand_off_text(hand_off, locations=True)
    flags = _flags(target, opt_level)
    verifies = target.provider != "cpu"
    reply = iree.run("model", text, flags, steps, verifies)
    if reply.result is None and not verifies:
        reply = iree.run("model", text, flags, steps, verifies=True)
    return _result(reply, target)


def located_ir(
    hand_off: HandOff, target: Target, opt_level: int, phases: Sequence[str]
) -> list[str]:
    """The module as IREE's text after each of `phases` of its compilation, with locations."""
    text = hand_off_text(hand_off, locations=True)
    replies = iree.located_ir("model", text, _flags(target, opt_level), phases)
    return [_result(reply, target).decode() for reply in replies]


def keeps_state(hand_off: HandOff) -> bool:
    """Whether a run leaves something in the module for the next one, as random streams do."""
    operations = hand_off.module.regions[0].blocks[0].operations
    return any("is_mutable" in each.operation.attributes for each in operations)


def _flags(target: Target, opt_level: int) -> list[str]:
    return [*target.flags, f"--iree-opt-level=O{opt_level}"]


def _result(reply: iree.Reply, target: Target) -> bytes:
    if reply.result is None:
        raise diagnostics.iree_error(
            reply.errors, f"{target.provider} ({target.name})", reply.crash
        )
    return reply.result


def hand_off_text(hand_off: HandOff, locations: bool) -> bytes:
    """The module as IREE gets it: in the generic form, which two versions of MLIR agree on."""
    text = io.BytesIO()
    hand_off.module.print(
        file=text, binary=True, print_generic_op_form=True, enable_debug_info=locations
    )
    return text.getvalue()


def readable(module: ir.Operation) -> str:
    """The module as text for people, without the values of large constants."""
    return module.get_asm(
        large_elements_limit=_MAX_PRINTED_ELEMENTS, large_resource_limit=_MAX_PRINTED_RESOURCE
    )
