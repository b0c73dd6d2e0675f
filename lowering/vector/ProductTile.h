//===- ProductTile.h - Sums of products in registers ------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_PRODUCTTILE_H
#define OMB_LOWERING_VECTOR_PRODUCTTILE_H

#include "mlir/IR/Builders.h"

namespace omb::kernels {

/// Adds one product to each sum of a tile: of the vectors of `weights` and the
/// input of each row from `begin` to `end`, as many vectors. For each
/// lane of sums of 32-bit integers, there are four unsigned bytes of the input
/// and as many signed ones of the weights, or two of each, the former in 16
/// bits. Where sums of f32 have 16-bit integers, these are two bf16 a lane.
llvm::SmallVector<mlir::Value> emitProducts(
    mlir::OpBuilder &builder, mlir::Location loc,
    llvm::SmallVector<mlir::Value> sums, mlir::ValueRange weights,
    unsigned begin, unsigned end,
    llvm::function_ref<llvm::SmallVector<mlir::Value>(unsigned row)> readInput);

/// Writes the tiles from `begin` to `end`, of which `size` is the difference or
/// dynamic: a loop of those of `step` rows, then, for what is left, ever
/// smaller ones.
void emitTiles(
    mlir::OpBuilder &builder, mlir::Location loc, mlir::Value begin,
    mlir::Value end, int64_t size, int64_t step,
    llvm::function_ref<void(mlir::Value first, int64_t rows)> emitTile);

/// The same with one tile of a number of rows that isn't known for what is
/// left.
void emitTilesAndRest(
    mlir::OpBuilder &builder, mlir::Location loc, mlir::Value begin,
    mlir::Value end, int64_t step,
    llvm::function_ref<void(mlir::Value first, int64_t rows)> emitTile,
    llvm::function_ref<void(mlir::Value first, mlir::Value rows)> emitRest);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_PRODUCTTILE_H
