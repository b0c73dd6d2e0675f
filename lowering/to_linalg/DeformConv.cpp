//===- DeformConv.cpp - Lowering of deformable convolutions ---------------===//
//
// The input is sampled where the kernel's elements are moved to, for each
// window. That makes one column of numbers a window, and a convolution with a
// kernel of one element over them is the result.
//
//===----------------------------------------------------------------------===//

#include "dialect/ir/ops/Convolution.h"
#include "lowering/to_linalg/Convolve.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Sampling.h"
#include "lowering/to_linalg/TypeConversion.h"
#include "lowering/to_linalg/Windows.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;
using omb::Scalars;
using omb::WindowDim;

/// Why `op` can't be lowered; empty where it can.
static StringRef findObstacle(DeformConvOp op, RankedTensorType result) {
  auto input = dyn_cast<RankedTensorType>(op.getX().getType());
  auto weights = dyn_cast<RankedTensorType>(op.getW().getType());
  auto offset = dyn_cast<RankedTensorType>(op.getOffset().getType());
  if (!input || !weights || !offset || !result)
    return "the rank of an operand or of the result isn't known";
  int64_t rank = input.getRank();
  if (rank < 3 || weights.getRank() != rank || offset.getRank() != rank ||
      result.getRank() != rank)
    return "the ranks of the operands and the result differ";
  auto mask = op.getMask() ? dyn_cast<RankedTensorType>(op.getMask().getType())
                           : offset;
  if (!mask || mask.getRank() != rank)
    return "the mask has another rank";
  auto isDivisible = [](int64_t size, int64_t count) {
    return ShapedType::isDynamic(size) || size % count == 0;
  };
  int64_t group = op.getGroup(), offsetGroup = op.getOffsetGroup();
  if (group < 1 || offsetGroup < 1 ||
      !isDivisible(input.getDimSize(1), group) ||
      !isDivisible(input.getDimSize(1), offsetGroup) ||
      !isDivisible(weights.getDimSize(0), group))
    return "the channels can't be divided into the groups";
  return {};
}

namespace {

/// One deformable convolution.
class Deformation {
public:
  Deformation(OpBuilder &builder, DeformConvOp op,
              DeformConvOp::Adaptor adaptor, ArrayRef<WindowDim> windows)
      : builder(builder), loc(op.getLoc()), op(op), adaptor(adaptor),
        windows(windows), index(builder, loc), rank(windows.size()),
        input(index.sizes(adaptor.getX())) {}

  /// That the operands' sizes fit each other.
  void checkSizes();
  /// What is sampled: (batch, channels x kernel, windows).
  Value buildColumns();
  /// The weights: (features, channels of a group x kernel, 1).
  Value buildWeights();

private:
  Value getKernelSize() {
    SmallVector<Value> kernel = llvm::map_to_vector(
        windows, [](const WindowDim &dim) { return dim.kernel; });
    return index.product(kernel);
  }
  /// The number of channels that are moved together.
  Value getChannels() {
    return index.div(input[1], index.constant(op.getOffsetGroup()));
  }
  Value sample(OpBuilder &b, ValueRange at);

  OpBuilder &builder;
  Location loc;
  DeformConvOp op;
  DeformConvOp::Adaptor adaptor;
  ArrayRef<WindowDim> windows;
  omb::IndexArithmetic index;
  int64_t rank;
  SmallVector<Value> input;
};

} // namespace

void Deformation::checkSizes() {
  SmallVector<Value> weights = index.sizes(adaptor.getW());
  auto check = [&](Value lhs, Value rhs, const Twine &message) {
    index.require(index.isEqual(lhs, rhs), message);
  };
  check(input[1], index.mul(weights[1], index.constant(op.getGroup())),
        "DeformConv has weights for another number of channels");
  Value groups = index.constant(op.getOffsetGroup());
  check(index.mul(getChannels(), groups), input[1],
        "the channels of DeformConv can't be divided into its offset groups");
  Value points = index.mul(groups, getKernelSize());
  auto checkOperand = [&](Value operand, StringRef name, Value channels) {
    SmallVector<Value> sizes = index.sizes(operand);
    check(sizes[0], input[0],
          "the " + name + " of DeformConv has another batch size");
    check(sizes[1], channels,
          "the " + name + " of DeformConv has another number of channels");
    for (auto [dim, size] : llvm::zip(windows, ValueRange(sizes).drop_front(2)))
      check(dim.count, size,
            "the " + name + " of DeformConv isn't of the result's size");
  };
  checkOperand(adaptor.getOffset(), "offset",
               index.mul(points, index.constant(rank)));
  if (adaptor.getMask())
    checkOperand(adaptor.getMask(), "mask", points);
  for (Value size : ValueRange(input).drop_front(2))
    index.require(index.isLess(index.constant(0), size),
                  "DeformConv samples a dimension of size 0");
}

/// The element of the columns at batch, channel, position in the kernel and
/// window.
Value Deformation::sample(OpBuilder &b, ValueRange at) {
  Type elementType =
      cast<RankedTensorType>(adaptor.getX().getType()).getElementType();
  Scalars s(b, loc, elementType);
  omb::IndexArithmetic inner(b, loc);
  ValueRange within = at.slice(2, rank), window = at.take_back(rank);
  Value point = inner.div(at[1], getChannels());
  for (auto [dim, position] : llvm::zip(windows, within))
    point = inner.add(inner.mul(point, dim.kernel), position);
  auto read = [&](Value tensor, Value channel) {
    SmallVector<Value> position = {at[0], channel};
    llvm::append_range(position, window);
    return s.widen(tensor::ExtractOp::create(b, loc, tensor, position));
  };
  SmallVector<Value> coordinates;
  for (auto [number, dim] : llvm::enumerate(windows)) {
    Value start =
        inner.add(inner.mul(window[number], inner.constant(dim.stride)),
                  inner.mul(within[number], inner.constant(dim.dilation)));
    start = inner.sub(start, dim.low);
    Value channel = inner.add(inner.mul(point, inner.constant(rank)),
                              inner.constant(number));
    Value offset = read(adaptor.getOffset(), channel);
    coordinates.push_back(
        s.add(omb::toCoordinate(s, start, offset.getType()), offset));
  }
  omb::SamplingFilter filter;
  filter.mode = omb::SamplingFilter::Linear;
  omb::PointSampler sampler(
      adaptor.getX(), ValueRange(input).drop_front(2), filter,
      omb::SamplingEdges(),
      omb::SampledElements(elementType, /*rounds=*/false));
  Value found = sampler.interpolate(s, at.take_front(2), coordinates);
  if (Value mask = adaptor.getMask())
    found = s.mul(found, read(mask, point));
  return found;
}

/// `tensor` of two dimensions and two groups of `rank`: the first group goes
/// into the second dimension.
static Value collapseColumns(OpBuilder &builder, Location loc, Value tensor,
                             int64_t rank) {
  SmallVector<ReassociationIndices> groups(3);
  for (int64_t dim = 0; dim < 2 + 2 * rank; ++dim)
    groups[dim == 0 ? 0 : dim < 2 + rank ? 1 : 2].push_back(dim);
  return tensor::CollapseShapeOp::create(builder, loc, tensor, groups);
}

Value Deformation::buildColumns() {
  auto inputType = cast<RankedTensorType>(adaptor.getX().getType());
  SmallVector<Value> sizes = {input[0], input[1]};
  for (const WindowDim &dim : windows)
    sizes.push_back(dim.kernel);
  for (const WindowDim &dim : windows)
    sizes.push_back(dim.count);
  auto type = RankedTensorType::get(
      decomposeMixedValues(index.mixed(sizes)).first,
      omb::getAccumulatorType(inputType.getElementType()));
  Value columns = omb::buildFromIndices(
      builder, loc, type, sizes,
      [&](OpBuilder &b, Location, ValueRange at) { return sample(b, at); });
  return collapseColumns(builder, loc, columns, rank);
}

Value Deformation::buildWeights() {
  SmallVector<ReassociationIndices> groups = {{0}, {1}};
  for (int64_t dim = 0; dim < rank; ++dim)
    groups[1].push_back(2 + dim);
  Value flat =
      tensor::CollapseShapeOp::create(builder, loc, adaptor.getW(), groups);
  auto type = cast<RankedTensorType>(flat.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.push_back(1);
  SmallVector<Value> sizes = index.sizes(flat);
  sizes.push_back(index.constant(1));
  return tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), flat,
      SmallVector<ReassociationIndices>{{0}, {1, 2}}, index.mixed(sizes));
}

namespace {

struct DeformConvToLinalg : OpConversionPattern<DeformConvOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DeformConvOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    StringRef obstacle = findObstacle(op, type);
    if (!obstacle.empty())
      return rewriter.notifyMatchFailure(op, obstacle);
    int64_t rank = type.getRank() - 2;
    FailureOr<WindowAttributes> attributes = getWindowAttributes(op, rank);
    if (failed(attributes))
      return rewriter.notifyMatchFailure(op, "its attributes are invalid");

    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    SmallVector<Value> input = index.sizes(adaptor.getX());
    SmallVector<Value> weights = index.sizes(adaptor.getW());
    SmallVector<WindowDim> windows =
        omb::computeWindows(index, *attributes, ValueRange(input).drop_front(2),
                            ValueRange(weights).drop_front(2), "DeformConv");
    SmallVector<Value> sizes = {input[0], weights[0]};
    for (const WindowDim &dim : windows)
      sizes.push_back(dim.count);
    Deformation deformation(rewriter, op, adaptor, windows);
    deformation.checkSizes();
    if (llvm::is_contained(type.getShape(), 0)) {
      rewriter.replaceOp(op, omb::createEmpty(rewriter, loc, type, sizes));
      return success();
    }
    Value columns = deformation.buildColumns();
    Value init = omb::buildConvolutionInit(
        rewriter, loc,
        type.clone(omb::getAccumulatorType(type.getElementType())), sizes,
        adaptor.getB());
    SmallVector<ReassociationIndices> groups = {{0}, {1}, {}};
    for (int64_t dim = 2; dim < type.getRank(); ++dim)
      groups[2].push_back(dim);
    Value flat = tensor::CollapseShapeOp::create(rewriter, loc, init, groups);
    Value sum = omb::buildConvolution(rewriter, loc, columns,
                                      deformation.buildWeights(), flat,
                                      op.getGroup(), /*strides=*/{1},
                                      /*dilations=*/{1});
    sum = tensor::ExpandShapeOp::create(
        rewriter, loc, cast<RankedTensorType>(init.getType()), sum, groups,
        index.mixed(index.sizes(init)));
    rewriter.replaceOp(
        op, omb::convertFloats(rewriter, loc, sum, type.getElementType()));
    return success();
  }
};

} // namespace

void omb::populateDeformConvToLinalgPatterns(const TypeConverter &converter,
                                             RewritePatternSet &patterns) {
  patterns.add<DeformConvToLinalg>(converter, patterns.getContext());
}
