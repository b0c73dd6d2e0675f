"""ResNet- and MobileNet-like models: every kind of layer of the real ones, a few narrow blocks."""

from __future__ import annotations

import onnx

from .graph import FLOAT, Graph


def _batch_norm(g: Graph, x: str, channels: int) -> str:
    mean, variance = g.bias(channels), g.scale(channels)  # a variance has to be positive
    return g.op("BatchNormalization", x, g.scale(channels), g.bias(channels), mean, variance)


def _conv(
    g: Graph, x: str, inputs: int, outputs: int, kernel: int, stride: int = 1, group: int = 1
) -> str:
    """A convolution without bias that keeps the size (before its stride)."""
    return g.op(
        "Conv",
        x,
        g.weight(outputs, inputs // group, kernel, kernel),
        kernel_shape=[kernel, kernel],
        strides=[stride, stride],
        pads=[kernel // 2] * 4,
        group=group,
    )


def _bottleneck(g: Graph, x: str, inputs: int, outputs: int, stride: int) -> str:
    middle = outputs // 4
    y = g.op("Relu", _batch_norm(g, _conv(g, x, inputs, middle, 1), middle))
    y = g.op("Relu", _batch_norm(g, _conv(g, y, middle, middle, 3, stride), middle))
    y = _batch_norm(g, _conv(g, y, middle, outputs, 1), outputs)
    if inputs != outputs or stride != 1:
        x = _batch_norm(g, _conv(g, x, inputs, outputs, 1, stride), outputs)
    return g.op("Relu", g.op("Add", y, x))


def resnet_like() -> onnx.ModelProto:
    """Stem, max pool, four bottlenecks, global pool, classifier; batch, height and width dynamic.

    image: float [batch, 3, height, width] -> logits [batch, 10]
    """
    g = Graph("resnet")
    x = g.input("image", FLOAT, ["batch", 3, "height", "width"])
    with g.scope("stem"):
        x = g.op("Relu", _batch_norm(g, _conv(g, x, 3, 16, 7, 2), 16))
        x = g.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    blocks = [(16, 32, 1), (32, 32, 1), (32, 64, 2), (64, 64, 1)]
    for i, (inputs, outputs, stride) in enumerate(blocks):
        with g.scope(f"block.{i}"):
            x = _bottleneck(g, x, inputs, outputs, stride)
    x = g.op("Flatten", g.op("GlobalAveragePool", x))
    g.output(
        g.op("Gemm", x, g.weight(10, 64), g.bias(10), transB=1), "logits", FLOAT, ["batch", 10]
    )
    return g.model()


def _squeeze_excite(g: Graph, x: str, channels: int) -> str:
    gate = g.op("GlobalAveragePool", x)
    gate = g.op("Relu", _conv(g, gate, channels, channels // 4, 1))
    gate = g.op("HardSigmoid", _conv(g, gate, channels // 4, channels, 1), alpha=1 / 6, beta=0.5)
    return g.op("Mul", x, gate)


def _inverted_residual(g: Graph, x: str, inputs: int, outputs: int, stride: int) -> str:
    """Expand, depthwise, squeeze and excite, project: MobileNetV2's block with V3's gate."""
    wide = 4 * inputs
    zero, six = g.constant(0.0), g.constant(6.0)
    y = g.op("Clip", _batch_norm(g, _conv(g, x, inputs, wide, 1), wide), zero, six)
    y = _batch_norm(g, _conv(g, y, wide, wide, 3, stride, group=wide), wide)
    y = _squeeze_excite(g, g.op("HardSwish", y), wide)
    y = _batch_norm(g, _conv(g, y, wide, outputs, 1), outputs)
    return g.op("Add", y, x) if inputs == outputs and stride == 1 else y


def mobilenet_like() -> onnx.ModelProto:
    """Stem, four inverted residuals with depthwise convolutions, classifier; batch dynamic.

    image: float [batch, 3, 48, 48] -> probabilities [batch, 10]
    """
    g = Graph("mobilenet")
    x = g.input("image", FLOAT, ["batch", 3, 48, 48])
    with g.scope("stem"):
        x = g.op("HardSwish", _batch_norm(g, _conv(g, x, 3, 16, 3, 2), 16))
    blocks = [(16, 16, 1), (16, 24, 2), (24, 24, 1), (24, 32, 2)]
    for i, (inputs, outputs, stride) in enumerate(blocks):
        with g.scope(f"block.{i}"):
            x = _inverted_residual(g, x, inputs, outputs, stride)
    x = g.op("ReduceMean", x, g.ints(-1, -2), keepdims=0)
    logits = g.op("Gemm", x, g.weight(32, 10), g.bias(10))
    g.output(g.op("Softmax", logits, axis=-1), "probabilities", FLOAT, ["batch", 10])
    return g.model()
