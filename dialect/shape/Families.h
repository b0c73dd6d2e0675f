//===- Families.h - The families of shape functions -------------*- C++ -*-===//

#ifndef OMB_DIALECT_SHAPE_FAMILIES_H
#define OMB_DIALECT_SHAPE_FAMILIES_H

namespace mlir {
class MLIRContext;
} // namespace mlir

namespace omb::onnx {

void attachActivationShapes(mlir::MLIRContext &context);
void attachConstantShapes(mlir::MLIRContext &context);
void attachDataMovementShapes(mlir::MLIRContext &context);
void attachElementwiseShapes(mlir::MLIRContext &context);
void attachIndexingShapes(mlir::MLIRContext &context);
void attachLogicalShapes(mlir::MLIRContext &context);
void attachReshapingShapes(mlir::MLIRContext &context);

} // namespace omb::onnx

#endif // OMB_DIALECT_SHAPE_FAMILIES_H
