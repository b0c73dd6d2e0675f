//===- Softmax.cpp - Lowering of normalizations along one axis ------------===//

#include "dialect/ir/ops/Normalization.h"
#include "lowering/to_linalg/Patterns.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

void omb::populateSoftmaxToLinalgPatterns(const TypeConverter &converter,
                                          RewritePatternSet &patterns) {}
