//===- Rearrange.h - Dimensions split, permuted and joined ------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_REARRANGE_H
#define OMB_LOWERING_TO_LINALG_REARRANGE_H

#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace omb {

/// Sizes by dimension, in groups that make one dimension of the other shape.
using SizeGroups = llvm::SmallVector<llvm::SmallVector<mlir::Value>>;

llvm::SmallVector<mlir::ReassociationIndices>
getReassociation(const SizeGroups &groups);

/// Dimension i of `source` as those of groups[i].
mlir::Value expandDims(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value source, const SizeGroups &groups);

/// `source` transposed, and then `groups` of dimensions as one each.
mlir::Value permuteAndJoin(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value source, llvm::ArrayRef<int64_t> perm,
                           llvm::ArrayRef<mlir::ReassociationIndices> groups);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_REARRANGE_H
