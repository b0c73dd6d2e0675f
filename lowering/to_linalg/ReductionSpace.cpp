//===- ReductionSpace.cpp - Reducing dimensions of a tensor ---------------===//

#include "lowering/to_linalg/ReductionSpace.h"

#include "dialect/ir/OnnxDialect.h"
#include "dialect/shape/ShapeInference.h"
#include "lowering/to_linalg/IndexArithmetic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using mlir::utils::IteratorType;
using omb::ReductionSpace;

ReductionSpace::ReductionSpace(OpBuilder &builder, Location loc, Value input,
                               ArrayRef<int64_t> axes)
    : builder(builder), loc(loc),
      inputType(cast<RankedTensorType>(input.getType())), axes(axes) {
  IndexArithmetic index(builder, loc);
  int64_t rank = inputType.getRank();
  SmallVector<unsigned> kept;
  count = index.constant(1);
  for (int64_t dim = 0; dim < rank; ++dim) {
    bool isReduced = llvm::is_contained(axes, dim);
    iterators.push_back(isReduced ? IteratorType::reduction
                                  : IteratorType::parallel);
    if (isReduced) {
      count = index.mul(count, index.size(input, dim));
      continue;
    }
    kept.push_back(dim);
    keptShape.push_back(inputType.getDimSize(dim));
    keptSizes.push_back(index.size(input, dim));
  }
  MLIRContext *context = builder.getContext();
  inputMap = AffineMap::getMultiDimIdentityMap(rank, context);
  keptMap = kept.empty()
                ? AffineMap::get(rank, 0, context)
                : AffineMap::getMultiDimMapWithTargets(rank, kept, context);
}

// Like a pooling whose window is as large as the dimension where that is
// reduced, and 1 elsewhere.
ReductionSpace::ReductionSpace(OpBuilder &builder, Location loc, Value input,
                               ValueRange isReduced)
    : builder(builder), loc(loc),
      inputType(cast<RankedTensorType>(input.getType())) {
  IndexArithmetic index(builder, loc);
  int64_t rank = inputType.getRank();
  Value one = index.constant(1);
  SmallVector<AffineExpr> inputExprs, keptExprs, windowExprs;
  for (int64_t dim = 0; dim < rank; ++dim) {
    Value size = index.size(input, dim);
    keptShape.push_back(ShapedType::kDynamic);
    keptSizes.push_back(index.select(isReduced[dim], one, size));
    windowSizes.push_back(index.select(isReduced[dim], size, one));
    keptExprs.push_back(builder.getAffineDimExpr(dim));
    windowExprs.push_back(builder.getAffineDimExpr(rank + dim));
    inputExprs.push_back(keptExprs.back() + windowExprs.back());
  }
  iterators.append(rank, IteratorType::parallel);
  iterators.append(rank, IteratorType::reduction);
  MLIRContext *context = builder.getContext();
  inputMap = AffineMap::get(2 * rank, 0, inputExprs, context);
  keptMap = AffineMap::get(2 * rank, 0, keptExprs, context);
  windowMap = AffineMap::get(2 * rank, 0, windowExprs, context);
  count = index.product(windowSizes);
}

Value ReductionSpace::getCount(Scalars &scalars, Type type) const {
  APInt known;
  if (matchPattern(count, m_ConstantInt(&known)))
    return scalars.constant(type, known.getSExtValue());
  auto integer = dyn_cast<IntegerType>(type);
  Value result = arith::IndexCastOp::create(
      scalars, integer ? integer : scalars.getI64Type(), count);
  if (!integer)
    result = arith::SIToFPOp::create(scalars, type, result);
  return result;
}

Value ReductionSpace::createStatistic(Type elementType) {
  return createEmpty(builder, loc,
                     RankedTensorType::get(keptShape, elementType), keptSizes);
}

SmallVector<Value> ReductionSpace::reduce(ValueRange inputs,
                                          ValueRange statistics,
                                          ValueRange starts,
                                          ReductionBody body) {
  SmallVector<Value> inits;
  for (Value start : starts)
    inits.push_back(linalg::FillOp::create(builder, loc, start,
                                           createStatistic(start.getType()))
                        .getResult(0));
  if (llvm::is_contained(inputType.getShape(), 0))
    return inits;
  SmallVector<Value> operands(inputs);
  SmallVector<AffineMap> maps(inputs.size(), inputMap);
  llvm::append_range(operands, statistics);
  maps.append(statistics.size(), keptMap);
  size_t elementCount = operands.size();
  if (!windowSizes.empty()) {
    // Only its sizes matter.
    operands.push_back(tensor::EmptyOp::create(
        builder, loc, getAsOpFoldResult(windowSizes), builder.getI1Type()));
    maps.push_back(windowMap);
  }
  maps.append(inits.size(), keptMap);
  auto generic = linalg::GenericOp::create(
      builder, loc, TypeRange(ValueRange(inits)), operands, inits, maps,
      iterators, [&](OpBuilder &b, Location bodyLoc, ValueRange arguments) {
        linalg::YieldOp::create(b, bodyLoc,
                                body(b, bodyLoc,
                                     arguments.take_front(elementCount),
                                     arguments.take_back(inits.size())));
      });
  return SmallVector<Value>(generic.getResults());
}

Value ReductionSpace::reduce(ValueRange inputs, ValueRange statistics,
                             Value start, ScalarBody body) {
  return reduce(inputs, statistics, ValueRange(start),
                [&](OpBuilder &b, Location bodyLoc, ValueRange elements,
                    ValueRange accumulators) {
                  SmallVector<Value> arguments(elements);
                  arguments.push_back(accumulators.front());
                  return SmallVector<Value>{body(b, bodyLoc, arguments)};
                })
      .front();
}

Value ReductionSpace::map(ValueRange statistics, Type elementType,
                          ScalarBody body) {
  Value init = createStatistic(elementType);
  if (llvm::is_contained(keptShape, 0))
    return init;
  int64_t rank = keptShape.size();
  SmallVector<AffineMap> maps(statistics.size() + 1,
                              builder.getMultiDimIdentityMap(rank));
  SmallVector<IteratorType> parallel(rank, IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, init.getType(), statistics, init, maps, parallel,
      [&](OpBuilder &b, Location bodyLoc, ValueRange arguments) {
        linalg::YieldOp::create(
            b, bodyLoc,
            body(b, bodyLoc, arguments.take_front(statistics.size())));
      });
  return generic.getResult(0);
}

Value ReductionSpace::keepDims(Value statistic) {
  if (axes.empty())
    return statistic;
  SmallVector<int64_t> shape;
  SmallVector<OpFoldResult> sizes;
  SmallVector<ReassociationIndices> groups(keptShape.size());
  size_t next = 0;
  for (int64_t dim = 0; dim < inputType.getRank(); ++dim) {
    bool isReduced = llvm::is_contained(axes, dim);
    // A reduced dimension goes with the kept one before it, or the first one.
    if (!groups.empty())
      groups[isReduced && next > 0 ? next - 1 : next].push_back(dim);
    shape.push_back(isReduced ? 1 : keptShape[next]);
    sizes.push_back(isReduced ? OpFoldResult(builder.getIndexAttr(1))
                              : getAsOpFoldResult(keptSizes[next]));
    next += !isReduced;
  }
  auto elementType = cast<RankedTensorType>(statistic.getType());
  return tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get(shape, elementType.getElementType()),
      statistic, groups, sizes);
}

std::optional<SmallVector<int64_t>>
omb::getAxesFromFront(ArrayRef<int64_t> axes, int64_t rank) {
  SmallVector<int64_t> result;
  for (int64_t axis : axes) {
    std::optional<int64_t> dim = onnx::normalizeAxis(axis, rank);
    if (!dim)
      return std::nullopt;
    result.push_back(*dim);
  }
  llvm::sort(result);
  result.erase(llvm::unique(result), result.end());
  return result;
}

RankedTensorType omb::getKeptType(RankedTensorType onnxInput,
                                  ArrayRef<int64_t> axes, Type elementType) {
  SmallVector<int64_t> shape(onnxInput.getShape());
  for (int64_t axis : axes)
    shape[axis] = 1;
  Attribute encoding = onnxInput.getEncoding();
  if (auto dims = dyn_cast_if_present<onnx::DimsAttr>(encoding)) {
    SmallVector<StringAttr> names(dims.getNames());
    for (int64_t axis : axes)
      names[axis] = StringAttr::get(onnxInput.getContext());
    encoding = onnx::DimsAttr::get(onnxInput.getContext(), names);
  }
  return RankedTensorType::get(shape, elementType, encoding);
}
