//===- AttentionEmitter.cpp - Vector code of attention --------------------===//

#include "lowering/vector/AttentionEmitter.h"

#include "lowering/vector/Elementwise.h"
#include "lowering/vector/ProductTile.h"

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
    : IndexWriter(builder, attention.getRoot().getLoc()), attention(attention),
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
