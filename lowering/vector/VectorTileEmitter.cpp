//===- VectorTileEmitter.cpp - Tiles in vector registers ------------------===//

#include "lowering/vector/VectorTileEmitter.h"

#include "lowering/vector/Elementwise.h"
#include "lowering/vector/ProductTile.h"
#include "lowering/vector/StoredFloats.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

VectorTileEmitter::VectorTileEmitter(OpBuilder &builder,
                                     const PackedContraction &contraction,
                                     const KernelSpace &space,
                                     const KernelMemory &memory)
    : TileEmitter(builder, contraction, space, memory) {
  auto epilogue = contraction.epilogue;
  if (!epilogue || !callsFunctions(*epilogue.getBody()))
    return;
  int64_t vectors = space.tileRows * space.vectors;
  buffer = memref::AllocaOp::create(
      builder, loc,
      MemRefType::get({vectors, space.lanes}, type.getElementType()));
}

VectorTileEmitter::Values
VectorTileEmitter::createZeros(const TileColumns &columns) {
  if (part)
    return readSums(columns);
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  return Values(columns.count * space.vectors, zero);
}

void VectorTileEmitter::emitResults(ArrayRef<Value> position,
                                    const TileColumns &columns, Values sums) {
  if (part && !part->isLast)
    return writeSums(columns, sums);
  if (buffer)
    return emitEpilogueLoop(position, sums);
  for (auto [number, sum] : llvm::enumerate(sums)) {
    Values at =
        getResultIndices(position, builder.getIndexAttr(number / space.vectors),
                         builder.getIndexAttr(number % space.vectors));
    finish.emit(sum, at, getMask(at.back()));
  }
}

VectorTileEmitter::Values
VectorTileEmitter::getSumIndices(const TileColumns &columns, unsigned number) {
  Value column = apply(builder.getAffineDimExpr(0) + number / space.vectors,
                       {columns.before});
  return {column, constant(number % space.vectors * space.lanes)};
}

VectorTileEmitter::Values
VectorTileEmitter::readSums(const TileColumns &columns) {
  Values sums;
  for (unsigned number = 0; number < columns.count * space.vectors; ++number)
    sums.push_back(vec::LoadOp::create(builder, loc, type, part->sums,
                                       getSumIndices(columns, number)));
  return sums;
}

void VectorTileEmitter::writeSums(const TileColumns &columns,
                                  ArrayRef<Value> sums) {
  for (auto [number, sum] : llvm::enumerate(sums))
    vec::StoreOp::create(builder, loc, sum, part->sums,
                         getSumIndices(columns, number));
}

VectorTileEmitter::Values VectorTileEmitter::readWeights(const Sum &sum) {
  Values at = getPanelIndices(sum);
  Values weights;
  int64_t count = space.lanes * contraction.getGroup();
  Value panels = memory.operands.at(contraction.getPanels());
  auto lanes = VectorType::get(count, getElementTypeOrSelf(panels));
  fetch.emit(panels, at, 1, part);
  for (unsigned vector = 0; vector < space.vectors; ++vector) {
    at.back() = constant(vector * count);
    Value read = vec::LoadOp::create(builder, loc, lanes, panels, at);
    weights.push_back(contraction.getGroup() == 1 ? widen(read) : read);
  }
  return weights;
}

VectorTileEmitter::Values VectorTileEmitter::readInput(const Sum &sum,
                                                       unsigned number) {
  Value input = getInput();
  Values at = getInputIndices(sum, number);
  if (contraction.getGroup() > 1)
    return Values(space.vectors, readGroup(input, locateInput(at)));
  if (!contraction.pack) {
    Value value = memref::LoadOp::create(builder, loc, input, locateInput(at));
    return Values(space.vectors, finish.toVector(value));
  }
  AffineExpr first = builder.getAffineDimExpr(0);
  at.push_back(nullptr);
  Values vectors;
  for (unsigned vector = 0; vector < space.vectors; ++vector) {
    at.back() = apply(first + vector * space.lanes, {channel});
    Value mask = getMask(at.back());
    vectors.push_back(finish.readVector(input, locateInput(at), mask));
  }
  return vectors;
}

Value VectorTileEmitter::toNumbers(Value read) {
  if (!isa<IntegerType>(getElementTypeOrSelf(read)))
    return read;
  Value numbers = arith::SIToFPOp::create(builder, loc, type, read);
  std::optional<APFloat> shift = contraction.getInputShift();
  if (!shift)
    return numbers;
  Value all = arith::ConstantOp::create(builder, loc,
                                        DenseElementsAttr::get(type, *shift));
  return arith::SubFOp::create(builder, loc, numbers, all);
}

Value VectorTileEmitter::widen(Value weights) {
  Type element = contraction.getPanelsType().getElementType();
  if (element == type.getElementType())
    return weights;
  return widenStored(builder, loc, weights, element.isBF16());
}

Value VectorTileEmitter::readGroup(Value input, ArrayRef<Value> at) {
  unsigned group = contraction.getGroup();
  Type word = builder.getI32Type();
  Value values = vec::LoadOp::create(
      builder, loc, VectorType::get(group, getElementTypeOrSelf(input)), input,
      at);
  bool fillsWord =
      group * getElementTypeOrSelf(input).getIntOrFloatBitWidth() ==
      type.getElementTypeBitWidth();
  if (!fillsWord) // two bytes
    values = arith::ExtUIOp::create(
        builder, loc, VectorType::get(group, builder.getI16Type()), values);
  Value one =
      vec::BitCastOp::create(builder, loc, VectorType::get(1, word), values);
  Value lanes = finish.toVector(vec::ExtractOp::create(builder, loc, one, 0));
  Type element = getElementTypeOrSelf(values.getType());
  return vec::BitCastOp::create(
      builder, loc, VectorType::get(space.lanes * group, element), lanes);
}

VectorTileEmitter::Values VectorTileEmitter::emitStep(const Sum &sum,
                                                      Values sums) {
  auto readFactors = [&](unsigned number) {
    Values input = readInput(sum, number);
    if (contraction.pack)
      for (Value &vector : input)
        vector = toNumbers(vector);
    return input;
  };
  return emitProducts(builder, loc, std::move(sums), readWeights(sum),
                      sum.begin, sum.end, readFactors);
}

void VectorTileEmitter::emitEpilogueLoop(ArrayRef<Value> position,
                                         ArrayRef<Value> sums) {
  Value zero = constant(0);
  for (auto [number, sum] : llvm::enumerate(sums))
    vec::StoreOp::create(builder, loc, sum, buffer,
                         ValueRange{constant(number), zero});
  auto loop = scf::ForOp::create(builder, loc, zero, constant(sums.size()),
                                 constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value number = loop.getInductionVar();
  auto split = affine::AffineDelinearizeIndexOp::create(
      builder, loc, number, ArrayRef<int64_t>{int64_t(space.vectors)},
      /*hasOuterBound=*/false);
  Value sum =
      vec::LoadOp::create(builder, loc, type, buffer, ValueRange{number, zero});
  Values at =
      getResultIndices(position, split.getResult(0), split.getResult(1));
  finish.emit(sum, at, getMask(at.back()));
}
