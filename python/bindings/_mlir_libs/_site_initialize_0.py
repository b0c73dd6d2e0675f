"""Hook that MLIR's bindings load: makes every new Context know the dialects."""

from ._omb import register_dialects

__all__ = ["register_dialects"]
