"""Is it a valid model? Our own checks, with messages that name the node, then onnx.checker's.

The checker gets the model without the payloads of large tensors: they have been checked already.
"""

from __future__ import annotations

import onnx
from onnx import ModelProto, NodeProto, defs

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer import graph as graphs
from onnx_mlir_bridge.importer.compositions import registry
from onnx_mlir_bridge.importer.load import LoadedModel
from onnx_mlir_bridge.importer.sparse import each_sparse
from onnx_mlir_bridge.importer.tensors import each_tensor
from onnx_mlir_bridge.importer.types import spell

ONNX_DOMAINS = ("", "ai.onnx.ml")
"""The domains whose operators can be imported, as the standard spells them."""


_RUNTIME_DOMAIN = "com.microsoft"
_RUNTIME_OPERATORS = ("LayerNormalization", "SimplifiedLayerNormalization")


def newest_opset(domain: str) -> int:
    """The newest opset of `domain` that is known here."""
    return defs.onnx_opset_version() if domain == "" else defs.onnx_ml_opset_version()


def opset_versions(model: ModelProto) -> dict[str, int]:
    """The model's opset of every domain that it imports; the default domain is ''."""
    return {entry.domain: entry.version for entry in model.opset_import}


def check(loaded: LoadedModel) -> None:
    """Raises OmbError, naming the node or tensor, unless the model is valid ONNX.

    Also puts it in a normal form: the domain 'ai.onnx' becomes '', and unsorted graphs, which
    some tools write, are sorted (with a warning).
    """
    model = loaded.proto
    if not model.HasField("graph"):
        raise OmbError("not a usable ONNX model: it has no graph; is the file ONNX at all?")
    if not (model.graph.node or model.graph.output):
        raise OmbError(
            "not a usable ONNX model: its graph has neither nodes nor outputs; is the file ONNX?"
        )
    _normalize_domains(model)
    _check_opsets(model)
    _check_operators(model)
    _check_attributes(model)
    _check_values(model)
    if graphs.sort_graph(model.graph):
        loaded.warnings.append("the model's nodes are not in topological order; they were sorted")
    _run_checker(loaded)


def _normalize_domains(model: ModelProto) -> None:
    entries = [*model.opset_import, *(e for f in model.functions for e in f.opset_import)]
    for entry in entries:
        if entry.domain == "ai.onnx":
            entry.domain = ""
    if not model.opset_import:
        # IR version 1 and 2 had no opsets: https://onnx.ai/onnx/repo-docs/Versioning.html
        model.opset_import.add(domain="", version=1)
    for node in _every_node(model):
        if node.domain == "ai.onnx":
            node.domain = ""
    _move_out_of_default_domain(model)


def _move_out_of_default_domain(model: ModelProto) -> None:
    """Gives operators that ONNX Runtime writes into the default domain their own one.

    SimplifiedLayerNormalization in any opset, LayerNormalization before the standard had it.
    """
    owners: list[ModelProto | onnx.FunctionProto] = [model, *model.functions]
    for owner in owners:
        version = {e.domain: e.version for e in owner.opset_import}.get("")
        nodes = owner.graph.node if isinstance(owner, ModelProto) else owner.node
        moved = False
        for top in nodes:
            for node in (top, *(n for g in graphs.subgraphs(top) for n in graphs.each_node(g))):
                if (
                    node.op_type in _RUNTIME_OPERATORS
                    and not node.domain
                    and version is not None
                    and not defs.has(node.op_type, version)
                ):
                    node.domain = _RUNTIME_DOMAIN
                    moved = True
        if moved and all(e.domain != _RUNTIME_DOMAIN for e in owner.opset_import):
            owner.opset_import.add(domain=_RUNTIME_DOMAIN, version=1)


def _every_node(model: ModelProto) -> list[NodeProto]:
    nodes = list(graphs.each_node(model.graph))
    for function in model.functions:
        for node in function.node:
            nodes.append(node)
            for inner in graphs.subgraphs(node):
                nodes.extend(graphs.each_node(inner))
    return nodes


def _check_opsets(model: ModelProto) -> None:
    if model.ir_version > onnx.IR_VERSION:
        raise OmbError(
            f"the model has IR version {model.ir_version}, newer than {onnx.IR_VERSION}, the "
            f"newest that onnx {onnx.__version__} knows; export it for an older opset"
        )
    entries = [("the model", e) for e in model.opset_import]
    entries += [(f"the function '{f.name}'", e) for f in model.functions for e in f.opset_import]
    seen: dict[tuple[str, str], int] = {}
    for owner, entry in entries:
        if entry.domain in ONNX_DOMAINS:
            newest = newest_opset(entry.domain)
            if not 1 <= entry.version <= newest:
                name = entry.domain or "ai.onnx"
                raise OmbError(
                    f"{owner} needs opset {entry.version} of {name}, but 1 to {newest} are known; "
                    "export it for a known opset"
                )
        if owner == "the model" and seen.setdefault((owner, entry.domain), entry.version) != (
            entry.version
        ):
            raise OmbError(f"the model imports two opsets of the domain '{entry.domain}'")


def _check_operators(model: ModelProto) -> None:
    functions = {(f.domain, f.name, f.overload) for f in model.functions}
    if len(functions) != len(model.functions):
        raise OmbError("the model defines a function twice")
    known: dict[tuple[str, str, int], bool] = {}

    def check_node(node: NodeProto, opsets: dict[str, int]) -> None:
        if (node.domain, node.op_type, node.overload) in functions:
            return
        where = f"the node '{graphs.describe_node(node)}'"
        composed = registry.find(node.domain, node.op_type) is not None
        if node.domain not in ONNX_DOMAINS and not composed:
            raise OmbError(
                f"{where} is of the domain '{node.domain}', which is not part of ONNX, and the "
                "model defines no such function; export the model with standard operators, or "
                "define the operator with onnx_mlir_bridge.register_op"
            )
        version = opsets.get(node.domain)
        if version is None:
            raise OmbError(f"{where} is of the domain '{node.domain}', which is not imported")
        if node.domain not in ONNX_DOMAINS or registry.is_custom(node.domain, node.op_type):
            return
        key = (node.domain, node.op_type, version)
        if key not in known:
            known[key] = defs.has(node.op_type, version, node.domain)
        if not known[key]:
            raise OmbError(
                f"{where}: there is no operator '{node.op_type}' in opset {version} of "
                f"{node.domain or 'ai.onnx'}"
            )

    model_opsets = opset_versions(model)
    for node in graphs.each_node(model.graph):
        check_node(node, model_opsets)
    for function in model.functions:
        opsets = {e.domain: e.version for e in function.opset_import}
        for node in function.node:
            check_node(node, opsets)
            for inner in graphs.subgraphs(node):
                for nested in graphs.each_node(inner):
                    check_node(nested, opsets)


# AttributeProto.type -> the field that holds its value.
_ATTRIBUTE_FIELDS = {
    onnx.AttributeProto.FLOAT: "f",
    onnx.AttributeProto.INT: "i",
    onnx.AttributeProto.STRING: "s",
    onnx.AttributeProto.TENSOR: "t",
    onnx.AttributeProto.GRAPH: "g",
    onnx.AttributeProto.SPARSE_TENSOR: "sparse_tensor",
    onnx.AttributeProto.TYPE_PROTO: "tp",
    onnx.AttributeProto.FLOATS: "floats",
    onnx.AttributeProto.INTS: "ints",
    onnx.AttributeProto.STRINGS: "strings",
    onnx.AttributeProto.TENSORS: "tensors",
    onnx.AttributeProto.GRAPHS: "graphs",
    onnx.AttributeProto.SPARSE_TENSORS: "sparse_tensors",
    onnx.AttributeProto.TYPE_PROTOS: "type_protos",
}


def _check_attributes(model: ModelProto) -> None:
    """Types of attributes. Models of IR version 1 and 2 have none: they follow from the value."""
    for node in _every_node(model):
        where = f"the node '{graphs.describe_node(node)}'"
        names = [a.name for a in node.attribute]
        if len(set(names)) != len(names):
            raise OmbError(f"{where} has an attribute twice: {', '.join(sorted(names))}")
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.UNDEFINED:
                present = [
                    kind
                    for kind, field in _ATTRIBUTE_FIELDS.items()
                    if any(d.name == field for d, _ in attribute.ListFields())
                ]
                if len(present) != 1:
                    raise OmbError(f"{where}: the attribute '{attribute.name}' has no type")
                attribute.type = present[0]
            elif attribute.type not in _ATTRIBUTE_FIELDS:
                raise OmbError(
                    f"{where}: the attribute '{attribute.name}' has an unknown type "
                    f"{attribute.type}"
                )


def _check_values(model: ModelProto) -> None:
    for graph in graphs.each_graph(model.graph):
        for kind, names in (
            ("inputs", [i.name for i in graph.input]),
            ("initializers", [t.name for t in graph.initializer]),
            ("outputs", [o.name for o in graph.output]),
        ):
            seen = set()
            for name in names:
                # One value may be several outputs.
                if name in seen and kind != "outputs":
                    raise OmbError(f"the graph '{graph.name}' has two {kind} called '{name}'")
                if not name:
                    raise OmbError(f"the graph '{graph.name}' has {kind} without a name")
                seen.add(name)
    declared: dict[str, str] = {}
    for output in model.graph.output:
        own = spell(output.type)
        first = declared.setdefault(output.name, own)
        if first != own:
            raise OmbError(
                f"the graph '{model.graph.name}' declares its output '{output.name}' as {first} "
                f"and as {own}"
            )


def _run_checker(loaded: LoadedModel) -> None:
    model = ModelProto()
    model.CopyFrom(loaded.proto)

    def empty(tensor: onnx.TensorProto) -> None:
        if loaded.payloads.has(tensor):
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
            del tensor.dims[:]
            tensor.dims.append(0)

    def empty_sparse(sparse: onnx.SparseTensorProto) -> None:
        # Checked already; the checker wants as many indices as values, of which either may be gone.
        for tensor in (sparse.values, sparse.indices):
            emptied = onnx.TensorProto(name=tensor.name, data_type=tensor.data_type, dims=[0])
            tensor.CopyFrom(emptied)

    each_tensor(model, empty)
    each_sparse(model, empty_sparse)
    _hide_from_checker(model)
    # Outputs of unknown rank are common in exported models; the checker wants a shape.
    for value in (*model.graph.input, *model.graph.output):
        if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape"):
            value.type.tensor_type.shape.SetInParent()
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise OmbError(f"the model is not valid ONNX: {_one_line(str(error))}") from None
    except (ValueError, RuntimeError) as error:
        raise OmbError(f"the model can't be checked: {_one_line(str(error))}") from None


# Deprecated by the standard in the version that introduced them, but written by exporters and
# defined well enough: (operator, its version).
_DEPRECATED_BUT_DEFINED = {("GroupNormalization", 18)}
_UNCHECKED_DOMAIN = "omb.unchecked"


def _hide_from_checker(model: ModelProto) -> None:
    """Moves operators to a domain that the checker lets pass.

    Deprecated ones that can be upgraded, and those that a user has added to ONNX's domains.
    """
    version = opset_versions(model).get("")
    for node in _every_node(model):
        if registry.is_custom(node.domain, node.op_type):
            node.domain = _UNCHECKED_DOMAIN
    for function in model.functions:
        function.opset_import.add(domain=_UNCHECKED_DOMAIN, version=1)
    model.opset_import.add(domain=_UNCHECKED_DOMAIN, version=1)
    if version is None:
        return
    for node in graphs.each_node(model.graph):
        if node.domain or all(node.op_type != op for op, _ in _DEPRECATED_BUT_DEFINED):
            continue
        schema = defs.get_schema(node.op_type, version)
        if (node.op_type, schema.since_version) not in _DEPRECATED_BUT_DEFINED:
            continue
        required = {name for name, a in schema.attributes.items() if a.required}
        if len(node.input) != len(schema.inputs) or required - {a.name for a in node.attribute}:
            raise OmbError(
                f"the node '{graphs.describe_node(node)}' needs {len(schema.inputs)} inputs and "
                f"the attributes {', '.join(sorted(required))}"
            )
        node.domain = _UNCHECKED_DOMAIN


def _one_line(message: str) -> str:
    return message.replace("==> Context:", "; in").strip()
