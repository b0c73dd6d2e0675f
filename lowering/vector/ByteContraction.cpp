//===- ByteContraction.cpp - Products of bytes as CPUs have them ----------===//

#include "lowering/vector/ByteContraction.h"

#include "lowering/ConstantBytes.h"
#include "lowering/vector/ElementMap.h"
#include "lowering/vector/Elementwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;

/// `byte` plus 128.
static int8_t shift(int64_t byte) { return int8_t(byte ^ 0x80); }

static Value createByte(OpBuilder &builder, Location loc, int8_t value) {
  return arith::ConstantOp::create(
      builder, loc, builder.getIntegerAttr(builder.getI8Type(), value));
}

/// What `value` was made of by adding 128 (which is subtracting it) to each
/// element; null if it is something else.
static Value getShifted(Value value) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || !isElementwiseOfInputs(op) || op.getNumDpsInputs() != 1 ||
      !op.getMatchingIndexingMap(op.getDpsInputOperand(0)).isIdentity() ||
      !getElementTypeOrSelf(op.getDpsInputs()[0].getType()).isInteger(8))
    return nullptr;
  auto sum = op.getBody()
                 ->getTerminator()
                 ->getOperand(0)
                 .getDefiningOp<arith::AddIOp>();
  APInt number;
  bool isShift = sum && sum.getLhs() == op.getBody()->getArgument(0) &&
                 matchPattern(sum.getRhs(), m_ConstantInt(&number)) &&
                 number.getSExtValue() == -128;
  return isShift ? op.getDpsInputs()[0] : Value();
}

/// `value`, of bytes, plus 128.
static Value createShifted(OpBuilder &builder, Location loc, Value value) {
  ElementMap shifted;
  shifted.type = builder.getI8Type();
  shifted.find = getShifted;
  shifted.fold = [&](TypedAttr number) -> TypedAttr {
    return builder.getI8IntegerAttr(shift(cast<IntegerAttr>(number).getInt()));
  };
  shifted.build = [](OpBuilder &b, Location at, Value element) -> Value {
    return arith::AddIOp::create(b, at, element, createByte(b, at, shift(0)));
  };
  return mapBelowShapes(builder, loc, value, shifted);
}

Value omb::kernels::createUnsignedInput(OpBuilder &builder,
                                        const ChannelContraction &contraction,
                                        int64_t group) {
  Location loc = contraction.op->getLoc();
  Value input = createShifted(builder, loc, contraction.input->get());
  return padLastDimension(builder, loc, input, group);
}

/// The same of weights with known values, which `source` has.
static Value createConstantOffset(OpBuilder &builder, Location loc,
                                  const omb::ConstantBytes &source,
                                  ArrayRef<int64_t> shape,
                                  ArrayRef<int64_t> order, size_t kept,
                                  int32_t factor,
                                  const omb::ConstantBytes *bias) {
  SmallVector<int64_t> sizes = applyPermutation(shape, order);
  SmallVector<int64_t> strides = computeStrides(shape);
  applyPermutationToVector(strides, order);
  int64_t sums = 1, products = 1;
  for (auto [dim, size] : llvm::enumerate(sizes))
    (dim < kept ? sums : products) *= size;
  SmallVector<int32_t> offsets;
  SmallVector<int64_t> ofSums =
                           computeStrides(ArrayRef(sizes).take_front(kept)),
                       ofProducts =
                           computeStrides(ArrayRef(sizes).drop_front(kept));
  for (int64_t sum = 0; sum < sums; ++sum) {
    uint32_t total = 0;
    SmallVector<int64_t> at = delinearize(sum, ofSums);
    for (int64_t product = 0; product < products; ++product) {
      SmallVector<int64_t> position(at);
      llvm::append_range(position, delinearize(product, ofProducts));
      total +=
          uint32_t(int32_t(int8_t(*source.at(linearize(position, strides)))));
    }
    int32_t start = 0;
    if (bias) // the channels are the last dimension that is kept
      std::memcpy(&start, bias->at(sum % sizes[kept - 1]), sizeof(start));
    offsets.push_back(int32_t(uint32_t(start) + uint32_t(factor) * total));
  }
  auto type = RankedTensorType::get(ArrayRef(sizes).take_front(kept),
                                    builder.getI32Type());
  return arith::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(type, ArrayRef<int32_t>(offsets)));
}

Value omb::kernels::createWeightsOffset(OpBuilder &builder,
                                        const ChannelContraction &contraction,
                                        int32_t factor, Value bias) {
  Location loc = contraction.op->getLoc();
  Value weights = contraction.weights->get();
  auto type = cast<RankedTensorType>(weights.getType());
  SmallVector<int64_t> order = contraction.getWeightsOrder();
  size_t kept = contraction.batches.size() + 1;
  FailureOr<ConstantBytes> source = ConstantBytes::get(weights),
                           known = failure();
  if (bias)
    known = ConstantBytes::get(bias);
  if (succeeded(source) && (!bias || succeeded(known)))
    return createConstantOffset(builder, loc, *source, type.getShape(), order,
                                kept, factor, bias ? &*known : nullptr);
  // The weights' dimensions are the loops, in their order.
  SmallVector<AffineExpr> results;
  SmallVector<OpFoldResult> sizes;
  SmallVector<utils::IteratorType> kinds(type.getRank(),
                                         utils::IteratorType::reduction);
  for (int64_t dim : ArrayRef(order).take_front(kept)) {
    results.push_back(builder.getAffineDimExpr(dim));
    sizes.push_back(tensor::getMixedSize(builder, loc, weights, dim));
    kinds[dim] = utils::IteratorType::parallel;
  }
  Type word = builder.getI32Type();
  Value empty = tensor::EmptyOp::create(builder, loc, sizes, word);
  Value start;
  if (bias) {
    SmallVector<int64_t> batches =
        llvm::to_vector(llvm::seq<int64_t>(0, kept - 1));
    start = linalg::BroadcastOp::create(builder, loc, bias, empty, batches)
                ->getResult(0);
  } else {
    Value zero =
        arith::ConstantOp::create(builder, loc, builder.getZeroAttr(word));
    start = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
  }
  SmallVector<AffineMap> maps{
      builder.getMultiDimIdentityMap(type.getRank()),
      AffineMap::get(type.getRank(), 0, results, builder.getContext())};
  return linalg::GenericOp::create(
             builder, loc, start.getType(), weights, start, maps, kinds,
             [&](OpBuilder &b, Location at, ValueRange args) {
               Value wide = arith::ExtSIOp::create(b, at, word, args[0]);
               Value times = arith::ConstantOp::create(
                   b, at, b.getI32IntegerAttr(factor));
               Value product = arith::MulIOp::create(b, at, wide, times);
               Value sum = arith::AddIOp::create(b, at, args[1], product);
               linalg::YieldOp::create(b, at, sum);
             })
      .getResult(0);
}
