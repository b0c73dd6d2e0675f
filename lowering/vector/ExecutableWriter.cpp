//===- ExecutableWriter.cpp - From a kernel to its executable -------------===//

#include "lowering/vector/ExecutableWriter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"

using namespace mlir;
using namespace omb::kernels;

Executable ExecutableWriter::write() {
  Executable executable = signature.createExecutable(builder);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(executable.count);
  writeCount(executable.count);
  builder.setInsertionPointToEnd(executable.entry);
  writeEntry(executable.entry);
  func::ReturnOp::create(builder, loc);
  return executable;
}

std::pair<Value, Value> ExecutableWriter::getRange(Value block, Value step,
                                                   Value size) {
  Value begin = arith::MulIOp::create(builder, loc, block, step);
  Value end = arith::AddIOp::create(builder, loc, begin, step);
  return {begin, arith::MinUIOp::create(builder, loc, end, size)};
}

Value ExecutableWriter::getProduct(ArrayRef<OpFoldResult> sizes) {
  if (sizes.empty())
    return constant(1);
  Value product = asValue(sizes[0]);
  for (OpFoldResult size : sizes.drop_front())
    product = arith::MulIOp::create(builder, loc, product, asValue(size));
  return product;
}

Value ExecutableWriter::asValue(OpFoldResult size) {
  return getValueOrCreateConstantIndexOp(builder, loc, size);
}

Value ExecutableWriter::constant(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}
