//===- AttentionResult.cpp - Probabilities times values -------------------===//

#include "lowering/vector/AttentionEmitter.h"

#include "lowering/vector/ProductTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

void AttentionEmitter::emitResult(const Chunk &chunk) {
  int64_t length = attention.getSize(attention.getValueLoop());
  int64_t lanes = tile.resultLanes, step = lanes * tile.resultVectors;
  int64_t full = length - length % step;
  if (full) {
    auto loop = scf::ForOp::create(builder, loc, constant(0), constant(full),
                                   constant(step));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    emitPanel(chunk, loop.getInductionVar(), tile.resultVectors, lanes);
  }
  if (int64_t left = length - full)
    emitPanel(chunk, constant(full), llvm::divideCeil(left, lanes),
              (left - 1) % lanes + 1);
}

void AttentionEmitter::emitPanel(const Chunk &chunk, Value element,
                                 unsigned number, int64_t lastLanes) {
  Value mask;
  if (lastLanes < tile.resultLanes) {
    auto lanes = VectorType::get(tile.resultLanes, builder.getI1Type());
    mask = vec::CreateMaskOp::create(builder, loc, lanes, constant(lastLanes));
  }
  emitTiles(builder, loc, constant(0), count, size, tile.resultRows,
            [&](Value row, int64_t rows) {
              emitResultTile(chunk, element, number, mask, row, rows);
            });
}

AttentionEmitter::Values AttentionEmitter::getStartSums(const Chunk &chunk,
                                                        ArrayRef<Values> places,
                                                        unsigned number,
                                                        Value mask, Value row) {
  auto lanes = VectorType::get(tile.resultLanes, attention.getElementType());
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(lanes));
  Values zeros(places.size(), zero);
  if (!chunk.isFirst)
    return zeros;
  auto branch = scf::IfOp::create(builder, loc, ValueRange(zeros).getTypes(),
                                  chunk.isFirst, /*addThenBlock=*/true,
                                  /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(builder, loc, zeros);
  builder.setInsertionPointToStart(branch.elseBlock());
  Values sums;
  Value scale;
  for (auto [at, place] : llvm::enumerate(places)) {
    if (at % number == 0) {
      Value lane = add(row, constant(at / number));
      scale = vec::BroadcastOp::create(
          builder, loc, lanes, loadScalar(factors, {constant(0), lane}));
    }
    Value sum =
        at % number + 1 == number && mask
            ? load(result.memory, place, mask)
            : vec::LoadOp::create(builder, loc, lanes, result.memory, place)
                  .getResult();
    sums.push_back(arith::MulFOp::create(builder, loc, sum, scale));
  }
  scf::YieldOp::create(builder, loc, sums);
  return Values(branch.getResults());
}

void AttentionEmitter::emitResultTile(const Chunk &chunk, Value element,
                                      unsigned number, Value mask, Value row,
                                      unsigned rows) {
  unsigned query = attention.getQueryLoop(), key = attention.getKeyLoop(),
           value = attention.getValueLoop();
  auto lanes = VectorType::get(tile.resultLanes, attention.getElementType());
  auto getElement = [&](unsigned vector) {
    return add(element, constant(int64_t(vector) * tile.resultLanes));
  };
  auto getRow = [&](unsigned number) { return add(row, constant(number)); };
  SmallVector<Values> places;
  for (unsigned each = 0; each < rows; ++each)
    for (unsigned vector = 0; vector < number; ++vector)
      places.push_back(getIndices(result, {{query, add(first, getRow(each))},
                                           {value, getElement(vector)}}));
  Values sums = emitLoop(
      chunk.count, getStartSums(chunk, places, number, mask, row),
      [&](Value at, Values partial) {
        Values weights;
        for (unsigned vector = 0; vector < number; ++vector) {
          Values indices = getIndices(values, {{key, add(chunk.begin, at)},
                                               {value, getElement(vector)}});
          weights.push_back(vector + 1 == number && mask
                                ? load(values.memory, indices, mask)
                                : vec::LoadOp::create(builder, loc, lanes,
                                                      values.memory, indices)
                                      .getResult());
        }
        return emitProducts(
            builder, loc, std::move(partial), weights, 0, rows,
            [&](unsigned each) {
              Value scalar = loadScalar(scores, {at, getRow(each)});
              return Values(number, vec::BroadcastOp::create(builder, loc,
                                                             lanes, scalar));
            });
      });
  for (auto [at, place] : llvm::enumerate(places)) {
    Value scalar = loadScalar(factors, {constant(1), getRow(at / number)});
    Value scale = vec::BroadcastOp::create(builder, loc, lanes, scalar);
    Value scaled = arith::MulFOp::create(builder, loc, sums[at], scale);
    if (attention.getSoftmax().zeroesNaN) {
      // The sum isn't a number, or zero, where all keys are hidden.
      Value most = arith::ConstantOp::create(
          builder, loc,
          FloatAttr::get(attention.getElementType(),
                         std::numeric_limits<double>::infinity()));
      Value isNumber = arith::CmpFOp::create(
          builder, loc, arith::CmpFPredicate::OLT, scalar, most);
      Value zero =
          arith::ConstantOp::create(builder, loc, builder.getZeroAttr(lanes));
      scaled = arith::SelectOp::create(builder, loc, isNumber, scaled, zero);
    }
    auto read = [&, at = at](OpOperand *operand, const TensorAccess &) {
      Value buffer = buffers.lookup(operand);
      return buffer ? loadScalar(buffer, {constant(0), getRow(at / number)})
                    : uniform.at(operand);
    };
    scaled = apply(attention.getResultSteps(), scaled, tile.resultLanes, read);
    store(scaled, result.memory, place,
          at % number + 1 == number ? mask : Value());
  }
}
