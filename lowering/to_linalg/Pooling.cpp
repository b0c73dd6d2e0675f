//===- Pooling.cpp - Lowering of pooling ----------------------------------===//

#include "dialect/ir/ops/Pooling.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/QuantizedFactors.h"
#include "lowering/to_linalg/Scalars.h"
#include "lowering/to_linalg/Transcendentals.h"
#include "lowering/to_linalg/TypeConversion.h"
#include "lowering/to_linalg/Windows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb::onnx;
using omb::Scalars;
using omb::WindowDim;

namespace {

/// A pooling that can be lowered: its windows, and the type and the sizes of
/// its result.
struct Pool {
  RankedTensorType inputType;
  RankedTensorType type;
  SmallVector<WindowDim> windows;
  SmallVector<Value> sizes;
};

} // namespace

/// Says why not where `op` can't be lowered.
static FailureOr<Pool> preparePool(Operation *op, Value input, StringRef name,
                                   const TypeConverter &converter,
                                   ConversionPatternRewriter &rewriter) {
  Pool pool;
  pool.inputType = dyn_cast<RankedTensorType>(input.getType());
  pool.type =
      converter.convertType<RankedTensorType>(op->getResult(0).getType());
  if (!pool.inputType || !pool.type)
    return rewriter.notifyMatchFailure(op, "the rank of the input isn't known");
  int64_t rank = pool.inputType.getRank() - 2;
  if (rank < 0 || pool.type.getRank() != pool.inputType.getRank())
    return rewriter.notifyMatchFailure(
        op, "the input has no dimensions for batch and channels");
  FailureOr<WindowAttributes> attributes = getWindowAttributes(op, rank);
  if (failed(attributes))
    return rewriter.notifyMatchFailure(op, "its attributes are invalid");
  omb::IndexArithmetic index(rewriter, op->getLoc());
  SmallVector<Value> sizes = index.sizes(input);
  SmallVector<Value> kernel = llvm::map_to_vector(
      attributes->kernel, [&](int64_t size) { return index.constant(size); });
  pool.windows = omb::computeWindows(
      index, *attributes, ValueRange(sizes).drop_front(2), kernel, name);
  pool.sizes = {sizes[0], sizes[1]};
  for (const WindowDim &dim : pool.windows)
    pool.sizes.push_back(dim.count);
  return pool;
}

/// A named pooling op; `init` has the type of the result.
template <typename OpT>
static Value createNamedPool(OpBuilder &builder, Location loc, Value padded,
                             ArrayRef<WindowDim> windows, Value init) {
  SmallVector<Value> kernel = llvm::map_to_vector(
      windows, [](const WindowDim &dim) { return dim.kernel; });
  Type elementType = cast<RankedTensorType>(init.getType()).getElementType();
  Value shape = tensor::EmptyOp::create(builder, loc, getAsOpFoldResult(kernel),
                                        elementType);
  return OpT::create(builder, loc, TypeRange(init.getType()),
                     ValueRange{padded, shape}, ValueRange(init),
                     builder.getI64TensorAttr(omb::getStrides(windows)),
                     builder.getI64TensorAttr(omb::getDilations(windows)))
      .getResult(0);
}

/// Combines the elements of each window by addition or by maximum.
template <typename Op1D, typename Op2D>
static Value combineWindows(OpBuilder &builder, Location loc, Value padded,
                            const Pool &pool, Value init, Type onnxElementType,
                            Value (Scalars::*combine)(Value, Value)) {
  // Named ops take integers for signed.
  bool hasNamed = !onnxElementType.isUnsignedInteger() &&
                  !llvm::is_contained(pool.type.getShape(), 0);
  if (hasNamed && pool.windows.size() == 1)
    return createNamedPool<Op1D>(builder, loc, padded, pool.windows, init);
  if (hasNamed && pool.windows.size() == 2)
    return createNamedPool<Op2D>(builder, loc, padded, pool.windows, init);
  Type sumType = cast<RankedTensorType>(init.getType()).getElementType();
  return omb::reduceWindows(builder, loc, padded, pool.windows, /*others=*/{},
                            init,
                            [&](OpBuilder &b, Location bodyLoc, Value element,
                                ValueRange, Value accumulator) {
                              Scalars scalars(b, bodyLoc, onnxElementType);
                              if (element.getType() != sumType)
                                element = scalars.widen(element);
                              return (scalars.*combine)(accumulator, element);
                            });
}

//===----------------------------------------------------------------------===//
// MaxPool
//===----------------------------------------------------------------------===//

/// The position in the input of an element of a window, by the counters of
/// omb::reduceWindows; null where it lies in the padding.
static Value getFlatPosition(OpBuilder &builder, Location loc, Value channels,
                             const Pool &pool, Value &isInside) {
  omb::IndexArithmetic index(builder, loc);
  auto counter = [&](int64_t dim) -> Value {
    return linalg::IndexOp::create(builder, loc, dim);
  };
  int64_t rank = pool.windows.size();
  Value flat = index.add(index.mul(counter(0), channels), counter(1));
  Value zero = index.constant(0);
  for (auto [position, dim] : llvm::enumerate(pool.windows)) {
    Value at = index.add(
        index.mul(counter(2 + position), index.constant(dim.stride)),
        index.mul(counter(2 + rank + position), index.constant(dim.dilation)));
    at = index.sub(at, dim.low);
    flat = index.add(index.mul(flat, dim.input), at);
    if (matchPattern(dim.low, m_Zero()) && matchPattern(dim.reach, m_Zero()))
      continue;
    Value fits = arith::AndIOp::create(builder, loc,
                                       index.isLess(index.constant(-1), at),
                                       index.isLess(at, dim.input));
    isInside =
        isInside ? arith::AndIOp::create(builder, loc, isInside, fits) : fits;
  }
  return flat;
}

/// The first position of the maximum of each window.
static Value findMaxima(OpBuilder &builder, Location loc, Value input,
                        Value padded, const Pool &pool, Value maxima,
                        Type onnxElementType) {
  auto type = RankedTensorType::get(pool.type.getShape(), builder.getI64Type());
  Value last = arith::ConstantOp::create(
      builder, loc,
      builder.getI64IntegerAttr(std::numeric_limits<int64_t>::max()));
  Value init = omb::createFilled(builder, loc, type, pool.sizes, last);
  Value channels = omb::IndexArithmetic(builder, loc).size(input, 1);
  return omb::reduceWindows(
      builder, loc, padded, pool.windows, maxima, init,
      [&](OpBuilder &b, Location bodyLoc, Value element, ValueRange others,
          Value accumulator) -> Value {
        Scalars scalars(b, bodyLoc, onnxElementType);
        Value isMaximum = scalars.equal(element, others.front());
        if (isa<FloatType>(element.getType()))
          isMaximum = arith::OrIOp::create(b, bodyLoc, isMaximum,
                                           scalars.isNaN(element));
        Value isInside;
        Value flat = getFlatPosition(b, bodyLoc, channels, pool, isInside);
        if (isInside)
          isMaximum = arith::AndIOp::create(b, bodyLoc, isMaximum, isInside);
        Value position =
            arith::IndexCastOp::create(b, bodyLoc, b.getI64Type(), flat);
        Value candidate = scalars.select(isMaximum, position, last);
        return arith::MinSIOp::create(b, bodyLoc, accumulator, candidate);
      });
}

/// Positions in row-major order as positions that count the spatial dimensions
/// in column-major order.
static Value toColumnMajor(OpBuilder &builder, Location loc, Value positions,
                           const Pool &pool) {
  return omb::mapElements(
      builder, loc, positions, builder.getI64Type(),
      [&](OpBuilder &b, Location bodyLoc, Value element) -> Value {
        omb::IndexArithmetic index(b, bodyLoc);
        Value rest =
            arith::IndexCastOp::create(b, bodyLoc, b.getIndexType(), element);
        SmallVector<Value> at;
        for (const WindowDim &dim : llvm::reverse(pool.windows)) {
          Value size = index.max(dim.input, index.constant(1));
          Value quotient = index.div(rest, size);
          at.push_back(index.sub(rest, index.mul(quotient, size)));
          rest = quotient;
        }
        // `rest` counts the planes; the last dimension comes next.
        for (auto [position, dim] : llvm::zip(at, llvm::reverse(pool.windows)))
          rest = index.add(index.mul(rest, dim.input), position);
        return arith::IndexCastOp::create(b, bodyLoc, b.getI64Type(), rest);
      });
}

namespace {

struct MaxPoolToLinalg : OpConversionPattern<MaxPoolOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MaxPoolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FailureOr<Pool> pool = preparePool(op, adaptor.getX(), "MaxPool",
                                       *getTypeConverter(), rewriter);
    if (failed(pool))
      return failure();
    Location loc = op.getLoc();
    Type onnxElementType = getElementTypeOrSelf(op.getX().getType());
    Value input = adaptor.getX();
    // Named ops are for signed bytes.
    bool isShifted = onnxElementType.isUnsignedInteger(8) && !op.getIndices();
    if (isShifted) {
      input = omb::toSignedBytes(rewriter, loc, input, onnxElementType);
      onnxElementType = rewriter.getI8Type();
    }
    Value lowest = Scalars(rewriter, loc, onnxElementType)
                       .lowest(pool->type.getElementType());
    Value padded = omb::padWindows(rewriter, loc, input, pool->windows,
                                   pool->type, lowest);
    Value init =
        omb::createFilled(rewriter, loc, pool->type, pool->sizes, lowest);
    Value maxima =
        combineWindows<linalg::PoolingNcwMaxOp, linalg::PoolingNchwMaxOp>(
            rewriter, loc, padded, *pool, init, onnxElementType, &Scalars::max);
    if (isShifted)
      maxima = omb::toUnsignedBytes(rewriter, loc, maxima);
    SmallVector<Value> results = {maxima};
    if (op.getIndices()) {
      Value positions = findMaxima(rewriter, loc, adaptor.getX(), padded, *pool,
                                   maxima, onnxElementType);
      if (op.getStorageOrder() == 1)
        positions = toColumnMajor(rewriter, loc, positions, *pool);
      results.push_back(positions);
    }
    rewriter.replaceOp(op, results);
    return success();
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// AveragePool
//===----------------------------------------------------------------------===//

/// Whether as many elements of each window count.
static bool areComplete(const WindowDim &dim, bool includePad) {
  return includePad ? dim.high == dim.reach
                    : matchPattern(dim.low, m_Zero()) &&
                          matchPattern(dim.reach, m_Zero());
}

/// How many elements of window number `window` count.
static Value countElements(omb::IndexArithmetic index, const WindowDim &dim,
                           Value window, bool includePad) {
  // What counts begins and ends at these positions in the padded input.
  Value zero = index.constant(0);
  Value begin = includePad ? zero : dim.low;
  Value end = index.add(dim.low, dim.input);
  if (includePad)
    end = index.add(end, dim.high);
  Value start = index.mul(window, index.constant(dim.stride));
  // The first element of the window at or after a position.
  auto findFirst = [&](Value position) {
    Value distance = index.max(index.sub(position, start), zero);
    Value dilation = index.constant(dim.dilation);
    Value rounded = index.add(distance, index.sub(dilation, index.constant(1)));
    return index.min(index.div(rounded, dilation), dim.kernel);
  };
  return index.sub(findFirst(end), findFirst(begin));
}

/// The number of elements that count of each window along one dimension, as
/// `type`.
static Value createCounts(OpBuilder &builder, Location loc,
                          const WindowDim &dim, int64_t size, Type type,
                          bool includePad) {
  Value empty = tensor::EmptyOp::create(builder, loc,
                                        {getAsOpFoldResult(dim.count)}, type);
  auto counts = linalg::GenericOp::create(
      builder, loc, empty.getType(), /*inputs=*/ValueRange(), empty,
      builder.getMultiDimIdentityMap(1), utils::IteratorType::parallel,
      [&](OpBuilder &b, Location bodyLoc, ValueRange) {
        Value count =
            countElements(omb::IndexArithmetic(b, bodyLoc), dim,
                          linalg::IndexOp::create(b, bodyLoc, 0), includePad);
        Value number =
            arith::IndexCastOp::create(b, bodyLoc, b.getI32Type(), count);
        linalg::YieldOp::create(
            b, bodyLoc, Scalars(b, bodyLoc, type).toFloat(number, type));
      });
  return omb::castTensor(builder, loc, counts.getResult(0),
                         RankedTensorType::get({size}, type));
}

/// `sums` divided by the number of elements of each window that count.
static Value divideByCounts(OpBuilder &builder, Location loc, Value sums,
                            const Pool &pool, bool includePad) {
  Type sumType = getElementTypeOrSelf(sums.getType());
  int64_t rank = pool.type.getRank();
  MLIRContext *context = builder.getContext();
  SmallVector<Value> inputs{sums};
  SmallVector<AffineMap> maps{builder.getMultiDimIdentityMap(rank)};
  SmallVector<Value> complete;
  for (auto [position, dim] : llvm::enumerate(pool.windows)) {
    if (areComplete(dim, includePad)) {
      complete.push_back(dim.kernel);
      continue;
    }
    inputs.push_back(createCounts(builder, loc, dim,
                                  pool.type.getDimSize(2 + position), sumType,
                                  includePad));
    maps.push_back(
        AffineMap::get(rank, 0, getAffineDimExpr(2 + position, context)));
  }
  maps.push_back(maps.front());
  Value out = tensor::EmptyOp::create(builder, loc,
                                      tensor::getMixedSizes(builder, loc, sums),
                                      pool.type.getElementType());
  SmallVector<utils::IteratorType> parallel(rank,
                                            utils::IteratorType::parallel);
  auto divided = linalg::GenericOp::create(
      builder, loc, out.getType(), inputs, out, maps, parallel,
      [&](OpBuilder &b, Location bodyLoc, ValueRange args) {
        Scalars scalars(b, bodyLoc, sumType);
        Value count = arith::IndexCastOp::create(
            b, bodyLoc, b.getI32Type(),
            omb::IndexArithmetic(b, bodyLoc).product(complete));
        Value divisor = scalars.toFloat(count, sumType);
        for (Value counts : args.drop_front().drop_back())
          divisor = scalars.mul(divisor, counts);
        linalg::YieldOp::create(b, bodyLoc,
                                scalars.narrow(scalars.div(args[0], divisor),
                                               pool.type.getElementType()));
      });
  return omb::castTensor(builder, loc, divided.getResult(0), pool.type);
}

/// The input of a pooling that sums up.
static Value padWithZeros(OpBuilder &builder, Location loc, Value input,
                          const Pool &pool) {
  return omb::padWindows(
      builder, loc, input, pool.windows, pool.type,
      omb::createZero(builder, loc, pool.type.getElementType()));
}

/// What it starts from: a 0 for each window, of the type of the sums.
static Value createSums(OpBuilder &builder, Location loc, const Pool &pool) {
  Type sumType = omb::getAccumulatorType(pool.type.getElementType());
  return omb::createFilled(builder, loc,
                           RankedTensorType::get(pool.type.getShape(), sumType),
                           pool.sizes, omb::createZero(builder, loc, sumType));
}

namespace {

struct AveragePoolToLinalg : OpConversionPattern<AveragePoolOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(AveragePoolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FailureOr<Pool> pool = preparePool(op, adaptor.getX(), "AveragePool",
                                       *getTypeConverter(), rewriter);
    if (failed(pool))
      return failure();
    Location loc = op.getLoc();
    Type elementType = pool->type.getElementType();
    Value padded = padWithZeros(rewriter, loc, adaptor.getX(), *pool);
    Value init = createSums(rewriter, loc, *pool);
    Value sums =
        combineWindows<linalg::PoolingNcwSumOp, linalg::PoolingNchwSumOp>(
            rewriter, loc, padded, *pool, init, elementType, &Scalars::add);
    rewriter.replaceOp(op, divideByCounts(rewriter, loc, sums, *pool,
                                          op.getCountIncludePad() != 0));
    return success();
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// LpPool
//===----------------------------------------------------------------------===//

/// |x| to the power of `p`.
static Value buildPower(Scalars &scalars, Value x, int64_t p) {
  if (p == 2)
    return scalars.mul(x, x);
  Value magnitude = scalars.abs(x);
  if (p == 1)
    return magnitude;
  return omb::buildPow(scalars, magnitude, scalars.constant(x, double(p)));
}

/// The `p`-th root of each sum, as `elementType`.
static Value takeRoots(OpBuilder &builder, Location loc, Value sums, int64_t p,
                       Type elementType) {
  return omb::mapElements(builder, loc, sums, elementType,
                          [&](OpBuilder &b, Location bodyLoc, Value sum) {
                            Scalars scalars(b, bodyLoc, sum.getType());
                            if (p == 2)
                              sum = omb::buildSqrt(scalars, sum);
                            else if (p != 1)
                              sum = omb::buildPow(
                                  scalars, sum, scalars.constant(sum, 1.0 / p));
                            return scalars.narrow(sum, elementType);
                          });
}

namespace {

struct LpPoolToLinalg : OpConversionPattern<LpPoolOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(LpPoolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    FailureOr<Pool> pool = preparePool(op, adaptor.getX(), "LpPool",
                                       *getTypeConverter(), rewriter);
    if (failed(pool))
      return failure();
    Location loc = op.getLoc();
    Type elementType = pool->type.getElementType();
    Value padded = padWithZeros(rewriter, loc, adaptor.getX(), *pool);
    Value init = createSums(rewriter, loc, *pool);
    int64_t p = op.getP();
    Value sums = omb::reduceWindows(
        rewriter, loc, padded, pool->windows, /*others=*/{}, init,
        [&](OpBuilder &b, Location bodyLoc, Value element, ValueRange,
            Value accumulator) {
          Scalars scalars(b, bodyLoc, elementType);
          return scalars.add(accumulator,
                             buildPower(scalars, scalars.widen(element), p));
        });
    rewriter.replaceOp(op, takeRoots(rewriter, loc, sums, p, elementType));
    return success();
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// Global pooling
//===----------------------------------------------------------------------===//

/// Reduces all spatial dimensions of `input`, which leaves (batch, channels).
static Value
reduceSpatial(OpBuilder &builder, Location loc, Value input, Type sumType,
              Value start,
              function_ref<Value(Scalars &, Value, Value)> accumulate) {
  auto type = cast<RankedTensorType>(input.getType());
  omb::IndexArithmetic index(builder, loc);
  Value init = omb::createFilled(
      builder, loc,
      RankedTensorType::get(type.getShape().take_front(2), sumType),
      index.sizes(input), start);
  auto dims = llvm::to_vector(llvm::seq<int64_t>(2, type.getRank()));
  auto reduce = linalg::ReduceOp::create(
      builder, loc, input, init, dims,
      [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
        Scalars scalars(b, bodyLoc, type.getElementType());
        linalg::YieldOp::create(
            b, bodyLoc,
            accumulate(scalars, elements[1], scalars.widen(elements[0])));
      });
  return reduce.getResult(0);
}

/// (batch, channels) with the spatial dimensions of `type`, all 1.
static Value appendUnitDims(OpBuilder &builder, Location loc, Value reduced,
                            RankedTensorType type) {
  omb::IndexArithmetic index(builder, loc);
  SmallVector<OpFoldResult> sizes = getAsOpFoldResult(index.sizes(reduced));
  SmallVector<ReassociationIndices> groups = {{0}, {1}};
  auto from = cast<RankedTensorType>(reduced.getType());
  SmallVector<int64_t> shape(from.getShape());
  for (int64_t dim = 2; dim < type.getRank(); ++dim) {
    groups.back().push_back(dim);
    sizes.push_back(builder.getIndexAttr(1));
    shape.push_back(1);
  }
  Value expanded = reduced;
  if (type.getRank() > 2)
    expanded = tensor::ExpandShapeOp::create(
        builder, loc, RankedTensorType::get(shape, from.getElementType()),
        reduced, groups, sizes);
  return omb::castTensor(builder, loc, expanded, type);
}

namespace {

/// Lowers a global pooling by `pool(op, rewriter, input, element type)`, which
/// returns a tensor of (batch, channels).
template <typename OpT, Value (*pool)(OpT, OpBuilder &, Value, Type)>
struct GlobalPoolToReduce : OpConversionPattern<OpT> {
  using OpConversionPattern<OpT>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type =
        this->getTypeConverter()->template convertType<RankedTensorType>(
            op.getType());
    auto inputType = dyn_cast<RankedTensorType>(adaptor.getX().getType());
    if (!type || !inputType)
      return rewriter.notifyMatchFailure(op,
                                         "the rank of the input isn't known");
    if (inputType.getRank() < 2 || type.getRank() != inputType.getRank())
      return rewriter.notifyMatchFailure(
          op, "the input has no dimensions for batch and channels");
    Value reduced = pool(op, rewriter, adaptor.getX(), type.getElementType());
    rewriter.replaceOp(op,
                       appendUnitDims(rewriter, op.getLoc(), reduced, type));
    return success();
  }
};

} // namespace

static Value poolMaximum(GlobalMaxPoolOp op, OpBuilder &builder, Value input,
                         Type elementType) {
  Location loc = op.getLoc();
  Type sumType = omb::getAccumulatorType(elementType);
  Value lowest = Scalars(builder, loc, sumType).lowest(sumType);
  Value maxima = reduceSpatial(builder, loc, input, sumType, lowest,
                               [](Scalars &scalars, Value maximum, Value x) {
                                 return scalars.max(maximum, x);
                               });
  return omb::convertFloats(builder, loc, maxima, elementType);
}

static Value poolAverage(GlobalAveragePoolOp op, OpBuilder &builder,
                         Value input, Type elementType) {
  Location loc = op.getLoc();
  Type sumType = omb::getAccumulatorType(elementType);
  Value sums = reduceSpatial(
      builder, loc, input, sumType, omb::createZero(builder, loc, sumType),
      [](Scalars &scalars, Value sum, Value x) { return scalars.add(sum, x); });
  omb::IndexArithmetic index(builder, loc);
  SmallVector<Value> sizes = index.sizes(input);
  Value count = index.product(ValueRange(sizes).drop_front(2));
  Value number =
      arith::IndexCastOp::create(builder, loc, builder.getI64Type(), count);
  Value divisor = Scalars(builder, loc, sumType).toFloat(number, sumType);
  return omb::mapElements(builder, loc, sums, elementType,
                          [&](OpBuilder &b, Location bodyLoc, Value sum) {
                            Scalars scalars(b, bodyLoc, sumType);
                            return scalars.narrow(scalars.div(sum, divisor),
                                                  elementType);
                          });
}

static Value poolNorm(GlobalLpPoolOp op, OpBuilder &builder, Value input,
                      Type elementType) {
  Location loc = op.getLoc();
  Type sumType = omb::getAccumulatorType(elementType);
  int64_t p = op.getP();
  Value sums = reduceSpatial(
      builder, loc, input, sumType, omb::createZero(builder, loc, sumType),
      [&](Scalars &scalars, Value sum, Value x) {
        return scalars.add(sum, buildPower(scalars, x, p));
      });
  return takeRoots(builder, loc, sums, p, elementType);
}

void omb::populatePoolingToLinalgPatterns(const TypeConverter &converter,
                                          RewritePatternSet &patterns) {
  patterns.add<MaxPoolToLinalg, AveragePoolToLinalg, LpPoolToLinalg,
               GlobalPoolToReduce<GlobalMaxPoolOp, poolMaximum>,
               GlobalPoolToReduce<GlobalAveragePoolOp, poolAverage>,
               GlobalPoolToReduce<GlobalLpPoolOp, poolNorm>>(
      converter, patterns.getContext());
}
