//===- Fourier.h - Discrete Fourier transforms ------------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_FOURIER_H
#define OMB_LOWERING_TO_LINALG_FOURIER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace omb {

/// Transforms tensors of f32 or f64 along one dimension. The last dimension
/// holds a real number (size 1) or a complex one (size 2).
class FourierTransform {
public:
  /// The inverse is divided by the length. Of complex results, only the real
  /// part is computed where `isReal`.
  FourierTransform(mlir::OpBuilder &builder, mlir::Location loc, bool isInverse,
                   bool isReal)
      : builder(builder), loc(loc), isInverse(isInverse), isReal(isReal) {}

  /// The first `outputs` elements of the transform of length `size` along
  /// `dim`. The input is padded with zeros or cut off to have that length. In
  /// products of small numbers the length is split into these, and each takes
  /// one matrix product.
  mlir::Value build(mlir::Value input, int64_t dim, int64_t size,
                    int64_t outputs);
  /// The same for a length that only the run tells, by its definition: the
  /// time grows with the square of the length.
  mlir::Value build(mlir::Value input, int64_t dim, mlir::Value size,
                    mlir::Value outputs);

private:
  mlir::Value scale(mlir::Value output, mlir::Value size);
  mlir::Value transform(mlir::Value input, int64_t dim, int64_t size,
                        int64_t outputs);
  mlir::Value split(mlir::Value input, int64_t dim, int64_t first,
                    int64_t second, int64_t outputs);
  mlir::Value multiplyByMatrix(mlir::Value input, int64_t dim, int64_t size,
                               int64_t outputs, int64_t parts, bool isOuter);
  mlir::Value multiplyByTwiddles(mlir::Value input, int64_t dim);
  mlir::Value sumDirectly(mlir::Value input, int64_t dim, mlir::Value size,
                          mlir::Value outputs, int64_t staticOutputs,
                          mlir::Value cosines, mlir::Value sines);
  mlir::Value joinParts(mlir::Value real, mlir::Value imaginary);

  mlir::Value createConstant(llvm::ArrayRef<int64_t> shape,
                             llvm::ArrayRef<double> numbers,
                             mlir::Type elementType);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  bool isInverse;
  bool isReal;
};

/// `input` without what lies beyond `size` along `dim`.
mlir::Value cutOff(mlir::OpBuilder &builder, mlir::Location loc,
                   mlir::Value input, int64_t dim, mlir::OpFoldResult size);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_FOURIER_H
