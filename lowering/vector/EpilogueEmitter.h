//===- EpilogueEmitter.h - What is done to a kernel's vectors ---*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_EPILOGUEEMITTER_H
#define OMB_LOWERING_VECTOR_EPILOGUEEMITTER_H

#include "lowering/vector/RowRing.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/DenseMap.h"

namespace omb::kernels {

/// Whether `op` can be done to vectors of channels of `product`, the last of
/// its dimensions.
bool isEpilogue(mlir::linalg::GenericOp op, mlir::Value product);

/// Writes what is done to a vector of channels of a result before it is stored.
class EpilogueEmitter {
public:
  /// `memory` has what was tensors, and the result as that of null, unless
  /// that is in `ring`.
  EpilogueEmitter(mlir::OpBuilder &builder, mlir::Location loc,
                  mlir::linalg::GenericOp epilogue, mlir::Value product,
                  const llvm::DenseMap<mlir::Value, mlir::Value> &memory,
                  unsigned lanes, bool convertsBFloats,
                  const RowRing *ring = nullptr)
      : builder(builder), loc(loc), epilogue(epilogue), product(product),
        memory(memory), lanes(lanes), convertsBFloats(convertsBFloats),
        ring(ring) {}

  /// Does it to `values`, at these indices of the result, and stores them.
  /// `mask`: the lanes that are channels; null where all are.
  void emit(mlir::Value values, llvm::ArrayRef<mlir::Value> at,
            mlir::Value mask);
  /// The vector at these indices of `source`, with zeros where `mask` has none.
  mlir::Value readVector(mlir::Value source, llvm::ArrayRef<mlir::Value> at,
                         mlir::Value mask);
  /// `value` in all lanes.
  mlir::Value toVector(mlir::Value value);

private:
  mlir::Value apply(mlir::Value values, llvm::ArrayRef<mlir::Value> at,
                    mlir::Value mask);
  mlir::Value readOperand(mlir::OpOperand &operand,
                          llvm::ArrayRef<mlir::Value> at, mlir::Value mask);
  /// The same bits as values of this type: in memory, bf16 are integers.
  mlir::Value asElements(mlir::Value values, mlir::Type element);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::linalg::GenericOp epilogue;
  mlir::Value product;
  const llvm::DenseMap<mlir::Value, mlir::Value> &memory;
  unsigned lanes;
  bool convertsBFloats;
  const RowRing *ring;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_EPILOGUEEMITTER_H
