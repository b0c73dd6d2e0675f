//===- Convolution.cpp - Lowering of convolutions -------------------------===//

#include "dialect/ir/ops/Convolution.h"
#include "lowering/to_linalg/Patterns.h"

#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

void omb::populateConvolutionToLinalgPatterns(const TypeConverter &converter,
                                              RewritePatternSet &patterns) {}
