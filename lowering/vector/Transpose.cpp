//===- Transpose.cpp - Squares of registers -------------------------------===//

#include "lowering/vector/Transpose.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

SmallVector<Value> omb::kernels::transposeSquare(OpBuilder &builder,
                                                 Location loc,
                                                 ValueRange rows) {
  int64_t lanes = rows.size();
  SmallVector<Value> square(rows);
  // Of squares within squares, the upper right and the lower left change
  // places.
  for (int64_t step = 1; step < lanes; step *= 2) {
    SmallVector<int64_t> upper, lower;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      bool isRight = lane & step;
      upper.push_back(isRight ? lanes + lane - step : lane);
      lower.push_back(isRight ? lanes + lane : lane + step);
    }
    for (int64_t row = 0; row < lanes; ++row) {
      if (row & step)
        continue;
      Value lhs = square[row], rhs = square[row + step];
      square[row] = vector::ShuffleOp::create(builder, loc, lhs, rhs, upper);
      square[row + step] =
          vector::ShuffleOp::create(builder, loc, lhs, rhs, lower);
    }
  }
  return square;
}
