//===- QuantizedFactors.h - Products of quantized tensors -------*- C++ -*-===//
//
// An element q of a quantized tensor stands for (q - zero point) * scale. The
// products of two such tensors are sums of q * r on signed bytes, which
// processors are made for, and what the zero points change about them:
//
//   sum (q - z) * (r - w) = sum q * r - z * sum r - w * (sum q - count * z)
//
// All of it is calculated modulo 2^32, so that it is exact wherever the result
// is. IREE tiles and vectorizes the first sum as it is; with the zero points
// subtracted inside of it, it doesn't (ten times slower on a CPU). The sums of
// weights are constants, which IREE evaluates once.
//
//===----------------------------------------------------------------------===//

#ifndef OMB_LOWERING_TO_LINALG_QUANTIZEDFACTORS_H
#define OMB_LOWERING_TO_LINALG_QUANTIZEDFACTORS_H

#include "dialect/ir/QuantizedTypes.h"
#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/Contraction.h"

#include <limits>

namespace omb {

/// The label of a parameter's dimension that must be 1.
inline constexpr int64_t kUnitLabel = std::numeric_limits<int64_t>::min();

/// The dimensions that a scale or zero point may have.
struct ParameterLabels {
  /// Where it has one dimension; kUnitLabel where only one element fits.
  int64_t vector = kUnitLabel;
  /// Where it has more: the last of these.
  llvm::SmallVector<int64_t> dims;
};

/// A tensor's type and the labels of its dimensions.
struct LabeledType {
  mlir::RankedTensorType type;
  llvm::ArrayRef<int64_t> labels;
};

/// A scale or zero point of `owner` with the labels of its dimensions. Fails,
/// and says why in `why`, where its rank or a size doesn't fit. A null
/// `parameter` (an absent one) gives a factor without a tensor. `onnxParameter`
/// is the value before conversion.
mlir::FailureOr<Factor> matchParameter(mlir::Value parameter,
                                       mlir::Value onnxParameter,
                                       const ParameterLabels &labels,
                                       const LabeledType &owner,
                                       llvm::StringRef &why);

/// Makes the dimensions of `parameter` those of `owner`, a dimension of 1 going
/// away. What the types don't show is decided at run time; a size that doesn't
/// fit stops the run.
Factor fitParameter(mlir::OpBuilder &builder, mlir::Location loc,
                    Factor parameter, const Factor &owner);

/// The tensor of the elements that `body` makes of one element of each of
/// `factors`, for all positions of the labels `result`. Each label of a factor
/// is one of `result`, and equal labels have equal sizes.
Factor mapFactors(mlir::OpBuilder &builder, mlir::Location loc,
                  llvm::ArrayRef<Factor> factors,
                  llvm::ArrayRef<int64_t> result, mlir::Type elementType,
                  ScalarBody body);

/// Bytes of type `onnxType` as signed bytes: unsigned ones less 128.
mlir::Value toSignedBytes(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value tensor, mlir::Type onnxType);
/// The way back: signed bytes plus 128.
mlir::Value toUnsignedBytes(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::Value tensor);
/// The zero point (absent: 0) that toSignedBytes of a tensor of `onnxType`
/// leaves, as 32-bit integers.
Factor toSignedZeroPoint(mlir::OpBuilder &builder, mlir::Location loc,
                         const Factor &zeroPoint, mlir::Type onnxType);
/// The zero points of a quantized tensor, whose scales are for all or for the
/// dimension `label`, as its elements are stored.
Factor createZeroPoint(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::quant::QuantizedType type, int64_t label);
/// bias - zero * (the sums of `weights`, signed bytes, over `summed`): what the
/// zero point of the other operand, a number for all, adds to a product. As
/// i32; a constant where all of them are. `bias` may have no tensor.
Factor buildOffset(mlir::OpBuilder &builder, mlir::Location loc,
                   const Factor &weights, llvm::ArrayRef<int64_t> summed,
                   const Factor &zero, const Factor &bias);
/// Whether all elements of `factor` are known to be 0.
bool isZero(const Factor &factor);

/// The scales of two factors and of their product, of one type, and the zero
/// point of the product. All fit the product.
struct Requantization {
  Factor lhsScale, rhsScale, scale, zeroPoint;
};

/// `product` (a sum of products of i32 or f32) as a tensor of `onnxType`: times
/// lhsScale * rhsScale / scale, rounded to even if it is an integer, plus the
/// zero point, saturated.
Factor requantize(mlir::OpBuilder &builder, mlir::Location loc,
                  const Factor &product, const Requantization &parameters,
                  mlir::Type onnxType);

/// What sums of products of quantized numbers become.
struct SumScales {
  /// Of the operands; those of the second may have one scale for each index of
  /// `channel`, a label of the sums.
  mlir::quant::QuantizedType lhs, rhs;
  int64_t channel;
  /// What is added to the numbers, as f32; without a tensor for nothing.
  Factor addend;
  /// Of the result, with one scale for all; null for f32.
  mlir::quant::QuantizedType result;
};

/// The numbers that `sums` (i32) stand for, plus the addend, as f32 or
/// quantized. Without an addend, a sum is multiplied by one f32, as other
/// runtimes do.
Factor scaleSums(mlir::OpBuilder &builder, mlir::Location loc,
                 const Factor &sums, const SumScales &scales);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_QUANTIZEDFACTORS_H
