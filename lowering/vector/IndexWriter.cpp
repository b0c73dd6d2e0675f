//===- IndexWriter.cpp - Code of indices ----------------------------------===//

#include "lowering/vector/IndexWriter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"

using namespace mlir;
using namespace omb::kernels;

std::pair<Value, Value> IndexWriter::getRange(Value block, Value step,
                                              Value size) {
  Value begin = arith::MulIOp::create(builder, loc, block, step);
  Value end = arith::AddIOp::create(builder, loc, begin, step);
  return {begin, arith::MinUIOp::create(builder, loc, end, size)};
}

Value IndexWriter::getProduct(ArrayRef<OpFoldResult> sizes) {
  if (sizes.empty())
    return constant(1);
  Value product = asValue(sizes[0]);
  for (OpFoldResult size : sizes.drop_front())
    product = arith::MulIOp::create(builder, loc, product, asValue(size));
  return product;
}

Value IndexWriter::asValue(OpFoldResult size) {
  return getValueOrCreateConstantIndexOp(builder, loc, size);
}

Value IndexWriter::constant(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}
