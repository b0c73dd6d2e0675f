//===- DataMovement.cpp - Lowering of cut and joined tensors --------------===//

#include "dialect/ir/ops/DataMovement.h"
#include "dialect/ir/OnnxDialect.h"
#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

/// `source` cut to `sizes` at `offsets`, every `strides` elements.
static Value extractSlice(OpBuilder &builder, Location loc, Value source,
                          ValueRange offsets, ValueRange sizes,
                          ArrayRef<int64_t> strides, RankedTensorType type) {
  // A slice of nothing may start where nothing is, which MLIR refuses.
  auto sourceType = cast<RankedTensorType>(source.getType());
  bool isBehindEnd =
      llvm::any_of(llvm::zip_equal(offsets, sourceType.getShape()),
                   [](std::tuple<Value, int64_t> dim) {
                     auto [offset, size] = dim;
                     return getConstantIntValue(offset) == size;
                   });
  if (isBehindEnd || llvm::is_contained(type.getShape(), 0) ||
      llvm::is_contained(sourceType.getShape(), 0))
    return omb::createEmpty(builder, loc, type, sizes);
  SmallVector<OpFoldResult> mixedSizes = getAsOpFoldResult(sizes);
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (!type.isDynamicDim(dim))
      mixedSizes[dim] = builder.getIndexAttr(type.getDimSize(dim));
  Value slice = tensor::ExtractSliceOp::create(
      builder, loc, source, getAsOpFoldResult(offsets), mixedSizes,
      getAsIndexOpFoldResult(builder.getContext(), strides));
  return omb::castTensor(builder, loc, slice, type);
}

namespace {

struct IdentityToValue : OpConversionPattern<IdentityOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(IdentityOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Type type = getTypeConverter()->convertType(op.getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "the type has no storage");
    Value input = adaptor.getInput();
    if (isa<RankedTensorType>(type) && isa<TensorType>(input.getType()))
      input = omb::castTensor(rewriter, op.getLoc(), input, type);
    rewriter.replaceOp(op, input);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Slice
//===----------------------------------------------------------------------===//

/// What a Slice takes of one dimension: `count` elements from `start` on.
struct SlicedDim {
  Value start;
  Value count;
  Value step;
};

SlicedDim computeSlicedDim(omb::IndexArithmetic index, Value size, Value start,
                           Value end, Value step) {
  Value zero = index.constant(0);
  Value last = index.sub(size, index.constant(1));
  Value isForward = index.isLess(zero, step);
  Value first = index.fromFront(start, size);
  first = index.clamp(first, zero, index.select(isForward, size, last));
  end = index.fromFront(end, size);
  end = index.clamp(end, index.select(isForward, zero, index.constant(-1)),
                    index.select(isForward, size, last));
  Value length =
      index.select(isForward, index.sub(end, first), index.sub(first, end));
  // The lowest number has no opposite.
  Value backward = index.sub(zero, index.max(step, index.constant(-INT64_MAX)));
  Value stride = index.select(isForward, step, backward);
  Value count = index.ceilDiv(index.max(length, zero), stride);
  // Backwards from nothing there is no first element.
  Value isEmpty = index.isEqual(size, zero);
  return {first, index.select(isEmpty, zero, count), step};
}

struct SliceToTensor : OpConversionPattern<SliceOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(SliceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto input = dyn_cast<RankedTensorType>(op.getData().getType());
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto starts = dyn_cast<RankedTensorType>(op.getStarts().getType());
    if (!input || !type || !starts)
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    std::optional<SmallVector<int64_t>> axes;
    if (op.getAxes())
      axes = omb::getConstantIntegers(op.getAxes());
    else if (!starts.isDynamicDim(0))
      axes = llvm::to_vector(llvm::seq<int64_t>(0, starts.getDimSize(0)));
    if (!axes)
      return sliceComputedAxes(op, adaptor, type, rewriter);
    std::optional<SmallVector<int64_t>> steps(
        SmallVector<int64_t>(axes->size(), 1));
    if (op.getSteps())
      steps = omb::getConstantIntegers(op.getSteps());
    bool isForward =
        steps && llvm::all_of(*steps, [](int64_t step) { return step > 0; });

    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> sizes = index.sizes(adaptor.getData());
    SmallVector<Value> offsets(input.getRank(), index.constant(0));
    SmallVector<Value> strides(input.getRank(), index.constant(1));
    SmallVector<int64_t> constantStrides(input.getRank(), 1);
    for (auto [position, axis] : llvm::enumerate(*axes)) {
      int64_t dim = axis < 0 ? axis + input.getRank() : axis;
      Value step = steps ? index.constant((*steps)[position])
                         : index.element(adaptor.getSteps(), position);
      if (!steps)
        requireNotZero(rewriter, loc, step);
      SlicedDim sliced = computeSlicedDim(
          index, sizes[dim], index.element(adaptor.getStarts(), position),
          index.element(adaptor.getEnds(), position), step);
      offsets[dim] = sliced.start;
      sizes[dim] = sliced.count;
      strides[dim] = sliced.step;
      if (isForward)
        constantStrides[dim] = (*steps)[position];
    }
    bool isSlice = isForward && isReadable(input, type, constantStrides);
    rewriter.replaceOp(
        op, isSlice ? extractSlice(rewriter, loc, adaptor.getData(), offsets,
                                   sizes, constantStrides, type)
                    : readStrided(rewriter, loc, adaptor.getData(), offsets,
                                  sizes, strides, type));
    return success();
  }

  /// Whether IREE has code for reads of a slice: where every second element,
  /// say, is taken, its sizes but for the first have to be known.
  static bool isReadable(RankedTensorType input, RankedTensorType type,
                         ArrayRef<int64_t> strides) {
    auto isKnown = [](RankedTensorType type) {
      return !ShapedType::isDynamicShape(type.getShape().drop_front());
    };
    return llvm::all_of(strides, [](int64_t stride) { return stride == 1; }) ||
           (isKnown(input) && isKnown(type));
  }

  /// Where the axes are computed, every dimension may be cut.
  static LogicalResult sliceComputedAxes(SliceOp op, OpAdaptor adaptor,
                                         RankedTensorType type,
                                         ConversionPatternRewriter &rewriter) {
    int64_t count =
        cast<RankedTensorType>(op.getStarts().getType()).getDimSize(0);
    if (ShapedType::isDynamic(count))
      return rewriter.notifyMatchFailure(op, "the number of axes isn't known");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    int64_t rank = type.getRank();
    SmallVector<Value> sizes = index.sizes(adaptor.getData());
    SmallVector<Value> starts(rank, index.constant(0)), ends(sizes);
    SmallVector<Value> steps(rank, index.constant(1));
    for (int64_t position = 0; position < count; ++position) {
      Value axis = omb::getComputedAxis(rewriter, loc, adaptor.getAxes(),
                                        position, rank);
      Value step = adaptor.getSteps()
                       ? index.element(adaptor.getSteps(), position)
                       : index.constant(1);
      requireNotZero(rewriter, loc, step);
      Value start = index.element(adaptor.getStarts(), position);
      Value end = index.element(adaptor.getEnds(), position);
      for (int64_t dim = 0; dim < rank; ++dim) {
        Value isIt = index.isEqual(axis, index.constant(dim));
        starts[dim] = index.select(isIt, start, starts[dim]);
        ends[dim] = index.select(isIt, end, ends[dim]);
        steps[dim] = index.select(isIt, step, steps[dim]);
      }
    }
    for (int64_t dim = 0; dim < rank; ++dim) {
      SlicedDim sliced = computeSlicedDim(index, sizes[dim], starts[dim],
                                          ends[dim], steps[dim]);
      starts[dim] = sliced.start;
      sizes[dim] = sliced.count;
    }
    rewriter.replaceOp(op, readStrided(rewriter, loc, adaptor.getData(), starts,
                                       sizes, steps, type));
    return success();
  }

  static void requireNotZero(OpBuilder &builder, Location loc, Value step) {
    omb::IndexArithmetic index(builder, loc);
    Value isNotZero = builder.createOrFold<arith::CmpIOp>(
        loc, arith::CmpIPredicate::ne, step, index.constant(0));
    index.require(isNotZero, "a step of Slice is 0");
  }

  /// The slice where strides may be negative.
  static Value readStrided(OpBuilder &builder, Location loc, Value source,
                           ValueRange offsets, ValueRange sizes,
                           ValueRange strides, RankedTensorType type) {
    return omb::buildFromIndices(
        builder, loc, type, sizes,
        [&](OpBuilder &b, Location bodyLoc, ValueRange indices) -> Value {
          omb::IndexArithmetic index(b, bodyLoc);
          SmallVector<Value> position;
          for (auto [at, offset, stride] : llvm::zip(indices, offsets, strides))
            position.push_back(matchPattern(stride, m_One())
                                   ? index.add(at, offset)
                                   : index.add(index.mul(at, stride), offset));
          return tensor::ExtractOp::create(b, bodyLoc, source, position);
        });
  }
};

//===----------------------------------------------------------------------===//
// Concat, Split
//===----------------------------------------------------------------------===//

struct ConcatToTensor : OpConversionPattern<ConcatOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ConcatOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "the rank isn't known");
    Location loc = op.getLoc();
    int64_t axis =
        op.getAxis() < 0 ? op.getAxis() + type.getRank() : op.getAxis();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> inputs;
    auto firstType = dyn_cast<RankedTensorType>(op.getInputs()[0].getType());
    for (auto [onnxInput, input] :
         llvm::zip(op.getInputs(), adaptor.getInputs())) {
      auto onnxType = dyn_cast<RankedTensorType>(onnxInput.getType());
      if (!onnxType)
        return rewriter.notifyMatchFailure(op, "an input's rank isn't known");
      SmallVector<int64_t> shape(type.getShape());
      shape[axis] = onnxType.getDimSize(axis);
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (dim != axis && !omb::isSameDim(onnxType, dim, firstType, dim))
          index.require(
              index.isEqual(index.size(input, dim),
                            index.size(adaptor.getInputs()[0], dim)),
              "the inputs of Concat differ in another dimension than the axis");
      // IREE has no use for empty parts.
      if (shape[axis] != 0)
        inputs.push_back(omb::castTensor(
            rewriter, loc, input,
            RankedTensorType::get(shape, type.getElementType())));
    }
    if (inputs.empty()) {
      rewriter.replaceOp(op,
                         omb::createEmpty(rewriter, loc, type,
                                          index.sizes(adaptor.getInputs()[0])));
      return success();
    }
    Value result =
        inputs.size() == 1
            ? inputs.front()
            : tensor::ConcatOp::create(rewriter, loc, axis, inputs).getResult();
    rewriter.replaceOp(op, omb::castTensor(rewriter, loc, result, type));
    return success();
  }
};

struct SplitToTensor : OpConversionPattern<SplitOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(SplitOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    SmallVector<Type> types;
    if (!isa<RankedTensorType>(op.getInput().getType()) ||
        failed(getTypeConverter()->convertTypes(op->getResultTypes(), types)))
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    if (types.empty()) {
      rewriter.eraseOp(op);
      return success();
    }
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    Value input = adaptor.getInput();
    SmallVector<Value> sizes = index.sizes(input);
    int64_t rank = sizes.size();
    int64_t axis = op.getAxis() < 0 ? op.getAxis() + rank : op.getAxis();
    Value total = sizes[axis];
    SmallVector<Value> parts = getParts(index, op, adaptor, total);
    SmallVector<Value> offsets(rank, index.constant(0));
    SmallVector<int64_t> strides(rank, 1);
    SmallVector<Value> results;
    for (auto [type, part] : llvm::zip(types, parts)) {
      sizes[axis] = part;
      results.push_back(extractSlice(rewriter, loc, input, offsets, sizes,
                                     strides, cast<RankedTensorType>(type)));
      offsets[axis] = index.add(offsets[axis], part);
    }
    if (op.getSplit())
      index.require(index.isEqual(offsets[axis], total),
                    "the sizes of Split don't make the size of the dimension");
    rewriter.replaceOp(op, results);
    return success();
  }

  static SmallVector<Value> getParts(omb::IndexArithmetic index, SplitOp op,
                                     OpAdaptor adaptor, Value total) {
    int64_t count = op.getOutputs().size();
    Value zero = index.constant(0);
    SmallVector<Value> parts;
    if (op.getSplit()) {
      for (int64_t part = 0; part < count; ++part)
        parts.push_back(
            index.max(index.element(adaptor.getSplit(), part), zero));
      return parts;
    }
    Value equal = index.ceilDiv(total, index.constant(count));
    for (int64_t part = 0; part < count; ++part) {
      Value rest = index.sub(total, index.mul(equal, index.constant(part)));
      parts.push_back(index.clamp(rest, zero, equal));
    }
    return parts;
  }
};

} // namespace

void omb::populateDataMovementToLinalgPatterns(const TypeConverter &converter,
                                               RewritePatternSet &patterns) {
  patterns.add<IdentityToValue, SliceToTensor, ConcatToTensor, SplitToTensor>(
      converter, patterns.getContext());
}
