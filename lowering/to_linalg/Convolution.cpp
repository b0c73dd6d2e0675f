//===- Convolution.cpp - Lowering of convolutions -------------------------===//

#include "lowering/to_linalg/Convolution.h"

#include "dialect/ir/ops/Convolution.h"
#include "lowering/to_linalg/Convolve.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

StringRef omb::findConvolutionObstacle(RankedTensorType input,
                                       RankedTensorType weights,
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

/// Fails, and says why, where there is an obstacle.
template <typename OpT>
static LogicalResult matchTypes(OpT op, typename OpT::Adaptor adaptor,
                                RankedTensorType result,
                                ConversionPatternRewriter &rewriter) {
  StringRef obstacle = omb::findConvolutionObstacle(
      dyn_cast<RankedTensorType>(adaptor.getX().getType()),
      dyn_cast<RankedTensorType>(adaptor.getW().getType()), result,
      op.getGroup());
  if (obstacle.empty())
    return success();
  return rewriter.notifyMatchFailure(op, obstacle);
}

omb::ConvolutionSizes
omb::computeConvolution(IndexArithmetic index,
                        const WindowAttributes &attributes, Value input,
                        Value weights, int64_t group, StringRef name) {
  SmallVector<Value> inputSizes = index.sizes(input);
  SmallVector<Value> weightSizes = index.sizes(weights);
  Value groups = index.constant(group);
  index.require(index.isEqual(inputSizes[1], index.mul(weightSizes[1], groups)),
                name + " has weights for another number of channels");
  index.require(
      index.isEqual(index.floorMod(weightSizes[0], groups), index.constant(0)),
      name + " has features that can't be divided into the groups");
  ConvolutionSizes sizes;
  sizes.windows =
      computeWindows(index, attributes, ValueRange(inputSizes).drop_front(2),
                     ValueRange(weightSizes).drop_front(2), name);
  sizes.result = {inputSizes[0], weightSizes[0]};
  for (const WindowDim &dim : sizes.windows)
    sizes.result.push_back(dim.count);
  return sizes;
}

namespace {

struct ConvToLinalg : OpConversionPattern<ConvOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ConvOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (failed(matchTypes(op, adaptor, type, rewriter)))
      return failure();
    auto inputType = cast<RankedTensorType>(adaptor.getX().getType());
    int64_t group = op.getGroup();
    FailureOr<WindowAttributes> attributes =
        getWindowAttributes(op, inputType.getRank() - 2);
    if (failed(attributes))
      return rewriter.notifyMatchFailure(op, "its attributes are invalid");

    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    auto [windows, sizes] = omb::computeConvolution(
        index, *attributes, adaptor.getX(), adaptor.getW(), group, "Conv");
    RankedTensorType sumType =
        type.clone(omb::getAccumulatorType(type.getElementType()));
    Value init = omb::buildConvolutionInit(rewriter, loc, sumType, sizes,
                                           adaptor.getB());
    Value padded = omb::padWindows(
        rewriter, loc, adaptor.getX(), windows, type,
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
    // Pads take what is too much away, but can't add what is missing.
    Value missing = index.min(surplus, zero);
    size =
        outputShape ? index.constant(*outputShape) : index.add(spread, missing);
    Value excess =
        outputShape ? index.sub(index.add(spread, surplus), size) : surplus;
    Value total = index.max(excess, zero);
    Value half = index.div(total, index.constant(2));
    low = attributes.autoPad == AutoPad::SameUpper ? half
                                                   : index.sub(total, half);
    trail = index.add(outputShape ? index.sub(size, spread) : missing, low);
  }
  Value lead = index.sub(index.sub(extent, index.constant(1)), low);
  return {attributes.strides[dim], lead, trail, size};
}

/// The spatial dimensions of `input` with zeros after each element: each gets a
/// dimension of `stride` after it, of which only the first element isn't 0, and
/// both become one.
Value interleaveZeros(OpBuilder &builder, Location loc, Value input,
                      ArrayRef<SpreadDim> dims, Value zero) {
  if (llvm::all_of(dims, [](const SpreadDim &dim) { return dim.stride == 1; }))
    return input;
  auto type = cast<RankedTensorType>(input.getType());
  omb::IndexArithmetic index(builder, loc);
  SmallVector<Value> sizes = {index.size(input, 0), index.size(input, 1)};
  SmallVector<int64_t> shape(type.getShape().take_front(2));
  SmallVector<ReassociationIndices> groups = {{0}, {1}};
  SmallVector<AffineExpr> from = {builder.getAffineDimExpr(0),
                                  builder.getAffineDimExpr(1)};
  for (auto [position, dim] : llvm::enumerate(dims)) {
    int64_t first = shape.size();
    groups.push_back({first, first + 1});
    from.push_back(builder.getAffineDimExpr(first));
    llvm::append_values(shape, type.getDimSize(2 + position), dim.stride);
    llvm::append_values(sizes, index.size(input, 2 + position),
                        index.constant(dim.stride));
  }
  int64_t rank = shape.size();
  auto spreadType = RankedTensorType::get(shape, type.getElementType());
  Value init = omb::createEmpty(builder, loc, spreadType, sizes);
  SmallVector<AffineMap> maps = {
      AffineMap::get(rank, 0, from, builder.getContext()),
      builder.getMultiDimIdentityMap(rank)};
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, spreadType, input, init, maps, iterators,
      [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
        omb::IndexArithmetic inner(b, bodyLoc);
        Value result = elements.front();
        for (const ReassociationIndices &group : ArrayRef(groups).drop_front(2))
          result = inner.select(
              inner.isEqual(linalg::IndexOp::create(b, bodyLoc, group.back()),
                            inner.constant(0)),
              result, zero);
        linalg::YieldOp::create(b, bodyLoc, result);
      });
  return tensor::CollapseShapeOp::create(builder, loc, generic.getResult(0),
                                         groups);
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
    if (failed(matchTypes(op, adaptor, type, rewriter)))
      return failure();
    auto inputType = cast<RankedTensorType>(adaptor.getX().getType());
    int64_t group = op.getGroup();
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
    Value init = omb::buildConvolutionInit(rewriter, loc, sumType, sizes,
                                           adaptor.getB());
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
