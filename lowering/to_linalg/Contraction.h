//===- Contraction.h - Sums of products over labeled dimensions -*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_CONTRACTION_H
#define OMB_LOWERING_TO_LINALG_CONTRACTION_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace omb {

/// A tensor whose dimensions have labels, each label once. Dimensions of one
/// label belong together.
struct Factor {
  mlir::Value tensor;
  llvm::SmallVector<int64_t> labels;
  /// The names of the dimensions; null where one has none. Sizes of the same
  /// name are equal.
  llvm::SmallVector<mlir::StringAttr> names;

  /// `onnxType` is the type of `tensor` before conversion.
  static Factor get(mlir::Value tensor, mlir::RankedTensorType onnxType,
                    llvm::ArrayRef<int64_t> labels);
  mlir::RankedTensorType getType() const {
    return llvm::cast<mlir::RankedTensorType>(tensor.getType());
  }
  /// The dimension of that label; -1 if there is none.
  int64_t getDim(int64_t label) const;
};

/// Whether the dimensions of `label` have equal sizes in every run, as far as
/// types and names tell.
bool isSameSize(const Factor &lhs, const Factor &rhs, int64_t label);
/// Takes the dimension of `label`, which is 1, out of `factor`.
void dropUnit(mlir::OpBuilder &builder, mlir::Location loc, Factor &factor,
              int64_t label);
/// Gives the dimension of `label` the size `size`: 1 is repeated.
void repeat(mlir::OpBuilder &builder, mlir::Location loc, Factor &factor,
            int64_t label, mlir::Value size);

/// Makes equal labels equal sizes. A dimension that is 1 where another factor's
/// isn't goes away: the factor is the same for all positions. What the types
/// don't show is decided at run time: a dimension that turns out to be 1 is
/// repeated, any other size that differs is an error. `mayBroadcast` says for
/// which labels 1 fits all sizes.
void alignFactors(mlir::OpBuilder &builder, mlir::Location loc,
                  llvm::MutableArrayRef<Factor> factors,
                  llvm::function_ref<bool(int64_t)> mayBroadcast);

/// The products of elements of `lhs` and `rhs` (aligned), summed over the
/// labels that both have and `result` hasn't; a label that only one of them has
/// must be one of `result`. Floats narrower than f32 give f32; integers, which
/// are signed, are extended to `accumulator`, where that is given. A named op
/// of linalg where there is one, after neighboring dimensions have been
/// collapsed into one.
Factor buildContraction(mlir::OpBuilder &builder, mlir::Location loc,
                        const Factor &lhs, const Factor &rhs,
                        llvm::ArrayRef<int64_t> result,
                        mlir::Type accumulator = {});

/// The elements of `factor`, which are signed integers, extended to
/// `accumulator` and summed over `labels`.
Factor buildSum(mlir::OpBuilder &builder, mlir::Location loc,
                const Factor &factor, llvm::ArrayRef<int64_t> labels,
                mlir::Type accumulator);

/// A product (or another sum) as the result of an op, whose type before
/// conversion is `onnxResult`: rounded to its element type.
mlir::Value roundProduct(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value product,
                         mlir::RankedTensorType onnxResult);
/// `onnxResult` with the element type of `product`.
mlir::RankedTensorType getProductType(mlir::RankedTensorType onnxResult,
                                      mlir::Value product);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_CONTRACTION_H
