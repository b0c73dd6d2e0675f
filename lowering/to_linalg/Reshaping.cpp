//===- Reshaping.cpp - Lowering of what keeps the elements in order -------===//

#include "dialect/ir/OnnxDialect.h"
#include "dialect/ir/ops/DataMovement.h"
#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Reshape.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

//===----------------------------------------------------------------------===//
// Reshape
//===----------------------------------------------------------------------===//

/// The sizes of the result of a Reshape.
class ReshapeSizes {
public:
  ReshapeSizes(OpBuilder &builder, ReshapeOp op, Value data, Value shape)
      : index(builder, op.getLoc()), data(data), shape(shape),
        allowZero(op.getAllowzero() != 0),
        input(cast<RankedTensorType>(op.getData().getType())),
        result(cast<RankedTensorType>(op.getReshaped().getType())) {}

  SmallVector<Value> compute() {
    SmallVector<int64_t> given;
    for (int64_t dim = 0; dim < result.getRank(); ++dim)
      if (Value size = getKnown(dim)) {
        sizes.push_back(size);
      } else {
        given.push_back(dim);
        sizes.push_back(getGiven(dim));
      }
    Value zero = index.constant(0), one = index.constant(1), inferred = zero;
    for (int64_t dim : given) {
      Value isInferred = index.isEqual(sizes[dim], index.constant(-1));
      inferred = index.add(inferred, index.select(isInferred, one, zero));
      if (!matchPattern(isInferred, m_Zero()))
        sizes[dim] = index.select(isInferred, getRest(dim), sizes[dim]);
    }
    // Of one size, the number of elements says whether it fits.
    if (given.size() > 1) {
      index.require(index.isLess(inferred, index.constant(2)),
                    "the shape has several sizes of -1");
      for (int64_t dim : given)
        index.require(index.isLess(index.constant(-1), sizes[dim]),
                      "the shape has a negative size");
    }
    return sizes;
  }

private:
  /// The size as the types tell it.
  Value getKnown(int64_t dim) {
    if (!result.isDynamicDim(dim))
      return index.constant(result.getDimSize(dim));
    for (int64_t from = 0; from < input.getRank(); ++from)
      if (omb::isSameDim(input, from, result, dim))
        return index.size(data, from);
    return nullptr;
  }

  /// The size as the operand gives it, where -1 is left.
  Value getGiven(int64_t dim) {
    Value given = index.element(shape, dim);
    if (allowZero || dim >= input.getRank())
      return given;
    return index.select(index.isEqual(given, index.constant(0)),
                        index.size(data, dim), given);
  }

  /// What the other dimensions leave for dimension `inferred`.
  Value getRest(int64_t inferred) {
    SmallVector<Value> dividend, divisor;
    llvm::SmallDenseSet<int64_t> cancelled{inferred};
    for (int64_t from = 0; from < input.getRank(); ++from) {
      int64_t dim = 0;
      while (dim < result.getRank() &&
             (cancelled.contains(dim) ||
              !omb::isSameDim(input, from, result, dim)))
        ++dim;
      if (dim < result.getRank() && input.getDimSize(from) != 0)
        cancelled.insert(dim);
      else
        dividend.push_back(index.size(data, from));
    }
    for (int64_t dim = 0; dim < result.getRank(); ++dim)
      if (!cancelled.contains(dim))
        divisor.push_back(sizes[dim]);
    // Without elements any quotient does, but a division by 0 doesn't.
    return index.div(index.product(dividend),
                     index.max(index.product(divisor), index.constant(1)));
  }

  omb::IndexArithmetic index;
  Value data;
  Value shape;
  bool allowZero;
  RankedTensorType input;
  RankedTensorType result;
  SmallVector<Value> sizes;
};

struct ReshapeToTensor : OpConversionPattern<ReshapeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ReshapeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto input = dyn_cast<RankedTensorType>(op.getData().getType());
    auto result = dyn_cast<RankedTensorType>(op.getReshaped().getType());
    if (!input || !getTypeConverter()->convertType(input))
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    if (!result)
      return rewriter.notifyMatchFailure(
          op, "the rank of the result isn't known: the shape has a dynamic "
              "length");
    omb::IndexArithmetic(rewriter, op.getLoc())
        .requireLength(adaptor.getShape(), result.getRank());
    SmallVector<Value> sizes =
        ReshapeSizes(rewriter, op, adaptor.getData(), adaptor.getShape())
            .compute();
    rewriter.replaceOp(op, omb::buildReshape(rewriter, op.getLoc(),
                                             adaptor.getData(), input, result,
                                             sizes));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Flatten, Squeeze, Unsqueeze
//===----------------------------------------------------------------------===//

struct FlattenToTensor : OpConversionPattern<FlattenOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(FlattenOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto input = dyn_cast<RankedTensorType>(op.getInput().getType());
    auto result = dyn_cast<RankedTensorType>(op.getOutput().getType());
    if (!input || !result || !getTypeConverter()->convertType(input))
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    int64_t rank = input.getRank();
    int64_t axis = op.getAxis() < 0 ? op.getAxis() + rank : op.getAxis();
    Value data = adaptor.getInput();
    omb::IndexArithmetic index(rewriter, op.getLoc());
    if (rank == 0) {
      rewriter.replaceOp(
          op, omb::buildReshape(rewriter, op.getLoc(), data, input, result,
                                {index.constant(1), index.constant(1)}));
      return success();
    }
    // Of fixed groups: nothing to check at run time.
    SmallVector<Value> sizes = index.sizes(data);
    Value outer = index.product(ArrayRef(sizes).take_front(axis));
    Value inner = index.product(ArrayRef(sizes).drop_front(axis));
    SmallVector<ReassociationIndices> groups;
    for (auto [begin, end] : {std::pair(int64_t(0), axis), {axis, rank}})
      if (begin < end)
        groups.emplace_back(llvm::to_vector(llvm::seq(begin, end)));
    if (rank > int64_t(groups.size()))
      data =
          tensor::CollapseShapeOp::create(rewriter, op.getLoc(), data, groups);
    auto type = getTypeConverter()->convertType<RankedTensorType>(result);
    if (groups.size() == 1)
      data =
          addUnit(rewriter, op.getLoc(), data, axis == 0 ? 0 : 1, outer, inner);
    rewriter.replaceOp(op, omb::castTensor(rewriter, op.getLoc(), data, type));
    return success();
  }

  /// The vector `data` as a matrix with a dimension of 1 at `unit`.
  static Value addUnit(OpBuilder &builder, Location loc, Value data,
                       int64_t unit, Value outer, Value inner) {
    auto vector = cast<RankedTensorType>(data.getType());
    SmallVector<int64_t> shape(2, vector.getDimSize(0));
    shape[unit] = 1;
    SmallVector<OpFoldResult> sizes(
        2, getAsOpFoldResult(unit == 0 ? inner : outer));
    sizes[unit] = builder.getIndexAttr(1);
    if (!vector.isDynamicDim(0))
      sizes[1 - unit] = builder.getIndexAttr(vector.getDimSize(0));
    SmallVector<ReassociationIndices> groups{{0, 1}};
    return tensor::ExpandShapeOp::create(
        builder, loc, RankedTensorType::get(shape, vector.getElementType()),
        data, groups, sizes);
  }
};

/// `data` with dimensions of 1 at `axes` put in or, where `isInsertion` is
/// false, taken away. `rank` is the rank with them.
Value changeUnits(OpBuilder &builder, Location loc, Value data,
                  ArrayRef<int64_t> axes, int64_t rank, bool isInsertion) {
  auto type = cast<RankedTensorType>(data.getType());
  int64_t shortRank = rank - axes.size();
  SmallVector<ReassociationIndices> groups(shortRank);
  SmallVector<int64_t> kept;
  int64_t group = -1;
  for (int64_t dim = 0; dim < rank; ++dim) {
    if (!llvm::is_contained(axes, dim)) {
      ++group;
      kept.push_back(dim);
    }
    if (shortRank > 0)
      groups[std::max<int64_t>(group, 0)].push_back(dim);
  }
  if (!isInsertion) {
    // A dimension that is taken away is 1.
    SmallVector<int64_t> shape(type.getShape());
    for (int64_t axis : axes)
      shape[axis] = 1;
    data = omb::castTensor(builder, loc, data,
                           RankedTensorType::get(shape, type.getElementType()));
    return tensor::CollapseShapeOp::create(builder, loc, data, groups);
  }
  omb::IndexArithmetic index(builder, loc);
  SmallVector<int64_t> shape(rank, 1);
  SmallVector<OpFoldResult> sizes(rank, builder.getIndexAttr(1));
  for (auto [from, to] : llvm::enumerate(kept)) {
    shape[to] = type.getDimSize(from);
    sizes[to] = getAsOpFoldResult(index.size(data, from));
  }
  return tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), data,
      groups, sizes);
}

/// Squeeze or Unsqueeze by computed axes: of the longer shape, each dimension
/// may be one that is put in or taken away.
LogicalResult reshapeByFlags(Operation *op, Value data, Value axes,
                             bool isInsertion,
                             ConversionPatternRewriter &rewriter) {
  auto input = cast<RankedTensorType>(op->getOperand(0).getType());
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  Location loc = op->getLoc();
  omb::IndexArithmetic index(rewriter, loc);
  int64_t longer = std::max(input.getRank(), result.getRank());
  int64_t count = std::abs(input.getRank() - result.getRank());
  index.requireLength(axes, count);
  SmallVector<Value> positions;
  for (int64_t position = 0; position < count; ++position)
    positions.push_back(
        omb::getComputedAxis(rewriter, loc, axes, position, longer));
  Value zero = index.constant(0), one = index.constant(1);
  SmallVector<Value> dataSizes = index.sizes(data);
  SmallVector<Value> sizes(result.getRank(), one);
  // The dimension of the shorter shape that comes next.
  Value next = zero;
  for (int64_t dim = 0; dim < longer; ++dim) {
    Value isUnit = index.isEqual(zero, one);
    for (Value position : positions)
      isUnit = rewriter.createOrFold<arith::OrIOp>(
          loc, isUnit, index.isEqual(position, index.constant(dim)));
    for (int64_t other = 0; other < longer - count; ++other) {
      Value isNext = index.isEqual(next, index.constant(other));
      if (isInsertion) {
        Value kept = index.select(isNext, dataSizes[other], sizes[dim]);
        sizes[dim] = index.select(isUnit, one, kept);
      } else {
        Value kept = index.select(isNext, dataSizes[dim], sizes[other]);
        sizes[other] = index.select(isUnit, sizes[other], kept);
      }
    }
    next = index.select(isUnit, next, index.add(next, one));
  }
  // Static sizes are checked like the others: by the number of elements.
  rewriter.replaceOp(
      op, omb::buildReshape(rewriter, loc, data, input, result, sizes));
  return success();
}

/// Without axes, a dynamic size of 1 would change the rank of the result.
void requireNoUnits(OpBuilder &builder, Location loc, Value data) {
  omb::IndexArithmetic index(builder, loc);
  auto type = cast<RankedTensorType>(data.getType());
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    if (!type.isDynamicDim(dim))
      continue;
    Value isKept = builder.createOrFold<arith::CmpIOp>(
        loc, arith::CmpIPredicate::ne, index.size(data, dim),
        index.constant(1));
    index.require(isKept, "Squeeze without axes has an input whose dimension " +
                              Twine(dim) + " turns out to be 1; give it axes");
  }
}

struct SqueezeToTensor : OpConversionPattern<SqueezeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(SqueezeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto input = dyn_cast<RankedTensorType>(op.getData().getType());
    auto type = getTypeConverter()->convertType<RankedTensorType>(
        op.getSqueezed().getType());
    if (!input || !type)
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    std::optional<SmallVector<int64_t>> axes;
    if (op.getAxes()) {
      axes = omb::getConstantIntegers(op.getAxes());
      if (!axes)
        return reshapeByFlags(op, adaptor.getData(), adaptor.getAxes(),
                              /*isInsertion=*/false, rewriter);
    } else {
      axes.emplace();
      for (int64_t dim = 0; dim < input.getRank(); ++dim)
        if (input.getDimSize(dim) == 1)
          axes->push_back(dim);
    }
    if (input.getRank() - int64_t(axes->size()) != type.getRank())
      return rewriter.notifyMatchFailure(
          op, "the result hasn't the rank that is left without the axes");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    if (!op.getAxes())
      requireNoUnits(rewriter, loc, adaptor.getData());
    for (int64_t &axis : *axes) {
      axis = axis < 0 ? axis + input.getRank() : axis;
      index.require(
          index.isEqual(index.size(adaptor.getData(), axis), index.constant(1)),
          "the input of Squeeze has a size other than 1 at an axis");
    }
    Value result = adaptor.getData();
    if (!axes->empty())
      result = changeUnits(rewriter, loc, result, *axes, input.getRank(),
                           /*isInsertion=*/false);
    rewriter.replaceOp(op, omb::castTensor(rewriter, loc, result, type));
    return success();
  }
};

struct UnsqueezeToTensor : OpConversionPattern<UnsqueezeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(UnsqueezeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(
        op.getExpanded().getType());
    if (!type || !isa<RankedTensorType>(op.getData().getType()))
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    std::optional<SmallVector<int64_t>> axes =
        omb::getConstantIntegers(op.getAxes());
    if (!axes)
      return reshapeByFlags(op, adaptor.getData(), adaptor.getAxes(),
                            /*isInsertion=*/true, rewriter);
    for (int64_t &axis : *axes)
      axis = axis < 0 ? axis + type.getRank() : axis;
    Value result = adaptor.getData();
    if (!axes->empty())
      result = changeUnits(rewriter, op.getLoc(), result, *axes, type.getRank(),
                           /*isInsertion=*/true);
    rewriter.replaceOp(op,
                       omb::castTensor(rewriter, op.getLoc(), result, type));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Transpose
//===----------------------------------------------------------------------===//

struct TransposeToLinalg : OpConversionPattern<TransposeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(TransposeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(
        op.getTransposed().getType());
    if (!type || !isa<RankedTensorType>(op.getData().getType()))
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    int64_t rank = type.getRank();
    SmallVector<int64_t> perm =
        llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, rank)));
    if (op.getPerm())
      for (auto [to, axis] : llvm::enumerate(*op.getPerm()))
        perm[to] = axis < 0 ? axis + rank : axis;
    if (llvm::equal(perm, llvm::seq<int64_t>(0, rank))) {
      rewriter.replaceOp(
          op, omb::castTensor(rewriter, op.getLoc(), adaptor.getData(), type));
      return success();
    }
    omb::IndexArithmetic index(rewriter, op.getLoc());
    SmallVector<Value> sizes;
    for (int64_t axis : perm)
      sizes.push_back(index.size(adaptor.getData(), axis));
    Value init = omb::createEmpty(rewriter, op.getLoc(), type, sizes);
    rewriter.replaceOp(op, linalg::TransposeOp::create(rewriter, op.getLoc(),
                                                       adaptor.getData(), init,
                                                       perm)
                               ->getResults());
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Expand
//===----------------------------------------------------------------------===//

struct ExpandToGeneric : OpConversionPattern<ExpandOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ExpandOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto input = dyn_cast<RankedTensorType>(op.getInput().getType());
    auto result = dyn_cast<RankedTensorType>(op.getOutput().getType());
    auto type = getTypeConverter()->convertType<RankedTensorType>(
        op.getOutput().getType());
    auto shapeType = dyn_cast<RankedTensorType>(op.getShape().getType());
    if (!input || !type || !shapeType)
      return rewriter.notifyMatchFailure(
          op, "the rank of the result isn't known: the shape has a dynamic "
              "length");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    int64_t rank = type.getRank();
    int64_t inputOffset = rank - input.getRank();
    int64_t length = shapeType.getDimSize(0);
    if (ShapedType::isDynamic(length)) {
      if (inputOffset == 0)
        return rewriter.notifyMatchFailure(
            op, "the shape has a dynamic length, and may be shorter than the "
                "result's");
      // A result of a higher rank than the input's has it of the shape.
      index.requireLength(adaptor.getShape(), rank);
      length = rank;
    }
    int64_t shapeOffset = rank - length;
    Value one = index.constant(1);
    SmallVector<Value> sizes;
    // By dimension of the input: whether it is 1; null where that isn't open.
    SmallVector<Value> isUnit(input.getRank());
    SmallVector<AffineExpr> exprs;
    for (int64_t dim = 0; dim < rank; ++dim) {
      int64_t from = dim - inputOffset;
      Value given = dim < shapeOffset
                        ? one
                        : index.element(adaptor.getShape(), dim - shapeOffset);
      if (from < 0) {
        sizes.push_back(given);
        continue;
      }
      Value own = index.size(adaptor.getInput(), from);
      if (omb::isSameDim(input, from, result, dim)) {
        exprs.push_back(rewriter.getAffineDimExpr(dim));
        sizes.push_back(own);
        continue;
      }
      exprs.push_back(rewriter.getAffineConstantExpr(0));
      if (input.getDimSize(from) == 1) {
        sizes.push_back(given);
        continue;
      }
      isUnit[from] = index.isEqual(own, one);
      Value stays = index.isEqual(given, one);
      Value fits = rewriter.createOrFold<arith::OrIOp>(
          loc, rewriter.createOrFold<arith::OrIOp>(loc, isUnit[from], stays),
          index.isEqual(own, given));
      index.require(fits, "the input of Expand can't be broadcast");
      sizes.push_back(index.select(isUnit[from], given, own));
    }
    bool isOpen = llvm::any_of(isUnit, [](Value unit) { return bool(unit); });
    rewriter.replaceOp(
        op, isOpen ? broadcastByPosition(rewriter, loc, adaptor.getInput(),
                                         isUnit, type, sizes)
                   : broadcastByMap(rewriter, loc, adaptor.getInput(), exprs,
                                    type, sizes));
    return success();
  }

  static Value broadcastByMap(OpBuilder &builder, Location loc, Value input,
                              ArrayRef<AffineExpr> exprs, RankedTensorType type,
                              ValueRange sizes) {
    int64_t rank = type.getRank();
    Value init = omb::createEmpty(builder, loc, type, sizes);
    SmallVector<AffineMap> maps{
        AffineMap::get(rank, 0, exprs, builder.getContext()),
        builder.getMultiDimIdentityMap(rank)};
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    return linalg::GenericOp::create(
               builder, loc, type, input, init, maps, iterators,
               [](OpBuilder &b, Location bodyLoc, ValueRange arguments) {
                 linalg::YieldOp::create(b, bodyLoc, arguments.front());
               })
        .getResult(0);
  }

  static Value broadcastByPosition(OpBuilder &builder, Location loc,
                                   Value input, ArrayRef<Value> isUnit,
                                   RankedTensorType type, ValueRange sizes) {
    auto inputType = cast<RankedTensorType>(input.getType());
    int64_t offset = type.getRank() - inputType.getRank();
    return omb::buildFromIndices(
        builder, loc, type, sizes,
        [&](OpBuilder &b, Location bodyLoc, ValueRange indices) -> Value {
          SmallVector<Value> position;
          Value zero = arith::ConstantIndexOp::create(b, bodyLoc, 0);
          for (int64_t dim = 0; dim < inputType.getRank(); ++dim) {
            Value at =
                inputType.getDimSize(dim) == 1 ? zero : indices[offset + dim];
            if (isUnit[dim])
              at = arith::SelectOp::create(b, bodyLoc, isUnit[dim], zero, at);
            position.push_back(at);
          }
          return tensor::ExtractOp::create(b, bodyLoc, input, position);
        });
  }
};

} // namespace

void omb::populateReshapingToLinalgPatterns(const TypeConverter &converter,
                                            RewritePatternSet &patterns) {
  patterns.add<ReshapeToTensor, FlattenToTensor, SqueezeToTensor,
               UnsqueezeToTensor, TransposeToLinalg, ExpandToGeneric>(
      converter, patterns.getContext());
}
