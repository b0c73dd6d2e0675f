//===- Signal.cpp - Shapes of signal processing ---------------------------===//

#include "dialect/ir/ops/Signal.h"
#include "dialect/shape/Axes.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"
#include "dialect/shape/SizePolynomial.h"

using namespace mlir;
using namespace omb::onnx;

/// The size that the integer scalar `value` is. Fails with a diagnostic at `op`
/// where it is less than 1.
static FailureOr<DimExpr> getSize(Operation *op, Value value, StringRef name,
                                  ShapeAnalysis &analysis) {
  std::optional<Shape> contents = analysis.getContents(value);
  if (!contents || contents->size() != 1)
    return analysis.getUnknown();
  DimExpr size = contents->front();
  std::optional<int64_t> constant = getConstantSize(size);
  if (constant && *constant < 1)
    return op->emitOpError("has a ") << name << " of " << *constant;
  if (!isNonNegative(size, analysis))
    return analysis.getUnknown();
  return size;
}

/// How many frequencies of a real signal differ.
static DimExpr getOneSided(DimExpr size) {
  return normalizeSize(size.floorDiv(2) + 1);
}

/// Fails unless the last dimension can hold real or complex numbers.
static LogicalResult checkParts(Operation *op, const Shape &shape) {
  int64_t parts = getConstantSize(shape.back()).value_or(1);
  if (parts != 1 && parts != 2)
    return op->emitOpError("takes real or complex numbers: the last dimension "
                           "must be 1 or 2, not ")
           << parts;
  return success();
}

//===----------------------------------------------------------------------===//
// DFT
//===----------------------------------------------------------------------===//

static LogicalResult inferDFT(DFTOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(op.getInput());
  if (!shape)
    return success();
  int64_t rank = shape->size();
  if (rank < 2)
    return op.emitOpError("takes an input of rank 2 or more, not ") << rank;
  if (failed(checkParts(op, *shape)))
    return failure();
  bool isOneSided = op.getOnesided(), isInverse = op.getInverse();
  bool isReal = isOneSided && isInverse;
  Shape result = *shape;
  result.back() = analysis.getConstant(isReal ? 1 : 2);
  std::optional<SmallVector<int64_t>> axis = SmallVector<int64_t>{-2};
  if (op.getAxis())
    axis = analysis.getIntegers(op.getAxis());
  if (!axis || axis->size() != 1) {
    for (DimExpr &dim : MutableArrayRef(result).drop_back())
      dim = analysis.getUnknown();
    return analysis.setShape(op.getOutput(), result);
  }
  FailureOr<int64_t> dim = normalizeAxis(op, axis->front(), rank);
  if (failed(dim))
    return failure();
  if (*dim == rank - 1)
    return op.emitOpError("has the last dimension for its axis; that one holds "
                          "the parts of a number");
  FailureOr<DimExpr> size = isReal ? ((*shape)[*dim] - 1) * 2 : (*shape)[*dim];
  if (op.getDftLength())
    size = getSize(op, op.getDftLength(), "dft_length", analysis);
  if (failed(size))
    return failure();
  result[*dim] =
      isOneSided && !isInverse ? getOneSided(*size) : normalizeSize(*size);
  return analysis.setShape(op.getOutput(), result);
}

//===----------------------------------------------------------------------===//
// STFT
//===----------------------------------------------------------------------===//

/// The size of a frame: of the window, where it isn't given.
static FailureOr<DimExpr> getFrameLength(STFTOp op, const Shape &signal,
                                         ShapeAnalysis &analysis) {
  DimExpr size;
  if (op.getFrameLength()) {
    FailureOr<DimExpr> given =
        getSize(op, op.getFrameLength(), "frame_length", analysis);
    if (failed(given))
      return failure();
    size = *given;
  }
  if (!op.getWindow())
    return size ? size : signal[1];
  std::optional<Shape> window = analysis.getShape(op.getWindow());
  if (!window)
    return size ? size : analysis.getUnknown();
  if (window->size() != 1)
    return op.emitOpError("takes a window of rank 1, not ") << window->size();
  if (!size)
    return window->front();
  DimExpr merged = analysis.merge(size, window->front());
  if (!merged)
    return op.emitOpError("has a window of ")
           << analysis.getName(window->front()) << " elements for frames of "
           << analysis.getName(size);
  return merged;
}

static LogicalResult inferSTFT(STFTOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> signal = analysis.getShape(op.getSignal());
  if (!signal)
    return success();
  if (signal->size() != 3)
    return op.emitOpError("takes a signal of rank 3, not ") << signal->size();
  if (failed(checkParts(op, *signal)))
    return failure();
  FailureOr<DimExpr> size = getFrameLength(op, *signal, analysis);
  FailureOr<DimExpr> step =
      getSize(op, op.getFrameStep(), "frame_step", analysis);
  if (failed(size) || failed(step))
    return failure();
  DimExpr room = normalizeSize((*signal)[1] - *size);
  if (getConstantSize(room).value_or(0) < 0)
    return op.emitOpError("has frames of ")
           << analysis.getName(*size) << " for a signal of "
           << analysis.getName((*signal)[1]);
  std::optional<int64_t> constantStep = getConstantSize(*step);
  DimExpr frames = constantStep
                       ? normalizeSize(room.floorDiv(*constantStep) + 1)
                       : analysis.getUnknown();
  DimExpr bins = op.getOnesided() ? getOneSided(*size) : *size;
  return analysis.setShape(
      op.getOutput(), {signal->front(), frames, bins, analysis.getConstant(2)});
}

//===----------------------------------------------------------------------===//
// MelWeightMatrix
//===----------------------------------------------------------------------===//

static LogicalResult inferMelWeightMatrix(MelWeightMatrixOp op,
                                          ShapeAnalysis &analysis) {
  FailureOr<DimExpr> bins =
      getSize(op, op.getNumMelBins(), "num_mel_bins", analysis);
  FailureOr<DimExpr> size =
      getSize(op, op.getDftLength(), "dft_length", analysis);
  if (failed(bins) || failed(size))
    return failure();
  return analysis.setShape(op.getOutput(), {getOneSided(*size), *bins});
}

void omb::onnx::attachSignalShapes(MLIRContext &context) {
  attachShapeFunction<inferDFT, DFTOp>(context);
  attachShapeFunction<inferMelWeightMatrix, MelWeightMatrixOp>(context);
  attachShapeFunction<inferSTFT, STFTOp>(context);
}
