//===- Marks.h - Places that are picked by value ----------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_MARKS_H
#define OMB_LOWERING_TO_LINALG_MARKS_H

#include "lowering/to_linalg/IndexArithmetic.h"

namespace omb {

/// Computes one element of a sum from elements of the inputs and from where in
/// the loops they stand.
using TermBody = llvm::function_ref<mlir::Value(
    mlir::OpBuilder &, mlir::ValueRange, mlir::ValueRange)>;

/// Sums up i32 terms. The last loop is the sum's, the others are the result's
/// dimensions; inputDims: the loops that run over the dimensions of each input.
mlir::Value buildSum(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::RankedTensorType type, mlir::ValueRange sizes,
                     mlir::ValueRange inputs,
                     llvm::ArrayRef<llvm::SmallVector<int64_t>> inputDims,
                     TermBody body);

/// The marked places of a vector of i32 that are 0 or 1.
class Marks {
public:
  Marks(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value marks)
      : builder(builder), loc(loc), marks(marks),
        size(IndexArithmetic(builder, loc).size(marks, 0)) {}

  /// How many there are, read by the host.
  mlir::Value count();
  /// Prepares for find() and countUpTo().
  void rank();
  /// The place of mark number `number`, in the body of an op.
  mlir::Value find(mlir::OpBuilder &b, mlir::Value number) const;
  /// How many marks there are up to and with `place`, in the body of an op.
  mlir::Value countUpTo(mlir::OpBuilder &b, mlir::Value place) const;

private:
  /// log2 of a power of two above the size.
  unsigned getBits() const;
  int64_t getEnd() const { return int64_t(1) << getBits(); }
  /// Element i plus those at i - stride, i - 2 * stride, ...
  mlir::Value addStrided(mlir::Value sums, int64_t stride);

  /// As many as are added up at once.
  static constexpr int64_t kTerms = 16;

  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::Value marks;
  mlir::Value size;
  /// The number of marks up to and with each place.
  mlir::Value counts;
};

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_MARKS_H
