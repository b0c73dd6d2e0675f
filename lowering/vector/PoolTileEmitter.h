//===- PoolTileEmitter.h - Tiles of pools -----------------------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_POOLTILEEMITTER_H
#define OMB_LOWERING_VECTOR_POOLTILEEMITTER_H

#include "lowering/vector/VectorTileEmitter.h"

namespace omb::kernels {

/// Keeps what a tile's windows are combined to in vector registers. There are
/// no weights.
class PoolTileEmitter : public VectorTileEmitter {
public:
  PoolTileEmitter(mlir::OpBuilder &builder,
                  const PackedContraction &contraction,
                  const KernelSpace &space, const KernelMemory &memory);

private:
  Values createZeros(const TileColumns &columns) override;
  Values emitStep(const Sum &sum, Values sums) override;

  /// What is combined, made of a vector of the image.
  mlir::Value getElement(mlir::Value image);

  Combiner combiner;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_POOLTILEEMITTER_H
