//===- Indexing.cpp - Shapes of what is picked or put by index ------------===//

#include "dialect/ir/ops/Indexing.h"
#include "dialect/shape/Axes.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/ShapeInference.h"
#include "dialect/shape/SizePolynomial.h"

#include "mlir/IR/Matchers.h"
#include "llvm/ADT/APSInt.h"

using namespace mlir;
using namespace omb::onnx;

/// Fails where `rank` isn't `expected`.
static LogicalResult checkRank(Operation *op, StringRef what, size_t rank,
                               size_t expected) {
  if (rank == expected)
    return success();
  return op->emitOpError("takes ")
         << what << " of rank " << expected << ", not " << rank;
}

//===----------------------------------------------------------------------===//
// Gather, GatherElements, GatherND
//===----------------------------------------------------------------------===//

/// Checks the indices of a Gather that are known, and records what they pick
/// from a vector whose contents are known.
static LogicalResult checkIndices(GatherOp op, DimExpr dim,
                                  ShapeAnalysis &analysis) {
  std::optional<SmallVector<int64_t>> indices =
      analysis.getIntegers(op.getIndices());
  std::optional<int64_t> size = getConstantSize(dim);
  if (!indices || !size)
    return success();
  std::optional<Shape> data = analysis.getContents(op.getData());
  Shape contents;
  for (int64_t index : *indices) {
    std::optional<int64_t> position = normalizeAxis(index, *size);
    if (!position)
      return op.emitOpError("has index ")
             << index << " for a dimension of size " << *size;
    if (data && int64_t(data->size()) == *size)
      contents.push_back((*data)[*position]);
  }
  std::optional<Shape> shape = analysis.getShape(op.getData());
  if (data && shape && shape->size() == 1)
    analysis.setContents(op.getOutput(), contents);
  return success();
}

static LogicalResult inferGather(GatherOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> data = analysis.getShape(op.getData());
  std::optional<Shape> indices = analysis.getShape(op.getIndices());
  if (!data || !indices)
    return success();
  FailureOr<int64_t> axis = normalizeAxis(op, op.getAxis(), data->size());
  if (failed(axis))
    return failure();
  if (failed(checkIndices(op, (*data)[*axis], analysis)))
    return failure();
  ArrayRef<DimExpr> dims(*data);
  Shape result(dims.take_front(*axis));
  llvm::append_range(result, *indices);
  llvm::append_range(result, dims.drop_front(*axis + 1));
  return analysis.setShape(op.getOutput(), result);
}

/// Checks that `indices` fit into `data` in all dimensions but `axis`.
static LogicalResult checkElementIndices(Operation *op, ArrayRef<DimExpr> data,
                                         ArrayRef<DimExpr> indices,
                                         int64_t axis) {
  if (failed(checkRank(op, "indices", indices.size(), data.size())))
    return failure();
  for (auto [dim, sizes] : llvm::enumerate(llvm::zip(data, indices))) {
    std::optional<int64_t> size = getConstantSize(std::get<0>(sizes));
    std::optional<int64_t> count = getConstantSize(std::get<1>(sizes));
    if (int64_t(dim) != axis && size && count && *count > *size)
      return op->emitOpError("has indices of size ")
             << *count << " in dimension " << dim << ", where the data has "
             << *size;
  }
  return success();
}

static LogicalResult inferGatherElements(GatherElementsOp op,
                                         ShapeAnalysis &analysis) {
  std::optional<Shape> data = analysis.getShape(op.getData());
  std::optional<Shape> indices = analysis.getShape(op.getIndices());
  if (data) {
    FailureOr<int64_t> axis = normalizeAxis(op, op.getAxis(), data->size());
    if (failed(axis) ||
        (indices && failed(checkElementIndices(op, *data, *indices, *axis))))
      return failure();
  }
  return indices ? analysis.setShape(op.getOutput(), *indices) : success();
}

static LogicalResult inferGatherND(GatherNDOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> data = analysis.getShape(op.getData());
  std::optional<Shape> indices = analysis.getShape(op.getIndices());
  if (!data || !indices)
    return success();
  int64_t rank = data->size(), indicesRank = indices->size();
  int64_t batchDims = op.getBatchDims();
  if (batchDims < 0 || batchDims >= std::min(rank, indicesRank))
    return op.emitOpError("has batch_dims ")
           << batchDims << " for data of rank " << rank
           << " and indices of rank " << indicesRank;
  for (int64_t dim = 0; dim < batchDims; ++dim)
    if (!analysis.merge((*data)[dim], (*indices)[dim]))
      return op.emitOpError("has batch dimension ")
             << dim << " of size " << analysis.getName((*data)[dim]) << " and "
             << analysis.getName((*indices)[dim]);
  std::optional<int64_t> depth = getConstantSize(indices->back());
  if (!depth)
    return success();
  if (*depth < 1 || *depth > rank - batchDims)
    return op.emitOpError("has indices of ")
           << *depth << " numbers for data of rank " << rank - batchDims;
  Shape result(ArrayRef<DimExpr>(*indices).drop_back());
  llvm::append_range(result, ArrayRef(*data).drop_front(batchDims + *depth));
  return analysis.setShape(op.getOutput(), result);
}

//===----------------------------------------------------------------------===//
// ScatterElements, Scatter, ScatterND, TensorScatter
//===----------------------------------------------------------------------===//

/// Fails where the two shapes, which have to be equal, are not.
static LogicalResult checkUpdates(Operation *op, ArrayRef<DimExpr> updates,
                                  ArrayRef<DimExpr> expected,
                                  ShapeAnalysis &analysis) {
  if (failed(checkRank(op, "updates", updates.size(), expected.size())))
    return failure();
  for (auto [dim, sizes] : llvm::enumerate(llvm::zip(updates, expected)))
    if (!analysis.merge(std::get<0>(sizes), std::get<1>(sizes)))
      return op->emitOpError("has updates of size ")
             << analysis.getName(std::get<0>(sizes)) << " in dimension " << dim
             << "; it must be " << analysis.getName(std::get<1>(sizes));
  return success();
}

template <typename OpT>
static LogicalResult inferScatterElements(OpT op, ShapeAnalysis &analysis) {
  std::optional<Shape> data = analysis.getShape(op.getData());
  std::optional<Shape> indices = analysis.getShape(op.getIndices());
  std::optional<Shape> updates = analysis.getShape(op.getUpdates());
  if (indices && updates &&
      failed(checkUpdates(op, *updates, *indices, analysis)))
    return failure();
  if (!data)
    return success();
  FailureOr<int64_t> axis = normalizeAxis(op, op.getAxis(), data->size());
  if (failed(axis) ||
      (indices && failed(checkElementIndices(op, *data, *indices, *axis))))
    return failure();
  return analysis.setShape(op.getOutput(), *data);
}

static LogicalResult inferScatterND(ScatterNDOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> data = analysis.getShape(op.getData());
  std::optional<Shape> indices = analysis.getShape(op.getIndices());
  std::optional<Shape> updates = analysis.getShape(op.getUpdates());
  if (!data)
    return success();
  if (data->empty() || (indices && indices->empty()))
    return op.emitOpError("takes data and indices of rank 1 or more");
  std::optional<int64_t> depth =
      indices ? getConstantSize(indices->back()) : std::nullopt;
  if (depth && (*depth < 1 || *depth > int64_t(data->size())))
    return op.emitOpError("has indices of ")
           << *depth << " numbers for data of rank " << data->size();
  if (depth && updates) {
    Shape expected(ArrayRef<DimExpr>(*indices).drop_back());
    llvm::append_range(expected, ArrayRef(*data).drop_front(*depth));
    if (failed(checkUpdates(op, *updates, expected, analysis)))
      return failure();
  }
  return analysis.setShape(op.getOutput(), *data);
}

static LogicalResult inferTensorScatter(TensorScatterOp op,
                                        ShapeAnalysis &analysis) {
  std::optional<Shape> cache = analysis.getShape(op.getPastCache());
  std::optional<Shape> update = analysis.getShape(op.getUpdate());
  if (!cache)
    return success();
  FailureOr<int64_t> axis = normalizeAxis(op, op.getAxis(), cache->size());
  if (failed(axis))
    return failure();
  if (*axis == 0)
    return op.emitOpError("has the batch dimension as its axis");
  if (update) {
    Shape expected(*cache);
    if (update->size() == cache->size())
      expected[*axis] = (*update)[*axis];
    if (failed(checkUpdates(op, *update, expected, analysis)))
      return failure();
  }
  return analysis.setShape(op.getPresentCache(), *cache);
}

//===----------------------------------------------------------------------===//
// OneHot, TopK
//===----------------------------------------------------------------------===//

/// The size that a scalar operand gives.
static DimExpr getSizeOperand(Value value, ShapeAnalysis &analysis) {
  DenseFPElementsAttr floats;
  if (matchPattern(value, m_Constant(&floats)) &&
      floats.getNumElements() == 1) {
    APSInt number(64, /*isUnsigned=*/false);
    bool isExact;
    (*floats.begin()).convertToInteger(number, APFloat::rmTowardZero, &isExact);
    return analysis.getConstant(number.getExtValue());
  }
  std::optional<Shape> contents = analysis.getContents(value);
  if (contents && contents->size() == 1 &&
      (getConstantSize(contents->front()) ||
       isNonNegative(contents->front(), analysis)))
    return contents->front();
  return analysis.getUnknown();
}

static LogicalResult inferOneHot(OneHotOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> values = analysis.getShape(op.getValues());
  if (values && (values->size() != 1 ||
                 getConstantSize(values->front()).value_or(2) != 2))
    return op.emitOpError("takes values of two elements");
  std::optional<Shape> result = analysis.getShape(op.getIndices());
  if (!result)
    return success();
  FailureOr<int64_t> axis = normalizeAxis(op, op.getAxis(), result->size() + 1);
  if (failed(axis))
    return failure();
  DimExpr depth = getSizeOperand(op.getDepth(), analysis);
  if (getConstantSize(depth).value_or(0) < 0)
    return op.emitOpError("has a depth of ") << *getConstantSize(depth);
  result->insert(result->begin() + *axis, depth);
  return analysis.setShape(op.getOutput(), *result);
}

static LogicalResult inferTopK(TopKOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> result = analysis.getShape(op.getX());
  if (!result)
    return success();
  FailureOr<int64_t> axis = normalizeAxis(op, op.getAxis(), result->size());
  if (failed(axis))
    return failure();
  DimExpr k = getSizeOperand(op.getK(), analysis);
  std::optional<int64_t> count = getConstantSize(k);
  std::optional<int64_t> size = getConstantSize((*result)[*axis]);
  if (count && (*count < 0 || (size && *count > *size)))
    return op.emitOpError("picks ")
           << *count << " elements of a dimension of size "
           << analysis.getName((*result)[*axis]);
  (*result)[*axis] = k;
  if (failed(analysis.setShape(op.getValues(), *result)))
    return failure();
  return analysis.setShape(op.getIndices(), *result);
}

//===----------------------------------------------------------------------===//
// Compress, NonZero, NonMaxSuppression, Unique
//===----------------------------------------------------------------------===//

static LogicalResult inferCompress(CompressOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getInput());
  std::optional<Shape> condition = analysis.getShape(op.getCondition());
  if (condition && failed(checkRank(op, "a condition", condition->size(), 1)))
    return failure();
  if (!op.getAxis())
    return analysis.setShape(op.getOutput(), {analysis.getUnknown()});
  if (!input)
    return success();
  FailureOr<int64_t> axis = normalizeAxis(op, *op.getAxis(), input->size());
  if (failed(axis))
    return failure();
  (*input)[*axis] = analysis.getUnknown();
  return analysis.setShape(op.getOutput(), *input);
}

static LogicalResult inferNonZero(NonZeroOp op, ShapeAnalysis &analysis) {
  std::optional<Shape> input = analysis.getShape(op.getX());
  DimExpr rank =
      input ? analysis.getConstant(input->size()) : analysis.getUnknown();
  return analysis.setShape(op.getY(), {rank, analysis.getUnknown()});
}

static LogicalResult inferNonMaxSuppression(NonMaxSuppressionOp op,
                                            ShapeAnalysis &analysis) {
  for (auto [name, value] :
       {std::pair("boxes", op.getBoxes()), std::pair("scores", op.getScores())})
    if (std::optional<Shape> shape = analysis.getShape(value))
      if (failed(checkRank(op, name, shape->size(), 3)))
        return failure();
  return analysis.setShape(op.getSelectedIndices(),
                           {analysis.getUnknown(), analysis.getConstant(3)});
}

static LogicalResult inferUnique(UniqueOp op, ShapeAnalysis &analysis) {
  DimExpr count = analysis.getUnknown();
  for (Value result : {op.getIndices(), op.getCounts()})
    if (failed(analysis.setShape(result, {count})))
      return failure();
  std::optional<Shape> input = analysis.getShape(op.getX());
  if (!op.getAxis()) {
    DimExpr size = input ? normalizeSize(getProduct(*input, op.getContext()))
                         : analysis.getUnknown();
    if (failed(analysis.setShape(op.getInverseIndices(), {size})))
      return failure();
    return analysis.setShape(op.getY(), {count});
  }
  if (!input)
    return success();
  FailureOr<int64_t> axis = normalizeAxis(op, *op.getAxis(), input->size());
  if (failed(axis) ||
      failed(analysis.setShape(op.getInverseIndices(), {(*input)[*axis]})))
    return failure();
  (*input)[*axis] = count;
  return analysis.setShape(op.getY(), *input);
}

void omb::onnx::attachIndexingShapes(MLIRContext &context) {
  attachShapeFunction<inferGather, GatherOp>(context);
  attachShapeFunction<inferGatherElements, GatherElementsOp>(context);
  attachShapeFunction<inferGatherND, GatherNDOp>(context);
  attachShapeFunction<inferScatterElements<ScatterElementsOp>,
                      ScatterElementsOp>(context);
  attachShapeFunction<inferScatterElements<ScatterOp>, ScatterOp>(context);
  attachShapeFunction<inferScatterND, ScatterNDOp>(context);
  attachShapeFunction<inferTensorScatter, TensorScatterOp>(context);
  attachShapeFunction<inferOneHot, OneHotOp>(context);
  attachShapeFunction<inferTopK, TopKOp>(context);
  attachShapeFunction<inferCompress, CompressOp>(context);
  attachShapeFunction<inferNonZero, NonZeroOp>(context);
  attachShapeFunction<inferNonMaxSuppression, NonMaxSuppressionOp>(context);
  attachShapeFunction<inferUnique, UniqueOp>(context);
}
