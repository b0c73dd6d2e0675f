//===- Pooling.cpp - Shapes of pooling ------------------------------------===//

#include "dialect/ir/ops/Pooling.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

void omb::onnx::attachPoolingShapes(MLIRContext &context) {}
