//===- Keywords.cpp - Attributes that are one of some words ---------------===//

#include "dialect/shape/Keywords.h"

#include "mlir/IR/Diagnostics.h"

using namespace mlir;

LogicalResult omb::onnx::checkKeyword(Operation *op, StringRef name,
                                      StringRef value,
                                      ArrayRef<StringRef> known) {
  if (llvm::is_contained(known, value))
    return success();
  return op->emitOpError("has the ")
         << name << " '" << value << "', which is unknown";
}
