//===- Unique.cpp - Lowering of Unique ------------------------------------===//

#include "dialect/ir/ops/Indexing.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Marks.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Scalars.h"
#include "lowering/to_linalg/Sorting.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

/// Whether `lhs` comes before `rhs`: complex numbers by real part, then by
/// imaginary part.
static Value isElementBefore(omb::Scalars &s, Value lhs, Value rhs) {
  if (!isa<ComplexType>(lhs.getType()))
    return omb::isNumberBefore(s, s.widen(lhs), s.widen(rhs));
  Value realLhs = complex::ReOp::create(s, lhs);
  Value realRhs = complex::ReOp::create(s, rhs);
  Value isLess = omb::isNumberBefore(s, realLhs, realRhs);
  Value isGreater = omb::isNumberBefore(s, realRhs, realLhs);
  Value byImaginary =
      omb::isNumberBefore(s, complex::ImOp::create(s, lhs).getResult(),
                          complex::ImOp::create(s, rhs).getResult());
  return s.select(
      isLess, isLess,
      s.select(isGreater, s.constant(s.getI1Type(), 0), byImaginary));
}

namespace {

/// Finds out which slices of a tensor along an axis are equal.
class Slices {
public:
  Slices(OpBuilder &builder, Location loc, Value data, int64_t axis,
         Type onnxType, bool isSorted)
      : builder(builder), loc(loc), index(builder, loc), data(data), axis(axis),
        onnxType(onnxType), isSorted(isSorted), sizes(index.sizes(data)) {
    int64_t size = cast<RankedTensorType>(data.getType()).getDimSize(axis);
    vectorType = RankedTensorType::get(size, builder.getI32Type());
    order = omb::buildSortedPlaces(
        builder, loc, vectorType, sizes[axis], /*axis=*/0,
        [&](OpBuilder &b, Location, ValueRange, Value lhs, Value rhs) {
          return isBefore(b, lhs, rhs);
        });
    findBegins();
    markUnique();
  }

  /// How many different ones there are.
  Value count() { return numUnique; }
  /// The place of the first of those that are equal to unique one number
  /// `number`, in the body of an op.
  Value getFirst(OpBuilder &b, Value number) const {
    Value place = marks->find(b, number);
    return isSorted ? read(b, order, place) : place;
  }
  /// How many are equal to the one at `place`.
  Value getCount(OpBuilder &b, Value place) const;
  /// The number of the unique one that equals the one at `place`.
  Value getNumber(OpBuilder &b, Value place) const;

private:
  Value isBefore(OpBuilder &b, Value lhs, Value rhs) const;
  void findBegins();
  void markUnique();
  Value read(OpBuilder &b, Value places, Value at) const {
    Value place = tensor::ExtractOp::create(b, loc, places, at);
    return arith::IndexCastOp::create(b, loc, b.getIndexType(), place);
  }

  OpBuilder &builder;
  Location loc;
  omb::IndexArithmetic index;
  Value data;
  int64_t axis;
  Type onnxType;
  bool isSorted;
  SmallVector<Value> sizes;
  RankedTensorType vectorType;
  /// The places, sorted.
  Value order;
  /// For each place, where those that equal it begin in `order`.
  Value begins;
  /// The first of equal ones, in `order` or at its place.
  std::optional<omb::Marks> marks;
  Value numUnique;
};

} // namespace

Value Slices::isBefore(OpBuilder &b, Value lhs, Value rhs) const {
  int64_t rank = sizes.size();
  if (rank == 1) {
    omb::Scalars s(b, loc, onnxType);
    return isElementBefore(s, tensor::ExtractOp::create(s, data, lhs),
                           tensor::ExtractOp::create(s, data, rhs));
  }
  omb::IndexArithmetic inner(b, loc);
  SmallVector<Value> others(sizes);
  others.erase(others.begin() + axis);
  Value size = inner.product(others);
  auto readAt = [&](omb::Scalars &s, Value place, Value number) -> Value {
    omb::IndexArithmetic i(s, loc);
    SmallVector<Value> at(rank, place);
    for (int64_t dim = rank - 1; dim >= 0; --dim) {
      if (dim == axis)
        continue;
      // A size of 0 is never divided by: there is no element then.
      Value divisor = i.max(sizes[dim], i.constant(1));
      at[dim] = arith::RemUIOp::create(s, number, divisor);
      number = arith::DivUIOp::create(s, number, divisor);
    }
    return tensor::ExtractOp::create(s, data, at);
  };
  // Goes on as long as elements are equal.
  Value zero = inner.constant(0);
  Value no = arith::ConstantIntOp::create(b, loc, 0, 1);
  Value yes = arith::ConstantIntOp::create(b, loc, 1, 1);
  Type flag = b.getI1Type();
  auto loop = scf::WhileOp::create(
      b, loc, TypeRange{b.getIndexType(), flag, flag},
      ValueRange{zero, yes, no},
      [&](OpBuilder &before, Location, ValueRange state) {
        Value isInside =
            omb::IndexArithmetic(before, loc).isLess(state[0], size);
        Value goesOn = arith::AndIOp::create(before, loc, isInside, state[1]);
        scf::ConditionOp::create(before, loc, goesOn, state);
      },
      [&](OpBuilder &after, Location, ValueRange state) {
        omb::Scalars s(after, loc, onnxType);
        Value left = readAt(s, lhs, state[0]), right = readAt(s, rhs, state[0]);
        Value isLess = isElementBefore(s, left, right);
        Value isGreater = isElementBefore(s, right, left);
        Value differs = arith::OrIOp::create(s, isLess, isGreater);
        Value isEqual = arith::XOrIOp::create(
            s, differs, arith::ConstantIntOp::create(s, 1, 1));
        omb::IndexArithmetic i(s, loc);
        scf::YieldOp::create(
            s, ValueRange{i.add(state[0], i.constant(1)), isEqual, isLess});
      });
  return loop.getResult(2);
}

void Slices::findBegins() {
  begins = omb::buildFromIndices(
      builder, loc, vectorType, sizes[axis],
      [&](OpBuilder &b, Location, ValueRange at) -> Value {
        omb::IndexArithmetic inner(b, loc);
        Value begin =
            omb::bisect(b, loc, inner.constant(0), sizes[axis],
                        [&](OpBuilder &i, Value place) {
                          return isBefore(i, read(i, order, place), at[0]);
                        });
        return arith::IndexCastOp::create(b, loc, b.getI32Type(), begin);
      });
}

void Slices::markUnique() {
  Value isFirst = omb::buildFromIndices(
      builder, loc, vectorType, sizes[axis],
      [&](OpBuilder &b, Location, ValueRange at) -> Value {
        omb::IndexArithmetic inner(b, loc);
        Value first = isSorted ? read(b, begins, read(b, order, at[0]))
                               : read(b, order, read(b, begins, at[0]));
        return arith::ExtUIOp::create(b, loc, b.getI32Type(),
                                      inner.isEqual(first, at[0]));
      });
  marks.emplace(builder, loc, isFirst);
  numUnique = marks->count();
  marks->rank();
}

Value Slices::getCount(OpBuilder &b, Value place) const {
  omb::IndexArithmetic inner(b, loc);
  Value begin = read(b, begins, place);
  Value end = omb::bisect(
      b, loc, begin, sizes[axis], [&](OpBuilder &i, Value candidate) -> Value {
        Value isAfter = isBefore(i, place, read(i, order, candidate));
        return arith::XOrIOp::create(
            i, loc, isAfter, arith::ConstantIntOp::create(i, loc, 1, 1));
      });
  return inner.sub(end, begin);
}

Value Slices::getNumber(OpBuilder &b, Value place) const {
  omb::IndexArithmetic inner(b, loc);
  Value begin = read(b, begins, place);
  Value first = isSorted ? begin : read(b, order, begin);
  return inner.sub(marks->countUpTo(b, first), inner.constant(1));
}

namespace {

struct UniqueToGeneric : OpConversionPattern<UniqueOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(UniqueOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto input = dyn_cast<RankedTensorType>(adaptor.getX().getType());
    auto type =
        getTypeConverter()->convertType<RankedTensorType>(op.getY().getType());
    if (!input || !type)
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    Location loc = op.getLoc();
    Value data = adaptor.getX();
    int64_t axis = op.getAxis().value_or(0);
    if (!op.getAxis())
      data = omb::flatten(rewriter, loc, data);
    else if (axis < 0)
      axis += input.getRank();
    omb::IndexArithmetic index(rewriter, loc);
    if (llvm::is_contained(input.getShape(), 0))
      return replaceEmpty(rewriter, op, data, axis);
    Slices slices(rewriter, loc, data, axis,
                  getElementTypeOrSelf(op.getX().getType()),
                  op.getSorted() != 0);
    SmallVector<Value> sizes = index.sizes(data);
    Value size = sizes[axis];
    sizes[axis] = slices.count();
    SmallVector<Value> results;
    results.push_back(omb::buildFromIndices(
        rewriter, loc, type, sizes,
        [&](OpBuilder &b, Location, ValueRange at) -> Value {
          SmallVector<Value> position(at);
          position[axis] = slices.getFirst(b, at[axis]);
          return tensor::ExtractOp::create(b, loc, data, position);
        }));
    auto addVector = [&](Value result, Value length, auto compute) {
      if (!result)
        return;
      results.push_back(omb::buildFromIndices(
          rewriter, loc,
          getTypeConverter()->convertType<RankedTensorType>(result.getType()),
          length, [&](OpBuilder &b, Location, ValueRange at) -> Value {
            return arith::IndexCastOp::create(b, loc, b.getI64Type(),
                                              compute(b, at[0]));
          }));
    };
    addVector(op.getIndices(), slices.count(), [&](OpBuilder &b, Value number) {
      return slices.getFirst(b, number);
    });
    addVector(op.getInverseIndices(), size, [&](OpBuilder &b, Value place) {
      return slices.getNumber(b, place);
    });
    addVector(op.getCounts(), slices.count(), [&](OpBuilder &b, Value number) {
      return slices.getCount(b, slices.getFirst(b, number));
    });
    rewriter.replaceOp(op, results);
    return success();
  }

  /// Of slices without elements, all are equal; of no slices, there is none.
  LogicalResult replaceEmpty(ConversionPatternRewriter &rewriter, UniqueOp op,
                             Value data, int64_t axis) const {
    omb::IndexArithmetic index(rewriter, op.getLoc());
    if (cast<RankedTensorType>(data.getType()).getDimSize(axis) != 0)
      return rewriter.notifyMatchFailure(op, "the slices have no elements");
    SmallVector<Value> results;
    for (Value result : op->getResults()) {
      SmallVector<Value> sizes{index.constant(0)};
      if (result == op.getY()) {
        sizes = index.sizes(data);
        sizes[axis] = index.constant(0);
      }
      auto type =
          getTypeConverter()->convertType<RankedTensorType>(result.getType());
      results.push_back(omb::createEmpty(rewriter, op.getLoc(), type, sizes));
    }
    rewriter.replaceOp(op, results);
    return success();
  }
};

} // namespace

void omb::populateUniqueToLinalgPatterns(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<UniqueToGeneric>(converter, patterns.getContext());
}
