//===- Outliner.h - Functions of kernels ------------------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_OUTLINER_H
#define OMB_LOWERING_VECTOR_OUTLINER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"

namespace omb::kernels {

/// What becomes a function: what it reads, the sizes of what it gives, and how
/// its body is made.
struct KernelSource {
  mlir::Location loc;
  llvm::SmallVector<mlir::Value> tensors;
  llvm::SmallVector<mlir::Value> indices;
  mlir::Value result;
  llvm::SmallVector<mlir::Value> sizes;
  /// Copies the operations; `map` has the tensors and indices, `sizes` are
  /// those of the function.
  std::function<void(mlir::OpBuilder &, mlir::IRMapping &map,
                     mlir::ValueRange sizes)>
      clone;
};

/// Makes functions of kernels, one for all that are alike.
class Outliner {
public:
  explicit Outliner(mlir::ModuleOp module)
      : symbols(module), context(module.getContext()) {}

  /// Has a function compute the result in place of what did.
  void outline(const KernelSource &source);

private:
  mlir::func::FuncOp getKernel(const KernelSource &source,
                               mlir::ValueRange operands);

  mlir::SymbolTable symbols;
  mlir::MLIRContext *context;
  llvm::SmallVector<mlir::func::FuncOp> kernels;
};

/// Whether `op` is part of a function that an outliner made.
bool isInKernel(mlir::Operation *op);

/// Makes an empty tensor of what an op writes to; `sizes` are its dynamic ones.
void mapEmpty(mlir::OpBuilder &builder, mlir::Value destination,
              mlir::ValueRange sizes, mlir::IRMapping &map);

/// Copies the constants from outside that `op` and its body read.
void cloneConstants(mlir::OpBuilder &builder, mlir::Operation *op,
                    mlir::IRMapping &map);

/// The dynamic sizes of what is written into `destination`, made before `op`.
llvm::SmallVector<mlir::Value> getSizes(mlir::Operation *op,
                                        mlir::Value destination);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_OUTLINER_H
