//===- GraphRegions.h - Graph attributes as regions of scf ------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_GRAPHREGIONS_H
#define OMB_LOWERING_TO_LINALG_GRAPHREGIONS_H

#include "dialect/ir/GraphBody.h"

#include "mlir/Transforms/DialectConversion.h"

namespace omb {

/// Whether a value of one type can be cast to the other: they differ in what is
/// static only. Types after conversion.
bool areCastable(mlir::Type from, mlir::Type to);

/// Puts the ops of `graph`, not yet converted, where `rewriter` stands, at the
/// end of a block. `arguments` and the returned outputs have types after
/// conversion.
llvm::SmallVector<mlir::Value>
inlineGraph(mlir::ConversionPatternRewriter &rewriter,
            const mlir::TypeConverter &converter, mlir::Location loc,
            onnx::GraphBody graph, mlir::ValueRange arguments);

/// The stacked elements of a Loop's or Scan's scan output, one an iteration.
class ScanOutput {
public:
  /// `element` is what the body yields, before conversion, and `result` the
  /// converted type of the output. `isReversed`: the last element comes first.
  ScanOutput(mlir::RankedTensorType element, mlir::RankedTensorType result,
             int64_t axis, bool isReversed)
      : element(element), result(result), axis(axis), isReversed(isReversed) {}

  /// The output before the first iteration. Where all sizes are known
  /// (`tripCount` may be null) the tensor is allocated here; else every
  /// iteration makes a larger one. `op` is the loop, whose operands and
  /// captured values tell the sizes of dimensions with the same name.
  mlir::Value initialize(mlir::ConversionPatternRewriter &rewriter,
                         mlir::Operation *op, mlir::Value tripCount);
  /// `stacked` with the converted `value` of iteration `iteration`.
  mlir::Value append(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value stacked, mlir::Value value,
                     mlir::Value iteration) const;

  mlir::RankedTensorType getResultType() const { return result; }

private:
  mlir::Value grow(mlir::OpBuilder &builder, mlir::Location loc,
                   mlir::Value stacked, mlir::Value value) const;

  mlir::RankedTensorType element;
  mlir::RankedTensorType result;
  int64_t axis;
  bool isReversed;
  /// Null where the tensor grows.
  mlir::Value tripCount;
};

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_GRAPHREGIONS_H
