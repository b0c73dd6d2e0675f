//===- ProductTile.cpp - Sums of products in registers --------------------===//

#include "lowering/vector/ProductTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

/// `sum` plus the products of the groups of integers in each lane.
static Value addGroups(OpBuilder &builder, Location loc, Value input,
                       Value weights, Value sum) {
  auto type = cast<VectorType>(sum.getType());
  bool isWide = type.getNumElements() * type.getElementTypeBitWidth() > 256;
  auto call = [&](StringRef name, ValueRange operands) {
    return LLVM::CallIntrinsicOp::create(builder, loc, type,
                                         builder.getStringAttr(name), operands)
        .getResult(0);
  };
  if (getElementTypeOrSelf(input).isInteger(8))
    return call(isWide ? "llvm.x86.avx512.vpdpbusd.512"
                       : "llvm.x86.avx512.vpdpbusd.256",
                {sum, input, weights});
  weights = arith::ExtSIOp::create(builder, loc, input.getType(), weights);
  Value products =
      call(isWide ? "llvm.x86.avx512.pmaddw.d.512" : "llvm.x86.avx2.pmadd.wd",
           {input, weights});
  return arith::AddIOp::create(builder, loc, sum, products);
}

/// `sum` plus the products of the pairs of bf16 in each lane.
static Value addPairs(OpBuilder &builder, Location loc, Value input,
                      Value weights, Value sum) {
  auto type = cast<VectorType>(sum.getType());
  auto asPairs = [&](Value lanes) -> Value {
    return arith::BitcastOp::create(
        builder, loc,
        cast<VectorType>(lanes.getType()).clone(builder.getBF16Type()), lanes);
  };
  std::string name =
      "llvm.x86.avx512bf16.dpbf16ps." +
      llvm::utostr(type.getNumElements() * type.getElementTypeBitWidth());
  return LLVM::CallIntrinsicOp::create(
             builder, loc, type, builder.getStringAttr(name),
             ValueRange{sum, asPairs(input), asPairs(weights)})
      .getResult(0);
}

/// `sum` plus the products of two vectors.
static Value multiplyAdd(OpBuilder &builder, Location loc, Value input,
                         Value weights, Value sum) {
  if (!isa<FloatType>(getElementTypeOrSelf(sum)))
    return addGroups(builder, loc, input, weights, sum);
  if (getElementTypeOrSelf(weights).isInteger(16))
    return addPairs(builder, loc, input, weights, sum);
  return vector::FMAOp::create(builder, loc, input, weights, sum);
}

SmallVector<Value> omb::kernels::emitProducts(
    OpBuilder &builder, Location loc, SmallVector<Value> sums,
    ValueRange weights, unsigned begin, unsigned end,
    function_ref<SmallVector<Value>(unsigned)> readInput) {
  size_t vectors = weights.size();
  for (unsigned row = begin; row < end; ++row) {
    SmallVector<Value> input = readInput(row);
    for (size_t number = 0; number < vectors; ++number) {
      Value &into = sums[row * vectors + number];
      into = multiplyAdd(builder, loc, input[number], weights[number], into);
    }
  }
  return sums;
}

static Value createIndex(OpBuilder &builder, Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

/// Writes what `emit` does for the case that `lhs` compares so to `rhs`.
static void emitIf(OpBuilder &builder, Location loc, Value lhs,
                   arith::CmpIPredicate predicate, int64_t rhs,
                   function_ref<void()> emit) {
  Value condition = arith::CmpIOp::create(builder, loc, predicate, lhs,
                                          createIndex(builder, loc, rhs));
  auto branch =
      scf::IfOp::create(builder, loc, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(branch.thenBlock()->getTerminator());
  emit();
}

/// The rows that full tiles leave, and the first of them.
static std::pair<Value, Value> getRest(OpBuilder &builder, Location loc,
                                       Value begin, Value end, int64_t step) {
  Value left = arith::RemUIOp::create(
      builder, loc, arith::SubIOp::create(builder, loc, end, begin),
      createIndex(builder, loc, step));
  return {left, arith::SubIOp::create(builder, loc, end, left)};
}

/// The loop of full tiles.
static void emitFullTiles(OpBuilder &builder, Location loc, Value begin,
                          Value end, int64_t step,
                          function_ref<void(Value, int64_t)> emitTile) {
  auto loop = scf::ForOp::create(builder, loc, begin, end,
                                 createIndex(builder, loc, step));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  emitTile(loop.getInductionVar(), step);
}

void omb::kernels::emitTiles(OpBuilder &builder, Location loc, Value begin,
                             Value end, int64_t size, int64_t step,
                             function_ref<void(Value, int64_t)> emitTile) {
  auto [left, full] = getRest(builder, loc, begin, end, step);
  if (ShapedType::isDynamic(size) || size >= step)
    emitFullTiles(builder, loc, begin, full, step, emitTile);
  auto emitRest = [&](Value lhs, Value first, int64_t rows) {
    emitIf(builder, loc, lhs, arith::CmpIPredicate::eq, rows,
           [&] { emitTile(first, rows); });
  };
  if (!ShapedType::isDynamic(size)) {
    if (int64_t rest = size % step)
      emitRest(left, full, rest);
    return;
  }
  for (int64_t rest = llvm::PowerOf2Ceil(step) / 2; rest > 0; rest /= 2) {
    Value bit = arith::AndIOp::create(builder, loc, left,
                                      createIndex(builder, loc, rest));
    // The larger tiles, whose bits are above, come first.
    Value above = arith::AndIOp::create(builder, loc, left,
                                        createIndex(builder, loc, -2 * rest));
    emitRest(bit, arith::AddIOp::create(builder, loc, full, above), rest);
  }
}

void omb::kernels::emitTilesAndRest(OpBuilder &builder, Location loc,
                                    Value begin, Value end, int64_t step,
                                    function_ref<void(Value, int64_t)> emitTile,
                                    function_ref<void(Value, Value)> emitRest) {
  auto [left, full] = getRest(builder, loc, begin, end, step);
  emitFullTiles(builder, loc, begin, full, step, emitTile);
  emitIf(builder, loc, left, arith::CmpIPredicate::ne, 0,
         [&, left = left, full = full] { emitRest(full, left); });
}
