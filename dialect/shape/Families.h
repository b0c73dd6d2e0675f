//===- Families.h - The families of shape functions -------------*- C++ -*-===//

#ifndef OMB_DIALECT_SHAPE_FAMILIES_H
#define OMB_DIALECT_SHAPE_FAMILIES_H

namespace mlir {
class MLIRContext;
} // namespace mlir

namespace omb::onnx {

void attachActivationShapes(mlir::MLIRContext &context);
void attachConstantShapes(mlir::MLIRContext &context);
void attachControlFlowShapes(mlir::MLIRContext &context);
void attachConvolutionShapes(mlir::MLIRContext &context);
void attachDataMovementShapes(mlir::MLIRContext &context);
void attachElementwiseShapes(mlir::MLIRContext &context);
void attachIndexingShapes(mlir::MLIRContext &context);
void attachLogicalShapes(mlir::MLIRContext &context);
void attachMatmulShapes(mlir::MLIRContext &context);
void attachNormalizationShapes(mlir::MLIRContext &context);
void attachPoolingShapes(mlir::MLIRContext &context);
void attachQuantizationShapes(mlir::MLIRContext &context);
void attachRandomShapes(mlir::MLIRContext &context);
void attachRecurrentShapes(mlir::MLIRContext &context);
void attachReductionShapes(mlir::MLIRContext &context);
void attachReshapingShapes(mlir::MLIRContext &context);
void attachResizeShapes(mlir::MLIRContext &context);
void attachSequenceShapes(mlir::MLIRContext &context);
void attachSignalShapes(mlir::MLIRContext &context);

} // namespace omb::onnx

#endif // OMB_DIALECT_SHAPE_FAMILIES_H
