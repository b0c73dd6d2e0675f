//===- CodedTileEmitter.h - Tiles with weights of codes ---------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_CODEDTILEEMITTER_H
#define OMB_LOWERING_VECTOR_CODEDTILEEMITTER_H

#include "lowering/vector/CodedPanels.h"
#include "lowering/vector/VectorTileEmitter.h"

namespace omb::kernels {

/// Computes the weights of panels of codes in registers. Where a tile has few
/// columns, that is most of the work: there, an instruction selects what codes
/// of four bits stand for, and the sums of a block are scaled instead of its
/// weights.
class CodedTileEmitter : public VectorTileEmitter {
public:
  CodedTileEmitter(mlir::OpBuilder &builder,
                   const PackedContraction &contraction,
                   const KernelSpace &space, const KernelMemory &memory);

private:
  Values emitSumLoops(llvm::ArrayRef<unsigned> loops, Sum &sum,
                      Values sums) override;
  Values readWeights(const Sum &sum) override;

  /// The vector of an operand of the decoding that starts at `at` of the
  /// panels' dimensions.
  mlir::Value read(mlir::OpOperand &operand, llvm::ArrayRef<mlir::Value> at);
  /// The weights there, and what is scaled to become them.
  mlir::Value decode(llvm::ArrayRef<mlir::Value> at);
  mlir::Value select(llvm::ArrayRef<mlir::Value> at);

  /// None where there is no instruction for it.
  std::optional<SelectedNumbers> numbers;
  /// The numbers as a vector.
  mlir::Value table;
  /// Whether the sums of a block are being made, which are scaled afterwards.
  bool isInBlock = false;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_CODEDTILEEMITTER_H
