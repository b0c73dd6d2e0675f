//===- Indexing.cpp - Lowering of what is picked by index -----------------===//

#include "dialect/ir/ops/Indexing.h"
#include "dialect/ir/OnnxDialect.h"
#include "dialect/transforms/SparseConstants.h"
#include "lowering/ConstantBytes.h"
#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

#include <cstring>
#include <numeric>

using namespace mlir;
using namespace omb::onnx;

/// Element `position` of an integer tensor, as an index.
static Value readIndex(OpBuilder &builder, Location loc, Value indices,
                       ValueRange position) {
  Value scalar = tensor::ExtractOp::create(builder, loc, indices, position);
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                    scalar);
}

static void requirePicked(omb::IndexArithmetic index, Value size,
                          ValueRange resultSizes) {
  omb::requireElements(index, size, resultSizes,
                       "an index picks from a dimension of size 0");
}

namespace {

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

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
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> dataSizes = index.sizes(adaptor.getData());
    ValueRange outer(dataSizes);
    SmallVector<Value> sizes(outer.take_front(axis));
    llvm::append_range(sizes, index.sizes(adaptor.getIndices()));
    llvm::append_range(sizes, outer.drop_front(axis + 1));
    if (!llvm::is_contained(type.getShape(), 0))
      requirePicked(index, dataSizes[axis], sizes);
    std::optional<SmallVector<int64_t>> known =
        omb::getConstantIntegers(op.getIndices());
    if (known && known->size() == 1 && dataType.getDimSize(axis) != 0) {
      takeOne(op, adaptor, axis, known->front(), type, rewriter);
      return success();
    }
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
  static void takeOne(GatherOp op, OpAdaptor adaptor, int64_t axis,
                      int64_t picked, RankedTensorType type,
                      ConversionPatternRewriter &rewriter) {
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

//===----------------------------------------------------------------------===//
// Gather of a sparse table
//===----------------------------------------------------------------------===//

/// A sparse matrix of f32: a bit for each element, in words of 32, says whether
/// it is stored, and how many are before each word is where its values start.
class BitTable {
public:
  static BitTable create(OpBuilder &builder, Location loc,
                         SparseElementsAttr elements) {
    ArrayRef<int64_t> shape = elements.getType().getShape();
    int64_t words = llvm::divideCeil(shape[1], kBits);
    SmallVector<std::pair<int64_t, float>> stored;
    auto at = elements.getIndices().value_begin<uint64_t>();
    for (float value : elements.getValues().getValues<float>()) {
      int64_t row = *at++, column = *at++;
      stored.push_back({row * words * kBits + column, value});
    }
    if (!llvm::is_sorted(stored, llvm::less_first()))
      llvm::stable_sort(stored, llvm::less_first());
    SmallVector<int32_t> bits(shape[0] * words, 0), starts(bits.size() + 1, 0);
    // One more, which what isn't stored reads.
    SmallVector<float> values;
    int64_t last = -1;
    for (auto [place, value] : stored) {
      // Of elements with the same coordinates, the last one counts.
      if (place == last) {
        values.back() = value;
        continue;
      }
      last = place;
      bits[place / kBits] |= 1u << (place % kBits);
      ++starts[place / kBits + 1];
      values.push_back(value);
    }
    values.push_back(0);
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    starts.pop_back();
    auto create = [&](auto &numbers, ArrayRef<int64_t> sizes, Type element,
                      StringRef name) {
      return omb::createConstantBytes(
          builder, loc, RankedTensorType::get(sizes, element), name,
          [&](MutableArrayRef<char> bytes) {
            std::memcpy(bytes.data(), numbers.data(), bytes.size());
          });
    };
    BitTable table;
    Type i32 = builder.getI32Type();
    table.bits = create(bits, {shape[0], words}, i32, "bits");
    table.starts = create(starts, {shape[0], words}, i32, "starts");
    table.values = create(values, {int64_t(values.size())},
                          builder.getF32Type(), "values");
    return table;
  }

  Value read(OpBuilder &builder, Location loc, Value row, Value column) const {
    ImplicitLocOpBuilder b(loc, builder);
    Value size = arith::ConstantIndexOp::create(b, kBits);
    Value one = arith::ConstantIntOp::create(b, 1, 32);
    Value place[] = {row, arith::DivUIOp::create(b, column, size)};
    Value bit = arith::IndexCastOp::create(
        b, b.getI32Type(), arith::RemUIOp::create(b, column, size));
    Value word = tensor::ExtractOp::create(b, bits, place);
    Value start = tensor::ExtractOp::create(b, starts, place);
    Value before =
        arith::SubIOp::create(b, arith::ShLIOp::create(b, one, bit), one);
    Value count =
        math::CtPopOp::create(b, arith::AndIOp::create(b, word, before));
    Value at = arith::IndexCastUIOp::create(
        b, b.getIndexType(), arith::AddIOp::create(b, start, count));
    Value value = tensor::ExtractOp::create(b, values, at);
    Value isStored = arith::TruncIOp::create(
        b, b.getI1Type(), arith::ShRUIOp::create(b, word, bit));
    Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
    return arith::SelectOp::create(b, isStored, value, zero);
  }

private:
  static constexpr int64_t kBits = 32;
  Value bits, starts, values;
};

struct SparseGatherToGeneric : OpConversionPattern<GatherOp> {
  SparseGatherToGeneric(const TypeConverter &converter, MLIRContext *context)
      : OpConversionPattern(converter, context, /*benefit=*/2) {}

  LogicalResult
  matchAndRewrite(GatherOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    SparseElementsAttr elements;
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (!isLoweredSparse(op->getOpOperand(0)) ||
        !matchPattern(op.getData(), m_Constant(&elements)))
      return rewriter.notifyMatchFailure(op, "takes rows of no sparse table");
    if (!type || !isa<RankedTensorType>(adaptor.getIndices().getType()))
      return rewriter.notifyMatchFailure(op,
                                         "the operands have no tensor type");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    ArrayRef<int64_t> shape = elements.getType().getShape();
    Value rows = index.constant(shape[0]);
    SmallVector<Value> sizes = index.sizes(adaptor.getIndices());
    sizes.push_back(index.constant(shape[1]));
    BitTable table =
        BitTable::create(rewriter, op.getData().getLoc(), elements);
    rewriter.replaceOp(
        op, omb::buildFromIndices(
                rewriter, loc, type, sizes,
                [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
                  Value picked = readIndex(b, bodyLoc, adaptor.getIndices(),
                                           at.drop_back());
                  Value row =
                      omb::IndexArithmetic(b, bodyLoc).inBounds(picked, rows);
                  return table.read(b, bodyLoc, row, at.back());
                }));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// GatherElements, GatherND
//===----------------------------------------------------------------------===//

struct GatherElementsToGeneric : OpConversionPattern<GatherElementsOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GatherElementsOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto dataType = dyn_cast<RankedTensorType>(op.getData().getType());
    auto indicesType = dyn_cast<RankedTensorType>(op.getIndices().getType());
    if (!type || !dataType || !indicesType)
      return rewriter.notifyMatchFailure(op,
                                         "the operands have no tensor type");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> dataSizes = index.sizes(adaptor.getData());
    SmallVector<Value> sizes = index.sizes(adaptor.getIndices());
    int64_t rank = dataType.getRank();
    int64_t axis = op.getAxis() < 0 ? op.getAxis() + rank : op.getAxis();
    for (int64_t dim = 0; dim < rank; ++dim)
      if (dim != axis && !omb::isSameDim(dataType, dim, indicesType, dim))
        index.require(index.isLess(sizes[dim], index.add(dataSizes[dim],
                                                         index.constant(1))),
                      "the indices of GatherElements are larger than the data");
    if (!llvm::is_contained(type.getShape(), 0))
      requirePicked(index, dataSizes[axis], sizes);
    rewriter.replaceOp(
        op, omb::buildFromIndices(
                rewriter, loc, type, sizes,
                [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
                  Value picked =
                      readIndex(b, bodyLoc, adaptor.getIndices(), at);
                  SmallVector<Value> position(at);
                  position[axis] = omb::IndexArithmetic(b, bodyLoc)
                                       .inBounds(picked, dataSizes[axis]);
                  return tensor::ExtractOp::create(b, bodyLoc,
                                                   adaptor.getData(), position);
                }));
    return success();
  }
};

struct GatherNDToGeneric : OpConversionPattern<GatherNDOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GatherNDOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto dataType = dyn_cast<RankedTensorType>(op.getData().getType());
    auto indicesType = dyn_cast<RankedTensorType>(op.getIndices().getType());
    if (!type || !dataType || !indicesType)
      return rewriter.notifyMatchFailure(
          op,
          "the operands' ranks or the last size of the indices isn't known");
    int64_t depth = indicesType.getShape().back();
    int64_t prefix = indicesType.getRank() - 1;
    int64_t batchDims = op.getBatchDims();
    if (ShapedType::isDynamic(depth))
      return rewriter.notifyMatchFailure(
          op, "the last size of the indices isn't known");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> dataSizes = index.sizes(adaptor.getData());
    SmallVector<Value> sizes = llvm::to_vector(
        ArrayRef(index.sizes(adaptor.getIndices())).drop_back());
    llvm::append_range(sizes,
                       ArrayRef(dataSizes).drop_front(batchDims + depth));
    for (int64_t dim = 0; dim < batchDims; ++dim)
      if (!omb::isSameDim(dataType, dim, indicesType, dim))
        index.require(index.isEqual(dataSizes[dim], sizes[dim]),
                      "the batch dimensions of GatherND differ");
    ArrayRef<Value> picked = ArrayRef(dataSizes).slice(batchDims, depth);
    if (!llvm::is_contained(type.getShape(), 0))
      requirePicked(index, index.product(picked), sizes);
    rewriter.replaceOp(
        op, omb::buildFromIndices(
                rewriter, loc, type, sizes,
                [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
                  omb::IndexArithmetic inner(b, bodyLoc);
                  SmallVector<Value> position(at.take_front(batchDims));
                  SmallVector<Value> from(at.take_front(prefix));
                  for (int64_t part = 0; part < depth; ++part) {
                    from.push_back(inner.constant(part));
                    Value number =
                        readIndex(b, bodyLoc, adaptor.getIndices(), from);
                    position.push_back(inner.inBounds(number, picked[part]));
                    from.pop_back();
                  }
                  llvm::append_range(position, at.drop_front(prefix));
                  return tensor::ExtractOp::create(b, bodyLoc,
                                                   adaptor.getData(), position);
                }));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// OneHot
//===----------------------------------------------------------------------===//

struct OneHotToGeneric : OpConversionPattern<OneHotOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(OneHotOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto indicesType = dyn_cast<RankedTensorType>(op.getIndices().getType());
    if (!type || !indicesType ||
        !isa<RankedTensorType>(adaptor.getDepth().getType()) ||
        !isa<RankedTensorType>(adaptor.getValues().getType()))
      return rewriter.notifyMatchFailure(op,
                                         "the operands have no tensor type");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    int64_t axis =
        op.getAxis() < 0 ? op.getAxis() + type.getRank() : op.getAxis();
    Value depth = getDepth(op, adaptor, type.getDimSize(axis), rewriter);
    SmallVector<Value> sizes = index.sizes(adaptor.getIndices());
    sizes.insert(sizes.begin() + axis, depth);
    auto readValue = [&](int64_t position) -> Value {
      return tensor::ExtractOp::create(rewriter, loc, adaptor.getValues(),
                                       index.constant(position));
    };
    Value off = readValue(0), on = readValue(1);
    rewriter.replaceOp(
        op, omb::buildFromIndices(
                rewriter, loc, type, sizes,
                [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
                  omb::IndexArithmetic inner(b, bodyLoc);
                  SmallVector<Value> from(at);
                  from.erase(from.begin() + axis);
                  Value picked = tensor::ExtractOp::create(
                      b, bodyLoc, adaptor.getIndices(), from);
                  picked =
                      toIndex(b, bodyLoc, picked, indicesType.getElementType());
                  return inner.select(
                      inner.isEqual(inner.fromFront(picked, depth), at[axis]),
                      on, off);
                }));
    return success();
  }

  static Value getDepth(OneHotOp op, OpAdaptor adaptor, int64_t known,
                        OpBuilder &builder) {
    omb::IndexArithmetic index(builder, op.getLoc());
    if (!ShapedType::isDynamic(known))
      return index.constant(known);
    auto type = cast<RankedTensorType>(adaptor.getDepth().getType());
    Value scalar = tensor::ExtractOp::create(
        builder, op.getLoc(), adaptor.getDepth(),
        SmallVector<Value>(type.getRank(), index.constant(0)));
    Value depth = toIndex(builder, op.getLoc(), scalar,
                          getElementTypeOrSelf(op.getDepth().getType()));
    index.require(index.isLess(index.constant(-1), depth),
                  "the depth of OneHot is negative");
    return depth;
  }

  /// A number of the type `onnxType` as an index: floats are truncated.
  static Value toIndex(OpBuilder &builder, Location loc, Value number,
                       Type onnxType) {
    omb::Scalars scalars(builder, loc, onnxType);
    if (isa<FloatType>(onnxType)) {
      // Within what an i64 holds, and far beyond any depth.
      Value bounded =
          scalars.max(scalars.min(scalars.widen(number), 0x1p62), -0x1p62);
      number = arith::FPToSIOp::create(scalars, scalars.getI64Type(), bounded);
    }
    if (scalars.isUnsignedInteger())
      return arith::IndexCastUIOp::create(scalars, scalars.getIndexType(),
                                          number);
    return arith::IndexCastOp::create(scalars, scalars.getIndexType(), number);
  }
};

} // namespace

void omb::populateIndexingToLinalgPatterns(const TypeConverter &converter,
                                           RewritePatternSet &patterns) {
  patterns.add<GatherToGeneric, SparseGatherToGeneric, GatherElementsToGeneric,
               GatherNDToGeneric, OneHotToGeneric>(converter,
                                                   patterns.getContext());
}
