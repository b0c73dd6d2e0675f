//===- Contents.h - Arithmetic on the contents of tensors -------*- C++ -*-===//
//
// Exporters compute shapes in the model: Shape, Gather, Mul, Concat, Reshape.
// What is known of such small integer tensors are affine expressions, and these
// functions compute with them as the operators do.
//
//===----------------------------------------------------------------------===//

#ifndef OMB_DIALECT_SHAPE_CONTENTS_H
#define OMB_DIALECT_SHAPE_CONTENTS_H

#include "dialect/shape/ShapeInference.h"

namespace omb::onnx {

/// A bound that every run keeps: named sizes are not negative. INT64_MIN where
/// nothing is known.
int64_t getLowerBound(const ShapeAnalysis &analysis, DimExpr expr);

/// Computes elements of one integer type. Numbers wrap around as they do in
/// that type; symbols are taken for sizes, which fit. A method returns null
/// where the result can't be told.
class ContentsArithmetic {
public:
  ContentsArithmetic(const ShapeAnalysis &analysis, mlir::IntegerType type)
      : analysis(analysis), type(type) {}

  bool isUnsigned() const { return type.isUnsigned(); }
  DimExpr constant(int64_t number) const;
  DimExpr boolean(std::optional<bool> value) const;
  DimExpr add(DimExpr lhs, DimExpr rhs) const;
  DimExpr sub(DimExpr lhs, DimExpr rhs) const;
  DimExpr mul(DimExpr lhs, DimExpr rhs) const;
  /// Truncated, as Div on integers is.
  DimExpr div(DimExpr lhs, DimExpr rhs) const;
  /// With the sign of `rhs`, or of `lhs` where `truncated`.
  DimExpr mod(DimExpr lhs, DimExpr rhs, bool truncated) const;
  DimExpr max(DimExpr lhs, DimExpr rhs) const;
  DimExpr min(DimExpr lhs, DimExpr rhs) const;
  /// `element` of another integer type, as this type.
  DimExpr cast(DimExpr element) const;

  std::optional<bool> equal(DimExpr lhs, DimExpr rhs) const;
  std::optional<bool> less(DimExpr lhs, DimExpr rhs) const;

private:
  /// `expr`, unless it is too wide for the type.
  DimExpr symbolic(DimExpr expr) const;
  int64_t getLowerBound(DimExpr expr) const {
    return onnx::getLowerBound(analysis, expr);
  }

  const ShapeAnalysis &analysis;
  mlir::IntegerType type;
};

/// Records the contents of `op`'s result, where those of its operands are known
/// and `evaluate` tells an element from elements of the operands.
void propagateContents(mlir::Operation *op, ShapeAnalysis &analysis,
                       llvm::function_ref<DimExpr(const ContentsArithmetic &,
                                                  llvm::ArrayRef<DimExpr>)>
                           evaluate);

} // namespace omb::onnx

#endif // OMB_DIALECT_SHAPE_CONTENTS_H
