//===- Broadcast.h - Elementwise computations with broadcasting -*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_BROADCAST_H
#define OMB_LOWERING_TO_LINALG_BROADCAST_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributeInterfaces.h"
#include "mlir/IR/BuiltinTypes.h"

namespace omb {

/// Computes one element of the result from one element of each operand.
using ScalarBody = llvm::function_ref<mlir::Value(
    mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>;

/// Broadcasts `operands` to the shape of `onnxResult` (ONNX multidirectional
/// broadcasting) and computes every element of the result by `body`, in one
/// linalg.generic. `onnxOperands` and `onnxResult` are the types before
/// conversion: the names of their dimensions say which dynamic sizes are equal.
/// Where two dynamic dimensions may differ, the code decides at run time which
/// of them is 1, and asserts that they fit.
mlir::Value buildElementwise(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::ValueRange operands,
                             mlir::TypeRange onnxOperands,
                             mlir::RankedTensorType onnxResult,
                             ScalarBody body);

/// The number that all elements of `tensor` are; null where it isn't known.
mlir::TypedAttr getNumber(mlir::Value tensor);

/// Whether the dimensions have equal sizes in every run, as far as the types
/// (before conversion) tell.
bool isSameDim(mlir::RankedTensorType lhs, int64_t lhsDim,
               mlir::RankedTensorType rhs, int64_t rhsDim);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_BROADCAST_H
