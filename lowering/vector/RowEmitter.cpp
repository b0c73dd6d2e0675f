//===- RowEmitter.cpp - Vector code of one row ----------------------------===//

#include "lowering/vector/RowEmitter.h"

#include "lowering/vector/SoftmaxRows.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

RowEmitter::RowEmitter(OpBuilder &builder, const RowKernel &kernel,
                       unsigned lanes, const RowMemory &memory)
    : IndexWriter(builder, kernel.getRoot()->getLoc()), kernel(kernel),
      sweeps(kernel), lanes(lanes), memory(memory) {
  if (auto softmax = SoftmaxRows::match(kernel.getRoot()); succeeded(softmax))
    quotient = softmax->quotient;
  std::optional<int64_t> length = getConstantIntValue(memory.length);
  if (length && *length % lanes == 0)
    return;
  AffineExpr size = builder.getAffineDimExpr(0);
  OpFoldResult left = affine::makeComposedFoldedAffineApply(
      builder, loc, size % lanes, {memory.length});
  tailMask = vec::CreateMaskOp::create(
      builder, loc, VectorType::get(lanes, builder.getI1Type()), asValue(left));
}

OpFoldResult RowEmitter::getFloor(unsigned step) {
  AffineExpr size = builder.getAffineDimExpr(0);
  return affine::makeComposedFoldedAffineApply(
      builder, loc, size - size % (step * lanes), {memory.length});
}

void RowEmitter::emit(ValueRange indices) {
  row = indices;
  uniform.clear();
  rowValues.clear();
  readUniform();
  for (sweep = 0; sweep < sweeps.getCount(); ++sweep) {
    emitRowOps();
    Values vectors = emitSweep();
    for (auto [reduction, vector] :
         llvm::zip(sweeps.getReductions(sweep), vectors))
      rowValues[reduction.op.getResult(0)] =
          reduction.createScalar(builder, vector);
  }
}

void RowEmitter::readUniform() {
  Value zero = asValue(builder.getIndexAttr(0));
  for (Operation *op : kernel.getOps()) {
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic)
      continue;
    for (OpOperand *operand : generic.getDpsInputOperands())
      if (!kernel.isMember(operand->get()) && kernel.isUniform(*operand))
        uniform[operand] = memref::LoadOp::create(
            builder, loc, memory.tensors.at(operand->get()),
            getIndices(*operand, zero));
  }
}

RowEmitter::Values RowEmitter::getIndices(OpOperand &operand, Value column) {
  auto op = cast<linalg::GenericOp>(operand.getOwner());
  Values indices;
  for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
    auto loop = dyn_cast<AffineDimExpr>(expr);
    if (loop && loop.getPosition() < row.size())
      indices.push_back(row[loop.getPosition()]);
    else if (loop) // the row's elements
      indices.push_back(column);
    else
      indices.push_back(asValue(
          builder.getIndexAttr(cast<AffineConstantExpr>(expr).getValue())));
  }
  return indices;
}

LaneEmitter RowEmitter::createLanes() const {
  LaneEmitter emitter(builder, lanes);
  emitter.setReciprocal(quotient);
  for (auto [index, value] : memory.indices)
    emitter.map(index, value);
  return emitter;
}

void RowEmitter::emitRowOps() {
  for (Operation *op : kernel.getOps()) {
    if (!kernel.isRowOp(op) || kernel.getSweep(op) != sweep)
      continue;
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic) { // a reshape
      rowValues[op->getResult(0)] = rowValues.at(op->getOperand(0));
      continue;
    }
    LaneEmitter emitter = createLanes();
    for (OpOperand *operand : generic.getDpsInputOperands())
      emitter.map(generic.getMatchingBlockArgument(operand),
                  kernel.isMember(operand->get()) ? rowValues.at(operand->get())
                                                  : uniform.at(operand));
    rowValues[op->getResult(0)] = emitter.emitAll(*generic.getBody());
  }
}

RowEmitter::Values RowEmitter::emitSweep() {
  // Sums that don't wait for each other; a function is work enough for one.
  unsigned several = sweeps.isLong(sweep) ? 2 : 4;
  Values sums;
  SmallVector<RowReduction> reductions = sweeps.getReductions(sweep);
  for (unsigned each = 0; each < several; ++each)
    for (const RowReduction &reduction : reductions) {
      auto type = VectorType::get(lanes, reduction.getType());
      auto neutral = DenseElementsAttr::get(
          type, Attribute(reduction.getNeutral(builder)));
      sums.push_back(arith::ConstantOp::create(builder, loc, neutral));
    }
  OpFoldResult zero = builder.getIndexAttr(0);
  OpFoldResult manyEnd = getFloor(several), end = getFloor(1);
  sums = combine(emitLoop(zero, manyEnd, several, sums));
  sums = emitLoop(manyEnd, end, 1, sums);
  return tailMask ? emitTail(end, sums) : sums;
}

RowEmitter::Values RowEmitter::emitLoop(OpFoldResult begin, OpFoldResult end,
                                        unsigned count, Values sums) {
  if (isEqualConstantIntOrValue(begin, end))
    return sums;
  Value step = asValue(builder.getIndexAttr(count * lanes));
  auto loop = scf::ForOp::create(builder, loc, asValue(begin), asValue(end),
                                 step, sums);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  AffineExpr first = builder.getAffineDimExpr(0);
  SmallVector<Position> positions(count);
  for (auto [number, position] : llvm::enumerate(positions))
    position.column = asValue(affine::makeComposedFoldedAffineApply(
        builder, loc, first + number * lanes,
        {OpFoldResult(loop.getInductionVar())}));
  Values next = emitVectors(positions, Values(loop.getRegionIterArgs()));
  if (!sums.empty()) // otherwise, the loop has a terminator
    scf::YieldOp::create(builder, loc, next);
  return Values(loop.getResults());
}

RowEmitter::Values RowEmitter::emitTail(OpFoldResult begin, Values sums) {
  Position position{asValue(begin), tailMask, {}};
  if (isa<Attribute>(memory.length))
    return emitVectors(position, sums);
  Value isLeft = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                       position.column, asValue(memory.length));
  auto branch = scf::IfOp::create(builder, loc, ValueRange(sums).getTypes(),
                                  isLeft, /*addThenBlock=*/true,
                                  /*addElseBlock=*/!sums.empty());
  OpBuilder::InsertionGuard guard(builder);
  auto yield = [&](Block *block, function_ref<Values()> get) {
    builder.setInsertionPointToStart(block);
    scf::YieldOp::create(builder, loc, get());
  };
  yield(branch.thenBlock(), [&] { return emitVectors(position, sums); });
  if (!sums.empty())
    yield(branch.elseBlock(), [&] { return sums; });
  return Values(branch.getResults());
}

RowEmitter::Values RowEmitter::emitVectors(MutableArrayRef<Position> positions,
                                           Values sums) {
  auto *sum = sums.begin();
  for (Position &position : positions)
    for (const RowReduction &reduction : sweeps.getReductions(sweep)) {
      LaneEmitter emitter = createLanes();
      auto op = reduction.op;
      for (OpOperand *operand : op.getDpsInputOperands())
        emitter.map(op.getMatchingBlockArgument(operand),
                    getOperand(*operand, position));
      for (Operation &inner : op.getBody()->without_terminator())
        if (&inner != reduction.combine)
          emitter.emit(inner);
      Value element = emitter.toVector(emitter.get(reduction.element));
      Value next = reduction.create(builder, *sum, element);
      if (position.mask)
        next = arith::SelectOp::create(builder, loc, position.mask, next, *sum);
      *sum++ = next;
    }
  if (!sweeps.isLast(sweep))
    return sums;
  for (Position &position : positions)
    getWide(kernel.getRoot(), position);
  for (Position &position : positions)
    store(position.wide.at(kernel.getRoot()), position);
  return sums;
}

RowEmitter::Values RowEmitter::combine(Values sums) {
  SmallVector<RowReduction> reductions = sweeps.getReductions(sweep);
  size_t count = reductions.size();
  // Neighbours first: that is a tree where their number is a power of two.
  while (sums.size() > count) {
    Values next;
    for (size_t at = 0; at < sums.size(); at += 2 * count)
      for (size_t each = 0; each < count; ++each)
        next.push_back(reductions[each].create(builder, sums[at + each],
                                               sums[at + count + each]));
    sums = next;
  }
  return sums;
}

Value RowEmitter::getOperand(OpOperand &operand, Position &position) {
  Value tensor = operand.get();
  if (!kernel.isMember(tensor))
    return kernel.isUniform(operand)
               ? uniform.at(&operand)
               : load(memory.tensors.at(tensor),
                      getIndices(operand, position.column), position);
  if (kernel.isUniform(operand))
    return rowValues.at(tensor);
  return getWide(tensor.getDefiningOp<linalg::GenericOp>(), position);
}

Value RowEmitter::getWide(linalg::GenericOp op, Position &position) {
  if (Value known = position.wide.lookup(op))
    return known;
  Value value;
  if (sweeps.finds(op, sweep)) {
    Values at(row);
    at.push_back(position.column);
    value = load(memory.tensors.at(Value()), at, position);
  } else {
    LaneEmitter emitter = createLanes();
    for (OpOperand *operand : op.getDpsInputOperands())
      emitter.map(op.getMatchingBlockArgument(operand),
                  getOperand(*operand, position));
    value = emitter.emitAll(*op.getBody());
  }
  if (sweeps.keeps(op, sweep))
    store(value, position);
  position.wide[op] = value;
  return value;
}

Value RowEmitter::load(Value source, ValueRange at, const Position &position) {
  auto type = VectorType::get(lanes, getElementTypeOrSelf(source));
  if (!position.mask)
    return vec::LoadOp::create(builder, loc, type, source, at);
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  return vec::MaskedLoadOp::create(builder, loc, type, source, at,
                                   position.mask, zero);
}

void RowEmitter::store(Value value, const Position &position) {
  Value vector = LaneEmitter(builder, lanes).toVector(value);
  Value target = memory.tensors.at(Value());
  Values at(row);
  at.push_back(position.column);
  if (position.mask)
    vec::MaskedStoreOp::create(builder, loc, target, at, position.mask, vector);
  else
    vec::StoreOp::create(builder, loc, vector, target, at);
}
