//===- Recurrent.cpp - Shapes of recurrent networks -----------------------===//

#include "dialect/ir/ops/Recurrent.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

void omb::onnx::attachRecurrentShapes(MLIRContext &context) {}
