//===- Quantization.cpp - Shapes of quantized computations ----------------===//

#include "dialect/ir/ops/Quantization.h"
#include "dialect/shape/Axes.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

/// Checks that a scale or zero point of shape `scale` fits an input of shape
/// `input`: one for all, one for each index of `axis`, or one for each block
/// along `axis`.
static LogicalResult checkGranularity(Operation *op, StringRef name,
                                      ArrayRef<DimExpr> input,
                                      ArrayRef<DimExpr> scale, int64_t axis,
                                      int64_t blockSize,
                                      ShapeAnalysis &analysis) {
  auto isOne = [](DimExpr dim) { return getConstantSize(dim) == 1; };
  if (scale.empty() || (blockSize == 0 && scale.size() == 1 &&
                        (isOne(scale[0]) || input.empty())))
    return success();
  size_t rank = blockSize == 0 ? 1 : input.size();
  if (scale.size() != rank)
    return op->emitOpError("has ")
           << name << " of rank " << scale.size() << ", but it takes rank "
           << rank << (blockSize == 0 ? " or 0" : " for blocks");
  FailureOr<int64_t> position = normalizeAxis(op, axis, input.size());
  if (failed(position))
    return failure();
  for (auto [dim, size] : llvm::enumerate(input)) {
    bool isAxis = int64_t(dim) == *position;
    if (blockSize == 0 && !isAxis)
      continue;
    DimExpr expected = blockSize > 0 && isAxis ? size.ceilDiv(blockSize) : size;
    DimExpr given = scale[blockSize == 0 ? 0 : dim];
    if (!analysis.merge(expected, given))
      return op->emitOpError("has ")
             << name << " of " << analysis.getName(given)
             << " elements along dimension " << dim << " of the input, but "
             << analysis.getName(expected) << " are needed";
  }
  return success();
}

template <typename OpT>
static LogicalResult inferElementwise(OpT op, Value scale, Value zeroPoint,
                                      ShapeAnalysis &analysis) {
  if (op.getBlockSize() < 0)
    return op.emitOpError("has the block_size ") << op.getBlockSize();
  std::optional<Shape> input = analysis.getShape(op.getX());
  if (!input)
    return success();
  for (auto [value, name] :
       {std::pair(scale, "a scale"), std::pair(zeroPoint, "a zero point")}) {
    std::optional<Shape> shape =
        value ? analysis.getShape(value) : std::nullopt;
    if (shape && failed(checkGranularity(op, name, *input, *shape, op.getAxis(),
                                         op.getBlockSize(), analysis)))
      return failure();
  }
  return analysis.setShape(op.getY(), *input);
}

static LogicalResult inferQuantize(QuantizeLinearOp op,
                                   ShapeAnalysis &analysis) {
  return inferElementwise(op, op.getYScale(), op.getYZeroPoint(), analysis);
}

static LogicalResult inferDequantize(DequantizeLinearOp op,
                                     ShapeAnalysis &analysis) {
  return inferElementwise(op, op.getXScale(), op.getXZeroPoint(), analysis);
}

static LogicalResult inferDynamicQuantize(DynamicQuantizeLinearOp op,
                                          ShapeAnalysis &analysis) {
  if (std::optional<Shape> input = analysis.getShape(op.getX()))
    if (failed(analysis.setShape(op.getY(), *input)))
      return failure();
  return success(succeeded(analysis.setShape(op.getYScale(), {})) &&
                 succeeded(analysis.setShape(op.getYZeroPoint(), {})));
}

void omb::onnx::attachQuantizationShapes(MLIRContext &context) {
  attachShapeFunction<inferQuantize, QuantizeLinearOp>(context);
  attachShapeFunction<inferDequantize, DequantizeLinearOp>(context);
  attachShapeFunction<inferDynamicQuantize, DynamicQuantizeLinearOp>(context);
}
