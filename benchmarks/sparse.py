"""Models whose weights are mostly zeros, made on first use and kept beside the exported ones.

All engines get the same file, with dense weights: onnx-mlir-bridge finds the zeros itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import suite
from onnx import TensorProto, helper, numpy_helper

NARROW, WIDE = 768, 3072
"""Features of the products in BERT-base's feed-forward layers, which are measured alone."""
PAIRS = 3


@dataclass(frozen=True)
class Layers:
    """``PAIRS`` times a product from NARROW to WIDE features and one back, each with Relu.

    ``block``: how many neighbours along a weight's outputs are zeros together.
    """

    title: str
    rows: int
    zeros: float
    block: int = 1

    def model(self) -> onnx.ModelProto:
        """The model; weights are random, with a fixed seed."""
        random = np.random.default_rng(11)
        nodes, weights, last = [], [], "x"
        for number in range(2 * PAIRS):
            shape = (NARROW, WIDE) if number % 2 == 0 else (WIDE, NARROW)
            weights.append(numpy_helper.from_array(self._weight(shape, random), f"w{number}"))
            nodes.append(helper.make_node("MatMul", [last, f"w{number}"], [f"product{number}"]))
            nodes.append(helper.make_node("Relu", [f"product{number}"], [f"layer{number}"]))
            last = f"layer{number}"
        names = {"x": [self.rows, NARROW], last: [self.rows, NARROW]}
        values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in names.items()]
        graph = helper.make_graph(nodes, "layers", values[:1], values[1:], weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)

    def _weight(self, shape: tuple[int, int], random: np.random.Generator) -> np.ndarray:
        values = random.standard_normal(shape, np.float32)
        kept = random.random((shape[0], shape[1] // self.block)) >= self.zeros
        # The results are about as large as the inputs.
        scale = np.sqrt(2 / (shape[0] * (1 - self.zeros)))
        return values * np.repeat(kept, self.block, axis=1) * np.float32(scale)


LAYERS = {
    "layers-90": Layers("6 layers, 128 rows, 90 % zeros", 128, 0.9),
    "layers-80": Layers("6 layers, 128 rows, 80 % zeros", 128, 0.8),
    "layers-80-blocks": Layers("6 layers, 128 rows, 80 % zeros in blocks of 1 x 16", 128, 0.8, 16),
    "layer-row-90": Layers("6 layers, 1 row, 90 % zeros", 1, 0.9),
    "layer-row-80-blocks": Layers("6 layers, 1 row, 80 % zeros in blocks of 1 x 16", 1, 0.8, 16),
}

PRUNED = {"bert": 0.9, "resnet50": 0.9}
"""Exported models -> the share of zeros in each weight of their products and convolutions."""

TITLES = {
    **{name: layers.title for name, layers in LAYERS.items()},
    **{name: f"{name}, {zeros:.0%} zeros" for name, zeros in PRUNED.items()},
}


def export(name: str) -> Path | None:
    """The model of that name, with few zeros if it is one of PRUNED; None if it isn't exported."""
    if name not in LAYERS:
        return suite.find(name)
    path = suite.folder() / f"sparse-{name}.onnx"
    return suite.kept(path, lambda part: onnx.save(LAYERS[name].model(), part))


def find(model: Path) -> Path:
    """The model with zeros of what export() gave."""
    if model.stem not in PRUNED:
        return model
    path = model.with_name(f"{model.stem}-pruned.onnx")
    return suite.kept(path, lambda part: _prune(model, part))


def _prune(model: Path, target: Path) -> None:
    import onnx_mlir_bridge as omb

    pruned = omb.prune(model, sparsity=PRUNED[model.stem]).model
    _densify(pruned.graph)
    onnx.save(pruned, target)


def _densify(graph: onnx.GraphProto) -> None:
    for sparse in graph.sparse_initializer:
        values = numpy_helper.to_array(sparse.values)
        indices = numpy_helper.to_array(sparse.indices)
        dense = np.zeros(list(sparse.dims), values.dtype)
        if indices.ndim == 1:
            dense.flat[indices] = values
        else:
            dense[tuple(indices.T)] = values
        graph.initializer.append(numpy_helper.from_array(dense, sparse.values.name))
    del graph.sparse_initializer[:]
