//===- Convolution.cpp - Shapes of convolutions ---------------------------===//

#include "dialect/ir/ops/Convolution.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

void omb::onnx::attachConvolutionShapes(MLIRContext &context) {}
