//===- Reduction.cpp - Lowering of reductions -----------------------------===//

#include "dialect/ir/ops/Reduction.h"
#include "lowering/to_linalg/Patterns.h"

#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

void omb::populateReductionToLinalgPatterns(const TypeConverter &converter,
                                            RewritePatternSet &patterns) {}
