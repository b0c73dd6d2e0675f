//===- Sorting.h - Sorting by a comparison of places ------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_SORTING_H
#define OMB_LOWERING_TO_LINALG_SORTING_H

#include "lowering/to_linalg/Scalars.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace omb {

/// Whether the real number `lhs` comes before `rhs`; NaN is last. Floats are as
/// Scalars::widen gives them.
mlir::Value isNumberBefore(Scalars &s, mlir::Value lhs, mlir::Value rhs);

/// Whether what is at one place of a dimension comes before what is at another,
/// in the body of an op; a strict weak order. `at` is the position in the op's
/// result, which says where in the other dimensions they are.
using PlaceOrder = llvm::function_ref<mlir::Value(
    mlir::OpBuilder &, mlir::Location, mlir::ValueRange at, mlir::Value lhs,
    mlir::Value rhs)>;

/// The places from 0 to the size of dimension `axis`, as i32, sorted by
/// `isBefore` for each position in the other dimensions. Equal ones stay in
/// order. `type` is that of the result, `sizes` are those of its dimensions.
mlir::Value buildSortedPlaces(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::RankedTensorType type,
                              mlir::ValueRange sizes, int64_t axis,
                              PlaceOrder isBefore);

/// A sorted list of places, of which the body of an op reads.
struct SortedList {
  mlir::Value size;
  /// The place at a position, which may be the one after the last.
  llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Value)> read;
};

/// What comes to `position` when two lists are merged; of two equal places, the
/// one of `left` is first.
mlir::Value mergeSorted(
    mlir::OpBuilder &builder, mlir::Location loc, const SortedList &left,
    const SortedList &right, mlir::Value position,
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Value, mlir::Value)>
        isBefore);

/// The lowest number from `low` to `high` that is not `isTooLow`, in the body
/// of an op; `high` where all below are. Those that are come first.
mlir::Value
bisect(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value low,
       mlir::Value high,
       llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Value number)>
           isTooLow);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_SORTING_H
