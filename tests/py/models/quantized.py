"""Small models, as ONNX Runtime's quantizer writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx

from models.graph import FLOAT, Graph

Feeds = dict[str, np.ndarray]


def cnn() -> onnx.ModelProto:
    """Convolutions: dense, strided, grouped, depthwise; a residual, pools, a classifier."""
    g = Graph("cnn")
    x = g.input("x", FLOAT, [1, 3, 19, 17])

    def conv(x: str, features: int, channels: int, size: int = 3, **attributes: object) -> str:
        group = int(attributes.get("group", 1))
        weights = g.weight(features, channels // group, size, size)
        pads = [size // 2] * 4
        return g.op("Conv", x, weights, g.bias(features), pads=pads, **attributes)

    x = g.op("Relu", conv(x, 16, 3))
    x = g.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    y = g.op("Relu", conv(x, 16, 16, group=16))
    y = conv(y, 16, 16, size=1)
    x = g.op("Relu", g.op("Add", x, y))
    y = g.op("Clip", conv(x, 24, 16, strides=[2, 2]), g.constant(0.0), g.constant(6.0))
    z = g.op("Sigmoid", conv(x, 8, 16, strides=[2, 2], group=4))
    x = g.op("Concat", y, z, axis=1)
    x = g.op("AveragePool", x, kernel_shape=[2, 2])
    x = g.op("GlobalAveragePool", x)
    x = g.op("Flatten", x)
    x = g.op("Gemm", x, g.weight(10, 32), g.bias(10), transB=1)
    g.output(x, "y", FLOAT, [1, 10])
    return g.model()


def mlp() -> onnx.ModelProto:
    """Dense layers of odd sizes for a batch of any size."""
    g = Graph("mlp")
    x = g.input("x", FLOAT, ["n", 13])
    for size, last in [(13, 37), (37, 50), (50, 5)]:
        x = g.op("Gemm", x, g.weight(size, last), g.bias(last))
        if last != 5:
            x = g.op("Relu", x)
    g.output(x, "y", FLOAT, ["n", 5])
    return g.model()


def transformer() -> onnx.ModelProto:
    """One block of attention and a feed-forward layer."""
    g = Graph("transformer")
    width, heads, tokens = 32, 4, 9
    x = g.input("x", FLOAT, [2, tokens, width])

    def project(x: str, columns: int) -> str:
        return g.op("Add", g.op("MatMul", x, g.weight(width, columns)), g.bias(columns))

    def split(x: str, *order: int) -> str:
        x = g.op("Reshape", x, g.ints(2, tokens, heads, width // heads))
        return g.op("Transpose", x, perm=list(order))

    q = split(project(x, width), 0, 2, 1, 3)
    k = split(project(x, width), 0, 2, 3, 1)
    v = split(project(x, width), 0, 2, 1, 3)
    scores = g.op("Softmax", g.op("Mul", g.op("MatMul", q, k), g.constant(0.35)), axis=-1)
    y = g.op("Transpose", g.op("MatMul", scores, v), perm=[0, 2, 1, 3])
    y = g.op("Reshape", y, g.ints(2, tokens, width))
    x = g.op("LayerNormalization", g.op("Add", x, project(y, width)), g.scale(width), axis=-1)
    y = g.op("Gelu", g.op("MatMul", x, g.weight(width, 64)))
    x = g.op("Add", x, g.op("MatMul", y, g.weight(64, width)))
    g.output(x, "y", FLOAT, [2, tokens, width])
    return g.model()


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "cnn": cnn,
    "mlp": mlp,
    "transformer": transformer,
}

FORMS = (
    "qdq-u8-tensor",
    "qdq-u8-channel",
    "qdq-i8-channel",
    "qdq-u8-asymmetric",
    "qdq-i16-channel",
    "qoperator-u8-tensor",
    "qoperator-u8-channel",
    "qoperator-i8-channel",
    "dynamic-u8",
    "dynamic-i8-channel",
)


def feeds(model: onnx.ModelProto, seed: int, batch: int = 6) -> Feeds:
    """Normal inputs; a symbolic dimension is `batch`."""
    random = np.random.default_rng(seed)
    return {
        i.name: random.standard_normal(
            [d.dim_value or batch for d in i.type.tensor_type.shape.dim]
        ).astype(np.float32)
        for i in model.graph.input
    }


def quantize(model: onnx.ModelProto, form: str, folder: Path) -> onnx.ModelProto:
    """The model as the quantizer writes it in one of FORMS."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_dynamic,
        quantize_static,
    )

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._feeds: Iterator[Feeds] = iter([feeds(model, seed) for seed in range(4)])

        def get_next(self) -> Feeds | None:
            return next(self._feeds, None)

    source, target = folder / "model.onnx", folder / f"{form}.onnx"
    onnx.save(model, source)
    family, kind, *rest = form.split("-")
    per_channel = "channel" in rest
    if family == "dynamic":
        weights = QuantType.QUInt8 if kind == "u8" else QuantType.QInt8
        quantize_dynamic(source, target, per_channel=per_channel, weight_type=weights)
        return onnx.load(target)
    activations = {"u8": QuantType.QUInt8, "i8": QuantType.QInt8, "i16": QuantType.QInt16}[kind]
    asymmetric = "asymmetric" in rest
    quantize_static(
        source,
        target,
        Reader(),
        quant_format=QuantFormat.QDQ if family == "qdq" else QuantFormat.QOperator,
        per_channel=per_channel,
        activation_type=activations,
        weight_type=QuantType.QUInt8 if asymmetric else QuantType.QInt8,
        extra_options={"WeightSymmetric": not asymmetric},
    )
    return onnx.load(target)
