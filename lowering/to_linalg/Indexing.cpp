//===- Indexing.cpp - Lowering of what is picked by index -----------------===//

#include "dialect/ir/ops/Indexing.h"
#include "dialect/ir/OnnxDialect.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

/// Element `position` of an integer tensor, as an index.
static Value readIndex(OpBuilder &builder, Location loc, Value indices,
                       ValueRange position) {
  Value scalar = tensor::ExtractOp::create(builder, loc, indices, position);
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                    scalar);
}

namespace {

struct GatherToGeneric : OpConversionPattern<GatherOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GatherOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto dataType = dyn_cast<RankedTensorType>(adaptor.getData().getType());
    auto indicesType =
        dyn_cast<RankedTensorType>(adaptor.getIndices().getType());
    if (!type || !dataType || !indicesType)
      return rewriter.notifyMatchFailure(op,
                                         "the operands have no tensor type");
    int64_t axis =
        op.getAxis() < 0 ? op.getAxis() + dataType.getRank() : op.getAxis();
    std::optional<SmallVector<int64_t>> known =
        omb::getConstantIntegers(op.getIndices());
    if (known && known->size() == 1)
      return takeOne(op, adaptor, axis, known->front(), type, rewriter);

    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> dataSizes = index.sizes(adaptor.getData());
    ValueRange outer(dataSizes);
    SmallVector<Value> sizes(outer.take_front(axis));
    llvm::append_range(sizes, index.sizes(adaptor.getIndices()));
    llvm::append_range(sizes, outer.drop_front(axis + 1));
    int64_t indicesRank = indicesType.getRank();
    rewriter.replaceOp(
        op, omb::buildFromIndices(
                rewriter, loc, type, sizes,
                [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
                  Value picked = readIndex(b, bodyLoc, adaptor.getIndices(),
                                           at.slice(axis, indicesRank));
                  SmallVector<Value> position(at.take_front(axis));
                  position.push_back(omb::IndexArithmetic(b, bodyLoc)
                                         .inBounds(picked, dataSizes[axis]));
                  llvm::append_range(position,
                                     at.drop_front(axis + indicesRank));
                  return tensor::ExtractOp::create(b, bodyLoc,
                                                   adaptor.getData(), position);
                }));
    return success();
  }

  /// One constant index: a slice.
  LogicalResult takeOne(GatherOp op, OpAdaptor adaptor, int64_t axis,
                        int64_t picked, RankedTensorType type,
                        ConversionPatternRewriter &rewriter) const {
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<OpFoldResult> sizes =
        getAsOpFoldResult(index.sizes(adaptor.getData()));
    SmallVector<OpFoldResult> offsets(sizes.size(), rewriter.getIndexAttr(0));
    SmallVector<OpFoldResult> strides(sizes.size(), rewriter.getIndexAttr(1));
    offsets[axis] = getAsOpFoldResult(index.inBounds(
        index.constant(picked), index.size(adaptor.getData(), axis)));
    sizes[axis] = rewriter.getIndexAttr(1);
    Value slice = tensor::ExtractSliceOp::create(
        rewriter, loc, adaptor.getData(), offsets, sizes, strides);
    rewriter.replaceOp(op, reshapePicked(rewriter, loc, slice, axis, type));
    return success();
  }

  /// The dimension of 1 at `axis` as the dimensions of 1 of the indices.
  static Value reshapePicked(OpBuilder &builder, Location loc, Value slice,
                             int64_t axis, RankedTensorType type) {
    auto sliceType = cast<RankedTensorType>(slice.getType());
    int64_t rank = sliceType.getRank();
    int64_t added = type.getRank() - rank;
    if (added == 0)
      return omb::castTensor(builder, loc, slice, type);
    // Dimensions of the longer type by dimension of the shorter one.
    int64_t shorter = std::min(rank, type.getRank());
    SmallVector<ReassociationIndices> groups(shorter);
    int64_t next = 0;
    for (int64_t dim = 0; dim < shorter; ++dim) {
      bool takesMore = dim == std::min(axis, shorter - 1);
      for (int64_t count = takesMore ? 1 + std::abs(added) : 1; count > 0;
           --count)
        groups[dim].push_back(next++);
    }
    if (added < 0) {
      Value collapsed =
          tensor::CollapseShapeOp::create(builder, loc, slice, groups);
      return omb::castTensor(builder, loc, collapsed, type);
    }
    omb::IndexArithmetic index(builder, loc);
    SmallVector<int64_t> shape(sliceType.getShape());
    SmallVector<OpFoldResult> sizes = getAsOpFoldResult(index.sizes(slice));
    shape.insert(shape.begin() + axis, added, 1);
    sizes.insert(sizes.begin() + axis, added, builder.getIndexAttr(1));
    Value expanded = tensor::ExpandShapeOp::create(
        builder, loc, RankedTensorType::get(shape, type.getElementType()),
        slice, groups, sizes);
    return omb::castTensor(builder, loc, expanded, type);
  }
};

} // namespace

void omb::populateIndexingToLinalgPatterns(const TypeConverter &converter,
                                           RewritePatternSet &patterns) {
  patterns.add<GatherToGeneric>(converter, patterns.getContext());
}
