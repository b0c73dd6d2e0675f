//===- Recurrent.cpp - Shapes of recurrent networks -----------------------===//

#include "dialect/ir/ops/Recurrent.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

/// Collects the sizes that the operands of one op share.
class SharedSizes {
public:
  SharedSizes(Operation *op, ShapeAnalysis &analysis)
      : op(op), analysis(analysis) {}

  /// Merges the dimensions of `value`, which may be absent, into `sizes`.
  LogicalResult meet(Value value, StringRef name, ArrayRef<DimExpr *> sizes) {
    std::optional<Shape> shape =
        value ? analysis.getShape(value) : std::nullopt;
    if (!shape)
      return success();
    if (shape->size() != sizes.size())
      return op->emitOpError("has ") << name << " of rank " << shape->size()
                                     << ", but it takes rank " << sizes.size();
    for (auto [index, size] : llvm::enumerate(sizes)) {
      DimExpr both = analysis.merge(*size, (*shape)[index]);
      if (!both)
        return op->emitOpError("has ")
               << name << " whose dimension " << index << " is "
               << analysis.getName((*shape)[index]) << ", but it has to be "
               << analysis.getName(*size);
      *size = both;
    }
    return success();
  }

private:
  Operation *op;
  ShapeAnalysis &analysis;
};

} // namespace

template <typename OpT> static constexpr int64_t kNumGates = 1;
template <> constexpr int64_t kNumGates<LSTMOp> = 4;
template <> constexpr int64_t kNumGates<GRUOp> = 3;

/// What W and R call `numGates * hidden`; where one of the two is known, the
/// other is, too.
static LogicalResult relate(Operation *op, DimExpr &rows, DimExpr &hidden,
                            int64_t numGates, ShapeAnalysis &analysis) {
  if (std::optional<int64_t> size = getConstantSize(hidden)) {
    DimExpr both = analysis.merge(rows, analysis.getConstant(*size) * numGates);
    if (!both)
      return op->emitOpError("has weights of ")
             << analysis.getName(rows) << " rows, but " << numGates
             << " gates of " << *size << " neurons";
    rows = both;
  } else if (std::optional<int64_t> size = getConstantSize(rows)) {
    if (*size % numGates != 0)
      return op->emitOpError("has weights of ")
             << *size << " rows, which don't make " << numGates << " gates";
    hidden = analysis.getConstant(*size / numGates);
  }
  return success();
}

template <typename OpT>
static LogicalResult inferRecurrent(OpT op, ShapeAnalysis &analysis) {
  StringRef direction = op.getDirection();
  if (!llvm::is_contained({"forward", "reverse", "bidirectional"}, direction))
    return op.emitOpError("has the direction '") << direction << "'";
  if (op.getLayout() != 0 && op.getLayout() != 1)
    return op.emitOpError("has the layout ") << op.getLayout();
  bool isBatchFirst = op.getLayout() == 1;
  DimExpr directions =
      analysis.getConstant(direction == "bidirectional" ? 2 : 1);
  DimExpr sequence = analysis.getUnknown(), batch = analysis.getUnknown(),
          input = analysis.getUnknown(), hidden = analysis.getUnknown(),
          rows = analysis.getUnknown();
  if (std::optional<int64_t> size = op.getHiddenSize()) {
    if (*size < 1)
      return op.emitOpError("has the hidden_size ") << *size;
    hidden = analysis.getConstant(*size);
  }
  auto batchFirst = [&](DimExpr *first, DimExpr *second, DimExpr *third) {
    return isBatchFirst ? SmallVector<DimExpr *>{second, first, third}
                        : SmallVector<DimExpr *>{first, second, third};
  };
  SharedSizes sizes(op, analysis);
  if (failed(
          sizes.meet(op.getX(), "X", batchFirst(&sequence, &batch, &input))) ||
      failed(sizes.meet(op.getR(), "R", {&directions, &rows, &hidden})) ||
      failed(sizes.meet(op.getW(), "W", {&directions, &rows, &input})) ||
      failed(relate(op, rows, hidden, kNumGates<OpT>, analysis)))
    return failure();
  SmallVector<DimExpr *> state = batchFirst(&directions, &batch, &hidden);
  DimExpr biases = rows * 2;
  if (failed(sizes.meet(op.getInitialH(), "initial_h", state)) ||
      failed(sizes.meet(op.getSequenceLens(), "sequence_lens", {&batch})))
    return failure();
  if (getConstantSize(biases) &&
      failed(sizes.meet(op.getB(), "B", {&directions, &biases})))
    return failure();
  if constexpr (std::is_same_v<OpT, LSTMOp>) {
    DimExpr peepholes = hidden * 3;
    if (failed(sizes.meet(op.getInitialC(), "initial_c", state)))
      return failure();
    if (getConstantSize(peepholes) &&
        failed(sizes.meet(op.getP(), "P", {&directions, &peepholes})))
      return failure();
  }
  Shape finalState;
  for (DimExpr *size : state)
    finalState.push_back(*size);
  Shape all{sequence, directions, batch, hidden};
  if (isBatchFirst)
    all = {batch, sequence, directions, hidden};
  if (failed(analysis.setShape(op.getY(), all)) ||
      failed(analysis.setShape(op.getYH(), finalState)))
    return failure();
  if constexpr (std::is_same_v<OpT, LSTMOp>)
    return analysis.setShape(op.getYC(), finalState);
  return success();
}

void omb::onnx::attachRecurrentShapes(MLIRContext &context) {
  attachShapeFunction<inferRecurrent<LSTMOp>, LSTMOp>(context);
  attachShapeFunction<inferRecurrent<GRUOp>, GRUOp>(context);
  attachShapeFunction<inferRecurrent<RNNOp>, RNNOp>(context);
}
