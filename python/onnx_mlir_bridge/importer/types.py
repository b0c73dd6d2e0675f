"""The type of every value, by ONNX's own type and shape inference.

Inference runs on a copy of the model in which every large tensor is a graph input of its type, so
that nothing big is copied and small integer tensors, on which shapes depend, stay. What the model
itself claims about inner values and outputs isn't trusted: it is used only where inference knows
no type at all, and outputs that contradict it are reported.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, TypeProto, ValueInfoProto

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer.load import LoadedModel
from onnx_mlir_bridge.importer.tensors import ELEMENT_TYPES, Payloads, each_tensor

# onnx reports every node that an error spreads to; the first ones say enough.
_MAX_MESSAGE = 600
_PLACEHOLDER = "omb.weights"


def is_typed(value_type: TypeProto | None) -> bool:
    """Whether the type says at least what its elements are."""
    if value_type is None:
        return False
    kind = value_type.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        return getattr(value_type, kind).elem_type != TensorProto.UNDEFINED
    if kind in ("sequence_type", "optional_type"):
        return is_typed(getattr(value_type, kind).elem_type)
    return kind is not None


def tensor_type(tensor: TensorProto) -> TypeProto:
    """The static type of a tensor."""
    return onnx.helper.make_tensor_type_proto(tensor.data_type, list(tensor.dims))


def spell(value_type: TypeProto) -> str:
    """The type as ONNX spells it, without dimensions: 'seq(tensor(float))'; '' if unknown."""
    kind = value_type.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        element = _name(getattr(value_type, kind).elem_type)
        return f"{kind.removesuffix('_type')}({element})"
    if kind in ("sequence_type", "optional_type"):
        word = "seq" if kind == "sequence_type" else "optional"
        return f"{word}({spell(getattr(value_type, kind).elem_type)})"
    if kind == "map_type":
        key, value = value_type.map_type.key_type, value_type.map_type.value_type
        return f"map({_name(key)}, {spell(value)})"
    return ""


def held_type(value_type: TypeProto) -> TypeProto:
    """The type of what is in sequences and optionals; other types are themselves."""
    kind = value_type.WhichOneof("value")
    if kind in ("sequence_type", "optional_type"):
        return held_type(getattr(value_type, kind).elem_type)
    return value_type


def rank(value_type: TypeProto | None) -> int | None:
    """The rank of a tensor type, None where it isn't known."""
    if value_type is None or not value_type.HasField("tensor_type"):
        return None
    tensor = value_type.tensor_type
    return len(tensor.shape.dim) if tensor.HasField("shape") else None


class _Stripped:
    """The copy of a model that inference gets."""

    def __init__(self, model: ModelProto, payloads: Payloads) -> None:
        self.model = ModelProto()
        self.model.CopyFrom(model)
        self._payloads = payloads
        self._names = graphs.FreshNames(model)
        self._inputs: list[ValueInfoProto] = []
        for graph in graphs.each_graph(self.model.graph):
            self._strip(graph, top=graph is self.model.graph)
        self.model.graph.input.extend(self._inputs)
        each_tensor(self.model, self._empty)

    def _placeholder(self, tensor: TensorProto, name: str) -> str:
        value = ValueInfoProto(name=name)
        value.type.CopyFrom(tensor_type(tensor))
        self._inputs.append(value)
        return name

    def _strip(self, graph: GraphProto, top: bool) -> None:
        del graph.value_info[:]
        for value in graph.output:
            value.ClearField("type")
        if top:
            # Inference gives no type to an output of the model that no node computes.
            given = scope_types(graph, {})
            for value in graph.output:
                if value.name in given:
                    value.type.CopyFrom(given[value.name])
        else:
            for value in graph.input:
                for dim in value.type.tensor_type.shape.dim if _has_shape(value.type) else ():
                    dim.ClearField("dim_param")
        copies = []
        sizes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
        for index in reversed(range(len(graph.initializer))):
            tensor = graph.initializer[index]
            if not self._payloads.has(tensor):
                continue
            if top:
                self._placeholder(tensor, tensor.name)
            else:
                source = self._placeholder(tensor, self._names.new(_PLACEHOLDER))
                copies.append(NodeProto(op_type="Identity", input=[source], output=[tensor.name]))
            del graph.initializer[index]
        for node in graph.node:
            match node.domain, node.op_type:
                case ("", "Constant"):
                    self._take_payload(node)
                case ("", "ConvTranspose"):
                    self._say_output_shape(node, graph, sizes)
                case ("", "MeanVarianceNormalization"):
                    # onnx infers through its function body, which today's Constant refuses.
                    node.op_type = "Identity"
                    del node.attribute[:]
                case ("ai.onnx.ml", "LinearClassifier"):
                    # onnx counts the scores by the intercepts, which are optional.
                    if graphs.attribute(node, "intercepts") is None:
                        node.attribute.append(_as_many_intercepts(node))
        if copies:
            nodes = [NodeProto.FromString(n.SerializeToString()) for n in graph.node]
            del graph.node[:]
            graph.node.extend([*copies, *nodes])

    def _take_payload(self, node: NodeProto) -> None:
        value = graphs.attribute(node, "value")
        if value is not None and self._payloads.has(value.t):
            source = self._placeholder(value.t, self._names.new(_PLACEHOLDER))
            node.op_type = "Identity"
            node.input.append(source)
            del node.attribute[:]

    def _say_output_shape(
        self, node: NodeProto, graph: GraphProto, sizes: Mapping[str, tuple[int, ...]]
    ) -> None:
        """A Reshape to what a ConvTranspose of known weights says that it gives.

        onnx gives a result that is smaller than the input two dimensions.
        """
        given, weights = graphs.attribute(node, "output_shape"), sizes.get(node.input[1], ())
        if given is None or len(weights) != len(given.ints) + 2:
            return
        group = graphs.attribute(node, "group")
        shape = [0, weights[1] * (group.i if group else 1), *given.ints]
        name = self._names.new(_PLACEHOLDER)
        graph.initializer.append(
            onnx.helper.make_tensor(name, TensorProto.INT64, [len(shape)], shape)
        )
        node.op_type = "Reshape"
        node.input[1:] = [name]
        del node.attribute[:]

    def _empty(self, tensor: TensorProto) -> None:
        if self._payloads.has(tensor):
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
            del tensor.dims[:]
            tensor.dims.append(0)


def _as_many_intercepts(node: NodeProto) -> onnx.AttributeProto:
    """An intercept for each class of a LinearClassifier."""
    names = ("classlabels_strings", "classlabels_ints")
    labels = [a for a in (graphs.attribute(node, name) for name in names) if a is not None]
    classes = max((len(a.strings) + len(a.ints) for a in labels), default=1)
    return onnx.helper.make_attribute("intercepts", [0.0] * max(classes, 1))


def _has_shape(value_type: TypeProto) -> bool:
    return value_type.HasField("tensor_type") and value_type.tensor_type.HasField("shape")


def _write_back(target: GraphProto, source: GraphProto) -> None:
    """Copies the inferred types of `source` and its subgraphs to `target`'s."""
    target_nodes, offset = target.node, len(source.node) - len(target.node)
    defined = {name for node in target_nodes for name in node.output}
    del target.value_info[:]
    target.value_info.extend(v for v in source.value_info if v.name in defined)
    for mine, inferred in zip(target.output, source.output, strict=True):
        mine.type.CopyFrom(inferred.type)
    for mine, inferred in zip(target.input, source.input, strict=False):
        mine.type.CopyFrom(inferred.type)
    for index, node in enumerate(target_nodes):
        pairs = zip(
            graphs.subgraphs(node), graphs.subgraphs(source.node[index + offset]), strict=True
        )
        for mine, inferred in pairs:
            _write_back(mine, inferred)


def _clean_dims(model: ModelProto) -> None:
    """Drops the symbolic dimensions that inference invented, and impossible sizes.

    Equal names must mean equal sizes, everywhere and at any time; that is sure only of names that
    come from the model's inputs.
    """
    given = {
        dim.dim_param
        for value in model.graph.input
        if _has_shape(value.type)
        for dim in value.type.tensor_type.shape.dim
        if dim.dim_param
    }

    def clean(value_type: TypeProto) -> None:
        kind = value_type.WhichOneof("value")
        if kind in ("sequence_type", "optional_type"):
            clean(getattr(value_type, kind).elem_type)
        elif _has_shape(value_type):
            for dim in value_type.tensor_type.shape.dim:
                if dim.HasField("dim_param") and dim.dim_param not in given:
                    dim.ClearField("dim_param")
                elif dim.HasField("dim_value") and dim.dim_value < 0:
                    # onnx's inference of Slice and Range produces these.
                    dim.ClearField("dim_value")

    for graph in graphs.each_graph(model.graph):
        for value in (*graph.value_info, *graph.output, *graph.input):
            clean(value.type)


def _repeat_output_types(graph: GraphProto) -> None:
    """Of a value that is an output twice, inference gives a type to one of them."""
    found = {value.name: value.type for value in graph.output if is_typed(value.type)}
    for value in graph.output:
        if value.name in found and not is_typed(value.type):
            value.type.CopyFrom(found[value.name])


_ERRORS = (onnx.shape_inference.InferenceError, RuntimeError, ValueError, IndexError)


def _run(model: ModelProto, strict: bool) -> ModelProto:
    def infer(data_prop: bool) -> ModelProto:
        inferred = onnx.shape_inference.infer_shapes(
            model, check_type=strict, strict_mode=strict, data_prop=data_prop
        )
        _repeat_output_types(inferred.graph)
        return inferred

    try:
        return infer(data_prop=True)
    except _ERRORS as error:
        # It refuses to multiply integers that wrap, which a model may well do.
        with contextlib.suppress(*_ERRORS):
            return infer(data_prop=False)
        message = str(error)
        for noise in ("[ShapeInferenceError]", "[TypeInferenceError]", "Inference error(s):"):
            message = message.replace(noise, "")
        first = message.strip()[:_MAX_MESSAGE]
        raise OmbError(f"types and shapes of the model do not fit: {first}") from None


Rule = Callable[[NodeProto, TypeProto], TypeProto]


def _one_row_per_sample(columns: int | None, element: int = TensorProto.FLOAT) -> Rule:
    def rule(_: NodeProto, data: TypeProto) -> TypeProto:
        result = onnx.helper.make_tensor_type_proto(element, [None, columns])
        _set_rows(result, data)
        return result

    return rule


def _set_rows(result: TypeProto, data: TypeProto) -> None:
    """Gives the first dimension of `result` the number of samples in `data`, where it is known."""
    rows = result.tensor_type.shape.dim[0]
    if rank(data) == 1:
        rows.dim_value = 1  # a vector is one sample
    elif rank(data):
        rows.CopyFrom(data.tensor_type.shape.dim[0])


def _same_shape_float(_: NodeProto, data: TypeProto) -> TypeProto:
    result = TypeProto()
    result.CopyFrom(data)
    result.tensor_type.elem_type = TensorProto.FLOAT
    return result


def _linear_regressor(node: NodeProto, data: TypeProto) -> TypeProto:
    targets = graphs.attribute(node, "targets")
    return _one_row_per_sample(targets.i if targets else 1)(node, data)


def _tree_regressor(node: NodeProto, data: TypeProto) -> TypeProto:
    targets = graphs.attribute(node, "n_targets")
    return _one_row_per_sample(targets.i if targets else 1)(node, data)


def _tree_label(node: NodeProto, data: TypeProto) -> TypeProto:
    strings = graphs.attribute(node, "classlabels_strings")
    element = TensorProto.STRING if strings and strings.strings else TensorProto.INT64
    result = onnx.helper.make_tensor_type_proto(element, [None])
    _set_rows(result, data)
    return result


def _feature_vectorizer(node: NodeProto, data: TypeProto) -> TypeProto:
    sizes = graphs.attribute(node, "inputdimensions")
    return _one_row_per_sample(sum(sizes.ints) if sizes else None)(node, data)


# Operators of ai.onnx.ml of whose outputs onnx doesn't infer the shapes, or even the types: type of
# the first input -> type of each output.
_RULES: dict[str, tuple[Rule, ...]] = {
    "FeatureVectorizer": (_feature_vectorizer,),
    "Imputer": (lambda _, data: data,),
    "LinearRegressor": (_linear_regressor,),
    "Normalizer": (_same_shape_float,),
    "SVMRegressor": (_one_row_per_sample(1),),
    "Scaler": (_same_shape_float,),
    "TreeEnsembleClassifier": (_tree_label, _one_row_per_sample(None)),
    "TreeEnsembleRegressor": (_tree_regressor,),
}


def _rules(node: NodeProto) -> tuple[Rule, ...]:
    return _RULES.get(node.op_type, ()) if node.domain == "ai.onnx.ml" else ()


def scope_types(graph: GraphProto, outer: dict[str, TypeProto]) -> dict[str, TypeProto]:
    """The types of the values that the nodes of `graph` can see."""
    types = dict(outer)
    for value in (*graph.input, *graph.value_info, *graph.output):
        if is_typed(value.type):
            types[value.name] = value.type
    types.update((t.name, tensor_type(t)) for t in graph.initializer)
    return types


def _infer(model: ModelProto, strict: bool) -> ModelProto:
    """Inference with our rules for what onnx has none for, at the top level of the graph.

    It runs without the nodes behind such operators until the rules have given their types: onnx
    takes some nodes with an input of no type for wrong, and crashes at others.
    """
    nodes = model.graph.node
    waiting = {number for number, node in enumerate(nodes) if _rules(node)}
    known: dict[str, TypeProto] = {}
    while waiting:
        types = scope_types(_run(_without(model, waiting, known), strict).graph, {})
        found = {number for number in waiting if nodes[number].input[0] in types}
        for node in (nodes[number] for number in found):
            for name, rule in zip(node.output, _rules(node), strict=False):
                known[name] = rule(node, types[node.input[0]])
        waiting = waiting - found if found else set()
    return _run(_without(model, (), known), strict)


def _without(
    model: ModelProto, numbers: Collection[int], known: Mapping[str, TypeProto]
) -> ModelProto:
    """A copy without the nodes of some numbers and what depends on them; `known`: types."""
    missing: set[str] = set()
    copy = ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    for number, node in enumerate(graph.node):
        uses = {*node.input, *graphs.captured_values(node)}
        if number in numbers or not missing.isdisjoint(uses):
            missing.update(filter(None, node.output))
    for part in (graph.node, graph.output):
        for index in reversed(range(len(part))):
            names = [part[index].name] if part is graph.output else part[index].output
            if not missing.isdisjoint(names):
                del part[index]
    for value in graph.output:
        if value.name in known:
            value.type.CopyFrom(known[value.name])
    for name, value_type in known.items():
        graph.value_info.add(name=name).type.CopyFrom(value_type)
    return copy


def infer_if_possible(loaded: LoadedModel) -> None:
    """Writes what inference finds out to `loaded.proto`, as value_info; leaves gaps elsewhere.

    For models that aren't in the newest opset yet, and so may mix opsets.
    """
    stripped = _Stripped(loaded.proto, loaded.payloads)
    try:
        inferred = _infer(stripped.model, strict=False)
    except OmbError:
        return
    declared = [
        onnx.ValueInfoProto.FromString(v.SerializeToString()) for v in loaded.proto.graph.output
    ]
    _write_back(loaded.proto.graph, inferred.graph)
    for value, original in zip(loaded.proto.graph.output, declared, strict=True):
        if not is_typed(value.type):
            value.CopyFrom(original)
    _adopt_ranks(loaded.proto.graph, {value.name: value.type for value in declared})


def infer_nodes(
    nodes: Sequence[NodeProto],
    known: Mapping[str, TypeProto],
    constants: Mapping[str, TensorProto],
    opsets: Mapping[str, int],
    payloads: Payloads,
) -> dict[str, TypeProto]:
    """The types of what some nodes produce, as far as inference finds them.

    `known`, `constants`: the types and values of what they use. `opsets`: those of the nodes.
    """
    model = ModelProto(ir_version=onnx.IR_VERSION)
    model.opset_import.extend(onnx.helper.make_opsetid(d, v) for d, v in opsets.items())
    graph = model.graph
    graph.node.extend(nodes)
    used = {name for node in nodes for name in (*node.input, *graphs.captured_values(node))}
    used -= {name for node in nodes for name in node.output}
    for name in sorted(used):
        if name in constants:
            tensor = graph.initializer.add()
            tensor.CopyFrom(constants[name])
            tensor.name = name
        elif name in known:
            graph.input.add(name=name).type.CopyFrom(known[name])
    for index, node in enumerate(graph.node):
        for position, name in enumerate(node.output):
            if not name:
                graph.node[index].output[position] = f"omb.unused_{index}_{position}"
    try:
        inferred = _infer(_Stripped(model, payloads).model, strict=False)
    except OmbError:
        return {}
    _clean_dims(inferred)
    return {v.name: v.type for v in inferred.graph.value_info if is_typed(v.type)}


def _fill_gaps(
    graph: GraphProto, outer: dict[str, TypeProto], declared: dict[str, TypeProto]
) -> tuple[list[ValueInfoProto], NodeProto | None]:
    """The declared types of `graph`'s untyped values; and a node with a value that has none."""
    types = scope_types(graph, outer)
    added: list[ValueInfoProto] = []
    stuck: NodeProto | None = None
    for node in graph.node:
        for name in node.output:
            if not name or name in types:
                continue
            if not is_typed(declared.get(name)):
                stuck = stuck or node
                continue
            value = ValueInfoProto(name=name)
            value.type.CopyFrom(declared[name])
            types[name] = value.type
            added.append(value)
    return added, stuck


def infer(loaded: LoadedModel) -> None:
    """Infers the type of every value of a model in the newest opset, and writes it to the model.

    Afterwards every value has an element type, in its graph's value_info, inputs or outputs; a
    tensor whose rank is unknown has no shape. OmbError, naming the node, where types contradict
    each other or a value's type can't be found.
    """
    model = loaded.proto
    declared = {
        value.name: TypeProto.FromString(value.type.SerializeToString())
        for graph in graphs.each_graph(model.graph)
        for value in (*graph.value_info, *graph.output)
    }
    outputs = {v.name: declared[v.name] for v in model.graph.output}
    known: list[ValueInfoProto] = []
    while True:
        stripped = _Stripped(model, loaded.payloads)
        stripped.model.graph.value_info.extend(known)
        inferred = _infer(stripped.model, strict=True)
        added, stuck = _fill_gaps(inferred.graph, {}, declared)
        if not added:
            break
        known.extend(added)
    if stuck is not None:
        raise OmbError(
            f"the type of what the node '{graphs.describe_node(stuck)}' produces can't be "
            "inferred; is one of its inputs of an unknown type?"
        )
    found = {value.name: value.type for value in known}
    for value in inferred.graph.output:
        if not is_typed(value.type) and value.name in found:
            value.type.CopyFrom(found[value.name])
    _write_back(model.graph, inferred.graph)
    _adopt_ranks(model.graph, outputs)
    _clean_dims(model)
    _compare_outputs(loaded, outputs)


def _adopt_ranks(graph: GraphProto, declared: dict[str, TypeProto]) -> None:
    """Gives outputs whose rank inference can't tell the one that the model declares.

    Only the rank: the sizes are found at run time, and so can't be wrong.
    """
    for value in graph.output:
        known = rank(declared.get(value.name))
        if known is not None and value.type.HasField("tensor_type") and rank(value.type) is None:
            value.type.tensor_type.shape.SetInParent()
            for _ in range(known):
                value.type.tensor_type.shape.dim.add()


def _compare_outputs(loaded: LoadedModel, declared: dict[str, TypeProto]) -> None:
    """Warns of outputs that are not what the model declares; OmbError for other element types."""
    for value in loaded.proto.graph.output:
        claim = declared.get(value.name)
        if claim is None or not is_typed(claim):
            continue
        if claim.WhichOneof("value") != value.type.WhichOneof("value"):
            raise OmbError(f"the output '{value.name}' is declared as another kind of value")
        if not claim.HasField("tensor_type"):
            continue
        mine, theirs = value.type.tensor_type, claim.tensor_type
        if mine.elem_type != theirs.elem_type:
            raise OmbError(
                f"the output '{value.name}' is declared as {_name(theirs.elem_type)}, but is "
                f"{_name(mine.elem_type)}"
            )
        if not (mine.HasField("shape") and theirs.HasField("shape")):
            continue
        contradiction = len(mine.shape.dim) != len(theirs.shape.dim) or any(
            a.HasField("dim_value") and b.HasField("dim_value") and a.dim_value != b.dim_value
            for a, b in zip(mine.shape.dim, theirs.shape.dim, strict=True)
        )
        if contradiction:
            loaded.warnings.append(
                f"the output '{value.name}' is declared with another shape than it has"
            )


def _name(element: int) -> str:
    return ELEMENT_TYPES[element].name if element in ELEMENT_TYPES else str(element)
