//===- SparseConstants.cpp - Formats of sparse weights --------------------===//

#include "dialect/transforms/SparseConstants.h"

#include "dialect/ir/SparseTypes.h"
#include "dialect/ir/ops/DataMovement.h"
#include "dialect/ir/ops/Matmul.h"

using namespace mlir;
using namespace mlir::sparse_tensor;
using namespace omb::onnx;

SparseTensorEncodingAttr omb::onnx::getChannelEncoding(MLIRContext *context) {
  AffineExpr k, n;
  bindDims(context, k, n);
  LevelType dense(LevelFormat::Dense), compressed(LevelFormat::Compressed);
  return SparseTensorEncodingAttr::get(
      context, {dense, compressed}, AffineMap::get(2, 0, {n, k}, context),
      AffineMap(), /*posWidth=*/0, /*crdWidth=*/0);
}

SparseTensorEncodingAttr omb::onnx::getBlockEncoding(MLIRContext *context) {
  AffineExpr k, n;
  bindDims(context, k, n);
  LevelType dense(LevelFormat::Dense), compressed(LevelFormat::Compressed);
  return SparseTensorEncodingAttr::get(
      context, {dense, compressed, dense},
      AffineMap::get(2, 0, {n.floorDiv(kBlockChannels), k, n % kBlockChannels},
                     context),
      AffineMap(), /*posWidth=*/0, /*crdWidth=*/0);
}

bool omb::onnx::isSecondFactor(OpOperand &operand) {
  Operation *op = operand.getOwner();
  auto type = dyn_cast<RankedTensorType>(operand.get().getType());
  if (!type || type.getRank() != 2 || !type.hasStaticShape() ||
      !type.getElementType().isF32() || type.getNumElements() == 0)
    return false;
  if (isa<MatMulOp, GemmOp>(op))
    return operand.getOperandNumber() == 1;
  return isa<IdentityOp, TransposeOp>(op) && !op->use_empty() &&
         llvm::all_of(op->getUses(), isSecondFactor);
}

bool omb::onnx::mayBeSparse(OpOperand &operand) {
  Operation *op = operand.getOwner();
  auto gemm = dyn_cast<GemmOp>(op);
  if (!isa<MatMulOp, GemmOp>(op) || !isSecondFactor(operand) ||
      (gemm && gemm.getTransA()))
    return false;
  auto other = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
  return other && other.getRank() >= 2 && other.getElementType().isF32();
}

bool omb::onnx::isLoweredSparse(OpOperand &operand) {
  auto type = dyn_cast<RankedTensorType>(operand.get().getType());
  if (!type || !isSparse(type) || !mayBeSparse(operand))
    return false;
  if (auto gemm = dyn_cast<GemmOp>(operand.getOwner()))
    if (gemm.getTransB())
      return false;
  MLIRContext *context = type.getContext();
  return type.getEncoding() == getChannelEncoding(context) ||
         type.getEncoding() == getBlockEncoding(context);
}
