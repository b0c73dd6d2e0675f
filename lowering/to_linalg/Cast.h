//===- Cast.h - Conversions between element types ---------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_CAST_H
#define OMB_LOWERING_TO_LINALG_CAST_H

#include "lowering/to_linalg/NarrowFloats.h"

namespace omb {

/// `x` as an element of type `to`, as ONNX's Cast converts. Both types are
/// those before conversion; any but strings and complex numbers.
mlir::Value buildCast(mlir::ImplicitLocOpBuilder &builder, mlir::Value x,
                      mlir::Type from, mlir::Type to,
                      NarrowingOptions options = {});

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_CAST_H
