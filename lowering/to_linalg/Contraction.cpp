//===- Contraction.cpp - Sums of products over labeled dimensions ---------===//

#include "lowering/to_linalg/Contraction.h"

#include "dialect/ir/OnnxDialect.h"
#include "lowering/to_linalg/Broadcast.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Scalars.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace omb;

using Labels = ArrayRef<int64_t>;

Factor Factor::get(Value tensor, RankedTensorType onnxType, Labels labels) {
  Factor factor{tensor, SmallVector<int64_t>(labels),
                SmallVector<StringAttr>(labels.size())};
  if (auto dims = dyn_cast_if_present<onnx::DimsAttr>(onnxType.getEncoding()))
    for (auto [name, known] : llvm::zip(factor.names, dims.getNames()))
      name = known.empty() ? StringAttr() : known;
  return factor;
}

static int64_t findLabel(Labels labels, int64_t label) {
  const int64_t *found = llvm::find(labels, label);
  return found == labels.end() ? -1 : found - labels.begin();
}

int64_t Factor::getDim(int64_t label) const { return findLabel(labels, label); }

static int64_t getSize(const Factor &factor, int64_t label) {
  return factor.getType().getDimSize(factor.getDim(label));
}

bool omb::isSameSize(const Factor &lhs, const Factor &rhs, int64_t label) {
  int64_t size = getSize(lhs, label);
  if (!ShapedType::isDynamic(size) ||
      !ShapedType::isDynamic(getSize(rhs, label)))
    return size == getSize(rhs, label);
  StringAttr name = lhs.names[lhs.getDim(label)];
  return name && name == rhs.names[rhs.getDim(label)];
}

//===----------------------------------------------------------------------===//
// Alignment
//===----------------------------------------------------------------------===//

void omb::dropUnit(OpBuilder &builder, Location loc, Factor &factor,
                   int64_t label) {
  RankedTensorType type = factor.getType();
  int64_t dim = factor.getDim(label);
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + dim);
  // The neighbor takes it in.
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    bool joins = i == dim ? i > 0 : (i == 1 && dim == 0);
    if (!joins)
      groups.emplace_back();
    groups.back().push_back(i);
  }
  if (shape.empty())
    groups.clear();
  factor.tensor = tensor::CollapseShapeOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()),
      factor.tensor, groups);
  factor.labels.erase(factor.labels.begin() + dim);
  factor.names.erase(factor.names.begin() + dim);
}

void omb::repeat(OpBuilder &builder, Location loc, Factor &factor,
                 int64_t label, Value size) {
  IndexArithmetic index(builder, loc);
  RankedTensorType type = factor.getType();
  int64_t dim = factor.getDim(label);
  SmallVector<Value> sizes = index.sizes(factor.tensor);
  Value isOne = index.isEqual(sizes[dim], index.constant(1));
  sizes[dim] = size;
  factor.tensor = buildFromIndices(
      builder, loc, type, sizes,
      [&](OpBuilder &b, Location bodyLoc, ValueRange at) -> Value {
        IndexArithmetic inner(b, bodyLoc);
        SmallVector<Value> position(at);
        position[dim] = inner.select(isOne, inner.constant(0), at[dim]);
        return tensor::ExtractOp::create(b, bodyLoc, factor.tensor, position);
      });
}

/// Makes the sizes of `label` equal at run time.
static void alignAtRunTime(OpBuilder &builder, Location loc,
                           ArrayRef<Factor *> factors, int64_t label,
                           bool mayBroadcast) {
  IndexArithmetic index(builder, loc);
  Value one = index.constant(1);
  SmallVector<Value> sizes;
  Value common;
  for (Factor *factor : factors)
    sizes.push_back(index.size(factor->tensor, factor->getDim(label)));
  for (Value size : sizes)
    common = common && mayBroadcast
                 ? index.select(index.isEqual(common, one), size, common)
             : common ? common
                      : size;
  for (auto [factor, size] : llvm::zip(factors, sizes)) {
    Value fits = index.isEqual(size, common);
    if (mayBroadcast) {
      Value isOne = index.isEqual(size, one);
      fits = index.select(isOne, isOne, fits);
    }
    index.require(fits, "dimensions of the operands don't fit: their sizes "
                        "differ");
    if (!mayBroadcast)
      continue;
    factor->names[factor->getDim(label)] = nullptr;
    if (ShapedType::isDynamic(getSize(*factor, label)))
      repeat(builder, loc, *factor, label, common);
  }
}

/// Writes the static size of `label` into the types.
static void shareStaticSize(OpBuilder &builder, Location loc,
                            ArrayRef<Factor *> factors, int64_t label) {
  int64_t size = ShapedType::kDynamic;
  for (Factor *factor : factors)
    if (!ShapedType::isDynamic(getSize(*factor, label)))
      size = getSize(*factor, label);
  for (Factor *factor : factors) {
    RankedTensorType type = factor->getType();
    SmallVector<int64_t> shape(type.getShape());
    shape[factor->getDim(label)] = size;
    factor->tensor = castTensor(builder, loc, factor->tensor,
                                type.clone(ArrayRef<int64_t>(shape)));
  }
}

void omb::alignFactors(OpBuilder &builder, Location loc,
                       MutableArrayRef<Factor> factors,
                       function_ref<bool(int64_t)> mayBroadcast) {
  llvm::SetVector<int64_t> labels;
  for (const Factor &factor : factors)
    labels.insert_range(factor.labels);
  for (int64_t label : labels) {
    SmallVector<Factor *> units, others;
    for (Factor &factor : factors)
      if (factor.getDim(label) >= 0)
        (getSize(factor, label) == 1 && mayBroadcast(label) ? units : others)
            .push_back(&factor);
    if (others.empty())
      continue;
    for (Factor *factor : units)
      dropUnit(builder, loc, *factor, label);
    if (others.size() == 1)
      continue;
    bool isSame = llvm::all_of(others, [&](Factor *factor) {
      return isSameSize(*factor, *others.front(), label);
    });
    if (isSame)
      continue;
    alignAtRunTime(builder, loc, others, label, mayBroadcast(label));
    shareStaticSize(builder, loc, others, label);
  }
}

//===----------------------------------------------------------------------===//
// Contraction
//===----------------------------------------------------------------------===//

namespace {

/// One contraction after neighboring labels have been merged.
class Contraction {
public:
  Contraction(OpBuilder &builder, Location loc, const Factor &lhs,
              const Factor &rhs, Labels result, Type accumulator)
      : builder(builder), loc(loc), lhs(lhs), rhs(rhs), result(result),
        accumulator(accumulator) {}

  Factor build();

private:
  bool isMergeable(int64_t label, int64_t next) const;
  SmallVector<ReassociationIndices> getGroups(Labels labels) const;
  Factor collapse(const Factor &factor) const;
  Value expand(Value collapsed, RankedTensorType type);
  OpFoldResult getSize(int64_t label);
  Value createZeros(ArrayRef<OpFoldResult> sizes, Type elementType);

  Value contract(const Factor &a, const Factor &b, Labels labels, Value init);
  Value contractNamed(const Factor &a, const Factor &b, Labels labels,
                      Value init);
  Value contractGeneric(const Factor &a, const Factor &b, Labels labels,
                        Value init);
  AffineMap getMap(Labels loops, Labels labels) const;

  OpBuilder &builder;
  Location loc;
  const Factor &lhs;
  const Factor &rhs;
  Labels result;
  Type accumulator;
};

} // namespace

/// Whether `next` comes right after `label` wherever one of them occurs.
bool Contraction::isMergeable(int64_t label, int64_t next) const {
  for (Labels labels : {Labels(lhs.labels), Labels(rhs.labels), result}) {
    int64_t at = findLabel(labels, label);
    int64_t nextAt = findLabel(labels, next);
    if (at < 0 ? nextAt >= 0 : nextAt != at + 1)
      return false;
  }
  return true;
}

SmallVector<ReassociationIndices> Contraction::getGroups(Labels labels) const {
  SmallVector<ReassociationIndices> groups;
  for (int64_t dim = 0; dim < int64_t(labels.size()); ++dim) {
    if (dim == 0 || !isMergeable(labels[dim - 1], labels[dim]))
      groups.emplace_back();
    groups.back().push_back(dim);
  }
  return groups;
}

/// `factor` with merged dimensions, each of which has its first label.
Factor Contraction::collapse(const Factor &factor) const {
  SmallVector<ReassociationIndices> groups = getGroups(factor.labels);
  Factor collapsed = factor;
  collapsed.labels.clear();
  collapsed.names.assign(groups.size(), StringAttr());
  for (const ReassociationIndices &group : groups)
    collapsed.labels.push_back(factor.labels[group.front()]);
  if (groups.size() != factor.labels.size())
    collapsed.tensor =
        tensor::CollapseShapeOp::create(builder, loc, factor.tensor, groups);
  return collapsed;
}

Value Contraction::expand(Value collapsed, RankedTensorType type) {
  SmallVector<ReassociationIndices> groups = getGroups(result);
  if (groups.size() == result.size())
    return collapsed;
  SmallVector<OpFoldResult> sizes;
  for (int64_t label : result)
    sizes.push_back(getSize(label));
  return tensor::ExpandShapeOp::create(builder, loc, type, collapsed, groups,
                                       sizes);
}

OpFoldResult Contraction::getSize(int64_t label) {
  const Factor &factor = lhs.getDim(label) >= 0 ? lhs : rhs;
  return tensor::getMixedSize(builder, loc, factor.tensor,
                              factor.getDim(label));
}

Value Contraction::createZeros(ArrayRef<OpFoldResult> sizes, Type elementType) {
  Value empty = tensor::EmptyOp::create(builder, loc, sizes, elementType);
  Value zero = createZero(builder, loc, elementType);
  return linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
}

AffineMap Contraction::getMap(Labels loops, Labels labels) const {
  SmallVector<AffineExpr> exprs;
  for (int64_t label : labels)
    exprs.push_back(builder.getAffineDimExpr(findLabel(loops, label)));
  return AffineMap::get(loops.size(), 0, exprs, builder.getContext());
}

/// As one of linalg's named ops; null where there is none.
Value Contraction::contractNamed(const Factor &a, const Factor &b,
                                 Labels labels, Value init) {
  SmallVector<int64_t> batch, rows, columns, inner;
  for (int64_t label : labels)
    (a.getDim(label) < 0   ? columns
     : b.getDim(label) < 0 ? rows
                           : batch)
        .push_back(label);
  for (int64_t label : a.labels)
    if (findLabel(labels, label) < 0)
      inner.push_back(label);
  if (batch.size() > 1 || rows.size() > 1 || columns.size() > 1 ||
      inner.size() != 1)
    return {};
  auto isIn = [&](Labels order, ArrayRef<Labels> parts) {
    return order == Labels(llvm::to_vector(llvm::concat<const int64_t>(
                        parts[0], parts[1], parts[2])));
  };
  if (!isIn(labels, {batch, rows, columns}))
    return {};
  bool isPlain = isIn(a.labels, {batch, rows, inner}) &&
                 isIn(b.labels, {batch, inner, columns});
  bool startsWithBatch =
      batch.empty() || (a.labels[0] == batch[0] && b.labels[0] == batch[0]);
  SmallVector<Value> inputs{a.tensor, b.tensor};
  auto create = [&](auto op) { return op.getResult(0); };
  if (rows.empty() && columns.empty())
    return isPlain && batch.empty()
               ? create(linalg::DotOp::create(builder, loc, inputs, init))
               : Value();
  if (rows.empty() || columns.empty()) {
    if (!isPlain)
      return {};
    if (batch.empty())
      return rows.empty()
                 ? create(linalg::VecmatOp::create(builder, loc, inputs, init))
                 : create(linalg::MatvecOp::create(builder, loc, inputs, init));
    return rows.empty() ? create(linalg::BatchVecmatOp::create(builder, loc,
                                                               inputs, init))
                        : create(linalg::BatchMatvecOp::create(builder, loc,
                                                               inputs, init));
  }
  if (!startsWithBatch)
    return {};
  SmallVector<int64_t> loops =
      llvm::to_vector(llvm::concat<const int64_t>(labels, Labels(inner)));
  ArrayAttr maps = builder.getAffineMapArrayAttr({getMap(loops, a.labels),
                                                  getMap(loops, b.labels),
                                                  getMap(loops, labels)});
  auto withMaps = [&](auto op) {
    if (!isPlain)
      op.setIndexingMapsAttr(maps);
    return op.getResult(0);
  };
  if (batch.empty())
    return withMaps(linalg::MatmulOp::create(builder, loc, inputs, init));
  return withMaps(linalg::BatchMatmulOp::create(builder, loc, inputs, init));
}

Value Contraction::contractGeneric(const Factor &a, const Factor &b,
                                   Labels labels, Value init) {
  SmallVector<int64_t> loops(labels);
  SmallVector<utils::IteratorType> iterators(labels.size(),
                                             utils::IteratorType::parallel);
  for (int64_t label : a.labels) {
    if (findLabel(labels, label) >= 0)
      continue;
    loops.push_back(label);
    iterators.push_back(utils::IteratorType::reduction);
  }
  SmallVector<AffineMap> maps{getMap(loops, a.labels), getMap(loops, b.labels),
                              getMap(loops, labels)};
  auto generic = linalg::GenericOp::create(
      builder, loc, init.getType(), ValueRange{a.tensor, b.tensor}, init, maps,
      iterators, [&](OpBuilder &b, Location bodyLoc, ValueRange arguments) {
        Type type = arguments[2].getType();
        Scalars s(b, bodyLoc, type);
        Value product =
            s.mul(s.extend(arguments[0], type), s.extend(arguments[1], type));
        linalg::YieldOp::create(b, bodyLoc, s.add(arguments[2], product));
      });
  return generic.getResult(0);
}

Value Contraction::contract(const Factor &a, const Factor &b, Labels labels,
                            Value init) {
  if (Value named = contractNamed(a, b, labels, init))
    return named;
  // Columns before rows: the product of the transposed matrices.
  if (Value named = contractNamed(b, a, labels, init))
    return named;
  return contractGeneric(a, b, labels, init);
}

Factor Contraction::build() {
  SmallVector<OpFoldResult> sizes;
  Factor product{{}, SmallVector<int64_t>(result), {}};
  for (int64_t label : result) {
    const Factor &factor = lhs.getDim(label) >= 0 ? lhs : rhs;
    sizes.push_back(getSize(label));
    product.names.push_back(factor.names[factor.getDim(label)]);
  }
  auto isEmpty = [](const Factor &factor) {
    return llvm::is_contained(factor.getType().getShape(), 0);
  };
  if (isEmpty(lhs) || isEmpty(rhs)) {
    product.tensor = createZeros(sizes, accumulator);
    return product;
  }

  Factor a = collapse(lhs);
  Factor b = collapse(rhs);
  SmallVector<int64_t> labels;
  SmallVector<OpFoldResult> collapsedSizes;
  for (const ReassociationIndices &group : getGroups(result)) {
    int64_t label = result[group.front()];
    labels.push_back(label);
    const Factor &factor = a.getDim(label) >= 0 ? a : b;
    collapsedSizes.push_back(tensor::getMixedSize(builder, loc, factor.tensor,
                                                  factor.getDim(label)));
  }
  Value init = createZeros(collapsedSizes, accumulator);
  product.tensor = expand(
      contract(a, b, labels, init),
      RankedTensorType::get(decomposeMixedValues(sizes).first, accumulator));
  return product;
}

Factor omb::buildContraction(OpBuilder &builder, Location loc,
                             const Factor &lhs, const Factor &rhs,
                             Labels result, Type accumulator) {
  if (!accumulator)
    accumulator = getAccumulatorType(lhs.getType().getElementType());
  return Contraction(builder, loc, lhs, rhs, result, accumulator).build();
}

Factor omb::buildSum(OpBuilder &builder, Location loc, const Factor &factor,
                     Labels labels, Type accumulator) {
  Factor sum;
  SmallVector<OpFoldResult> sizes;
  SmallVector<AffineExpr> kept;
  SmallVector<utils::IteratorType> iterators;
  for (auto [dim, label] : llvm::enumerate(factor.labels)) {
    bool isSummed = findLabel(labels, label) >= 0;
    iterators.push_back(isSummed ? utils::IteratorType::reduction
                                 : utils::IteratorType::parallel);
    if (isSummed)
      continue;
    kept.push_back(builder.getAffineDimExpr(dim));
    sizes.push_back(tensor::getMixedSize(builder, loc, factor.tensor, dim));
    sum.labels.push_back(label);
    sum.names.push_back(factor.names[dim]);
  }
  Value empty = tensor::EmptyOp::create(builder, loc, sizes, accumulator);
  sum.tensor = linalg::FillOp::create(
                   builder, loc, createZero(builder, loc, accumulator), empty)
                   .getResult(0);
  if (llvm::is_contained(factor.getType().getShape(), 0))
    return sum;
  int64_t rank = iterators.size();
  SmallVector<AffineMap> maps{
      builder.getMultiDimIdentityMap(rank),
      AffineMap::get(rank, 0, kept, builder.getContext())};
  auto generic = linalg::GenericOp::create(
      builder, loc, sum.tensor.getType(), factor.tensor, sum.tensor, maps,
      iterators, [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
        Scalars s(b, bodyLoc, accumulator);
        linalg::YieldOp::create(
            b, bodyLoc, s.add(elements[1], s.extend(elements[0], accumulator)));
      });
  sum.tensor = generic.getResult(0);
  return sum;
}

//===----------------------------------------------------------------------===//
// Rounding
//===----------------------------------------------------------------------===//

RankedTensorType omb::getProductType(RankedTensorType onnxResult,
                                     Value product) {
  return RankedTensorType::get(
      onnxResult.getShape(),
      cast<RankedTensorType>(product.getType()).getElementType(),
      onnxResult.getEncoding());
}

Value omb::roundProduct(OpBuilder &builder, Location loc, Value product,
                        RankedTensorType onnxResult) {
  RankedTensorType type = getProductType(onnxResult, product);
  product =
      castTensor(builder, loc, product,
                 RankedTensorType::get(type.getShape(), type.getElementType()));
  Type elementType = onnxResult.getElementType();
  if (!isa<FloatType>(elementType) || type.getElementType() == elementType)
    return product;
  return buildElementwise(
      builder, loc, product, type, onnxResult,
      [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
        return Scalars(b, bodyLoc, elementType)
            .narrow(elements[0], elementType);
      });
}
