//===- DataMovement.cpp - Shapes of cut, joined and padded tensors --------===//

#include "dialect/ir/ops/DataMovement.h"
#include "dialect/shape/Axes.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"
#include "dialect/shape/SizePolynomial.h"

#include <limits>

using namespace mlir;
using namespace omb::onnx;

/// Where exporters mean "to the end", whatever the integer type.
static constexpr int64_t kFarAway = std::numeric_limits<int32_t>::max();

/// Records contents where the data is a vector, and they're known.
static void setContentsOfVector(Value result, const std::optional<Shape> &data,
                                ArrayRef<int64_t> positions,
                                ShapeAnalysis &analysis) {
  if (!data)
    return;
  Shape contents;
  for (int64_t position : positions)
    contents.push_back((*data)[position]);
  analysis.setContents(result, contents);
}

/// The contents of `value` where it is a vector.
static std::optional<Shape> getVector(Value value, ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(value);
  if (!shape || shape->size() != 1)
    return std::nullopt;
  return analysis.getContents(value);
}

//===----------------------------------------------------------------------===//
// Slice
//===----------------------------------------------------------------------===//

namespace {

/// One axis of a Slice; null where nothing is known.
struct Range {
  DimExpr start;
  DimExpr end;
  DimExpr step;
};

} // namespace

/// `position` counted from the front and clamped to [0, dim]; null where that
/// depends on the run.
static DimExpr clampPosition(DimExpr position, DimExpr dim,
                             ShapeAnalysis &analysis) {
  if (!position)
    return nullptr;
  std::optional<int64_t> constant = getConstantSize(position);
  std::optional<int64_t> size = getConstantSize(dim);
  if (constant && *constant >= kFarAway)
    return dim;
  if (constant && *constant <= -kFarAway)
    return analysis.getConstant(0);
  if (constant && size)
    return analysis.getConstant(std::clamp<int64_t>(
        *constant < 0 ? *constant + *size : *constant, 0, *size));
  DimExpr fromFront =
      normalizeSize(constant && *constant < 0 ? position + dim : position);
  if (constant == 0 || fromFront == dim)
    return fromFront;
  if (!isNonNegative(fromFront, analysis))
    return nullptr;
  if (isNonNegative(dim - fromFront, analysis))
    return fromFront;
  return isNonNegative(fromFront - dim, analysis) ? dim : nullptr;
}

/// The size of a slice with known numbers.
static int64_t countElements(int64_t start, int64_t end, int64_t step,
                             int64_t size, int64_t &first) {
  first = 0;
  if (size == 0)
    return 0;
  // Far beyond any size, and safe to add to.
  auto fromFront = [&](int64_t position) {
    position =
        std::clamp<int64_t>(position, -(int64_t(1) << 60), int64_t(1) << 60);
    return position < 0 ? position + size : position;
  };
  if (step > 0) {
    first = std::clamp<int64_t>(fromFront(start), 0, size);
    int64_t last = std::clamp<int64_t>(fromFront(end), 0, size);
    return last <= first ? 0 : (last - first - 1) / step + 1;
  }
  first = std::clamp<int64_t>(fromFront(start), 0, size - 1);
  int64_t last = std::clamp<int64_t>(fromFront(end), -1, size - 1);
  if (first <= last)
    return 0;
  // -step overflows for the smallest number.
  uint64_t stride = -static_cast<uint64_t>(step);
  return static_cast<uint64_t>(first - last - 1) / stride + 1;
}

static DimExpr getSliceSize(DimExpr dim, Range range, ShapeAnalysis &analysis) {
  std::optional<int64_t> step =
      range.step ? getConstantSize(range.step) : std::nullopt;
  if (!step || *step == 0)
    return analysis.getUnknown();
  std::optional<int64_t> start =
      range.start ? getConstantSize(range.start) : std::nullopt;
  std::optional<int64_t> end =
      range.end ? getConstantSize(range.end) : std::nullopt;
  std::optional<int64_t> size = getConstantSize(dim);
  if (start && end && size) {
    int64_t first;
    return analysis.getConstant(
        countElements(*start, *end, *step, *size, first));
  }
  if (*step < 0) {
    bool isWhole = start && end && (*start == -1 || *start >= kFarAway) &&
                   *end <= -kFarAway;
    return isWhole && *step > -kFarAway ? dim.ceilDiv(-*step)
                                        : analysis.getUnknown();
  }
  DimExpr first = clampPosition(range.start, dim, analysis);
  DimExpr last = clampPosition(range.end, dim, analysis);
  if (!first || !last)
    return analysis.getUnknown();
  DimExpr length = normalizeSize(last - first);
  std::optional<int64_t> constant = getConstantSize(length);
  if (constant && *constant <= 0)
    return analysis.getConstant(0);
  // The length of the whole is never negative, whatever its name.
  if (length != dim && !isNonNegative(length, analysis))
    return analysis.getUnknown();
  return length.ceilDiv(*step);
}

/// What is known of each axis that a Slice names; nullopt where the axes
/// themselves aren't.
static FailureOr<std::optional<SmallVector<std::pair<int64_t, Range>>>>
getRanges(SliceOp op, int64_t rank, ShapeAnalysis &analysis) {
  using Result = std::optional<SmallVector<std::pair<int64_t, Range>>>;
  std::optional<Shape> starts = analysis.getContents(op.getStarts());
  std::optional<Shape> ends = analysis.getContents(op.getEnds());
  std::optional<SmallVector<int64_t>> given;
  if (op.getAxes()) {
    given = analysis.getIntegers(op.getAxes());
  } else if (std::optional<Shape> shape = analysis.getShape(op.getStarts());
             shape && shape->size() == 1) {
    if (std::optional<int64_t> count = getConstantSize(shape->front()))
      given = llvm::to_vector(llvm::seq<int64_t>(0, *count));
  }
  if (!given)
    return Result();
  FailureOr<SmallVector<int64_t>> axes = normalizeAxes(op, *given, rank);
  if (failed(axes))
    return failure();
  std::optional<Shape> steps =
      op.getSteps() ? analysis.getContents(op.getSteps())
                    : Shape(axes->size(), analysis.getConstant(1));
  for (const std::optional<Shape> *list : {&starts, &ends, &steps})
    if (*list && (*list)->size() != axes->size())
      return op.emitOpError("has ")
             << (*list)->size() << " starts, ends or steps for " << axes->size()
             << " axes";
  SmallVector<std::pair<int64_t, Range>> result;
  for (auto [index, axis] : llvm::enumerate(*axes)) {
    Range range{starts ? (*starts)[index] : DimExpr(),
                ends ? (*ends)[index] : DimExpr(),
                steps ? (*steps)[index] : DimExpr()};
    if (range.step && getConstantSize(range.step) == 0)
      return op.emitOpError("has a step of 0");
    result.emplace_back(axis, range);
  }
  return Result(result);
}

static void setSliceContents(SliceOp op, Range range, ShapeAnalysis &analysis) {
  std::optional<Shape> data = getVector(op.getData(), analysis);
  if (!data || !range.start || !range.end || !range.step)
    return;
  std::optional<int64_t> start = getConstantSize(range.start);
  std::optional<int64_t> end = getConstantSize(range.end);
  std::optional<int64_t> step = getConstantSize(range.step);
  if (!start || !end || !step)
    return;
  int64_t first;
  int64_t count = countElements(*start, *end, *step, data->size(), first);
  SmallVector<int64_t> positions;
  for (int64_t index = 0; index < count; ++index)
    positions.push_back(first + index * *step);
  setContentsOfVector(op.getOutput(), data, positions, analysis);
}

static LogicalResult inferSlice(SliceOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> data = analysis.getShape(op.getData());
  if (!data)
    return success();
  auto ranges = getRanges(op, data->size(), analysis);
  if (failed(ranges))
    return failure();
  Shape result = *data;
  if (!*ranges) {
    for (DimExpr &dim : result)
      dim = analysis.getUnknown();
    return analysis.setShape(op.getOutput(), result);
  }
  for (auto [axis, range] : **ranges)
    result[axis] = getSliceSize((*data)[axis], range, analysis);
  if (failed(analysis.setShape(op.getOutput(), result)))
    return failure();
  if ((*ranges)->size() == 1)
    setSliceContents(op, (*ranges)->front().second, analysis);
  return success();
}

//===----------------------------------------------------------------------===//
// Concat, Split
//===----------------------------------------------------------------------===//

/// The joined contents; unknown elements where only their number is known.
static void setConcatContents(ConcatOp op, ShapeAnalysis &analysis) {
  Shape joined;
  bool isAnyKnown = false;
  for (Value input : op.getInputs()) {
    if (std::optional<Shape> contents = analysis.getContents(input)) {
      isAnyKnown = true;
      llvm::append_range(joined, *contents);
      continue;
    }
    std::optional<Shape> shape = analysis.getShape(input);
    std::optional<int64_t> count;
    if (shape && shape->size() == 1)
      count = getConstantSize(shape->front());
    if (!count || *count > ShapeAnalysis::kMaxContents)
      return;
    for (int64_t index = 0; index < *count; ++index)
      joined.push_back(analysis.getUnknown());
  }
  if (isAnyKnown)
    analysis.setContents(op.getConcatResult(), joined);
}

static LogicalResult inferConcat(ConcatOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> result;
  int64_t axis = 0;
  for (Value input : op.getInputs()) {
    std::optional<Shape> shape = analysis.getShape(input);
    if (!shape)
      return success();
    if (!result) {
      FailureOr<int64_t> normalized =
          normalizeAxis(op, op.getAxis(), shape->size());
      if (failed(normalized))
        return failure();
      axis = *normalized;
      result = shape;
      continue;
    }
    if (shape->size() != result->size())
      return op.emitOpError("joins tensors of ranks ")
             << result->size() << " and " << shape->size();
    for (auto [index, dims] : llvm::enumerate(llvm::zip(*result, *shape))) {
      auto &[joined, dim] = dims;
      DimExpr both = int64_t(index) == axis ? normalizeSize(joined + dim)
                                            : analysis.merge(joined, dim);
      if (!both)
        return op.emitOpError("joins tensors whose dimension ")
               << index << " is " << analysis.getName(joined) << " and "
               << analysis.getName(dim);
      joined = both;
    }
  }
  if (!result)
    return success();
  if (result->size() == 1)
    setConcatContents(op, analysis);
  return analysis.setShape(op.getConcatResult(), *result);
}

/// The sizes of the parts of `dim`.
static FailureOr<Shape> getPartSizes(SplitOp op, DimExpr dim,
                                     ShapeAnalysis &analysis) {
  int64_t count = op.getOutputs().size();
  if (op.getSplit()) {
    std::optional<Shape> sizes = analysis.getContents(op.getSplit());
    if (sizes && int64_t(sizes->size()) != count)
      return op.emitOpError("has ")
             << count << " results, but " << sizes->size() << " sizes";
    Shape result;
    for (int64_t index = 0; index < count; ++index)
      result.push_back(sizes && isNonNegative((*sizes)[index], analysis)
                           ? (*sizes)[index]
                           : analysis.getUnknown());
    DimExpr sum = analysis.getConstant(0);
    for (DimExpr size : result)
      sum = sum + size;
    if (!analysis.merge(normalizeSize(sum), dim))
      return op.emitOpError("has sizes that make ")
             << analysis.getName(sum) << ", but the dimension has "
             << analysis.getName(dim);
    return result;
  }
  if (op.getNumOutputs() && int64_t(*op.getNumOutputs()) != count)
    return op.emitOpError("has ")
           << count << " results, but num_outputs is " << *op.getNumOutputs();
  std::optional<int64_t> size = getConstantSize(dim);
  Shape result;
  if (!size) {
    result.assign(count, dim.ceilDiv(count));
    if (count > 1)
      result.back() = analysis.getUnknown();
    return result;
  }
  int64_t part = llvm::divideCeil(*size, count);
  int64_t last = *size - part * (count - 1);
  if (last < 0)
    return op.emitOpError("can't split a dimension of size ")
           << *size << " into " << count << " parts of size " << part;
  result.assign(count, analysis.getConstant(part));
  result.back() = analysis.getConstant(last);
  return result;
}

static LogicalResult inferSplit(SplitOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getInput());
  if (!input || op.getOutputs().empty())
    return success();
  FailureOr<int64_t> axis = normalizeAxis(op, op.getAxis(), input->size());
  if (failed(axis))
    return failure();
  FailureOr<Shape> sizes = getPartSizes(op, (*input)[*axis], analysis);
  if (failed(sizes))
    return failure();
  std::optional<Shape> data = getVector(op.getInput(), analysis);
  int64_t position = 0;
  for (auto [output, size] : llvm::zip(op.getOutputs(), *sizes)) {
    Shape shape = *input;
    shape[*axis] = size;
    if (failed(analysis.setShape(output, shape)))
      return failure();
    std::optional<int64_t> count = getConstantSize(size);
    if (!count || !data)
      data = std::nullopt;
    else
      setContentsOfVector(
          output, data,
          llvm::to_vector(llvm::seq<int64_t>(position, position + *count)),
          analysis);
    position += count.value_or(0);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Pad, CenterCropPad
//===----------------------------------------------------------------------===//

static LogicalResult inferPad(PadOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> data = analysis.getShape(op.getData());
  if (!data)
    return success();
  int64_t rank = data->size();
  std::optional<SmallVector<int64_t>> given =
      op.getAxes() ? analysis.getIntegers(op.getAxes())
                   : llvm::to_vector(llvm::seq<int64_t>(0, rank));
  std::optional<Shape> pads = analysis.getContents(op.getPads());
  Shape result = *data;
  if (!given) {
    for (DimExpr &dim : result)
      dim = analysis.getUnknown();
    return analysis.setShape(op.getOutput(), result);
  }
  FailureOr<SmallVector<int64_t>> axes = normalizeAxes(op, *given, rank);
  if (failed(axes))
    return failure();
  size_t count = axes->size();
  if (pads && pads->size() != 2 * count)
    return op.emitOpError("has ")
           << pads->size() << " pads for " << count << " axes";
  for (auto [index, axis] : llvm::enumerate(*axes)) {
    if (!pads) {
      result[axis] = analysis.getUnknown();
      continue;
    }
    result[axis] =
        normalizeSize(result[axis] + (*pads)[index] + (*pads)[index + count]);
    std::optional<int64_t> size = getConstantSize(result[axis]);
    if (size && *size < 0)
      return op.emitOpError("cuts dimension ")
             << axis << " to a size of " << *size;
  }
  return analysis.setShape(op.getOutput(), result);
}

static LogicalResult inferCenterCropPad(CenterCropPadOp op,
                                        ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getInputData());
  if (!input)
    return success();
  SmallVector<int64_t> all = llvm::to_vector(
      llvm::seq<int64_t>(0, static_cast<int64_t>(input->size())));
  FailureOr<SmallVector<int64_t>> axes = normalizeAxes(
      op, op.getAxes().value_or(ArrayRef<int64_t>(all)), input->size());
  if (failed(axes))
    return failure();
  std::optional<Shape> sizes = analysis.getContents(op.getShape());
  if (sizes && sizes->size() != axes->size())
    return op.emitOpError("has ")
           << sizes->size() << " sizes for " << axes->size() << " axes";
  for (auto [index, axis] : llvm::enumerate(*axes))
    (*input)[axis] = sizes && isNonNegative((*sizes)[index], analysis)
                         ? (*sizes)[index]
                         : analysis.getUnknown();
  return analysis.setShape(op.getOutputData(), *input);
}

//===----------------------------------------------------------------------===//
// Identity, ReverseSequence, Trilu
//===----------------------------------------------------------------------===//

static LogicalResult inferSameShape(Operation *op, ShapeAnalysis &analysis) {
  if (std::optional<Shape> shape = analysis.getShape(op->getOperand(0)))
    return analysis.setShape(op->getResult(0), *shape);
  return success();
}

static LogicalResult inferIdentity(IdentityOp op, ShapeAnalysis &analysis) {
  if (std::optional<Shape> contents = analysis.getContents(op.getInput()))
    analysis.setContents(op.getOutput(), *contents);
  if (analysis.isEmptySequence(op.getInput()))
    analysis.setEmptySequence(op.getOutput());
  return inferSameShape(op, analysis);
}

static LogicalResult inferReverseSequence(ReverseSequenceOp op,
                                          ShapeAnalysis &analysis) {
  int64_t time = op.getTimeAxis(), batch = op.getBatchAxis();
  if ((time != 0 && time != 1) || batch != 1 - time)
    return op.emitOpError("has time_axis ")
           << time << " and batch_axis " << batch
           << "; they must be 0 and 1 or 1 and 0";
  std::optional<Shape> input = analysis.getShape(op.getInput());
  if (input && input->size() < 2)
    return op.emitOpError("takes an input of rank 2 or more, not ")
           << input->size();
  std::optional<Shape> lengths = analysis.getShape(op.getSequenceLens());
  if (lengths && lengths->size() != 1)
    return op.emitOpError("takes sequence_lens of rank 1, not ")
           << lengths->size();
  if (lengths && input && !analysis.merge(lengths->front(), (*input)[batch]))
    return op.emitOpError("has ") << analysis.getName(lengths->front())
                                  << " sequence_lens for a batch of "
                                  << analysis.getName((*input)[batch]);
  return inferSameShape(op, analysis);
}

static LogicalResult inferTrilu(TriluOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getInput());
  if (input && input->size() < 2)
    return op.emitOpError("takes an input of rank 2 or more, not ")
           << input->size();
  return inferSameShape(op, analysis);
}

void omb::onnx::attachDataMovementShapes(MLIRContext &context) {
  attachShapeFunction<inferSlice, SliceOp>(context);
  attachShapeFunction<inferConcat, ConcatOp>(context);
  attachShapeFunction<inferSplit, SplitOp>(context);
  attachShapeFunction<inferPad, PadOp>(context);
  attachShapeFunction<inferCenterCropPad, CenterCropPadOp>(context);
  attachShapeFunction<inferIdentity, IdentityOp>(context);
  attachShapeFunction<inferReverseSequence, ReverseSequenceOp>(context);
  attachShapeFunction<inferTrilu, TriluOp>(context);
}
