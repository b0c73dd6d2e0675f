"""The model that is quantized: nodes and constants that can be changed, apart from the rest.

It comes from the importer's loader, so that external data, broken files and sizes are dealt with
as everywhere; unlike what is compiled it keeps its opset, its functions and its names.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, TypeProto, numpy_helper

from onnx_mlir_bridge.errors import OmbError, describe_node
from onnx_mlir_bridge.importer import check, functions, normalize_model, types
from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer import sparse as sparse_tensors
from onnx_mlir_bridge.importer.load import LoadedModel, ModelSource
from onnx_mlir_bridge.importer.load import load as load_source
from onnx_mlir_bridge.importer.tensors import constant_tensor, each_tensor

_QUANTIZED = frozenset(
    {
        "ConvInteger",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "QLinearConv",
        "QLinearMatMul",
        "QuantizeLinear",
    }
)
_MAX_NAMED = 3


@dataclass
class Model:
    """A model in parts.

    frame: all but the nodes and the numeric initializers of the main graph. constants: those
    initializers, and the tensors of Constant nodes. types: of every value of the main graph, as far
    as they are known. notices: one line each, for the user. captured: the values that subgraphs
    take.
    """

    frame: ModelProto
    nodes: list[NodeProto]
    constants: dict[str, np.ndarray]
    types: dict[str, TypeProto]
    opset: int
    notices: list[str]
    names: graphs.FreshNames
    captured: frozenset[str]
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]

    def copy(self) -> Model:
        """A model to change; arrays are shared."""
        frame = ModelProto()
        frame.CopyFrom(self.frame)
        return replace(
            self,
            frame=frame,
            nodes=[clone(node) for node in self.nodes],
            constants=dict(self.constants),
            types=dict(self.types),
            notices=list(self.notices),
            names=copy.deepcopy(self.names),
        )

    def is_float(self, name: str) -> bool:
        """Whether a value is known to be a tensor of float32."""
        if name in self.constants:
            return self.constants[name].dtype == np.float32
        return name in self.types and self.element(name) == TensorProto.FLOAT

    def element(self, name: str) -> int:
        """The number of a value's element type; 0 where it isn't a tensor, or not known."""
        found = self.types.get(name)
        is_tensor = found is not None and found.HasField("tensor_type")
        return found.tensor_type.elem_type if is_tensor else 0

    def rank(self, name: str) -> int | None:
        """The rank of a value, None where it isn't known."""
        if name in self.constants:
            return self.constants[name].ndim
        return types.rank(self.types.get(name))

    def add_constant(self, hint: str, value: np.ndarray) -> str:
        """A new constant; its name, which starts with `hint`."""
        name = self.names.new(hint)
        self.constants[name] = value
        return name

    def to_proto(self, extra_outputs: Iterable[str] = ()) -> ModelProto:
        """The model in one piece, without constants that nothing uses.

        extra_outputs: values that become outputs, after the model's own.
        """
        proto = ModelProto()
        proto.CopyFrom(self.frame)
        graph = proto.graph
        graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input} | set(self.outputs)
        used |= self.captured
        produced = {name for node in self.nodes for name in node.output}
        for name, value in self.constants.items():
            if name in used:
                graph.initializer.append(
                    numpy_helper.from_array(np.asarray(value, order="C"), name)
                )
        for name in extra_outputs:
            known = self.types.get(name) or TypeProto()
            if not types.is_typed(known):  # all that is asked for is of floats
                known.tensor_type.elem_type = TensorProto.FLOAT
            graph.output.add(name=name).type.CopyFrom(known)
        ends = {value.name for value in (*graph.input, *graph.output)}
        for name, value_type in self.types.items():
            if name in produced and name not in ends and types.is_typed(value_type):
                graph.value_info.add(name=name).type.CopyFrom(value_type)
        return proto

    def weight_bytes(self) -> int:
        """The size of all constants that the nodes use, as they are stored."""
        used = {name for node in self.nodes for name in node.input} | self.captured
        return sum(stored_bytes(self.constants[name]) for name in used if name in self.constants)


def clone(node: NodeProto) -> NodeProto:
    """A node of its own: those in a graph go with the graph."""
    return NodeProto.FromString(node.SerializeToString())


def stored_bytes(array: np.ndarray) -> int:
    """The size of an array in a file, where elements of 4 bits share bytes."""
    return (array.size + 1) // 2 if array.dtype.name in ("int4", "uint4") else array.nbytes


class Index:
    """Who makes and who takes each value of the main graph; of the nodes as they are now."""

    def __init__(self, model: Model) -> None:
        self.producer: dict[str, int] = {}
        self.consumers: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for number, node in enumerate(model.nodes):
            for name in node.output:
                if name:
                    self.producer[name] = number
            for position, name in enumerate(node.input):
                if name:
                    self.consumers[name].append((number, position))
        self._model = model
        self._pinned = model.captured | set(model.outputs)

    def only_consumer(self, name: str) -> tuple[NodeProto, int] | None:
        """The one node that takes a value, and as which input; None where others see it too."""
        takers = self.consumers.get(name, ())
        if name in self._pinned or len(takers) != 1:
            return None
        number, position = takers[0]
        return self._model.nodes[number], position


def load(source: ModelSource, opset: int) -> Model:
    """Reads and checks a model, and raises its opset to `opset` where it is lower.

    OmbError for a model that can't be read or raised, or that is quantized already.
    """
    loaded = load_source(source)
    check.check(loaded)
    _refuse_quantized(loaded.proto)
    notices = list(loaded.warnings)
    _make_dense(loaded)
    _drop_inputs_with_values(loaded.proto)
    _constants_to_initializers(loaded)
    _raise_opset(loaded, opset, notices)
    types.infer_if_possible(loaded)
    _notice_left_out(loaded.proto, notices)
    return _in_parts(loaded, notices)


def _in_parts(loaded: LoadedModel, notices: list[str]) -> Model:
    proto, payloads = loaded.proto, loaded.payloads
    names = graphs.FreshNames(proto)
    found = types.scope_types(proto.graph, {})
    texts = [t for t in proto.graph.initializer if t.data_type == TensorProto.STRING]
    constants = {
        t.name: payloads.array(t)
        for t in proto.graph.initializer
        if t.data_type != TensorProto.STRING
    }
    kept = [TensorProto.FromString(t.SerializeToString()) for t in texts]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(kept)

    each_tensor(proto, lambda tensor: _settle(tensor, loaded))  # of subgraphs and functions
    nodes = [clone(node) for node in proto.graph.node]
    del proto.graph.node[:]
    del proto.graph.value_info[:]
    return Model(
        frame=proto,
        nodes=nodes,
        constants=constants,
        types=found,
        opset=check.opset_versions(proto).get("", 1),
        notices=notices,
        names=names,
        captured=frozenset(name for node in nodes for name in graphs.captured_values(node)),
        outputs=tuple(value.name for value in proto.graph.output),
        inputs=tuple(value.name for value in proto.graph.input),
    )


def _settle(tensor: TensorProto, loaded: LoadedModel) -> None:
    """Gives a tensor its data, if they are elsewhere."""
    if loaded.payloads.has(tensor):
        data = loaded.payloads.buffer(tensor).tobytes()
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = data


def _refuse_quantized(proto: ModelProto) -> None:
    for node in graphs.each_node(proto.graph):
        if node.op_type in _QUANTIZED or node.op_type.startswith("QLinear"):
            raise OmbError(
                f"the model is quantized already: it has '{describe_node(node)}'; give the float "
                "model that it was made of"
            )


def _make_dense(loaded: LoadedModel) -> None:
    """Makes ordinary initializers of sparse ones."""
    graph = loaded.proto.graph
    for sparse in graph.sparse_initializer:
        array = sparse_tensors.dense(sparse, loaded.payloads)
        graph.initializer.append(numpy_helper.from_array(array, sparse.values.name))
    del graph.sparse_initializer[:]


def _drop_inputs_with_values(proto: ModelProto) -> None:
    """As everywhere in this package, an input with an initializer is a constant."""
    initialized = {tensor.name for tensor in proto.graph.initializer}
    for index in reversed(range(len(proto.graph.input))):
        if proto.graph.input[index].name in initialized:
            del proto.graph.input[index]


def _constants_to_initializers(loaded: LoadedModel) -> None:
    """Makes initializers of the Constant nodes of the main graph that hold numbers."""
    graph = loaded.proto.graph
    outputs = {value.name for value in graph.output}
    kept = []
    for node in graph.node:
        tensor = constant_tensor(node)
        if tensor is None or tensor.data_type == TensorProto.STRING or node.output[0] in outputs:
            kept.append(clone(node))
            continue
        added = graph.initializer.add()
        added.CopyFrom(tensor)
        added.name = node.output[0]
    del graph.node[:]
    graph.node.extend(kept)


def _raise_opset(loaded: LoadedModel, wanted: int, notices: list[str]) -> None:
    """Brings the model to an opset of at least `wanted`; one that suffices stays."""
    proto = loaded.proto
    current = check.opset_versions(proto).get("", 1)
    if current < wanted:
        if proto.functions:
            functions.inline_functions(proto, check.opset_versions(proto))
            notices.append("the model's functions are inlined, as its opset is raised")
        if not _convert(loaded, wanted):
            normalize_model(loaded)
        reached = check.opset_versions(proto)[""]
        notices.append(f"the model's opset is raised from {current} to {reached}")
    known = [e for e in proto.opset_import if e.domain in check.ONNX_DOMAINS]
    proto.ir_version = max(proto.ir_version, onnx.helper.find_min_ir_version_for(known))


def _convert(loaded: LoadedModel, wanted: int) -> bool:
    """Tries onnx's converter, which writes no newer opset than it is asked for.

    It gets the model without the data of large tensors, of which it would make copies.
    """
    proto, payloads = loaded.proto, loaded.payloads
    bare = ModelProto()
    bare.CopyFrom(proto)
    large = [tensor for tensor in proto.graph.initializer if payloads.has(tensor)]
    large_names = {tensor.name for tensor in large}
    for index in reversed(range(len(bare.graph.initializer))):
        if bare.graph.initializer[index].name in large_names:
            del bare.graph.initializer[index]
    for tensor in large:
        bare.graph.input.add(name=tensor.name).type.CopyFrom(types.tensor_type(tensor))
    each_tensor(bare, lambda tensor: _settle(tensor, loaded))  # those of subgraphs
    try:
        bare.ir_version = max(bare.ir_version, 4)  # before, initializers had to be inputs
        converted = onnx.version_converter.convert_version(bare, wanted)
        onnx.checker.check_model(converted)
    except (RuntimeError, ValueError, IndexError, onnx.checker.ValidationError):
        return False
    initializers = [TensorProto.FromString(t.SerializeToString()) for t in large]
    initializers += [t for t in converted.graph.initializer if t.name not in large_names]
    for part in ("node", "initializer", "value_info"):
        proto.graph.ClearField(part)
    proto.graph.node.extend(converted.graph.node)
    proto.graph.initializer.extend(initializers)
    for entry in proto.opset_import:
        if entry.domain == "":
            entry.version = wanted
    # The converter makes constants of its own.
    _constants_to_initializers(loaded)
    return True


def _notice_left_out(proto: ModelProto, notices: list[str]) -> None:
    """Says which nodes have parts that aren't looked into."""
    called = {(f.domain, f.name) for f in proto.functions}
    for what, found in (
        ("subgraphs", [n for n in proto.graph.node if any(graphs.subgraphs(n))]),
        ("functions", [n for n in proto.graph.node if (n.domain, n.op_type) in called]),
    ):
        if found:
            shown = ", ".join(describe_node(node) for node in found[:_MAX_NAMED])
            more = f" and {len(found) - _MAX_NAMED} more" if len(found) > _MAX_NAMED else ""
            notices.append(f"{what} are left as they are: those of {shown}{more}")
