"""What a model is measured with: the numbers it is stored in, and those that products take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import quantized
import sparse
import suite
from engines import Options
from measure import Entrant


@dataclass(frozen=True)
class Baseline:
    """How we do without the setting.

    entrant: its name in the results. title: of its column. is_exported: whether it is the model as
    it was exported, and not what is measured. is_rival: whether ours is compared with it, too.
    """

    entrant: str
    title: str
    is_exported: bool
    options: Options = field(default_factory=Options)
    is_rival: bool = False


@dataclass(frozen=True)
class Setting:
    """``titles``: the models' names, and what tables call them; ``options``: of the engines.

    export: the file of a name, None if it isn't there; prepare: what is measured of that.
    """

    name: str
    title: str
    titles: Mapping[str, str]
    options: Options = field(default_factory=Options)
    baseline: Baseline | None = None
    export: Callable[[str], Path | None] = suite.find
    prepare: Callable[[Path], Path] = lambda model: model
    has_sizes: bool = False
    """Whether the table says how large the compiled models are."""

    def entrants(self, model: Path, engines: Iterable[str], folder: Path) -> dict[str, Entrant]:
        """Each engine with the exported ``model``, and what this is compared with."""
        measured = self.prepare(model)
        entrants = {
            engine: Entrant(engine, str(measured), str(folder / f"{engine}.omb"), self.options)
            for engine in engines
        }
        if self.baseline:
            name = self.baseline.entrant
            source = model if self.baseline.is_exported else measured
            compiled = str(folder / f"{name}.omb")
            entrants[name] = Entrant("bridge", str(source), compiled, self.baseline.options)
        return entrants


def _plain(names: Iterable[str]) -> dict[str, str]:
    return {name: name for name in names}


_IN_F32 = Baseline("bridge-f32", "our f32", is_exported=True)

FLOAT = Setting("models", "float32", _plain(suite.NAMES))
BF16 = Setting(
    "bf16",
    "bfloat16 (ONNX Runtime: float32)",
    _plain(suite.EXPORTED),
    Options(precision="bf16"),
    _IN_F32,
)
QUANTIZED = Setting(
    "quantized",
    "quantized",
    {name: f"{name}, {method.title}" for name, method in quantized.METHODS.items()},
    baseline=_IN_F32,
    prepare=quantized.find,
)
SPARSE = Setting(
    "sparse",
    "float32, with zeros",
    sparse.TITLES,
    baseline=Baseline("bridge-dense", "our dense", False, Options(sparse="off"), is_rival=True),
    export=sparse.export,
    prepare=sparse.find,
    has_sizes=True,
)
