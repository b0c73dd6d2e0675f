//===- SparseWriter.h - What kernels of sparse products share ---*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_SPARSEWRITER_H
#define OMB_LOWERING_VECTOR_SPARSEWRITER_H

#include "lowering/vector/EpilogueEmitter.h"
#include "lowering/vector/ExecutableWriter.h"
#include "lowering/vector/RegisterTile.h"
#include "lowering/vector/SparseContraction.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace omb::kernels {

/// Makes executables of products with sparse weights, in whichever form.
///
/// A group is `group` channels, for which positions are in memory next to each
/// other. How many values there are isn't known: a tenth of all is assumed
/// where the work is divided. IREE's threads take workgroups as they come, so
/// that channels with more values than others don't keep one of them.
class SparseWriter : public ExecutableWriter {
protected:
  using Values = llvm::SmallVector<mlir::Value>;

  SparseWriter(mlir::OpBuilder &builder, mlir::func::FuncOp kernel,
               const SparseContraction &contraction, const VectorUnit &unit,
               unsigned lanes)
      : ExecutableWriter(builder, kernel), contraction(contraction), unit(unit),
        lanes(lanes), type(mlir::VectorType::get(lanes, builder.getF32Type())) {
  }

  /// How many products a thread adds in a microsecond.
  virtual double getSpeed() const { return 25'000; }
  /// How many k there are weights of.
  virtual int64_t getDepth() const { return contraction.getInner(); }
  /// The microseconds that `rows` rows of `channels` channels take.
  double getWork(int64_t rows, int64_t channels) const;

  /// An element of positions or coordinates, as an index.
  mlir::Value loadIndex(mlir::Value from, mlir::Value at);
  /// Where the values of an outer position start and end. `outer` may be
  /// beyond the last one, which there are no values for.
  std::pair<mlir::Value, mlir::Value> getSegment(mlir::Value outer,
                                                 int64_t count);
  /// A loop from `begin` to `end` whose body `emit` writes.
  void emitLoop(mlir::Value begin, mlir::Value end, int64_t step,
                llvm::function_ref<void(mlir::Value)> emit);
  /// `start` plus what `emit` adds for each value of a segment. There are
  /// several sums to add to in turn where one would wait for itself.
  Values emitSums(mlir::Value begin, mlir::Value end, Values start,
                  llvm::function_ref<Values(mlir::Value at, Values)> emit);
  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value add(mlir::Value lhs, int64_t rhs);
  mlir::Value multiply(mlir::Value lhs, int64_t rhs);
  mlir::Value getZeros();
  mlir::Value toVector(mlir::Value value);
  mlir::Value load(mlir::Value from, llvm::ArrayRef<mlir::Value> at);
  /// A value of the weights, or a vector of them, as f32.
  mlir::Value widen(mlir::Value stored);
  mlir::Value loadWeight(mlir::Value at);
  /// As many values of the weights as a vector has lanes, from `at` on.
  mlir::Value loadWeights(mlir::Value at);
  mlir::Value createBuffer(llvm::ArrayRef<int64_t> shape);
  /// The lanes below `count`; null where all are.
  mlir::Value getMask(mlir::Value count);
  /// The lanes that are channels of a group; null where they always are.
  mlir::Value getChannelMask(mlir::Value firstChannel);

  EpilogueEmitter getEpilogue() {
    return EpilogueEmitter(builder, loc, contraction.epilogue,
                           contraction.getSums(), memory, lanes,
                           unit.dotsBFloats);
  }
  mlir::Value getMemory(mlir::Value tensor) { return memory.at(tensor); }
  virtual int64_t getRows() const {
    return contraction.getResultType().getDimSize(0);
  }

  SparseContraction contraction;
  VectorUnit unit;
  unsigned lanes;
  mlir::VectorType type;
  llvm::DenseMap<mlir::Value, mlir::Value> memory;
};

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_SPARSEWRITER_H
