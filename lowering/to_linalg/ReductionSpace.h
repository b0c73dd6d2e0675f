//===- ReductionSpace.h - Reducing dimensions of a tensor -------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_REDUCTIONSPACE_H
#define OMB_LOWERING_TO_LINALG_REDUCTIONSPACE_H

#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/Scalars.h"

#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/BuiltinTypes.h"

namespace omb {

/// Takes one step of a reduction: the new accumulators from one element of each
/// input, and from the accumulators.
using ReductionBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
    mlir::OpBuilder &, mlir::Location, mlir::ValueRange elements,
    mlir::ValueRange accumulators)>;

/// Some dimensions of a tensor are reduced, the others are kept. A statistic is
/// a tensor with one element for each position of the kept dimensions.
class ReductionSpace {
public:
  /// Reduces the dimensions `axes` (from the front) of tensors of the shape of
  /// `input`.
  ReductionSpace(mlir::OpBuilder &builder, mlir::Location loc,
                 mlir::Value input, llvm::ArrayRef<int64_t> axes);
  /// Which dimensions are reduced is decided at run time: `isReduced` has an i1
  /// for each. All are kept then, with size 1 where they are reduced.
  ReductionSpace(mlir::OpBuilder &builder, mlir::Location loc,
                 mlir::Value input, mlir::ValueRange isReduced);

  /// How many elements make one of a statistic, as an index.
  mlir::Value getCount() const { return count; }
  /// The same as an element of type `type`, in the body of an op.
  mlir::Value getCount(Scalars &scalars, mlir::Type type) const;

  /// The results of one linalg.generic that goes through `inputs` (the input
  /// and tensors of its shape) and `statistics` and begins with `starts`.
  llvm::SmallVector<mlir::Value> reduce(mlir::ValueRange inputs,
                                        mlir::ValueRange statistics,
                                        mlir::ValueRange starts,
                                        ReductionBody body);
  /// The same for one accumulator, which `body` gets after the elements.
  mlir::Value reduce(mlir::ValueRange inputs, mlir::ValueRange statistics,
                     mlir::Value start, ScalarBody body);

  /// A statistic of type `elementType`, computed element by element.
  mlir::Value map(mlir::ValueRange statistics, mlir::Type elementType,
                  ScalarBody body);

  /// `statistic` with dimensions of size 1 for the reduced ones.
  mlir::Value keepDims(mlir::Value statistic);

private:
  mlir::Value createStatistic(mlir::Type elementType);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::RankedTensorType inputType;
  llvm::SmallVector<int64_t> axes;
  llvm::SmallVector<int64_t> keptShape;
  llvm::SmallVector<mlir::Value> keptSizes;
  llvm::SmallVector<mlir::utils::IteratorType> iterators;
  mlir::AffineMap inputMap;
  mlir::AffineMap keptMap;
  mlir::Value count;
  /// The shape of what one element of a statistic is made of, and its map;
  /// only where the axes are decided at run time.
  llvm::SmallVector<mlir::Value> windowSizes;
  mlir::AffineMap windowMap;
};

/// `axes` counted from the front, ascending, each once; nullopt where one is
/// out of range.
std::optional<llvm::SmallVector<int64_t>>
getAxesFromFront(llvm::ArrayRef<int64_t> axes, int64_t rank);

/// The type (before conversion) of what keepDims() makes of a statistic over
/// `axes` of a tensor of type `onnxInput`.
mlir::RankedTensorType getKeptType(mlir::RankedTensorType onnxInput,
                                   llvm::ArrayRef<int64_t> axes,
                                   mlir::Type elementType);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_REDUCTIONSPACE_H
