//===- Parameters.h - Constants that become parameters ----------*- C++ -*-===//

#ifndef OMB_LOWERING_IREE_PARAMETERS_H
#define OMB_LOWERING_IREE_PARAMETERS_H

#include "mlir/IR/BuiltinAttributes.h"

namespace omb {

/// The module attribute, a dictionary, in which `omb-externalize-parameters`
/// leaves what it took out: parameter name -> elements, whose raw data are the
/// parameter's bytes as IREE stores them.
constexpr llvm::StringLiteral kParametersAttrName = "omb.parameters";

/// The scope of the parameters in the archive.
constexpr llvm::StringLiteral kParameterScope = "model";

/// `elements` with the bytes that IREE expects in memory: one byte for each
/// i1, and types of 2 and 4 bits packed, the first element in the low bits.
/// Null where the bytes don't fit the type, or the type has no such storage.
mlir::ElementsAttr packElements(mlir::ElementsAttr elements);

/// `elements` as a plain dense attribute, which prints its values. Null where
/// the bytes of a resource don't fit its type.
mlir::DenseElementsAttr inlineElements(mlir::ElementsAttr elements);

} // namespace omb

#endif // OMB_LOWERING_IREE_PARAMETERS_H
