//===- ExecutableWriter.h - From a kernel to its executable -----*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_EXECUTABLEWRITER_H
#define OMB_LOWERING_VECTOR_EXECUTABLEWRITER_H

#include "lowering/vector/IndexWriter.h"
#include "lowering/vector/KernelSignature.h"

namespace omb::kernels {

/// Makes an executable of one kernel; of which kind, the derived class knows.
class ExecutableWriter : protected IndexWriter {
public:
  virtual ~ExecutableWriter() = default;

  Executable write();

protected:
  ExecutableWriter(mlir::OpBuilder &builder, mlir::func::FuncOp kernel)
      : IndexWriter(builder, kernel.getLoc()), signature(kernel) {}

  /// Writes the number of workgroups, or what one of them does, at the end of
  /// the block.
  virtual void writeCount(mlir::Block *count) = 0;
  virtual void writeEntry(mlir::Block *entry) = 0;

  llvm::SmallVector<mlir::OpFoldResult> getResultSizes(mlir::Block *block) {
    return signature.getSizes(builder, block, /*tensor=*/nullptr);
  }

  KernelSignature signature;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_EXECUTABLEWRITER_H
