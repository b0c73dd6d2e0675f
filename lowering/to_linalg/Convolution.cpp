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

} // namespace

void omb::populateConvolutionToLinalgPatterns(const TypeConverter &converter,
                                              RewritePatternSet &patterns) {
  patterns.add<ConvToLinalg>(converter, patterns.getContext());
}
