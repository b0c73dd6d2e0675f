//===- SparseConstants.cpp - Formats of sparse weights --------------------===//

#include "dialect/transforms/SparseConstants.h"

#include "dialect/ir/Constants.h"
#include "dialect/ir/QuantCasts.h"
#include "dialect/ir/QuantizedTypes.h"
#include "dialect/ir/SparseTypes.h"
#include "dialect/ir/ops/Convolution.h"
#include "dialect/ir/ops/DataMovement.h"
#include "dialect/ir/ops/Indexing.h"
#include "dialect/ir/ops/Matmul.h"
#include "dialect/ir/ops/Quantization.h"

using namespace mlir;
using namespace mlir::sparse_tensor;
using namespace omb::onnx;

SparseElementsAttr omb::onnx::createSparseElements(RankedTensorType type,
                                                   ArrayRef<int64_t> places,
                                                   DenseElementsAttr values) {
  auto placesType =
      RankedTensorType::get({values.getNumElements(), type.getRank()},
                            IntegerType::get(type.getContext(), 64));
  return SparseElementsAttr::get(
      type,
      cast<DenseIntElementsAttr>(DenseElementsAttr::get(placesType, places)),
      values);
}

Value omb::onnx::createSparseConstant(OpBuilder &builder, Location loc,
                                      SparseElementsAttr elements,
                                      RankedTensorType type) {
  return ConstantOp::create(builder, loc, TypeRange{type}, ValueRange{},
                            builder.getNamedAttr("sparse_value", elements));
}

Value omb::onnx::createDense(OpBuilder &builder, ConstantOp constant) {
  auto elements = cast<SparseElementsAttr>(constant.getSparseValueAttr());
  auto type = cast<RankedTensorType>(constant.getType());
  if (!getQuantized(type))
    return createConstant(builder, constant.getLoc(), makeDense(elements));
  auto dense = RankedTensorType::get(type.getShape(), type.getElementType());
  Value stored =
      createConstant(builder, constant.getLoc(), makeDense(elements, dense));
  return StorageCastOp::create(builder, constant.getLoc(), dense, stored);
}

SparseTensorEncodingAttr omb::onnx::getChannelEncoding(MLIRContext *context) {
  AffineExpr k, n;
  bindDims(context, k, n);
  LevelType dense(LevelFormat::Dense), compressed(LevelFormat::Compressed);
  return SparseTensorEncodingAttr::get(
      context, {dense, compressed}, AffineMap::get(2, 0, {n, k}, context),
      AffineMap(), /*posWidth=*/0, /*crdWidth=*/0);
}

SparseTensorEncodingAttr omb::onnx::getTableEncoding(MLIRContext *context) {
  LevelType dense(LevelFormat::Dense), compressed(LevelFormat::Compressed);
  return SparseTensorEncodingAttr::get(
      context, {dense, compressed},
      AffineMap::getMultiDimIdentityMap(2, context), AffineMap(),
      /*posWidth=*/0, /*crdWidth=*/0);
}

bool omb::onnx::isTable(OpOperand &operand) {
  auto gather = dyn_cast<GatherOp>(operand.getOwner());
  auto type = dyn_cast<RankedTensorType>(operand.get().getType());
  return gather && operand.getOperandNumber() == 0 && type &&
         type.getRank() == 2 && type.hasStaticShape() &&
         type.getNumElements() != 0 && type.getElementType().isF32() &&
         (gather.getAxis() == 0 || gather.getAxis() == -2);
}

SparseTensorEncodingAttr omb::onnx::getBlockEncoding(MLIRContext *context) {
  AffineExpr k, n;
  bindDims(context, k, n);
  LevelType dense(LevelFormat::Dense), compressed(LevelFormat::Compressed);
  return SparseTensorEncodingAttr::get(
      context, {dense, compressed, dense},
      AffineMap::get(2, 0, {n.floorDiv(kBlockChannels), k, n % kBlockChannels},
                     context),
      AffineMap(), /*posWidth=*/0, /*crdWidth=*/0);
}

SparseTensorEncodingAttr omb::onnx::getFilterEncoding(MLIRContext *context,
                                                      int64_t rank) {
  using Property = LevelPropNonDefault;
  auto getLevel = [](LevelFormat format, std::vector<Property> properties) {
    return *LevelType::buildLvlType(format, properties);
  };
  SmallVector<LevelType> levels{
      LevelFormat::Dense,
      getLevel(LevelFormat::Compressed, {Property::Nonunique})};
  while (int64_t(levels.size()) + 1 < rank)
    levels.push_back(
        getLevel(LevelFormat::Singleton, {Property::Nonunique, Property::SoA}));
  levels.push_back(getLevel(LevelFormat::Singleton, {Property::SoA}));
  return SparseTensorEncodingAttr::get(
      context, levels, AffineMap::getMultiDimIdentityMap(rank, context),
      AffineMap(), /*posWidth=*/0, /*crdWidth=*/0);
}

SparseTensorEncodingAttr omb::onnx::getFilterBlockEncoding(MLIRContext *context,
                                                           int64_t rank) {
  SmallVector<LevelType> levels(rank + 1, LevelType(LevelFormat::Dense));
  levels[1] = LevelFormat::Compressed;
  SmallVector<AffineExpr> exprs;
  for (int64_t dim = 0; dim < rank; ++dim)
    exprs.push_back(getAffineDimExpr(dim, context));
  AffineExpr feature = exprs[0];
  exprs[0] = feature.floorDiv(kBlockChannels);
  exprs.push_back(feature % kBlockChannels);
  return SparseTensorEncodingAttr::get(
      context, levels, AffineMap::get(rank, 0, exprs, context), AffineMap(),
      /*posWidth=*/0, /*crdWidth=*/0);
}

/// The quantized type of `tensor` if it stores bytes that stand for f32.
static quant::QuantizedType getQuantizedBytes(Type tensor) {
  quant::QuantizedType type = getQuantized(tensor);
  return type && type.getStorageTypeIntegralWidth() == 8 &&
                 type.getExpressedType().isF32()
             ? type
             : quant::QuantizedType();
}

/// Whether the elements of `tensor` are f32, or stand for it.
static bool isOfFloats(Type tensor) {
  quant::QuantizedType quantized = getQuantized(tensor);
  Type element = cast<ShapedType>(tensor).getElementType();
  return (quantized ? quantized.getExpressedType() : element).isF32();
}

bool omb::onnx::isSecondFactor(OpOperand &operand) {
  Operation *op = operand.getOwner();
  auto type = dyn_cast<RankedTensorType>(operand.get().getType());
  if (!type || !type.hasStaticShape() || type.getNumElements() == 0)
    return false;
  auto isOfFactors = [&] {
    return !op->use_empty() && llvm::all_of(op->getUses(), isSecondFactor);
  };
  if (isa<DequantizeLinearOp, StorageCastOp>(op))
    return operand.getOperandNumber() == 0 && type.getRank() == 2 &&
           type.getElementType().isInteger(8) && isOfFactors();
  if (!type.getElementType().isF32() && !getQuantizedBytes(type))
    return false;
  if (isa<ConvOp>(op))
    return operand.getOperandNumber() == 1 && type.getRank() >= 3 &&
           !getQuantized(type);
  if (type.getRank() != 2)
    return false;
  if (isa<MatMulOp, GemmOp>(op))
    return operand.getOperandNumber() == 1;
  return isa<IdentityOp, TransposeOp, DequantizeCastOp>(op) && isOfFactors();
}

/// Whether a kernel with sparse filters can read the images of `op`: where an
/// element of a filter is multiplied is a number if the images' size is one.
static bool readsFittingImages(ConvOp op) {
  auto images = dyn_cast<RankedTensorType>(op.getX().getType());
  auto filters = cast<RankedTensorType>(op.getW().getType());
  if (!images || images.getRank() != filters.getRank() || op.getGroup() != 1 ||
      !images.getElementType().isF32() ||
      images.getDimSize(1) != filters.getDimSize(1))
    return false;
  auto isOne = [](int64_t number) { return number == 1; };
  bool isPointwise = llvm::all_of(filters.getShape().drop_front(2), isOne);
  bool hasSteps = op.getStrides() && !llvm::all_of(*op.getStrides(), isOne);
  return (isPointwise && !hasSteps) ||
         !ShapedType::isDynamicShape(images.getShape().drop_front(2));
}

bool omb::onnx::mayBeSparse(OpOperand &operand) {
  Operation *op = operand.getOwner();
  if (!isSecondFactor(operand))
    return false;
  if (auto convolution = dyn_cast<ConvOp>(op))
    return readsFittingImages(convolution);
  auto gemm = dyn_cast<GemmOp>(op);
  if (!isa<MatMulOp, GemmOp>(op) || (gemm && gemm.getTransA()))
    return false;
  auto other = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
  auto result = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!other || other.getRank() < 2 || !isOfFloats(other) || !result)
    return false;
  // Sums of 32 bits have more digits than f32.
  quant::QuantizedType rounded = getQuantized(result);
  return !rounded || rounded.getStorageTypeIntegralWidth() <= 16;
}

bool omb::onnx::isLoweredSparse(OpOperand &operand) {
  auto type = dyn_cast<RankedTensorType>(operand.get().getType());
  if (!type || !isSparse(type))
    return false;
  MLIRContext *context = type.getContext();
  if (isTable(operand))
    return type.getEncoding() == getTableEncoding(context);
  if (!mayBeSparse(operand))
    return false;
  if (isa<ConvOp>(operand.getOwner()))
    return type.getEncoding() == getFilterEncoding(context, type.getRank()) ||
           type.getEncoding() ==
               getFilterBlockEncoding(context, type.getRank());
  if (auto gemm = dyn_cast<GemmOp>(operand.getOwner()))
    if (gemm.getTransB())
      return false;
  return type.getEncoding() == getChannelEncoding(context) ||
         type.getEncoding() == getBlockEncoding(context);
}
