//===- ControlFlow.cpp - Shapes of control flow ---------------------------===//

#include "dialect/ir/ops/ControlFlow.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

void omb::onnx::attachControlFlowShapes(MLIRContext &context) {}
