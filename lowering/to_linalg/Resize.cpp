//===- Resize.cpp - Lowering of Resize ------------------------------------===//
//
// Interpolation is separable: each axis is resized by itself. What an element
// takes from where is computed once an axis, into small tables, so that the
// large op only loads, multiplies and adds.
//
//===----------------------------------------------------------------------===//

#include "dialect/ir/ops/Resize.h"
#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Interpolation.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"
#include "llvm/ADT/StringSwitch.h"

#include <cmath>

using namespace mlir;
using namespace omb::onnx;

/// Element `position` of a float vector, as f32.
static Value readFloat(OpBuilder &builder, Location loc, Value vector,
                       int64_t position) {
  omb::Scalars s(builder, loc, builder.getF32Type());
  Value at = arith::ConstantIndexOp::create(builder, loc, position);
  Value number = s.widen(tensor::ExtractOp::create(builder, loc, vector, at));
  if (number.getType().isF64())
    return arith::TruncFOp::create(s, s.getF32Type(), number);
  return number;
}

static std::optional<SmallVector<float>> getConstantFloats(Value value) {
  DenseFPElementsAttr elements;
  if (!value || !matchPattern(value, m_Constant(&elements)) ||
      !elements.getElementType().isF32())
    return std::nullopt;
  return llvm::to_vector(elements.getValues<float>());
}

static bool isGiven(Value operand) {
  if (!operand)
    return false;
  auto type = dyn_cast<RankedTensorType>(operand.getType());
  return !type || type.getRank() != 1 || type.getDimSize(0) != 0;
}

namespace {

/// Sets up the axes of one Resize.
class ResizedAxes {
public:
  ResizedAxes(OpBuilder &builder, ResizeOp op, ResizeOp::Adaptor adaptor,
              RankedTensorType type)
      : builder(builder), loc(op.getLoc()), op(op), adaptor(adaptor),
        type(type), index(builder, loc) {
    int64_t rank = type.getRank();
    dims = llvm::to_vector(llvm::seq<int64_t>(0, rank));
    if (op.getAxes())
      dims.assign(op.getAxes()->begin(), op.getAxes()->end());
    for (int64_t &dim : dims)
      dim = dim < 0 ? dim + rank : dim;
  }

  SmallVector<omb::ResizedAxis> compute();

private:
  /// Of sizes, as indices.
  struct Fraction {
    Value numerator;
    Value denominator;
  };
  omb::ResizedAxis computeByScale(size_t position);
  Value toFloat(Value size) {
    Value i64 =
        arith::IndexCastOp::create(builder, loc, builder.getI64Type(), size);
    return arith::SIToFPOp::create(builder, loc, builder.getF32Type(), i64);
  }
  /// floor(length), as an index.
  Value roundDown(Value length) {
    omb::Scalars s(builder, loc, builder.getF32Type());
    // IREE's host code rounds to the nearest where it converts.
    length = math::FloorOp::create(s, length);
    Value i64 = arith::FPToSIOp::create(s, s.getI64Type(), length);
    return arith::IndexCastOp::create(s, s.getIndexType(), i64);
  }
  /// The scale that keeps the aspect ratio.
  Fraction getCommonScale();
  Fraction getOwnScale(size_t position) {
    return {index.element(adaptor.getSizes(), position),
            index.size(adaptor.getX(), dims[position])};
  }
  omb::ResizedAxis computeByFraction(size_t position, Fraction scale);
  omb::ResizedAxis computeBySize(size_t position);
  void setConstants(omb::ResizedAxis &axis, size_t position);

  OpBuilder &builder;
  Location loc;
  ResizeOp op;
  ResizeOp::Adaptor adaptor;
  RankedTensorType type;
  omb::IndexArithmetic index;
  SmallVector<int64_t> dims;
};

} // namespace

ResizedAxes::Fraction ResizedAxes::getCommonScale() {
  bool isMin = op.getKeepAspectRatioPolicy() == "not_larger";
  Fraction common = getOwnScale(0);
  for (size_t position = 1; position < dims.size(); ++position) {
    Fraction own = getOwnScale(position);
    Value ownProduct = index.mul(own.numerator, common.denominator);
    Value commonProduct = index.mul(common.numerator, own.denominator);
    Value takesOwn = isMin ? index.isLess(ownProduct, commonProduct)
                           : index.isLess(commonProduct, ownProduct);
    common.numerator = index.select(takesOwn, own.numerator, common.numerator);
    common.denominator =
        index.select(takesOwn, own.denominator, common.denominator);
  }
  return common;
}

omb::ResizedAxis ResizedAxes::computeByScale(size_t position) {
  int64_t dim = dims[position];
  omb::Scalars s(builder, loc, builder.getF32Type());
  omb::ResizedAxis axis;
  axis.dim = dim;
  axis.from = index.size(adaptor.getX(), dim);
  axis.scale = readFloat(builder, loc, adaptor.getScales(), position);
  axis.length = s.mul(toFloat(axis.from), axis.scale);
  axis.to = type.isDynamicDim(dim) ? roundDown(axis.length)
                                   : index.constant(type.getDimSize(dim));
  return axis;
}

omb::ResizedAxis ResizedAxes::computeByFraction(size_t position,
                                                Fraction scale) {
  omb::Scalars s(builder, loc, builder.getF32Type());
  omb::ResizedAxis axis;
  axis.dim = dims[position];
  axis.from = index.size(adaptor.getX(), axis.dim);
  axis.numerator = scale.numerator;
  axis.denominator = scale.denominator;
  axis.scale = s.div(toFloat(scale.numerator), toFloat(scale.denominator));
  axis.length = s.mul(toFloat(axis.from), axis.scale);
  if (!type.isDynamicDim(axis.dim)) {
    axis.to = index.constant(type.getDimSize(axis.dim));
    return axis;
  }
  // floor(from * scale + 0.5)
  Value two = index.constant(2);
  Value twice = index.mul(index.mul(axis.from, scale.numerator), two);
  Value divisor = index.max(scale.denominator, index.constant(1));
  axis.to = index.floorDiv(index.add(twice, divisor), index.mul(divisor, two));
  return axis;
}

omb::ResizedAxis ResizedAxes::computeBySize(size_t position) {
  Fraction scale = getOwnScale(position);
  omb::Scalars s(builder, loc, builder.getF32Type());
  omb::ResizedAxis axis;
  axis.dim = dims[position];
  axis.from = axis.denominator = scale.denominator;
  axis.to = axis.numerator = type.isDynamicDim(axis.dim)
                                 ? scale.numerator
                                 : index.constant(type.getDimSize(axis.dim));
  axis.length = toFloat(axis.to);
  axis.scale = s.div(axis.length, toFloat(axis.from));
  return axis;
}

/// What is known of the axis without running the model.
void ResizedAxes::setConstants(omb::ResizedAxis &axis, size_t position) {
  auto input = cast<RankedTensorType>(op.getX().getType());
  auto result = cast<RankedTensorType>(op.getY().getType());
  axis.hasSameSize = omb::isSameDim(input, axis.dim, result, axis.dim);
  std::optional<SmallVector<float>> scales = getConstantFloats(op.getScales());
  if (isGiven(op.getSizes())) {
    if (!input.isDynamicDim(axis.dim) && !result.isDynamicDim(axis.dim) &&
        input.getDimSize(axis.dim) != 0)
      axis.knownScale = static_cast<float>(result.getDimSize(axis.dim)) /
                        static_cast<float>(input.getDimSize(axis.dim));
    else if (axis.hasSameSize)
      axis.knownScale = 1.0f;
    if (op.getKeepAspectRatioPolicy() != "stretch")
      axis.knownScale = std::nullopt;
  } else if (scales && position < scales->size()) {
    axis.knownScale = (*scales)[position];
  }
}

SmallVector<omb::ResizedAxis> ResizedAxes::compute() {
  SmallVector<omb::ResizedAxis> axes;
  bool hasSizes = isGiven(op.getSizes());
  bool isStretched = op.getKeepAspectRatioPolicy() == "stretch";
  std::optional<Fraction> common;
  if (hasSizes && !isStretched && !dims.empty())
    common = getCommonScale();
  bool isCropped = op.getCoordinateTransformationMode() == "tf_crop_and_resize";
  for (size_t position = 0; position < dims.size(); ++position) {
    omb::ResizedAxis axis = !hasSizes ? computeByScale(position)
                            : common  ? computeByFraction(position, *common)
                                      : computeBySize(position);
    index.require(index.isLess(index.constant(-1), axis.to),
                  "a size of Resize is negative");
    if (hasSizes)
      index.require(
          builder.createOrFold<arith::OrIOp>(
              loc, index.isLess(index.constant(0), axis.from),
              index.isLess(axis.to, index.constant(1))),
          "Resize has nothing to sample in a dimension of 0 elements");
    setConstants(axis, position);
    if (isCropped) {
      axis.roiStart = readFloat(builder, loc, adaptor.getRoi(), position);
      axis.roiEnd =
          readFloat(builder, loc, adaptor.getRoi(), dims.size() + position);
    }
    axes.push_back(axis);
  }
  return axes;
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

namespace {

/// Whether each element is repeated `scale` times, for whole scales.
bool isRepetition(ResizeOp op) {
  StringRef coordinates = op.getCoordinateTransformationMode();
  StringRef rounding = op.getNearestMode();
  if (coordinates == "asymmetric")
    return rounding == "floor";
  return coordinates.contains("half_pixel") && rounding.starts_with("round");
}

/// Repeats elements, where all scales are whole numbers; null where they
/// aren't.
Value repeatElements(OpBuilder &builder, Location loc, Value x,
                     ArrayRef<omb::ResizedAxis> axes, RankedTensorType type) {
  omb::IndexArithmetic index(builder, loc);
  SmallVector<int64_t> repeats(type.getRank(), 1);
  for (const omb::ResizedAxis &axis : axes) {
    float scale = axis.knownScale.value_or(0);
    if (scale < 1 || scale > 0x1p20f || scale != std::floor(scale))
      return nullptr;
    repeats[axis.dim] = static_cast<int64_t>(scale);
  }
  SmallVector<Value> sizes;
  SmallVector<int64_t> added;
  SmallVector<ReassociationIndices> groups;
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    groups.push_back({static_cast<int64_t>(sizes.size())});
    sizes.push_back(index.size(x, dim));
    if (repeats[dim] == 1)
      continue;
    groups.back().push_back(sizes.size());
    added.push_back(sizes.size());
    sizes.push_back(index.constant(repeats[dim]));
  }
  if (added.empty())
    return omb::castTensor(builder, loc, x, type);
  Value init = tensor::EmptyOp::create(builder, loc, index.mixed(sizes),
                                       type.getElementType());
  Value repeated =
      linalg::BroadcastOp::create(builder, loc, x, init, added)->getResult(0);
  return omb::castTensor(
      builder, loc,
      tensor::CollapseShapeOp::create(builder, loc, repeated, groups), type);
}

struct ResizeToGeneric : OpConversionPattern<ResizeOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ResizeOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto input = dyn_cast<RankedTensorType>(op.getX().getType());
    if (!type || !input)
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    if (isa<ComplexType>(input.getElementType()) && op.getMode() != "nearest")
      return rewriter.notifyMatchFailure(
          op, "complex numbers can only be resized by 'nearest'");
    Location loc = op.getLoc();
    SmallVector<omb::ResizedAxis> axes =
        ResizedAxes(rewriter, op, adaptor, type).compute();
    if (llvm::is_contained(type.getShape(), 0)) {
      omb::IndexArithmetic index(rewriter, loc);
      SmallVector<Value> sizes = index.sizes(adaptor.getX());
      for (const omb::ResizedAxis &axis : axes)
        sizes[axis.dim] = axis.to;
      rewriter.replaceOp(op, omb::createEmpty(rewriter, loc, type, sizes));
      return success();
    }
    omb::SamplingOptions options = getOptions(op);
    Value result;
    if (options.mode == omb::SamplingOptions::Nearest && isRepetition(op))
      result = repeatElements(rewriter, loc, adaptor.getX(), axes, type);
    if (!result)
      result =
          omb::buildInterpolation(rewriter, loc, adaptor.getX(),
                                  input.getElementType(), axes, options, type);
    rewriter.replaceOp(op, result);
    return success();
  }

  static omb::SamplingOptions getOptions(ResizeOp op) {
    using Options = omb::SamplingOptions;
    Options options;
    options.mode = llvm::StringSwitch<Options::Mode>(op.getMode())
                       .Case("linear", Options::Linear)
                       .Case("cubic", Options::Cubic)
                       .Default(Options::Nearest);
    options.coordinates =
        llvm::StringSwitch<Options::Coordinates>(
            op.getCoordinateTransformationMode())
            .Case("half_pixel_symmetric", Options::HalfPixelSymmetric)
            .Case("pytorch_half_pixel", Options::PytorchHalfPixel)
            .Case("align_corners", Options::AlignCorners)
            .Case("asymmetric", Options::Asymmetric)
            .Case("tf_crop_and_resize", Options::CropAndResize)
            .Default(Options::HalfPixel);
    options.rounding =
        llvm::StringSwitch<Options::Rounding>(op.getNearestMode())
            .Case("round_prefer_ceil", Options::PreferCeil)
            .Case("floor", Options::Floor)
            .Case("ceil", Options::Ceil)
            .Default(Options::PreferFloor);
    options.isAntialiased = op.getAntialias() != 0;
    options.excludesOutside = op.getExcludeOutside() != 0;
    options.cubicCoefficient = op.getCubicCoeffA();
    options.extrapolation = op.getExtrapolationValue();
    return options;
  }
};

} // namespace

void omb::populateResizeToLinalgPatterns(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<ResizeToGeneric>(converter, patterns.getContext());
}
