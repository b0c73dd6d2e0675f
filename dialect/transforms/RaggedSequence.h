//===- RaggedSequence.h - Sequences as two tensors --------------*- C++ -*-===//
//
// A sequence of n tensors of rank R is
//
//   values  tensor<?xT>      all elements of all tensors, one after the other,
//                            each in row-major order
//   shapes  tensor<?xRxi64>  n rows: the sizes of each tensor
//
// so that it can be carried by loops, chosen by conditions and passed between
// host and device as any tensor is, with any number of tensors of any sizes.
//
//===----------------------------------------------------------------------===//

#ifndef OMB_DIALECT_TRANSFORMS_RAGGEDSEQUENCE_H
#define OMB_DIALECT_TRANSFORMS_RAGGEDSEQUENCE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace omb::onnx {

/// Builds onnx ops on tensors. Types are as unspecific as they can be: shape
/// inference makes them precise.
class TensorGraph {
public:
  TensorGraph(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  mlir::Value constant(llvm::ArrayRef<int64_t> vector);
  mlir::Value boolean(bool scalar);
  /// Zeros of the type, whose dynamic dimensions become `size`.
  mlir::Value zeros(mlir::RankedTensorType type, int64_t size);
  /// Sizes `begin` to `end` of `tensor`, as a vector.
  mlir::Value shape(mlir::Value tensor, int64_t begin = 0,
                    std::optional<int64_t> end = std::nullopt);
  mlir::Value reshape(mlir::Value tensor, mlir::Value shape,
                      mlir::Type type = nullptr);
  mlir::Value flatten(mlir::Value tensor);
  mlir::Value transpose(mlir::Value tensor, llvm::ArrayRef<int64_t> order);
  mlir::Value concat(mlir::ValueRange tensors, int64_t axis,
                     mlir::Type type = nullptr);
  /// Positions `begin` to `end` (vectors of one element) along `axis`.
  mlir::Value slice(mlir::Value tensor, mlir::Value begin, mlir::Value end,
                    int64_t axis = 0);
  mlir::Value toInt64(mlir::Value tensor);
  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value sub(mlir::Value lhs, mlir::Value rhs);
  mlir::Value ceilDiv(mlir::Value lhs, mlir::Value rhs);
  /// The sum of a vector, as a vector of one element.
  mlir::Value sum(mlir::Value vector);
  /// The products of the rows of a matrix.
  mlir::Value rowProducts(mlir::Value matrix);
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);
  mlir::Value isLess(mlir::Value lhs, mlir::Value rhs);
  /// Ends the run unless 0 <= `position` < `limit`, vectors of one element.
  void requireInRange(mlir::Value position, mlir::Value limit,
                      const llvm::Twine &message);

private:
  mlir::OpBuilder &builder;
  mlir::Location loc;
};

/// A sequence in the form that this file describes.
struct RaggedSequence {
  mlir::Value values;
  mlir::Value shapes;

  static RaggedSequence get(mlir::ValueRange parts) {
    return {parts[0], parts[1]};
  }
  /// The types of the two tensors for elements of the type `element`.
  static llvm::SmallVector<mlir::Type> getTypes(mlir::RankedTensorType element);
  static RaggedSequence construct(TensorGraph &graph, mlir::ValueRange tensors,
                                  mlir::RankedTensorType element);

  /// How many tensors, as a vector of one element.
  mlir::Value length(TensorGraph &graph) const;
  /// `position`, null for the last one, counted from the front. Ends the run
  /// where it is not below the length plus `past`.
  mlir::Value position(TensorGraph &graph, mlir::Value position,
                       int64_t past) const;
  /// Where the values of tensor `position` begin.
  mlir::Value offset(TensorGraph &graph, mlir::Value position) const;
  mlir::Value at(TensorGraph &graph, mlir::Value position,
                 mlir::Type type) const;
  RaggedSequence insert(TensorGraph &graph, mlir::Value tensor,
                        mlir::Value position) const;
  RaggedSequence erase(TensorGraph &graph, mlir::Value position) const;
  llvm::SmallVector<mlir::Value> parts() const { return {values, shapes}; }

private:
  int64_t getRank() const;
};

} // namespace omb::onnx

#endif // OMB_DIALECT_TRANSFORMS_RAGGEDSEQUENCE_H
