"""What a model is measured with: the numbers it is stored in, and those that products take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import quantized
import suite
from measure import Entrant

FLOAT_BRIDGE = "bridge-f32"
"""The entrant that has our time without the setting: the model as it was exported, in f32."""


@dataclass(frozen=True)
class Setting:
    """``names``: of the models; ``precision``: what the engines are given that have a choice."""

    name: str
    title: str
    names: tuple[str, ...]
    precision: str = "f32"
    is_quantized: bool = False

    @property
    def is_float(self) -> bool:
        """Whether this is how models are exported."""
        return self.precision == "f32" and not self.is_quantized

    def entrants(self, model: Path, engines: Iterable[str], folder: Path) -> dict[str, Entrant]:
        """Each engine with the exported ``model``, and what this is compared with."""
        measured = quantized.find(model) if self.is_quantized else model
        entrants = {
            engine: Entrant(engine, str(measured), str(folder / f"{engine}.omb"), self.precision)
            for engine in engines
        }
        if not self.is_float:
            compiled = folder / f"{FLOAT_BRIDGE}.omb"
            entrants[FLOAT_BRIDGE] = Entrant("bridge", str(model), str(compiled))
        return entrants


FLOAT = Setting("models", "float32", suite.NAMES)
BF16 = Setting("bf16", "bfloat16 (ONNX Runtime: float32)", suite.EXPORTED, precision="bf16")
QUANTIZED = Setting("quantized", "quantized", tuple(quantized.METHODS), is_quantized=True)
