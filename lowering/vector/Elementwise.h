//===- Elementwise.h - What is done to each element -------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_ELEMENTWISE_H
#define OMB_LOWERING_VECTOR_ELEMENTWISE_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace omb::kernels {

/// Whether `op` computes each element of one new tensor, in the order of its
/// loops, from elements of its inputs alone.
bool isElementwiseOfInputs(mlir::linalg::GenericOp op);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_ELEMENTWISE_H
