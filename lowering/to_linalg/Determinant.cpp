//===- Determinant.cpp - Lowering of Det ----------------------------------===//

#include "dialect/ir/ops/Matmul.h"
#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/Contraction.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Scalars.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb;
using namespace omb::onnx;

namespace {

/// Gaussian elimination with row pivoting, one column a step, on all matrices
/// of the batch at once.
class Elimination {
public:
  Elimination(OpBuilder &builder, Location loc, RankedTensorType matrices,
              ValueRange sizes)
      : builder(builder), loc(loc), matrices(matrices), sizes(sizes),
        batchRank(matrices.getRank() - 2),
        batch(RankedTensorType::get(matrices.getShape().drop_back(2),
                                    matrices.getElementType())) {}

  /// The product of the pivots, with the sign of the row exchanges.
  Value buildDeterminants(Value input);

private:
  /// The row at or below the diagonal with the largest element of column
  /// `step`, of each matrix.
  Value findPivots(OpBuilder &b, Value state, Value step);
  /// The determinants with one more factor.
  Value multiplyPivots(OpBuilder &b, Value state, Value determinants,
                       Value pivots, Value step);
  /// The matrices with the pivots' rows moved up, and zeros below the diagonal
  /// of column `step`.
  Value eliminate(OpBuilder &b, Value state, Value pivots, Value step);

  Value readPivot(OpBuilder &b, Value pivots, ValueRange at) {
    Value row =
        tensor::ExtractOp::create(b, loc, pivots, at.take_front(batchRank));
    return arith::IndexCastOp::create(b, loc, b.getIndexType(), row);
  }
  Value read(OpBuilder &b, Value state, ValueRange at, Value row,
             Value column) {
    SmallVector<Value> position(at.take_front(batchRank));
    position.append({row, column});
    return tensor::ExtractOp::create(b, loc, state, position);
  }

  OpBuilder &builder;
  Location loc;
  RankedTensorType matrices;
  ValueRange sizes;
  int64_t batchRank;
  RankedTensorType batch;
};

} // namespace

Value Elimination::findPivots(OpBuilder &b, Value state, Value step) {
  auto type = RankedTensorType::get(batch.getShape(), b.getI64Type());
  Value rows = sizes[batchRank];
  return buildFromIndices(
      b, loc, type, sizes.take_front(batchRank),
      [&](OpBuilder &inner, Location, ValueRange at) -> Value {
        Scalars s(inner, loc, matrices.getElementType());
        Value first = s.abs(read(inner, state, at, step, step));
        Value next = IndexArithmetic(inner, loc)
                         .add(step, IndexArithmetic(inner, loc).constant(1));
        auto loop = scf::ForOp::create(
            inner, loc, next, rows,
            arith::ConstantIndexOp::create(inner, loc, 1),
            ValueRange{step, first},
            [&](OpBuilder &body, Location, Value row, ValueRange best) {
              Scalars t(body, loc, matrices.getElementType());
              Value size = t.abs(read(body, state, at, row, step));
              Value isLarger = t.less(best[1], size);
              scf::YieldOp::create(
                  body, loc,
                  ValueRange{t.select(isLarger, row, best[0]),
                             t.select(isLarger, size, best[1])});
            });
        return arith::IndexCastOp::create(inner, loc, inner.getI64Type(),
                                          loop.getResult(0));
      });
}

Value Elimination::multiplyPivots(OpBuilder &b, Value state, Value determinants,
                                  Value pivots, Value step) {
  Value init = createEmpty(b, loc, batch, sizes.take_front(batchRank));
  SmallVector<AffineMap> maps(3, b.getMultiDimIdentityMap(batchRank));
  SmallVector<utils::IteratorType> iterators(batchRank,
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      b, loc, batch, ValueRange{determinants, pivots}, init, maps, iterators,
      [&](OpBuilder &inner, Location, ValueRange elements) {
        Scalars s(inner, loc, matrices.getElementType());
        SmallVector<Value> at;
        for (int64_t dim = 0; dim < batchRank; ++dim)
          at.push_back(linalg::IndexOp::create(inner, loc, dim));
        Value row = arith::IndexCastOp::create(inner, loc, inner.getIndexType(),
                                               elements[1]);
        Value pivot = read(inner, state, at, row, step);
        Value stays = IndexArithmetic(inner, loc).isEqual(row, step);
        Value factor = s.select(stays, pivot, s.neg(pivot));
        linalg::YieldOp::create(inner, loc, s.mul(elements[0], factor));
      });
  return generic.getResult(0);
}

Value Elimination::eliminate(OpBuilder &b, Value state, Value pivots,
                             Value step) {
  return buildFromIndices(
      b, loc, matrices, sizes,
      [&](OpBuilder &inner, Location, ValueRange at) -> Value {
        Scalars s(inner, loc, matrices.getElementType());
        IndexArithmetic index(inner, loc);
        Value row = at[batchRank], column = at[batchRank + 1];
        Value pivotRow = readPivot(inner, pivots, at);
        Value source = index.select(index.isEqual(row, step), pivotRow, row);
        source = index.select(index.isEqual(row, pivotRow), step, source);
        source = index.select(index.isEqual(row, step), pivotRow, source);
        Value element = read(inner, state, at, source, column);
        Value pivot = read(inner, state, at, pivotRow, step);
        Value factor = s.div(read(inner, state, at, source, step), pivot);
        Value changed = s.sub(
            element, s.mul(factor, read(inner, state, at, pivotRow, column)));
        // A pivot of 0 stands for a column of zeros.
        Value changes =
            arith::AndIOp::create(inner, loc, index.isLess(step, row),
                                  s.notEqual(pivot, s.constant(pivot, 0)));
        return s.select(changes, changed, element);
      });
}

Value Elimination::buildDeterminants(Value input) {
  IndexArithmetic index(builder, loc);
  Value one = Scalars(builder, loc, batch.getElementType())
                  .constant(batch.getElementType(), 1);
  Value empty = createEmpty(builder, loc, batch, sizes.take_front(batchRank));
  Value ones = linalg::FillOp::create(builder, loc, one, empty).getResult(0);
  auto loop = scf::ForOp::create(
      builder, loc, index.constant(0), sizes[batchRank], index.constant(1),
      ValueRange{input, ones},
      [&](OpBuilder &b, Location, Value step, ValueRange state) {
        Value pivots = findPivots(b, state[0], step);
        Value product = multiplyPivots(b, state[0], state[1], pivots, step);
        Value next = eliminate(b, state[0], pivots, step);
        scf::YieldOp::create(b, loc, ValueRange{next, product});
      });
  return loop.getResult(1);
}

namespace {

struct DetToLinalg : OpConversionPattern<DetOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DetOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto input = dyn_cast<RankedTensorType>(adaptor.getX().getType());
    auto result = dyn_cast<RankedTensorType>(op.getType());
    if (!input || !result)
      return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
    Location loc = op.getLoc();
    IndexArithmetic index(rewriter, loc);
    SmallVector<Value> sizes = index.sizes(adaptor.getX());
    int64_t batchRank = input.getRank() - 2;
    index.require(index.isEqual(sizes[batchRank], sizes[batchRank + 1]),
                  "Det takes square matrices");
    RankedTensorType wide =
        input.clone(getAccumulatorType(input.getElementType()));
    Value state =
        convertFloats(rewriter, loc, adaptor.getX(), wide.getElementType());
    Value determinants =
        Elimination(rewriter, loc, wide, sizes).buildDeterminants(state);
    rewriter.replaceOp(op, roundProduct(rewriter, loc, determinants, result));
    return success();
  }
};

} // namespace

void omb::populateDeterminantToLinalgPatterns(const TypeConverter &converter,
                                              RewritePatternSet &patterns) {
  patterns.add<DetToLinalg>(converter, patterns.getContext());
}
