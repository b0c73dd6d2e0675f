"""Operators outside of the default domain, as compositions of standard ones; one file a family.

`registry` says which operators, `body` is what they are written with, `expand` replaces them in a
model, `custom` lets users register their own.
"""

from __future__ import annotations

from importlib import import_module

# Importing the families registers their operators.
FAMILIES: tuple[str, ...] = ("machine_learning",)

for _family in FAMILIES:
    import_module(f"{__name__}.{_family}")
