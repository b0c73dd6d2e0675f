//===- Padding.cpp - Lowering of Pad and CenterCropPad --------------------===//

#include "dialect/ir/OnnxDialect.h"
#include "dialect/ir/ops/DataMovement.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

/// What happens to one dimension: first `cropped` elements are kept from
/// `offset` on, then `low` and `high` ones are put around them.
struct PaddedDim {
  Value offset;
  Value cropped;
  Value low;
  Value high;
  Value total;
};

/// A dimension of `size` with `low` and `high` elements added, or taken away
/// where negative.
PaddedDim computePaddedDim(omb::IndexArithmetic index, Value size, Value low,
                           Value high) {
  Value zero = index.constant(0);
  Value total = index.add(index.add(size, low), high);
  Value cutLow = index.max(index.sub(zero, low), zero);
  Value cutHigh = index.max(index.sub(zero, high), zero);
  Value cropped = index.max(index.sub(index.sub(size, cutLow), cutHigh), zero);
  // What is cut may be more than there is: then padding is cut, too.
  Value before = index.min(index.max(low, zero), total);
  return {index.min(cutLow, size), cropped, before,
          index.sub(index.sub(total, before), cropped), total};
}

/// `source` without the elements that `dims` cut off.
Value cropDims(OpBuilder &builder, Location loc, Value source,
               ArrayRef<PaddedDim> dims) {
  omb::IndexArithmetic index(builder, loc);
  SmallVector<Value> offsets, sizes;
  bool isWhole = true;
  for (auto [position, dim] : llvm::enumerate(dims)) {
    offsets.push_back(dim.offset);
    sizes.push_back(dim.cropped);
    isWhole &= getConstantIntValue(dim.cropped).value_or(-1) ==
               cast<RankedTensorType>(source.getType()).getDimSize(position);
  }
  if (isWhole)
    return source;
  SmallVector<OpFoldResult> strides(dims.size(), builder.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(builder, loc, source,
                                        getAsOpFoldResult(offsets),
                                        getAsOpFoldResult(sizes), strides);
}

/// Whether nothing of the dimension is kept, in any run.
bool isEmptyDim(const PaddedDim &dim) {
  return matchPattern(dim.cropped, m_Zero());
}

/// The same as tensor.pad, of which IREE has none for complex numbers.
Value insertIntoPadding(OpBuilder &builder, Location loc, Value source,
                        ArrayRef<PaddedDim> dims, Value padding,
                        RankedTensorType type) {
  SmallVector<Value> sizes, low, cropped;
  for (const PaddedDim &dim : dims) {
    sizes.push_back(dim.total);
    low.push_back(dim.low);
    cropped.push_back(dim.cropped);
  }
  Value init = omb::createEmpty(builder, loc, type, sizes);
  init = linalg::FillOp::create(builder, loc, padding, init).getResult(0);
  SmallVector<OpFoldResult> strides(dims.size(), builder.getIndexAttr(1));
  return tensor::InsertSliceOp::create(builder, loc, source, init,
                                       getAsOpFoldResult(low),
                                       getAsOpFoldResult(cropped), strides);
}

Value padWithConstant(OpBuilder &builder, Location loc, Value source,
                      ArrayRef<PaddedDim> dims, Value padding,
                      RankedTensorType type) {
  if (llvm::any_of(dims, isEmptyDim)) {
    SmallVector<Value> sizes;
    for (const PaddedDim &dim : dims)
      sizes.push_back(dim.total);
    Value init = omb::createEmpty(builder, loc, type, sizes);
    return linalg::FillOp::create(builder, loc, padding, init).getResult(0);
  }
  source = cropDims(builder, loc, source, dims);
  SmallVector<Value> low, high;
  for (const PaddedDim &dim : dims) {
    low.push_back(dim.low);
    high.push_back(dim.high);
  }
  auto isZero = [](Value value) { return matchPattern(value, m_Zero()); };
  if (llvm::all_of(low, isZero) && llvm::all_of(high, isZero))
    return omb::castTensor(builder, loc, source, type);
  if (isa<ComplexType>(type.getElementType()))
    return insertIntoPadding(builder, loc, source, dims, padding, type);
  return tensor::PadOp::create(builder, loc, type, source,
                               getAsOpFoldResult(low), getAsOpFoldResult(high),
                               padding);
}

/// The element of a dimension of `size` that stands at `position`, which may
/// be outside.
Value resolvePosition(omb::IndexArithmetic index, StringRef mode,
                      Value position, Value size) {
  Value zero = index.constant(0);
  Value one = index.constant(1);
  if (mode == "edge")
    return index.clamp(position, zero, index.sub(size, one));
  if (mode == "wrap")
    return index.floorMod(position, index.max(size, one));
  Value period = index.mul(index.sub(size, one), index.constant(2));
  Value phase = index.floorMod(position, index.max(period, one));
  return index.select(index.isLess(phase, size), phase,
                      index.sub(period, phase));
}

Value padFromInside(OpBuilder &builder, Location loc, Value source,
                    ArrayRef<PaddedDim> dims, StringRef mode,
                    RankedTensorType type) {
  omb::IndexArithmetic index(builder, loc);
  SmallVector<Value> sizes;
  for (const PaddedDim &dim : dims) {
    sizes.push_back(dim.total);
    Value isFilled = index.isLess(index.constant(0), dim.cropped);
    Value isEmpty = index.isEqual(dim.total, index.constant(0));
    index.require(builder.createOrFold<arith::OrIOp>(loc, isFilled, isEmpty),
                  "Pad has to repeat the elements of an empty dimension");
  }
  if (llvm::is_contained(type.getShape(), 0))
    return omb::createEmpty(builder, loc, type, sizes);
  source = cropDims(builder, loc, source, dims);
  return omb::buildFromIndices(
      builder, loc, type, sizes,
      [&](OpBuilder &b, Location bodyLoc, ValueRange indices) -> Value {
        omb::IndexArithmetic inner(b, bodyLoc);
        SmallVector<Value> position;
        for (auto [at, dim] : llvm::zip(indices, dims)) {
          bool isUnpadded = matchPattern(dim.low, m_Zero()) &&
                            matchPattern(dim.high, m_Zero());
          position.push_back(
              isUnpadded ? at
                         : resolvePosition(inner, mode, inner.sub(at, dim.low),
                                           dim.cropped));
        }
        return tensor::ExtractOp::create(b, bodyLoc, source, position);
      });
}

struct PadToTensor : OpConversionPattern<PadOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(PadOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto input = dyn_cast<RankedTensorType>(op.getData().getType());
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (!input || !type)
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    std::optional<SmallVector<int64_t>> axes =
        llvm::to_vector(llvm::seq<int64_t>(0, input.getRank()));
    if (op.getAxes())
      axes = omb::getConstantIntegers(op.getAxes());
    int64_t count = axes ? axes->size() : getLength(op.getAxes());
    if (ShapedType::isDynamic(count))
      return rewriter.notifyMatchFailure(op, "the number of axes isn't known");
    StringRef mode = op.getMode();
    if (!llvm::is_contained({"constant", "edge", "reflect", "wrap"}, mode))
      return rewriter.notifyMatchFailure(op,
                                         "the mode '" + mode + "' is unknown");

    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    Value zero = index.constant(0);
    SmallVector<Value> low(input.getRank(), zero), high(input.getRank(), zero);
    for (int64_t position = 0; position < count; ++position) {
      Value before = index.element(adaptor.getPads(), position);
      Value after = index.element(adaptor.getPads(), position + count);
      if (axes) {
        int64_t axis = (*axes)[position];
        int64_t dim = axis < 0 ? axis + input.getRank() : axis;
        low[dim] = before;
        high[dim] = after;
        continue;
      }
      Value axis = omb::getComputedAxis(rewriter, loc, adaptor.getAxes(),
                                        position, input.getRank());
      for (int64_t dim = 0; dim < input.getRank(); ++dim) {
        Value isIt = index.isEqual(axis, index.constant(dim));
        low[dim] = index.select(isIt, before, low[dim]);
        high[dim] = index.select(isIt, after, high[dim]);
      }
    }
    SmallVector<PaddedDim> dims;
    for (int64_t dim = 0; dim < input.getRank(); ++dim) {
      dims.push_back(computePaddedDim(index, index.size(adaptor.getData(), dim),
                                      low[dim], high[dim]));
      index.require(index.isLess(index.constant(-1), dims.back().total),
                    "Pad cuts off more than there is");
    }
    if (mode != "constant" && llvm::any_of(dims, isEmptyDim) &&
        !llvm::is_contained(type.getShape(), 0))
      return rewriter.notifyMatchFailure(
          op, "the mode '" + mode + "' repeats elements, but there are none");
    if (mode != "constant") {
      rewriter.replaceOp(op, padFromInside(rewriter, loc, adaptor.getData(),
                                           dims, mode, type));
      return success();
    }
    rewriter.replaceOp(
        op,
        padWithConstant(
            rewriter, loc, adaptor.getData(), dims,
            getPadding(rewriter, loc, adaptor.getConstantValue(), type), type));
    return success();
  }

  static int64_t getLength(Value vector) {
    auto type = dyn_cast<RankedTensorType>(vector.getType());
    return type && type.getRank() == 1 ? type.getDimSize(0)
                                       : ShapedType::kDynamic;
  }

  /// The element to pad with; `given`, of one element, may be absent.
  static Value getPadding(OpBuilder &builder, Location loc, Value given,
                          RankedTensorType type) {
    if (!given)
      return omb::createZero(builder, loc, type.getElementType());
    int64_t rank = cast<RankedTensorType>(given.getType()).getRank();
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    return tensor::ExtractOp::create(builder, loc, given,
                                     SmallVector<Value>(rank, zero));
  }
};

struct CenterCropPadToTensor : OpConversionPattern<CenterCropPadOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(CenterCropPadOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (!type || !isa<RankedTensorType>(op.getInputData().getType()))
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    int64_t rank = type.getRank();
    SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
    if (op.getAxes())
      axes = SmallVector<int64_t>(*op.getAxes());
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    Value zero = index.constant(0);
    SmallVector<PaddedDim> dims;
    for (int64_t dim = 0; dim < rank; ++dim)
      dims.push_back(computePaddedDim(
          index, index.size(adaptor.getInputData(), dim), zero, zero));
    for (auto [position, axis] : llvm::enumerate(axes)) {
      int64_t dim = axis < 0 ? axis + rank : axis;
      dims[dim] = center(index, index.size(adaptor.getInputData(), dim),
                         index.element(adaptor.getShape(), position));
      index.require(index.isLess(index.constant(-1), dims[dim].total),
                    "CenterCropPad has a negative size");
    }
    rewriter.replaceOp(
        op, padWithConstant(
                rewriter, loc, adaptor.getInputData(), dims,
                omb::createZero(rewriter, loc, type.getElementType()), type));
    return success();
  }

  /// Of an odd difference the larger half is cut off or put at the end.
  static PaddedDim center(omb::IndexArithmetic index, Value size,
                          Value target) {
    Value zero = index.constant(0);
    Value two = index.constant(2);
    Value missing = index.max(index.sub(target, size), zero);
    Value surplus = index.max(index.sub(size, target), zero);
    Value low = index.div(missing, two);
    return {index.div(surplus, two), index.min(size, target), low,
            index.sub(missing, low), target};
  }
};

} // namespace

void omb::populatePaddingToLinalgPatterns(const TypeConverter &converter,
                                          RewritePatternSet &patterns) {
  patterns.add<PadToTensor, CenterCropPadToTensor>(converter,
                                                   patterns.getContext());
}
