//===- SizePolynomial.h - Arithmetic on symbolic sizes ----------*- C++ -*-===//
//
// Affine expressions are equal as pointers only where they were built the same
// way: `a * b` is not `b * a`. Here they are compared and divided as what they
// mean, polynomials over symbols.
//
//===----------------------------------------------------------------------===//

#ifndef OMB_DIALECT_SHAPE_SIZEPOLYNOMIAL_H
#define OMB_DIALECT_SHAPE_SIZEPOLYNOMIAL_H

#include "dialect/shape/ShapeInference.h"

namespace omb::onnx {

/// The one expression that stands for all polynomials equal to `expr`.
DimExpr normalizeSize(DimExpr expr);

/// `numerator / denominator`, which has no remainder; common factors are
/// cancelled, and `floordiv` is left where that isn't enough. Null where the
/// denominator is 0.
DimExpr divideExactly(DimExpr numerator, DimExpr denominator);

/// Whether `expr` is at least 0 in every run, as far as can be told. Symbols
/// that have no name may also stand for negative contents.
bool isNonNegative(DimExpr expr, const ShapeAnalysis &analysis);

} // namespace omb::onnx

#endif // OMB_DIALECT_SHAPE_SIZEPOLYNOMIAL_H
