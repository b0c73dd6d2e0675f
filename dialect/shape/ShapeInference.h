//===- ShapeInference.h - Symbolic shapes of ONNX values --------*- C++ -*-===//
//
// A dimension is an affine expression over named symbols: 8, `batch`,
// `(height - 1) floordiv 2 + 1`. Two dimensions with equal expressions have
// equal sizes in every run. Between passes the expressions live in the types,
// as the names of #onnx.dims.
//
//===----------------------------------------------------------------------===//

#ifndef OMB_DIALECT_SHAPE_SHAPEINFERENCE_H
#define OMB_DIALECT_SHAPE_SHAPEINFERENCE_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"
#include "llvm/ADT/StringMap.h"

#include <optional>

namespace omb::onnx {
class ShapeAnalysis;
} // namespace omb::onnx

#include "dialect/shape/ShapeInference.h.inc"

namespace omb::onnx {

using DimExpr = mlir::AffineExpr;
using Shape = llvm::SmallVector<DimExpr>;

/// What is known of the shapes, and of the contents of small integer tensors.
class ShapeAnalysis {
public:
  /// Contents of larger tensors are data, not shapes.
  static constexpr int64_t kMaxContents = 64;

  explicit ShapeAnalysis(mlir::MLIRContext *context) : context(context) {}

  DimExpr getConstant(int64_t size) const;
  DimExpr getSymbol(llvm::StringRef name);
  /// A size that nothing is known of, different from all others.
  DimExpr getUnknown();

  /// The shape of a tensor; nullopt where not even the rank is known. Of a
  /// sequence, what all its elements have in common: sizes that are constant in
  /// all of them, all others are unknown. Of an optional, the shape of what it
  /// holds.
  std::optional<Shape> getShape(mlir::Value value);
  /// A sequence that is known to have no elements: any shape is theirs.
  void setEmptySequence(mlir::Value value) { emptySequences.insert(value); }
  bool isEmptySequence(mlir::Value value) const {
    return emptySequences.contains(value);
  }
  /// The elements of a 0-D or 1-D integer tensor in row-major order; nullopt
  /// where they aren't known. Single elements may be getUnknown().
  std::optional<Shape> getContents(mlir::Value value);
  /// The elements as numbers; nullopt where one is not a constant.
  std::optional<llvm::SmallVector<int64_t>> getIntegers(mlir::Value value);

  /// Records the shape of `result`, which may be null (an absent result).
  /// Fails with a diagnostic where its type contradicts.
  llvm::LogicalResult setShape(mlir::Value result,
                               llvm::ArrayRef<DimExpr> shape);
  void setContents(mlir::Value result, llvm::ArrayRef<DimExpr> contents);
  /// Records the shape of a block argument, whatever its type declares; nullopt
  /// where not even the rank is known.
  void setArgumentShape(mlir::Value argument, std::optional<Shape> shape);
  /// Drops what was found of `values`, or of all values in `region`: to infer
  /// them anew, or before they are erased.
  void forget(mlir::ValueRange values);
  void forget(mlir::Region &region);

  /// That `op`, an If, takes the then_branch (or not) in every run that comes
  /// to an end.
  void assume(mlir::Operation *op, bool condition) {
    assumptions[op] = condition;
  }
  std::optional<bool> getAssumption(mlir::Operation *op) const;
  /// An analysis that only asks whether shapes can be.
  void setTrial() { isTrialRun = true; }
  bool isTrial() const { return isTrialRun; }

  /// The shape that `shapes` broadcast to (ONNX multidirectional, as NumPy's).
  /// Fails with a diagnostic at `op`.
  mlir::FailureOr<Shape> broadcast(mlir::Operation *op,
                                   llvm::ArrayRef<Shape> shapes);
  /// The same for one pair of dimensions; null where they don't fit.
  DimExpr broadcast(DimExpr lhs, DimExpr rhs);

  /// Of two expressions for one size, the one that says more; null where both
  /// are constants and differ.
  DimExpr merge(DimExpr lhs, DimExpr rhs);

  /// What holds for both shapes; nullopt where their ranks differ.
  std::optional<Shape> join(const std::optional<Shape> &lhs,
                            const std::optional<Shape> &rhs);

  /// The type of `value` with what is known of its shape.
  mlir::Type refine(mlir::Value value);

  /// `dim` in words, for types and diagnostics.
  std::string getName(DimExpr dim) const;
  /// Whether `dim` is a getUnknown().
  bool isAnonymous(DimExpr dim) const;

  unsigned getNumSymbols() const { return names.size(); }
  /// Whether `dim` has no other symbols than the first `numSymbols`: whether it
  /// means something outside of the region that got the later ones.
  bool isOlder(DimExpr dim, unsigned numSymbols) const;

private:
  /// The dimension that a type's #onnx.dims names.
  DimExpr getDeclared(llvm::StringRef name);

  mlir::MLIRContext *context;
  llvm::StringMap<unsigned> symbols;
  llvm::SmallVector<std::string> names;
  unsigned unknowns = 0;
  llvm::StringMap<DimExpr> earlierUnknowns;
  llvm::DenseMap<mlir::Value, Shape> shapes;
  llvm::DenseMap<mlir::Value, Shape> contents;
  llvm::DenseSet<mlir::Value> unranked;
  llvm::DenseSet<mlir::Value> emptySequences;
  llvm::DenseMap<mlir::Operation *, bool> assumptions;
  bool isTrialRun = false;
};

/// Infers the shapes of all that `region` computes.
llvm::LogicalResult inferRegion(mlir::Region &region, ShapeAnalysis &analysis);

/// The product of all dimensions.
DimExpr getProduct(llvm::ArrayRef<DimExpr> dims, mlir::MLIRContext *context);

std::optional<int64_t> getConstantSize(DimExpr dim);

/// `axis` counted from the front, in [0, rank); nullopt where out of range.
std::optional<int64_t> normalizeAxis(int64_t axis, int64_t rank);

/// Gives `OpTs` the shape function `infer`, which takes the op and the
/// analysis.
template <auto infer, typename OpT>
struct ShapeModel
    : ShapeInferenceOpInterface::ExternalModel<ShapeModel<infer, OpT>, OpT> {
  llvm::LogicalResult inferShapes(mlir::Operation *op,
                                  ShapeAnalysis &analysis) const {
    return infer(llvm::cast<OpT>(op), analysis);
  }
};
template <auto infer, typename... OpTs>
void attachShapeFunction(mlir::MLIRContext &context) {
  (OpTs::template attachInterface<ShapeModel<infer, OpTs>>(context), ...);
}

/// Attaches the shape functions of all families.
void attachShapeInference(mlir::MLIRContext &context);

} // namespace omb::onnx

#endif // OMB_DIALECT_SHAPE_SHAPEINFERENCE_H
