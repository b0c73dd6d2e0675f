"""The nine architectures that the onnx package carries, with weights that make them tell-tale.

In the package's files every large weight is one constant (ConstantOfShape), so every output is flat
and any wrong lowering of, say, a convolution's padding goes unseen. Here each weight is drawn at
random, scaled for its role, and the last layer is scaled so that the class scores differ.
"""

from __future__ import annotations

from collections.abc import Callable, MutableSequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.backend.test
from onnx import numpy_helper

NAMES = (
    "bvlc_alexnet",
    "densenet121",
    "inception_v1",
    "inception_v2",
    "resnet50",
    "shufflenet",
    "squeezenet",
    "vgg19",
    "zfnet512",
)

Array = np.ndarray
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]


def _filters(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """He: the inputs of a filter [O, I/group, …], or of a row [out, in] of Gemm's transposed B."""
    fan_in = int(np.prod(shape[1:]))
    return random.standard_normal(shape, np.float32) * np.float32((2.0 / fan_in) ** 0.5)


def _small(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return random.standard_normal(shape, np.float32) * np.float32(0.1)


def _near_one(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return random.uniform(0.5, 1.5, shape).astype(np.float32)


ROLES: dict[tuple[str, int], Draw] = {
    ("Conv", 1): _filters,
    ("Conv", 2): _small,
    ("Gemm", 1): _filters,
    ("Gemm", 2): _small,
    ("BatchNormalization", 1): _near_one,
    ("BatchNormalization", 2): _small,
    ("BatchNormalization", 3): _small,
    ("BatchNormalization", 4): _near_one,
    ("Mul", 1): _near_one,
    ("Add", 1): _small,
}
"""(operator, input) -> how the weight that it takes there is drawn."""


def load(name: str, seed: int = 11) -> onnx.ModelProto:
    """Architecture ``name`` (see NAMES) with random weights.

    Input and first output are the file's own (float [1, 3, 224, 224] -> class probabilities); the
    scores before the final Softmax, where there is one, are a second output, because the softmax of
    well separated scores hides small errors.
    """
    path = Path(onnx.backend.test.__file__).parent / "data" / "light" / f"light_{name}.onnx"
    model = onnx.load(path)
    _randomize(model.graph, np.random.default_rng(seed))
    _expose_scores(model.graph)
    _spread_scores(model)
    onnx.checker.check_model(model)
    return model


def _randomize(graph: onnx.GraphProto, random: np.random.Generator) -> None:
    """Replace every weight: the ConstantOfShape nodes and the stored float initializers."""
    shapes = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    weights = {n.output[0]: n for n in graph.node if n.op_type == "ConstantOfShape"}
    stored = [i.name for i in graph.initializer if i.data_type == onnx.TensorProto.FLOAT]
    consumers = {
        name: (node, position) for node in graph.node for position, name in enumerate(node.input)
    }

    def role(name: str) -> Draw:
        node, position = consumers[name]
        if node.op_type in ("Reshape", "Unsqueeze"):
            return role(node.output[0])
        return ROLES[node.op_type, position]

    drawn = []
    for name in [*weights, *stored]:
        if name not in consumers:  # left over from training
            continue
        if name in weights:
            shape = tuple(int(d) for d in shapes[weights[name].input[0]])
        else:
            shape = shapes[name].shape
        drawn.append(numpy_helper.from_array(role(name)(random, shape), name))

    shape_constants = {node.input[0] for node in weights.values()}
    replaced = shape_constants.union(stored)
    _keep(graph.node, lambda n: n.op_type != "ConstantOfShape")
    _keep(graph.initializer, lambda i: i.name not in replaced)
    _keep(graph.input, lambda i: i.name not in replaced)
    graph.initializer.extend(drawn)
    # IR version 3, which these files have, wants every initializer to be an input as well.
    graph.input.extend(
        onnx.helper.make_tensor_value_info(i.name, i.data_type, i.dims) for i in drawn
    )


def _keep(field: MutableSequence[Any], wanted: Callable[[Any], bool]) -> None:
    for i in reversed(range(len(field))):
        if not wanted(field[i]):
            del field[i]


def _expose_scores(graph: onnx.GraphProto) -> None:
    last = graph.node[-1]
    if last.op_type == "Softmax":
        dims = [d.dim_value for d in graph.output[0].type.tensor_type.shape.dim]
        scores = onnx.helper.make_tensor_value_info(last.input[0], onnx.TensorProto.FLOAT, dims)
        graph.output.append(scores)


def _spread_scores(model: onnx.ModelProto) -> None:
    """Scale the last layer so that the scores' standard deviation is 2.

    Fifty layers of random residual blocks multiply the values' scale by orders of magnitude; left
    alone, the softmax would be one 1 and 999 zeros.
    """
    from .reference import onnxruntime_outputs

    graph = model.graph
    last = next(n for n in reversed(graph.node) if n.op_type in ("Gemm", "Conv"))
    reshaped = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "Reshape"}
    weights = {reshaped.get(name, name) for name in last.input[1:]}
    scores = onnxruntime_outputs(model, inputs(model))[-1]
    factor = np.float32(2.0 / scores.std())
    for initializer in graph.initializer:
        if initializer.name in weights:
            scaled = numpy_helper.to_array(initializer) * factor
            initializer.CopyFrom(numpy_helper.from_array(scaled, initializer.name))


def inputs(model: onnx.ModelProto, seed: int = 3) -> dict[str, Array]:
    """A random picture for the model's only input that is not a weight."""
    weights = {i.name for i in model.graph.initializer}
    (value,) = (i for i in model.graph.input if i.name not in weights)
    shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
    random = np.random.default_rng(seed)
    return {value.name: random.standard_normal(shape).astype(np.float32)}
