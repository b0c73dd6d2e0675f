"""Optimizers of ai.onnx.preview.training: one step for any number of tensors."""

from __future__ import annotations

from onnx import TensorProto

from onnx_mlir_bridge.importer.compositions.body import Call, Value
from onnx_mlir_bridge.importer.compositions.registry import composes

DOMAIN = "ai.onnx.preview.training"


def _groups(call: Call, kinds: int) -> tuple[Value, Value, list[tuple[Value, ...]]]:
    """The learning rate, the update count, and the tensors that belong to each variable.

    Operands and results are sorted by kind: all variables, then all of their gradients, ...
    """
    rate, count, *tensors = call.operands("R T inputs*")
    if not tensors or len(tensors) % kinds:
        raise call.fail(f"needs {kinds} tensors for every variable; it has {len(tensors)} in all")
    variables = len(tensors) // kinds
    return rate, count, [tuple(tensors[i::variables]) for i in range(variables)]


def _by_kind(groups: list[list[Value]]) -> list[Value]:
    return [value for kind in zip(*groups, strict=True) for value in kind]


@composes(DOMAIN, "Adagrad")
def adagrad(call: Call) -> list[Value]:
    """Steps shrink with the sum of squared gradients."""
    rate, count, groups = _groups(call, 3)
    decay = call.attribute("decay_factor", 0.0)
    epsilon = call.attribute("epsilon", 0.0)
    norm = call.attribute("norm_coefficient", 0.0)
    rate = rate / (count.cast_like(rate) * decay + 1)
    results = []
    for x, gradient, squares in groups:
        regularized = x * norm + gradient
        new_squares = squares + regularized * regularized
        step = rate.cast_like(x) * regularized / (new_squares.op("Sqrt") + epsilon)
        results.append([x - step, new_squares])
    return _by_kind(results)


@composes(DOMAIN, "Adam")
def adam(call: Call) -> list[Value]:
    """Steps follow running means of the gradients and of their squares."""
    rate, count, groups = _groups(call, 4)
    alpha = call.attribute("alpha", 0.9)
    beta = call.attribute("beta", 0.999)
    epsilon = call.attribute("epsilon", 0.0)
    norm = call.attribute("norm_coefficient", 0.0)
    norm_post = call.attribute("norm_coefficient_post", 0.0)
    # The running means start at zero, which the first steps make up for.
    steps = count.cast_like(rate)
    alpha_power, beta_power = (call.scalar(base, rate) ** steps for base in (alpha, beta))
    # In step 0 both powers are 1, and neither term is used.
    corrected = rate * (1 - beta_power).op("Sqrt") / (1 - alpha_power)
    rate = corrected.where(count > 0, rate)
    results = []
    for x, gradient, means, squares in groups:
        regularized = x * norm + gradient
        new_means = means * alpha + regularized * (1 - alpha)
        new_squares = squares * beta + regularized * regularized * (1 - beta)
        moved = x - rate.cast_like(x) * new_means / (new_squares.op("Sqrt") + epsilon)
        results.append([moved * (1 - norm_post), new_means, new_squares])
    return _by_kind(results)


@composes(DOMAIN, "Momentum")
def momentum(call: Call) -> list[Value]:
    """Steps follow a running sum of the gradients."""
    rate, count, groups = _groups(call, 3)
    alpha, beta = call.required("alpha"), call.required("beta")
    norm, mode = call.required("norm_coefficient"), call.required("mode")
    if mode not in ("standard", "nesterov"):
        raise call.fail(f"has the mode '{mode}'; there are 'standard' and 'nesterov'")
    # The first gradient counts in full.
    first = call.scalar(1, TensorProto.DOUBLE)
    weight = call.scalar(beta, TensorProto.DOUBLE).where(count > 0, first)
    results = []
    for x, gradient, sums in groups:
        regularized = x * norm + gradient
        new_sums = sums * alpha + regularized * weight.cast_like(x)
        step = regularized + new_sums * alpha if mode == "nesterov" else new_sums
        results.append([x - rate.cast_like(x) * step, new_sums])
    return _by_kind(results)
