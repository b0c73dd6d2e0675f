//===- MaxUnpool.cpp - Lowering of MaxUnpool ------------------------------===//
//
// linalg writes every element of a result once, where it computes it. So each
// element looks for the maximum that it was. After a MaxPool that is in one of
// a few windows. The standard allows indices that lie anywhere, though: whether
// they are in their windows is found out at run time, and where one isn't,
// every element looks through all of them.
//
//===----------------------------------------------------------------------===//

#include "dialect/ir/ops/Pooling.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/Scatter.h"
#include "lowering/to_linalg/Windows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

/// One unpooling to the size that the attributes say.
class Unpooling {
public:
  Unpooling(OpBuilder &builder, Location loc, Value x, Value indices,
            const WindowAttributes &windows);

  /// The result's shape.
  ArrayRef<Value> getSizes() const { return sizes; }
  Value build();

private:
  /// How well an index fits.
  enum Fit { OutOfRange = 0, Anywhere = 1, InWindow = 2 };

  /// The Fit of the index that fits worst.
  Value findWorstFit();
  Value getFit(OpBuilder &b, Value target, ValueRange at);
  /// Where each element's maximum is in its plane of `x`; -1 for nowhere.
  Value findMaxima();
  Value findMaximum(OpBuilder &b, ValueRange at, ValueRange steps);
  Value pickMaxima();
  Value scatterAll();

  RankedTensorType getType(Type elementType) const {
    return RankedTensorType::get(
        decomposeMixedValues(getAsOpFoldResult(sizes)).first, elementType);
  }
  /// `position` in a tensor of `dims`, in row-major order.
  static Value flatten(omb::IndexArithmetic index, ValueRange position,
                       ValueRange dims) {
    Value flat = index.constant(0);
    for (auto [at, size] : llvm::zip(position, dims))
      flat = index.add(index.mul(flat, size), at);
    return flat;
  }
  /// The way back.
  static SmallVector<Value> unflatten(omb::IndexArithmetic index, Value flat,
                                      ValueRange dims) {
    SmallVector<Value> position(dims.size());
    for (size_t dim = dims.size(); dim-- > 0;) {
      Value size = index.max(dims[dim], index.constant(1));
      Value quotient = index.div(flat, size);
      position[dim] = index.sub(flat, index.mul(quotient, size));
      flat = quotient;
    }
    return position;
  }

  OpBuilder &builder;
  Location loc;
  Value x;
  Value indices;
  const WindowAttributes &windows;
  omb::IndexArithmetic index;
  int64_t rank;
  SmallVector<Value> from;
  SmallVector<Value> sizes;
  Type elementType;
};

} // namespace

Unpooling::Unpooling(OpBuilder &builder, Location loc, Value x, Value indices,
                     const WindowAttributes &windows)
    : builder(builder), loc(loc), x(x), indices(indices), windows(windows),
      index(builder, loc), rank(windows.getRank()), from(index.sizes(x)),
      sizes(ArrayRef<Value>(from).take_front(2)),
      elementType(cast<RankedTensorType>(x.getType()).getElementType()) {
  for (int64_t dim = 0; dim < rank; ++dim) {
    Value last = index.mul(index.sub(from[2 + dim], index.constant(1)),
                           index.constant(windows.strides[dim]));
    int64_t rest =
        windows.kernel[dim] - windows.padsLow[dim] - windows.padsHigh[dim];
    sizes.push_back(index.add(last, index.constant(rest)));
    index.require(index.isLess(index.constant(-1), sizes.back()),
                  "MaxUnpool has pads that leave nothing");
  }
}

/// The Fit of the index `target` of the element of `x` at `at`.
Value Unpooling::getFit(OpBuilder &b, Value target, ValueRange at) {
  omb::IndexArithmetic inner(b, loc);
  SmallVector<Value> position = unflatten(inner, target, sizes);
  Value total = inner.product(sizes);
  Value isInRange =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, target, total);
  Value fits = arith::AndIOp::create(b, loc, inner.isEqual(position[0], at[0]),
                                     inner.isEqual(position[1], at[1]));
  for (int64_t dim = 0; dim < rank; ++dim) {
    Value start =
        inner.sub(inner.mul(at[2 + dim], inner.constant(windows.strides[dim])),
                  inner.constant(windows.padsLow[dim]));
    Value isIn = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult,
                                       inner.sub(position[2 + dim], start),
                                       inner.constant(windows.kernel[dim]));
    fits = arith::AndIOp::create(b, loc, fits, isIn);
  }
  auto constant = [&](Fit fit) -> Value {
    return arith::ConstantIntOp::create(b, loc, fit, 32);
  };
  Value fit = inner.select(fits, constant(InWindow), constant(Anywhere));
  return inner.select(isInRange, fit, constant(OutOfRange));
}

Value Unpooling::findWorstFit() {
  Type i32 = builder.getI32Type();
  auto type = RankedTensorType::get({}, i32);
  Value best = arith::ConstantIntOp::create(builder, loc, InWindow, 32);
  Value init = omb::createFilled(builder, loc, type, {}, best);
  SmallVector<AffineMap> maps = {
      builder.getMultiDimIdentityMap(2 + rank),
      AffineMap::get(2 + rank, 0, builder.getContext())};
  SmallVector<utils::IteratorType> iterators(2 + rank,
                                             utils::IteratorType::reduction);
  auto generic = linalg::GenericOp::create(
      builder, loc, type, indices, init, maps, iterators,
      [&](OpBuilder &b, Location, ValueRange arguments) {
        SmallVector<Value> at;
        for (int64_t dim = 0; dim < 2 + rank; ++dim)
          at.push_back(linalg::IndexOp::create(b, loc, dim));
        Value target = arith::IndexCastOp::create(b, loc, b.getIndexType(),
                                                  arguments.front());
        Value worst = arith::MinSIOp::create(b, loc, arguments.back(),
                                             getFit(b, target, at));
        linalg::YieldOp::create(b, loc, worst);
      });
  return tensor::ExtractOp::create(builder, loc, generic.getResult(0),
                                   ValueRange());
}

/// The window that has element `at` of the result, `steps` after the first that
/// may, if its maximum is there: where it is in its plane, or -1.
Value Unpooling::findMaximum(OpBuilder &b, ValueRange at, ValueRange steps) {
  omb::IndexArithmetic inner(b, loc);
  SmallVector<Value> window(at.take_front(2));
  Value fits;
  for (int64_t dim = 0; dim < rank; ++dim) {
    int64_t stride = windows.strides[dim];
    int64_t count = llvm::divideCeil(windows.kernel[dim], stride);
    Value last =
        inner.div(inner.add(at[2 + dim], inner.constant(windows.padsLow[dim])),
                  inner.constant(stride));
    Value which =
        inner.add(inner.sub(last, inner.constant(count - 1)), steps[dim]);
    Value isIn = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, which,
                                       from[2 + dim]);
    fits = fits ? arith::AndIOp::create(b, loc, fits, isIn).getResult() : isIn;
    window.push_back(inner.clamp(which, inner.constant(0),
                                 inner.sub(from[2 + dim], inner.constant(1))));
  }
  Value target = arith::IndexCastOp::create(
      b, loc, b.getIndexType(),
      tensor::ExtractOp::create(b, loc, indices, window));
  Value isHit = inner.isEqual(target, flatten(inner, at, sizes));
  if (fits)
    isHit = arith::AndIOp::create(b, loc, isHit, fits);
  Value place = flatten(inner, ValueRange(window).drop_front(2),
                        ValueRange(from).drop_front(2));
  return inner.select(isHit, place, inner.constant(-1));
}

Value Unpooling::findMaxima() {
  RankedTensorType type = getType(builder.getI64Type());
  Value none = arith::ConstantIntOp::create(builder, loc, -1, 64);
  Value init = omb::createFilled(builder, loc, type, sizes, none);
  SmallVector<Value> counts;
  for (int64_t dim = 0; dim < rank; ++dim)
    counts.push_back(index.constant(
        llvm::divideCeil(windows.kernel[dim], windows.strides[dim])));
  return omb::reducePositions(
      builder, loc, counts, init,
      [&](OpBuilder &b, Location, ValueRange at, ValueRange steps,
          Value best) -> Value {
        Value place = findMaximum(b, at, steps);
        place = arith::IndexCastOp::create(b, loc, b.getI64Type(), place);
        return arith::MaxSIOp::create(b, loc, best, place);
      });
}

Value Unpooling::pickMaxima() {
  Value places = findMaxima();
  return omb::mapElements(
      builder, loc, places, elementType,
      [&](OpBuilder &b, Location, Value place) -> Value {
        omb::IndexArithmetic inner(b, loc);
        Value at = arith::IndexCastOp::create(b, loc, b.getIndexType(), place);
        Value isHit = inner.isLess(inner.constant(-1), at);
        SmallVector<Value> position = {linalg::IndexOp::create(b, loc, 0),
                                       linalg::IndexOp::create(b, loc, 1)};
        llvm::append_range(position,
                           unflatten(inner, inner.max(at, inner.constant(0)),
                                     ValueRange(from).drop_front(2)));
        Value found = tensor::ExtractOp::create(b, loc, x, position);
        return inner.select(isHit, found, omb::createZero(b, loc, elementType));
      });
}

Value Unpooling::scatterAll() {
  RankedTensorType type = getType(elementType);
  Value zeros = omb::createFilled(builder, loc, type, sizes,
                                  omb::createZero(builder, loc, elementType));
  Value result = omb::buildVectorScatter(
      builder, loc, omb::flatten(builder, loc, zeros),
      omb::flatten(builder, loc, indices), omb::flatten(builder, loc, x));
  ReassociationIndices all =
      llvm::to_vector<2>(llvm::seq<int64_t>(0, 2 + rank));
  return tensor::ExpandShapeOp::create(builder, loc, type, result,
                                       ArrayRef<ReassociationIndices>{all},
                                       index.mixed(sizes));
}

Value Unpooling::build() {
  RankedTensorType type = getType(elementType);
  auto xType = cast<RankedTensorType>(x.getType());
  if (llvm::is_contained(type.getShape(), 0) ||
      llvm::is_contained(xType.getShape(), 0))
    return omb::createFilled(builder, loc, type, sizes,
                             omb::createZero(builder, loc, elementType));
  Value fit = findWorstFit();
  auto isAtLeast = [&](Fit least) -> Value {
    Value bound = arith::ConstantIntOp::create(builder, loc, least, 32);
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge, fit,
                                 bound);
  };
  omb::createAssert(builder, loc, isAtLeast(Anywhere),
                    "an index of MaxUnpool is out of range");
  OpBuilder::InsertionGuard guard(builder);
  auto choice = scf::IfOp::create(builder, loc, type, isAtLeast(InWindow),
                                  /*withElseRegion=*/true);
  builder.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(builder, loc, pickMaxima());
  builder.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(builder, loc, scatterAll());
  return choice.getResult(0);
}

namespace {

struct MaxUnpoolToGeneric : OpConversionPattern<MaxUnpoolOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(MaxUnpoolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    auto input = dyn_cast<RankedTensorType>(adaptor.getX().getType());
    auto indices = dyn_cast<RankedTensorType>(adaptor.getI().getType());
    if (!type || !input || !indices)
      return rewriter.notifyMatchFailure(op,
                                         "the rank of an operand isn't known");
    if (input.getRank() < 3 || indices.getRank() != input.getRank() ||
        type.getRank() != input.getRank())
      return rewriter.notifyMatchFailure(
          op, "the ranks of the input, the indices and the result differ");
    FailureOr<WindowAttributes> windows =
        getWindowAttributes(op, input.getRank() - 2);
    if (failed(windows))
      return rewriter.notifyMatchFailure(op, "its attributes are invalid");
    Location loc = op.getLoc();
    omb::IndexArithmetic index(rewriter, loc);
    for (int64_t dim = 0; dim < input.getRank(); ++dim)
      index.require(index.isEqual(index.size(adaptor.getX(), dim),
                                  index.size(adaptor.getI(), dim)),
                    "the input and indices of MaxUnpool differ in shape");
    Unpooling unpooling(rewriter, loc, adaptor.getX(), adaptor.getI(),
                        *windows);
    Value result = unpooling.build();
    if (adaptor.getOutputShape())
      result = enlarge(rewriter, loc, result, adaptor.getOutputShape());
    rewriter.replaceOp(op, omb::castTensor(rewriter, loc, result, type));
    return success();
  }

  /// `tensor` in the front of one of `shape`, with zeros after it.
  static Value enlarge(OpBuilder &builder, Location loc, Value tensor,
                       Value shape) {
    omb::IndexArithmetic index(builder, loc);
    auto type = cast<RankedTensorType>(tensor.getType());
    SmallVector<OpFoldResult> low(type.getRank(), builder.getIndexAttr(0));
    SmallVector<OpFoldResult> high;
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      Value more =
          index.sub(index.element(shape, dim), index.size(tensor, dim));
      index.require(index.isLess(index.constant(-1), more),
                    "the output_shape of MaxUnpool is too small");
      high.push_back(getAsOpFoldResult(more));
    }
    Value zero = omb::createZero(builder, loc, type.getElementType());
    return tensor::PadOp::create(builder, loc, /*resultType=*/Type(), tensor,
                                 low, high, zero);
  }
};

} // namespace

void omb::populateMaxUnpoolToLinalgPatterns(const TypeConverter &converter,
                                            RewritePatternSet &patterns) {
  patterns.add<MaxUnpoolToGeneric>(converter, patterns.getContext());
}
