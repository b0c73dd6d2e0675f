//===- Scatter.cpp - Lowering of what is put by index ---------------------===//
//
// linalg writes every element of a result once, where it computes it. So each
// element looks for the updates that are meant for it: a reduction over them.
//
//===----------------------------------------------------------------------===//

#include "lowering/to_linalg/Scatter.h"

#include "dialect/ir/ops/Indexing.h"
#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Scalars.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

enum class Combination { None, Add, Mul, Max, Min };

std::optional<Combination> getCombination(StringRef name) {
  return llvm::StringSwitch<std::optional<Combination>>(name)
      .Case("none", Combination::None)
      .Case("add", Combination::Add)
      .Case("mul", Combination::Mul)
      .Case("max", Combination::Max)
      .Case("min", Combination::Min)
      .Default(std::nullopt);
}

/// Puts updates into a tensor. There is a loop for each dimension of the data,
/// and one more, the last, over the updates that may be meant for an element.
class Scatter {
public:
  /// targetDims and updateDims: the loop that runs over each dimension of
  /// `targets`, integers that say where in dimension `axis` of the data an
  /// update goes, and of `updates`.
  Scatter(OpBuilder &builder, Location loc, Value data, int64_t axis,
          Value targets, ArrayRef<int64_t> targetDims, Value updates,
          ArrayRef<int64_t> updateDims)
      : builder(builder), loc(loc), data(data), axis(axis), targets(targets),
        targetDims(targetDims), updates(updates), updateDims(updateDims),
        rank(cast<RankedTensorType>(data.getType()).getRank()) {}

  /// `onnxType` is the element type before conversion.
  Value build(Combination combination, Type onnxType) {
    // Nothing to put, or nowhere.
    for (Value tensor : {data, targets, updates})
      if (llvm::is_contained(
              cast<RankedTensorType>(tensor.getType()).getShape(), 0))
        return data;
    return combination == Combination::None ? replace()
                                            : combine(combination, onnxType);
  }

private:
  AffineMap getMap(ArrayRef<int64_t> dims) const {
    SmallVector<AffineExpr> exprs;
    for (int64_t dim : dims)
      exprs.push_back(builder.getAffineDimExpr(dim));
    return AffineMap::get(rank + 1, 0, exprs, builder.getContext());
  }
  AffineMap getDataMap() const {
    return getMap(llvm::to_vector(llvm::seq<int64_t>(0, rank)));
  }
  SmallVector<utils::IteratorType> getIterators() const {
    SmallVector<utils::IteratorType> iterators(rank + 1,
                                               utils::IteratorType::parallel);
    iterators.back() = utils::IteratorType::reduction;
    return iterators;
  }
  /// Whether an update with `target` is meant for the element at hand.
  Value isHit(OpBuilder &b, Value target, Value size) const {
    omb::IndexArithmetic index(b, loc);
    Value position =
        arith::IndexCastOp::create(b, loc, b.getIndexType(), target);
    return index.isEqual(index.fromFront(position, size),
                         linalg::IndexOp::create(b, loc, axis));
  }

  Value replace();
  Value findLast();
  Value combine(Combination combination, Type onnxType);

  OpBuilder &builder;
  Location loc;
  Value data;
  int64_t axis;
  Value targets;
  SmallVector<int64_t> targetDims;
  Value updates;
  SmallVector<int64_t> updateDims;
  int64_t rank;
};

} // namespace

/// For each element the last update that is meant for it; -1 for none.
Value Scatter::findLast() {
  omb::IndexArithmetic index(builder, loc);
  Type i32 = builder.getI32Type();
  auto type = RankedTensorType::get(
      cast<RankedTensorType>(data.getType()).getShape(), i32);
  Value none = arith::ConstantIntOp::create(builder, loc, -1, 32);
  Value init = omb::createEmpty(builder, loc, type, index.sizes(data));
  init = linalg::FillOp::create(builder, loc, none, init).getResult(0);
  Value size = index.size(data, axis);
  return linalg::GenericOp::create(
             builder, loc, type, targets, init,
             ArrayRef<AffineMap>{getMap(targetDims), getDataMap()},
             getIterators(),
             [&](OpBuilder &b, Location, ValueRange arguments) {
               Value update = arith::IndexCastOp::create(
                   b, loc, i32, linalg::IndexOp::create(b, loc, rank));
               Value found = arith::SelectOp::create(
                   b, loc, isHit(b, arguments[0], size), update, none);
               Value last = arith::MaxSIOp::create(b, loc, arguments[1], found);
               linalg::YieldOp::create(b, loc, last);
             })
      .getResult(0);
}

Value Scatter::replace() {
  omb::IndexArithmetic index(builder, loc);
  Value last = findLast();
  Value init = omb::createEmpty(
      builder, loc, cast<RankedTensorType>(data.getType()), index.sizes(data));
  SmallVector<AffineMap> maps(3, builder.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, data.getType(), ValueRange{data, last}, init, maps,
             iterators,
             [&](OpBuilder &b, Location, ValueRange arguments) {
               omb::IndexArithmetic inner(b, loc);
               Value update = arith::IndexCastOp::create(
                   b, loc, b.getIndexType(), arguments[1]);
               Value isHit = inner.isLess(inner.constant(-1), update);
               SmallVector<Value> position;
               for (int64_t dim : updateDims)
                 position.push_back(
                     dim == rank
                         ? update
                         : linalg::IndexOp::create(b, loc, dim).getResult());
               // Not a select: there may be no updates to read.
               auto choice = scf::IfOp::create(
                   b, loc, isHit,
                   [&](OpBuilder &then, Location) {
                     Value found = tensor::ExtractOp::create(then, loc, updates,
                                                             position);
                     scf::YieldOp::create(then, loc, found);
                   },
                   [&](OpBuilder &otherwise, Location) {
                     scf::YieldOp::create(otherwise, loc, arguments[0]);
                   });
               linalg::YieldOp::create(b, loc, choice.getResults());
             })
      .getResult(0);
}

/// What changes nothing when it is combined with a number.
static Value getNeutral(omb::Scalars &s, Combination combination, Type type) {
  switch (combination) {
  case Combination::Mul:
    return s.constant(type, 1);
  case Combination::Max:
    return s.lowest(type);
  case Combination::Min:
    return s.highest(type);
  default:
    // x + 0.0 is not x for -0.0.
    return s.constant(type, -0.0);
  }
}

static Value combineTwo(omb::Scalars &s, Combination combination, Value lhs,
                        Value rhs) {
  bool isBool = lhs.getType().isInteger(1);
  switch (combination) {
  case Combination::Mul:
    return s.mul(lhs, rhs);
  case Combination::Max:
    return s.max(lhs, rhs);
  case Combination::Min:
    return s.min(lhs, rhs);
  default:
    return isBool ? s.max(lhs, rhs) : s.add(lhs, rhs);
  }
}

/// Combines the updates of each element first, and the result with the data:
/// narrow floats are computed in f32, and rounded once.
Value Scatter::combine(Combination combination, Type onnxType) {
  omb::IndexArithmetic index(builder, loc);
  auto type = cast<RankedTensorType>(data.getType());
  Type elementType = type.getElementType();
  Type wideType = omb::getAccumulatorType(elementType);
  omb::Scalars scalars(builder, loc, onnxType);
  Value neutral = getNeutral(scalars, combination, wideType);
  auto sumType = RankedTensorType::get(type.getShape(), wideType);
  Value size = index.size(data, axis);
  SmallVector<Value> sizes = index.sizes(data);
  Value init = omb::createEmpty(builder, loc, sumType, sizes);
  init = linalg::FillOp::create(builder, loc, neutral, init).getResult(0);
  Value combined =
      linalg::GenericOp::create(
          builder, loc, sumType, ValueRange{targets, updates}, init,
          ArrayRef<AffineMap>{getMap(targetDims), getMap(updateDims),
                              getDataMap()},
          getIterators(),
          [&](OpBuilder &b, Location, ValueRange arguments) {
            omb::Scalars s(b, loc, onnxType);
            Value update = s.select(isHit(b, arguments[0], size),
                                    s.widen(arguments[1]), neutral);
            linalg::YieldOp::create(
                b, loc, combineTwo(s, combination, arguments[2], update));
          })
          .getResult(0);
  SmallVector<AffineMap> maps(3, builder.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, type, ValueRange{data, combined},
             omb::createEmpty(builder, loc, type, sizes), maps, iterators,
             [&](OpBuilder &b, Location, ValueRange arguments) {
               omb::Scalars s(b, loc, onnxType);
               Value both = combineTwo(s, combination, s.widen(arguments[0]),
                                       arguments[1]);
               linalg::YieldOp::create(b, loc, s.narrow(both, elementType));
             })
      .getResult(0);
}

Value omb::buildVectorScatter(OpBuilder &builder, Location loc, Value data,
                              Value targets, Value updates) {
  Type elementType = cast<RankedTensorType>(data.getType()).getElementType();
  return Scatter(builder, loc, data, /*axis=*/0, targets, /*targetDims=*/{1},
                 updates, /*updateDims=*/{1})
      .build(Combination::None, elementType);
}

namespace {

//===----------------------------------------------------------------------===//
// ScatterElements, Scatter
//===----------------------------------------------------------------------===//

StringRef getReductionName(ScatterElementsOp op) { return op.getReduction(); }
StringRef getReductionName(ScatterNDOp op) { return op.getReduction(); }
StringRef getReductionName(ScatterOp) { return "none"; }

/// How updates are combined; fails, and says why, where that isn't possible.
template <typename OpT>
FailureOr<Combination> matchCombination(OpT op,
                                        ConversionPatternRewriter &rewriter) {
  StringRef name = getReductionName(op);
  std::optional<Combination> combination = getCombination(name);
  if (!combination)
    return rewriter.notifyMatchFailure(op, "the reduction '" + name +
                                               "' is unknown");
  if (*combination != Combination::None &&
      isa<ComplexType>(getElementTypeOrSelf(op.getData().getType())))
    return rewriter.notifyMatchFailure(
        op, "complex numbers aren't combined with '" + name + "'");
  return *combination;
}

template <typename OpT>
struct ScatterElementsToGeneric : OpConversionPattern<OpT> {
  using OpConversionPattern<OpT>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type =
        this->getTypeConverter()->template convertType<RankedTensorType>(
            op.getType());
    auto dataType = dyn_cast<RankedTensorType>(op.getData().getType());
    auto indicesType = dyn_cast<RankedTensorType>(op.getIndices().getType());
    if (!type || !dataType || !indicesType ||
        !isa<RankedTensorType>(op.getUpdates().getType()))
      return rewriter.notifyMatchFailure(op,
                                         "the operands have no tensor type");
    FailureOr<Combination> combination = matchCombination(op, rewriter);
    if (failed(combination))
      return failure();
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    Value data = adaptor.getData();
    int64_t rank = dataType.getRank();
    int64_t axis = op.getAxis() < 0 ? op.getAxis() + rank : op.getAxis();
    SmallVector<Value> dataSizes = index.sizes(data);
    SmallVector<Value> reached = index.sizes(adaptor.getIndices());
    reached[axis] = dataSizes[axis];
    bool isWhole = true;
    for (int64_t dim = 0; dim < rank; ++dim) {
      index.require(index.isEqual(index.size(adaptor.getIndices(), dim),
                                  index.size(adaptor.getUpdates(), dim)),
                    "the indices and updates of ScatterElements differ in "
                    "shape");
      if (dim == axis || omb::isSameDim(dataType, dim, indicesType, dim))
        continue;
      isWhole = false;
      index.require(index.isLess(reached[dim],
                                 index.add(dataSizes[dim], index.constant(1))),
                    "the indices of ScatterElements are larger than the data");
    }
    // Smaller indices reach only the front of the data.
    SmallVector<OpFoldResult> offsets(rank, rewriter.getIndexAttr(0));
    SmallVector<OpFoldResult> strides(rank, rewriter.getIndexAttr(1));
    SmallVector<OpFoldResult> sizes = index.mixed(reached);
    Value front = isWhole ? data
                          : tensor::ExtractSliceOp::create(
                                rewriter, loc, data, offsets, sizes, strides)
                                .getResult();
    SmallVector<int64_t> dims = llvm::to_vector(llvm::seq<int64_t>(0, rank));
    dims[axis] = rank;
    Value result = Scatter(rewriter, loc, front, axis, adaptor.getIndices(),
                           dims, adaptor.getUpdates(), dims)
                       .build(*combination, dataType.getElementType());
    if (!isWhole)
      result = tensor::InsertSliceOp::create(rewriter, loc, result, data,
                                             offsets, sizes, strides);
    rewriter.replaceOp(op, omb::castTensor(rewriter, loc, result, type));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// ScatterND
//===----------------------------------------------------------------------===//

/// `tensor` with its first `count` dimensions as one.
Value collapseFront(OpBuilder &builder, Location loc, Value tensor,
                    int64_t count) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (count == 1)
    return tensor;
  SmallVector<ReassociationIndices> groups;
  if (count == 0) {
    omb::IndexArithmetic index(builder, loc);
    SmallVector<int64_t> shape{1};
    llvm::append_range(shape, type.getShape());
    SmallVector<OpFoldResult> sizes{builder.getIndexAttr(1)};
    llvm::append_range(sizes, index.mixed(index.sizes(tensor)));
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      groups.push_back({dim + 1});
    if (!groups.empty())
      groups.front().insert(groups.front().begin(), 0);
    return tensor::ExpandShapeOp::create(
        builder, loc, RankedTensorType::get(shape, type.getElementType()),
        tensor, groups, sizes);
  }
  groups.push_back(llvm::to_vector<2>(llvm::seq<int64_t>(0, count)));
  for (int64_t dim = count; dim < type.getRank(); ++dim)
    groups.push_back({dim});
  return tensor::CollapseShapeOp::create(builder, loc, tensor, groups);
}

struct ScatterNDToGeneric : OpConversionPattern<ScatterNDOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ScatterNDOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto dataType = dyn_cast<RankedTensorType>(adaptor.getData().getType());
    auto indicesType =
        dyn_cast<RankedTensorType>(adaptor.getIndices().getType());
    auto updatesType =
        dyn_cast<RankedTensorType>(adaptor.getUpdates().getType());
    if (!type || !dataType || !indicesType || !updatesType)
      return rewriter.notifyMatchFailure(op,
                                         "the operands have no tensor type");
    int64_t depth = indicesType.getShape().back();
    if (ShapedType::isDynamic(depth))
      return rewriter.notifyMatchFailure(
          op, "the last size of the indices isn't known");
    FailureOr<Combination> combination = matchCombination(op, rewriter);
    if (failed(combination))
      return failure();
    if (llvm::is_contained(dataType.getShape(), 0) ||
        llvm::is_contained(indicesType.getShape(), 0) ||
        llvm::is_contained(updatesType.getShape(), 0)) {
      rewriter.replaceOp(
          op, omb::castTensor(rewriter, op.getLoc(), adaptor.getData(), type));
      return success();
    }
    Location loc = op.getLoc();
    requireShapes(rewriter, op, adaptor, depth);
    int64_t prefix = indicesType.getRank() - 1;
    Value data = collapseFront(rewriter, loc, adaptor.getData(), depth);
    Value updates = collapseFront(rewriter, loc, adaptor.getUpdates(), prefix);
    Value targets = linearize(rewriter, loc, adaptor, depth);
    int64_t rank = cast<RankedTensorType>(data.getType()).getRank();
    SmallVector<int64_t> updateDims =
        llvm::to_vector(llvm::seq<int64_t>(0, rank));
    updateDims.front() = rank;
    Value result =
        Scatter(rewriter, loc, data, /*axis=*/0, targets, {rank}, updates,
                updateDims)
            .build(*combination, getElementTypeOrSelf(op.getData().getType()));
    rewriter.replaceOp(op, restoreShape(rewriter, loc, result,
                                        adaptor.getData(), depth, type));
    return success();
  }

  static void requireShapes(OpBuilder &builder, ScatterNDOp op,
                            OpAdaptor adaptor, int64_t depth) {
    omb::IndexArithmetic index(builder, op.getLoc());
    auto indices = cast<RankedTensorType>(op.getIndices().getType());
    auto updates = cast<RankedTensorType>(op.getUpdates().getType());
    auto data = cast<RankedTensorType>(op.getData().getType());
    int64_t prefix = indices.getRank() - 1;
    for (int64_t dim = 0; dim < updates.getRank(); ++dim) {
      bool isPrefix = dim < prefix;
      int64_t other = isPrefix ? dim : dim - prefix + depth;
      if (omb::isSameDim(updates, dim, isPrefix ? indices : data, other))
        continue;
      Value expected = index.size(
          isPrefix ? adaptor.getIndices() : adaptor.getData(), other);
      index.require(
          index.isEqual(index.size(adaptor.getUpdates(), dim), expected),
          "the updates of ScatterND have another shape than the indices and "
          "the data ask for");
    }
  }

  /// Of each tuple of indices, the position in the collapsed dimensions of the
  /// data; their size where the tuple is out of range.
  static Value linearize(OpBuilder &builder, Location loc, OpAdaptor adaptor,
                         int64_t depth) {
    omb::IndexArithmetic index(builder, loc);
    SmallVector<Value> dataSizes = index.sizes(adaptor.getData());
    dataSizes.resize(depth);
    Value total = index.product(dataSizes);
    auto indicesType = cast<RankedTensorType>(adaptor.getIndices().getType());
    int64_t prefix = indicesType.getRank() - 1;
    SmallVector<Value> sizes = index.sizes(adaptor.getIndices());
    sizes.pop_back();
    Type i32 = builder.getI32Type();
    auto type = RankedTensorType::get(indicesType.getShape().drop_back(), i32);
    Value targets = omb::buildFromIndices(
        builder, loc, type, sizes,
        [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
          omb::IndexArithmetic inner(b, bodyLoc);
          SmallVector<Value> from(at);
          from.push_back(Value());
          Value position = inner.constant(0), isInside;
          for (int64_t part = 0; part < depth; ++part) {
            from.back() = inner.constant(part);
            Value number = tensor::ExtractOp::create(
                b, bodyLoc, adaptor.getIndices(), from);
            number = arith::IndexCastOp::create(b, bodyLoc, b.getIndexType(),
                                                number);
            number = inner.fromFront(number, dataSizes[part]);
            Value fits = arith::CmpIOp::create(
                b, bodyLoc, arith::CmpIPredicate::ult, number, dataSizes[part]);
            isInside = isInside
                           ? arith::AndIOp::create(b, bodyLoc, isInside, fits)
                                 .getResult()
                           : fits;
            position = inner.add(inner.mul(position, dataSizes[part]), number);
          }
          return arith::IndexCastOp::create(
              b, bodyLoc, i32, inner.select(isInside, position, total));
        });
    return collapseFront(builder, loc, targets, prefix);
  }

  static Value restoreShape(OpBuilder &builder, Location loc, Value result,
                            Value data, int64_t depth, RankedTensorType type) {
    if (depth == 1)
      return omb::castTensor(builder, loc, result, type);
    omb::IndexArithmetic index(builder, loc);
    SmallVector<ReassociationIndices> groups{
        llvm::to_vector<2>(llvm::seq<int64_t>(0, depth))};
    auto dataType = cast<RankedTensorType>(data.getType());
    for (int64_t dim = depth; dim < dataType.getRank(); ++dim)
      groups.push_back({dim});
    Value expanded = tensor::ExpandShapeOp::create(
        builder, loc, dataType, result, groups, index.mixed(index.sizes(data)));
    return omb::castTensor(builder, loc, expanded, type);
  }
};

//===----------------------------------------------------------------------===//
// TensorScatter
//===----------------------------------------------------------------------===//

struct TensorScatterToGeneric : OpConversionPattern<TensorScatterOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(TensorScatterOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    Value cache = adaptor.getPastCache(), update = adaptor.getUpdate();
    auto updateType = dyn_cast<RankedTensorType>(update.getType());
    if (!type || !updateType || !isa<RankedTensorType>(cache.getType()))
      return rewriter.notifyMatchFailure(op,
                                         "the operands have no tensor type");
    if (op.getMode() != "linear" && op.getMode() != "circular")
      return rewriter.notifyMatchFailure(op, "the mode '" + op.getMode() +
                                                 "' is unknown");
    Location loc = op.getLoc();
    cache = omb::castTensor(rewriter, loc, cache, type);
    if (llvm::is_contained(type.getShape(), 0) ||
        llvm::is_contained(updateType.getShape(), 0)) {
      rewriter.replaceOp(op, cache);
      return success();
    }
    int64_t rank = type.getRank();
    int64_t axis = op.getAxis() < 0 ? op.getAxis() + rank : op.getAxis();
    omb::IndexArithmetic index(rewriter, loc);
    Value size = index.size(cache, axis), length = index.size(update, axis);
    index.require(index.isLess(length, index.add(size, index.constant(1))),
                  "the update of TensorScatter is longer than the cache");
    Value init = omb::createEmpty(rewriter, loc, type, index.sizes(cache));
    SmallVector<AffineMap> maps(2, rewriter.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    rewriter.replaceOpWithNewOp<linalg::GenericOp>(
        op, type, cache, init, maps, iterators,
        [&](OpBuilder &b, Location, ValueRange arguments) {
          omb::IndexArithmetic inner(b, loc);
          SmallVector<Value> position;
          for (int64_t dim = 0; dim < rank; ++dim)
            position.push_back(linalg::IndexOp::create(b, loc, dim));
          Value from = position[axis];
          if (Value starts = adaptor.getWriteIndices()) {
            Value start =
                tensor::ExtractOp::create(b, loc, starts, position.front());
            start = arith::IndexCastOp::create(b, loc, b.getIndexType(), start);
            from = inner.sub(from, start);
            if (op.getMode() == "circular")
              from = inner.floorMod(from, size);
          }
          position[axis] = from;
          Value isNew = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult,
                                              from, length);
          auto choice = scf::IfOp::create(
              b, loc, isNew,
              [&](OpBuilder &then, Location) {
                Value found =
                    tensor::ExtractOp::create(then, loc, update, position);
                scf::YieldOp::create(then, loc, found);
              },
              [&](OpBuilder &otherwise, Location) {
                scf::YieldOp::create(otherwise, loc, arguments[0]);
              });
          linalg::YieldOp::create(b, loc, choice.getResults());
        });
    return success();
  }
};

} // namespace

void omb::populateScatterToLinalgPatterns(const TypeConverter &converter,
                                          RewritePatternSet &patterns) {
  patterns.add<ScatterElementsToGeneric<ScatterElementsOp>,
               ScatterElementsToGeneric<ScatterOp>, ScatterNDToGeneric,
               TensorScatterToGeneric>(converter, patterns.getContext());
}
