//===- Quantization.cpp - Lowering of quantized computations --------------===//

#include "lowering/to_linalg/Quantization.h"

#include "dialect/ir/QuantCasts.h"
#include "dialect/ir/ops/Quantization.h"
#include "lowering/ConstantBytes.h"
#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/Cast.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Scalars.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb;
using namespace omb::onnx;

//===----------------------------------------------------------------------===//
// One element
//===----------------------------------------------------------------------===//

/// `x`, of the type `type` before conversion, as an f32.
static Value toF32(ImplicitLocOpBuilder &b, Value x, Type type) {
  return buildCast(b, x, type, b.getF32Type());
}

/// `x`, which isn't a NaN, in the range from `lowest` to `highest`. By
/// comparisons, which become one instruction each; those that care for NaN
/// become several.
static Value clamp(Scalars &s, Value x, double lowest, double highest) {
  Value least = s.constant(x, lowest), most = s.constant(x, highest);
  x = s.select(s.less(x, most), x, most);
  return s.select(s.less(least, x), x, least);
}

Value omb::buildQuantized(ImplicitLocOpBuilder &b, Value quotient,
                          Value zeroPoint, Type type, bool saturate) {
  Type wide = quotient.getType();
  Scalars s(b, b.getLoc(), wide);
  auto integer = dyn_cast<IntegerType>(type);
  if (integer)
    quotient = math::RoundEvenOp::create(s, quotient);
  bool isShifted = zeroPoint && !(integer && matchPattern(zeroPoint, m_Zero()));
  if (isShifted)
    quotient = s.add(quotient, buildCast(b, zeroPoint, type, wide));
  if (integer) {
    double range = std::ldexp(1.0, integer.getWidth());
    double lowest = integer.isUnsigned() ? 0 : -range / 2;
    quotient = clamp(s, quotient, lowest, lowest + range - 1);
    // In range: what casts do about other numbers isn't needed.
    Value whole = arith::FPToSIOp::create(s, s.getI32Type(), quotient);
    return arith::TruncIOp::create(s, getLoweredType(type), whole);
  }
  NarrowingOptions options;
  options.saturate = saturate;
  return buildCast(b, quotient, wide, type, options);
}

//===----------------------------------------------------------------------===//
// Whole tensors
//===----------------------------------------------------------------------===//

namespace {

/// Gives each element of the input its scale or zero point.
class Granularity {
public:
  Granularity(int64_t rank, int64_t axis, int64_t blockSize)
      : rank(rank), axis(axis < 0 ? axis + rank : axis), blockSize(blockSize) {}

  /// Says in `why` what doesn't fit.
  bool match(Value parameter, std::string &why) const {
    auto type = dyn_cast<RankedTensorType>(parameter.getType());
    if (!type) {
      why = "the rank of a scale or zero point isn't known";
      return false;
    }
    if (isOneForAll(type))
      return true;
    if (axis < 0 || axis >= rank || blockSize < 0 ||
        type.getRank() != (blockSize == 0 ? 1 : rank)) {
      why = "a scale or zero point doesn't have a rank that fits the axis";
      return false;
    }
    return true;
  }

  /// Adds `parameter` to the operands of a linalg.generic, unless it is one
  /// known number or its elements are read by position.
  void addOperand(OpBuilder &builder, Location loc, Value parameter,
                  SmallVectorImpl<Value> &operands,
                  SmallVectorImpl<AffineMap> &maps) const {
    auto type = cast<RankedTensorType>(parameter.getType());
    MLIRContext *context = builder.getContext();
    if (getNumber(parameter))
      return;
    if (isOneForAll(type)) {
      if (type.getRank() > 0)
        parameter = tensor::CollapseShapeOp::create(
            builder, loc, RankedTensorType::get({}, type.getElementType()),
            parameter, ArrayRef<ReassociationIndices>());
      operands.push_back(parameter);
      maps.push_back(AffineMap::get(rank, 0, context));
    } else if (blockSize == 0) {
      operands.push_back(parameter);
      maps.push_back(AffineMap::get(rank, 0, builder.getAffineDimExpr(axis)));
    } else if (isSplit) {
      AffineMap all = builder.getMultiDimIdentityMap(rank);
      operands.push_back(parameter);
      maps.push_back(all.dropResult(axis + 1));
    }
  }

  bool isReadByPosition(Value parameter) const {
    auto type = cast<RankedTensorType>(parameter.getType());
    return blockSize > 0 && !isSplit && !isOneForAll(type);
  }

  /// Whether all blocks of a tensor of `type` are known to be whole and to have
  /// an element of `parameter` (null where absent).
  bool hasWholeBlocks(RankedTensorType type, Value parameter) const {
    if (!parameter)
      return true;
    auto own = cast<RankedTensorType>(parameter.getType());
    return isOneForAll(own) ||
           (blockSize > 0 && !type.isDynamicDim(axis) &&
            own.getDimSize(axis) * blockSize == type.getDimSize(axis));
  }

  /// The same for a tensor whose blocks are a dimension of their own: that
  /// which `split` makes of one.
  Granularity getSplit() const {
    Granularity split(*this);
    split.rank = rank + 1;
    split.isSplit = true;
    return split;
  }

  Value split(OpBuilder &builder, Location loc, Value tensor) const {
    auto type = cast<RankedTensorType>(tensor.getType());
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(builder, loc, tensor);
    SmallVector<int64_t> shape(type.getShape());
    shape[axis] /= blockSize;
    shape.insert(shape.begin() + axis + 1, blockSize);
    sizes[axis] = builder.getIndexAttr(shape[axis]);
    sizes.insert(sizes.begin() + axis + 1, builder.getIndexAttr(blockSize));
    return tensor::ExpandShapeOp::create(builder, loc, type.clone(shape),
                                         tensor, getDims(), sizes);
  }

  /// The constant `x` with zeros behind a short last block, of which
  /// `parameter` has an element; null where there is no such block.
  Value completeBlocks(OpBuilder &builder, Location loc, Value x,
                       Value parameter) const {
    auto type = cast<RankedTensorType>(x.getType());
    FailureOr<ConstantBytes> bytes = ConstantBytes::get(x);
    if (failed(bytes) || isSplit || blockSize == 0 ||
        type.getNumElements() == 0)
      return nullptr;
    int64_t size = type.getDimSize(axis),
            whole = llvm::alignTo(size, blockSize);
    auto own = cast<RankedTensorType>(parameter.getType());
    if (isOneForAll(own) || whole == size ||
        own.getDimSize(axis) * blockSize != whole)
      return nullptr;
    SmallVector<int64_t> shape(type.getShape());
    shape[axis] = whole;
    int64_t inner = bytes->getWidth();
    for (int64_t each : type.getShape().drop_front(axis + 1))
      inner *= each;
    return createConstantBytes(
        builder, loc, type.clone(shape), bytes->getName() + ".whole",
        [&](MutableArrayRef<char> out) {
          llvm::fill(out, 0);
          int64_t width = bytes->getWidth(), row = size * inner;
          for (int64_t at = 0; at < type.getNumElements() * width; at += width)
            std::memcpy(&out[at / row * whole * inner + at % row],
                        bytes->at(at / width), width);
        });
  }

  /// The way back.
  Value join(OpBuilder &builder, Location loc, RankedTensorType type,
             Value tensor) const {
    return tensor::CollapseShapeOp::create(builder, loc, type, tensor,
                                           getDims());
  }

  /// The element of a blocked parameter for the element that the body of a
  /// linalg.generic stands at.
  Value read(ImplicitLocOpBuilder &b, Value parameter) const {
    IndexArithmetic index(b, b.getLoc());
    SmallVector<Value> position;
    for (int64_t dim = 0; dim < rank; ++dim) {
      Value at = linalg::IndexOp::create(b, dim);
      if (dim == axis)
        at =
            index.min(index.div(at, index.constant(blockSize)),
                      index.sub(index.size(parameter, dim), index.constant(1)));
      position.push_back(at);
    }
    return tensor::ExtractOp::create(b, parameter, position);
  }

private:
  /// The dimensions that those of the tensor become where blocks are split.
  SmallVector<ReassociationIndices> getDims() const {
    SmallVector<ReassociationIndices> dims;
    for (int64_t dim = 0, next = 0; dim < rank; ++dim) {
      dims.push_back({next++});
      if (dim == axis)
        dims.back().push_back(next++);
    }
    return dims;
  }

  static bool isOneForAll(RankedTensorType type) {
    return type.getRank() == 0 ||
           (type.getRank() == 1 && type.getDimSize(0) == 1);
  }

  int64_t rank;
  int64_t axis;
  int64_t blockSize;
  bool isSplit = false;
};

/// The result's element from one of the input, the scale and the zero point
/// (null where absent).
using QuantizeBody = function_ref<Value(ImplicitLocOpBuilder &, Value x,
                                        Value scale, Value zeroPoint)>;

} // namespace

static Value buildQuantization(OpBuilder &builder, Location loc, Value x,
                               Value scale, Value zeroPoint,
                               const Granularity &granularity,
                               RankedTensorType type, QuantizeBody body) {
  bool isSame =
      cast<RankedTensorType>(x.getType()).getShape() == type.getShape();
  if (isSame && !llvm::is_contained(type.getShape(), 0) &&
      granularity.isReadByPosition(scale) &&
      granularity.hasWholeBlocks(type, scale) &&
      granularity.hasWholeBlocks(type, zeroPoint)) {
    Value blocks = granularity.split(builder, loc, x);
    auto split = cast<RankedTensorType>(blocks.getType());
    Value result = buildQuantization(builder, loc, blocks, scale, zeroPoint,
                                     granularity.getSplit(),
                                     split.clone(type.getElementType()), body);
    return granularity.join(builder, loc, type, result);
  }
  if (Value whole = isSame && granularity.isReadByPosition(scale)
                        ? granularity.completeBlocks(builder, loc, x, scale)
                        : Value()) {
    auto wide = cast<RankedTensorType>(whole.getType());
    Value result =
        buildQuantization(builder, loc, whole, scale, zeroPoint, granularity,
                          wide.clone(type.getElementType()), body);
    SmallVector<OpFoldResult> zeros(type.getRank(), builder.getIndexAttr(0)),
        ones(type.getRank(), builder.getIndexAttr(1));
    return tensor::ExtractSliceOp::create(
        builder, loc, type, result, zeros,
        getAsIndexOpFoldResult(builder.getContext(), type.getShape()), ones);
  }
  IndexArithmetic index(builder, loc);
  SmallVector<Value> operands{x};
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<AffineMap> maps{identity};
  granularity.addOperand(builder, loc, scale, operands, maps);
  if (zeroPoint)
    granularity.addOperand(builder, loc, zeroPoint, operands, maps);
  maps.push_back(identity);
  Value init = createEmpty(builder, loc, type, index.sizes(x));
  if (llvm::is_contained(type.getShape(), 0))
    return init;
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, type, operands, init, maps, iterators,
      [&](OpBuilder &inner, Location bodyLoc, ValueRange elements) {
        ImplicitLocOpBuilder b(bodyLoc, inner);
        unsigned next = 1;
        auto take = [&](Value parameter) -> Value {
          if (!parameter)
            return nullptr;
          if (TypedAttr number = getNumber(parameter))
            return arith::ConstantOp::create(b, number);
          if (granularity.isReadByPosition(parameter))
            return granularity.read(b, parameter);
          return elements[next++];
        };
        Value scaleElement = take(scale);
        Value zeroElement = take(zeroPoint);
        linalg::YieldOp::create(
            b, body(b, elements[0], scaleElement, zeroElement));
      });
  return generic.getResult(0);
}

namespace {

/// How `scale` and `zeroPoint`, which may be null, fit a result of type `type`;
/// fails, and says why, where they don't.
template <typename OpT>
FailureOr<Granularity> matchGranularity(OpT op, RankedTensorType type,
                                        Value scale, Value zeroPoint,
                                        ConversionPatternRewriter &rewriter) {
  if (!type || !isa<RankedTensorType>(op.getX().getType()))
    return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
  Granularity granularity(type.getRank(), op.getAxis(), op.getBlockSize());
  std::string why;
  if (!granularity.match(scale, why) ||
      (zeroPoint && !granularity.match(zeroPoint, why)))
    return rewriter.notifyMatchFailure(op, why);
  return granularity;
}

struct QuantizeLinearToGeneric : OpConversionPattern<QuantizeLinearOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(QuantizeLinearOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    FailureOr<Granularity> granularity = matchGranularity(
        op, type, adaptor.getYScale(), adaptor.getYZeroPoint(), rewriter);
    if (failed(granularity))
      return failure();
    Type from = getElementTypeOrSelf(op.getX());
    Type scaleType = getElementTypeOrSelf(op.getYScale());
    Type to = getElementTypeOrSelf(op.getType());
    FailureOr<Type> precision = getPrecision(op, scaleType);
    if (failed(precision))
      return rewriter.notifyMatchFailure(
          op, "the precision is neither float, float16 nor bfloat16");
    bool saturate = op.getSaturate() != 0;
    auto body = [&](ImplicitLocOpBuilder &b, Value x, Value scale,
                    Value zeroPoint) {
      auto round = [&](Value f32) {
        Scalars s(b, b.getLoc(), *precision);
        return s.widen(s.narrow(f32, *precision));
      };
      auto operand = [&](Value value, Type type) {
        Value f32 = toF32(b, value, type);
        return type == *precision ? f32 : round(f32);
      };
      Value quotient = round(arith::DivFOp::create(b, operand(x, from),
                                                   operand(scale, scaleType)));
      return buildQuantized(b, quotient, zeroPoint, to, saturate);
    };
    rewriter.replaceOp(
        op, buildQuantization(rewriter, op.getLoc(), adaptor.getX(),
                              adaptor.getYScale(), adaptor.getYZeroPoint(),
                              *granularity, type, body));
    return success();
  }

private:
  /// The type that the quotient is rounded to.
  static FailureOr<Type> getPrecision(QuantizeLinearOp op, Type scaleType) {
    Builder b(op.getContext());
    switch (op.getPrecision()) {
    case 0:
      return scaleType.isF16() || scaleType.isBF16() ? scaleType
                                                     : b.getF32Type();
    case 1:
      return Type(b.getF32Type());
    case 10:
      return Type(b.getF16Type());
    case 16:
      return Type(b.getBF16Type());
    default:
      return failure();
    }
  }
};

struct DequantizeLinearToGeneric : OpConversionPattern<DequantizeLinearOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DequantizeLinearOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    FailureOr<Granularity> granularity = matchGranularity(
        op, type, adaptor.getXScale(), adaptor.getXZeroPoint(), rewriter);
    if (failed(granularity))
      return failure();
    Type from = getElementTypeOrSelf(op.getX());
    Type scaleType = getElementTypeOrSelf(op.getXScale());
    auto body = [&](ImplicitLocOpBuilder &b, Value x, Value scale,
                    Value zeroPoint) {
      Value difference = toF32(b, x, from);
      if (zeroPoint)
        difference =
            arith::SubFOp::create(b, difference, toF32(b, zeroPoint, from));
      Value product =
          arith::MulFOp::create(b, difference, toF32(b, scale, scaleType));
      return buildCast(b, product, b.getF32Type(), type.getElementType());
    };
    rewriter.replaceOp(
        op, buildQuantization(rewriter, op.getLoc(), adaptor.getX(),
                              adaptor.getXScale(), adaptor.getXZeroPoint(),
                              *granularity, type, body));
    return success();
  }
};

/// Quantized elements are lowered as what is stored.
struct StorageCastToTensor : OpConversionPattern<StorageCastOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(StorageCastOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, adaptor.getInput());
    return success();
  }
};

} // namespace

void omb::populateQuantizationToLinalgPatterns(const TypeConverter &converter,
                                               RewritePatternSet &patterns) {
  patterns.add<QuantizeLinearToGeneric, DequantizeLinearToGeneric,
               StorageCastToTensor>(converter, patterns.getContext());
}
