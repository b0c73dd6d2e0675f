"""Operators of ai.onnx.ml."""

from __future__ import annotations

import onnx

from onnx_mlir_bridge.importer.upgrade.registry import Rewrite, adapts


@adapts("LabelEncoder", 1, domain="ai.onnx.ml")
def label_encoder(rewrite: Rewrite) -> None:
    """LabelEncoder-2: keys and values; before, strings whose places are their numbers."""
    classes = rewrite.pop("classes_strings", [])
    unknown, default = rewrite.pop("default_int64", -1), rewrite.pop("default_string", b"_Unused")
    numbers = range(len(classes))
    element = rewrite.element()
    if element is None:
        raise rewrite.fail("the type of its input is unknown")
    if element == onnx.TensorProto.STRING:
        pairs = {"keys_strings": classes, "values_int64s": numbers, "default_int64": unknown}
    else:
        pairs = {"keys_int64s": numbers, "values_strings": classes, "default_string": default}
    for name, value in pairs.items():
        rewrite.set(name, list(value) if isinstance(value, range) else value)
