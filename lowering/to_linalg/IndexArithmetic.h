//===- IndexArithmetic.h - Sizes and positions at run time ------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_INDEXARITHMETIC_H
#define OMB_LOWERING_TO_LINALG_INDEXARITHMETIC_H

#include "dialect/ir/Assert.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace omb {

/// Builds signed arithmetic on `index` values and folds what is constant.
class IndexArithmetic {
public:
  IndexArithmetic(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  mlir::Value constant(int64_t value);
  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value sub(mlir::Value lhs, mlir::Value rhs);
  mlir::Value mul(mlir::Value lhs, mlir::Value rhs);
  mlir::Value min(mlir::Value lhs, mlir::Value rhs);
  mlir::Value max(mlir::Value lhs, mlir::Value rhs);
  /// The quotient rounded to zero; the divisor is not 0.
  mlir::Value div(mlir::Value lhs, mlir::Value rhs);
  mlir::Value ceilDiv(mlir::Value lhs, mlir::Value rhs);
  mlir::Value floorDiv(mlir::Value lhs, mlir::Value rhs);
  /// The remainder with the sign of `rhs`, which is not 0.
  mlir::Value floorMod(mlir::Value lhs, mlir::Value rhs);
  mlir::Value clamp(mlir::Value value, mlir::Value low, mlir::Value high);
  mlir::Value isEqual(mlir::Value lhs, mlir::Value rhs);
  mlir::Value isLess(mlir::Value lhs, mlir::Value rhs);
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);
  mlir::Value product(mlir::ValueRange factors);

  /// `position` counted from the front where it is negative.
  mlir::Value fromFront(mlir::Value position, mlir::Value size);
  /// An element's position that never leaves [0, size), for any `index`.
  mlir::Value inBounds(mlir::Value index, mlir::Value size);

  /// The size of dimension `dim` of a tensor.
  mlir::Value size(mlir::Value tensor, int64_t dim);
  llvm::SmallVector<mlir::Value> sizes(mlir::Value tensor);
  /// Element `position` of a 1-D (or the element of a 0-D) integer tensor.
  mlir::Value element(mlir::Value tensor, int64_t position);

  /// Stops the run with `message` unless `condition` holds; emits nothing
  /// where it is known to hold.
  void require(mlir::Value condition, const llvm::Twine &message);
  /// Stops the run unless `vector`, which decides a rank, has the `length` that
  /// follows from what the model declares; a scalar has one.
  void requireLength(mlir::Value vector, int64_t length);

  /// `sizes` as an op with static and dynamic sizes takes them.
  llvm::SmallVector<mlir::OpFoldResult> mixed(mlir::ValueRange sizes);

private:
  mlir::OpBuilder &builder;
  mlir::Location loc;
};

/// Stops the run with `message` where a result of `resultSizes` picks elements
/// from a dimension of `size` 0: there is none to clamp a position to.
void requireElements(IndexArithmetic index, mlir::Value size,
                     mlir::ValueRange resultSizes, const llvm::Twine &message);

/// The elements of an integer tensor that is a small constant; nullopt where it
/// isn't.
std::optional<llvm::SmallVector<int64_t>>
getConstantIntegers(mlir::Value value);

/// Element `position` of the tensor `axes`, counted from the front. Stops the
/// run where it is out of range.
mlir::Value getComputedAxis(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::Value axes, int64_t position, int64_t rank);

/// `value` as `type`, which differs in what is static only.
mlir::Value castTensor(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value value, mlir::Type type);

/// An uninitialized tensor; `sizes` has the size of each dimension of `type`,
/// of which only the dynamic ones are used.
mlir::Value createEmpty(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::RankedTensorType type, mlir::ValueRange sizes);

/// Computes one element of the result from its position.
using ElementBody = llvm::function_ref<mlir::Value(
    mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>;

/// A tensor whose elements `body` computes, in one linalg.generic.
mlir::Value buildFromIndices(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::RankedTensorType type,
                             mlir::ValueRange sizes, ElementBody body);

/// The element whose bits are all 0.
mlir::Value createZero(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Type elementType);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_INDEXARITHMETIC_H
