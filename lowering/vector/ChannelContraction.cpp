//===- ChannelContraction.cpp - Products of an input and weights ---------===//

#include "lowering/vector/ChannelContraction.h"

#include "lowering/vector/LoopFactors.h"
#include "lowering/vector/RowStride.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;

/// Whether the body of `op` is out + lhs * rhs, where lhs and rhs may be
/// extended by one of `ExtOps`.
template <typename AddOp, typename MulOp, typename... ExtOps>
static bool sumsProducts(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  auto yield = cast<linalg::YieldOp>(body->getTerminator());
  auto sum = yield.getOperand(0).getDefiningOp<AddOp>();
  if (!sum)
    return false;
  Value lhs = body->getArgument(0), rhs = body->getArgument(1),
        out = body->getArgument(2);
  auto product = (sum.getLhs() == out ? sum.getRhs() : sum.getLhs())
                     .template getDefiningOp<MulOp>();
  if (!product || (sum.getLhs() != out && sum.getRhs() != out))
    return false;
  auto getFactor = [](Value factor) {
    Operation *extended = factor.getDefiningOp();
    return isa_and_nonnull<ExtOps...>(extended) ? extended->getOperand(0)
                                                : factor;
  };
  Value first = getFactor(product.getLhs()),
        second = getFactor(product.getRhs());
  return (first == lhs && second == rhs) || (first == rhs && second == lhs);
}

bool omb::kernels::isZeroFill(Value value) {
  auto fill = value.getDefiningOp<linalg::FillOp>();
  return fill && (matchPattern(fill.value(), m_AnyZeroFloat()) ||
                  matchPattern(fill.value(), m_Zero()));
}

bool omb::kernels::multipliesAndAdds(linalg::LinalgOp op) {
  return sumsProducts<arith::AddFOp, arith::MulFOp, arith::ExtSIOp>(op);
}

void omb::kernels::buildMultiplyAdd(OpBuilder &builder, Location loc,
                                    ValueRange args) {
  Type type = args[2].getType();
  auto extend = [&](Value factor) -> Value {
    if (factor.getType() == type)
      return factor;
    if (isa<FloatType>(type) && isa<IntegerType>(factor.getType()))
      return arith::SIToFPOp::create(builder, loc, type, factor);
    if (isa<FloatType>(type))
      return arith::ExtFOp::create(builder, loc, type, factor);
    return arith::ExtSIOp::create(builder, loc, type, factor);
  };
  if (isa<FloatType>(type)) {
    Value product =
        arith::MulFOp::create(builder, loc, extend(args[0]), extend(args[1]));
    Value sum = arith::AddFOp::create(builder, loc, args[2], product);
    linalg::YieldOp::create(builder, loc, sum);
    return;
  }
  Value product =
      arith::MulIOp::create(builder, loc, extend(args[0]), extend(args[1]));
  Value sum = arith::AddIOp::create(builder, loc, args[2], product);
  linalg::YieldOp::create(builder, loc, sum);
}

std::optional<unsigned> ChannelContraction::getColumn() const {
  for (unsigned position : llvm::reverse(positions))
    if (!llvm::is_contained(batches, position))
      return position;
  return std::nullopt;
}

int64_t ChannelContraction::getSize(unsigned loop) const {
  auto linalgOp = op;
  return linalgOp.getStaticLoopRanges()[loop];
}

SmallVector<int64_t> ChannelContraction::getWeightsOrder() const {
  auto linalgOp = op;
  AffineMap map = linalgOp.getMatchingIndexingMap(weights);
  auto getDim = [&](unsigned loop) -> int64_t {
    return *map.getResultPosition(getAffineDimExpr(loop, map.getContext()));
  };
  SmallVector<int64_t> order(llvm::map_range(batches, getDim));
  order.push_back(getDim(channel));
  llvm::append_range(order, llvm::map_range(reductions, getDim));
  return order;
}

bool ChannelContraction::hasConstantWeights() const {
  return matchPattern(weights->get(), m_Constant());
}

FailureOr<CodedWeights> ChannelContraction::matchCodedWeights(
    function_ref<void(const Twine &)> why) const {
  auto fail = [&](const Twine &reason) {
    why(reason);
    return failure();
  };
  auto type = cast<RankedTensorType>(weights->get().getType());
  if (type.getRank() != 2 || reductions.size() != 1)
    return fail("has coded weights that aren't a matrix");
  FailureOr<CodedWeights> coded = CodedWeights::match(weights->get(), why);
  if (failed(coded))
    return failure();
  SmallVector<int64_t> order = getWeightsOrder();
  if (!coded->sharesParameters(order.back()))
    return fail("has a scale or zero point for each value of a channel");
  if (coded->getType().getDimSize(order.front()) !=
      type.getDimSize(order.front()))
    return fail("has some of the channels of coded weights");
  return coded;
}

bool ChannelContraction::hasNarrowFactors() const {
  auto linalgOp = op;
  Type sums = getElementTypeOrSelf(linalgOp.getDpsInits()[0].getType());
  Type element = isInteger ? IntegerType::get(sums.getContext(), 8) : sums;
  return llvm::any_of(linalgOp.getDpsInputs(), [&](Value factor) {
    return getElementTypeOrSelf(factor.getType()) != element;
  });
}

unsigned ChannelContraction::getElementBytes() const {
  auto linalgOp = op;
  return getElementTypeOrSelf(linalgOp.getDpsInits()[0].getType())
             .getIntOrFloatBitWidth() /
         8;
}

TileDemand ChannelContraction::getTileDemand() const {
  TileDemand demand{1, getSize(channel), isDepthwise, false};
  std::optional<unsigned> column = getColumn();
  if (!column)
    return demand;
  demand.rows = getSize(*column);
  auto linalgOp = op;
  AffineMap map = linalgOp.getMatchingIndexingMap(input);
  demand.sharesSet =
      sharesCacheSet(cast<RankedTensorType>(input->get().getType()),
                     map.getResults(), map.getNumDims(), *column);
  return demand;
}

/// Positions that weights must be used for if they are put into their order at
/// run time: that takes as long as using them for about a hundred does.
static constexpr int64_t kWorthPacking = 128;

/// Why the weights can't be put into the order of kernels; empty if they can.
static StringRef getObstacle(const ChannelContraction &found) {
  auto type = cast<RankedTensorType>(found.weights->get().getType());
  if (found.hasConstantWeights())
    return type.getNumElements() == 0 ? "has empty weights" : "";
  if (llvm::is_contained(type.getShape(), 0))
    return "has empty weights";
  if (succeeded(found.matchCodedWeights([](const Twine &) {})))
    return "";
  int64_t uses = 1;
  bool isDynamic = false;
  for (unsigned position : found.positions) {
    if (llvm::is_contained(found.batches, position))
      continue;
    if (ShapedType::isDynamic(found.getSize(position)))
      isDynamic = true;
    else
      uses *= found.getSize(position);
  }
  // Sequences of any length are multiplied with each other: both are dynamic.
  if (isDynamic && type.hasStaticShape())
    return "may have too few positions for weights that aren't constant";
  if (!isDynamic && uses < kWorthPacking)
    return "has too few positions for weights that aren't constant";
  return "";
}

/// Whether the input's last dimension, and nothing else of it, is the channels.
static bool hasChannelsLast(const ChannelContraction &found) {
  auto op = found.op;
  AffineMap input = op.getMatchingIndexingMap(found.input);
  AffineExpr channel = getAffineDimExpr(found.channel, input.getContext());
  return input.getResults().back() == channel &&
         llvm::none_of(input.getResults().drop_back(), [&](AffineExpr expr) {
           return expr.isFunctionOfDim(found.channel);
         });
}

bool ChannelContraction::sumsFitFloats() const {
  constexpr int64_t most = (1 << 24) / (255 * 128);
  int64_t products = 1;
  for (unsigned loop : reductions) {
    int64_t size = getSize(loop);
    if (ShapedType::isDynamic(size) || size >= most)
      return false;
    products *= size;
    if (products >= most)
      return false;
  }
  return true;
}

LogicalResult ChannelContraction::sumLastDimension() {
  // What groups may have.
  constexpr int64_t mostFactors = 4;
  auto linalgOp = op;
  AffineMap map = linalgOp.getMatchingIndexingMap(input);
  AffineExpr last = map.getResults().back();
  auto factors = getLoopFactors(last, map.getNumDims());
  if (!factors)
    return failure();
  unsigned *loop = nullptr;
  for (unsigned &each : reductions) {
    if ((*factors)[each] == 0)
      continue;
    if (loop || (*factors)[each] != 1)
      return failure();
    loop = &each;
  }
  if (!loop || ShapedType::isDynamic(getSize(*loop)) ||
      llvm::any_of(map.getResults().drop_back(), [&](AffineExpr expr) {
        return expr.isFunctionOfDim(*loop);
      }))
    return failure();
  // Groups must not reach beyond a window.
  if (!isa<AffineDimExpr>(last) && getSize(*loop) % mostFactors != 0)
    return failure();
  std::rotate(loop, loop + 1, reductions.end());
  return success();
}

FailureOr<ChannelContraction>
ChannelContraction::match(linalg::LinalgOp op,
                          function_ref<void(const Twine &)> why) {
  auto fail = [&](const Twine &reason) {
    why(reason);
    return failure();
  };
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      !op.hasPureTensorSemantics() ||
      !llvm::all_of(op.getDpsInputs(), [](Value input) {
        return isa<RankedTensorType>(input.getType());
      }))
    return fail("isn't a product of two tensors");
  for (Value input : op.getDpsInputs())
    if (cast<RankedTensorType>(input.getType()).getEncoding() &&
        !matchPattern(input, m_Constant()))
      return fail("has sparse weights, in the order of kernels");
  Type sums = getElementTypeOrSelf(op.getDpsInits()[0].getType());
  bool isInteger = sums.isInteger(32);
  Type element = isInteger ? IntegerType::get(op.getContext(), 8) : sums;
  bool isOfBytes =
      isInteger &&
      sumsProducts<arith::AddIOp, arith::MulIOp, arith::ExtSIOp>(op) &&
      llvm::all_of(op.getDpsInputs(), [&](Value input) {
        return getElementTypeOrSelf(input.getType()) == element;
      });
  if (!isOfBytes && !sumsProducts<arith::AddFOp, arith::MulFOp, arith::ExtFOp,
                                  arith::SIToFPOp>(op))
    return fail("doesn't sum products of floats or signed bytes");
  if (!isInteger && !element.isF32() && !element.isF64())
    return fail("isn't of f32 or f64");

  AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (output.getNumResults() == 0 || !output.isProjectedPermutation())
    return fail("has an output that isn't a permutation of its loops");
  ChannelContraction found;
  found.op = op;
  found.isInteger = isInteger;
  found.channel = output.getDimPosition(output.getNumResults() - 1);
  for (unsigned dim = 0; dim + 1 < output.getNumResults(); ++dim)
    found.positions.push_back(output.getDimPosition(dim));

  found.input = op.getDpsInputOperand(0);
  found.weights = op.getDpsInputOperand(1);
  auto hasChannels = [&](OpOperand *operand) {
    return op.getMatchingIndexingMap(operand).isFunctionOfDim(found.channel);
  };
  if (!hasChannels(found.weights))
    std::swap(found.input, found.weights);
  if (!hasChannels(found.weights))
    return fail("has no channels of the weights last in its output");
  found.isDepthwise = hasChannels(found.input);
  if (found.isDepthwise && !hasChannelsLast(found))
    return fail("has the channels in both operands, but not last");
  if (found.isDepthwise && !found.hasConstantWeights())
    return fail("has depthwise weights that aren't constant");

  AffineMap weights = op.getMatchingIndexingMap(found.weights);
  if (!weights.isProjectedPermutation())
    return fail("has weights that aren't a permutation of its loops");
  for (unsigned position : found.positions)
    if (weights.isFunctionOfDim(position))
      found.batches.push_back(position);
  if (!found.batches.empty() && !found.getColumn())
    return fail("has weights for each position");
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (kind != utils::IteratorType::reduction)
      continue;
    if (!weights.isFunctionOfDim(loop))
      return fail("sums over values of one weight");
    found.reductions.push_back(loop);
  }
  // Of sparse weights, kernels widen bytes.
  bool isSparse = bool(
      cast<RankedTensorType>(found.weights->get().getType()).getEncoding());
  if (found.hasNarrowFactors() && !isSparse &&
      failed(found.matchCodedWeights([](const Twine &) {})))
    return fail("has operands of several types");
  if (found.isDepthwise && found.isInteger && !found.sumsFitFloats())
    return fail("sums too many bytes of each channel, perhaps");
  if (found.isInteger && !found.isDepthwise && failed(found.sumLastDimension()))
    return fail("sums bytes that don't lie next to each other");
  auto type = cast<RankedTensorType>(op.getDpsInits()[0].getType());
  if (type.isDynamicDim(type.getRank() - 1) &&
      !ShapedType::isDynamic(found.getSize(found.channel)))
    return fail("has an output of an unknown number of channels");
  if (StringRef obstacle = getObstacle(found); !obstacle.empty())
    return fail(obstacle);
  return found;
}
