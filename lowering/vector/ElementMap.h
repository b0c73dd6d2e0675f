//===- ElementMap.h - Inputs of kernels in another form ---------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_ELEMENTMAP_H
#define OMB_LOWERING_VECTOR_ELEMENTMAP_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributeInterfaces.h"

#include <functional>

namespace omb::kernels {

/// What is to be done to each element of a tensor.
struct ElementMap {
  /// What the elements become.
  mlir::Type type;
  std::function<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::Value)>
      build;
  /// The same done to a constant.
  std::function<mlir::TypedAttr(mlir::TypedAttr)> fold;
  /// The tensor that is the result already; null where there is none. May be
  /// empty.
  std::function<mlir::Value(mlir::Value)> find;
  /// An attribute of the op that does it to a tensor; may be empty.
  llvm::StringRef mark;
};

/// `value` with each element mapped. Padding and other shapes come after that,
/// so that it becomes part of what computes the elements.
mlir::Value mapBelowShapes(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value value, const ElementMap &map);

/// Appends elements to the last dimension, of a known size, up to a multiple of
/// `multiple`: those of a padding that `value` has, or zeros.
mlir::Value padLastDimension(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::Value value, int64_t multiple);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_ELEMENTMAP_H
