//===- Scan.cpp - Lowering of running sums and products -------------------===//

#include "dialect/ir/ops/Reduction.h"
#include "dialect/shape/ShapeInference.h"
#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/ReductionSpace.h"
#include "lowering/to_linalg/Reshape.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace omb;
using namespace omb::onnx;

namespace {

/// Running totals along one dimension. Each is computed by itself, from up to
/// kBlock elements, so that all of a block are computed in parallel; the totals
/// of the blocks are scanned in turn, and added.
class Scan {
public:
  static constexpr int64_t kBlock = 64;
  /// Blocks of blocks, where the size is known at run time only. What is left
  /// after these is taken for small.
  static constexpr int kMaxLevels = 2;

  using Combine = Value (Scalars::*)(Value, Value);

  Scan(OpBuilder &builder, Location loc, Type onnxElementType, Combine combine,
       double identity, bool isReverse)
      : builder(builder), loc(loc), onnxElementType(onnxElementType),
        combine(combine), identity(identity), isReverse(isReverse) {}

  /// `data` has the type that is computed in.
  Value build(Value data, int64_t axis, bool isExclusive,
              int levels = kMaxLevels);

private:
  Value scanDirectly(Value data, int64_t axis, bool isExclusive);
  Value scanBlocks(Value data, int64_t axis, bool isExclusive, int levels);
  /// The same with the dimension `axis` split into blocks; what is missing in
  /// the last one is filled with the identity.
  Value split(Value data, int64_t axis);
  Value createIdentity(Type type) {
    return Scalars(builder, loc, onnxElementType).constant(type, identity);
  }

  OpBuilder &builder;
  Location loc;
  Type onnxElementType;
  Combine combine;
  double identity;
  bool isReverse;
};

} // namespace

Value Scan::build(Value data, int64_t axis, bool isExclusive, int levels) {
  auto type = cast<RankedTensorType>(data.getType());
  int64_t size = type.getDimSize(axis);
  bool isSmall = type.isDynamicDim(axis) ? levels == 0 : size <= 2 * kBlock;
  if (isSmall || llvm::is_contained(type.getShape(), 0))
    return scanDirectly(data, axis, isExclusive);
  return scanBlocks(data, axis, isExclusive, levels);
}

Value Scan::scanDirectly(Value data, int64_t axis, bool isExclusive) {
  auto type = cast<RankedTensorType>(data.getType());
  int64_t rank = type.getRank();
  IndexArithmetic index(builder, loc);
  Value init = createEmpty(builder, loc, type, index.sizes(data));
  if (llvm::is_contained(type.getShape(), 0))
    return init;
  init = linalg::FillOp::create(builder, loc,
                                createIdentity(type.getElementType()), init)
             .getResult(0);
  // Dimension `rank` of the loops goes along the axis for each result.
  SmallVector<AffineExpr> exprs;
  for (int64_t dim = 0; dim < rank; ++dim)
    exprs.push_back(builder.getAffineDimExpr(dim == axis ? rank : dim));
  MLIRContext *context = builder.getContext();
  AffineMap dataMap = AffineMap::get(rank + 1, 0, exprs, context);
  for (int64_t dim = 0; dim < rank; ++dim)
    exprs[dim] = builder.getAffineDimExpr(dim);
  AffineMap resultMap = AffineMap::get(rank + 1, 0, exprs, context);
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  auto generic = linalg::GenericOp::create(
      builder, loc, type, data, init, ArrayRef{dataMap, resultMap}, iterators,
      [&](OpBuilder &b, Location bodyLoc, ValueRange arguments) {
        Scalars s(b, bodyLoc, onnxElementType);
        Value at = linalg::IndexOp::create(s, axis);
        Value from = linalg::IndexOp::create(s, rank);
        if (isReverse)
          std::swap(at, from);
        Value counts = arith::CmpIOp::create(
            s,
            isExclusive ? arith::CmpIPredicate::slt : arith::CmpIPredicate::sle,
            from, at);
        Value total = (s.*combine)(arguments[1], arguments[0]);
        linalg::YieldOp::create(s, s.select(counts, total, arguments[1]));
      });
  return generic.getResult(0);
}

Value Scan::split(Value data, int64_t axis) {
  auto type = cast<RankedTensorType>(data.getType());
  IndexArithmetic index(builder, loc);
  Value block = index.constant(kBlock);
  SmallVector<Value> sizes = index.sizes(data);
  Value size = sizes[axis];
  SmallVector<int64_t> shape(type.getShape());
  bool isWhole = shape[axis] % kBlock == 0 && !type.isDynamicDim(axis);
  if (!type.isDynamicDim(axis))
    shape[axis] = llvm::divideCeil(shape[axis], kBlock);
  shape.insert(shape.begin() + axis + 1, kBlock);
  sizes[axis] = index.ceilDiv(size, block);
  sizes.insert(sizes.begin() + axis + 1, block);
  auto blocksType = RankedTensorType::get(shape, type.getElementType());
  if (isWhole)
    return tensor::ExpandShapeOp::create(builder, loc, blocksType, data,
                                         getSplitGroups(type.getRank(), axis),
                                         getAsOpFoldResult(sizes));
  return buildFromIndices(
      builder, loc, blocksType, sizes,
      [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
        IndexArithmetic inner(b, bodyLoc);
        Value position = inner.add(inner.mul(at[axis], block), at[axis + 1]);
        SmallVector<Value> indices(at);
        indices.erase(indices.begin() + axis);
        indices[axis] = inner.inBounds(position, size);
        Scalars s(b, bodyLoc, onnxElementType);
        Value element = tensor::ExtractOp::create(s, data, indices);
        return s.select(inner.isLess(position, size), element,
                        s.constant(element, identity));
      });
}

Value Scan::scanBlocks(Value data, int64_t axis, bool isExclusive, int levels) {
  auto type = cast<RankedTensorType>(data.getType());
  Value blocks = split(data, axis);
  Value inner = scanDirectly(blocks, axis + 1, isExclusive);
  ReductionSpace space(builder, loc, blocks, axis + 1);
  Value totals = space.reduce(
      blocks, /*statistics=*/{}, createIdentity(type.getElementType()),
      [&](OpBuilder &b, Location bodyLoc, ValueRange x) -> Value {
        Scalars s(b, bodyLoc, onnxElementType);
        return (s.*combine)(x[1], x[0]);
      });
  Value before = build(totals, axis, /*isExclusive=*/true, levels - 1);

  auto blocksType = cast<RankedTensorType>(blocks.getType());
  int64_t rank = blocksType.getRank();
  AffineMap identityMap = builder.getMultiDimIdentityMap(rank);
  SmallVector<utils::IteratorType> parallel(rank,
                                            utils::IteratorType::parallel);
  auto sum = linalg::GenericOp::create(
      builder, loc, blocksType, ValueRange{inner, before}, inner,
      ArrayRef{identityMap, identityMap.dropResult(axis + 1), identityMap},
      parallel, [&](OpBuilder &b, Location bodyLoc, ValueRange arguments) {
        Scalars s(b, bodyLoc, onnxElementType);
        linalg::YieldOp::create(s, (s.*combine)(arguments[0], arguments[1]));
      });
  Value joined = tensor::CollapseShapeOp::create(
      builder, loc, sum.getResult(0), getSplitGroups(type.getRank(), axis));
  SmallVector<OpFoldResult> sizes =
      getAsOpFoldResult(IndexArithmetic(builder, loc).sizes(data));
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(builder, loc, type, joined, offsets,
                                        sizes, strides);
}

namespace {

template <typename OpT> struct ScanToGeneric : OpConversionPattern<OpT> {
  using OpConversionPattern<OpT>::OpConversionPattern;

  LogicalResult
  matchAndRewrite(OpT op, typename OpT::Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value data = adaptor.getX();
    auto dataType = dyn_cast<RankedTensorType>(data.getType());
    auto type =
        this->getTypeConverter()->template convertType<RankedTensorType>(
            op.getType());
    auto axisType = dyn_cast<RankedTensorType>(adaptor.getAxis().getType());
    if (!dataType || !type)
      return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
    if (!axisType || axisType.getRank() > 1 ||
        llvm::is_contained(axisType.getShape(), 0))
      return rewriter.notifyMatchFailure(op, "the axis is not one number");
    Location loc = op.getLoc();
    int64_t rank = dataType.getRank();
    std::optional<SmallVector<int64_t>> axis =
        getConstantIntegers(op.getAxis());
    if (!axis && rank == 1)
      axis = SmallVector<int64_t>{0};
    if (axis) {
      std::optional<int64_t> dim = normalizeAxis(axis->front(), rank);
      if (!dim)
        return rewriter.notifyMatchFailure(op, "the axis is out of range");
      Value result = scan(op, rewriter, data, *dim);
      rewriter.replaceOp(op, castTensor(rewriter, loc, result, type));
      return success();
    }
    if (rank == 0)
      return rewriter.notifyMatchFailure(op, "a scalar has no axis");
    rewriter.replaceOp(
        op,
        castTensor(rewriter, loc,
                   scanAtRunTime(op, rewriter, data, adaptor.getAxis()), type));
    return success();
  }

  static Value scan(OpT op, OpBuilder &builder, Value data, int64_t axis) {
    constexpr bool isSum = std::is_same_v<OpT, CumSumOp>;
    Location loc = op.getLoc();
    Type elementType = getElementTypeOrSelf(data.getType());
    data = convertFloats(builder, loc, data, getAccumulatorType(elementType));
    Scan scan(builder, loc, getElementTypeOrSelf(op.getType()),
              isSum ? Scan::Combine(&Scalars::add)
                    : Scan::Combine(&Scalars::mul),
              isSum ? 0 : 1, op.getReverse());
    return convertFloats(
        builder, loc, scan.build(data, axis, op.getExclusive()), elementType);
  }

  /// Whatever the axis, the elements are a tensor of three dimensions: those
  /// before, the axis, those behind.
  static Value scanAtRunTime(OpT op, OpBuilder &builder, Value data,
                             Value axis) {
    Location loc = op.getLoc();
    auto type = cast<RankedTensorType>(data.getType());
    IndexArithmetic index(builder, loc);
    Value rank = index.constant(type.getRank());
    Value at = index.fromFront(index.element(axis, 0), rank);
    for (Value isValid :
         {index.isLess(index.constant(-1), at), index.isLess(at, rank)})
      index.require(isValid, op->getName().stripDialect() +
                                 " has an axis that is out of range");
    SmallVector<Value> sizes(3, index.constant(1));
    SmallVector<Value> dataSizes = index.sizes(data);
    for (auto [dim, size] : llvm::enumerate(dataSizes)) {
      Value position = index.constant(dim);
      SmallVector<Value> isPart{index.isLess(position, at),
                                index.isEqual(position, at),
                                index.isLess(at, position)};
      for (auto [part, condition] : llvm::enumerate(isPart))
        sizes[part] = index.mul(
            sizes[part], index.select(condition, size, index.constant(1)));
    }
    auto partsType = RankedTensorType::get(
        SmallVector<int64_t>(3, ShapedType::kDynamic), type.getElementType());
    Value parts = buildReshape(builder, loc, data, type, partsType, sizes);
    return buildReshape(builder, loc, scan(op, builder, parts, 1), partsType,
                        type, dataSizes);
  }
};

} // namespace

void omb::populateScanToLinalgPatterns(const TypeConverter &converter,
                                       RewritePatternSet &patterns) {
  patterns.add<ScanToGeneric<CumSumOp>, ScanToGeneric<CumProdOp>>(
      converter, patterns.getContext());
}
