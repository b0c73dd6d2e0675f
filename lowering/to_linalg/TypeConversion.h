//===- TypeConversion.h - Types of onnx as types of linalg ------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_TYPECONVERSION_H
#define OMB_LOWERING_TO_LINALG_TYPECONVERSION_H

#include "mlir/Transforms/DialectConversion.h"

namespace omb {

/// Makes unsigned integers signless and drops #onnx.dims.
class OnnxTypeConverter : public mlir::TypeConverter {
public:
  OnnxTypeConverter();
};

/// The element type that a lowering computes with: signless integers.
mlir::Type getSignlessType(mlir::Type elementType);

/// The type to add up elements of `elementType` in: f32 for narrower floats.
mlir::Type getAccumulatorType(mlir::Type elementType);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_TYPECONVERSION_H
