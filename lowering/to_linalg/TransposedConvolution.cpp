//===- TransposedConvolution.cpp - Lowering of ConvTranspose --------------===//
//
// A transposed convolution with a stride is a convolution without one that has
// `stride` times the features in each dimension: the elements of the result at
// the positions j * stride + phase, for each phase, are a convolution with
// every stride-th element of the kernel. What the convolutions give is
// interleaved afterwards.
//
//===----------------------------------------------------------------------===//

#include "dialect/ir/ops/Convolution.h"
#include "lowering/to_linalg/Convolution.h"
#include "lowering/to_linalg/Convolve.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/PhaseWeights.h"
#include "lowering/to_linalg/Rearrange.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

/// One spatial dimension of a transposed convolution.
struct TransposedDim {
  int64_t stride;
  /// That of the convolution: where there are phases, the kernels of the phases
  /// have zeros between their elements instead.
  int64_t dilation;
  Value input;
  /// What all that the input adds up to has before the result's first element.
  Value low;
  /// The result has `stride` elements for each of the input, and these.
  Value surplus;
  /// The elements of the kernel of one phase, and how far they reach.
  Value taps;
  Value reach;

  Value getSize(omb::IndexArithmetic index) const {
    return index.add(index.mul(input, index.constant(stride)), surplus);
  }
  /// The first window that has elements of the result, and how many it has
  /// before them.
  Value getFirstWindow(omb::IndexArithmetic index) const {
    return index.floorDiv(low, index.constant(stride));
  }
  Value countBefore(omb::IndexArithmetic index) const {
    return index.floorMod(low, index.constant(stride));
  }
  Value countWindows(omb::IndexArithmetic index) const {
    return index.add(input, countMoreWindows(index));
  }
  /// The elements of the last window after the result.
  Value countAfter(omb::IndexArithmetic index) const {
    return index.sub(index.mul(countMoreWindows(index), index.constant(stride)),
                     index.add(countBefore(index), surplus));
  }
  /// The windows that have no element of the input of their own.
  Value countMoreWindows(omb::IndexArithmetic index) const {
    return index.ceilDiv(index.add(countBefore(index), surplus),
                         index.constant(stride));
  }
};

} // namespace

static TransposedDim computeDim(omb::IndexArithmetic index,
                                const WindowAttributes &attributes, int64_t dim,
                                Value input, Value kernel,
                                int64_t outputPadding,
                                std::optional<int64_t> outputShape) {
  Value zero = index.constant(0);
  Value stride = index.constant(attributes.strides[dim]);
  Value extent = omb::getExtent(index, kernel, attributes.dilations[dim]);
  // That of the result without pads.
  Value whole =
      index.sub(index.add(extent, index.constant(outputPadding)), stride);
  Value low = index.constant(attributes.padsLow[dim]);
  Value high = index.constant(attributes.padsHigh[dim]);
  Value surplus = index.sub(whole, index.add(low, high));
  if (outputShape || attributes.isSame()) {
    // Pads take what is too much away, but can't add what is missing.
    surplus = outputShape ? index.sub(index.constant(*outputShape),
                                      index.mul(input, stride))
                          : index.min(whole, zero);
    Value total = index.max(index.sub(whole, surplus), zero);
    Value half = index.div(total, index.constant(2));
    low = attributes.autoPad == AutoPad::SameUpper ? half
                                                   : index.sub(total, half);
  }
  if (attributes.strides[dim] == 1)
    return {1, attributes.dilations[dim], input, low, surplus, kernel, extent};
  Value taps = index.ceilDiv(extent, stride);
  return {attributes.strides[dim], 1, input, low, surplus, taps, taps};
}

/// The input of the windows: with zeros around it, or cut off.
static Value padOrCrop(OpBuilder &builder, Location loc, Value input,
                       ArrayRef<TransposedDim> dims) {
  omb::IndexArithmetic index(builder, loc);
  Value zero = index.constant(0);
  Value one = index.constant(1);
  SmallVector<OpFoldResult> offsets(2, builder.getIndexAttr(0));
  SmallVector<OpFoldResult> low(offsets), high(offsets);
  SmallVector<OpFoldResult> sizes = getAsOpFoldResult(index.sizes(input));
  SmallVector<OpFoldResult> ones(sizes.size(), builder.getIndexAttr(1));
  bool isCropped = false;
  for (auto [position, dim] : llvm::enumerate(dims)) {
    Value lead =
        index.sub(index.sub(dim.reach, one), dim.getFirstWindow(index));
    Value trail = index.sub(
        index.sub(index.add(dim.countMoreWindows(index), dim.reach), one),
        lead);
    Value cutLow = index.max(index.sub(zero, lead), zero);
    Value cutHigh = index.max(index.sub(zero, trail), zero);
    isCropped |=
        !matchPattern(cutLow, m_Zero()) || !matchPattern(cutHigh, m_Zero());
    offsets.push_back(getAsOpFoldResult(cutLow));
    sizes[2 + position] =
        getAsOpFoldResult(index.sub(index.sub(dim.input, cutLow), cutHigh));
    low.push_back(getAsOpFoldResult(index.max(lead, zero)));
    high.push_back(getAsOpFoldResult(index.max(trail, zero)));
  }
  if (isCropped)
    input = tensor::ExtractSliceOp::create(builder, loc, input, offsets, sizes,
                                           ones);
  auto isZero = [](OpFoldResult size) { return isZeroInteger(size); };
  if (llvm::all_of(low, isZero) && llvm::all_of(high, isZero))
    return input;
  Value padding = omb::createZero(
      builder, loc, cast<RankedTensorType>(input.getType()).getElementType());
  return tensor::PadOp::create(builder, loc, Type(), input, low, high, padding);
}

/// The bias of each phase of each feature.
static Value repeatBias(OpBuilder &builder, Location loc, Value bias,
                        int64_t phases, int64_t group, Value features) {
  if (!bias || phases == 1)
    return bias;
  auto type = cast<RankedTensorType>(bias.getType());
  int64_t count = type.getDimSize(0);
  auto repeated = RankedTensorType::get(
      ShapedType::isDynamic(count) ? count : count * phases,
      type.getElementType());
  omb::IndexArithmetic index(builder, loc);
  Value inGroup = index.div(features, index.constant(group));
  Value block = index.mul(inGroup, index.constant(phases));
  return omb::buildFromIndices(
      builder, loc, repeated, {index.mul(features, index.constant(phases))},
      [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
        omb::IndexArithmetic inner(b, bodyLoc);
        Value which = inner.div(at[0], block);
        Value feature = inner.add(inner.mul(which, inGroup),
                                  inner.floorMod(at[0], inGroup));
        return tensor::ExtractOp::create(b, bodyLoc, bias, feature);
      });
}

/// `windows`, [batch, group * phases * features, windows...], with the phases
/// between the windows: [batch, group * features, elements...].
static Value interleavePhases(OpBuilder &builder, Location loc, Value windows,
                              int64_t group, ArrayRef<TransposedDim> dims,
                              Value features) {
  omb::IndexArithmetic index(builder, loc);
  SmallVector<Value> sizes = index.sizes(windows);
  omb::SizeGroups parts{{sizes[0]}, {}};
  SmallVector<int64_t> perm{0};
  SmallVector<ReassociationIndices> joined{{0}, {}};
  if (group != 1)
    parts[1].push_back(index.constant(group));
  int64_t phase = 1 + parts[1].size();
  for (const TransposedDim &dim : dims)
    if (dim.stride != 1)
      parts[1].push_back(index.constant(dim.stride));
  parts[1].push_back(index.div(features, index.constant(group)));
  int64_t next = 1 + parts[1].size();
  auto place = [&](int64_t dim, ReassociationIndices &into) {
    into.push_back(perm.size());
    perm.push_back(dim);
  };
  if (group != 1)
    place(1, joined[1]);
  place(next - 1, joined[1]);
  for (auto [position, dim] : llvm::enumerate(dims)) {
    parts.push_back({sizes[2 + position]});
    place(next++, joined.emplace_back());
    if (dim.stride != 1)
      place(phase++, joined.back());
  }
  Value expanded = omb::expandDims(builder, loc, windows, parts);
  return omb::permuteAndJoin(builder, loc, expanded, perm, joined);
}

/// The elements of `windows` that are in the result.
static Value cropToResult(OpBuilder &builder, Location loc, Value windows,
                          ArrayRef<TransposedDim> dims) {
  omb::IndexArithmetic index(builder, loc);
  SmallVector<OpFoldResult> offsets(2, builder.getIndexAttr(0));
  SmallVector<OpFoldResult> sizes = getAsOpFoldResult(index.sizes(windows));
  SmallVector<OpFoldResult> ones(sizes.size(), builder.getIndexAttr(1));
  bool isCropped = false;
  for (auto [position, dim] : llvm::enumerate(dims)) {
    offsets.push_back(getAsOpFoldResult(dim.countBefore(index)));
    isCropped |= !isZeroInteger(offsets.back()) ||
                 !matchPattern(dim.countAfter(index), m_Zero());
    sizes[2 + position] = getAsOpFoldResult(dim.getSize(index));
  }
  if (!isCropped)
    return windows;
  return tensor::ExtractSliceOp::create(builder, loc, windows, offsets, sizes,
                                        ones);
}

namespace {

struct ConvTransposeToLinalg : OpConversionPattern<ConvTransposeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ConvTransposeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    StringRef obstacle = omb::findConvolutionObstacle(
        dyn_cast<RankedTensorType>(adaptor.getX().getType()),
        dyn_cast<RankedTensorType>(adaptor.getW().getType()), type,
        op.getGroup());
    if (!obstacle.empty())
      return rewriter.notifyMatchFailure(op, obstacle);
    auto inputType = cast<RankedTensorType>(adaptor.getX().getType());
    int64_t rank = inputType.getRank() - 2;
    FailureOr<WindowAttributes> attributes = getWindowAttributes(op, rank);
    auto outputPadding = getSpatialAttribute(op, "output_padding", rank, 0, 0);
    auto outputShape = getSpatialAttribute(op, "output_shape", rank, 1, 0);
    if (failed(attributes) || failed(outputPadding) || failed(outputShape))
      return rewriter.notifyMatchFailure(op, "its attributes are invalid");

    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> input = index.sizes(adaptor.getX());
    SmallVector<Value> weights = index.sizes(adaptor.getW());
    index.require(index.isEqual(input[1], weights[0]),
                  "ConvTranspose has weights for another number of channels");
    SmallVector<TransposedDim> dims;
    SmallVector<Value> sizes{
        input[0], index.mul(weights[1], index.constant(op.getGroup()))};
    for (int64_t dim = 0; dim < rank; ++dim) {
      std::optional<int64_t> given;
      if (op.getOutputShape())
        given = (*outputShape)[dim];
      dims.push_back(computeDim(index, *attributes, dim, input[2 + dim],
                                weights[2 + dim], (*outputPadding)[dim],
                                given));
      sizes.push_back(dims.back().getSize(index));
      index.require(index.isLess(index.constant(-1), sizes.back()),
                    "ConvTranspose has pads that leave nothing");
    }
    Value result = llvm::is_contained(type.getShape(), 0)
                       ? omb::createEmpty(rewriter, loc, type, sizes)
                       : convolve(rewriter, op, adaptor, dims,
                                  attributes->dilations, sizes);
    result = omb::convertFloats(rewriter, loc, result, type.getElementType());
    rewriter.replaceOp(op, omb::castTensor(rewriter, loc, result, type));
    return success();
  }

private:
  /// The result, in the accumulator's type.
  static Value convolve(OpBuilder &builder, ConvTransposeOp op,
                        OpAdaptor adaptor, ArrayRef<TransposedDim> dims,
                        ArrayRef<int64_t> dilations, ArrayRef<Value> sizes) {
    Location loc = op.getLoc();
    omb::IndexArithmetic index(builder, loc);
    int64_t group = op.getGroup();
    omb::PhaseWeights layout{group, {}, llvm::to_vector(dilations), {}};
    SmallVector<int64_t> convolved;
    int64_t phases = 1;
    for (const TransposedDim &dim : dims) {
      layout.strides.push_back(dim.stride);
      layout.taps.push_back(dim.taps);
      convolved.push_back(dim.dilation);
      phases *= dim.stride;
    }
    SmallVector<Value> windows{sizes[0],
                               index.mul(sizes[1], index.constant(phases))};
    for (const TransposedDim &dim : dims)
      windows.push_back(dim.countWindows(index));
    SmallVector<int64_t> shape;
    for (Value size : windows)
      shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
    Type element =
        cast<RankedTensorType>(adaptor.getX().getType()).getElementType();
    auto type = RankedTensorType::get(shape, omb::getAccumulatorType(element));

    Value bias =
        repeatBias(builder, loc, adaptor.getB(), phases, group, sizes[1]);
    Value init = omb::buildConvolutionInit(builder, loc, type, windows, bias);
    Value sum = omb::buildConvolution(
        builder, loc, padOrCrop(builder, loc, adaptor.getX(), dims),
        layout.build(builder, loc, adaptor.getW()), init, group,
        SmallVector<int64_t>(dims.size(), 1), convolved);
    if (phases == 1)
      return sum;
    sum = interleavePhases(builder, loc, sum, group, dims, sizes[1]);
    return cropToResult(builder, loc, sum, dims);
  }
};

} // namespace

void omb::populateTransposedConvolutionToLinalgPatterns(
    const TypeConverter &converter, RewritePatternSet &patterns) {
  patterns.add<ConvTransposeToLinalg>(converter, patterns.getContext());
}
