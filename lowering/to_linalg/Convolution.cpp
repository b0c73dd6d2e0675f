//===- Convolution.cpp - Lowering of convolutions -------------------------===//

#include "dialect/ir/ops/Convolution.h"
#include "lowering/to_linalg/Convolve.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/TypeConversion.h"
#include "lowering/to_linalg/Windows.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

/// Why a convolution can't be lowered; empty where it can. Shape inference
/// has told the user already, unless it didn't run.
static StringRef findObstacle(RankedTensorType input, RankedTensorType weights,
                              RankedTensorType result, int64_t group) {
  if (!input || !weights || !result)
    return "the rank of the input, the weights or the result isn't known";
  if (input.getRank() < 2 || weights.getRank() != input.getRank() ||
      result.getRank() != input.getRank())
    return "the ranks of input, weights and result differ";
  auto isDivisible = [&](int64_t size) {
    return ShapedType::isDynamic(size) || size % group == 0;
  };
  if (group < 1 || !isDivisible(input.getDimSize(1)) ||
      !isDivisible(weights.getDimSize(0)))
    return "the channels can't be divided into the groups";
  return {};
}

/// What the convolution is added to: the bias, or 0.
static Value createInit(OpBuilder &builder, Location loc, RankedTensorType type,
                        ValueRange sizes, Value bias) {
  Type elementType = type.getElementType();
  if (!bias)
    return omb::createFilled(builder, loc, type, sizes,
                             omb::createZero(builder, loc, elementType));
  bias = omb::convertFloats(builder, loc, bias, elementType);
  bias =
      omb::castTensor(builder, loc, bias,
                      RankedTensorType::get(type.getDimSize(1), elementType));
  SmallVector<int64_t> dims;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (dim != 1)
      dims.push_back(dim);
  Value init = omb::createEmpty(builder, loc, type, sizes);
  return linalg::BroadcastOp::create(builder, loc, bias, init, dims)
      .getResult()
      .front();
}

namespace {

struct ConvToLinalg : OpConversionPattern<ConvOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ConvOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto inputType = dyn_cast<RankedTensorType>(adaptor.getX().getType());
    auto weightsType = dyn_cast<RankedTensorType>(adaptor.getW().getType());
    int64_t group = op.getGroup();
    StringRef obstacle = findObstacle(inputType, weightsType, type, group);
    if (!obstacle.empty())
      return rewriter.notifyMatchFailure(op, obstacle);
    FailureOr<WindowAttributes> attributes =
        getWindowAttributes(op, inputType.getRank() - 2);
    if (failed(attributes))
      return rewriter.notifyMatchFailure(op, "its attributes are invalid");

    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> input = index.sizes(adaptor.getX());
    SmallVector<Value> weights = index.sizes(adaptor.getW());
    index.require(
        index.isEqual(input[1], index.mul(weights[1], index.constant(group))),
        "Conv has weights for another number of channels");
    SmallVector<omb::WindowDim> windows =
        omb::computeWindows(index, *attributes, ValueRange(input).drop_front(2),
                            ValueRange(weights).drop_front(2), "Conv");
    SmallVector<Value> sizes = {input[0], weights[0]};
    for (const omb::WindowDim &dim : windows)
      sizes.push_back(dim.count);
    RankedTensorType sumType =
        type.clone(omb::getAccumulatorType(type.getElementType()));
    Value init = createInit(rewriter, loc, sumType, sizes, adaptor.getB());
    Value padded = omb::padWindows(
        rewriter, loc, adaptor.getX(), windows,
        omb::createZero(rewriter, loc, inputType.getElementType()));
    Value sum = omb::buildConvolution(rewriter, loc, padded, adaptor.getW(),
                                      init, group, omb::getStrides(windows),
                                      omb::getDilations(windows));
    rewriter.replaceOp(
        op, omb::convertFloats(rewriter, loc, sum, type.getElementType()));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// ConvTranspose
//===----------------------------------------------------------------------===//

/// One spatial dimension of a transposed convolution: a convolution with stride
/// 1 over the input with `stride` - 1 zeros after each element, `lead` more
/// before it and `trail` more after it. Negative ones are cut off.
struct SpreadDim {
  int64_t stride;
  Value lead;
  Value trail;
  /// The size of the result.
  Value size;
};

SpreadDim computeSpread(omb::IndexArithmetic index,
                        const WindowAttributes &attributes, int64_t dim,
                        Value input, Value kernel, int64_t outputPadding,
                        std::optional<int64_t> outputShape) {
  Value zero = index.constant(0);
  Value stride = index.constant(attributes.strides[dim]);
  Value extent = omb::getExtent(index, kernel, attributes.dilations[dim]);
  Value spread = index.mul(input, stride);
  // How much the result without pads is larger than the spread input.
  Value surplus =
      index.sub(index.add(extent, index.constant(outputPadding)), stride);
  Value low = index.constant(attributes.padsLow[dim]);
  Value trail = index.sub(surplus, index.constant(attributes.padsHigh[dim]));
  Value size = index.add(spread, index.sub(trail, low));
  if (outputShape || attributes.isSame()) {
    size = outputShape ? index.constant(*outputShape) : spread;
    Value excess =
        outputShape ? index.sub(index.add(spread, surplus), size) : surplus;
    Value total = index.max(excess, zero);
    Value half = index.div(total, index.constant(2));
    low = attributes.autoPad == AutoPad::SameUpper ? half
                                                   : index.sub(total, half);
    trail = outputShape ? index.add(index.sub(size, spread), low) : low;
  }
  Value lead = index.sub(index.sub(extent, index.constant(1)), low);
  return {attributes.strides[dim], lead, trail, size};
}

/// The spatial dimensions of `input` with zeros after each element: each is
/// made two, the second one is padded, and both become one again.
Value interleaveZeros(OpBuilder &builder, Location loc, Value input,
                      ArrayRef<SpreadDim> dims, Value zero) {
  if (llvm::all_of(dims, [](const SpreadDim &dim) { return dim.stride == 1; }))
    return input;
  auto type = cast<RankedTensorType>(input.getType());
  omb::IndexArithmetic index(builder, loc);
  SmallVector<int64_t> shape(type.getShape().take_front(2));
  SmallVector<OpFoldResult> sizes = {getAsOpFoldResult(index.size(input, 0)),
                                     getAsOpFoldResult(index.size(input, 1))};
  SmallVector<OpFoldResult> low(type.getRank() + dims.size(),
                                builder.getIndexAttr(0));
  SmallVector<OpFoldResult> high(2, builder.getIndexAttr(0));
  SmallVector<ReassociationIndices> groups = {{0}, {1}};
  for (auto [position, dim] : llvm::enumerate(dims)) {
    int64_t first = shape.size();
    groups.push_back({first, first + 1});
    llvm::append_values(shape, type.getDimSize(2 + position), int64_t(1));
    llvm::append_values(sizes,
                        getAsOpFoldResult(index.size(input, 2 + position)),
                        OpFoldResult(builder.getIndexAttr(1)));
    llvm::append_values(high, OpFoldResult(builder.getIndexAttr(0)),
                        OpFoldResult(builder.getIndexAttr(dim.stride - 1)));
  }
  Value expanded = tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), input,
      groups, sizes);
  Value padded =
      tensor::PadOp::create(builder, loc, Type(), expanded, low, high, zero);
  return tensor::CollapseShapeOp::create(builder, loc, padded, groups);
}

/// Adds what `dims` lead and trail with, or cuts it off.
Value padOrCrop(OpBuilder &builder, Location loc, Value input,
                ArrayRef<SpreadDim> dims, Value padding) {
  omb::IndexArithmetic index(builder, loc);
  Value zero = index.constant(0);
  SmallVector<OpFoldResult> offsets(2, builder.getIndexAttr(0));
  SmallVector<OpFoldResult> low(offsets), high(offsets);
  SmallVector<OpFoldResult> sizes = getAsOpFoldResult(index.sizes(input));
  SmallVector<OpFoldResult> ones(sizes.size(), builder.getIndexAttr(1));
  bool isCropped = false;
  for (auto [position, dim] : llvm::enumerate(dims)) {
    Value cutLow = index.max(index.sub(zero, dim.lead), zero);
    Value cutHigh = index.max(index.sub(zero, dim.trail), zero);
    isCropped |=
        !matchPattern(cutLow, m_Zero()) || !matchPattern(cutHigh, m_Zero());
    Value size = index.size(input, 2 + position);
    offsets.push_back(getAsOpFoldResult(cutLow));
    sizes[2 + position] =
        getAsOpFoldResult(index.sub(index.sub(size, cutLow), cutHigh));
    low.push_back(getAsOpFoldResult(index.max(dim.lead, zero)));
    high.push_back(getAsOpFoldResult(index.max(dim.trail, zero)));
  }
  if (isCropped)
    input = tensor::ExtractSliceOp::create(builder, loc, input, offsets, sizes,
                                           ones);
  return tensor::PadOp::create(builder, loc, Type(), input, low, high, padding);
}

/// The weights (channels, features of a group, spatial dimensions) of a
/// transposed convolution as those of the convolution: (features, channels of a
/// group, spatial dimensions backwards).
Value flipWeights(OpBuilder &builder, Location loc, Value weights,
                  int64_t group) {
  auto type = cast<RankedTensorType>(weights.getType());
  omb::IndexArithmetic index(builder, loc);
  SmallVector<Value> from = index.sizes(weights);
  SmallVector<Value> sizes(from);
  Value groups = index.constant(group);
  sizes[0] = index.mul(from[1], groups);
  sizes[1] = index.div(from[0], groups);
  SmallVector<int64_t> shape(type.getShape());
  for (int64_t dim : {0, 1})
    shape[dim] = getConstantIntValue(sizes[dim]).value_or(ShapedType::kDynamic);
  return omb::buildFromIndices(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), sizes,
      [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
        omb::IndexArithmetic inner(b, bodyLoc);
        SmallVector<Value> position(at);
        position[0] = at[1];
        position[1] = at[0];
        if (group != 1) {
          Value which = inner.div(at[0], from[1]);
          position[0] = inner.add(inner.mul(which, sizes[1]), at[1]);
          position[1] = inner.sub(at[0], inner.mul(which, from[1]));
        }
        Value one = inner.constant(1);
        for (size_t dim = 2; dim < at.size(); ++dim)
          position[dim] = inner.sub(inner.sub(from[dim], one), at[dim]);
        return tensor::ExtractOp::create(b, bodyLoc, weights, position);
      });
}

struct ConvTransposeToLinalg : OpConversionPattern<ConvTransposeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ConvTransposeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto inputType = dyn_cast<RankedTensorType>(adaptor.getX().getType());
    auto weightsType = dyn_cast<RankedTensorType>(adaptor.getW().getType());
    int64_t group = op.getGroup();
    StringRef obstacle = findObstacle(inputType, weightsType, type, group);
    if (!obstacle.empty())
      return rewriter.notifyMatchFailure(op, obstacle);
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
    SmallVector<Value> sizes = {input[0],
                                index.mul(weights[1], index.constant(group))};
    SmallVector<SpreadDim> dims;
    for (int64_t dim = 0; dim < rank; ++dim) {
      std::optional<int64_t> given;
      if (op.getOutputShape())
        given = (*outputShape)[dim];
      dims.push_back(computeSpread(index, *attributes, dim, input[2 + dim],
                                   weights[2 + dim], (*outputPadding)[dim],
                                   given));
      sizes.push_back(dims.back().size);
      index.require(index.isLess(index.constant(-1), dims.back().size),
                    "ConvTranspose has pads that leave nothing");
    }
    RankedTensorType sumType =
        type.clone(omb::getAccumulatorType(type.getElementType()));
    Value init = createInit(rewriter, loc, sumType, sizes, adaptor.getB());
    Value zero = omb::createZero(rewriter, loc, inputType.getElementType());
    Value spread = interleaveZeros(rewriter, loc, adaptor.getX(), dims, zero);
    spread = padOrCrop(rewriter, loc, spread, dims, zero);
    Value flipped = flipWeights(rewriter, loc, adaptor.getW(), group);
    Value sum = omb::buildConvolution(rewriter, loc, spread, flipped, init,
                                      group, SmallVector<int64_t>(rank, 1),
                                      attributes->dilations);
    rewriter.replaceOp(
        op, omb::convertFloats(rewriter, loc, sum, type.getElementType()));
    return success();
  }
};

} // namespace

void omb::populateConvolutionToLinalgPatterns(const TypeConverter &converter,
                                              RewritePatternSet &patterns) {
  patterns.add<ConvToLinalg, ConvTransposeToLinalg>(converter,
                                                    patterns.getContext());
}
