//===- Reshape.cpp - The same elements in another shape -------------------===//

#include "lowering/to_linalg/Reshape.h"

#include "dialect/ir/OnnxDialect.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace {

/// Consecutive dimensions of the source and of the result with equal products.
struct Group {
  ReassociationIndices source;
  ReassociationIndices result;
};

/// Splits a reshape into the smallest groups that the types show to be equal;
/// what is left is one group.
class Grouping {
public:
  Grouping(RankedTensorType source, RankedTensorType result)
      : source(source), result(result), sourceEnd(source.getRank()),
        resultEnd(result.getRank()) {
    while (takeFront())
      ;
    while (takeBack())
      ;
    takeRest();
    llvm::append_range(front, llvm::reverse(back));
  }

  ArrayRef<Group> getGroups() const { return front; }
  /// The group that isn't known to fit; null if there is none.
  const Group *getUncertain() const {
    return uncertain ? &front[*uncertain] : nullptr;
  }

private:
  /// Whether the dimensions have equal products in every run.
  bool isEqual(ArrayRef<int64_t> sourceDims,
               ArrayRef<int64_t> resultDims) const;
  bool takeFront();
  bool takeBack();
  void takeRest();

  RankedTensorType source;
  RankedTensorType result;
  int64_t sourceBegin = 0, resultBegin = 0, sourceEnd, resultEnd;
  SmallVector<Group> front;
  SmallVector<Group> back;
  std::optional<size_t> uncertain;
};

} // namespace

static ReassociationIndices getRange(int64_t begin, int64_t end) {
  return llvm::to_vector<2>(llvm::seq(begin, end));
}

/// The static factor and the names of the product; false where a dynamic
/// dimension has no name.
static bool getFactors(RankedTensorType type, ArrayRef<int64_t> dims,
                       int64_t &size, SmallVectorImpl<StringRef> &names) {
  auto encoding = dyn_cast_if_present<omb::onnx::DimsAttr>(type.getEncoding());
  size = 1;
  for (int64_t dim : dims) {
    if (!type.isDynamicDim(dim)) {
      if (llvm::MulOverflow(size, type.getDimSize(dim), size))
        return false;
      continue;
    }
    StringAttr name = encoding ? encoding.getNames()[dim] : StringAttr();
    if (!name || name.empty())
      return false;
    names.push_back(name.getValue());
  }
  llvm::sort(names);
  return true;
}

bool Grouping::isEqual(ArrayRef<int64_t> sourceDims,
                       ArrayRef<int64_t> resultDims) const {
  int64_t sourceSize, resultSize;
  SmallVector<StringRef> sourceNames, resultNames;
  return getFactors(source, sourceDims, sourceSize, sourceNames) &&
         getFactors(result, resultDims, resultSize, resultNames) &&
         sourceSize == resultSize && sourceNames == resultNames;
}

bool Grouping::takeFront() {
  int64_t sourceCount = sourceEnd - sourceBegin;
  int64_t resultCount = resultEnd - resultBegin;
  for (int64_t total = 2; total <= sourceCount + resultCount; ++total) {
    for (int64_t taken = 1; taken < total; ++taken) {
      if (taken > sourceCount || total - taken > resultCount)
        continue;
      Group group{getRange(sourceBegin, sourceBegin + taken),
                  getRange(resultBegin, resultBegin + total - taken)};
      if (!isEqual(group.source, group.result))
        continue;
      sourceBegin += taken;
      resultBegin += total - taken;
      front.push_back(std::move(group));
      return true;
    }
  }
  return false;
}

bool Grouping::takeBack() {
  int64_t sourceCount = sourceEnd - sourceBegin;
  int64_t resultCount = resultEnd - resultBegin;
  for (int64_t total = 2; total < sourceCount + resultCount; ++total) {
    for (int64_t taken = 1; taken < total; ++taken) {
      if (taken > sourceCount || total - taken > resultCount)
        continue;
      Group group{getRange(sourceEnd - taken, sourceEnd),
                  getRange(resultEnd - (total - taken), resultEnd)};
      if (!isEqual(group.source, group.result))
        continue;
      sourceEnd -= taken;
      resultEnd -= total - taken;
      back.push_back(std::move(group));
      return true;
    }
  }
  return false;
}

void Grouping::takeRest() {
  Group rest{getRange(sourceBegin, sourceEnd),
             getRange(resultBegin, resultEnd)};
  if (rest.source.empty() && rest.result.empty())
    return;
  if (rest.source.empty() || rest.result.empty()) {
    // Dimensions of 1, which a neighbor takes in.
    if (!front.empty()) {
      llvm::append_range(front.back().source, rest.source);
      llvm::append_range(front.back().result, rest.result);
      uncertain = front.size() - 1;
      return;
    }
    if (!back.empty()) {
      llvm::append_range(rest.source, back.back().source);
      llvm::append_range(rest.result, back.back().result);
      back.pop_back();
    }
  }
  uncertain = front.size();
  front.push_back(std::move(rest));
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

static int64_t getStaticProduct(RankedTensorType type, ArrayRef<int64_t> dims) {
  int64_t product = 1;
  for (int64_t dim : dims) {
    if (type.isDynamicDim(dim))
      return ShapedType::kDynamic;
    product *= type.getDimSize(dim);
  }
  return product;
}

static void requireSameSize(OpBuilder &builder, Location loc, Value source,
                            const Group &group, ValueRange sizes) {
  omb::IndexArithmetic index(builder, loc);
  SmallVector<Value> sourceSizes, resultSizes;
  for (int64_t dim : group.source)
    sourceSizes.push_back(index.size(source, dim));
  for (int64_t dim : group.result)
    resultSizes.push_back(sizes[dim]);
  index.require(
      index.isEqual(index.product(sourceSizes), index.product(resultSizes)),
      "the shape has another number of elements than the input");
}

/// A tensor of one element, as one of another rank.
static Value reshapeScalar(OpBuilder &builder, Location loc, Value source,
                           RankedTensorType type) {
  auto sourceType = cast<RankedTensorType>(source.getType());
  auto withOnes = [&](int64_t rank) {
    return RankedTensorType::get(SmallVector<int64_t>(rank, 1),
                                 type.getElementType());
  };
  source =
      omb::castTensor(builder, loc, source, withOnes(sourceType.getRank()));
  SmallVector<ReassociationIndices> none;
  if (type.getRank() == 0)
    return tensor::CollapseShapeOp::create(builder, loc, withOnes(0), source,
                                           none);
  source = tensor::ExpandShapeOp::create(builder, loc, withOnes(type.getRank()),
                                         source, none);
  return omb::castTensor(builder, loc, source, type);
}

static Value collapse(OpBuilder &builder, Location loc, Value source,
                      ArrayRef<Group> groups) {
  auto type = cast<RankedTensorType>(source.getType());
  SmallVector<ReassociationIndices> reassociation;
  SmallVector<int64_t> shape;
  for (const Group &group : groups) {
    reassociation.push_back(group.source);
    shape.push_back(getStaticProduct(type, group.source));
  }
  if (int64_t(groups.size()) == type.getRank())
    return source;
  return tensor::CollapseShapeOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), source,
      reassociation);
}

static Value expand(OpBuilder &builder, Location loc, Value collapsed,
                    ArrayRef<Group> groups, RankedTensorType type,
                    ValueRange sizes) {
  SmallVector<ReassociationIndices> reassociation;
  SmallVector<int64_t> shape;
  for (const Group &group : groups) {
    reassociation.push_back(group.result);
    shape.push_back(getStaticProduct(type, group.result));
  }
  if (int64_t(groups.size()) == type.getRank())
    return omb::castTensor(builder, loc, collapsed, type);
  collapsed =
      omb::castTensor(builder, loc, collapsed,
                      RankedTensorType::get(shape, type.getElementType()));
  SmallVector<OpFoldResult> outputShape;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    outputShape.push_back(type.isDynamicDim(dim)
                              ? OpFoldResult(sizes[dim])
                              : builder.getIndexAttr(type.getDimSize(dim)));
  return tensor::ExpandShapeOp::create(builder, loc, type, collapsed,
                                       reassociation, outputShape);
}

Value omb::buildReshape(OpBuilder &builder, Location loc, Value source,
                        RankedTensorType onnxSource,
                        RankedTensorType onnxResult, ValueRange sizes) {
  auto type = RankedTensorType::get(
      onnxResult.getShape(), getLoweredType(onnxResult.getElementType()));
  if (llvm::is_contained(type.getShape(), 0))
    return createEmpty(builder, loc, type, sizes);
  Grouping grouping(onnxSource, onnxResult);
  if (const Group *group = grouping.getUncertain())
    requireSameSize(builder, loc, source, *group, sizes);
  if (type.getRank() == 0 || onnxSource.getRank() == 0) {
    if (type.getRank() == onnxSource.getRank())
      return source;
    return reshapeScalar(builder, loc, source, type);
  }
  Value collapsed = collapse(builder, loc, source, grouping.getGroups());
  return expand(builder, loc, collapsed, grouping.getGroups(), type, sizes);
}

SmallVector<ReassociationIndices> omb::getSplitGroups(int64_t rank,
                                                      int64_t axis) {
  SmallVector<ReassociationIndices> groups;
  for (int64_t dim = 0; dim < rank; ++dim)
    groups.push_back(dim == axis  ? ReassociationIndices{dim, dim + 1}
                     : dim < axis ? ReassociationIndices{dim}
                                  : ReassociationIndices{dim + 1});
  return groups;
}
