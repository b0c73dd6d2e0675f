"""Several models compiled as one, side by side, for tests of many small cases.

What IREE takes for the smallest module, a third of a second, is more than it takes for each kernel
in it: eight models of one node compile as one in less than half the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_mlir_bridge as omb
from onnx import compose


def joined(models: Sequence[onnx.ModelProto]) -> onnx.ModelProto:
    """One model with the graphs of all, the names of the nth and of its sizes behind "n/".

    The models have the same opsets and no functions of their own.
    """
    whole = onnx.ModelProto()
    whole.CopyFrom(models[0])
    whole.graph.CopyFrom(onnx.GraphProto(name="joined"))
    for number, model in enumerate(models):
        assert list(model.opset_import) == list(models[0].opset_import), "other opsets"
        assert not model.functions, "functions"
        graph = compose.add_prefix(model, f"{number}/").graph
        for value in (*graph.input, *graph.output, *graph.value_info):
            for dim in value.type.tensor_type.shape.dim:
                if dim.dim_param:
                    dim.dim_param = f"{number}/{dim.dim_param}"
        for field in ("node", "initializer", "sparse_initializer", "input", "output", "value_info"):
            getattr(whole.graph, field).extend(getattr(graph, field))
    return whole


class Together:
    """A session of models that are compiled as one, and run at once."""

    def __init__(self, models: Sequence[onnx.ModelProto], **options: Any) -> None:
        self._counts = [len(model.graph.output) for model in models]
        self._session = omb.InferenceSession(joined(models), **options)

    def run(self, inputs: Sequence[Mapping[str, np.ndarray]]) -> list[list[np.ndarray]]:
        """The outputs of each model, for the inputs of each."""
        feeds = {
            f"{number}/{name}": value
            for number, values in enumerate(inputs)
            for name, value in values.items()
        }
        outputs = iter(self._session.run(None, feeds))
        return [[next(outputs) for _ in range(count)] for count in self._counts]
