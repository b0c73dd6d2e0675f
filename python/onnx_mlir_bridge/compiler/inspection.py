"""What is in a model, which of its nodes can be compiled, and which run on the host."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from onnx_mlir_bridge.compiler import (
    diagnostics,
    pipeline,
    placement,
    source,
    specialization,
    targets,
)
from onnx_mlir_bridge.compiler.options import CompileOptions
from onnx_mlir_bridge.compiler.parts import DevicePart, PlacedModel
from onnx_mlir_bridge.errors import OmbError

if TYPE_CHECKING:
    from onnx_mlir_bridge._mlir import ir
    from onnx_mlir_bridge.compiler.targets import Target
    from onnx_mlir_bridge.importer import ImportedModel, ValueInfo
    from onnx_mlir_bridge.importer.load import ModelSource


@dataclass(frozen=True)
class Operator:
    """An operator of a model.

    on_host: how many of its `count` nodes run on the host. failing: how many can't run at all.
    """

    name: str
    count: int
    on_host: int
    failing: int


@dataclass(frozen=True)
class Parameters:
    """The constants of one element type: tensors, their values in all and their bytes."""

    element: str
    tensors: int
    values: int
    bytes: int


@dataclass(frozen=True)
class Estimate:
    """What the compiler expects of a product with sparse weights.

    form: the one that would be the fastest. time: as a share of what the dense product takes; of
    several products, or where the number of rows isn't known, the worst. bytes, dense_bytes: what
    the weights take in this form, and dense.
    """

    form: str
    time: float
    bytes: int
    dense_bytes: int


@dataclass(frozen=True)
class Weight:
    """A constant matrix, or one of more dimensions, of float32 or int8 with many zeros.

    zeros: their share. form: how it is compiled for this CPU: "dense", "by channels" or "in
    blocks". estimate: of the second factor of a product that may be sparse.
    """

    name: str
    shape: tuple[int, ...]
    zeros: float
    form: str
    estimate: Estimate | None = None


@dataclass(frozen=True)
class Inspection:
    """What inspect() finds.

    opset: the version that the model was written for. operators: after the upgrade to the newest
    opset and the inlining of the model's functions, the most frequent first. parts: how many it is
    cut into, for the device and the host in turn. host: which nodes run on the host, and why, a
    line each. specialized: why it is compiled at the first run, and anew for each value of an
    input, a line each; parts, host, problems and forms of weights are known only then. sparse: the
    weights that are stored sparse or are a tenth zeros. problems: why the model can't be compiled,
    a line each; none: its lowerings succeed.
    """

    opset: int
    producer: str
    graph: str
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    operators: tuple[Operator, ...]
    parameters: tuple[Parameters, ...]
    sparse: tuple[Weight, ...]
    warnings: tuple[str, ...]
    parts: int
    host: tuple[str, ...]
    specialized: tuple[str, ...]
    problems: tuple[str, ...]


def inspect(model: ModelSource) -> Inspection:
    """Import a model and lower it to linalg; OmbError where it can't even be imported."""
    from onnx_mlir_bridge.importer import import_with_metadata, prepare

    imported = import_with_metadata(model)
    nodes = _Nodes(imported)
    failing: Counter[str] = Counter()
    on_host: Counter[str] = Counter()
    host, problems, parts = [], [], 0
    forms: dict[str, str] = {}
    estimates: dict[str, Estimate] = {}
    target = targets.resolve("cpu", _DEFAULTS.cpu, _DEFAULTS.vulkan, _DEFAULTS.cuda)
    specialized: tuple[str, ...] = ()
    try:
        prepared = prepare(model)
        specialized = tuple(map(str, specialization.reasons(prepared)))
        if not specialized:
            placed = placement.place(prepared, _DEFAULTS, target)
            parts = len(placed.parts)
            forms = _forms(placed)
            estimates = _estimates(placed, target) if nodes.sparse else {}
            for node in placed.host_nodes:
                on_host.update(node.operators)
                host.append(f"{node.name}: {node.reason}")
    except diagnostics.LoweringError as error:
        for name, message in error.problems:
            failing[nodes.operator_of(name)] += 1
            problems.append(f"{name}: {message}" if name else message)
    except OmbError as error:
        problems.append(str(error))
    operators = (
        Operator(name, count, min(count, on_host[name]), min(count, failing[name]))
        for name, count in nodes.counts.items()
    )
    metadata = imported.metadata
    return Inspection(
        opset=imported.opset,
        producer=f"{metadata.producer_name} {metadata.producer_version}".strip(),
        graph=metadata.graph_name,
        inputs=imported.inputs,
        outputs=imported.outputs,
        operators=tuple(sorted(operators, key=lambda op: (-op.count, op.name))),
        parameters=tuple(nodes.parameters()),
        sparse=tuple(
            replace(w, form=forms.get(w.name, w.form), estimate=estimates.get(w.name))
            for w in nodes.sparse
        ),
        warnings=imported.warnings,
        parts=parts,
        host=tuple(host),
        specialized=specialized,
        problems=tuple(dict.fromkeys(problems)),
    )


_FEWEST_ZEROS = 0.1
_DEFAULTS = CompileOptions()
_FORMS = {"channels": "by channels", "blocks": "in blocks"}


def _estimates(placed: PlacedModel, target: Target) -> dict[str, Estimate]:
    """What the compiler expects of products with sparse weights, by the names of these."""
    from onnx_mlir_bridge._mlir import ir

    found: dict[str, Estimate] = {}

    def visit(operation: ir.Operation) -> ir.WalkResult:
        if pipeline.SPARSE_ESTIMATE in operation.attributes:
            said = ir.DictAttr(operation.attributes[pipeline.SPARSE_ESTIMATE])
            constant = _constant_of(operation.operands[1])
            name = _constant_name(constant) if constant is not None else ""
            estimate = Estimate(
                _FORMS[ir.StringAttr(said["form"]).value],
                ir.FloatAttr(said["cost"]).value,
                ir.IntegerAttr(said["bytes"]).value,
                ir.IntegerAttr(said["dense_bytes"]).value,
            )
            known = found.get(name)
            if known is None or known.time < estimate.time:
                found[name] = estimate
        return ir.WalkResult.ADVANCE

    for part in placed.parts:
        if isinstance(part, DevicePart):
            module = part.source.module.operation
            pipeline.estimate_sparse(module, target, _FEWEST_ZEROS).walk(visit)
    return found


def _constant_of(value: ir.Value) -> ir.Operation | None:
    """The constant that a second factor is, as it is or transposed."""
    from onnx_mlir_bridge._mlir import ir

    while isinstance(value.owner, (ir.Operation, ir.OpView)):
        operation = value.owner.operation
        if operation.name == "onnx.Constant":
            return operation
        if not operation.operands:
            return None
        value = operation.operands[0]
    return None


def _forms(placed: PlacedModel) -> dict[str, str]:
    """The forms of the weights that are compiled sparse, by their names."""
    from onnx_mlir_bridge._mlir import ir

    found: dict[str, str] = {}

    def visit(operation: ir.Operation) -> ir.WalkResult:
        if operation.name == "arith.constant" and "#sparse_tensor" in str(
            operation.results[0].type
        ):
            is_blocked = "floordiv" in str(operation.results[0].type)
            name = _constant_name(operation)
            found[name] = "in blocks" if is_blocked else "by channels"
        return ir.WalkResult.ADVANCE

    for part in placed.parts:
        if isinstance(part, DevicePart):
            part.take_linalg().walk(visit)
    return found


def _constant_name(operation: ir.Operation) -> str:
    """The name of the initializer, or of the node, that a constant is."""
    return diagnostics.location_name(operation.location).rpartition(" (")[0]


class _Nodes:
    """The nodes of an imported model, subgraphs included."""

    def __init__(self, imported: ImportedModel) -> None:
        from onnx_mlir_bridge._mlir import ir

        self.counts: Counter[str] = Counter()
        self.sparse: list[Weight] = []
        self._constants: dict[str, list[int]] = {}
        self._owners: dict[str, str] = {}

        def visit(operation: ir.Operation) -> ir.WalkResult:
            dialect, _, name = operation.name.partition(".")
            if name == "Constant":
                self._add_constant(operation)
            elif dialect.startswith("onnx") and name not in ("Yield", "NoValue"):
                self._add_node(name, diagnostics.location_name(operation.location))
            return ir.WalkResult.ADVANCE

        imported.module.operation.walk(visit)

    def _add_node(self, operator: str, described: str) -> None:
        self.counts[operator] += 1
        # What an operator's function is made of is named behind the node or, where that has no
        # name, the operator.
        node = described.rpartition(" (")[0] or operator
        self._owners.setdefault(described, operator)
        self._owners.setdefault(node, operator)

    def _add_constant(self, operation: ir.Operation) -> None:
        from onnx_mlir_bridge._mlir import ir

        result = operation.results[0].type
        if not isinstance(result, ir.RankedTensorType) or not result.has_static_shape:
            return
        values = math.prod(result.shape)
        element, bits = source.element(result.element_type)
        stored = self._add_sparse(operation, result)
        # Those of a sparse tensor have an index each.
        size = (values * bits + 7) // 8 if stored is None else stored * ((bits + 7) // 8 + 8)
        sums = self._constants.setdefault(element, [0, 0, 0])
        for index, amount in enumerate((1, values, size)):
            sums[index] += amount

    def _add_sparse(self, operation: ir.Operation, kind: ir.RankedTensorType) -> int | None:
        """How many elements a sparse tensor stores; None of a dense one."""
        from onnx_mlir_bridge._mlir._mlir_libs import _omb

        attributes, values = operation.attributes, math.prod(kind.shape)
        stored = None
        if "sparse_value" in attributes:
            stored = _omb.stored_elements(attributes["sparse_value"])
        element = str(kind.element_type)
        dtype = np.dtype(np.float32 if element == "f32" else np.int8)
        if len(kind.shape) < 2 or element not in ("f32", "i8") or not values:
            return stored
        kept = stored
        if stored is None:
            data = _omb.elements_data(attributes["value"]) if "value" in attributes else None
            if data is None or len(data) != dtype.itemsize * values:
                return None
            kept = int(np.count_nonzero(np.frombuffer(data, dtype=dtype)))
        zeros = 1 - kept / values
        if stored is not None or zeros >= _FEWEST_ZEROS:
            self.sparse.append(Weight(_constant_name(operation), tuple(kind.shape), zeros, "dense"))
        return stored

    def operator_of(self, described: str) -> str:
        """The operator of the node that a diagnostic names, "" if it isn't one of the model's."""
        name = described
        while name:
            if name in self._owners:
                return self._owners[name]
            name = name.rpartition("/")[0]
        return ""

    def parameters(self) -> list[Parameters]:
        found = [Parameters(element, *sums) for element, sums in self._constants.items()]
        return sorted(found, key=lambda parameters: -parameters.bytes)
