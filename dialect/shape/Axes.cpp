//===- Axes.cpp - Lists of axes -------------------------------------------===//

#include "dialect/shape/Axes.h"

#include "dialect/shape/ShapeInference.h"

#include "llvm/ADT/SmallSet.h"

using namespace mlir;
using namespace omb::onnx;

FailureOr<int64_t> omb::onnx::normalizeAxis(Operation *op, int64_t axis,
                                            int64_t rank) {
  if (std::optional<int64_t> normalized = normalizeAxis(axis, rank))
    return *normalized;
  return op->emitOpError("has axis ")
         << axis << ", which is out of range for rank " << rank;
}

FailureOr<SmallVector<int64_t>>
omb::onnx::normalizeAxes(Operation *op, ArrayRef<int64_t> axes, int64_t rank) {
  SmallVector<int64_t> result;
  llvm::SmallSet<int64_t, 8> seen;
  for (int64_t axis : axes) {
    FailureOr<int64_t> normalized = normalizeAxis(op, axis, rank);
    if (failed(normalized))
      return failure();
    if (!seen.insert(*normalized).second)
      return op->emitOpError("has axis ") << axis << " twice";
    result.push_back(*normalized);
  }
  return result;
}
