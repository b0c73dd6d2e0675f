//===- Reshape.h - The same elements in another shape -----------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_RESHAPE_H
#define OMB_LOWERING_TO_LINALG_RESHAPE_H

#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace omb {

/// `source` in the shape `sizes`, as tensor.collapse_shape and
/// tensor.expand_shape. `onnxSource` and `onnxResult` are the types before
/// conversion, whose names of dimensions say which dimensions stay as they are.
/// Asserts at run time that the number of elements fits, where the types don't
/// show it.
mlir::Value buildReshape(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value source, mlir::RankedTensorType onnxSource,
                         mlir::RankedTensorType onnxResult,
                         mlir::ValueRange sizes);

/// The dimensions of a tensor of one more than `rank`, by those of one of `rank`
/// whose dimension `axis` is split into two.
llvm::SmallVector<mlir::ReassociationIndices> getSplitGroups(int64_t rank,
                                                             int64_t axis);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_RESHAPE_H
