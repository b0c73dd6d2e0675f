//===- Selection.cpp - Lowering of what is picked by value ----------------===//

#include "dialect/ir/ops/Indexing.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

/// Computes one element of a sum from elements of the inputs and from where in
/// the loops they stand.
using TermBody = function_ref<Value(OpBuilder &, ValueRange, ValueRange)>;

/// Sums up i32 terms. The last loop is the sum's, the others are the result's
/// dimensions; inputDims: the loops that run over the dimensions of each input.
Value buildSum(OpBuilder &builder, Location loc, RankedTensorType type,
               ValueRange sizes, ValueRange inputs,
               ArrayRef<SmallVector<int64_t>> inputDims, TermBody body) {
  int64_t rank = type.getRank();
  auto getMap = [&](ArrayRef<int64_t> dims) {
    SmallVector<AffineExpr> exprs;
    for (int64_t dim : dims)
      exprs.push_back(builder.getAffineDimExpr(dim));
    return AffineMap::get(rank + 1, 0, exprs, builder.getContext());
  };
  SmallVector<AffineMap> maps;
  for (ArrayRef<int64_t> dims : inputDims)
    maps.push_back(getMap(dims));
  maps.push_back(getMap(llvm::to_vector(llvm::seq<int64_t>(0, rank))));
  SmallVector<utils::IteratorType> iterators(rank + 1,
                                             utils::IteratorType::parallel);
  iterators.back() = utils::IteratorType::reduction;
  Value zero = omb::createZero(builder, loc, type.getElementType());
  Value init = omb::createEmpty(builder, loc, type, sizes);
  init = linalg::FillOp::create(builder, loc, zero, init).getResult(0);
  return linalg::GenericOp::create(
             builder, loc, type, inputs, init, maps, iterators,
             [&](OpBuilder &b, Location, ValueRange arguments) {
               SmallVector<Value> at;
               for (int64_t dim = 0; dim <= rank; ++dim)
                 at.push_back(linalg::IndexOp::create(b, loc, dim));
               Value term = body(b, arguments.drop_back(), at);
               Value sum =
                   arith::AddIOp::create(b, loc, arguments.back(), term);
               linalg::YieldOp::create(b, loc, sum);
             })
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// TopK
//===----------------------------------------------------------------------===//

/// Whether `lhs` is greater in the order of numbers, in which NaN is last.
Value isGreater(omb::Scalars &s, Value lhs, Value rhs) {
  if (!isa<FloatType>(lhs.getType()))
    return s.less(rhs, lhs);
  Value greater = arith::CmpFOp::create(s, arith::CmpFPredicate::UGT, lhs, rhs);
  Value isNumber =
      arith::CmpFOp::create(s, arith::CmpFPredicate::ORD, rhs, rhs);
  return arith::AndIOp::create(s, greater, isNumber);
}

struct TopKToGeneric : OpConversionPattern<TopKOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(TopKOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(
        op.getValues().getType());
    auto indexType = getTypeConverter()->convertType<RankedTensorType>(
        op.getIndices().getType());
    Value x = adaptor.getX();
    auto input = dyn_cast<RankedTensorType>(x.getType());
    if (!type || !indexType || !input)
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    int64_t rank = input.getRank();
    int64_t axis = op.getAxis() < 0 ? op.getAxis() + rank : op.getAxis();
    SmallVector<Value> sizes = index.sizes(x);
    Value size = sizes[axis];
    sizes[axis] = type.isDynamicDim(axis)
                      ? index.element(adaptor.getK(), 0)
                      : index.constant(type.getDimSize(axis));
    index.require(index.isLess(index.constant(-1), sizes[axis]),
                  "the K of TopK is negative");
    index.require(index.isLess(sizes[axis], index.add(size, index.constant(1))),
                  "the K of TopK is larger than the dimension");
    if (llvm::is_contained(type.getShape(), 0) ||
        llvm::is_contained(input.getShape(), 0)) {
      rewriter.replaceOp(op,
                         {omb::createEmpty(rewriter, loc, type, sizes),
                          omb::createEmpty(rewriter, loc, indexType, sizes)});
      return success();
    }
    Value ranks = rankElements(rewriter, op, x, axis);
    Value places = findRanks(rewriter, loc, ranks, axis, type, sizes);
    Value values = omb::buildFromIndices(
        rewriter, loc, type, sizes,
        [&](OpBuilder &b, Location, ValueRange at) -> Value {
          SmallVector<Value> position(at);
          Value place = tensor::ExtractOp::create(b, loc, places, at);
          position[axis] =
              arith::IndexCastOp::create(b, loc, b.getIndexType(), place);
          return tensor::ExtractOp::create(b, loc, x, position);
        });
    Value indices = omb::buildFromIndices(
        rewriter, loc, indexType, sizes,
        [&](OpBuilder &b, Location, ValueRange at) -> Value {
          Value place = tensor::ExtractOp::create(b, loc, places, at);
          return arith::ExtSIOp::create(b, loc, b.getI64Type(), place);
        });
    rewriter.replaceOp(op, {values, indices});
    return success();
  }

  /// For each element, how many come before it in the order asked for.
  static Value rankElements(OpBuilder &builder, TopKOp op, Value x,
                            int64_t axis) {
    Location loc = op.getLoc();
    auto input = cast<RankedTensorType>(x.getType());
    int64_t rank = input.getRank();
    SmallVector<int64_t> own = llvm::to_vector(llvm::seq<int64_t>(0, rank));
    SmallVector<int64_t> other(own);
    other[axis] = rank;
    Type onnxType = getElementTypeOrSelf(op.getX().getType());
    bool isLargest = op.getLargest() != 0;
    return buildSum(
        builder, loc,
        RankedTensorType::get(input.getShape(), builder.getI32Type()),
        omb::IndexArithmetic(builder, loc).sizes(x), {x, x}, {own, other},
        [&](OpBuilder &b, ValueRange elements, ValueRange at) -> Value {
          omb::Scalars s(b, loc, onnxType);
          Value mine = s.widen(elements[0]), theirs = s.widen(elements[1]);
          Value theirsFirst = isLargest ? isGreater(s, theirs, mine)
                                        : isGreater(s, mine, theirs);
          Value mineFirst = isLargest ? isGreater(s, mine, theirs)
                                      : isGreater(s, theirs, mine);
          // Of two that are equal, the one with the lower index.
          Value isEarlier =
              omb::IndexArithmetic(b, loc).isLess(at[rank], at[axis]);
          Value isBefore = s.select(
              mineFirst, s.constant(s.getI1Type(), 0),
              s.select(theirsFirst, s.constant(s.getI1Type(), 1), isEarlier));
          return arith::ExtUIOp::create(s, s.getI32Type(), isBefore);
        });
  }

  /// For each rank below K, the element that has it: a sum with one term.
  static Value findRanks(OpBuilder &builder, Location loc, Value ranks,
                         int64_t axis, RankedTensorType type,
                         ValueRange sizes) {
    int64_t rank = type.getRank();
    SmallVector<int64_t> dims = llvm::to_vector(llvm::seq<int64_t>(0, rank));
    dims[axis] = rank;
    return buildSum(
        builder, loc,
        RankedTensorType::get(type.getShape(), builder.getI32Type()), sizes,
        ranks, {dims},
        [&](OpBuilder &b, ValueRange elements, ValueRange at) -> Value {
          Type i32 = b.getI32Type();
          Value wanted = arith::IndexCastOp::create(b, loc, i32, at[axis]);
          Value place = arith::IndexCastOp::create(b, loc, i32, at[rank]);
          Value isIt = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                             elements[0], wanted);
          Value zero = arith::ConstantIntOp::create(b, loc, 0, 32);
          return arith::SelectOp::create(b, loc, isIt, place, zero);
        });
  }
};

//===----------------------------------------------------------------------===//
// NonZero, Compress
//===----------------------------------------------------------------------===//

/// The marked places of a vector of i32 that are 0 or 1.
class Marks {
public:
  Marks(OpBuilder &builder, Location loc, Value marks)
      : builder(builder), loc(loc), marks(marks),
        size(omb::IndexArithmetic(builder, loc).size(marks, 0)) {}

  /// How many there are, read by the host.
  Value count();
  /// Prepares for find().
  void rank();
  /// The place of mark number `number`, in the body of an op.
  Value find(OpBuilder &b, Value number) const;

private:
  /// log2 of a power of two above the size.
  unsigned getBits() const {
    int64_t known = cast<RankedTensorType>(marks.getType()).getDimSize(0);
    return ShapedType::isDynamic(known) ? 31 : llvm::Log2_64_Ceil(known + 1);
  }
  /// Element i plus those at i - stride, i - 2 * stride, ...
  Value addStrided(Value sums, int64_t stride);

  /// As many as are added up at once.
  static constexpr int64_t kTerms = 16;

  OpBuilder &builder;
  Location loc;
  Value marks;
  Value size;
  /// The number of marks up to and with each place.
  Value counts;
};

Value Marks::count() {
  auto type = RankedTensorType::get({}, builder.getI32Type());
  Value total = buildSum(builder, loc, type, {}, marks, {{0}},
                         [](OpBuilder &, ValueRange elements, ValueRange) {
                           return elements.front();
                         });
  return omb::IndexArithmetic(builder, loc).element(total, 0);
}

Value Marks::addStrided(Value sums, int64_t stride) {
  return omb::buildFromIndices(
      builder, loc, cast<RankedTensorType>(marks.getType()), size,
      [&](OpBuilder &b, Location, ValueRange at) -> Value {
        omb::IndexArithmetic index(b, loc);
        Value zero = index.constant(0);
        Value none = arith::ConstantIntOp::create(b, loc, 0, 32);
        Value sum = tensor::ExtractOp::create(b, loc, sums, at);
        for (int64_t term = 1; term < kTerms; ++term) {
          Value place = index.sub(at[0], index.constant(term * stride));
          Value found =
              tensor::ExtractOp::create(b, loc, sums, index.max(place, zero));
          found = index.select(index.isLess(place, zero), none, found);
          sum = arith::AddIOp::create(b, loc, sum, found);
        }
        return sum;
      });
}

void Marks::rank() {
  counts = marks;
  for (int64_t stride = 1; stride < (int64_t(1) << getBits()); stride *= kTerms)
    counts = addStrided(counts, stride);
}

Value Marks::find(OpBuilder &b, Value number) const {
  omb::IndexArithmetic index(b, loc);
  Value one = index.constant(1);
  Value wanted = arith::IndexCastOp::create(b, loc, b.getI32Type(), number);
  // Bisection: `place` places have too few marks.
  Value place = index.constant(0);
  for (unsigned bit = getBits(); bit-- > 0;) {
    Value probe = index.add(place, index.constant(int64_t(1) << bit));
    Value last = index.sub(index.min(probe, size), one);
    Value marksThere = tensor::ExtractOp::create(b, loc, counts, last);
    Value isInside = index.isLess(index.sub(probe, one), size);
    Value isTooFew = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle,
                                           marksThere, wanted);
    place = index.select(
        arith::AndIOp::create(b, loc, isInside, isTooFew).getResult(), probe,
        place);
  }
  return index.min(place, index.sub(size, one));
}

/// `tensor` as a vector.
Value flatten(OpBuilder &builder, Location loc, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  int64_t rank = type.getRank();
  if (rank == 1)
    return tensor;
  if (rank == 0)
    return tensor::ExpandShapeOp::create(
        builder, loc, RankedTensorType::get(1, type.getElementType()), tensor,
        ArrayRef<ReassociationIndices>());
  ReassociationIndices all = llvm::to_vector<2>(llvm::seq<int64_t>(0, rank));
  return tensor::CollapseShapeOp::create(builder, loc, tensor,
                                         ArrayRef<ReassociationIndices>{all});
}

/// Whether `x`, a number of any type, is not 0.
Value isNonZero(OpBuilder &builder, Location loc, Value x) {
  if (auto type = dyn_cast<ComplexType>(x.getType()))
    return complex::NotEqualOp::create(builder, loc, x,
                                       omb::createZero(builder, loc, type));
  omb::Scalars s(builder, loc, x.getType());
  x = s.widen(x);
  return s.notEqual(x, s.constant(x, 0));
}

struct NonZeroToGeneric : OpConversionPattern<NonZeroOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(NonZeroOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    Value x = adaptor.getX();
    auto input = dyn_cast<RankedTensorType>(x.getType());
    if (!type || !input)
      return rewriter.notifyMatchFailure(op, "the input has no tensor type");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    int64_t rank = input.getRank();
    Value height = index.constant(rank);
    if (llvm::is_contained(input.getShape(), 0)) {
      rewriter.replaceOp(op, omb::createEmpty(rewriter, loc, type,
                                              {height, index.constant(0)}));
      return success();
    }
    SmallVector<Value> sizes = index.sizes(x);
    Type i32 = rewriter.getI32Type();
    Value isMarked = omb::buildFromIndices(
        rewriter, loc, RankedTensorType::get(input.getShape(), i32), sizes,
        [&](OpBuilder &b, Location, ValueRange at) -> Value {
          Value element = tensor::ExtractOp::create(b, loc, x, at);
          return arith::ExtUIOp::create(b, loc, i32,
                                        isNonZero(b, loc, element));
        });
    Marks marks(rewriter, loc, flatten(rewriter, loc, isMarked));
    SmallVector<Value> resultSizes{height, marks.count()};
    if (rank == 0) {
      rewriter.replaceOp(op,
                         omb::createEmpty(rewriter, loc, type, resultSizes));
      return success();
    }
    marks.rank();
    rewriter.replaceOp(
        op, omb::buildFromIndices(
                rewriter, loc, type, resultSizes,
                [&](OpBuilder &b, Location, ValueRange at) -> Value {
                  Value place = marks.find(b, at[1]);
                  Value coordinate = getCoordinate(b, loc, place, at[0], sizes);
                  return arith::IndexCastOp::create(b, loc, b.getI64Type(),
                                                    coordinate);
                }));
    return success();
  }

  /// Coordinate number `dim` of the element at the flat position `place`.
  static Value getCoordinate(OpBuilder &b, Location loc, Value place, Value dim,
                             ArrayRef<Value> sizes) {
    omb::IndexArithmetic index(b, loc);
    Value result = place;
    for (int64_t at = sizes.size() - 1; at >= 0; --at) {
      // Nothing is found in an empty tensor, so that no size is 0 here.
      Value size = index.max(sizes[at], index.constant(1));
      Value coordinate =
          at == 0 ? place
                  : arith::RemUIOp::create(b, loc, place, size).getResult();
      result = index.select(index.isEqual(dim, index.constant(at)), coordinate,
                            result);
      if (at > 0)
        place = arith::DivUIOp::create(b, loc, place, size);
    }
    return result;
  }
};

struct CompressToGeneric : OpConversionPattern<CompressOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(CompressOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    Value input = adaptor.getInput();
    auto condition =
        dyn_cast<RankedTensorType>(adaptor.getCondition().getType());
    if (!type || !condition || !isa<RankedTensorType>(input.getType()))
      return rewriter.notifyMatchFailure(op,
                                         "the operands have no tensor type");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    int64_t axis = 0;
    if (op.getAxis())
      axis = *op.getAxis() < 0 ? *op.getAxis() + type.getRank() : *op.getAxis();
    else
      input = flatten(rewriter, loc, input);
    SmallVector<Value> sizes = index.sizes(input);
    if (condition.getDimSize(0) == 0 ||
        llvm::is_contained(cast<RankedTensorType>(input.getType()).getShape(),
                           0)) {
      sizes[axis] = index.constant(0);
      rewriter.replaceOp(op, omb::createEmpty(rewriter, loc, type, sizes));
      return success();
    }
    Value size = sizes[axis];
    Type i32 = rewriter.getI32Type();
    Value isMarked = omb::buildFromIndices(
        rewriter, loc, RankedTensorType::get(condition.getShape(), i32),
        index.size(adaptor.getCondition(), 0),
        [&](OpBuilder &b, Location, ValueRange at) -> Value {
          omb::IndexArithmetic inner(b, loc);
          Value isTrue =
              tensor::ExtractOp::create(b, loc, adaptor.getCondition(), at);
          // What lies beyond the input marks nothing.
          Value isInside = inner.isLess(at[0], size);
          return arith::ExtUIOp::create(
              b, loc, i32, arith::AndIOp::create(b, loc, isTrue, isInside));
        });
    Marks marks(rewriter, loc, isMarked);
    sizes[axis] = marks.count();
    marks.rank();
    rewriter.replaceOp(
        op, omb::buildFromIndices(
                rewriter, loc, type, sizes,
                [&](OpBuilder &b, Location, ValueRange at) -> Value {
                  SmallVector<Value> position(at);
                  position[axis] = marks.find(b, at[axis]);
                  return tensor::ExtractOp::create(b, loc, input, position);
                }));
    return success();
  }
};

} // namespace

void omb::populateSelectionToLinalgPatterns(const TypeConverter &converter,
                                            RewritePatternSet &patterns) {
  patterns.add<TopKToGeneric, NonZeroToGeneric, CompressToGeneric>(
      converter, patterns.getContext());
}
