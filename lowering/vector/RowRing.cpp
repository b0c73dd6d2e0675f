//===- RowRing.cpp - Rows of an image that are kept for a while -----------===//

#include "lowering/vector/RowRing.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace omb::kernels;

RowRing RowRing::create(OpBuilder &builder, Location loc,
                        ArrayRef<int64_t> shape, Type element, Value channel) {
  constexpr int64_t line = 64;
  if (element.isBF16())
    element = builder.getI16Type();
  return {memref::AllocaOp::create(builder, loc,
                                   MemRefType::get(shape, element),
                                   builder.getI64IntegerAttr(line)),
          channel};
}

SmallVector<Value> RowRing::locate(OpBuilder &builder, Location loc,
                                   ArrayRef<Value> at) const {
  int64_t rows = cast<MemRefType>(memory.getType()).getDimSize(0);
  Value count = arith::ConstantIndexOp::create(builder, loc, rows);
  return {arith::RemUIOp::create(builder, loc, at[1], count), at[2],
          arith::SubIOp::create(builder, loc, at[3], channel)};
}
