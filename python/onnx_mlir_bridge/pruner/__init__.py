"""The pruner: makes zeros of weights, and stores what is left.

options.py   what is pruned, and how much
patterns.py  which weights are the smallest
pruning.py   from a model to a pruned one
result.py    the model, and what became of its layers
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx_mlir_bridge.importer.load import ModelSource
    from onnx_mlir_bridge.pruner.result import PrunedModel


def prune(model: ModelSource, **options: Any) -> PrunedModel:  # noqa: ANN401 - checked there
    """Make zeros of the smallest weights of an ONNX model of float32.

    model: a path, the bytes or the ModelProto of an ONNX model of any opset.
    options: see onnx_mlir_bridge.pruner.options.PruneOptions.

    What comes out is an ONNX model of the same operators, whose weights are sparse initializers
    where that is smaller. How well it still does its work is for the caller to measure; a model is
    usually trained some more afterwards. OmbError for models and options that can't be used.
    """
    from onnx_mlir_bridge.pruner.options import PruneOptions
    from onnx_mlir_bridge.pruner.pruning import prune_model

    return prune_model(model, PruneOptions.checked(options))
