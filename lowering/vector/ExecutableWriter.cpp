//===- ExecutableWriter.cpp - From a kernel to its executable -------------===//

#include "lowering/vector/ExecutableWriter.h"

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
