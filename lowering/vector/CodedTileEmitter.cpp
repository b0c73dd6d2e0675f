//===- CodedTileEmitter.cpp - Tiles with weights of codes -----------------===//

#include "lowering/vector/CodedTileEmitter.h"

#include "lowering/vector/Elementwise.h"
#include "lowering/vector/Prefetch.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

/// The lanes of the instruction that selects numbers.
static constexpr int64_t kTableSize = 16;

/// The sums of a tile that fit into registers twice.
static constexpr unsigned kFewSums = 8;

CodedTileEmitter::CodedTileEmitter(OpBuilder &builder,
                                   const PackedContraction &contraction,
                                   const KernelSpace &space,
                                   const KernelMemory &memory)
    : VectorTileEmitter(builder, contraction, space, memory) {
  if (space.lanes != kTableSize)
    return;
  numbers = SelectedNumbers::match(contraction.decode);
  if (!numbers)
    return;
  // Other bits of an index than those of the code may be anything.
  SmallVector<float> all;
  for (int64_t index = 0; index < kTableSize; ++index)
    all.push_back(numbers->numbers[index % numbers->numbers.size()]);
  table = arith::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(type, ArrayRef<float>(all)));
}

CodedTileEmitter::Values
CodedTileEmitter::emitSumLoops(ArrayRef<unsigned> loops, Sum &sum,
                               Values sums) {
  // The loops go through blocks, the steps of one, and the codes of one.
  bool startsBlock = loops.size() == 2;
  if (!startsBlock || !numbers || sums.size() > kFewSums)
    return VectorTileEmitter::emitSumLoops(loops, sum, std::move(sums));
  isInBlock = true;
  Values ofBlock =
      VectorTileEmitter::emitSumLoops(loops, sum, createZeros(sum.columns));
  isInBlock = false;
  Values at = getPanelIndices(sum), scales;
  for (unsigned vector = 0; vector < space.vectors; ++vector) {
    at.back() = constant(vector * space.lanes);
    scales.push_back(read(*numbers->scales, at));
  }
  for (auto [number, each] : llvm::enumerate(sums))
    each = vec::FMAOp::create(builder, loc, ofBlock[number],
                              scales[number % space.vectors], each);
  return sums;
}

CodedTileEmitter::Values CodedTileEmitter::readWeights(const Sum &sum) {
  Values at = getPanelIndices(sum), weights;
  auto op = contraction.decode;
  createPrefetch(builder, loc, memory.operands.at(op.getDpsInputs()[0]),
                 {at[0], at[1], at[2], at[4]}, contraction.getPanelChannels());
  for (unsigned vector = 0; vector < space.vectors; ++vector) {
    at.back() = constant(vector * space.lanes);
    weights.push_back(isInBlock ? select(at) : decode(at));
  }
  return weights;
}

Value CodedTileEmitter::read(OpOperand &operand, ArrayRef<Value> at) {
  auto op = contraction.decode;
  Values indices;
  for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults())
    indices.push_back(at[cast<AffineDimExpr>(expr).getPosition()]);
  return finish.readVector(memory.operands.at(operand.get()), indices,
                           /*mask=*/nullptr);
}

Value CodedTileEmitter::decode(ArrayRef<Value> at) {
  auto op = contraction.decode;
  LaneEmitter emitter(builder, space.lanes);
  for (OpOperand *operand : op.getDpsInputOperands())
    emitter.map(op.getMatchingBlockArgument(operand), read(*operand, at));
  for (auto index : op.getBody()->getOps<linalg::IndexOp>())
    emitter.map(index.getResult(), at[index.getDim()]);
  return emitter.emitAll(*op.getBody());
}

Value CodedTileEmitter::select(ArrayRef<Value> at) {
  auto words = VectorType::get(space.lanes, builder.getI32Type());
  Value codes =
      arith::ExtUIOp::create(builder, loc, words, read(*numbers->codes, at));
  // The loop through the codes of a byte is written out.
  int64_t bits = 8 / contraction.getPanelsType().getDimSize(3),
          first = bits * *getConstantIntValue(at[3]);
  if (first > 0) {
    Value amount = arith::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(words, builder.getI32IntegerAttr(first)));
    codes = arith::ShRUIOp::create(builder, loc, codes, amount);
  }
  return LLVM::CallIntrinsicOp::create(
             builder, loc, type,
             builder.getStringAttr("llvm.x86.avx512.permvar.sf.512"),
             ValueRange{table, codes})
      .getResult(0);
}
