//===- PoolTileEmitter.cpp - Tiles of pools -------------------------------===//

#include "lowering/vector/PoolTileEmitter.h"

#include "lowering/vector/Elementwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;

PoolTileEmitter::PoolTileEmitter(OpBuilder &builder,
                                 const PackedContraction &contraction,
                                 const KernelSpace &space,
                                 const KernelMemory &memory)
    : VectorTileEmitter(builder, contraction, space, memory),
      combiner(*contraction.getCombiner()) {}

PoolTileEmitter::Values
PoolTileEmitter::createZeros(const TileColumns &columns) {
  Attribute start;
  matchPattern(contraction.fill.value(), m_Constant(&start));
  Value vector = arith::ConstantOp::create(builder, loc,
                                           DenseElementsAttr::get(type, start));
  return Values(columns.count * space.vectors, vector);
}

Value PoolTileEmitter::getElement(Value image) {
  LaneEmitter emitter(builder, space.lanes);
  auto product = contraction.product;
  emitter.map(product.getMatchingBlockArgument(product.getDpsInputOperand(0)),
              image);
  for (Operation &op : product.getBody()->without_terminator())
    if (&op != combiner.combine)
      emitter.emit(op);
  return emitter.toVector(emitter.get(combiner.element));
}

PoolTileEmitter::Values PoolTileEmitter::emitStep(const Sum &sum, Values sums) {
  for (unsigned column = sum.begin; column < sum.end; ++column)
    for (auto [vector, image] : llvm::enumerate(readInput(sum, column))) {
      Value &accumulator = sums[column * space.vectors + vector];
      accumulator =
          combiner.createShort(builder, accumulator, getElement(image));
    }
  return sums;
}
