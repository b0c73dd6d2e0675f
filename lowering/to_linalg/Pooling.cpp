//===- Pooling.cpp - Lowering of pooling ----------------------------------===//

#include "dialect/ir/ops/Pooling.h"
#include "lowering/to_linalg/Patterns.h"

#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

void omb::populatePoolingToLinalgPatterns(const TypeConverter &converter,
                                          RewritePatternSet &patterns) {}
