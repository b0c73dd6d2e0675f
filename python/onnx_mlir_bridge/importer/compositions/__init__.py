"""Operators that have no lowering, as compositions of others; one file a family.

`registry` says which operators, `body` is what they are written with, `expand` replaces them in a
model, `custom` lets users register their own.
"""

from __future__ import annotations

# The modules that register operators, by domain; they are imported when one is looked up first.
FAMILIES = {
    "": ("dynamic_quantization", "text"),
    "ai.onnx.ml": ("machine_learning",),
    "ai.onnx.preview": ("preview",),
    "ai.onnx.preview.training": ("gradient", "gradient_rules", "preview_training"),
    "com.microsoft": (
        "activations",
        "attention",
        "fused",
        "group_query_attention",
        "matmul",
        "normalizations",
        "quantized",
        "quantized_products",
        "rotary",
    ),
}
