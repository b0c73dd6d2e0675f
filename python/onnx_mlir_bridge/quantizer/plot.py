"""The layers' sensitivities as a picture, by matplotlib, which is an optional dependency."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from onnx_mlir_bridge.errors import OmbError
from onnx_mlir_bridge.quantizer.quality import Sensitivity
from onnx_mlir_bridge.runtime.artifact import replacing

FORMATS = (".pdf", ".png", ".svg")

_MAX_ROWS = 60
_MAX_NAME = 48


def check_plot(path: Path) -> None:
    """OmbError where there is no matplotlib, or the file is of no format that is written."""
    if path.suffix.lower() not in FORMATS:
        raise OmbError(f"a plot is a {', '.join(FORMATS)} file, not '{path}'")
    _matplotlib()


def _matplotlib() -> ModuleType:
    try:
        import matplotlib
        import matplotlib.figure
    except ImportError:
        raise OmbError(
            "a plot needs matplotlib, which is not installed: pip install onnx-mlir-bridge[plot]"
        ) from None
    return matplotlib


def plot(sensitivities: Sequence[Sensitivity], path: Path) -> None:
    """Draw a bar for each layer, the worst at the top; OmbError where it can't be written."""
    check_plot(path)
    shown = sensitivities[:_MAX_ROWS]
    # Without pyplot, which has a global state and may want a display.
    figure = _matplotlib().figure.Figure(figsize=(9, 1.2 + 0.22 * max(len(shown), 1)))
    axes = figure.add_subplot()
    finite = [each.snr for each in shown if math.isfinite(each.snr)]
    longest = max(finite, default=1.0)
    lengths = [min(max(each.snr, min(finite, default=0.0)), longest) for each in shown]
    names = [_short(f"{each.layer} ({each.kind})") for each in shown]
    axes.barh(range(len(shown)), lengths, color="#4878a8")
    axes.set_yticks(range(len(shown)), names, fontsize=7)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.set_xlabel("signal-to-noise ratio of the outputs where one layer is quantized, dB")
    if len(sensitivities) > len(shown):
        axes.set_title(f"the {len(shown)} of {len(sensitivities)} layers that cost most")
    contents = io.BytesIO()
    figure.savefig(contents, format=path.suffix[1:].lower(), dpi=120, bbox_inches="tight")
    try:
        with replacing(path) as file:
            file.write(contents.getbuffer())
    except OSError as error:
        raise OmbError(f"'{path}' can't be written: {error.strerror or error}") from None


def _short(name: str) -> str:
    """A name as far as there is room; its end, which differs. $ would be mathematics."""
    shown = name if len(name) <= _MAX_NAME else f"...{name[-_MAX_NAME:]}"
    return shown.replace("$", r"\$")
