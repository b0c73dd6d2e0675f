//===- ControlFlow.cpp - Lowering of control flow -------------------------===//

#include "dialect/ir/ops/ControlFlow.h"
#include "lowering/to_linalg/Patterns.h"

#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

void omb::populateControlFlowToLinalgPatterns(const TypeConverter &converter,
                                              RewritePatternSet &patterns) {}
