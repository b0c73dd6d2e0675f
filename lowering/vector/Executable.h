//===- Executable.h - Kernels as IREE calls them ----------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_EXECUTABLE_H
#define OMB_LOWERING_VECTOR_EXECUTABLE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

namespace omb::kernels {

/// A `stream.executable` with one entry, which runs on a grid of workgroups.
/// The entry takes indices, the dynamic sizes of the tensors, in their order,
/// and then the tensors: those that it reads and the one that it writes.
struct Executable {
  mlir::Operation *op;
  mlir::Block *entry;
  /// Computes the size of the grid from the sizes: a region of its own.
  mlir::Block *count;
  /// `@executable::@entry`.
  mlir::SymbolRefAttr symbol;

  /// An executable at the builder's place; `entry` and `count` have arguments
  /// but no operations. `indices` are all those that the entry takes.
  static Executable create(mlir::OpBuilder &builder, mlir::Location loc,
                           llvm::StringRef name, unsigned indices,
                           unsigned tensors);

  /// The memory of a tensor of the entry. `sizes` are its dynamic ones.
  static mlir::Value createSubspan(mlir::OpBuilder &builder, mlir::Location loc,
                                   mlir::Value binding,
                                   mlir::RankedTensorType type,
                                   mlir::ValueRange sizes);

  /// The workgroup's place in the grid.
  static mlir::Value createWorkgroupId(mlir::OpBuilder &builder,
                                       mlir::Location loc, int64_t dim);

  /// Ends `count`: the size of the grid.
  static void createCount(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value x, mlir::Value y);

  /// Runs the entry on `indices` and `tensors`; `sizes` are all the dynamic
  /// sizes, the last of which are those of the result.
  mlir::Value createDispatch(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::ValueRange indices, mlir::ValueRange sizes,
                             mlir::ValueRange tensors,
                             mlir::RankedTensorType result) const;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_EXECUTABLE_H
