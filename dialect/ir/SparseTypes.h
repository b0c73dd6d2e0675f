//===- SparseTypes.h - Constants that are mostly zeros ----------*- C++ -*-===//
//
// A tensor type with an encoding of the sparse_tensor dialect says that only
// some of the elements are stored, and in which form. Constants can be of such
// types: the attribute has the stored elements and their coordinates, whatever
// the form. Of a quantized type, it has the integers that are stored; what
// isn't stored is the number zero, that is, the zero point.
//
//===----------------------------------------------------------------------===//

#ifndef OMB_DIALECT_IR_SPARSETYPES_H
#define OMB_DIALECT_IR_SPARSETYPES_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"

namespace omb::onnx {

/// Whether a tensor of this type stores some of its elements only.
bool isSparse(mlir::Type type);

/// Why `op` can't have the sparse types that it has; empty if it can. Only
/// constants are sparse.
std::string findSparsityObstacle(mlir::Operation *op);

/// All elements, of the type without an encoding. Strings aren't taken.
mlir::ElementsAttr makeDense(mlir::SparseElementsAttr elements);
/// The integers of all elements of a constant of `type`, a quantized one.
mlir::ElementsAttr makeDense(mlir::SparseElementsAttr elements,
                             mlir::RankedTensorType type);

} // namespace omb::onnx

#endif // OMB_DIALECT_IR_SPARSETYPES_H
