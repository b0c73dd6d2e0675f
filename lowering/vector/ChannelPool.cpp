//===- ChannelPool.cpp - Pools of images with their channels last ---------===//

#include "lowering/vector/ChannelPool.h"

#include "lowering/vector/ChannelsLast.h"
#include "lowering/vector/Elementwise.h"
#include "lowering/vector/RowStride.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;

RankedTensorType omb::kernels::getWindowType(Value window) {
  auto empty = window.getDefiningOp<tensor::EmptyOp>();
  auto type = empty ? empty.getType() : RankedTensorType();
  return type && type.hasStaticShape() ? type : RankedTensorType();
}

OpOperand *ChannelPool::getImage() const {
  auto linalgOp = op;
  return linalgOp.getDpsInputOperand(0);
}

OpOperand *ChannelPool::getWindow() const {
  auto linalgOp = op;
  return linalgOp.getDpsInputOperand(1);
}

TileDemand ChannelPool::getTileDemand() const {
  auto linalgOp = op;
  SmallVector<int64_t> ranges = linalgOp.getStaticLoopRanges();
  TileDemand demand{1, ranges[channel], /*isDepthwise=*/true, false};
  if (positions.empty())
    return demand;
  demand.rows = ranges[positions.back()];
  AffineMap map = linalgOp.getMatchingIndexingMap(getImage());
  demand.sharesSet =
      sharesCacheSet(cast<RankedTensorType>(getImage()->get().getType()),
                     map.getResults(), map.getNumDims(), positions.back());
  return demand;
}

/// Whether the window's sizes are what is reduced over, and nothing reads it.
static bool isWindow(linalg::LinalgOp op) {
  if (op.getNumDpsInputs() != 2 || !getWindowType(op.getDpsInputs()[1]))
    return false;
  OpOperand *window = op.getDpsInputOperand(1);
  AffineMap map = op.getMatchingIndexingMap(window);
  if (!map.isProjectedPermutation() ||
      map.getNumResults() != op.getNumReductionLoops() ||
      !op.getMatchingBlockArgument(window).use_empty())
    return false;
  return llvm::all_of(map.getResults(), [&](AffineExpr expr) {
    return op.getIteratorTypesArray()[cast<AffineDimExpr>(expr)
                                          .getPosition()] ==
           utils::IteratorType::reduction;
  });
}

/// Whether there are kernels of such sums or maxima.
static bool isPooled(Type type) {
  return type.isF32() || type.isF64() || type.isInteger(8) ||
         type.isInteger(32);
}

FailureOr<ChannelPool>
ChannelPool::match(linalg::LinalgOp op, function_ref<void(const Twine &)> why) {
  auto fail = [&](const Twine &reason) {
    why(reason);
    return failure();
  };
  if (op.getNumDpsInits() != 1 || !op.hasPureTensorSemantics() ||
      op.getNumReductionLoops() == 0 || !isWindow(op))
    return fail("isn't a pool with windows of a known size");
  ChannelPool found;
  found.op = op;
  found.fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  if (!found.fill || !matchPattern(found.fill.value(), m_Constant()))
    return fail("is a pool that starts with several values");
  FailureOr<Combiner> combiner = Combiner::match(*op.getBlock());
  if (failed(combiner) ||
      !isVectorizable(*op.getBlock(), [](Value) { return false; }))
    return fail("is a pool of something else than sums and maxima");
  found.combiner = *combiner;
  if (!isPooled(getElementTypeOrSelf(op.getDpsInits()[0].getType())) ||
      !isVectorElement(getElementTypeOrSelf(op.getDpsInputs()[0].getType())))
    return fail("is a pool of another type than f32, f64, i8 and i32");
  AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (output.getNumResults() == 0 || !output.isProjectedPermutation())
    return fail("is a pool whose output isn't a permutation of its loops");
  found.channel = output.getDimPosition(output.getNumResults() - 1);
  for (unsigned dim = 0; dim + 1 < output.getNumResults(); ++dim)
    found.positions.push_back(output.getDimPosition(dim));
  if (!hasChannelsLast(op.getMatchingIndexingMap(found.getImage()),
                       found.channel))
    return fail("is a pool of an image whose channels aren't last");
  return found;
}

/// Whether 0 stays 0.
static bool keepsZero(Value element) {
  if (auto product = element.getDefiningOp<arith::MulFOp>())
    return product.getLhs() == product.getRhs() && keepsZero(product.getLhs());
  if (isa_and_nonnull<arith::ExtFOp, arith::ExtSIOp, arith::ExtUIOp>(
          element.getDefiningOp()))
    return keepsZero(element.getDefiningOp()->getOperand(0));
  return isa<BlockArgument>(element);
}

bool omb::kernels::ignoresPadding(const Combiner &combiner, Attribute start,
                                  Attribute padding) {
  switch (combiner.kind) {
  case vector::CombiningKind::ADD: {
    auto real = dyn_cast<FloatAttr>(padding);
    auto integer = dyn_cast<IntegerAttr>(padding);
    bool isZero = (real && real.getValue().isZero()) ||
                  (integer && integer.getValue().isZero());
    return isZero && keepsZero(combiner.element);
  }
  case vector::CombiningKind::MUL:
    return false;
  default: // what is larger or smaller than itself, is itself
    return start == padding && isa<BlockArgument>(combiner.element);
  }
}
