//===- Normalization.cpp - Shapes of normalizations -----------------------===//

#include "dialect/ir/ops/Normalization.h"
#include "dialect/shape/Axes.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

/// Softmax and the like: the result has the shape of the input.
template <typename OpT>
static LogicalResult inferAlongAxis(OpT op, ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(op.getInput());
  if (!shape)
    return success();
  if (failed(normalizeAxis(op, op.getAxis(), shape->size())))
    return failure();
  return analysis.setShape(op.getOutput(), *shape);
}

static LogicalResult inferLpNormalization(LpNormalizationOp op,
                                          ShapeAnalysis &analysis) {
  if (op.getP() != 1 && op.getP() != 2)
    return op.emitOpError("has p = ") << op.getP() << "; it must be 1 or 2";
  return inferAlongAxis(op, analysis);
}

static LogicalResult inferMVN(MeanVarianceNormalizationOp op,
                              ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(op.getX());
  if (!shape)
    return success();
  if (failed(normalizeAxes(op, op.getAxes(), shape->size())))
    return failure();
  return analysis.setShape(op.getY(), *shape);
}

/// Fails with a diagnostic where a shape has fewer than two dimensions.
static LogicalResult requireChannels(Operation *op, const Shape &shape) {
  if (shape.size() >= 2)
    return success();
  return op->emitOpError("has an input of rank ")
         << shape.size() << "; it must have a dimension for the channels";
}

static LogicalResult inferLRN(LRNOp op, ShapeAnalysis &analysis) {
  if (op.getSize() < 1)
    return op.emitOpError("has size ")
           << op.getSize() << "; it must be positive";
  std::optional<Shape> shape = analysis.getShape(op.getX());
  if (!shape)
    return success();
  if (failed(requireChannels(op, *shape)))
    return failure();
  return analysis.setShape(op.getY(), *shape);
}

//===----------------------------------------------------------------------===//
// One parameter for each channel
//===----------------------------------------------------------------------===//

/// The number of channels as `channels` and the vectors tell it; each vector
/// comes with its name.
static FailureOr<DimExpr>
mergeChannels(Operation *op, DimExpr channels,
              ArrayRef<std::pair<StringRef, Value>> vectors,
              ShapeAnalysis &analysis) {
  for (auto [name, vector] : vectors) {
    std::optional<Shape> shape = analysis.getShape(vector);
    if (!shape)
      continue;
    if (shape->size() != 1)
      return op->emitOpError("has a '") << name << "' of rank " << shape->size()
                                        << "; it must be a vector";
    DimExpr merged = analysis.merge(channels, shape->front());
    if (!merged)
      return op->emitOpError("has ")
             << analysis.getName(shape->front()) << " elements of '" << name
             << "' for " << analysis.getName(channels) << " channels";
    channels = merged;
  }
  return channels;
}

static LogicalResult inferBatchNormalization(BatchNormalizationOp op,
                                             ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(op.getX());
  if (!shape)
    return success();
  if (shape->empty())
    return op.emitOpError("has a scalar for a batch");
  // A batch of numbers has one channel.
  DimExpr channels = shape->size() > 1 ? (*shape)[1] : analysis.getConstant(1);
  FailureOr<DimExpr> merged = mergeChannels(op, channels,
                                            {{"scale", op.getScale()},
                                             {"B", op.getB()},
                                             {"input_mean", op.getInputMean()},
                                             {"input_var", op.getInputVar()}},
                                            analysis);
  if (failed(merged))
    return failure();
  if (shape->size() > 1)
    (*shape)[1] = *merged;
  if (failed(analysis.setShape(op.getRunningMean(), *merged)) ||
      failed(analysis.setShape(op.getRunningVar(), *merged)))
    return failure();
  return analysis.setShape(op.getY(), *shape);
}

static LogicalResult inferInstanceNormalization(InstanceNormalizationOp op,
                                                ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(op.getInput());
  if (!shape)
    return success();
  if (failed(requireChannels(op, *shape)))
    return failure();
  FailureOr<DimExpr> channels = mergeChannels(
      op, (*shape)[1], {{"scale", op.getScale()}, {"B", op.getB()}}, analysis);
  if (failed(channels))
    return failure();
  (*shape)[1] = *channels;
  return analysis.setShape(op.getOutput(), *shape);
}

static LogicalResult inferGroupNormalization(GroupNormalizationOp op,
                                             ShapeAnalysis &analysis) {
  if (op.getNumGroups() < 1)
    return op.emitOpError("has num_groups ")
           << op.getNumGroups() << "; it must be positive";
  std::optional<Shape> shape = analysis.getShape(op.getX());
  if (!shape)
    return success();
  if (failed(requireChannels(op, *shape)))
    return failure();
  FailureOr<DimExpr> channels = mergeChannels(
      op, (*shape)[1], {{"scale", op.getScale()}, {"bias", op.getBias()}},
      analysis);
  if (failed(channels))
    return failure();
  std::optional<int64_t> count = getConstantSize(*channels);
  if (count && *count % op.getNumGroups() != 0)
    return op.emitOpError("can't divide ")
           << *count << " channels into " << op.getNumGroups() << " groups";
  (*shape)[1] = *channels;
  return analysis.setShape(op.getY(), *shape);
}

//===----------------------------------------------------------------------===//
// LayerNormalization, RMSNormalization
//===----------------------------------------------------------------------===//

/// `value` must broadcast to `shape`, not the other way round.
static LogicalResult requireBroadcastTo(Operation *op, StringRef name,
                                        Value value, const Shape &shape,
                                        ShapeAnalysis &analysis) {
  std::optional<Shape> own = value ? analysis.getShape(value) : std::nullopt;
  if (!own)
    return success();
  if (own->size() > shape.size())
    return op->emitOpError("has a '")
           << name << "' of rank " << own->size() << " for an input of rank "
           << shape.size();
  for (auto [dim, target] :
       llvm::zip(llvm::reverse(*own), llvm::reverse(shape))) {
    std::optional<int64_t> size = getConstantSize(dim);
    std::optional<int64_t> targetSize = getConstantSize(target);
    if (size && targetSize && *size != 1 && *size != *targetSize)
      return op->emitOpError("can't broadcast '")
             << name << "' to the input: " << *size << " is not "
             << *targetSize;
  }
  return success();
}

static LogicalResult inferLayerNormalization(LayerNormalizationOp op,
                                             ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(op.getX());
  if (!shape)
    return success();
  FailureOr<int64_t> axis = normalizeAxis(op, op.getAxis(), shape->size());
  if (failed(axis) ||
      failed(
          requireBroadcastTo(op, "Scale", op.getScale(), *shape, analysis)) ||
      failed(requireBroadcastTo(op, "B", op.getB(), *shape, analysis)))
    return failure();
  Shape statistic(*shape);
  for (size_t dim = *axis; dim < statistic.size(); ++dim)
    statistic[dim] = analysis.getConstant(1);
  if (failed(analysis.setShape(op.getMean(), statistic)) ||
      failed(analysis.setShape(op.getInvStdDev(), statistic)))
    return failure();
  return analysis.setShape(op.getY(), *shape);
}

static LogicalResult inferRMSNormalization(RMSNormalizationOp op,
                                           ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(op.getX());
  if (!shape)
    return success();
  if (failed(normalizeAxis(op, op.getAxis(), shape->size())) ||
      failed(requireBroadcastTo(op, "scale", op.getScale(), *shape, analysis)))
    return failure();
  return analysis.setShape(op.getY(), *shape);
}

void omb::onnx::attachNormalizationShapes(MLIRContext &context) {
  attachShapeFunction<inferAlongAxis<HardmaxOp>, HardmaxOp>(context);
  attachShapeFunction<inferAlongAxis<LogSoftmaxOp>, LogSoftmaxOp>(context);
  attachShapeFunction<inferAlongAxis<SoftmaxOp>, SoftmaxOp>(context);
  attachShapeFunction<inferLpNormalization, LpNormalizationOp>(context);
  attachShapeFunction<inferMVN, MeanVarianceNormalizationOp>(context);
  attachShapeFunction<inferLRN, LRNOp>(context);
  attachShapeFunction<inferBatchNormalization, BatchNormalizationOp>(context);
  attachShapeFunction<inferInstanceNormalization, InstanceNormalizationOp>(
      context);
  attachShapeFunction<inferGroupNormalization, GroupNormalizationOp>(context);
  attachShapeFunction<inferLayerNormalization, LayerNormalizationOp>(context);
  attachShapeFunction<inferRMSNormalization, RMSNormalizationOp>(context);
}
