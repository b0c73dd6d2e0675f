//===- Signal.cpp - Lowering of signal processing -------------------------===//

#include "dialect/ir/ops/Signal.h"
#include "dialect/shape/ShapeInference.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/Fourier.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Reshape.h"
#include "lowering/to_linalg/Scalars.h"
#include "lowering/to_linalg/Transcendentals.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

#include <cmath>

using namespace mlir;
using namespace omb::onnx;
using omb::FourierTransform;
using omb::IndexArithmetic;

/// Whether `tensor` has one element, as far as its type tells.
static bool isScalar(Value tensor) {
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  return type && type.hasStaticShape() && type.getNumElements() == 1;
}

/// The size that an integer tensor of one element is; a constant, if it is
/// known. Stops the run where it is less than 1.
static Value readSize(IndexArithmetic index, Value tensor, const Twine &name) {
  Value size = index.element(tensor, 0);
  index.require(index.isLess(index.constant(0), size),
                name + " is less than 1");
  return size;
}

/// The number of frequencies that differ, for a real signal.
static Value getOneSided(IndexArithmetic index, Value size) {
  return index.add(index.div(size, index.constant(2)), index.constant(1));
}

static std::optional<int64_t> getConstant(Value size) {
  APInt number;
  if (matchPattern(size, m_ConstantInt(&number)))
    return number.getSExtValue();
  return std::nullopt;
}

/// The transform, by the better way where the sizes are known.
static Value buildTransform(OpBuilder &builder, Location loc,
                            FourierTransform transform, Value input,
                            int64_t dim, Value size, Value outputs) {
  std::optional<int64_t> knownSize = getConstant(size);
  std::optional<int64_t> knownOutputs = getConstant(outputs);
  if (knownSize && knownOutputs)
    return transform.build(input, dim, *knownSize, *knownOutputs);
  return transform.build(input, dim, size, outputs);
}

/// `result` rounded to the element type of `type`, and with its shape.
static Value finish(OpBuilder &builder, Location loc, Value result,
                    RankedTensorType type) {
  result = omb::convertFloats(builder, loc, result, type.getElementType());
  return omb::castTensor(builder, loc, result, type);
}

namespace {

//===----------------------------------------------------------------------===//
// DFT
//===----------------------------------------------------------------------===//

struct DFTToLinalg : OpConversionPattern<DFTOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(DFTOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto input = dyn_cast<RankedTensorType>(adaptor.getInput().getType());
    if (!type || !input || input.getRank() < 2)
      return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
    int64_t rank = input.getRank();
    if (input.getDimSize(rank - 1) != 1 && input.getDimSize(rank - 1) != 2)
      return rewriter.notifyMatchFailure(
          op, "whether the input is real or complex isn't known: its last "
              "dimension is neither 1 nor 2");
    std::optional<SmallVector<int64_t>> axis = SmallVector<int64_t>{-2};
    if (op.getAxis())
      axis = omb::getConstantIntegers(op.getAxis());
    // There may be no choice.
    if (!axis && rank == 2)
      axis = SmallVector<int64_t>{0};
    if (op.getDftLength() && !isScalar(adaptor.getDftLength()))
      return rewriter.notifyMatchFailure(op, "'dft_length' is not one number");
    if (!axis) {
      if (!isScalar(adaptor.getAxis()))
        return rewriter.notifyMatchFailure(op, "the axis is not one number");
      rewriter.replaceOp(op, transformAtRunTime(rewriter, op, adaptor, type));
      return success();
    }
    std::optional<int64_t> dim =
        axis->size() == 1 ? normalizeAxis(axis->front(), rank) : std::nullopt;
    if (!dim || *dim == rank - 1)
      return rewriter.notifyMatchFailure(op, "the axis is out of range");
    rewriter.replaceOp(op, transform(rewriter, op, adaptor.getInput(),
                                     adaptor.getDftLength(), *dim, type));
    return success();
  }

  /// Whatever the axis, the numbers are a tensor of three dimensions: those
  /// before, the axis, those behind.
  static Value transformAtRunTime(OpBuilder &builder, DFTOp op,
                                  OpAdaptor adaptor, RankedTensorType type) {
    Location loc = op.getLoc();
    IndexArithmetic index(builder, loc);
    Value input = adaptor.getInput();
    auto inputType = cast<RankedTensorType>(input.getType());
    int64_t last = inputType.getRank() - 1;
    Value axis = omb::getComputedAxis(builder, loc, adaptor.getAxis(), 0,
                                      inputType.getRank());
    index.require(index.isLess(axis, index.constant(last)),
                  "the axis of DFT is the dimension of a number's parts");
    SmallVector<Value> inputSizes = index.sizes(input);
    SmallVector<Value> sizes(3, index.constant(1));
    for (int64_t dim = 0; dim < last; ++dim) {
      Value position = index.constant(dim);
      SmallVector<Value> isPart{index.isLess(position, axis),
                                index.isEqual(position, axis),
                                index.isLess(axis, position)};
      for (auto [part, condition] : llvm::enumerate(isPart))
        sizes[part] =
            index.mul(sizes[part], index.select(condition, inputSizes[dim],
                                                index.constant(1)));
    }
    sizes.push_back(inputSizes[last]);
    SmallVector<int64_t> shape(4, ShapedType::kDynamic);
    shape[3] = inputType.getDimSize(last);
    auto partsType = RankedTensorType::get(shape, inputType.getElementType());
    Value parts =
        omb::buildReshape(builder, loc, input, inputType, partsType, sizes);
    shape[3] = op.getOnesided() && op.getInverse() ? 1 : 2;
    auto resultType = RankedTensorType::get(shape, type.getElementType());
    Value result = transform(builder, op, parts, adaptor.getDftLength(),
                             /*dim=*/1, resultType);
    for (int64_t dim = 0; dim < last; ++dim)
      inputSizes[dim] = index.select(index.isEqual(index.constant(dim), axis),
                                     index.size(result, 1), inputSizes[dim]);
    inputSizes[last] = index.constant(shape[3]);
    SmallVector<int64_t> dynamic(last, ShapedType::kDynamic);
    dynamic.push_back(shape[3]);
    Value reshaped = omb::buildReshape(
        builder, loc, result, resultType,
        RankedTensorType::get(dynamic, type.getElementType()), inputSizes);
    return omb::castTensor(builder, loc, reshaped, type);
  }

  static Value transform(OpBuilder &builder, DFTOp op, Value data,
                         Value dftLength, int64_t dim, RankedTensorType type) {
    Location loc = op.getLoc();
    IndexArithmetic index(builder, loc);
    bool isOneSided = op.getOnesided(), isInverse = op.getInverse();
    bool isReal = isOneSided && isInverse;
    Value size = getLength(index, data, dftLength, dim, isReal);
    Value outputs = isOneSided && !isInverse ? getOneSided(index, size) : size;
    if (llvm::is_contained(type.getShape(), 0))
      return omb::createEmpty(builder, loc, type,
                              getSizes(index, data, dim, outputs, isReal));
    Value input = omb::convertFloats(
        builder, loc, data, omb::getAccumulatorType(type.getElementType()));
    if (isReal)
      input = weigh(builder, loc, input, dim, size);
    FourierTransform transform(builder, loc, isInverse, isReal);
    Value result =
        buildTransform(builder, loc, transform, input, dim, size, outputs);
    return finish(builder, loc, result, type);
  }

  static SmallVector<Value> getSizes(IndexArithmetic index, Value data,
                                     int64_t dim, Value outputs, bool isReal) {
    SmallVector<Value> sizes = index.sizes(data);
    sizes[dim] = outputs;
    sizes.back() = index.constant(isReal ? 1 : 2);
    return sizes;
  }

  static Value getLength(IndexArithmetic index, Value data, Value dftLength,
                         int64_t dim, bool isReal) {
    if (dftLength)
      return readSize(index, dftLength, "the dft_length");
    Value size = index.size(data, dim);
    if (isReal)
      size = index.mul(index.sub(size, index.constant(1)), index.constant(2));
    index.require(index.isLess(index.constant(0), size),
                  "the signal is too short for a DFT");
    return size;
  }

  /// One side of the spectrum of a real signal of `size`, with twice the
  /// frequencies whose opposites aren't there: the real part of the transform
  /// is that of the whole spectrum.
  static Value weigh(OpBuilder &builder, Location loc, Value input, int64_t dim,
                     Value size) {
    IndexArithmetic index(builder, loc);
    Value count = index.min(index.size(input, dim), getOneSided(index, size));
    input = omb::cutOff(builder, loc, input, dim, getAsOpFoldResult(count));
    Type elementType = getElementTypeOrSelf(input.getType());
    return omb::mapElements(
        builder, loc, input, elementType,
        [&](OpBuilder &b, Location bodyLoc, Value element) -> Value {
          IndexArithmetic inner(b, bodyLoc);
          omb::Scalars s(b, bodyLoc, elementType);
          Value at = linalg::IndexOp::create(s, dim);
          Value isZero = inner.isEqual(at, inner.constant(0));
          Value isHalf = inner.isEqual(inner.mul(at, inner.constant(2)), size);
          Value isAlone = arith::OrIOp::create(s, isZero, isHalf);
          return s.select(isAlone, element, s.mul(element, 2.0));
        });
  }
};

//===----------------------------------------------------------------------===//
// STFT
//===----------------------------------------------------------------------===//

/// The frames are cut out and weighed; then each is transformed.
struct STFTToLinalg : OpConversionPattern<STFTOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(STFTOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto signal = dyn_cast<RankedTensorType>(adaptor.getSignal().getType());
    if (!type || !signal || signal.getRank() != 3)
      return rewriter.notifyMatchFailure(op, "the signal is not of rank 3");
    if (signal.getDimSize(2) != 1 && signal.getDimSize(2) != 2)
      return rewriter.notifyMatchFailure(
          op, "whether the signal is real or complex isn't known: its last "
              "dimension is neither 1 nor 2");
    if (!isScalar(adaptor.getFrameStep()) ||
        (op.getFrameLength() && !isScalar(adaptor.getFrameLength())))
      return rewriter.notifyMatchFailure(
          op, "'frame_step' or 'frame_length' is not one number");
    if (op.getWindow()) {
      auto window = dyn_cast<RankedTensorType>(adaptor.getWindow().getType());
      if (!window || window.getRank() != 1)
        return rewriter.notifyMatchFailure(op, "the window is not of rank 1");
    }
    Location loc = op.getLoc();
    IndexArithmetic index(rewriter, loc);
    Value size = getFrameLength(index, op, adaptor);
    Value outputs = op.getOnesided() ? getOneSided(index, size) : size;
    Value frames = buildFrames(rewriter, op, adaptor, size, type);
    if (llvm::is_contained(type.getShape(), 0)) {
      SmallVector<Value> sizes = index.sizes(frames);
      sizes[2] = outputs;
      rewriter.replaceOp(op, omb::createEmpty(rewriter, loc, type, sizes));
      return success();
    }
    FourierTransform transform(rewriter, loc, /*isInverse=*/false,
                               /*isReal=*/false);
    Value result = buildTransform(rewriter, loc, transform, frames, /*dim=*/2,
                                  size, outputs);
    rewriter.replaceOp(op, finish(rewriter, loc, result, type));
    return success();
  }

  static Value getFrameLength(IndexArithmetic index, STFTOp op,
                              OpAdaptor adaptor) {
    Value window =
        op.getWindow() ? index.size(adaptor.getWindow(), 0) : Value();
    if (!op.getFrameLength()) {
      Value size = window ? window : index.size(adaptor.getSignal(), 1);
      index.require(index.isLess(index.constant(0), size),
                    "STFT has empty frames");
      return size;
    }
    Value size = readSize(index, adaptor.getFrameLength(), "the frame_length");
    if (window)
      index.require(index.isEqual(size, window),
                    "the window and the frames of STFT have different sizes");
    return size;
  }

  /// Batch, frames, elements of a frame, parts.
  static Value buildFrames(OpBuilder &builder, STFTOp op, OpAdaptor adaptor,
                           Value size, RankedTensorType result) {
    Location loc = op.getLoc();
    IndexArithmetic index(builder, loc);
    Value signal = adaptor.getSignal();
    SmallVector<Value> signalSizes = index.sizes(signal);
    Value step = readSize(index, adaptor.getFrameStep(), "the frame_step");
    Value room = index.sub(signalSizes[1], size);
    index.require(index.isLess(index.constant(-1), room),
                  "the signal of STFT is shorter than a frame");
    Value count = index.add(index.div(room, step), index.constant(1));
    Type elementType = omb::getAccumulatorType(result.getElementType());
    auto type = RankedTensorType::get(
        {result.getDimSize(0),
         getConstant(count).value_or(ShapedType::kDynamic),
         getConstant(size).value_or(ShapedType::kDynamic),
         cast<RankedTensorType>(signal.getType()).getDimSize(2)},
        elementType);
    SmallVector<Value> sizes{signalSizes[0], count, size, signalSizes[2]};
    return omb::buildFromIndices(
        builder, loc, type, sizes,
        [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
          omb::Scalars s(b, bodyLoc, elementType);
          IndexArithmetic inner(b, bodyLoc);
          Value position = inner.add(inner.mul(at[1], step), at[2]);
          Value element = s.widen(tensor::ExtractOp::create(
              s, signal, ValueRange{at[0], position, at[3]}));
          if (!op.getWindow())
            return element;
          Value weight =
              s.widen(tensor::ExtractOp::create(s, adaptor.getWindow(), at[2]));
          return s.mul(element, weight);
        });
  }
};

//===----------------------------------------------------------------------===//
// MelWeightMatrix
//===----------------------------------------------------------------------===//

/// Triangles over the frequencies of a DFT, evenly spaced in mel. Computed in
/// f64: positions are rounded down, and a lower precision would move some.
struct MelWeightMatrixToGeneric : OpConversionPattern<MelWeightMatrixOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MelWeightMatrixOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (!type || !llvm::all_of(adaptor.getOperands(), isScalar))
      return rewriter.notifyMatchFailure(op, "an input is not one number");
    Location loc = op.getLoc();
    IndexArithmetic index(rewriter, loc);
    Value bins = readSize(index, adaptor.getNumMelBins(), "the num_mel_bins");
    Value length = readSize(index, adaptor.getDftLength(), "the dft_length");
    Value points = buildPoints(rewriter, loc, adaptor, bins);
    bool isUnsigned = getElementTypeOrSelf(op.getType()).isUnsignedInteger();
    Value result = omb::buildFromIndices(
        rewriter, loc, type, {getOneSided(index, length), bins},
        [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
          omb::Scalars s(b, bodyLoc, b.getF64Type());
          Value weight = buildWeight(s, points, at);
          return convert(s, weight, type.getElementType(), isUnsigned);
        });
    rewriter.replaceOp(op, result);
    return success();
  }

  /// The number that `tensor` holds, as an f64.
  static Value read(omb::Scalars &s, Value tensor) {
    int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
    Value zero = arith::ConstantIndexOp::create(s, 0);
    Value number =
        tensor::ExtractOp::create(s, tensor, SmallVector<Value>(rank, zero));
    if (isa<IntegerType>(number.getType()))
      return arith::SIToFPOp::create(s, s.getF64Type(), number);
    number = s.widen(number);
    if (number.getType().isF64())
      return number;
    return arith::ExtFOp::create(s, s.getF64Type(), number);
  }

  /// The positions between which the triangles lie, two more than `bins`, as
  /// f64.
  static Value buildPoints(OpBuilder &builder, Location loc, OpAdaptor adaptor,
                           Value bins) {
    IndexArithmetic index(builder, loc);
    Value count = index.add(bins, index.constant(2));
    auto type = RankedTensorType::get(
        {getConstant(count).value_or(ShapedType::kDynamic)},
        builder.getF64Type());
    return omb::buildFromIndices(
        builder, loc, type, count,
        [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
          omb::Scalars s(b, bodyLoc, b.getF64Type());
          auto toFloat = [&](Value number) -> Value {
            Value wide = arith::IndexCastOp::create(s, s.getI64Type(), number);
            return arith::SIToFPOp::create(s, s.getF64Type(), wide);
          };
          auto toMel = [&](Value hertz) -> Value {
            Value log =
                omb::buildLog1P(s, s.div(hertz, s.constant(hertz, 700)));
            return s.mul(log, 2595 / M_LN10);
          };
          Value low = toMel(read(s, adaptor.getLowerEdgeHertz()));
          Value high = toMel(read(s, adaptor.getUpperEdgeHertz()));
          Value step = s.div(s.sub(high, low), toFloat(count));
          Value mel = s.add(s.mul(toFloat(at[0]), step), low);
          Value hertz =
              s.mul(omb::buildExpM1(s, s.mul(mel, M_LN10 / 2595)), 700.0);
          Value length = s.add(read(s, adaptor.getDftLength()), 1.0);
          Value rate = read(s, adaptor.getSampleRate());
          return math::FloorOp::create(s, s.div(s.mul(length, hertz), rate));
        });
  }

  static Value buildWeight(omb::Scalars &s, Value points, ValueRange at) {
    IndexArithmetic index(s, s.getLoc());
    SmallVector<Value> corners;
    for (int64_t corner = 0; corner < 3; ++corner)
      corners.push_back(tensor::ExtractOp::create(
          s, points, index.add(at[1], index.constant(corner))));
    Value low = corners[0], center = corners[1], high = corners[2];
    Value position = arith::SIToFPOp::create(
        s, s.getF64Type(),
        arith::IndexCastOp::create(s, s.getI64Type(), at[0]).getResult());
    auto both = [&](Value a, Value b) -> Value {
      return arith::AndIOp::create(s, a, b);
    };
    Value zero = s.constant(position, 0), one = s.constant(position, 1);
    Value isRising =
        both(s.lessEqual(low, position), s.lessEqual(position, center));
    Value rising = s.div(s.sub(position, low), s.sub(center, low));
    rising = s.select(s.equal(low, center), one, rising);
    Value isFalling =
        both(s.lessEqual(center, position), s.less(position, high));
    Value falling = s.div(s.sub(high, position), s.sub(high, center));
    return s.select(isFalling, falling, s.select(isRising, rising, zero));
  }

  /// A weight as the element type, which may be one of integers.
  static Value convert(omb::Scalars &s, Value weight, Type type,
                       bool isUnsigned) {
    if (auto integer = dyn_cast<IntegerType>(type)) {
      if (isUnsigned)
        return arith::FPToUIOp::create(s, type, weight);
      return arith::FPToSIOp::create(s, type, weight);
    }
    if (type.isF64())
      return weight;
    return arith::TruncFOp::create(s, type, weight);
  }
};

} // namespace

void omb::populateSignalToLinalgPatterns(const TypeConverter &converter,
                                         RewritePatternSet &patterns) {
  patterns.add<DFTToLinalg, MelWeightMatrixToGeneric, STFTToLinalg>(
      converter, patterns.getContext());
}
