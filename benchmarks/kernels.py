"""Single operators with the shapes that the measured models have, as models of one node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass(frozen=True)
class Kernel:
    """One node; the second input of a product, and every convolution's, is a constant weight.

    flops: floating-point operations of a run, where a multiplication and an addition are two.
    """

    op: str
    inputs: tuple[tuple[int, ...], ...]
    weight: tuple[int, ...] | None
    output: tuple[int, ...]
    flops: int
    attributes: tuple[tuple[str, object], ...] = ()

    def model(self) -> onnx.ModelProto:
        """The model; its weight is random, with a fixed seed."""
        names = [f"x{i}" for i in range(len(self.inputs))]
        weights = []
        if self.weight is not None:
            values = np.random.default_rng(5).standard_normal(self.weight, np.float32)
            weights = [numpy_helper.from_array(values / 16, "w")]
        node = helper.make_node(
            self.op, names + [w.name for w in weights], ["y"], **dict(self.attributes)
        )
        graph = helper.make_graph(
            [node],
            "kernel",
            [_float(name, shape) for name, shape in zip(names, self.inputs, strict=True)],
            [_float("y", self.output)],
            weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def _float(name: str, shape: Sequence[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _matmul(m: int, k: int, n: int) -> Kernel:
    return Kernel("MatMul", ((m, k),), (k, n), (m, n), 2 * m * k * n)


def _attention(heads: int, m: int, k: int, n: int) -> Kernel:
    shapes = ((1, heads, m, k), (1, heads, k, n))
    return Kernel("MatMul", shapes, None, (1, heads, m, n), 2 * heads * m * k * n)


def _conv(size: int, channels: int, features: int, kernel: int, stride: int = 1) -> Kernel:
    """A convolution of a square image, padded so that a stride of 1 keeps its size."""
    return _conv_of_groups(size, channels, features, kernel, stride, 1)


def _depthwise(size: int, channels: int, kernel: int, stride: int = 1) -> Kernel:
    return _conv_of_groups(size, channels, channels, kernel, stride, channels)


def _conv_of_groups(
    size: int, channels: int, features: int, kernel: int, stride: int, group: int
) -> Kernel:
    after = -(-size // stride)
    pad = kernel // 2
    weight = (features, channels // group, kernel, kernel)
    attributes = (("strides", [stride] * 2), ("pads", [pad] * 4), ("group", group))
    return Kernel(
        "Conv",
        ((1, channels, size, size),),
        weight,
        (1, features, after, after),
        2 * prod(weight) * after * after,
        attributes,
    )


KERNELS = {
    # Large enough for what the machine can do.
    "matmul 1024 x 1024 x 1024": _matmul(1024, 1024, 1024),
    # BERT-base of 128 tokens, ViT-B/16 of 197, GPT-2 of 64 and of one.
    "matmul 128 x 768 x 768": _matmul(128, 768, 768),
    "matmul 128 x 768 x 3072": _matmul(128, 768, 3072),
    "matmul 128 x 3072 x 768": _matmul(128, 3072, 768),
    "matmul 197 x 768 x 3072": _matmul(197, 768, 3072),
    "matmul 197 x 3072 x 768": _matmul(197, 3072, 768),
    "matmul 64 x 768 x 2304": _matmul(64, 768, 2304),
    "matmul 1 x 768 x 3072": _matmul(1, 768, 3072),
    "matmul 1 x 768 x 50257": _matmul(1, 768, 50257),
    "12 matmuls 128 x 64 x 128": _attention(12, 128, 64, 128),
    "12 matmuls 197 x 197 x 64": _attention(12, 197, 197, 64),
    # ResNet-50.
    "conv 7x7 / 2, 224, 3 -> 64": _conv(224, 3, 64, 7, 2),
    "conv 1x1, 56, 64 -> 64": _conv(56, 64, 64, 1),
    "conv 3x3, 56, 64 -> 64": _conv(56, 64, 64, 3),
    "conv 1x1, 56, 64 -> 256": _conv(56, 64, 256, 1),
    "conv 1x1, 56, 256 -> 64": _conv(56, 256, 64, 1),
    "conv 3x3, 28, 128 -> 128": _conv(28, 128, 128, 3),
    "conv 1x1, 28, 128 -> 512": _conv(28, 128, 512, 1),
    "conv 1x1, 28, 512 -> 128": _conv(28, 512, 128, 1),
    "conv 3x3, 14, 256 -> 256": _conv(14, 256, 256, 3),
    "conv 1x1, 14, 256 -> 1024": _conv(14, 256, 1024, 1),
    "conv 1x1, 14, 1024 -> 256": _conv(14, 1024, 256, 1),
    "conv 3x3, 7, 512 -> 512": _conv(7, 512, 512, 3),
    "conv 1x1, 7, 512 -> 2048": _conv(7, 512, 2048, 1),
    "conv 1x1, 7, 2048 -> 512": _conv(7, 2048, 512, 1),
    # MobileNetV2.
    "conv 3x3 / 2, 224, 3 -> 32": _conv(224, 3, 32, 3, 2),
    "conv 1x1, 112, 16 -> 96": _conv(112, 16, 96, 1),
    "conv 1x1, 14, 96 -> 576": _conv(14, 96, 576, 1),
    "depthwise 3x3, 112, 32": _depthwise(112, 32, 3),
    "depthwise 3x3 / 2, 112, 96": _depthwise(112, 96, 3, 2),
    "depthwise 3x3, 28, 192": _depthwise(28, 192, 3),
    "depthwise 3x3, 14, 576": _depthwise(14, 576, 3),
}
