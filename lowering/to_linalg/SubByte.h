//===- SubByte.h - Elements of less than a byte -----------------*- C++ -*-===//
//
// Integers of 2 and 4 bits and floats of 4 and 6 are lowered as i8: an integer
// is sign- or zero-extended, of a float the i8 is its code, with zeros above.
//
//===----------------------------------------------------------------------===//

#ifndef OMB_LOWERING_TO_LINALG_SUBBYTE_H
#define OMB_LOWERING_TO_LINALG_SUBBYTE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"

namespace omb {

/// Whether elements of type `elementType` (before conversion) have less than a
/// byte. A bool isn't one of them: it is kept as i1.
bool isSubByte(mlir::Type elementType);

/// The element of the sub-byte type `type` that the low bits of `x`, an i8,
/// are; the others are discarded.
mlir::Value fitSubByte(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value x, mlir::Type type);

/// Elements of a sub-byte type as i8. Resources have one element a byte, or, of
/// types of 2 and 4 bits, as many as fit, the first in the low bits. Null for
/// other storage.
mlir::TypedAttr widenSubByte(mlir::ElementsAttr elements);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_SUBBYTE_H
