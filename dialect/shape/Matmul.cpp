//===- Matmul.cpp - Shapes of matrix products -----------------------------===//

#include "dialect/ir/ops/Matmul.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

void omb::onnx::attachMatmulShapes(MLIRContext &context) {}
