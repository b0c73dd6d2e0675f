//===- Packing.cpp - Tensors in tiles -------------------------------------===//

#include "lowering/vector/Packing.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

Value omb::kernels::createPack(OpBuilder &builder, Location loc, Value tensor,
                               ArrayRef<int64_t> dims, ArrayRef<int64_t> sizes,
                               ArrayRef<int64_t> order) {
  Type element = getElementTypeOrSelf(tensor.getType());
  SmallVector<OpFoldResult> tiles;
  for (int64_t size : sizes)
    tiles.push_back(builder.getIndexAttr(size));
  Value empty = tensor::EmptyOp::create(
      builder, loc,
      linalg::PackOp::getResultShape(
          builder, loc, tensor::getMixedSizes(builder, loc, tensor), tiles,
          dims, order),
      element);
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(element));
  return linalg::PackOp::create(builder, loc, tensor, empty, dims, tiles, zero,
                                order)
      ->getResult(0);
}
