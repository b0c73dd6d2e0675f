"""From a model to a pruned one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, NodeProto, SparseTensorProto, numpy_helper

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.importer.load import ModelSource
from onnx_mlir_bridge.pruner import patterns
from onnx_mlir_bridge.pruner.options import PruneOptions
from onnx_mlir_bridge.pruner.result import PrunedLayer, PrunedModel
from onnx_mlir_bridge.quantizer.layers import (
    Exclusion,
    Layer,
    find_layers,
    from_canonical,
    to_canonical,
)
from onnx_mlir_bridge.quantizer.model import Model
from onnx_mlir_bridge.quantizer.model import load as load_model

# Sparse initializers came with this version of the format.
_SPARSE_IR_VERSION = 5
_INDEX_BYTES = 8


@dataclass
class _Weight:
    """A constant and the node that it is pruned for. parts: [group, inputs, output channels]."""

    constant: str
    node: NodeProto
    parts: np.ndarray

    def with_zeros(self, zeros: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
        """The constant after the weights in `zeros`, one matrix a group, have become zero."""
        kept = np.where(np.stack(zeros), np.float32(0), self.parts)
        return from_canonical(self.node, _to_channels_first(self.node, kept, shape), shape)


def prune_model(source: ModelSource, options: PruneOptions) -> PrunedModel:
    """Prunes a model; see omb.prune()."""
    model = load_model(source, opset=1)
    excluded = Exclusion(options.exclude, options.exclude_ops)
    excluded.check(model.nodes)
    notices = list(model.notices)
    layers = [layer for layer in find_layers(model, excluded) if layer.weight == 1]
    weights = _weights(model, layers, notices)
    if not weights:
        raise OmbError(
            "the model has no weights to prune: no Conv, ConvTranspose, Gemm or MatMul of float32 "
            "whose second input is constant and used by such nodes only"
        )
    before = {name: model.constants[name] for name in weights}
    for name, zeros in _zeros(weights, options).items():
        model.constants[name] = weights[name].with_zeros(zeros, before[name].shape)
    proto = model.to_proto()
    sparse = _store_sparse(proto, model, list(weights))
    return PrunedModel(
        model=proto,
        layers=tuple(
            _report(model, layer, before) for layer in layers if _of(model, layer) in before
        ),
        bytes_before=sum(array.nbytes for array in before.values()),
        bytes_after=sum(sparse.get(name, array.nbytes) for name, array in before.items()),
        notices=tuple(notices),
    )


def _of(model: Model, layer: Layer) -> str:
    return model.nodes[layer.number].input[1]


def _weights(model: Model, layers: list[Layer], notices: list[str]) -> dict[str, _Weight]:
    """The constants that layers multiply by, and nothing else reads."""
    readers: dict[str, int] = {}
    for node in model.nodes:
        for name in node.input:
            readers[name] = readers.get(name, 0) + 1
    pinned = model.captured | set(model.outputs)
    of_layers: dict[str, list[Layer]] = {}
    for layer in layers:
        of_layers.setdefault(_of(model, layer), []).append(layer)
    found = {}
    for name, users in of_layers.items():
        if name in pinned or readers[name] != len(users):
            notices.append(f"'{name}' isn't pruned: others than products and convolutions read it")
            continue
        node = model.nodes[users[0].number]
        if model.constants[name].ndim != 2 and not node.op_type.startswith("Conv"):
            notices.append(f"'{name}' isn't pruned: it is no matrix")
            continue
        found[name] = _Weight(name, node, _matrices(node, model.constants[name]))
    return found


def _matrices(node: NodeProto, weight: np.ndarray) -> np.ndarray:
    """A weight as [group, inputs, output channels]."""
    parts = to_canonical(node, weight)
    return parts.reshape(*parts.shape[:2], -1).transpose(0, 2, 1)


def _to_channels_first(node: NodeProto, parts: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """What _matrices() was given, as [group, output channel, input channel, the rest]."""
    rest = int(np.prod(shape[2:])) if node.op_type.startswith("Conv") else 1
    return parts.transpose(0, 2, 1).reshape(parts.shape[0], parts.shape[2], -1, rest)


def _zeros(weights: dict[str, _Weight], options: PruneOptions) -> dict[str, list[np.ndarray]]:
    """Of each constant, which weights become zero: a matrix for each group."""
    pattern = options.parsed_pattern()
    if pattern.among:
        return {
            name: [patterns.beyond_kept(matrix, pattern) for matrix in weight.parts]
            for name, weight in weights.items()
        }
    scores = {
        name: [patterns.scores(matrix, pattern) for matrix in weight.parts]
        for name, weight in weights.items()
    }
    sparsity = float(options.sparsity or 0)
    if options.scope == "global":
        together = patterns.smallest([s for each in scores.values() for s in each], sparsity)
        chosen = {name: [together.pop(0) for _ in each] for name, each in scores.items()}
    else:
        chosen = {name: patterns.smallest(each, sparsity) for name, each in scores.items()}
    return {
        name: [patterns.of_weights(b, weights[name].parts.shape[1:], pattern) for b in blocks]
        for name, blocks in chosen.items()
    }


def _store_sparse(proto: ModelProto, model: Model, names: list[str]) -> dict[str, int]:
    """Makes sparse initializers of those that get smaller; their sizes in bytes, by name."""
    stored: dict[str, int] = {}
    graph = proto.graph
    for index in reversed(range(len(graph.initializer))):
        name = graph.initializer[index].name
        if name not in names:
            continue
        flat = model.constants[name].reshape(-1)
        at = np.flatnonzero(flat)
        size = len(at) * (flat.itemsize + _INDEX_BYTES)
        if size >= flat.nbytes:
            continue
        stored[name] = size
        graph.sparse_initializer.append(
            SparseTensorProto(
                values=numpy_helper.from_array(flat[at], name),
                indices=numpy_helper.from_array(at.astype(np.int64), f"{name}/indices"),
                dims=model.constants[name].shape,
            )
        )
        del graph.initializer[index]
    if stored:
        proto.ir_version = max(proto.ir_version, _SPARSE_IR_VERSION)
    return stored


def _report(model: Model, layer: Layer, before: dict[str, np.ndarray]) -> PrunedLayer:
    name = _of(model, layer)
    was, now = before[name].astype(np.float64), model.constants[name].astype(np.float64)
    norm = float(np.linalg.norm(was))
    return PrunedLayer(
        name=layer.name,
        kind=layer.kind,
        weights=now.size,
        zeros=int(now.size - np.count_nonzero(now)),
        kept=float(np.linalg.norm(now)) / norm if norm else 1.0,
    )
