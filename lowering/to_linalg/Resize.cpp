//===- Resize.cpp - Lowering of resampling --------------------------------===//

#include "dialect/ir/ops/Resize.h"
#include "lowering/to_linalg/Patterns.h"

#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

void omb::populateResizeToLinalgPatterns(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {}
