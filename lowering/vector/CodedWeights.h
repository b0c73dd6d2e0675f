//===- CodedWeights.h - Weights that are stored as integers -----*- C++ -*-===//
//
// Weights of quantized models are numbers of few bits, with a scale and a zero
// point for all, for each channel, or for each block of what is summed:
//
//   weight = (code - zero point) * scale
//
// perhaps rounded to the type of the scale, which may be narrower than f32. The
// last block of what is summed may be short.
//
// Kernels read them as they are stored, and compute the weights in registers.
//
//===----------------------------------------------------------------------===//

#ifndef OMB_LOWERING_VECTOR_CODEDWEIGHTS_H
#define OMB_LOWERING_VECTOR_CODEDWEIGHTS_H

#include "lowering/ConstantBytes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace omb::kernels {

/// A scale or a zero point for each element of a tensor.
class CodeParameter {
public:
  /// One number for all.
  explicit CodeParameter(double number) : number(number) {}
  /// Elements of a constant, which `map` finds from the indices of a coded
  /// element.
  CodeParameter(ConstantBytes bytes, mlir::RankedTensorType type,
                mlir::AffineMap map, bool isSigned)
      : bytes(std::move(bytes)), type(type), map(map), isSigned(isSigned) {}

  std::optional<double> getNumber() const { return number; }
  bool isFunctionOf(unsigned dim) const {
    return !number && map.isFunctionOfDim(dim);
  }
  double at(llvm::ArrayRef<int64_t> indices) const;
  /// Whether products with 8-bit integers are exact in f32.
  bool isNarrow() const {
    return !number && type.getElementTypeBitWidth() <= 16;
  }
  /// Whether all are numbers whose size is less than `limit`.
  bool isBelow(double limit) const;

private:
  double read(int64_t index) const;

  std::optional<double> number;
  std::optional<ConstantBytes> bytes;
  mlir::RankedTensorType type;
  mlir::AffineMap map;
  bool isSigned = true;
};

/// A constant matrix of floats that is computed of integers of a byte at most.
class CodedWeights {
public:
  /// Fails with the reason where `weights` are something else.
  static mlir::FailureOr<CodedWeights>
  match(mlir::Value weights, llvm::function_ref<void(const llvm::Twine &)> why);

  /// Whether the values of a block along `inner`, a dimension of the weights,
  /// have one scale and one zero point; without blocks, all along it.
  bool sharesParameters(int64_t inner) const;
  /// The codes in the order of the elements of `getType`.
  const ConstantBytes &getCodes() const { return codes; }
  /// The type of weights with whole blocks.
  mlir::RankedTensorType getType() const { return type; }
  bool isCodeSigned() const { return isSigned; }
  /// The bits of a code that are enough for all.
  unsigned getBits() const;
  /// The values along `inner` that share a scale and a zero point.
  int64_t getBlockSize(int64_t inner) const;
  /// The zero point if all have the same.
  std::optional<double> getZeroPoint() const { return zero.getNumber(); }
  /// The scale and the zero point of an element.
  std::pair<double, double> parametersAt(std::array<int64_t, 2> element) const;
  /// The weight, as f32, of the product of a code and a scale: rounded, if
  /// weights are.
  mlir::Value buildRounded(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value product) const;

private:
  CodedWeights(ConstantBytes codes, mlir::RankedTensorType type, bool isSigned)
      : codes(std::move(codes)), type(type), isSigned(isSigned), scale(1),
        zero(0) {}

  ConstantBytes codes;
  /// Of the weights.
  mlir::RankedTensorType type;
  bool isSigned;
  CodeParameter scale, zero;
  /// Parameters are found from indices of which those of this dimension are
  /// two: that of a block, and that in a block of `blockSize`.
  std::optional<int64_t> blockDim;
  int64_t blockSize = 1;
  /// The body's product of a code and a scale, and what it yields.
  mlir::Value product, result;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_CODEDWEIGHTS_H
