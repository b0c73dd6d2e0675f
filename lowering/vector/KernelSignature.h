//===- KernelSignature.h - What a kernel takes and gives --------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_KERNELSIGNATURE_H
#define OMB_LOWERING_VECTOR_KERNELSIGNATURE_H

#include "lowering/vector/Executable.h"

#include "llvm/ADT/DenseMap.h"

namespace omb::kernels {

/// The arguments of a function of omb-outline-kernels, and those of its
/// executable: the indices, the dynamic sizes of the tensors and of the result,
/// then the tensors and the result.
class KernelSignature {
public:
  explicit KernelSignature(mlir::func::FuncOp kernel);

  Executable createExecutable(mlir::OpBuilder &builder) const;
  /// Calls the executable in place of the function.
  static void replaceCall(mlir::func::CallOp call,
                          const Executable &executable);

  /// The sizes of a tensor that the kernel reads, or of the result (null), in a
  /// block that takes the dynamic ones.
  llvm::SmallVector<mlir::OpFoldResult> getSizes(mlir::OpBuilder &builder,
                                                 mlir::Block *block,
                                                 mlir::Value tensor) const;
  /// The memory of the tensors, and of the result (null). Those in `views` have
  /// the type there, of as many bytes. Numbers of bf16 are integers in memory:
  /// IREE makes integers of them where it meets them.
  llvm::DenseMap<mlir::Value, mlir::Value>
  createMemory(mlir::OpBuilder &builder, mlir::Block *entry,
               const llvm::SmallDenseMap<mlir::Value, mlir::RankedTensorType>
                   &views = {}) const;
  /// The indices that the function takes; the block takes them first.
  llvm::ArrayRef<mlir::Value> getIndices() const { return indices; }
  mlir::RankedTensorType getResultType() const { return result; }

private:
  mlir::func::FuncOp kernel;
  mlir::RankedTensorType result;
  llvm::SmallVector<mlir::Value> tensors, indices;
  unsigned sizeCount;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_KERNELSIGNATURE_H
