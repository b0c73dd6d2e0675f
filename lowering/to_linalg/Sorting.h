//===- Sorting.h - Sorting by a comparison of places ------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_SORTING_H
#define OMB_LOWERING_TO_LINALG_SORTING_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace omb {

/// Whether what is at one place comes before what is at another, in the body
/// of an op; a strict weak order.
using PlaceOrder = llvm::function_ref<mlir::Value(
    mlir::OpBuilder &, mlir::Location, mlir::Value lhs, mlir::Value rhs)>;

/// The places from 0 to `size`, as i32, sorted by `isBefore`. Equal ones stay
/// in order. `type` is that of the vector, of `size` elements.
mlir::Value buildSortedPlaces(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::RankedTensorType type, mlir::Value size,
                              PlaceOrder isBefore);

/// The lowest number from `low` to `high` that is not `isTooLow`, in the body
/// of an op; `high` where all below are. Those that are come first.
mlir::Value
bisect(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value low,
       mlir::Value high,
       llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Value number)>
           isTooLow);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_SORTING_H
