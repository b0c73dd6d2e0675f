//===- Quantization.h - Quantized elements ----------------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_QUANTIZATION_H
#define OMB_LOWERING_TO_LINALG_QUANTIZATION_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace omb {

/// The quotient of a number and its scale, an f32 or f64, as a quantized
/// element of type `type` (before conversion): rounded to even if that is an
/// integer, plus the zero point (null: 0), saturated. Floats saturate if
/// `saturate` says so.
mlir::Value buildQuantized(mlir::ImplicitLocOpBuilder &builder,
                           mlir::Value quotient, mlir::Value zeroPoint,
                           mlir::Type type, bool saturate = true);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_QUANTIZATION_H
