//===- SparseConstants.h - Formats of sparse weights ------------*- C++ -*-===//

#ifndef OMB_DIALECT_TRANSFORMS_SPARSECONSTANTS_H
#define OMB_DIALECT_TRANSFORMS_SPARSECONSTANTS_H

#include "dialect/ir/ops/Constant.h"

#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"
#include "mlir/IR/Builders.h"

namespace omb::onnx {

/// The channels of a block: of a vector of f32 with AVX-512, of two with AVX2.
constexpr int64_t kBlockChannels = 16;

/// A constant of `type`, a sparse one, whose elements at `places`, one index of
/// each dimension after the other, are `values`.
mlir::SparseElementsAttr createSparseElements(mlir::RankedTensorType type,
                                              llvm::ArrayRef<int64_t> places,
                                              mlir::DenseElementsAttr values);

/// An onnx.Constant of `type`, a sparse one, which may be quantized: the
/// elements are the integers that are stored.
mlir::Value createSparseConstant(mlir::OpBuilder &builder, mlir::Location loc,
                                 mlir::SparseElementsAttr elements,
                                 mlir::RankedTensorType type);

/// A sparse constant with all of its elements; of a quantized type, a cast of
/// the integers.
mlir::Value createDense(mlir::OpBuilder &builder, ConstantOp constant);

/// The encoding of weights of [k, n] whose channels n store the elements that
/// aren't zero each for itself, in the order of k.
mlir::sparse_tensor::SparseTensorEncodingAttr
getChannelEncoding(mlir::MLIRContext *context);

/// The same for blocks of kBlockChannels channels, of which all are stored for
/// a k where one isn't zero.
mlir::sparse_tensor::SparseTensorEncodingAttr
getBlockEncoding(mlir::MLIRContext *context);

/// The encoding of filters of a convolution, [features, channels, taps...],
/// whose features store the elements that aren't zero each for itself.
mlir::sparse_tensor::SparseTensorEncodingAttr
getFilterEncoding(mlir::MLIRContext *context, int64_t rank);

/// The same for blocks of kBlockChannels features, where there is one tap.
mlir::sparse_tensor::SparseTensorEncodingAttr
getFilterBlockEncoding(mlir::MLIRContext *context, int64_t rank);

/// The encoding of a table [rows, columns] whose rows store the elements that
/// aren't zero each for itself.
mlir::sparse_tensor::SparseTensorEncodingAttr
getTableEncoding(mlir::MLIRContext *context);

/// Whether `operand` is a matrix of f32 of which a Gather takes rows.
bool isTable(mlir::OpOperand &operand);

/// Whether `operand` is lowered as it is: sparse, in one of these formats.
bool isLoweredSparse(mlir::OpOperand &operand);

/// Whether `operand` is a matrix of f32, or of bytes that stand for f32, whose
/// only use is, as it is or transposed or dequantized, as the second factor of
/// products, or, of f32, the filters of convolutions.
bool isSecondFactor(mlir::OpOperand &operand);

/// Whether `operand` can be lowered sparse: the second factor of a product of
/// matrices of f32, which may be quantized, or the filters of a convolution
/// without groups, of images of f32 whose size is known where filters have
/// several taps or strides.
bool mayBeSparse(mlir::OpOperand &operand);

} // namespace omb::onnx

#endif // OMB_DIALECT_TRANSFORMS_SPARSECONSTANTS_H
