"""Models that are compiled anew for each value of an input on which ranks depend.

Compiled code needs every rank before the run. Where one depends on the value of an input that isn't
constant, and the model doesn't declare it, the model is specialized: compiled at the first run,
with the values of such inputs, and of no others, as constants.

Which inputs those are is found in the module, after shape inference (onnx-infer-shapes): the ops
whose rank or number of axes is open, and what their deciding operand is computed from. It counts
only if that is inputs and constants, by the integer arithmetic that shape inference evaluates: then
the constants settle it. All else is what the option `fallback` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from onnx import GraphProto, TensorProto, TypeProto, helper

from onnx_mlir_bridge import importer
from onnx_mlir_bridge.compiler import diagnostics, pipeline, source
from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer.bound_inputs import bind, open_inputs
from onnx_mlir_bridge.importer.load import LoadedModel, load
from onnx_mlir_bridge.importer.segments import Graph
from onnx_mlir_bridge.importer.types import rank, scope_types
from onnx_mlir_bridge.runtime.inputs import checked_inputs
from onnx_mlir_bridge.runtime.signature import TensorInfo

if TYPE_CHECKING:
    from onnx_mlir_bridge._mlir import ir
    from onnx_mlir_bridge.compiler.source import ModelSource
    from onnx_mlir_bridge.importer import PreparedModel

_REDUCTIONS = (
    "L1",
    "L2",
    "LogSum",
    "LogSumExp",
    "Max",
    "Mean",
    "Min",
    "Prod",
    "Sum",
    "SumSquare",
)

# Operators whose rank is the number of elements of an operand, or follows from it -> its position.
_BY_LENGTH = {
    "AffineGrid": 1,
    "ConstantOfShape": 0,
    "Expand": 1,
    "Reshape": 1,
    "Squeeze": 1,
    "Unsqueeze": 1,
    **{f"Reduce{name}": 1 for name in _REDUCTIONS},
}

# Those of which code needs this number also where the rank is known.
_NUMBER_OF_AXES = frozenset({"Expand", "Pad", "Slice", *(f"Reduce{name}" for name in _REDUCTIONS)})

_OPERATORS = frozenset({*_BY_LENGTH, *_NUMBER_OF_AXES, "If", "SequenceAt"})

# What shape inference evaluates, on integers (dialect/shape/Contents.h), besides Shape and Size.
_EVALUATED = frozenset(
    f"onnx.{name}"
    for name in (
        *("Abs", "Add", "Cast", "Div", "Max", "Min", "Mod", "Mul", "Neg", "Sub"),
        *("And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or", "Where"),
        *("Concat", "ConstantOfShape", "Expand", "Gather", "Identity", "Range", "Reshape", "Slice"),
        *("Split", "Squeeze", "Tile", "Unsqueeze"),
        *("ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum"),
    )
)
_SIZES = ("onnx.Shape", "onnx.Size", "tensor.dim")
_CONSTANTS = ("onnx.Constant", "onnx.NoValue", "arith.constant")
_PLACED = ("tensor.from_elements", "tensor.extract", "arith.", "affine.")
"""What onnx-infer-shapes makes of arithmetic on sizes."""


@dataclass(frozen=True)
class Reason:
    """Why a model is specialized: a node, as messages name it, and the inputs that it depends on.

    what: of the node depends on them.
    """

    node: str
    what: str
    inputs: tuple[str, ...]

    def __str__(self) -> str:
        """Such as "squeeze (Squeeze): the rank of its result depends on the value of 'axes'"."""
        names = " and ".join(f"'{name}'" for name in self.inputs)
        return f"{self.node}: {self.what} depends on the value of {names}"


def reasons(prepared: PreparedModel) -> tuple[Reason, ...]:
    """Why a model has to be specialized; none: it doesn't."""
    graph = prepared.loaded.proto.graph
    candidates = {n for n, value in enumerate(graph.input) if _may_decide(value.type)}
    if not candidates or not _has_open_ranks(graph, {}):
        return ()
    # What no output depends on decides nothing.
    live = replace(prepared.loaded, proto=Graph(prepared.loaded).live())
    module = importer.emit_module(live)
    try:
        pipeline.run_passes(module.operation, pipeline.SIMPLIFY)
    except diagnostics.LoweringError:
        return ()  # the same comes of compiling it
    names = [value.name for value in graph.input]
    found: dict[str, Reason] = {}
    for operation, operand, what in _open_operations(module.operation):
        deciding = _deciding_arguments(operand, are_sizes_open=what in (_RANK, _AXES))
        if deciding and deciding <= candidates:
            node = diagnostics.location_name(operation.location)
            inputs = tuple(names[number] for number in sorted(deciding))
            found.setdefault(node, Reason(node, what, inputs))
    return tuple(found.values())


def _may_decide(value_type: TypeProto) -> bool:
    """Whether an input is a scalar or vector of integers or booleans."""
    if (rank(value_type) or 0) > 1 or not value_type.HasField("tensor_type"):
        return False
    element = value_type.tensor_type.elem_type
    return element != TensorProto.STRING and helper.tensor_dtype_to_np_dtype(element).kind in "biu"


def _has_open_ranks(graph: GraphProto, outer: dict[str, TypeProto]) -> bool:
    """Whether onnx leaves a rank open, or a number of axes; shape inference knows more."""
    types = scope_types(graph, outer)
    for node in graph.node:
        if any(name in types and rank(types[name]) is None for name in node.output):
            return True
        is_counted = node.op_type in _NUMBER_OF_AXES and not node.domain
        if is_counted and any(_is_open_vector(types.get(name)) for name in node.input[1:] if name):
            return True
        if any(_has_open_ranks(inner, types) for inner in graphs.subgraphs(node)):
            return True
    return False


def _is_open_vector(value_type: TypeProto | None) -> bool:
    """Whether a value may be a vector whose length isn't known."""
    known = rank(value_type)
    if known is None:
        return True
    dims = value_type.tensor_type.shape.dim
    return known == 1 and not dims[0].HasField("dim_value")


_RANK = "the rank of its result"
_AXES = "the number of its axes"
_BRANCH = "the branch that it takes, and with it the rank of its result,"
_ELEMENT = "the element that it takes, and with it the rank of its result,"


def _open_operations(module: ir.Operation) -> Iterator[tuple[ir.Operation, ir.Value, str]]:
    """The ops whose rank or number of axes is open, what operand decides it, and which of them.

    Where the rank of an op's data isn't known either, that has to be settled first.
    """
    from onnx_mlir_bridge._mlir import ir

    operations: list[ir.Operation] = []

    def visit(operation: ir.Operation) -> ir.WalkResult:
        if operation.name.removeprefix("onnx.") in _OPERATORS:
            operations.append(operation)
        return ir.WalkResult.ADVANCE

    module.walk(visit)
    for operation in operations:
        name = operation.name.removeprefix("onnx.")
        is_open = any(isinstance(v.type, ir.UnrankedTensorType) for v in operation.results)
        if name == "If" and is_open and _branches_differ(operation):
            yield operation, operation.operands[0], _BRANCH
        elif name == "SequenceAt" and is_open and _is_constructed(operation.operands[0]):
            yield operation, operation.operands[1], _ELEMENT
        elif is_open or (name in _NUMBER_OF_AXES and not _is_settled(name, operation)):
            operand = _counted(name, operation)
            if (
                operand is not None
                and _length(operand) is None
                and _has_rank(operation.operands[0])
            ):
                yield operation, operand, _RANK if is_open else _AXES


def _counted(name: str, operation: ir.Operation) -> ir.Value | None:
    """The operand whose number of elements counts."""
    if name in _BY_LENGTH:
        position = _BY_LENGTH[name]
        return operation.operands[position] if position < len(operation.operands) else None
    if name not in ("Pad", "Slice"):
        return None
    formals = ("data", "pads", "constant", "axes")
    if name == "Slice":
        formals = ("data", "starts", "ends", "axes", "steps")
    present = [bool(size) for size in operation.attributes["operandSegmentSizes"]]
    given = [formal for formal, is_given in zip(formals, present, strict=False) if is_given]
    if "axes" in given:
        return operation.operands[given.index("axes")]
    # Without axes, Pad has as many as the input.
    return operation.operands[1] if name == "Slice" else None


def _is_settled(name: str, operation: ir.Operation) -> bool:
    """Whether the rank that the model declares tells the number of axes."""
    if not _has_rank(operation.operands[0]) or not _has_rank(operation.results[0]):
        return False
    data, result = operation.operands[0].type.rank, operation.results[0].type.rank
    return data < result if name == "Expand" else name.startswith("Reduce") and 0 < result < data


def _has_rank(value: ir.Value) -> bool:
    from onnx_mlir_bridge._mlir import ir

    return isinstance(value.type, ir.RankedTensorType)


def _length(value: ir.Value) -> int | None:
    """The number of elements of a vector or scalar, None where it isn't known."""
    from onnx_mlir_bridge._mlir import ir

    if not isinstance(value.type, ir.RankedTensorType) or not value.type.has_static_shape:
        return None
    return value.type.get_dim_size(0) if value.type.rank else 1


def _branches_differ(operation: ir.Operation) -> bool:
    """Whether the branches of an If give results of ranks that are known, and differ."""
    branches = [list(region.blocks[0].operations)[-1].operands for region in operation.regions]
    return any(
        all(map(_has_rank, pair)) and pair[0].type.rank != pair[1].type.rank
        for pair in zip(*branches, strict=True)
    )


def _is_constructed(sequence: ir.Value) -> bool:
    """Whether the tensors of a sequence are listed, and their ranks known."""
    from onnx_mlir_bridge._mlir import ir

    owner = sequence.owner
    if isinstance(owner, ir.Block) or owner.name != "onnx.SequenceConstruct":
        return False
    return all(map(_has_rank, owner.operands))


def _deciding_arguments(value: ir.Value, are_sizes_open: bool) -> set[int]:
    """The numbers of the model's inputs that a value is computed from; empty if from more.

    `are_sizes_open`: it may also be computed from sizes that only a run tells: where not its
    elements count, but their number.
    """
    from onnx_mlir_bridge._mlir import ir

    arguments: set[int] = set()
    seen: set[ir.Value] = set()
    work = [value]
    while work:
        value = work.pop()
        if value in seen:
            continue
        seen.add(value)
        if not _is_integer(value.type):
            return set()
        owner = value.owner
        if isinstance(owner, ir.Block):
            if owner.owner.operation.name != "func.func":
                return set()  # what a loop carries
            arguments.add(ir.BlockArgument(value).arg_number)
        elif owner.name in _SIZES:
            if not are_sizes_open:
                return set()
        elif owner.name in _EVALUATED or owner.name.startswith(_PLACED):
            work.extend(owner.operands)
        elif owner.name not in _CONSTANTS:
            return set()
    return arguments


def _is_integer(value_type: ir.Type) -> bool:
    """Whether it's the type of integers or booleans: a scalar, a vector, or a tensor of one."""
    from onnx_mlir_bridge._mlir import ir

    if isinstance(value_type, ir.RankedTensorType):
        return isinstance(value_type.element_type, ir.IntegerType) and value_type.rank <= 1
    return isinstance(value_type, (ir.IntegerType, ir.IndexType))


def inputs_of(found: Sequence[Reason], prepared: PreparedModel) -> tuple[str, ...]:
    """The inputs that decide, in the model's order."""
    deciding = {name for reason in found for name in reason.inputs}
    return tuple(v.name for v in prepared.loaded.proto.graph.input if v.name in deciding)


def message(found: Sequence[Reason], inputs: Sequence[str]) -> str:
    """Why the model can't be compiled before a run, and what to do."""
    given = ", ".join(f"'{name}': ..." for name in inputs)
    more = f" (and {len(found) - 1} more nodes are like this)" if len(found) > 1 else ""
    return (
        f"{found[0]}{more}; an InferenceSession of the ONNX model compiles it at the first run, "
        f"or give the value when compiling: constants={{{given}}}"
    )


def opened(model: ModelSource, constants: Mapping[str, object]) -> LoadedModel | ir.Module:
    """A model, loaded unless it is a module, with values of inputs as constants."""
    from onnx_mlir_bridge._mlir import ir

    if not isinstance(model, ir.Module):
        return bound(load(model), constants)
    if constants:
        raise OmbError("constants are for ONNX models; the model is a module of the onnx dialect")
    return model


def settled(model: ModelSource, constants: Mapping[str, object]) -> PreparedModel | ir.Module:
    """The same, prepared; OmbError for a model that has to be specialized."""
    loaded = opened(model, constants)
    if not isinstance(loaded, LoadedModel):
        return loaded
    prepared = importer.prepare_loaded(loaded)
    if found := reasons(prepared):
        raise OmbError(message(found, inputs_of(found, prepared)))
    return prepared


def bound(model: LoadedModel, constants: Mapping[str, object]) -> LoadedModel:
    """The model with values of inputs as constants; OmbError for those that it doesn't take.

    Lists and numbers are taken as the input's type.
    """
    if not constants:
        return model
    infos = []
    for value in map(importer.value_info, open_inputs(model.proto)):
        if value.name in constants:
            infos.append(source.tensor_info("input", value.name, value.type, value.shape))
    known = {info.name for info in infos}
    if unknown := [name for name in constants if name not in known]:
        raise OmbError(f"constants: the model has no input '{unknown[0]}'")
    if any(info.containers for info in infos):
        raise OmbError("constants are values of inputs that are tensors, not sequences")
    given = {info.name: _as_array(info, constants[info.name]) for info in infos}
    values = checked_inputs(infos, given)
    copy = model.copy()
    bind(copy, {info.name: value for info, value in zip(infos, values, strict=True)})
    return copy


def _as_array(info: TensorInfo, value: object) -> object:
    """Lists and numbers as arrays; checked_inputs() says what is wrong with all else."""
    if not isinstance(value, (bool, int, float, list, tuple)):
        return value
    try:
        array = np.asarray(value)
        converted = array.astype(info.dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise OmbError(f"constants: '{info.name}' can't be {value!r}: {error}") from None
    if array.size and not np.array_equal(array, converted):
        raise OmbError(f"constants: '{info.name}' is {info}, which can't hold {value!r}")
    return converted
