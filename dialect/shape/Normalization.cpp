//===- Normalization.cpp - Shapes of normalizations -----------------------===//

#include "dialect/ir/ops/Normalization.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

void omb::onnx::attachNormalizationShapes(MLIRContext &context) {}
