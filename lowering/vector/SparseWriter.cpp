//===- SparseWriter.cpp - What kernels of sparse products share -----------===//

#include "lowering/vector/SparseWriter.h"

#include "lowering/vector/StoredFloats.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

double SparseWriter::getWork(int64_t rows, int64_t channels) const {
  constexpr double usualDensity = 0.1;
  return rows * channels * getDepth() * usualDensity / getSpeed();
}

Value SparseWriter::loadIndex(Value from, Value at) {
  Value number = memref::LoadOp::create(builder, loc, from, at);
  return arith::IndexCastUIOp::create(builder, loc, builder.getIndexType(),
                                      number);
}

std::pair<Value, Value> SparseWriter::getSegment(Value outer, int64_t count) {
  Value positions = getMemory(contraction.getPositions());
  auto start = [&](Value at) {
    return loadIndex(positions,
                     arith::MinUIOp::create(builder, loc, at, constant(count)));
  };
  return {start(outer), start(add(outer, 1))};
}

void SparseWriter::emitLoop(Value begin, Value end, int64_t step,
                            function_ref<void(Value)> emit) {
  auto loop = scf::ForOp::create(builder, loc, begin, end, constant(step));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  emit(loop.getInductionVar());
}

SparseWriter::Values
SparseWriter::emitSums(Value begin, Value end, Values start,
                       function_ref<Values(Value, Values)> emit) {
  unsigned count = start.size();
  // An addition takes four cycles, in which others begin.
  constexpr unsigned enough = 4;
  unsigned copies = llvm::PowerOf2Ceil(llvm::divideCeil(enough, count));
  auto loop = [&](Value from, Value to, unsigned step, Values sums) {
    auto op = scf::ForOp::create(builder, loc, from, to, constant(step), sums);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(op.getBody());
    Values inner(op.getRegionIterArgs());
    Values next;
    for (unsigned copy = 0; copy < step; ++copy) {
      auto *first = inner.begin() + copy * count;
      llvm::append_range(next, emit(add(op.getInductionVar(), copy),
                                    Values(first, first + count)));
    }
    scf::YieldOp::create(builder, loc, next);
    return Values(op.getResults());
  };
  if (copies == 1)
    return loop(begin, end, 1, start);
  Value left = arith::RemUIOp::create(
      builder, loc, arith::SubIOp::create(builder, loc, end, begin),
      constant(copies));
  Value full = arith::SubIOp::create(builder, loc, end, left);
  Value zero = arith::ConstantOp::create(
      builder, loc, builder.getZeroAttr(start.front().getType()));
  Values copied(start);
  copied.append((copies - 1) * count, zero);
  Values all = loop(begin, full, copies, copied);
  Values sums(all.begin(), all.begin() + count);
  for (unsigned at = count; at < all.size(); ++at)
    sums[at % count] =
        arith::AddFOp::create(builder, loc, sums[at % count], all[at]);
  return loop(full, end, 1, sums);
}

Value SparseWriter::add(Value lhs, Value rhs) {
  return builder.createOrFold<arith::AddIOp>(loc, lhs, rhs);
}

Value SparseWriter::add(Value lhs, int64_t rhs) {
  return rhs == 0 ? lhs : add(lhs, constant(rhs));
}

Value SparseWriter::multiply(Value lhs, int64_t rhs) {
  return rhs == 1
             ? lhs
             : builder.createOrFold<arith::MulIOp>(loc, lhs, constant(rhs));
}

Value SparseWriter::getZeros() {
  return arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
}

Value SparseWriter::toVector(Value value) {
  return vec::BroadcastOp::create(builder, loc, type, value);
}

Value SparseWriter::load(Value from, ArrayRef<Value> at) {
  return vec::LoadOp::create(builder, loc, type, from, at);
}

Value SparseWriter::widen(Value stored) {
  return widenStored(builder, loc, stored,
                     getElementTypeOrSelf(contraction.getValues()).isBF16());
}

Value SparseWriter::loadWeight(Value at) {
  return widen(memref::LoadOp::create(builder, loc,
                                      getMemory(contraction.getValues()), at));
}

Value SparseWriter::loadWeights(Value at) {
  Value values = getMemory(contraction.getValues());
  return widen(vec::LoadOp::create(
      builder, loc, VectorType::get(lanes, getElementTypeOrSelf(values)),
      values, at));
}

Value SparseWriter::createBuffer(ArrayRef<int64_t> shape) {
  auto buffer = memref::AllocaOp::create(
      builder, loc, MemRefType::get(shape, builder.getF32Type()));
  buffer.setAlignment(64);
  return buffer;
}

Value SparseWriter::getMask(Value count) {
  return vec::CreateMaskOp::create(
      builder, loc, VectorType::get(lanes, builder.getI1Type()), count);
}

Value SparseWriter::getChannelMask(Value firstChannel) {
  int64_t channels = contraction.getChannels();
  if (channels % lanes == 0)
    return nullptr;
  return getMask(
      arith::SubIOp::create(builder, loc, constant(channels), firstChannel));
}
