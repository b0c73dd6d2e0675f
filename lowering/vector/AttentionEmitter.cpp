//===- AttentionEmitter.cpp - Vector code of attention --------------------===//

#include "lowering/vector/AttentionEmitter.h"

#include "lowering/vector/Elementwise.h"
#include "lowering/vector/ProductTile.h"
#include "lowering/vector/Transpose.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

AttentionEmitter::AttentionEmitter(OpBuilder &builder,
                                   const Attention &attention,
                                   const AttentionTile &tile,
                                   const AttentionMemory &memory)
    : builder(builder), loc(attention.getRoot().getLoc()), attention(attention),
      tile(tile), memory(memory),
      type(VectorType::get(tile.lanes, attention.getElementType())) {
  OpFoldResult keys = attention.getKeyCount();
  if (auto value = dyn_cast<Value>(keys))
    keys = memory.indices.at(value);
  keyCount = getValueOrCreateConstantIndexOp(builder, loc, keys);
  queryCount = getValueOrCreateConstantIndexOp(
      builder, loc, memory.resultSizes[attention.getQueryLoop()]);
  Type element = attention.getElementType();
  panel = createBuffer(attention.getSize(attention.getSumLoop()), element);
  scores = createBuffer(tile.chunk, element);
  factors = createBuffer(2, element);
  SmallVector<AttentionStep> steps(attention.getScoreSteps());
  llvm::append_range(steps, attention.getResultSteps());
  for (const AttentionStep &step : steps)
    for (const auto &[operand, read] : step.reads) {
      if (!read.isFunctionOf(attention.getQueryLoop()))
        continue;
      bool isOfKeys = read.isFunctionOf(attention.getKeyLoop());
      buffers[operand] =
          createBuffer(isOfKeys ? llvm::alignTo(tile.chunk, tile.lanes) : 1,
                       getElementTypeOrSelf(read.tensor.getType()));
    }
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

Value AttentionEmitter::constant(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value AttentionEmitter::add(Value lhs, Value rhs) {
  return builder.createOrFold<arith::AddIOp>(loc, lhs, rhs);
}

Value AttentionEmitter::getLane(unsigned vector) {
  return constant(int64_t(vector) * tile.lanes);
}

Value AttentionEmitter::splat(double number) {
  auto value = FloatAttr::get(attention.getElementType(), number);
  return arith::ConstantOp::create(builder, loc,
                                   DenseElementsAttr::get(type, value));
}

Value AttentionEmitter::createBuffer(int64_t rows, Type element) {
  auto shape = MemRefType::get({rows, tile.getQueries()}, element);
  return memref::AllocaOp::create(builder, loc, shape,
                                  builder.getI64IntegerAttr(64));
}

Value AttentionEmitter::broadcast(Value scalar) {
  auto lanes = VectorType::get(tile.lanes, scalar.getType());
  return vec::BroadcastOp::create(builder, loc, lanes, scalar);
}

Value AttentionEmitter::getMask(Value lanes) {
  auto mask = VectorType::get(tile.lanes, builder.getI1Type());
  return vec::CreateMaskOp::create(builder, loc, mask, lanes);
}

Value AttentionEmitter::loadScalar(Value source, ValueRange at) {
  return memref::LoadOp::create(builder, loc, source, at);
}

Value AttentionEmitter::load(Value source, ValueRange at, Value mask) {
  int64_t lanes = mask ? cast<VectorType>(mask.getType()).getDimSize(0)
                       : int64_t(tile.lanes);
  auto loaded = VectorType::get(lanes, getElementTypeOrSelf(source));
  if (!mask)
    return vec::LoadOp::create(builder, loc, loaded, source, at);
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(loaded));
  return vec::MaskedLoadOp::create(builder, loc, loaded, source, at, mask,
                                   zero);
}

void AttentionEmitter::store(Value vector, Value target, ValueRange at,
                             Value mask) {
  if (mask)
    vec::MaskedStoreOp::create(builder, loc, target, at, mask, vector);
  else
    vec::StoreOp::create(builder, loc, vector, target, at);
}

AttentionEmitter::Values
AttentionEmitter::emitLoop(Value end, Values carried,
                           function_ref<Values(Value, Values)> body) {
  auto loop =
      scf::ForOp::create(builder, loc, constant(0), end, constant(1), carried);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Values next = body(loop.getInductionVar(), Values(loop.getRegionIterArgs()));
  if (!carried.empty()) // otherwise, the loop has a terminator
    scf::YieldOp::create(builder, loc, next);
  return Values(loop.getResults());
}

AttentionEmitter::Window
AttentionEmitter::getWindow(const TensorAccess &access) {
  const AccessSpace &space = attention.getSpace();
  Value zero = constant(0);
  Window window{memory.tensors.at(access.tensor), {}, {}};
  Values dims(space.sizes.size(), zero), symbols;
  for (unsigned batch : attention.getBatches())
    dims[batch] = loops[batch];
  // Symbols that no access uses have no value.
  for (Value symbol : space.symbols) {
    Value index = memory.indices.lookup(symbol);
    symbols.push_back(index ? index : zero);
  }
  for (AffineExpr expr : access.at)
    window.start.push_back(
        affine::expandAffineExpr(builder, loc, expr, dims, symbols));
  for (unsigned loop : {attention.getQueryLoop(), attention.getKeyLoop(),
                        attention.getSumLoop(), attention.getValueLoop()})
    if (std::optional<unsigned> dim = attention.getDim(access, loop))
      window.dims[loop] = *dim;
  return window;
}

AttentionEmitter::Values AttentionEmitter::getIndices(const Window &window,
                                                      ArrayRef<Place> places) {
  Values indices = window.start;
  for (auto [loop, value] : places)
    if (auto found = window.dims.find(loop); found != window.dims.end())
      indices[found->second] = add(indices[found->second], value);
  return indices;
}

Value AttentionEmitter::getQuery(Value lane) {
  Value last = arith::SubIOp::create(builder, loc, queryCount, constant(1));
  return arith::MinUIOp::create(builder, loc, add(first, lane), last);
}

Value AttentionEmitter::apply(
    ArrayRef<AttentionStep> steps, Value value, int64_t laneCount,
    function_ref<Value(OpOperand *, const TensorAccess &)> read) {
  for (const AttentionStep &step : steps) {
    LaneEmitter lanes(builder, laneCount);
    auto op = step.op;
    for (OpOperand *operand : step.computed)
      lanes.map(op.getMatchingBlockArgument(operand), value);
    for (const auto &[operand, access] : step.reads)
      lanes.map(op.getMatchingBlockArgument(operand), read(operand, access));
    value = lanes.toVector(lanes.emitAll(*op.getBody()));
  }
  return value;
}

//===----------------------------------------------------------------------===//
// Queries and masks
//===----------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------===//
// A tile of queries
//===----------------------------------------------------------------------===//

void AttentionEmitter::emit(ValueRange at, Value firstQuery, unsigned number,
                            Value exists, int64_t known) {
  loops = at;
  first = firstQuery;
  count = exists;
  size = known;
  vectors = number;
  queries = getWindow(attention.getQueries());
  keys = getWindow(attention.getKeys());
  values = getWindow(attention.getValues());
  result = Window{memory.tensors.at(Value()), Values(loops), {}};
  for (unsigned loop : {attention.getQueryLoop(), attention.getValueLoop()}) {
    result.start[loop] = constant(0);
    result.dims[loop] = loop;
  }
  readSteps();
  packQueries();
  double infinity = std::numeric_limits<double>::infinity();
  Values maxima(vectors, splat(-infinity)), sums(vectors, splat(0));
  int64_t total = attention.getSize(attention.getKeyLoop());
  if (!ShapedType::isDynamic(total) && total <= tile.chunk) {
    emitChunk({constant(0), keyCount, keyCount, total, nullptr, nullptr},
              maxima, sums);
    return;
  }
  // Without any keys, the result is zero: there is one chunk, of none.
  Value end = arith::MaxUIOp::create(builder, loc, keyCount, constant(1));
  Values carried = maxima;
  carried.append(sums);
  auto loop = scf::ForOp::create(builder, loc, constant(0), end,
                                 constant(tile.chunk), carried);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Chunk chunk;
  chunk.begin = loop.getInductionVar();
  Value next = add(chunk.begin, constant(tile.chunk));
  chunk.end = arith::MinUIOp::create(builder, loc, next, keyCount);
  chunk.count = arith::SubIOp::create(builder, loc, chunk.end, chunk.begin);
  chunk.size = total;
  auto compare = [&](arith::CmpIPredicate predicate, Value lhs, Value rhs) {
    return arith::CmpIOp::create(builder, loc, predicate, lhs, rhs);
  };
  chunk.isFirst = compare(arith::CmpIPredicate::eq, chunk.begin, constant(0));
  chunk.isLast = compare(arith::CmpIPredicate::uge, next, keyCount);
  ValueRange before = loop.getRegionIterArgs();
  auto [newMaxima, newSums] =
      emitChunk(chunk, Values(before.take_front(vectors)),
                Values(before.drop_front(vectors)));
  newMaxima.append(newSums);
  scf::YieldOp::create(builder, loc, newMaxima);
}

std::pair<AttentionEmitter::Values, AttentionEmitter::Values>
AttentionEmitter::emitChunk(const Chunk &chunk, Values maxima, Values sums) {
  readMasks(chunk);
  emitScores(chunk);
  Values newMaxima = emitMaxima(chunk, maxima);
  // Where all keys are hidden, so far, subtracting the maximum gives no number.
  Value lowest = splat(-std::numeric_limits<double>::infinity());
  Values subtrahends;
  for (Value maximum : newMaxima) {
    Value isLowest = arith::CmpFOp::create(
        builder, loc, arith::CmpFPredicate::OEQ, maximum, lowest);
    subtrahends.push_back(
        arith::SelectOp::create(builder, loc, isLowest, splat(0), maximum));
  }
  Values newSums = emitExponentials(chunk, subtrahends);
  Value one = splat(1);
  for (unsigned vector = 0; vector < vectors; ++vector) {
    Value lane = getLane(vector);
    if (chunk.isFirst) {
      Value less = arith::SubFOp::create(builder, loc, maxima[vector],
                                         subtrahends[vector]);
      Value scale = attention.getSoftmax().createExp(builder, less, tile.lanes);
      store(scale, factors, {constant(0), lane});
      newSums[vector] = vec::FMAOp::create(builder, loc, sums[vector], scale,
                                           newSums[vector]);
    }
    Value inverse = arith::DivFOp::create(builder, loc, one, newSums[vector]);
    if (chunk.isLast) {
      inverse =
          arith::SelectOp::create(builder, loc, chunk.isLast, inverse, one);
      Value hasNone = arith::CmpIOp::create(
          builder, loc, arith::CmpIPredicate::eq, keyCount, constant(0));
      inverse = arith::SelectOp::create(builder, loc, hasNone, one, inverse);
    }
    store(inverse, factors, {constant(1), lane});
  }
  emitResult(chunk);
  return {newMaxima, newSums};
}

void AttentionEmitter::emitScores(const Chunk &chunk) {
  unsigned sum = attention.getSumLoop(), key = attention.getKeyLoop();
  auto emitTile = [&](Value row, int64_t rows) {
    Value zero =
        arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
    Value end = constant(attention.getSize(sum));
    Values total = emitLoop(
        end, Values(rows * vectors, zero), [&](Value element, Values partial) {
          Values weights;
          for (unsigned vector = 0; vector < vectors; ++vector)
            weights.push_back(load(panel, {element, getLane(vector)}));
          return emitProducts(
              builder, loc, std::move(partial), weights, 0, rows,
              [&](unsigned number) {
                Value at = add(chunk.begin, add(row, constant(number)));
                Value scalar = loadScalar(
                    keys.memory, getIndices(keys, {{key, at}, {sum, element}}));
                return Values(vectors, broadcast(scalar));
              });
        });
    for (auto [number, score] : llvm::enumerate(total))
      store(score, scores,
            {add(row, constant(number / vectors)), getLane(number % vectors)});
  };
  emitTiles(builder, loc, constant(0), chunk.count, chunk.size, tile.keyRows,
            emitTile);
}

AttentionEmitter::Values AttentionEmitter::emitMaxima(const Chunk &chunk,
                                                      Values maxima) {
  return emitLoop(chunk.count, maxima, [&](Value key, Values carried) {
    for (unsigned vector = 0; vector < vectors; ++vector) {
      Values at{key, getLane(vector)};
      Value score = load(scores, at);
      if (!attention.getScoreSteps().empty()) {
        auto read = [&](OpOperand *operand, const TensorAccess &access) {
          return getRead(operand, access, chunk, key, vector);
        };
        score = apply(attention.getScoreSteps(), score, tile.lanes, read);
        store(score, scores, at);
      }
      // What isn't a number makes the sum none.
      Value isMore = arith::CmpFOp::create(
          builder, loc, arith::CmpFPredicate::OGT, score, carried[vector]);
      carried[vector] =
          arith::SelectOp::create(builder, loc, isMore, score, carried[vector]);
    }
    return carried;
  });
}

AttentionEmitter::Values AttentionEmitter::emitExponentials(const Chunk &chunk,
                                                            ValueRange maxima) {
  return emitLoop(
      chunk.count, Values(vectors, splat(0)), [&](Value key, Values carried) {
        for (unsigned vector = 0; vector < vectors; ++vector) {
          Values at{key, getLane(vector)};
          Value less = arith::SubFOp::create(builder, loc, load(scores, at),
                                             maxima[vector]);
          Value raised =
              attention.getSoftmax().createExp(builder, less, tile.lanes);
          store(raised, scores, at);
          carried[vector] =
              arith::AddFOp::create(builder, loc, carried[vector], raised);
        }
        return carried;
      });
}

//===----------------------------------------------------------------------===//
// The result
//===----------------------------------------------------------------------===//

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
