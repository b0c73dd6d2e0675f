//===- Folding.cpp - Folds of single ops ----------------------------------===//

#include "dialect/ir/ops/Constant.h"
#include "dialect/ir/ops/DataMovement.h"

using namespace mlir;
using namespace omb::onnx;

OpFoldResult ConstantOp::fold(FoldAdaptor adaptor) {
  if (ElementsAttr value = adaptor.getValueAttr())
    return value;
  return adaptor.getSparseValueAttr();
}

OpFoldResult IdentityOp::fold(FoldAdaptor) {
  if (getInput().getType() == getOutput().getType())
    return getInput();
  return {};
}
