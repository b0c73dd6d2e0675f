//===- Marks.cpp - Places that are picked by value ------------------------===//

#include "lowering/to_linalg/Marks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

Value omb::buildSum(OpBuilder &builder, Location loc, RankedTensorType type,
                    ValueRange sizes, ValueRange inputs,
                    ArrayRef<SmallVector<int64_t>> inputDims, TermBody body) {
  int64_t rank = type.getRank();
  auto getMap = [&](ArrayRef<int64_t> dims) {
    SmallVector<AffineExpr> exprs;
    for (int64_t dim : dims)
      exprs.push_back(builder.getAffineDimExpr(dim));
    return AffineMap::get(rank + 1, 0, exprs, builder.getContext());
  };
  SmallVector<AffineMap> maps;
  for (ArrayRef<int64_t> dims : inputDims)
    maps.push_back(getMap(dims));
  maps.push_back(getMap(llvm::to_vector(llvm::seq<int64_t>(0, rank))));
  SmallVector<utils::IteratorType> iterators(rank + 1,
                                             utils::IteratorType::parallel);
  iterators.back() = utils::IteratorType::reduction;
  Value zero = omb::createZero(builder, loc, type.getElementType());
  Value init = omb::createEmpty(builder, loc, type, sizes);
  init = linalg::FillOp::create(builder, loc, zero, init).getResult(0);
  return linalg::GenericOp::create(
             builder, loc, type, inputs, init, maps, iterators,
             [&](OpBuilder &b, Location, ValueRange arguments) {
               SmallVector<Value> at;
               for (int64_t dim = 0; dim <= rank; ++dim)
                 at.push_back(linalg::IndexOp::create(b, loc, dim));
               Value term = body(b, arguments.drop_back(), at);
               Value sum =
                   arith::AddIOp::create(b, loc, arguments.back(), term);
               linalg::YieldOp::create(b, loc, sum);
             })
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Marks
//===----------------------------------------------------------------------===//

unsigned omb::Marks::getBits() const {
  int64_t known = cast<RankedTensorType>(marks.getType()).getDimSize(0);
  return ShapedType::isDynamic(known) ? 31 : llvm::Log2_64_Ceil(known + 1);
}

Value omb::Marks::count() {
  auto type = RankedTensorType::get({}, builder.getI32Type());
  Value total = buildSum(builder, loc, type, {}, marks, {{0}},
                         [](OpBuilder &, ValueRange elements, ValueRange) {
                           return elements.front();
                         });
  return omb::IndexArithmetic(builder, loc).element(total, 0);
}

Value omb::Marks::addStrided(Value sums, int64_t stride) {
  return omb::buildFromIndices(
      builder, loc, cast<RankedTensorType>(marks.getType()), size,
      [&](OpBuilder &b, Location, ValueRange at) -> Value {
        omb::IndexArithmetic index(b, loc);
        Value zero = index.constant(0);
        Value none = arith::ConstantIntOp::create(b, loc, 0, 32);
        Value sum = tensor::ExtractOp::create(b, loc, sums, at);
        // Beyond the end there is nothing, and an index may have 32 bits.
        for (int64_t term = 1; term < kTerms && term * stride < getEnd();
             ++term) {
          Value place = index.sub(at[0], index.constant(term * stride));
          Value found =
              tensor::ExtractOp::create(b, loc, sums, index.max(place, zero));
          found = index.select(index.isLess(place, zero), none, found);
          sum = arith::AddIOp::create(b, loc, sum, found);
        }
        return sum;
      });
}

void omb::Marks::rank() {
  counts = marks;
  for (int64_t stride = 1; stride < getEnd(); stride *= kTerms)
    counts = addStrided(counts, stride);
}

Value omb::Marks::find(OpBuilder &b, Value number) const {
  omb::IndexArithmetic index(b, loc);
  Value one = index.constant(1);
  Value wanted = arith::IndexCastOp::create(b, loc, b.getI32Type(), number);
  // Bisection: `place` places have too few marks.
  Value place = index.constant(0);
  for (unsigned bit = getBits(); bit-- > 0;) {
    Value probe = index.add(place, index.constant(int64_t(1) << bit));
    Value last = index.sub(index.min(probe, size), one);
    Value marksThere = tensor::ExtractOp::create(b, loc, counts, last);
    Value isInside = index.isLess(index.sub(probe, one), size);
    Value isTooFew = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle,
                                           marksThere, wanted);
    place = index.select(
        arith::AndIOp::create(b, loc, isInside, isTooFew).getResult(), probe,
        place);
  }
  return index.min(place, index.sub(size, one));
}

Value omb::Marks::countUpTo(OpBuilder &b, Value place) const {
  Value found = tensor::ExtractOp::create(b, loc, counts, place);
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), found);
}
