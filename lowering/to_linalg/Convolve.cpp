//===- Convolve.cpp - Convolutions as ops of linalg -----------------------===//

#include "lowering/to_linalg/Convolve.h"

#include "lowering/to_linalg/Elements.h"
#include "lowering/to_linalg/IndexArithmetic.h"
#include "lowering/to_linalg/Scalars.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using omb::joinDims;
using omb::splitDim;

namespace {

/// What the named ops have in common.
struct Convolution {
  OpBuilder &builder;
  Location loc;
  ArrayRef<int64_t> strides;
  ArrayRef<int64_t> dilations;

  template <typename OpT>
  Value createNamed(Value input, Value weights, Value init) {
    return OpT::create(builder, loc, TypeRange(init.getType()),
                       ValueRange{input, weights}, ValueRange(init),
                       builder.getI64TensorAttr(strides),
                       builder.getI64TensorAttr(dilations))
        .getResult(0);
  }

  Value createDense(Value input, Value weights, Value init);
  Value createDepthwise(Value input, Value weights, Value init);
  Value createGrouped(Value input, Value weights, Value init, int64_t group);
  Value createGeneric(Value input, Value weights, Value init, bool isGrouped);
};

} // namespace

/// A convolution in which `isGrouped` puts a dimension of groups before the
/// channels of the input, the features and the features of the result.
Value Convolution::createGeneric(Value input, Value weights, Value init,
                                 bool isGrouped) {
  int64_t rank = strides.size();
  int64_t count = 0;
  auto next = [&] { return builder.getAffineDimExpr(count++); };
  // batch, (group,) features, windows; channels, positions.
  SmallVector<AffineExpr> at = {next()}, from(at), of;
  if (isGrouped) {
    at.push_back(next());
    from.push_back(at.back());
    of.push_back(at.back());
  }
  at.push_back(next());
  of.push_back(at.back());
  for (int64_t dim = 0; dim < rank; ++dim)
    at.push_back(next());
  ArrayRef<AffineExpr> windows = ArrayRef<AffineExpr>(at).take_back(rank);
  SmallVector<utils::IteratorType> iterators(count,
                                             utils::IteratorType::parallel);
  from.push_back(next());
  of.push_back(from.back());
  for (int64_t dim = 0; dim < rank; ++dim) {
    of.push_back(next());
    from.push_back(windows[dim] * strides[dim] + of.back() * dilations[dim]);
  }
  iterators.resize(count, utils::IteratorType::reduction);
  SmallVector<AffineMap> maps;
  for (ArrayRef<AffineExpr> exprs : {from, of, at})
    maps.push_back(AffineMap::get(count, 0, exprs, builder.getContext()));
  Type type = cast<RankedTensorType>(init.getType()).getElementType();
  auto generic = linalg::GenericOp::create(
      builder, loc, init.getType(), ValueRange{input, weights}, init, maps,
      iterators, [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
        omb::Scalars scalars(b, bodyLoc, type);
        Value product = scalars.mul(scalars.extend(elements[0], type),
                                    scalars.extend(elements[1], type));
        linalg::YieldOp::create(b, bodyLoc, scalars.add(elements[2], product));
      });
  return generic.getResult(0);
}

Value Convolution::createDense(Value input, Value weights, Value init) {
  switch (strides.size()) {
  case 1:
    return createNamed<linalg::Conv1DNcwFcwOp>(input, weights, init);
  case 2:
    return createNamed<linalg::Conv2DNchwFchwOp>(input, weights, init);
  case 3:
    return createNamed<linalg::Conv3DNcdhwFcdhwOp>(input, weights, init);
  default:
    return createGeneric(input, weights, init, /*isGrouped=*/false);
  }
}

/// The dimensions of a tensor of `rank`, with `dim` and the next one as one.
static SmallVector<ReassociationIndices> getPairing(int64_t rank, int64_t dim) {
  SmallVector<ReassociationIndices> groups;
  for (int64_t next = 0; next < rank; ++next) {
    groups.push_back({next});
    if (next == dim)
      groups.back().push_back(++next);
  }
  return groups;
}

/// One feature for each channel.
Value Convolution::createDepthwise(Value input, Value weights, Value init) {
  int64_t rank = strides.size();
  weights = tensor::CollapseShapeOp::create(builder, loc, weights,
                                            getPairing(rank + 2, 0));
  if (rank == 1)
    return createNamed<linalg::DepthwiseConv1DNcwCwOp>(input, weights, init);
  if (rank == 2)
    return createNamed<linalg::DepthwiseConv2DNchwChwOp>(input, weights, init);
  return createNamed<linalg::DepthwiseConv3DNcdhwCdhwOp>(input, weights, init);
}

Value omb::splitDim(OpBuilder &builder, Location loc, Value tensor, int64_t dim,
                    int64_t parts) {
  auto type = cast<RankedTensorType>(tensor.getType());
  omb::IndexArithmetic index(builder, loc);
  SmallVector<Value> sizes = index.sizes(tensor);
  SmallVector<int64_t> shape(type.getShape());
  sizes[dim] = index.div(sizes[dim], index.constant(parts));
  if (!ShapedType::isDynamic(shape[dim]))
    shape[dim] /= parts;
  sizes.insert(sizes.begin() + dim, index.constant(parts));
  shape.insert(shape.begin() + dim, parts);
  return tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), tensor,
      getPairing(type.getRank() + 1, dim), index.mixed(sizes));
}

Value omb::joinDims(OpBuilder &builder, Location loc, Value tensor, int64_t dim,
                    RankedTensorType type) {
  return tensor::CollapseShapeOp::create(builder, loc, type, tensor,
                                         getPairing(type.getRank() + 1, dim));
}

/// `sum` and the bias of channels that `broadcast` repeats.
static Value addBias(OpBuilder &builder, Location loc, Value sum,
                     linalg::BroadcastOp broadcast) {
  auto type = cast<RankedTensorType>(sum.getType());
  int64_t rank = type.getRank();
  AffineMap all = builder.getMultiDimIdentityMap(rank);
  AffineMap channel = AffineMap::get(rank, 0, builder.getAffineDimExpr(1));
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, type, ValueRange{sum, broadcast.getInput()},
             broadcast.getInit(), {all, channel, all}, iterators,
             [&](OpBuilder &b, Location bodyLoc, ValueRange elements) {
               omb::Scalars scalars(b, bodyLoc, type.getElementType());
               linalg::YieldOp::create(b, bodyLoc,
                                       scalars.add(elements[0], elements[1]));
             })
      .getResult(0);
}

Value Convolution::createGrouped(Value input, Value weights, Value init,
                                 int64_t group) {
  auto type = cast<RankedTensorType>(init.getType());
  input = splitDim(builder, loc, input, 1, group);
  weights = splitDim(builder, loc, weights, 0, group);
  // IREE has no code for sums of one image in groups, of a size that isn't
  // known, that start with something else than a fill.
  auto bias = init.getDefiningOp<linalg::BroadcastOp>();
  if (bias) {
    Value zero = omb::createZero(builder, loc, type.getElementType());
    init =
        linalg::FillOp::create(builder, loc, zero, bias.getInit()).getResult(0);
  }
  init = splitDim(builder, loc, init, 1, group);
  Value result =
      strides.size() == 2
          ? createNamed<linalg::Conv2DNgchwGfchwOp>(input, weights, init)
          : createGeneric(input, weights, init, /*isGrouped=*/true);
  result = joinDims(builder, loc, result, 1, type);
  return bias ? addBias(builder, loc, result, bias) : result;
}

Value omb::buildConvolutionInit(OpBuilder &builder, Location loc,
                                RankedTensorType type, ValueRange sizes,
                                Value bias) {
  Type elementType = type.getElementType();
  if (!bias)
    return omb::createFilled(builder, loc, type, sizes,
                             omb::createZero(builder, loc, elementType));
  bias = omb::convertFloats(builder, loc, bias, elementType);
  bias =
      omb::castTensor(builder, loc, bias,
                      RankedTensorType::get(type.getDimSize(1), elementType));
  SmallVector<int64_t> dims;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (dim != 1)
      dims.push_back(dim);
  Value init = omb::createEmpty(builder, loc, type, sizes);
  return linalg::BroadcastOp::create(builder, loc, bias, init, dims)
      .getResult()
      .front();
}

Value omb::buildConvolution(OpBuilder &builder, Location loc, Value input,
                            Value weights, Value init, int64_t group,
                            ArrayRef<int64_t> strides,
                            ArrayRef<int64_t> dilations) {
  auto initType = cast<RankedTensorType>(init.getType());
  if (llvm::is_contained(initType.getShape(), 0))
    return init;
  Convolution convolution{builder, loc, strides, dilations};
  if (group == 1)
    return convolution.createDense(input, weights, init);
  auto inputType = cast<RankedTensorType>(input.getType());
  auto weightsType = cast<RankedTensorType>(weights.getType());
  bool isDepthwise =
      inputType.getDimSize(1) == group && initType.getDimSize(1) == group &&
      weightsType.getDimSize(0) == group && weightsType.getDimSize(1) == 1;
  if (isDepthwise && !strides.empty() && strides.size() <= 3)
    return convolution.createDepthwise(input, weights, init);
  return convolution.createGrouped(input, weights, init, group);
}
