//===- Matmul.cpp - Lowering of matrix products ---------------------------===//

#include "dialect/ir/ops/Matmul.h"
#include "lowering/to_linalg/Patterns.h"

#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;

void omb::populateMatmulToLinalgPatterns(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {}
