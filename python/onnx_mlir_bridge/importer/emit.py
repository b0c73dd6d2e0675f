"""From a normalized model (newest opset, no functions, every type known) to an MLIR module."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import onnx
from onnx import GraphProto, NodeProto, TensorProto, TypeProto, ValueInfoProto
from onnx.defs import OpSchema

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer.load import LoadedModel
from onnx_mlir_bridge.importer.mlir_types import MlirBuilder
from onnx_mlir_bridge.importer.types import is_typed, tensor_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onnx_mlir_bridge._mlir import ir

_OP_PREFIX = {"": "onnx.", "ai.onnx.ml": "onnx.ml."}
_Option = OpSchema.FormalParameterOption


@cache
def _schema(domain: str, op_type: str) -> OpSchema:
    return onnx.defs.get_schema(op_type, domain=domain)


@cache
def _region_names(domain: str, op_type: str) -> tuple[str, ...]:
    """The graph attributes, in the order that the op's definition has them as regions."""
    attributes = _schema(domain, op_type).attributes.values()
    return tuple(sorted(a.name for a in attributes if a.type == OpSchema.AttrType.GRAPH))


def segments(formals: Sequence[OpSchema.FormalParameter], actual: Sequence[str]) -> list[int]:
    """How many values each formal parameter has: 0 or 1, any number for a variadic one."""
    sizes = []
    for index, formal in enumerate(formals):
        if formal.option == _Option.Variadic:
            sizes.append(max(len(actual) - index, 0))
        else:
            sizes.append(int(index < len(actual) and actual[index] != ""))
    return sizes


class _Emitter:
    def __init__(self, loaded: LoadedModel, context: ir.Context) -> None:
        from onnx_mlir_bridge._mlir import ir

        self._ir = ir
        self._context = context
        self._build = MlirBuilder(context, loaded.payloads)

    def module(self, graph: GraphProto) -> ir.Module:
        ir, build = self._ir, self._build
        with self._context, self._location(f"{graph.name or 'main'} (graph)"):
            module = ir.Module.create()
            module.operation.attributes["onnx.opset"] = ir.IntegerAttr.get(
                ir.IntegerType.get_signless(64), onnx.defs.onnx_opset_version()
            )
            inputs = [build.type(_with_names(v), f"the input '{v.name}'") for v in graph.input]
            names = [build.strings(onnx__name=v.name) for v in graph.input]
            with ir.InsertionPoint(module.body):
                function = ir.Operation.create(
                    "func.func",
                    regions=1,
                    attributes={
                        "sym_name": ir.StringAttr.get("main"),
                        "function_type": ir.TypeAttr.get(ir.FunctionType.get(inputs, [])),
                        "arg_attrs": ir.ArrayAttr.get(names),
                        "res_attrs": ir.ArrayAttr.get(
                            [build.strings(onnx__name=v.name) for v in graph.output]
                        ),
                    },
                )
            locations = [self._location(f"{v.name} (input)") for v in graph.input]
            block = function.regions[0].blocks.append(*inputs, arg_locs=locations)
            with ir.InsertionPoint(block):
                results = self._body(graph, block, {}, {})
                ir.Operation.create("func.return", operands=results)
            function.attributes["function_type"] = ir.TypeAttr.get(
                ir.FunctionType.get(inputs, [r.type for r in results])
            )
        return module

    def _location(self, name: str) -> ir.Location:
        return self._ir.Location.name(name, context=self._context)

    def _body(
        self,
        graph: GraphProto,
        block: ir.Block,
        outer_values: dict[str, ir.Value],
        outer_types: dict[str, TypeProto],
    ) -> list[ir.Value]:
        """Emits the initializers and nodes of `graph`; returns its outputs."""
        values = dict(outer_values)
        types = dict(outer_types)
        for value in (*graph.value_info, *graph.input, *graph.output):
            if is_typed(value.type):
                types[value.name] = value.type
        for value, argument in zip(graph.input, block.arguments, strict=True):
            values[value.name] = argument
        for tensor in graph.initializer:
            values[tensor.name] = self._initializer(tensor)
        for node in graph.node:
            self._node(node, values, types)
        return [self._output(output.name, values, types) for output in graph.output]

    def _output(
        self, name: str, values: dict[str, ir.Value], types: dict[str, TypeProto]
    ) -> ir.Value:
        """What a graph gives: a sparse constant as an ordinary tensor."""
        ir = self._ir
        value = values[name]
        if "sparse_value" not in getattr(value.owner, "attributes", ()):
            return value
        return ir.Operation.create(
            "onnx.Identity",
            results=[self._build.type(types[name], f"the output '{name}'")],
            operands=[value],
            loc=self._location(f"{name} (output)"),
        ).result

    def _initializer(self, tensor: TensorProto) -> ir.Value:
        where = f"the initializer '{tensor.name}'"
        return self._ir.Operation.create(
            "onnx.Constant",
            results=[self._build.type(tensor_type(tensor), where)],
            attributes={"value": self._build.tensor(tensor)},
            loc=self._location(f"{tensor.name} (initializer)"),
        ).result

    def _node(
        self, node: NodeProto, values: dict[str, ir.Value], types: dict[str, TypeProto]
    ) -> None:
        ir, build = self._ir, self._build
        schema = _schema(node.domain, node.op_type)
        described = graphs.describe_node(node)
        where = f"the node '{described}'"
        attributes, bodies = {}, {}
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                bodies[attribute.name] = attribute.g
            else:
                attributes[attribute.name] = build.attribute(attribute, where)
        for formals, actual, name in (
            (schema.inputs, node.input, "operandSegmentSizes"),
            (schema.outputs, node.output, "resultSegmentSizes"),
        ):
            if sum(f.option != _Option.Single for f in formals) > 1:
                sizes = segments(formals, actual)
                attributes[name] = ir.DenseI32ArrayAttr.get(sizes, self._context)
        outputs = [name for name in node.output if name]
        regions = _region_names(node.domain, node.op_type)
        operation = ir.Operation.create(
            _OP_PREFIX[node.domain] + node.op_type,
            results=(
                [attributes["sparse_value"].type]
                if "sparse_value" in attributes
                else [build.type(self._type(n, types, where), f"the value '{n}'") for n in outputs]
            ),
            operands=[values[name] for name in node.input if name],
            attributes=attributes,
            regions=len(regions),
            loc=self._location(described),
        )
        for region, name in zip(operation.regions, regions, strict=True):
            if name not in bodies:
                raise OmbError(f"{where} has no graph '{name}'")
            self._region(region, bodies[name], values, types)
        values.update(zip(outputs, operation.results, strict=True))

    @staticmethod
    def _type(name: str, types: dict[str, TypeProto], where: str) -> TypeProto:
        found = types.get(name)
        if found is None:
            raise OmbError(f"the type of the value '{name}', which {where} produces, is unknown")
        return found

    def _region(
        self,
        region: ir.Region,
        graph: GraphProto,
        values: dict[str, ir.Value],
        types: dict[str, TypeProto],
    ) -> None:
        ir = self._ir
        arguments = [self._build.type(v.type, f"the input '{v.name}'") for v in graph.input]
        locations = [self._location(f"{v.name} (input)") for v in graph.input]
        block = region.blocks.append(*arguments, arg_locs=locations)
        with ir.InsertionPoint(block):
            results = self._body(graph, block, values, types)
            ir.Operation.create("onnx.Yield", operands=results)


def _with_names(value: ValueInfoProto) -> TypeProto:
    """The type of an input of the model, with a name for each unknown size.

    By their names the passes know which sizes are equal; those of one input are its own.
    """
    named = TypeProto()
    named.CopyFrom(value.type)
    if named.HasField("tensor_type"):
        for axis, dim in enumerate(named.tensor_type.shape.dim):
            if not dim.HasField("dim_value") and not dim.dim_param:
                dim.dim_param = f"{value.name}[{axis}]"
    return named


def _explain(diagnostics: Iterable[ir.DiagnosticInfo]) -> str:
    """The first diagnostic, with the node that its location names."""
    for diagnostic in diagnostics:
        location = diagnostic.location
        name = location.name_str if location.is_a_name() else str(location)
        return f"the node '{name}' is not valid: {diagnostic.message}"
    return "the module is not valid"


def emit(loaded: LoadedModel, context: ir.Context) -> ir.Module:
    """Builds and verifies the module.

    `loaded`: a model in the newest opset whose functions are inlined and whose values are typed.
    Large tensors share their memory with it. OmbError, naming the node, where the dialect's
    verifier refuses one.
    """
    from onnx_mlir_bridge._mlir import ir

    try:
        module = _Emitter(loaded, context).module(loaded.proto.graph)
        module.operation.verify()
    except ir.MLIRError as error:
        raise OmbError(_explain(error.error_diagnostics)) from None
    return module
