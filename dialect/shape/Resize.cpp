//===- Resize.cpp - Shapes of resampling ----------------------------------===//

#include "dialect/ir/ops/Resize.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

void omb::onnx::attachResizeShapes(MLIRContext &context) {}
