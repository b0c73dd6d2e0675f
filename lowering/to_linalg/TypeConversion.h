//===- TypeConversion.h - Types of onnx as types of linalg ------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_TYPECONVERSION_H
#define OMB_LOWERING_TO_LINALG_TYPECONVERSION_H

#include "mlir/Transforms/DialectConversion.h"

namespace omb {

/// Makes unsigned integers signless and sub-byte types i8 (SubByte.h), and
/// drops #onnx.dims.
class OnnxTypeConverter : public mlir::TypeConverter {
public:
  OnnxTypeConverter();
};

/// The element type that a lowering computes with: signless integers of 8 bits
/// or more, i1 for bool, floats of 8 bits or more.
mlir::Type getLoweredType(mlir::Type elementType);

/// The type to add up elements of `elementType` in: f32 for narrower floats.
mlir::Type getAccumulatorType(mlir::Type elementType);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_TYPECONVERSION_H
