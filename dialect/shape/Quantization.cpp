//===- Quantization.cpp - Shapes of quantized computations ----------------===//

#include "dialect/ir/ops/Quantization.h"
#include "dialect/shape/Axes.h"
#include "dialect/shape/Convolution.h"
#include "dialect/shape/Families.h"
#include "dialect/shape/Matmul.h"
#include "dialect/shape/ShapeInference.h"

using namespace mlir;
using namespace omb::onnx;

/// Checks that a scale or zero point of shape `scale` fits an input of shape
/// `input`: one for all, one for each index of `axis`, or one for each block
/// along `axis`.
static LogicalResult checkGranularity(Operation *op, StringRef name,
                                      ArrayRef<DimExpr> input,
                                      ArrayRef<DimExpr> scale, int64_t axis,
                                      int64_t blockSize,
                                      ShapeAnalysis &analysis) {
  auto isOne = [](DimExpr dim) { return getConstantSize(dim) == 1; };
  if (scale.empty() || (blockSize == 0 && scale.size() == 1 &&
                        (isOne(scale[0]) || input.empty())))
    return success();
  size_t rank = blockSize == 0 ? 1 : input.size();
  if (scale.size() != rank)
    return op->emitOpError("has ")
           << name << " of rank " << scale.size() << ", but it takes rank "
           << rank << (blockSize == 0 ? " or 0" : " for blocks");
  FailureOr<int64_t> position = normalizeAxis(op, axis, input.size());
  if (failed(position))
    return failure();
  for (auto [dim, size] : llvm::enumerate(input)) {
    bool isAxis = int64_t(dim) == *position;
    if (blockSize == 0 && !isAxis)
      continue;
    DimExpr expected = blockSize > 0 && isAxis ? size.ceilDiv(blockSize) : size;
    DimExpr given = scale[blockSize == 0 ? 0 : dim];
    if (!analysis.merge(expected, given))
      return op->emitOpError("has ")
             << name << " of " << analysis.getName(given)
             << " elements along dimension " << dim << " of the input, but "
             << analysis.getName(expected) << " are needed";
  }
  return success();
}

template <typename OpT>
static LogicalResult inferElementwise(OpT op, Value scale, Value zeroPoint,
                                      ShapeAnalysis &analysis) {
  if (op.getBlockSize() < 0)
    return op.emitOpError("has the block_size ") << op.getBlockSize();
  std::optional<Shape> input = analysis.getShape(op.getX());
  if (!input)
    return success();
  for (auto [value, name] :
       {std::pair(scale, "a scale"), std::pair(zeroPoint, "a zero point")}) {
    std::optional<Shape> shape =
        value ? analysis.getShape(value) : std::nullopt;
    if (shape && failed(checkGranularity(op, name, *input, *shape, op.getAxis(),
                                         op.getBlockSize(), analysis)))
      return failure();
  }
  return analysis.setShape(op.getY(), *input);
}

static LogicalResult inferQuantize(QuantizeLinearOp op,
                                   ShapeAnalysis &analysis) {
  return inferElementwise(op, op.getYScale(), op.getYZeroPoint(), analysis);
}

static LogicalResult inferDequantize(DequantizeLinearOp op,
                                     ShapeAnalysis &analysis) {
  return inferElementwise(op, op.getXScale(), op.getXZeroPoint(), analysis);
}

static LogicalResult inferDynamicQuantize(DynamicQuantizeLinearOp op,
                                          ShapeAnalysis &analysis) {
  if (std::optional<Shape> input = analysis.getShape(op.getX()))
    if (failed(analysis.setShape(op.getY(), *input)))
      return failure();
  return success(succeeded(analysis.setShape(op.getYScale(), {})) &&
                 succeeded(analysis.setShape(op.getYZeroPoint(), {})));
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// A scale or zero point and what to call it.
using NamedValue = std::pair<Value, StringRef>;

/// Checks that `size`, of a scale or zero point, is 1 or `expected`; a null
/// `expected` allows only 1.
static LogicalResult checkParameterSize(Operation *op, StringRef name,
                                        DimExpr size, DimExpr expected,
                                        ShapeAnalysis &analysis) {
  std::optional<int64_t> known = getConstantSize(size);
  if (!known || known == 1)
    return success();
  if (!expected)
    return op->emitOpError("has ")
           << name << " of " << *known << " elements where only one fits";
  // An unknown size isn't decided here: it may be 1.
  std::optional<int64_t> other = getConstantSize(expected);
  if (other && other != known)
    return op->emitOpError("has ")
           << name << " of " << *known << " elements, but "
           << analysis.getName(expected) << " are needed";
  return success();
}

/// The dimension of a matrix (or product) that a vector of scales is for (null:
/// none), and the position of the one that is summed over.
struct MatrixDims {
  DimExpr own;
  std::optional<size_t> inner;
};

/// Checks the parameters of a matrix, a batch of matrices, or a product of
/// them, of shape `matrix`.
static LogicalResult checkMatrixParameters(Operation *op,
                                           ArrayRef<DimExpr> matrix,
                                           const MatrixDims &dims,
                                           ArrayRef<NamedValue> parameters,
                                           ShapeAnalysis &analysis) {
  for (auto [value, name] : parameters) {
    std::optional<Shape> shape =
        value ? analysis.getShape(value) : std::nullopt;
    if (!shape || shape->empty())
      continue;
    if (shape->size() == 1) {
      if (failed(
              checkParameterSize(op, name, shape->front(), dims.own, analysis)))
        return failure();
      continue;
    }
    if (shape->size() > matrix.size())
      return op->emitOpError("has ")
             << name << " of rank " << shape->size() << " for a tensor of rank "
             << matrix.size();
    size_t offset = matrix.size() - shape->size();
    for (auto [dim, size] : llvm::enumerate(*shape)) {
      bool isInner = dims.inner == dim + offset;
      if (failed(checkParameterSize(op, name, size,
                                    isInner ? DimExpr() : matrix[dim + offset],
                                    analysis)))
        return failure();
    }
  }
  return success();
}

/// Checks the parameters of both operands and infers the product's shape.
static LogicalResult inferProduct(Operation *op, Value a, Value b,
                                  ArrayRef<NamedValue> ofA,
                                  ArrayRef<NamedValue> ofB,
                                  ShapeAnalysis &analysis) {
  if (failed(inferMatrixProduct(op, a, b, analysis)))
    return failure();
  std::optional<Shape> lhs = analysis.getShape(a);
  if (lhs) {
    MatrixDims dims;
    dims.inner = lhs->size() - 1;
    if (lhs->size() > 1)
      dims.own = (*lhs)[lhs->size() - 2];
    if (failed(checkMatrixParameters(op, *lhs, dims, ofA, analysis)))
      return failure();
  }
  std::optional<Shape> rhs = analysis.getShape(b);
  if (!rhs)
    return success();
  MatrixDims dims;
  dims.inner = rhs->size() > 1 ? rhs->size() - 2 : 0;
  if (rhs->size() > 1)
    dims.own = rhs->back();
  return checkMatrixParameters(op, *rhs, dims, ofB, analysis);
}

static LogicalResult inferMatMulInteger(MatMulIntegerOp op,
                                        ShapeAnalysis &analysis) {
  return inferProduct(op, op.getA(), op.getB(),
                      {{op.getAZeroPoint(), "a zero point of A"}},
                      {{op.getBZeroPoint(), "a zero point of B"}}, analysis);
}

static LogicalResult inferQLinearMatMul(QLinearMatMulOp op,
                                        ShapeAnalysis &analysis) {
  if (failed(inferProduct(op, op.getA(), op.getB(),
                          {{op.getAScale(), "a scale of a"},
                           {op.getAZeroPoint(), "a zero point of a"}},
                          {{op.getBScale(), "a scale of b"},
                           {op.getBZeroPoint(), "a zero point of b"}},
                          analysis)))
    return failure();
  std::optional<Shape> result = analysis.getShape(op.getY());
  if (!result)
    return success();
  MatrixDims dims;
  if (!result->empty())
    dims.own = result->back();
  return checkMatrixParameters(op, *result, dims,
                               {{op.getYScale(), "a scale of y"},
                                {op.getYZeroPoint(), "a zero point of y"}},
                               analysis);
}

/// Checks that each of `parameters` is one number, or one for each of
/// `features` where that isn't null.
static LogicalResult checkVectors(Operation *op,
                                  ArrayRef<NamedValue> parameters,
                                  DimExpr features, ShapeAnalysis &analysis) {
  for (auto [value, name] : parameters) {
    std::optional<Shape> shape =
        value ? analysis.getShape(value) : std::nullopt;
    if (!shape || shape->empty())
      continue;
    if (shape->size() > 1)
      return op->emitOpError("has ")
             << name << " of rank " << shape->size() << ", more than 1";
    if (failed(
            checkParameterSize(op, name, shape->front(), features, analysis)))
      return failure();
  }
  return success();
}

/// The number of features; an unknown one where the rank isn't known.
static DimExpr getFeatures(Value weights, ShapeAnalysis &analysis) {
  std::optional<Shape> shape = analysis.getShape(weights);
  return shape && !shape->empty() ? shape->front() : analysis.getUnknown();
}

static LogicalResult inferConvInteger(ConvIntegerOp op,
                                      ShapeAnalysis &analysis) {
  if (failed(inferConvolution(op, op.getX(), op.getW(), Value(), op.getGroup(),
                              analysis)) ||
      failed(checkVectors(op, {{op.getXZeroPoint(), "a zero point of x"}}, {},
                          analysis)))
    return failure();
  return checkVectors(op, {{op.getWZeroPoint(), "a zero point of w"}},
                      getFeatures(op.getW(), analysis), analysis);
}

static LogicalResult inferQLinearConv(QLinearConvOp op,
                                      ShapeAnalysis &analysis) {
  if (failed(inferConvolution(op, op.getX(), op.getW(), op.getB(),
                              op.getGroup(), analysis)) ||
      failed(checkVectors(op,
                          {{op.getXScale(), "a scale of x"},
                           {op.getXZeroPoint(), "a zero point of x"},
                           {op.getYScale(), "a scale of y"},
                           {op.getYZeroPoint(), "a zero point of y"}},
                          {}, analysis)))
    return failure();
  return checkVectors(op,
                      {{op.getWScale(), "a scale of w"},
                       {op.getWZeroPoint(), "a zero point of w"}},
                      getFeatures(op.getW(), analysis), analysis);
}

void omb::onnx::attachQuantizationShapes(MLIRContext &context) {
  attachShapeFunction<inferQuantize, QuantizeLinearOp>(context);
  attachShapeFunction<inferDequantize, DequantizeLinearOp>(context);
  attachShapeFunction<inferDynamicQuantize, DynamicQuantizeLinearOp>(context);
  attachShapeFunction<inferMatMulInteger, MatMulIntegerOp>(context);
  attachShapeFunction<inferQLinearMatMul, QLinearMatMulOp>(context);
  attachShapeFunction<inferConvInteger, ConvIntegerOp>(context);
  attachShapeFunction<inferQLinearConv, QLinearConvOp>(context);
}
