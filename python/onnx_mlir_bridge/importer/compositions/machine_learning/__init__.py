"""Operators of ai.onnx.ml that take and give numbers; one file a family.

Where the standard leaves a question open, the answer is ONNX Runtime's, by which converters check
their models.
"""

from __future__ import annotations

from onnx_mlir_bridge.importer.compositions.machine_learning import (
    encoders,
    features,
    linear,
    support_vectors,
    trees,
)

__all__ = ["encoders", "features", "linear", "support_vectors", "trees"]
