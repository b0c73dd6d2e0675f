//===- Random.cpp - Lowering of random numbers ----------------------------===//

#include "dialect/ir/ops/Random.h"
#include "lowering/to_linalg/Patterns.h"

#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

void omb::populateRandomToLinalgPatterns(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {}
