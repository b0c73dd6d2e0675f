//===- Elementwise.cpp - What is done to each element ---------------------===//

#include "lowering/vector/Elementwise.h"

#include "mlir/Dialect/Linalg/Utils/Utils.h"

using namespace mlir;

bool omb::kernels::isElementwiseOfInputs(linalg::GenericOp op) {
  return linalg::isElementwise(op) && op.getNumDpsInits() == 1 &&
         op.hasPureTensorSemantics() &&
         op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity() &&
         op.getBody()->getArguments().back().use_empty();
}
