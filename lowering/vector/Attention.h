//===- Attention.h - What a kernel of attention computes --------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_ATTENTION_H
#define OMB_LOWERING_VECTOR_ATTENTION_H

#include "lowering/vector/SoftmaxRows.h"
#include "lowering/vector/TensorAccess.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace omb::kernels {

/// An elementwise op, what of its operands is computed (by the op before it),
/// and what others of them read.
struct AttentionStep {
  mlir::linalg::GenericOp op;
  llvm::SmallVector<mlir::OpOperand *> computed;
  llvm::SmallVector<std::pair<mlir::OpOperand *, TensorAccess>> reads;
};

/// Operations that together compute
///
///   out[b..., m, d] = sum_n p[b..., m, n] * values[b..., n, d]
///   p = softmax_n(steps(sum_k queries[b..., m, k] * keys[b..., n, k]))
///
/// for any order and shape of the tensors' dimensions: transpositions,
/// reshapes, slices and broadcasts before and after are part of it. The steps
/// are what is done to each score, as scaling and masking are.
class Attention {
public:
  /// What ends with `product`. Fails with the reason, of which it tells `why`
  /// if the product is one of a softmax.
  static mlir::FailureOr<Attention>
  match(mlir::linalg::LinalgOp product,
        llvm::function_ref<void(const llvm::Twine &)> why);

  mlir::Value getRoot() const { return root; }
  mlir::RankedTensorType getType() const;
  mlir::FloatType getElementType() const;
  const AccessSpace &getSpace() const { return space; }
  /// Loops: the result's dimensions, then the keys and what is summed for a
  /// score. The batches are those that are neither queries nor values'
  /// elements.
  unsigned getQueryLoop() const { return query; }
  unsigned getValueLoop() const { return getType().getRank() - 1; }
  unsigned getKeyLoop() const { return getType().getRank(); }
  unsigned getSumLoop() const { return getType().getRank() + 1; }
  llvm::SmallVector<unsigned> getBatches() const;
  int64_t getSize(unsigned loop) const { return space.sizes[loop]; }
  /// The number of keys: a value where it isn't known.
  mlir::OpFoldResult getKeyCount() const { return keyCount; }

  /// The dimension of what is accessed that a loop goes along alone, from a
  /// start that depends on batches only; none if there is no such.
  std::optional<unsigned> getDim(const TensorAccess &access,
                                 unsigned loop) const;

  const TensorAccess &getQueries() const { return queries; }
  const TensorAccess &getKeys() const { return keys; }
  const TensorAccess &getValues() const { return values; }
  /// What is done to elements of the queries, in this order; of those of the
  /// keys, that a product of both is multiplied by.
  llvm::ArrayRef<AttentionStep> getQuerySteps() const { return querySteps; }
  llvm::ArrayRef<AttentionStep> getScoreSteps() const { return scoreSteps; }
  const SoftmaxRows &getSoftmax() const { return softmax; }
  /// What makes zero of the probabilities of some queries, and so of their
  /// results; of a condition that doesn't depend on keys.
  llvm::ArrayRef<AttentionStep> getResultSteps() const { return resultSteps; }
  /// The operands of steps that are bits, which memory has no vectors of.
  llvm::SmallVector<mlir::OpOperand *> getBits() const;

  /// What is read that isn't computed, each once, and the indices for that.
  llvm::SmallVector<mlir::Value> getTensors() const;
  llvm::SmallVector<mlir::Value> getIndices() const;
  /// The operations between those tensors and the root, in their order.
  llvm::ArrayRef<mlir::Operation *> getOps() const { return ops; }

private:
  Attention() = default;

  using Reason = llvm::function_ref<void(const llvm::Twine &)>;

  mlir::LogicalResult matchValues(mlir::linalg::LinalgOp product, Reason why);
  mlir::LogicalResult matchSoftmax(TensorAccess probabilities, Reason why);
  /// Takes the step that gives `probabilities`, if it is one of the result.
  bool takeResultStep(TensorAccess &probabilities);
  mlir::LogicalResult matchKeys(const TensorAccess &scores, Reason why);
  mlir::LogicalResult matchReads(Reason why);
  mlir::LogicalResult collectOps(Reason why);

  /// The root's loops, as far as `product` may be followed by views.
  bool setRoot(mlir::linalg::LinalgOp product, mlir::Value last);
  /// Goes back to the scores' product; false where there is none.
  bool collectScores(TensorAccess access, TensorAccess &product);
  mlir::LogicalResult setQuery(const TensorAccess &keyOperand,
                               const TensorAccess &valueOperand);
  /// Goes back through views, and through elementwise ops of one tensor, to the
  /// last access that is good.
  void traceOperand(TensorAccess &access,
                    llvm::SmallVectorImpl<AttentionStep> *steps, bool isLinear,
                    llvm::function_ref<bool(const TensorAccess &)> isGood);
  llvm::SmallVector<unsigned> getTileLoops() const;

  mlir::Value root;
  AccessSpace space;
  unsigned query = 0;
  /// The loops of the values' product at the root.
  llvm::SmallVector<mlir::AffineExpr> productLoops;
  mlir::linalg::LinalgOp valuesProduct, scoresProduct;
  TensorAccess queries, keys, values;
  llvm::SmallVector<AttentionStep> querySteps, scoreSteps, resultSteps;
  mlir::OpFoldResult keyCount;
  SoftmaxRows softmax;
  llvm::SmallVector<mlir::Operation *> ops;
  llvm::SetVector<mlir::Value> indices;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_ATTENTION_H
