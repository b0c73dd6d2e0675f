//===- Rearranging.cpp - Lowering of what moves elements in place ---------===//
//
// Tile, DepthToSpace, SpaceToDepth, ReverseSequence, Trilu.
//
//===----------------------------------------------------------------------===//

#include "dialect/ir/ops/DataMovement.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Rearrange.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

//===----------------------------------------------------------------------===//
// Tile
//===----------------------------------------------------------------------===//

struct TileToBroadcast : OpConversionPattern<TileOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(TileOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto input = dyn_cast<RankedTensorType>(adaptor.getInput().getType());
    if (!input || !type)
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    omb::SizeGroups groups;
    SmallVector<Value> sizes;
    SmallVector<int64_t> added;
    SmallVector<Value> resultSizes;
    for (int64_t dim = 0; dim < input.getRank(); ++dim) {
      Value repeats = index.element(adaptor.getRepeats(), dim);
      Value size = index.size(adaptor.getInput(), dim);
      index.require(index.isLess(index.constant(-1), repeats),
                    "Tile has a negative number of repeats");
      resultSizes.push_back(index.mul(repeats, size));
      SmallVector<Value> group{size};
      if (!matchPattern(repeats, m_One())) {
        added.push_back(sizes.size());
        group.insert(group.begin(), repeats);
      }
      llvm::append_range(sizes, group);
      groups.push_back(group);
    }
    if (llvm::is_contained(type.getShape(), 0)) {
      rewriter.replaceOp(op,
                         omb::createEmpty(rewriter, loc, type, resultSizes));
      return success();
    }
    Value result = adaptor.getInput();
    if (!added.empty()) {
      Value init = tensor::EmptyOp::create(rewriter, loc, index.mixed(sizes),
                                           type.getElementType());
      result = linalg::BroadcastOp::create(rewriter, loc, result, init, added)
                   ->getResult(0);
      result = tensor::CollapseShapeOp::create(rewriter, loc, result,
                                               omb::getReassociation(groups));
    }
    rewriter.replaceOp(op, omb::castTensor(rewriter, loc, result, type));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// DepthToSpace, SpaceToDepth
//===----------------------------------------------------------------------===//

template <typename OpT> bool isDepthFirst(OpT op) {
  return op.getMode() == "DCR";
}

/// Fails, and says why, where blocks of `input` can't be rearranged.
template <typename OpT>
LogicalResult matchBlocks(OpT op, Value input, RankedTensorType result,
                          ConversionPatternRewriter &rewriter) {
  if (!result || !isa<RankedTensorType>(input.getType()))
    return rewriter.notifyMatchFailure(op, "the input has no tensor type");
  if (!isDepthFirst(op) && op.getMode() != "CRD")
    return rewriter.notifyMatchFailure(op, "the mode '" + op.getMode() +
                                               "' is unknown");
  return success();
}

struct DepthToSpaceToTranspose : OpConversionPattern<DepthToSpaceOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DepthToSpaceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (failed(matchBlocks(op, adaptor.getInput(), type, rewriter)))
      return failure();
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> sizes = index.sizes(adaptor.getInput());
    Value block = index.constant(op.getBlocksize());
    Value square = index.mul(block, block);
    Value depth = index.div(sizes[1], square);
    if (llvm::is_contained(type.getShape(), 0)) {
      rewriter.replaceOp(
          op, omb::createEmpty(rewriter, loc, type,
                               {sizes[0], depth, index.mul(sizes[2], block),
                                index.mul(sizes[3], block)}));
      return success();
    }
    index.require(index.isEqual(index.mul(depth, square), sizes[1]),
                  "the depth of DepthToSpace is no multiple of the block");
    SmallVector<Value> parts = isDepthFirst(op)
                                   ? SmallVector<Value>{block, block, depth}
                                   : SmallVector<Value>{depth, block, block};
    Value expanded =
        omb::expandDims(rewriter, loc, adaptor.getInput(),
                        {{sizes[0]}, parts, {sizes[2]}, {sizes[3]}});
    SmallVector<int64_t> perm = isDepthFirst(op)
                                    ? SmallVector<int64_t>{0, 3, 4, 1, 5, 2}
                                    : SmallVector<int64_t>{0, 1, 4, 2, 5, 3};
    Value result = omb::permuteAndJoin(rewriter, loc, expanded, perm,
                                       {{0}, {1}, {2, 3}, {4, 5}});
    rewriter.replaceOp(op, omb::castTensor(rewriter, loc, result, type));
    return success();
  }
};

struct SpaceToDepthToTranspose : OpConversionPattern<SpaceToDepthOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(SpaceToDepthOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (failed(matchBlocks(op, adaptor.getInput(), type, rewriter)))
      return failure();
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> sizes = index.sizes(adaptor.getInput());
    Value block = index.constant(op.getBlocksize());
    Value height = index.div(sizes[2], block);
    Value width = index.div(sizes[3], block);
    if (llvm::is_contained(type.getShape(), 0)) {
      Value depth = index.mul(sizes[1], index.mul(block, block));
      rewriter.replaceOp(op,
                         omb::createEmpty(rewriter, loc, type,
                                          {sizes[0], depth, height, width}));
      return success();
    }
    for (auto [size, count] : {std::pair(sizes[2], height), {sizes[3], width}})
      index.require(index.isEqual(index.mul(count, block), size),
                    "a size of SpaceToDepth is no multiple of the block");
    Value expanded = omb::expandDims(
        rewriter, loc, adaptor.getInput(),
        {{sizes[0]}, {sizes[1]}, {height, block}, {width, block}});
    SmallVector<int64_t> perm = isDepthFirst(op)
                                    ? SmallVector<int64_t>{0, 3, 5, 1, 2, 4}
                                    : SmallVector<int64_t>{0, 1, 3, 5, 2, 4};
    Value result = omb::permuteAndJoin(rewriter, loc, expanded, perm,
                                       {{0}, {1, 2, 3}, {4}, {5}});
    rewriter.replaceOp(op, omb::castTensor(rewriter, loc, result, type));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// ReverseSequence, Trilu
//===----------------------------------------------------------------------===//

struct ReverseSequenceToGeneric : OpConversionPattern<ReverseSequenceOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ReverseSequenceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    Value input = adaptor.getInput();
    if (!type || !isa<RankedTensorType>(input.getType()) ||
        !isa<RankedTensorType>(adaptor.getSequenceLens().getType()))
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    omb::IndexArithmetic index(rewriter, op.getLoc());
    SmallVector<Value> sizes = index.sizes(input);
    int64_t timeAxis = op.getTimeAxis(), batchAxis = op.getBatchAxis();
    index.require(index.isEqual(index.size(adaptor.getSequenceLens(), 0),
                                sizes[batchAxis]),
                  "ReverseSequence needs a length for each of the batch");
    rewriter.replaceOp(
        op, omb::buildFromIndices(
                rewriter, op.getLoc(), type, sizes,
                [&](OpBuilder &builder, Location loc, ValueRange at) -> Value {
                  omb::IndexArithmetic inner(builder, loc);
                  Value length = tensor::ExtractOp::create(
                      builder, loc, adaptor.getSequenceLens(), at[batchAxis]);
                  length = arith::IndexCastOp::create(
                      builder, loc, builder.getIndexType(), length);
                  length = inner.min(length, sizes[timeAxis]);
                  Value time = at[timeAxis];
                  Value mirrored =
                      inner.sub(inner.sub(length, inner.constant(1)), time);
                  SmallVector<Value> position(at);
                  position[timeAxis] =
                      inner.select(inner.isLess(time, length), mirrored, time);
                  return tensor::ExtractOp::create(builder, loc, input,
                                                   position);
                }));
    return success();
  }
};

struct TriluToGeneric : OpConversionPattern<TriluOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(TriluOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (!type || !isa<RankedTensorType>(adaptor.getInput().getType()))
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    Value diagonal =
        adaptor.getK() ? index.element(adaptor.getK(), 0) : index.constant(0);
    Value input = omb::castTensor(rewriter, loc, adaptor.getInput(), type);
    Value init = omb::createEmpty(rewriter, loc, type, index.sizes(input));
    if (llvm::is_contained(type.getShape(), 0)) {
      rewriter.replaceOp(op, init);
      return success();
    }
    int64_t rank = type.getRank();
    SmallVector<AffineMap> maps(2, rewriter.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    bool isUpper = op.getUpper() != 0;
    rewriter.replaceOpWithNewOp<linalg::GenericOp>(
        op, type, input, init, maps, iterators,
        [&](OpBuilder &builder, Location bodyLoc, ValueRange arguments) {
          omb::IndexArithmetic inner(builder, bodyLoc);
          Value row = linalg::IndexOp::create(builder, bodyLoc, rank - 2);
          Value column = linalg::IndexOp::create(builder, bodyLoc, rank - 1);
          Value shifted = inner.add(row, diagonal);
          Value isCut = isUpper ? inner.isLess(column, shifted)
                                : inner.isLess(shifted, column);
          Value zero = omb::createZero(builder, bodyLoc, type.getElementType());
          linalg::YieldOp::create(builder, bodyLoc,
                                  inner.select(isCut, zero, arguments.front()));
        });
    return success();
  }
};

} // namespace

void omb::populateRearrangingToLinalgPatterns(const TypeConverter &converter,
                                              RewritePatternSet &patterns) {
  patterns
      .add<TileToBroadcast, DepthToSpaceToTranspose, SpaceToDepthToTranspose,
           ReverseSequenceToGeneric, TriluToGeneric>(converter,
                                                     patterns.getContext());
}
