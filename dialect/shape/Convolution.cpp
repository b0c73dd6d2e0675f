//===- Convolution.cpp - Shapes of convolutions ---------------------------===//

#include "dialect/shape/Convolution.h"

#include "dialect/ir/ops/Convolution.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/SizePolynomial.h"
#include "dialect/shape/Windows.h"

using namespace mlir;
using namespace omb::onnx;

/// Whether both are constants and differ.
static bool differ(DimExpr lhs, DimExpr rhs) {
  std::optional<int64_t> left = getConstantSize(lhs);
  std::optional<int64_t> right = getConstantSize(rhs);
  return left && right && *left != *right;
}

/// The ranks of input and weights: batch and channels, then `rank` - 2 spatial
/// dimensions.
static LogicalResult checkRanks(Operation *op, ArrayRef<DimExpr> input,
                                ArrayRef<DimExpr> weights) {
  if (input.size() < 2)
    return op->emitOpError("takes an input of rank 2 or more, not ")
           << input.size();
  if (input.size() != weights.size())
    return op->emitOpError("has weights of rank ")
           << weights.size() << ", but an input of rank " << input.size();
  return success();
}

/// `dim` must be a multiple of the number of groups.
static LogicalResult checkGroups(Operation *op, StringRef what, DimExpr dim,
                                 int64_t group) {
  if (group < 1 || group > std::numeric_limits<int32_t>::max())
    return op->emitOpError("has ") << group << " groups";
  std::optional<int64_t> size = getConstantSize(dim);
  if (size && *size % group != 0)
    return op->emitOpError("can't divide ")
           << *size << " " << what << " into " << group << " groups";
  return success();
}

/// The weights are for `needed` channels.
static LogicalResult checkChannels(Operation *op, DimExpr channels,
                                   DimExpr needed, ShapeAnalysis &analysis) {
  if (differ(channels, needed))
    return op->emitOpError("has an input of ")
           << analysis.getName(channels) << " channels, but weights for "
           << analysis.getName(needed);
  return success();
}

static LogicalResult checkBias(Operation *op, Value bias, DimExpr channels,
                               ShapeAnalysis &analysis) {
  std::optional<Shape> shape =
      bias ? analysis.getShape(bias) : std::optional<Shape>();
  if (!shape)
    return success();
  if (shape->size() != 1)
    return op->emitOpError("takes a bias of rank 1, not ") << shape->size();
  if (differ(shape->front(), channels))
    return op->emitOpError("has a bias of ")
           << analysis.getName(shape->front()) << " elements for "
           << analysis.getName(channels) << " channels";
  return success();
}

/// The sizes of the kernel, by the weights and by `kernel_shape`.
static FailureOr<Shape> getKernel(Operation *op,
                                  const WindowAttributes &windows,
                                  ArrayRef<DimExpr> weights,
                                  ShapeAnalysis &analysis) {
  Shape kernel(weights.drop_front(2));
  for (auto [dim, size] : llvm::enumerate(windows.kernel)) {
    DimExpr merged = analysis.merge(kernel[dim], analysis.getConstant(size));
    if (!merged)
      return op->emitOpError("has a kernel_shape of ")
             << size << " in spatial dimension " << dim
             << ", but the weights have " << analysis.getName(kernel[dim]);
    kernel[dim] = merged;
  }
  return kernel;
}

namespace {

/// What the shapes of the input and the weights make of a convolution.
struct ConvolutionShape {
  Shape kernel;
  Shape result;
};

} // namespace

static FailureOr<ConvolutionShape> getConvolution(Operation *op,
                                                  ArrayRef<DimExpr> input,
                                                  ArrayRef<DimExpr> weights,
                                                  Value bias, int64_t group,
                                                  ShapeAnalysis &analysis) {
  if (failed(checkRanks(op, input, weights)) ||
      failed(checkGroups(op, "channels", input[1], group)) ||
      failed(checkGroups(op, "feature maps", weights[0], group)) ||
      failed(checkBias(op, bias, weights[0], analysis)) ||
      failed(checkChannels(op, input[1], weights[1] * group, analysis)))
    return failure();
  FailureOr<WindowAttributes> windows =
      getWindowAttributes(op, input.size() - 2);
  if (failed(windows))
    return failure();
  FailureOr<Shape> kernel = getKernel(op, *windows, weights, analysis);
  if (failed(kernel))
    return failure();
  FailureOr<Shape> counts =
      countWindows(op, *windows, input.drop_front(2), *kernel, analysis);
  if (failed(counts))
    return failure();
  ConvolutionShape shape{*kernel, {input[0], weights[0]}};
  llvm::append_range(shape.result, *counts);
  return shape;
}

LogicalResult omb::onnx::inferConvolution(Operation *op, Value x, Value w,
                                          Value b, int64_t group,
                                          ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(x);
  std::optional<Shape> weights = analysis.getShape(w);
  if (!input || !weights)
    return success();
  FailureOr<ConvolutionShape> shape =
      getConvolution(op, *input, *weights, b, group, analysis);
  if (failed(shape))
    return failure();
  return analysis.setShape(op->getResult(0), shape->result);
}

static LogicalResult inferConv(ConvOp op, ShapeAnalysis &analysis) {
  return inferConvolution(op, op.getX(), op.getW(), op.getB(), op.getGroup(),
                          analysis);
}

//===----------------------------------------------------------------------===//
// ConvTranspose
//===----------------------------------------------------------------------===//

/// The spatial dimensions of the result.
static FailureOr<Shape> getTransposedSizes(ConvTransposeOp op,
                                           const WindowAttributes &windows,
                                           ArrayRef<DimExpr> input,
                                           ArrayRef<DimExpr> kernel,
                                           ShapeAnalysis &analysis) {
  int64_t rank = windows.getRank();
  auto given = getSpatialAttribute(op, "output_shape", rank, 1, 0);
  auto extra = getSpatialAttribute(op, "output_padding", rank, 0, 0);
  if (failed(given) || failed(extra))
    return failure();
  Shape sizes;
  for (int64_t dim = 0; dim < rank; ++dim) {
    int64_t stride = windows.strides[dim];
    // How much the result without pads is larger than input * stride.
    DimExpr surplus =
        normalizeSize(getExtent(kernel[dim], windows.dilations[dim]) +
                      (*extra)[dim] - stride);
    DimExpr size = input[dim] * stride + surplus - windows.padsLow[dim] -
                   windows.padsHigh[dim];
    if (op.getOutputShape()) {
      size = analysis.getConstant((*given)[dim]);
    } else if (windows.isSame()) {
      // Pads take the surplus away, but can't add what is missing.
      std::optional<int64_t> known = getConstantSize(surplus);
      size = known ? input[dim] * stride + std::min<int64_t>(*known, 0)
                   : analysis.getUnknown();
    }
    size = normalizeSize(size);
    if (getConstantSize(size).value_or(0) < 0)
      return op.emitOpError("has pads that leave nothing of spatial dimension ")
             << dim;
    sizes.push_back(size);
  }
  return sizes;
}

static LogicalResult inferConvTranspose(ConvTransposeOp op,
                                        ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getX());
  std::optional<Shape> weights = analysis.getShape(op.getW());
  if (!input || !weights)
    return success();
  int64_t group = op.getGroup();
  if (failed(checkRanks(op, *input, *weights)) ||
      failed(checkGroups(op, "channels", (*input)[1], group)))
    return failure();
  if (failed(checkChannels(op, (*input)[1], (*weights)[0], analysis)))
    return failure();
  DimExpr features = normalizeSize((*weights)[1] * group);
  if (failed(checkBias(op, op.getB(), features, analysis)))
    return failure();
  FailureOr<WindowAttributes> windows =
      getWindowAttributes(op, input->size() - 2);
  if (failed(windows))
    return failure();
  FailureOr<Shape> kernel = getKernel(op, *windows, *weights, analysis);
  if (failed(kernel))
    return failure();
  FailureOr<Shape> sizes = getTransposedSizes(
      op, *windows, ArrayRef<DimExpr>(*input).drop_front(2), *kernel, analysis);
  if (failed(sizes))
    return failure();
  Shape result = {(*input)[0], features};
  llvm::append_range(result, *sizes);
  return analysis.setShape(op.getY(), result);
}

//===----------------------------------------------------------------------===//
// DeformConv
//===----------------------------------------------------------------------===//

/// That `operand`, of DeformConv, has `channels` channels and the spatial
/// dimensions of the result, as far as they are known. Those of the result that
/// aren't are taken from it.
static LogicalResult checkPerWindow(DeformConvOp op, StringRef name,
                                    Value operand, DimExpr channels,
                                    Shape &result, ShapeAnalysis &analysis) {
  std::optional<Shape> shape =
      operand ? analysis.getShape(operand) : std::optional<Shape>();
  if (!shape)
    return success();
  if (shape->size() != result.size())
    return op.emitOpError("takes ")
           << name << " of rank " << result.size() << ", not " << shape->size();
  if (differ((*shape)[1], channels))
    return op.emitOpError("has ")
           << name << " of " << analysis.getName((*shape)[1])
           << " channels, not " << analysis.getName(channels);
  for (size_t dim = 0; dim < result.size(); ++dim) {
    if (dim == 1)
      continue;
    DimExpr merged = analysis.merge(result[dim], (*shape)[dim]);
    if (!merged)
      return op.emitOpError("has ")
             << name << " of " << analysis.getName((*shape)[dim])
             << " in dimension " << dim << ", but a result of "
             << analysis.getName(result[dim]);
    result[dim] = merged;
  }
  return success();
}

static LogicalResult inferDeformConv(DeformConvOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getX());
  std::optional<Shape> weights = analysis.getShape(op.getW());
  if (!input || !weights)
    return success();
  int64_t offsetGroup = op.getOffsetGroup();
  if (input->size() < 3)
    return op.emitOpError("takes an input of rank 3 or more, not ")
           << input->size();
  if (failed(checkGroups(op, "channels", (*input)[1], offsetGroup)))
    return failure();
  FailureOr<ConvolutionShape> shape =
      getConvolution(op, *input, *weights, op.getB(), op.getGroup(), analysis);
  if (failed(shape))
    return failure();
  int64_t rank = input->size() - 2;
  DimExpr points =
      normalizeSize(getProduct(shape->kernel, op.getContext()) * offsetGroup);
  if (failed(checkPerWindow(op, "an offset", op.getOffset(), points * rank,
                            shape->result, analysis)) ||
      failed(checkPerWindow(op, "a mask", op.getMask(), points, shape->result,
                            analysis)))
    return failure();
  return analysis.setShape(op.getY(), shape->result);
}

//===----------------------------------------------------------------------===//
// Col2Im
//===----------------------------------------------------------------------===//

static Shape getUnknowns(size_t count, ShapeAnalysis &analysis) {
  Shape sizes;
  while (sizes.size() < count)
    sizes.push_back(analysis.getUnknown());
  return sizes;
}

/// The sizes that `operand`, a vector, says; nullopt where not even their
/// number is known.
static std::optional<Shape> getVectorSizes(Value operand,
                                           ShapeAnalysis &analysis) {
  if (std::optional<Shape> contents = analysis.getContents(operand)) {
    for (DimExpr &size : *contents)
      if (!getConstantSize(size) && !isNonNegative(size, analysis))
        size = analysis.getUnknown();
    return contents;
  }
  std::optional<Shape> shape = analysis.getShape(operand);
  if (!shape || shape->size() != 1 || !getConstantSize(shape->front()))
    return std::nullopt;
  return getUnknowns(*getConstantSize(shape->front()), analysis);
}

/// The number of channels of an image of `rows` rows of columns.
static FailureOr<DimExpr> countChannels(Col2ImOp op, DimExpr rows,
                                        DimExpr blockSize,
                                        ShapeAnalysis &analysis) {
  std::optional<int64_t> block = getConstantSize(blockSize);
  if (!block)
    return analysis.getUnknown();
  std::optional<int64_t> known = getConstantSize(rows);
  if (known && *known % *block != 0)
    return op.emitOpError("has ") << *known << " rows, which aren't blocks of "
                                  << *block << " elements";
  return rows.floorDiv(*block);
}

static LogicalResult inferCol2Im(Col2ImOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getInput());
  std::optional<Shape> image = getVectorSizes(op.getImageShape(), analysis);
  std::optional<Shape> block = getVectorSizes(op.getBlockShape(), analysis);
  if (!image && !block)
    return success();
  if (!image)
    image = getUnknowns(block->size(), analysis);
  if (!block)
    block = getUnknowns(image->size(), analysis);
  if (image->size() != block->size() || image->empty())
    return op.emitOpError("has an image in ")
           << image->size() << " dimensions and blocks in " << block->size();
  for (ArrayRef<DimExpr> sizes : {ArrayRef(*image), ArrayRef(*block)})
    for (DimExpr size : sizes)
      if (getConstantSize(size).value_or(1) < 1)
        return op.emitOpError("has a size of ") << *getConstantSize(size);
  if (input && input->size() != 3)
    return op.emitOpError("takes an input of rank 3, not ") << input->size();
  FailureOr<WindowAttributes> windows = getWindowAttributes(op, image->size());
  if (failed(windows))
    return failure();
  FailureOr<Shape> counts =
      countWindows(op, *windows, *image, *block, analysis);
  if (failed(counts))
    return failure();
  Shape result = {analysis.getUnknown(), analysis.getUnknown()};
  if (input) {
    DimExpr blocks = getProduct(*counts, op.getContext());
    if (differ(blocks, (*input)[2]))
      return op.emitOpError("has ")
             << analysis.getName((*input)[2]) << " blocks for an image of "
             << analysis.getName(blocks);
    FailureOr<DimExpr> channels = countChannels(
        op, (*input)[1], getProduct(*block, op.getContext()), analysis);
    if (failed(channels))
      return failure();
    result = {input->front(), *channels};
  }
  llvm::append_range(result, *image);
  return analysis.setShape(op.getOutput(), result);
}

void omb::onnx::attachConvolutionShapes(MLIRContext &context) {
  attachShapeFunction<inferCol2Im, Col2ImOp>(context);
  attachShapeFunction<inferConv, ConvOp>(context);
  attachShapeFunction<inferConvTranspose, ConvTransposeOp>(context);
  attachShapeFunction<inferDeformConv, DeformConvOp>(context);
}
