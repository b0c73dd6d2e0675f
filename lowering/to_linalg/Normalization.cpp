//===- Normalization.cpp - Lowering of normalizations by moments ----------===//

#include "dialect/ir/ops/Normalization.h"
#include "dialect/ir/OnnxDialect.h"
#include "dialect/shape/ShapeInference.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/ReductionSpace.h"
#include "lowering/to_linalg/Reshape.h"
#include "lowering/to_linalg/Transcendentals.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb;
using namespace omb::onnx;

/// A float as one of the type `type`.
static Value convertFloat(Scalars &s, Value x, Type type) {
  x = s.widen(x);
  unsigned width = type.getIntOrFloatBitWidth();
  if (x.getType().getIntOrFloatBitWidth() < width)
    return arith::ExtFOp::create(s, type, x);
  return s.narrow(x, type);
}

namespace {

/// The operands of an elementwise computation, with their types before
/// conversion.
struct Operands {
  SmallVector<Value> values;
  SmallVector<Type> types;

  void add(Value value, Type type) {
    values.push_back(value);
    types.push_back(type);
  }
};

/// Computes on one input, in the float type `compute`. `type` is its type
/// before conversion, as precise as the result's.
class Normalizer {
public:
  Normalizer(OpBuilder &builder, Location loc, Value input,
             RankedTensorType type, ArrayRef<int64_t> axes)
      : compute(getAccumulatorType(type.getElementType())), builder(builder),
        loc(loc), input(input), type(type), axes(axes),
        space(builder, loc, input, axes) {}

  /// mean(x), mean((x - mean)^2) and mean(x^2), as statistics.
  Value buildMean();
  Value buildVariance(Value mean);
  Value buildMeanSquare();
  /// 1 / sqrt(variance + epsilon)
  Value buildInverse(Value variance, double epsilon);
  /// Any other statistic.
  Value map(ValueRange statistics, Type elementType, ScalarBody body) {
    return space.map(statistics, elementType, body);
  }

  /// The input, and `statistics` beside each of its elements.
  Operands getOperands(ValueRange statistics);
  /// `vector` has one element for each position of dimension `dim`.
  void addVector(Operands &operands, Value vector, int64_t dim);

  Value keepDims(Value statistic) { return space.keepDims(statistic); }

  /// The result, of the element type `elementType`; `body` gets the operands
  /// in the type that is computed in.
  Value build(const Operands &operands, Type elementType,
              function_ref<Value(Scalars &, ValueRange)> body);

  const Type compute;

private:
  Value divideByCount(Value sum);

  OpBuilder &builder;
  Location loc;
  Value input;
  RankedTensorType type;
  SmallVector<int64_t> axes;
  ReductionSpace space;
};

} // namespace

Value Normalizer::divideByCount(Value sum) {
  return space.map(sum, compute,
                   [&](OpBuilder &b, Location bodyLoc, ValueRange x) -> Value {
                     Scalars s(b, bodyLoc, compute);
                     return s.div(x[0], space.getCount(s, compute));
                   });
}

Value Normalizer::buildMean() {
  Value zero = Scalars(builder, loc, compute).constant(compute, 0);
  return divideByCount(
      space.reduce(input, /*statistics=*/{}, zero,
                   [&](OpBuilder &b, Location bodyLoc, ValueRange x) -> Value {
                     Scalars s(b, bodyLoc, compute);
                     return s.add(x[1], s.widen(x[0]));
                   }));
}

Value Normalizer::buildVariance(Value mean) {
  Value zero = Scalars(builder, loc, compute).constant(compute, 0);
  return divideByCount(
      space.reduce(input, mean, zero,
                   [&](OpBuilder &b, Location bodyLoc, ValueRange x) -> Value {
                     Scalars s(b, bodyLoc, compute);
                     Value difference = s.sub(s.widen(x[0]), x[1]);
                     return s.add(x[2], s.mul(difference, difference));
                   }));
}

Value Normalizer::buildMeanSquare() {
  Value zero = Scalars(builder, loc, compute).constant(compute, 0);
  return divideByCount(
      space.reduce(input, /*statistics=*/{}, zero,
                   [&](OpBuilder &b, Location bodyLoc, ValueRange x) -> Value {
                     Scalars s(b, bodyLoc, compute);
                     Value value = s.widen(x[0]);
                     return s.add(x[1], s.mul(value, value));
                   }));
}

Value Normalizer::buildInverse(Value variance, double epsilon) {
  return space.map(variance, compute,
                   [&](OpBuilder &b, Location bodyLoc, ValueRange x) -> Value {
                     Scalars s(b, bodyLoc, compute);
                     Value deviation = buildSqrt(s, s.add(x[0], epsilon));
                     return s.div(s.constant(compute, 1), deviation);
                   });
}

Operands Normalizer::getOperands(ValueRange statistics) {
  Operands operands;
  operands.add(input, type);
  for (Value statistic : statistics)
    operands.add(space.keepDims(statistic), getKeptType(type, axes, compute));
  return operands;
}

void Normalizer::addVector(Operands &operands, Value vector, int64_t dim) {
  IndexArithmetic index(builder, loc);
  auto vectorType = cast<RankedTensorType>(vector.getType());
  Value size = index.size(vector, 0);
  int64_t rank = type.getRank();
  if (dim < rank) // else the one channel of a batch of numbers
    index.require(index.isEqual(size, index.size(input, dim)),
                  "a normalization has not one parameter for each channel");
  SmallVector<int64_t> others;
  for (int64_t other = 0; other < rank; ++other)
    if (other != dim)
      others.push_back(other);
  RankedTensorType kept =
      getKeptType(type, others, vectorType.getElementType());
  if (dim >= rank)
    return operands.add(vector, kept);
  // Leading dimensions of 1 go without saying.
  int64_t added = rank - dim - 1;
  SmallVector<int64_t> shape(added + 1, 1);
  shape[0] = vectorType.getDimSize(0);
  SmallVector<OpFoldResult> sizes(added + 1, builder.getIndexAttr(1));
  sizes[0] = getAsOpFoldResult(size);
  if (added > 0) {
    ReassociationIndices all =
        llvm::to_vector<2>(llvm::seq<int64_t>(0, added + 1));
    vector = tensor::ExpandShapeOp::create(
        builder, loc, RankedTensorType::get(shape, vectorType.getElementType()),
        vector, ArrayRef{all}, sizes);
  }
  Attribute encoding = kept.getEncoding();
  if (auto dims = dyn_cast_if_present<DimsAttr>(encoding))
    encoding =
        DimsAttr::get(builder.getContext(), dims.getNames().drop_front(dim));
  operands.add(vector, RankedTensorType::get(kept.getShape().drop_front(dim),
                                             kept.getElementType(), encoding));
}

Value Normalizer::build(const Operands &operands, Type elementType,
                        function_ref<Value(Scalars &, ValueRange)> body) {
  return buildElementwise(
      builder, loc, operands.values, operands.types, type.clone(elementType),
      [&](OpBuilder &b, Location bodyLoc, ValueRange elements) -> Value {
        Scalars s(b, bodyLoc, compute);
        SmallVector<Value> x;
        for (Value element : elements)
          x.push_back(convertFloat(s, element, compute));
        return convertFloat(s, body(s, x), elementType);
      });
}

/// (x - mean) * inverse [* scale [+ bias]]
static Value standardize(Scalars &s, ValueRange x) {
  Value result = s.mul(s.sub(x[0], x[1]), x[2]);
  if (x.size() > 3)
    result = s.mul(result, x[3]);
  return x.size() > 4 ? s.add(result, x[4]) : result;
}

//===----------------------------------------------------------------------===//
// LayerNormalization, RMSNormalization
//===----------------------------------------------------------------------===//

namespace {

/// The axes from `axis` on; nullopt where it is out of range.
std::optional<SmallVector<int64_t>> getAxesFrom(int64_t axis, int64_t rank) {
  std::optional<int64_t> first = normalizeAxis(axis, rank);
  if (!first)
    return std::nullopt;
  return llvm::to_vector(llvm::seq(*first, rank));
}

struct LayerNormalizationToGeneric : OpConversionPattern<LayerNormalizationOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(LayerNormalizationOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getY().getType());
    if (!type || !isa<RankedTensorType>(op.getX().getType()) ||
        !isa<RankedTensorType>(op.getScale().getType()) ||
        (op.getB() && !isa<RankedTensorType>(op.getB().getType())))
      return rewriter.notifyMatchFailure(op, "an operand's rank isn't known");
    std::optional<SmallVector<int64_t>> axes =
        getAxesFrom(op.getAxis(), type.getRank());
    if (!axes)
      return rewriter.notifyMatchFailure(op, "the axis is out of range");
    Location loc = op.getLoc();
    Normalizer normalizer(rewriter, loc, adaptor.getX(), type, *axes);
    Value mean = normalizer.buildMean();
    Value inverse = normalizer.buildInverse(normalizer.buildVariance(mean),
                                            op.getEpsilon());
    Operands operands = normalizer.getOperands({mean, inverse});
    operands.add(adaptor.getScale(), op.getScale().getType());
    if (op.getB())
      operands.add(adaptor.getB(), op.getB().getType());
    SmallVector<Value> results{
        normalizer.build(operands, type.getElementType(), standardize)};
    if (op.getMean())
      results.push_back(save(normalizer, mean, op.getMean().getType()));
    if (op.getInvStdDev())
      results.push_back(save(normalizer, inverse, op.getInvStdDev().getType()));
    for (auto [value, result] : llvm::zip_equal(results, op->getResults()))
      value = castTensor(rewriter, loc, value,
                         getTypeConverter()->convertType(result.getType()));
    rewriter.replaceOp(op, results);
    return success();
  }

  /// `statistic` as a result of type `type`.
  static Value save(Normalizer &normalizer, Value statistic, Type type) {
    Type elementType = getElementTypeOrSelf(type);
    if (elementType != normalizer.compute)
      statistic = normalizer.map(
          statistic, elementType,
          [&](OpBuilder &b, Location loc, ValueRange x) -> Value {
            Scalars s(b, loc, elementType);
            return convertFloat(s, x[0], elementType);
          });
    return normalizer.keepDims(statistic);
  }
};

struct RMSNormalizationToGeneric : OpConversionPattern<RMSNormalizationOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(RMSNormalizationOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto input = dyn_cast<RankedTensorType>(op.getX().getType());
    auto result = dyn_cast<RankedTensorType>(op.getY().getType());
    if (!input || !result || !isa<RankedTensorType>(op.getScale().getType()))
      return rewriter.notifyMatchFailure(op, "an operand's rank isn't known");
    std::optional<SmallVector<int64_t>> axes =
        getAxesFrom(op.getAxis(), input.getRank());
    if (!axes)
      return rewriter.notifyMatchFailure(op, "the axis is out of range");
    Location loc = op.getLoc();
    Normalizer normalizer(rewriter, loc, adaptor.getX(),
                          result.clone(input.getElementType()), *axes);
    Value inverse =
        normalizer.buildInverse(normalizer.buildMeanSquare(), op.getEpsilon());
    Operands operands = normalizer.getOperands(inverse);
    operands.add(adaptor.getScale(), op.getScale().getType());
    Value normalized = normalizer.build(operands, result.getElementType(),
                                        [](Scalars &s, ValueRange x) {
                                          return s.mul(s.mul(x[0], x[1]), x[2]);
                                        });
    rewriter.replaceOp(op, castTensor(rewriter, loc, normalized,
                                      getTypeConverter()->convertType(result)));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// InstanceNormalization, GroupNormalization, MeanVarianceNormalization
//===----------------------------------------------------------------------===//

struct InstanceNormalizationToGeneric
    : OpConversionPattern<InstanceNormalizationOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(InstanceNormalizationOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getType());
    if (!type || !isa<RankedTensorType>(op.getInput().getType()) ||
        !isa<RankedTensorType>(op.getScale().getType()) ||
        !isa<RankedTensorType>(op.getB().getType()))
      return rewriter.notifyMatchFailure(op, "an operand's rank isn't known");
    if (type.getRank() < 2)
      return rewriter.notifyMatchFailure(op, "the input has no channels");
    Location loc = op.getLoc();
    Normalizer normalizer(
        rewriter, loc, adaptor.getInput(), type,
        llvm::to_vector(llvm::seq<int64_t>(2, type.getRank())));
    Value mean = normalizer.buildMean();
    Value inverse = normalizer.buildInverse(normalizer.buildVariance(mean),
                                            op.getEpsilon());
    Operands operands = normalizer.getOperands({mean, inverse});
    normalizer.addVector(operands, adaptor.getScale(), 1);
    normalizer.addVector(operands, adaptor.getB(), 1);
    Value result =
        normalizer.build(operands, type.getElementType(), standardize);
    rewriter.replaceOp(op, castTensor(rewriter, loc, result,
                                      getTypeConverter()->convertType(type)));
    return success();
  }
};

/// A normalization of [N, groups, C / groups, ...] over all but the first two
/// dimensions. The moments are those of channels first, so that an image stays
/// one, whose channels may be last.
struct GroupNormalizationToGeneric : OpConversionPattern<GroupNormalizationOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(GroupNormalizationOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getType());
    if (!type || !isa<RankedTensorType>(op.getX().getType()) ||
        !isa<RankedTensorType>(op.getScale().getType()) ||
        !isa<RankedTensorType>(op.getBias().getType()))
      return rewriter.notifyMatchFailure(op, "an operand's rank isn't known");
    int64_t groups = op.getNumGroups();
    if (type.getRank() < 2 || groups < 1)
      return rewriter.notifyMatchFailure(
          op, "there are no channels, or 'num_groups' is not positive");
    if (!type.isDynamicDim(1) && type.getDimSize(1) % groups != 0)
      return rewriter.notifyMatchFailure(
          op, "the channels can't be divided into the groups");
    Location loc = op.getLoc();
    IndexArithmetic index(rewriter, loc);
    index.require(index.isEqual(index.size(adaptor.getScale(), 0),
                                index.size(adaptor.getX(), 1)),
                  "GroupNormalization has not one 'scale' for each channel");
    index.require(index.isEqual(index.size(adaptor.getBias(), 0),
                                index.size(adaptor.getX(), 1)),
                  "GroupNormalization has not one 'bias' for each channel");
    Normalizer normalizer(
        rewriter, loc, adaptor.getX(), type,
        llvm::to_vector(llvm::seq<int64_t>(2, type.getRank())));
    auto averageGroups = [&](Value statistic) {
      return average(rewriter, loc, statistic, groups, normalizer.compute);
    };
    Value mean = averageGroups(normalizer.buildMean());
    Value variance = averageGroups(normalizer.buildVariance(mean));
    Value inverse = normalizer.buildInverse(variance, op.getEpsilon());
    Operands operands = normalizer.getOperands({mean, inverse});
    normalizer.addVector(operands, adaptor.getScale(), 1);
    normalizer.addVector(operands, adaptor.getBias(), 1);
    Value result =
        normalizer.build(operands, type.getElementType(), standardize);
    rewriter.replaceOp(op, castTensor(rewriter, loc, result,
                                      getTypeConverter()->convertType(type)));
    return success();
  }

  /// `tensor` with dimension `axis` split into `groups` equal parts.
  static Value split(OpBuilder &builder, Location loc, Value tensor,
                     int64_t axis, int64_t groups) {
    auto type = cast<RankedTensorType>(tensor.getType());
    IndexArithmetic index(builder, loc);
    SmallVector<Value> sizes = index.sizes(tensor);
    Value count = index.constant(groups);
    Value part = index.div(sizes[axis], count);
    index.require(index.isEqual(index.mul(part, count), sizes[axis]),
                  "the channels can't be divided into the groups");
    sizes[axis] = part;
    sizes.insert(sizes.begin() + axis, count);
    SmallVector<int64_t> shape(type.getShape());
    if (!type.isDynamicDim(axis))
      shape[axis] /= groups;
    shape.insert(shape.begin() + axis, groups);
    return tensor::ExpandShapeOp::create(
        builder, loc, RankedTensorType::get(shape, type.getElementType()),
        tensor, getSplitGroups(type.getRank(), axis), getAsOpFoldResult(sizes));
  }

  /// The average of what [N, C] has for the channels of a group, for each of
  /// them.
  static Value average(OpBuilder &builder, Location loc, Value statistic,
                       int64_t groups, Type compute) {
    Value parts = split(builder, loc, statistic, 1, groups);
    ReductionSpace space(builder, loc, parts, ArrayRef<int64_t>{2});
    Value zero = Scalars(builder, loc, compute).constant(compute, 0);
    Value sum = space.reduce(
        parts, /*statistics=*/{}, zero,
        [&](OpBuilder &b, Location bodyLoc, ValueRange x) -> Value {
          return Scalars(b, bodyLoc, compute).add(x[1], x[0]);
        });
    Value mean = space.map(sum, compute,
                           [&](OpBuilder &b, Location bodyLoc, ValueRange x) {
                             Scalars s(b, bodyLoc, compute);
                             return s.div(x[0], space.getCount(s, compute));
                           });
    Value empty = tensor::EmptyOp::create(
        builder, loc, tensor::getMixedSizes(builder, loc, parts), compute);
    Value all = linalg::BroadcastOp::create(builder, loc, mean, empty,
                                            ArrayRef<int64_t>{2})
                    ->getResult(0);
    return tensor::CollapseShapeOp::create(builder, loc, all,
                                           getSplitGroups(2, 1));
  }
};

struct MeanVarianceNormalizationToGeneric
    : OpConversionPattern<MeanVarianceNormalizationOp> {
  using OpConversionPattern::OpConversionPattern;

  /// What the standard adds to the deviation.
  static constexpr double kEpsilon = 1e-9;

  LogicalResult
  matchAndRewrite(MeanVarianceNormalizationOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getType());
    if (!type || !isa<RankedTensorType>(op.getX().getType()))
      return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
    std::optional<SmallVector<int64_t>> axes =
        getAxesFromFront(op.getAxes(), type.getRank());
    if (!axes)
      return rewriter.notifyMatchFailure(op, "an axis is out of range");
    Location loc = op.getLoc();
    Normalizer normalizer(rewriter, loc, adaptor.getX(), type, *axes);
    Value mean = normalizer.buildMean();
    Value deviation = normalizer.map(
        normalizer.buildVariance(mean), normalizer.compute,
        [&](OpBuilder &b, Location bodyLoc, ValueRange x) -> Value {
          Scalars s(b, bodyLoc, normalizer.compute);
          return s.add(buildSqrt(s, x[0]), kEpsilon);
        });
    Value result =
        normalizer.build(normalizer.getOperands({mean, deviation}),
                         type.getElementType(), [](Scalars &s, ValueRange x) {
                           return s.div(s.sub(x[0], x[1]), x[2]);
                         });
    rewriter.replaceOp(op, castTensor(rewriter, loc, result,
                                      getTypeConverter()->convertType(type)));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// BatchNormalization
//===----------------------------------------------------------------------===//

struct BatchNormalizationToGeneric : OpConversionPattern<BatchNormalizationOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(BatchNormalizationOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getY().getType());
    for (Value operand : adaptor.getOperands())
      if (!isa<RankedTensorType>(operand.getType()))
        return rewriter.notifyMatchFailure(op, "an operand's rank isn't known");
    if (!type || type.getRank() < 1)
      return rewriter.notifyMatchFailure(op, "the input has no batch");
    bool isTraining = op.getTrainingMode();
    if (!isTraining && op->getNumResults() > 1)
      return rewriter.notifyMatchFailure(
          op, "'running_mean' and 'running_var' are results of training only");
    Location loc = op.getLoc();
    SmallVector<int64_t> axes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (dim != 1)
        axes.push_back(dim);
    Normalizer normalizer(rewriter, loc, adaptor.getX(), type, axes);
    Value mean = adaptor.getInputMean();
    Value variance = adaptor.getInputVar();
    if (isTraining) {
      mean = normalizer.buildMean();
      variance = normalizer.buildVariance(mean);
      if (type.getRank() == 1) { // one channel, which no dimension is for
        mean = normalizer.keepDims(mean);
        variance = normalizer.keepDims(variance);
      }
    }
    // As many elements as there are channels: IREE computes this ahead of time
    // where they are constant.
    Type compute = normalizer.compute;
    Value factor = mapVectors(
        rewriter, loc, {adaptor.getScale(), variance}, compute, compute,
        [&](Scalars &s, ValueRange x) {
          return s.div(x[0], buildSqrt(s, s.add(x[1], op.getEpsilon())));
        });
    Operands operands = normalizer.getOperands({});
    for (Value vector : {mean, factor, adaptor.getB()})
      normalizer.addVector(operands, vector, 1);
    SmallVector<Value> results{normalizer.build(
        operands, type.getElementType(), [](Scalars &s, ValueRange x) {
          return s.add(s.mul(s.sub(x[0], x[1]), x[2]), x[3]);
        })};
    double momentum = op.getMomentum();
    auto addRunning = [&](Value result, Value previous, Value current) {
      if (result)
        results.push_back(mapVectors(
            rewriter, loc, {previous, current}, compute,
            getElementTypeOrSelf(result.getType()),
            [&](Scalars &s, ValueRange x) {
              return s.add(s.mul(x[0], momentum), s.mul(x[1], 1 - momentum));
            }));
    };
    addRunning(op.getRunningMean(), adaptor.getInputMean(), mean);
    addRunning(op.getRunningVar(), adaptor.getInputVar(), variance);
    for (auto [value, result] : llvm::zip_equal(results, op->getResults()))
      value = castTensor(rewriter, loc, value,
                         getTypeConverter()->convertType(result.getType()));
    rewriter.replaceOp(op, results);
    return success();
  }

  /// A vector of type `elementType`, from vectors of the same size.
  static Value mapVectors(OpBuilder &builder, Location loc, ValueRange vectors,
                          Type compute, Type elementType,
                          function_ref<Value(Scalars &, ValueRange)> body) {
    IndexArithmetic index(builder, loc);
    index.require(
        index.isEqual(index.size(vectors[0], 0), index.size(vectors[1], 0)),
        "a normalization has not one parameter for each channel");
    return ReductionSpace(builder, loc, vectors[0], ArrayRef<int64_t>())
        .map(vectors, elementType,
             [&](OpBuilder &b, Location bodyLoc, ValueRange elements) -> Value {
               Scalars s(b, bodyLoc, compute);
               SmallVector<Value> x;
               for (Value element : elements)
                 x.push_back(convertFloat(s, element, compute));
               return convertFloat(s, body(s, x), elementType);
             });
  }
};

} // namespace

void omb::populateNormalizationToLinalgPatterns(const TypeConverter &converter,
                                                RewritePatternSet &patterns) {
  patterns.add<LayerNormalizationToGeneric, RMSNormalizationToGeneric,
               InstanceNormalizationToGeneric, GroupNormalizationToGeneric,
               MeanVarianceNormalizationToGeneric, BatchNormalizationToGeneric>(
      converter, patterns.getContext());
}
