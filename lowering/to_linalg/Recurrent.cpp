//===- Recurrent.cpp - Lowering of recurrent networks ---------------------===//

#include "dialect/ir/ops/Recurrent.h"
#include "lowering/to_linalg/Patterns.h"

#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

void omb::populateRecurrentToLinalgPatterns(const TypeConverter &converter,
                                            RewritePatternSet &patterns) {}
