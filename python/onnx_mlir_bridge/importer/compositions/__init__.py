"""Operators outside of the default domain, as compositions of standard ones; one file a family.

`registry` says which operators, `body` is what they are written with, `expand` replaces them in a
model, `custom` lets users register their own.
"""

from __future__ import annotations

# The modules that register operators; they are imported when one is looked up first.
FAMILIES = (
    "activations",
    "attention",
    "fused",
    "gradient",
    "gradient_rules",
    "group_query_attention",
    "machine_learning",
    "matmul",
    "normalizations",
    "preview",
    "preview_training",
    "quantized",
    "quantized_products",
    "rotary",
)
