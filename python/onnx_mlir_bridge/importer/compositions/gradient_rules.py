"""The gradients of operators of the default domain, in the newest opset, for gradient.py."""

from __future__ import annotations

import math

from onnx import TensorProto

from onnx_mlir_bridge.importer.compositions.body import Value
from onnx_mlir_bridge.importer.compositions.gradient import Step, differentiates

Gradients = list["Value | None"]


# Elementwise operators of one operand.


@differentiates("Identity Dropout")
def identity(step: Step) -> Gradients:
    """d(x) = d(y); Dropout is one outside of training."""
    if step.node.op_type == "Dropout" and len(step.node.input) > 2 and step.node.input[2]:
        training = step.array(2)
        if training is None or training.item():
            raise step.fail("there is no gradient of Dropout in training")
    return [step.gradient]


@differentiates("Cast")
def cast(step: Step) -> Gradients:
    """Back to the type of the operand; integers have no gradient."""
    return [step.gradient.op("CastLike", step.inputs[0])]


@differentiates("Neg")
def neg(step: Step) -> Gradients:
    """y = -x."""
    return [-step.gradient]


@differentiates("Abs")
def absolute(step: Step) -> Gradients:
    """y = |x|."""
    return [step.gradient * step.inputs[0].op("Sign")]


@differentiates("Exp")
def exp(step: Step) -> Gradients:
    """y = e^x."""
    return [step.gradient * step.output]


@differentiates("Log")
def log(step: Step) -> Gradients:
    """y = ln x."""
    return [step.gradient / step.inputs[0]]


@differentiates("Sqrt")
def sqrt(step: Step) -> Gradients:
    """y = sqrt x."""
    return [step.gradient * 0.5 / step.output]


@differentiates("Reciprocal")
def reciprocal(step: Step) -> Gradients:
    """y = 1 / x."""
    return [-(step.gradient * step.output * step.output)]


@differentiates("Sin")
def sin(step: Step) -> Gradients:
    """y = sin x."""
    return [step.gradient * step.inputs[0].op("Cos")]


@differentiates("Cos")
def cos(step: Step) -> Gradients:
    """y = cos x."""
    return [-(step.gradient * step.inputs[0].op("Sin"))]


@differentiates("Tanh")
def tanh(step: Step) -> Gradients:
    """y = tanh x."""
    return [step.gradient * (1 - step.output * step.output)]


@differentiates("Sigmoid")
def sigmoid(step: Step) -> Gradients:
    """y = 1 / (1 + e^-x)."""
    return [step.gradient * step.output * (1 - step.output)]


@differentiates("Softplus")
def softplus(step: Step) -> Gradients:
    """y = ln(1 + e^x)."""
    return [step.gradient * step.inputs[0].op("Sigmoid")]


@differentiates("Erf")
def erf(step: Step) -> Gradients:
    """y = erf x."""
    x = step.inputs[0]
    return [step.gradient * (-(x * x)).op("Exp") * (2 / math.sqrt(math.pi))]


@differentiates("Relu")
def relu(step: Step) -> Gradients:
    """y = max(x, 0); 0 at 0."""
    return [step.gradient.where(step.inputs[0] > 0, 0)]


@differentiates("LeakyRelu")
def leaky_relu(step: Step) -> Gradients:
    """y = x or alpha * x."""
    slope = step.attribute("alpha", 0.01)
    return [step.gradient.where(step.inputs[0] >= 0, step.gradient * slope)]


@differentiates("Elu Selu Celu")
def elu(step: Step) -> Gradients:
    """Scaled x or a scaled exponential, whose slope is the result's distance from its end."""
    defaults = {"Elu": (1.0, 1.0), "Selu": (1.6732631921768188, 1.0507010221481323)}
    alpha, gamma = defaults.get(step.node.op_type, (1.0, 1.0))
    alpha, gamma = step.attribute("alpha", alpha), step.attribute("gamma", gamma)
    bent = step.output / alpha + 1 if step.node.op_type == "Celu" else step.output + alpha * gamma
    return [(step.gradient * gamma).where(step.inputs[0] > 0, step.gradient * bent)]


@differentiates("Gelu")
def gelu(step: Step) -> Gradients:
    """y = x * Phi(x), and its approximation by tanh."""
    x = step.inputs[0]
    if step.attribute("approximate", b"none") == b"tanh":
        inner = (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)
        slope = (x * x * (3 * 0.044715) + 1) * math.sqrt(2 / math.pi)
        bend = inner.op("Tanh")
        return [step.gradient * 0.5 * (bend + 1 + x * slope * (1 - bend * bend))]
    phi = (x * x * -0.5).op("Exp") * (1 / math.sqrt(2 * math.pi))
    return [step.gradient * ((x * math.sqrt(0.5)).op("Erf") * 0.5 + 0.5 + x * phi)]


@differentiates("Clip")
def clip(step: Step) -> Gradients:
    """The gradient passes where the value isn't clipped."""
    x = step.inputs[0]
    result = step.gradient
    for bound, within in zip(step.inputs[1:], (Value.__ge__, Value.__le__), strict=False):
        if bound is not None:
            result = result.where(within(x, bound), 0)
    return [result]


# Elementwise operators of several operands, which may broadcast.


@differentiates("Add Sum")
def add(step: Step) -> Gradients:
    """y = a + b + ..."""
    return [step.fit(step.gradient, i) for i in range(len(step.inputs))]


@differentiates("Sub")
def sub(step: Step) -> Gradients:
    """y = a - b."""
    return [step.fit(step.gradient, 0), step.fit(-step.gradient, 1)]


@differentiates("Mul")
def mul(step: Step) -> Gradients:
    """y = a * b."""
    a, b = step.inputs
    return [step.fit(step.gradient * b, 0), step.fit(step.gradient * a, 1)]


@differentiates("Div")
def div(step: Step) -> Gradients:
    """y = a / b."""
    _, b = step.inputs
    share = step.gradient / b
    return [step.fit(share, 0), step.fit(-(share * step.output), 1)]


@differentiates("Pow")
def power(step: Step) -> Gradients:
    """y = a ^ b; by b only where a is positive, since the logarithm ends there."""
    base, exponent = step.inputs
    by_base = by_exponent = None
    if step.needs(0):
        # An exponent may be of another type than its base.
        exponent_like = exponent.op("CastLike", base)
        slope = exponent_like * base ** (exponent_like - 1)
        by_base = step.fit(step.gradient * slope.where(exponent_like.equal(0).op("Not"), 0), 0)
    if step.needs(1):
        one = step.body.scalar(1, base)
        logarithm = base.where(base > 0, one).op("Log")
        flow = (step.gradient * step.output * logarithm).op("CastLike", exponent)
        by_exponent = step.fit(flow, 1)
    return [by_base, by_exponent]


@differentiates("Max Min")
def extremum(step: Step) -> Gradients:
    """The gradient is shared by the operands that have the result's value."""
    # Equal, not >: the result is one of the operands.
    hits = [x.equal(step.output).op("CastLike", step.output) for x in step.inputs]
    count = hits[0]
    for hit in hits[1:]:
        count = count + hit
    share = step.gradient / count
    return [step.fit(share * hit, i) for i, hit in enumerate(hits)]


@differentiates("Where")
def where(step: Step) -> Gradients:
    """The gradient passes to the operand that was chosen."""
    condition, zero = step.inputs[0], step.zeros(step.gradient)
    chosen = step.gradient.where(condition, zero)
    other = zero.where(condition, step.gradient)
    return [None, step.fit(chosen, 1), step.fit(other, 2)]


# Products.


@differentiates("MatMul")
def matmul(step: Step) -> Gradients:
    """y = a @ b, with broadcasting of the leading dimensions; vectors get a dimension."""
    a, b, flow = *step.inputs, step.gradient
    ranks = step.rank(0), step.rank(1)
    if ranks == (1, 1):
        return [flow * b, flow * a]
    if ranks[0] == 1:
        a, flow = a.unsqueeze(0), flow.unsqueeze(-2)
    if ranks[1] == 1:
        b, flow = b.unsqueeze(-1), flow.unsqueeze(-1)
    by_a = by_b = None
    if step.needs(0):
        by_a = _sum_batch(step, flow @ _swapped(b, max(ranks[1], 2)), a, max(ranks[0], 2), ranks[1])
        by_a = by_a.squeeze(0) if ranks[0] == 1 else by_a
    if step.needs(1):
        by_b = _sum_batch(step, _swapped(a, max(ranks[0], 2)) @ flow, b, max(ranks[1], 2), ranks[0])
        by_b = by_b.squeeze(-1) if ranks[1] == 1 else by_b
    return [by_a, by_b]


def _swapped(x: Value, rank: int) -> Value:
    return x.transpose(*range(rank - 2), rank - 1, rank - 2)


def _sum_batch(step: Step, flow: Value, operand: Value, rank: int, other: int) -> Value:
    """Sums over leading dimensions that `operand` of `rank` lacks, or has of size 1."""
    lead = max(other - rank, 0)
    if lead:
        flow = flow.sum(*range(lead), keepdims=False)
    if rank == 2:
        return flow
    # Each leading dimension is split in repetitions and elements.
    sizes: list[Value | int] = []
    one = step.body.ints([1])
    for axis in range(rank - 2):
        own = operand.size(axis)
        sizes += [flow.size(axis) // own.op("Max", one), own]
    sizes += [flow.size(rank - 2), flow.size(rank - 1)]
    split = flow.op("Reshape", step.body.sizes(*sizes), allowzero=1)
    return split.sum(*range(0, 2 * (rank - 2), 2), keepdims=False)


@differentiates("Gemm")
def gemm(step: Step) -> Gradients:
    """y = alpha * A' @ B' + beta * C."""
    a, b = step.inputs[:2]
    flow = step.gradient * step.attribute("alpha", 1.0)
    left = a.transpose(1, 0) if step.attribute("transA", 0) else a
    right = b.transpose(1, 0) if step.attribute("transB", 0) else b
    by_a = flow @ right.transpose(1, 0)
    by_b = left.transpose(1, 0) @ flow
    if step.attribute("transA", 0):
        by_a = by_a.transpose(1, 0)
    if step.attribute("transB", 0):
        by_b = by_b.transpose(1, 0)
    result: Gradients = [by_a, by_b]
    if len(step.inputs) > 2 and step.inputs[2] is not None:
        result.append(step.fit(step.gradient * step.attribute("beta", 1.0), 2))
    return result


# Movement of data.


@differentiates("Reshape Flatten Squeeze Unsqueeze")
def reshape(step: Step) -> Gradients:
    """The gradient in the shape of the operand."""
    return [step.gradient.op("Reshape", step.inputs[0].shape(), allowzero=1)]


@differentiates("Transpose")
def transpose(step: Step) -> Gradients:
    """The inverse permutation."""
    rank = step.rank(0)
    permutation = list(step.attribute("perm", range(rank - 1, -1, -1)))
    return [step.gradient.transpose(*(permutation.index(axis) for axis in range(rank)))]


@differentiates("Expand")
def expand(step: Step) -> Gradients:
    """The sum of the repetitions."""
    return [step.fit(step.gradient, 0)]


@differentiates("Concat")
def concat(step: Step) -> Gradients:
    """The parts."""
    axis = step.attribute("axis") % step.rank(0)
    sizes = [x.size(axis) for x in step.inputs]
    if len(sizes) == 1:
        return [step.gradient]
    return list(step.gradient.split(axis, *sizes))


@differentiates("Split")
def split(step: Step) -> Gradients:
    """The gradients of the parts, one after the other."""
    axis = step.attribute("axis", 0)
    parts = []
    for output, flow in zip(step.outputs, step.gradients, strict=True):
        if output is None:
            raise step.fail("it has an output without a name")
        parts.append(step.zeros(output) if flow is None else flow)
    return [step.body.concat(axis, *parts)]


@differentiates("Slice")
def slice_(step: Step) -> Gradients:
    """The gradient at the places that were taken; zeros elsewhere."""
    x = step.inputs[0]
    numbers = step.body.positions(0, x.shape().op("ReduceProd", keepdims=0).unsqueeze(0))
    places = numbers.op("Reshape", x.shape(), allowzero=1).op("Slice", *step.inputs[1:])
    zeros = step.zeros(x).reshape(-1)
    flat = zeros.op("ScatterElements", places.reshape(-1), step.gradient.reshape(-1), axis=0)
    return [flat.op("Reshape", x.shape(), allowzero=1)]


@differentiates("Gather")
def gather(step: Step) -> Gradients:
    """The sum of what was taken from every place."""
    x, places = step.inputs
    axis = step.attribute("axis", 0) % step.rank(0)
    rank, taken = step.rank(0), step.rank(1)
    # The gathered dimensions as one, in front.
    order = [*range(axis, axis + taken), *range(axis), *range(axis + taken, rank + taken - 1)]
    flow = step.gradient.transpose(*order)
    rest = [x.size(i) for i in range(rank) if i != axis]
    flow = flow.op("Reshape", step.body.sizes(places.op("Size").unsqueeze(0), *rest), allowzero=1)
    zeros = step.body.scalar(0, x).expand(x.size(axis), *rest)
    size = x.size(axis)
    flat = places.cast(TensorProto.INT64).reshape(-1)
    flat = (flat + size).where(flat < 0, flat).unsqueeze(-1)
    result = zeros.op("ScatterND", flat, flow, reduction="add")
    return [result.transpose(*range(1, axis + 1), 0, *range(axis + 1, rank))]


@differentiates("GatherElements")
def gather_elements(step: Step) -> Gradients:
    """The sum of what was taken from every place."""
    x, places = step.inputs
    axis = step.attribute("axis", 0)
    zeros = step.zeros(x)
    return [zeros.op("ScatterElements", places, step.gradient, axis=axis, reduction="add")]


# Reductions.


def _reduced_axes(step: Step) -> list[int]:
    rank = step.rank(0)
    if len(step.node.input) < 2 or not step.node.input[1]:
        return [] if step.attribute("noop_with_empty_axes", 0) else list(range(rank))
    axes = step.array(1)
    if axes is None:
        raise step.fail("its axes aren't constant")
    if not axes.size and not step.attribute("noop_with_empty_axes", 0):
        return list(range(rank))
    return sorted(int(axis) % rank for axis in axes)


def _restored(step: Step, value: Value, axes: list[int]) -> Value:
    """A value in the shape of the result with the reduced dimensions of size 1."""
    return value if step.attribute("keepdims", 1) or not axes else value.unsqueeze(*axes)


@differentiates("ReduceSum")
def reduce_sum(step: Step) -> Gradients:
    """Every element gets the gradient of its sum."""
    flow = _restored(step, step.gradient, _reduced_axes(step))
    return [flow.op("Expand", step.inputs[0].shape())]


@differentiates("ReduceMean")
def reduce_mean(step: Step) -> Gradients:
    """Every element gets its share."""
    x, axes = step.inputs[0], _reduced_axes(step)
    if not axes:
        return [step.gradient]
    count = step.body.sizes(*(x.size(axis) for axis in axes)).op("ReduceProd", keepdims=0)
    flow = _restored(step, step.gradient / count.op("CastLike", x), axes)
    return [flow.op("Expand", x.shape())]


@differentiates("ReduceSumSquare")
def reduce_sum_square(step: Step) -> Gradients:
    """y = sum of x^2."""
    return [step.inputs[0] * 2 * _restored(step, step.gradient, _reduced_axes(step))]


@differentiates("ReduceMax ReduceMin")
def reduce_extremum(step: Step) -> Gradients:
    """The gradient is shared by the elements that have the result's value."""
    x, axes = step.inputs[0], _reduced_axes(step)
    hits = x.equal(_restored(step, step.output, axes)).op("CastLike", x)
    return [hits * (_restored(step, step.gradient, axes) / hits.sum(*axes))]


@differentiates("Softmax")
def softmax(step: Step) -> Gradients:
    """dx = y * (dy - sum(dy * y))."""
    axis, flow = step.attribute("axis", -1), step.gradient
    return [step.output * (flow - (flow * step.output).sum(axis))]


@differentiates("LogSoftmax")
def log_softmax(step: Step) -> Gradients:
    """dx = dy - e^y * sum(dy)."""
    axis, flow = step.attribute("axis", -1), step.gradient
    return [flow - step.output.op("Exp") * flow.sum(axis)]


@differentiates("RMSNormalization")
def rms_normalization(step: Step) -> Gradients:
    """y = x / r * scale with r = sqrt(mean(x^2) + epsilon)."""
    x, scale = step.inputs
    rank = step.rank(0)
    axes = range(step.attribute("axis", -1) % rank, rank)
    root = ((x * x).mean(*axes) + step.attribute("epsilon", 1e-5)).op("Sqrt")
    unit = x / root
    flow = step.gradient * scale
    by_x = (flow - unit * (flow * unit).mean(*axes)) / root
    return [by_x, step.fit(step.gradient * unit, 1)]
