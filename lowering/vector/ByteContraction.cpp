//===- ByteContraction.cpp - Products of bytes as CPUs have them ----------===//

#include "lowering/vector/ByteContraction.h"

#include "lowering/ConstantBytes.h"
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

/// The integer that `pad` fills up with; nullopt where it isn't constant.
static std::optional<int64_t> getPadding(tensor::PadOp pad) {
  APInt number;
  Value value = pad ? pad.getConstantPaddingValue() : Value();
  if (!value || !matchPattern(value, m_ConstantInt(&number)))
    return std::nullopt;
  return number.getSExtValue();
}

static Value createPad(OpBuilder &builder, Location loc, Value source,
                       ArrayRef<OpFoldResult> low, ArrayRef<OpFoldResult> high,
                       int8_t value) {
  return tensor::PadOp::create(builder, loc, /*resultType=*/Type(), source, low,
                               high, createByte(builder, loc, value));
}

/// `value`, of bytes, plus 128. Padding and other shapes come after that, so
/// that it becomes part of what computes the bytes.
static Value createShifted(OpBuilder &builder, Location loc, Value value) {
  if (Value source = getShifted(value))
    return source;
  auto pad = value.getDefiningOp<tensor::PadOp>();
  if (std::optional<int64_t> padding = getPadding(pad))
    return createPad(builder, loc, createShifted(builder, loc, pad.getSource()),
                     pad.getMixedLowPad(), pad.getMixedHighPad(),
                     shift(*padding));
  if (auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>())
    return tensor::CollapseShapeOp::create(
        builder, loc, collapse.getType(),
        createShifted(builder, loc, collapse.getSrc()),
        collapse.getReassociationIndices());
  if (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>())
    return tensor::ExpandShapeOp::create(
        builder, loc, expand.getType(),
        createShifted(builder, loc, expand.getSrc()),
        expand.getReassociationIndices(), expand.getMixedOutputShape());
  auto type = cast<RankedTensorType>(value.getType());
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, value),
      type.getElementType());
  SmallVector<AffineMap> maps(2,
                              builder.getMultiDimIdentityMap(type.getRank()));
  SmallVector<utils::IteratorType> parallel(type.getRank(),
                                            utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, type, value, empty, maps, parallel,
             [](OpBuilder &b, Location at, ValueRange args) {
               Value shifted = arith::AddIOp::create(
                   b, at, args[0], createByte(b, at, shift(0)));
               linalg::YieldOp::create(b, at, shifted);
             })
      .getResult(0);
}

Value omb::kernels::createUnsignedInput(OpBuilder &builder,
                                        const ChannelContraction &contraction,
                                        int64_t group) {
  Location loc = contraction.op->getLoc();
  Value input = createShifted(builder, loc, contraction.input->get());
  auto type = cast<RankedTensorType>(input.getType());
  int64_t size = contraction.getSize(contraction.reductions.back());
  int64_t missing = llvm::alignTo(size, group) - size;
  if (missing == 0)
    return input;
  // The weights of these are zeros: they may be anything, such as a padding.
  int8_t padding = 0;
  SmallVector<OpFoldResult> low(type.getRank(), builder.getIndexAttr(0)),
      high(low);
  auto pad = input.getDefiningOp<tensor::PadOp>();
  if (std::optional<int64_t> known = getPadding(pad)) {
    padding = *known;
    low = pad.getMixedLowPad();
    high = pad.getMixedHighPad();
    input = pad.getSource();
  }
  high.back() = builder.getIndexAttr(missing);
  return createPad(builder, loc, input, low, high, padding);
}

/// The same of weights with known values, which `source` has.
static Value createConstantOffset(OpBuilder &builder, Location loc,
                                  const omb::ConstantBytes &source,
                                  ArrayRef<int64_t> shape,
                                  ArrayRef<int64_t> order, size_t kept,
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
    offsets.push_back(int32_t(uint32_t(start) - 128 * total));
  }
  auto type = RankedTensorType::get(ArrayRef(sizes).take_front(kept),
                                    builder.getI32Type());
  return arith::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(type, ArrayRef<int32_t>(offsets)));
}

Value omb::kernels::createUnsignedOffset(OpBuilder &builder,
                                         const ChannelContraction &contraction,
                                         Value bias) {
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
                                kept, bias ? &*known : nullptr);
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
               Value factor =
                   arith::ConstantOp::create(b, at, b.getI32IntegerAttr(-128));
               Value product = arith::MulIOp::create(b, at, wide, factor);
               Value sum = arith::AddIOp::create(b, at, args[1], product);
               linalg::YieldOp::create(b, at, sum);
             })
      .getResult(0);
}
