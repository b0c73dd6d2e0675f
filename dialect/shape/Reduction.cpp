//===- Reduction.cpp - Shapes of reductions -------------------------------===//

#include "dialect/ir/ops/Reduction.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

void omb::onnx::attachReductionShapes(MLIRContext &context) {}
