//===- CodedPanels.h - Panels that kernels compute of codes -----*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_CODEDPANELS_H
#define OMB_LOWERING_VECTOR_CODEDPANELS_H

#include "lowering/vector/CodedWeights.h"

namespace omb::kernels {

/// The panels of `weights`, [ceil(channels / panel), blocks, steps, codes,
/// panel], in f32, computed of constants: bytes with one or more codes, the
/// lowest bits first, and a scale and, where zero points differ, an offset for
/// each block:
///
///   panels[j, b, s, c, v] = code(bytes[j, b, s, v], c) * scales[j, b, v]
///                           + offsets[j, b, v]
///
/// `order`: the dimension of the channels and that which is summed.
mlir::Value createCodedPanels(mlir::OpBuilder &builder, mlir::Location loc,
                              const CodedWeights &weights,
                              llvm::ArrayRef<int64_t> order, int64_t panel);

/// Whether `op` computes such panels.
bool isDecode(mlir::linalg::GenericOp op);

/// Panels of codes of a few bits whose zero points are all the same: a weight
/// is a number of `numbers`, which the code selects, times its block's scale.
struct SelectedNumbers {
  mlir::OpOperand *codes;
  mlir::OpOperand *scales;
  llvm::SmallVector<float> numbers;

  /// None where `decode` computes something else.
  static std::optional<SelectedNumbers> match(mlir::linalg::GenericOp decode);
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_CODEDPANELS_H
