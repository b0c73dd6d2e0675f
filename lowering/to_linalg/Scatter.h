//===- Scatter.h - Elements put by position ---------------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_SCATTER_H
#define OMB_LOWERING_TO_LINALG_SCATTER_H

#include "mlir/IR/Builders.h"

namespace omb {

/// The vector `data` with each element of the vector `updates` put where the
/// same element of `targets`, integers, says: the last one where several go to
/// one place. Every element of `data` looks through all targets.
mlir::Value buildVectorScatter(mlir::OpBuilder &builder, mlir::Location loc,
                               mlir::Value data, mlir::Value targets,
                               mlir::Value updates);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_SCATTER_H
