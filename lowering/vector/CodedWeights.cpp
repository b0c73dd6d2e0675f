//===- CodedWeights.cpp - Weights that are stored as integers -------------===//

#include "lowering/vector/CodedWeights.h"

#include "lowering/vector/Elementwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;

/// `byte` as the integer that it stands for.
static int64_t readByte(const char *byte, bool isSigned) {
  return isSigned ? int64_t(int8_t(*byte)) : int64_t(uint8_t(*byte));
}

/// What `value` is a view of whose elements have the same order.
static Value getReshaped(Value value) {
  while (true) {
    if (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>())
      value = expand.getSrc();
    else if (auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>())
      value = collapse.getSrc();
    else
      return value;
  }
}

/// What was made a float, and whether it was signed; null for anything else.
static std::pair<Value, bool> getInteger(Value number) {
  if (auto cast = number.getDefiningOp<arith::SIToFPOp>())
    return {cast.getIn(), true};
  if (auto cast = number.getDefiningOp<arith::UIToFPOp>())
    return {cast.getIn(), false};
  return {nullptr, false};
}

double CodeParameter::at(ArrayRef<int64_t> indices) const {
  if (number)
    return *number;
  int64_t element = 0;
  for (auto [size, expr] : llvm::zip(type.getShape(), map.getResults()))
    element = element * size + indices[cast<AffineDimExpr>(expr).getPosition()];
  return read(element);
}

double CodeParameter::read(int64_t element) const {
  const char *from = bytes->at(element);
  if (type.getElementType().isInteger(8))
    return double(readByte(from, isSigned));
  float value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

bool CodeParameter::isBelow(double limit) const {
  if (number)
    return std::abs(*number) < limit;
  return llvm::all_of(llvm::seq(type.getNumElements()), [&](int64_t element) {
    return std::abs(read(element)) < limit;
  });
}

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// The operand of `op` that is `value` in its body; null if it is something
/// else.
static OpOperand *getOperand(linalg::GenericOp op, Value value) {
  auto argument = dyn_cast_if_present<BlockArgument>(value);
  bool isInput = argument && argument.getOwner() == op.getBody() &&
                 argument.getArgNumber() < op.getNumDpsInputs();
  return isInput ? op.getDpsInputOperand(argument.getArgNumber()) : nullptr;
}

/// The number that `value`, a float or made of an integer, is known to be.
static std::optional<double> getKnown(Value value) {
  APFloat number(0.0);
  if (matchPattern(value, m_ConstantFloat(&number)))
    return number.convertToDouble();
  auto [integer, isSigned] = getInteger(value);
  APInt bits;
  if (!integer || !matchPattern(integer, m_ConstantInt(&bits)))
    return std::nullopt;
  return bits.roundToDouble(isSigned);
}

static std::optional<CodeParameter> matchParameter(linalg::GenericOp op,
                                                   Value value) {
  if (std::optional<double> known = getKnown(value))
    return CodeParameter(*known);
  auto [integer, isSigned] = getInteger(value);
  OpOperand *operand = getOperand(op, integer ? integer : value);
  if (!operand)
    return std::nullopt;
  auto type = dyn_cast<RankedTensorType>(operand->get().getType());
  AffineMap map = op.getMatchingIndexingMap(operand);
  Type element = integer ? Type(IntegerType::get(op.getContext(), 8))
                         : Type(Float32Type::get(op.getContext()));
  FailureOr<omb::ConstantBytes> bytes =
      omb::ConstantBytes::get(getReshaped(operand->get()));
  if (failed(bytes) || !type || type.getElementType() != element ||
      !map.isProjectedPermutation())
    return std::nullopt;
  return CodeParameter(*bytes, type, map, isSigned);
}

FailureOr<CodedWeights>
CodedWeights::match(Value weights, function_ref<void(const Twine &)> why) {
  auto fail = [&](const Twine &reason) {
    why(reason);
    return failure();
  };
  auto type = dyn_cast<RankedTensorType>(weights.getType());
  if (!type || type.getRank() != 2 || !type.hasStaticShape() ||
      type.getNumElements() == 0 || !type.getElementType().isF32())
    return fail("has weights that aren't a matrix of f32");
  auto collapse = weights.getDefiningOp<tensor::CollapseShapeOp>();
  auto op = (collapse ? collapse.getSrc() : weights)
                .getDefiningOp<linalg::GenericOp>();
  if (!op || !isElementwiseOfInputs(op))
    return fail("has weights that aren't computed of integers");
  Value result = op.getBody()->getTerminator()->getOperand(0);
  auto product = result.getDefiningOp<arith::MulFOp>();
  if (!product)
    return fail("has weights that aren't scaled integers");
  auto difference = product.getLhs().getDefiningOp<arith::SubFOp>();
  auto [code, isSigned] =
      getInteger(difference ? difference.getLhs() : product.getLhs());
  OpOperand *operand = getOperand(op, code);
  if (!operand || !code.getType().isInteger(8) ||
      !op.getMatchingIndexingMap(operand).isIdentity())
    return fail("has weights that aren't scaled bytes");
  FailureOr<ConstantBytes> codes =
      ConstantBytes::get(getReshaped(operand->get()));
  std::optional<CodeParameter> scale = matchParameter(op, product.getRhs());
  std::optional<CodeParameter> zero = CodeParameter(0);
  if (difference)
    zero = matchParameter(op, difference.getRhs());
  if (failed(codes) || !scale || !zero)
    return fail("has weights with computed scales, zero points or codes");
  // Kernels add what zero points amount to, which must be a number.
  constexpr double mostScale = 1e30;
  if (!scale->isBelow(mostScale))
    return fail("has scales that are too large");
  CodedWeights found(*codes, type, isSigned);
  found.scale = *scale;
  found.zero = *zero;
  if (!collapse)
    return found;
  if (collapse.getSrcType().getRank() != 3)
    return fail("has weights in blocks of several dimensions");
  for (auto [dim, dims] : llvm::enumerate(collapse.getReassociationIndices()))
    if (dims.size() == 2) {
      found.blockDim = dim;
      found.blockSize = collapse.getSrcType().getDimSize(dims[1]);
    }
  return found;
}

bool CodedWeights::sharesParameters(int64_t inner) const {
  // In the order of the indices that parameters are found from.
  unsigned place = blockDim && *blockDim < inner ? inner + 1 : inner;
  if (blockDim == inner)
    ++place;
  return !scale.isFunctionOf(place) && !zero.isFunctionOf(place);
}

unsigned CodedWeights::getBits() const {
  int64_t lowest = 0, highest = 0;
  for (int64_t element = 0; element < type.getNumElements(); ++element) {
    int64_t code = readByte(codes.at(element), isSigned);
    lowest = std::min(lowest, code);
    highest = std::max(highest, code);
  }
  for (unsigned bits : {2, 4}) {
    int64_t half = isSigned ? 1 << (bits - 1) : 0;
    if (lowest >= -half && highest < (1 << bits) - half)
      return bits;
  }
  return 8;
}

int64_t CodedWeights::getBlockSize(int64_t inner) const {
  return blockDim == inner ? blockSize : type.getDimSize(inner);
}

std::pair<double, double>
CodedWeights::parametersAt(std::array<int64_t, 2> element) const {
  SmallVector<int64_t> indices;
  for (auto [dim, index] : llvm::enumerate(element)) {
    if (blockDim == int64_t(dim))
      llvm::append_values(indices, index / blockSize, index % blockSize);
    else
      indices.push_back(index);
  }
  return {scale.at(indices), zero.at(indices)};
}
