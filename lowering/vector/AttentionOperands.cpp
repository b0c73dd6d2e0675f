//===- AttentionOperands.cpp - What attention reads, turned ---------------===//

#include "lowering/vector/AttentionEmitter.h"

#include "lowering/vector/Transpose.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

void AttentionEmitter::packQueries() {
  unsigned sum = attention.getSumLoop();
  int64_t length = attention.getSize(sum), lanes = tile.lanes;
  auto dim = queries.dims.find(sum);
  bool areNext =
      dim != queries.dims.end() && dim->second == queries.start.size() - 1;
  auto eachVector = scf::ForOp::create(
      builder, loc, constant(0), constant(vectors * lanes), constant(lanes));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(eachVector.getBody());
  Value lane = eachVector.getInductionVar();
  int64_t step = areNext ? lanes : 1;
  int64_t full = length - length % step;
  auto loop = scf::ForOp::create(builder, loc, constant(0), constant(full),
                                 constant(step));
  if (areNext && full < length)
    packBlock(lane, constant(full), length - full);
  builder.setInsertionPointToStart(loop.getBody());
  if (areNext)
    packBlock(lane, loop.getInductionVar(), lanes);
  else
    packElement(lane, loop.getInductionVar());
}

void AttentionEmitter::packBlock(Value lane, Value element, int64_t elements) {
  Value mask = elements < tile.lanes ? getMask(constant(elements)) : nullptr;
  Values rows;
  for (unsigned row = 0; row < tile.lanes; ++row) {
    Value query = getQuery(add(lane, constant(row)));
    rows.push_back(
        load(queries.memory,
             getIndices(queries, {{attention.getQueryLoop(), query},
                                  {attention.getSumLoop(), element}}),
             mask));
  }
  Values columns = transposeSquare(builder, loc, rows);
  for (int64_t column = 0; column < elements; ++column)
    storeQueries(columns[column], add(element, constant(column)), lane);
}

void AttentionEmitter::packElement(Value lane, Value element) {
  Value vector =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  for (unsigned row = 0; row < tile.lanes; ++row) {
    Value query = getQuery(add(lane, constant(row)));
    Value scalar =
        loadScalar(queries.memory,
                   getIndices(queries, {{attention.getQueryLoop(), query},
                                        {attention.getSumLoop(), element}}));
    vector = vec::InsertOp::create(builder, loc, scalar, vector, row);
  }
  storeQueries(vector, element, lane);
}

void AttentionEmitter::storeQueries(Value vector, Value element, Value lane) {
  auto read = [&](OpOperand *operand, const TensorAccess &) {
    return uniform.at(operand);
  };
  store(apply(attention.getQuerySteps(), vector, tile.lanes, read), panel,
        {element, lane});
}

void AttentionEmitter::readSteps() {
  unsigned query = attention.getQueryLoop(), key = attention.getKeyLoop();
  uniform.clear();
  reads.clear();
  for (ArrayRef<AttentionStep> steps :
       {attention.getQuerySteps(), attention.getScoreSteps(),
        attention.getResultSteps()})
    for (const AttentionStep &step : steps)
      for (const auto &[operand, read] : step.reads) {
        Window window = getWindow(read);
        if (!read.isFunctionOf(query) && !read.isFunctionOf(key))
          uniform[operand] = loadScalar(window.memory, window.start);
        else
          reads[operand] = window;
        if (read.isFunctionOf(query) && !read.isFunctionOf(key))
          readRow(operand);
      }
}

void AttentionEmitter::readRow(OpOperand *operand) {
  const Window &window = reads.at(operand);
  emitLoop(getLane(vectors), {}, [&](Value lane, const Values &) {
    Value scalar = loadScalar(
        window.memory,
        getIndices(window, {{attention.getQueryLoop(), getQuery(lane)}}));
    memref::StoreOp::create(builder, loc, scalar, buffers.at(operand),
                            ValueRange{constant(0), lane});
    return Values();
  });
}

void AttentionEmitter::readMasks(const Chunk &chunk) {
  unsigned query = attention.getQueryLoop(), key = attention.getKeyLoop();
  for (auto &[operand, window] : reads) {
    if (!window.dims.contains(query) || !window.dims.contains(key))
      continue;
    auto loop = scf::ForOp::create(builder, loc, constant(0), chunk.count,
                                   constant(tile.lanes));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value row = loop.getInductionVar();
    bool isFull = !chunk.isFirst && chunk.size % tile.lanes == 0;
    Value mask =
        isFull ? nullptr
               : getMask(arith::SubIOp::create(builder, loc, chunk.count, row));
    auto eachVector = scf::ForOp::create(builder, loc, constant(0),
                                         getLane(vectors), getLane(1));
    builder.setInsertionPointToStart(eachVector.getBody());
    Value lane = eachVector.getInductionVar();
    Values rows;
    for (unsigned number = 0; number < tile.lanes; ++number)
      rows.push_back(load(
          window.memory,
          getIndices(window, {{query, getQuery(add(lane, constant(number)))},
                              {key, add(chunk.begin, row)}}),
          mask));
    Values columns = transposeSquare(builder, loc, rows);
    for (auto [number, column] : llvm::enumerate(columns))
      store(column, buffers.at(operand), {add(row, constant(number)), lane});
  }
}

Value AttentionEmitter::getRead(OpOperand *operand, const TensorAccess &read,
                                const Chunk &chunk, Value key,
                                unsigned vector) {
  if (Value scalar = uniform.lookup(operand))
    return scalar;
  if (Value buffer = buffers.lookup(operand)) {
    bool isOfKeys = read.isFunctionOf(attention.getKeyLoop());
    return load(buffer, {isOfKeys ? key : constant(0), getLane(vector)});
  }
  const Window &window = reads.at(operand);
  return loadScalar(
      window.memory,
      getIndices(window, {{attention.getKeyLoop(), add(chunk.begin, key)}}));
}
