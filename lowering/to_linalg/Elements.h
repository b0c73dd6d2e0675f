//===- Elements.h - Tensors element by element ------------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_ELEMENTS_H
#define OMB_LOWERING_TO_LINALG_ELEMENTS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace omb {

/// A tensor of `type` and `sizes` that has `element` everywhere.
mlir::Value createFilled(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::RankedTensorType type, mlir::ValueRange sizes,
                         mlir::Value element);

/// `tensor` with each element replaced by `body`, as `elementType`.
mlir::Value
mapElements(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tensor,
            mlir::Type elementType,
            llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                           mlir::Value)>
                body);

/// `tensor` with floats rounded or extended to `elementType`.
mlir::Value convertFloats(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value tensor, mlir::Type elementType);

/// The one element of a tensor of any rank.
mlir::Value extractScalar(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value tensor);

/// `tensor` as a vector.
mlir::Value flatten(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::Value tensor);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_ELEMENTS_H
