//===- CodedWeights.cpp - Weights that are stored as integers -------------===//

#include "lowering/vector/CodedWeights.h"

#include "lowering/vector/Elementwise.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"

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

double CodeParameter::read(int64_t index) const {
  const char *from = bytes->at(index);
  if (type.getElementType().isInteger(8))
    return double(readByte(from, isSigned));
  auto element = cast<FloatType>(type.getElementType());
  uint32_t bits = 0;
  std::memcpy(&bits, from, element.getWidth() / 8);
  APFloat value(element.getFloatSemantics(), APInt(element.getWidth(), bits));
  return value.convertToDouble();
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
  auto extended = value.getDefiningOp<arith::ExtFOp>();
  OpOperand *operand = getOperand(op, integer    ? integer
                                      : extended ? extended.getIn()
                                                 : value);
  if (!operand)
    return std::nullopt;
  auto type = dyn_cast<RankedTensorType>(operand->get().getType());
  AffineMap map = op.getMatchingIndexingMap(operand);
  Type element = getElementTypeOrSelf(operand->get().getType());
  bool isKnownType =
      integer ? element.isInteger(8)
              : element.isF32() || element.isF16() || element.isBF16();
  FailureOr<omb::ConstantBytes> bytes =
      omb::ConstantBytes::get(getReshaped(operand->get()));
  if (failed(bytes) || !type || !isKnownType || !map.isProjectedPermutation())
    return std::nullopt;
  return CodeParameter(*bytes, type, map, isSigned);
}

/// What `value` widens, if that is all that computes it; else `value`.
static Value getWidened(Value value) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || !isElementwiseOfInputs(op) || op.getNumDpsInputs() != 1 ||
      !op.getIndexingMapsArray()[0].isIdentity())
    return value;
  auto extended = op.getBody()
                      ->getTerminator()
                      ->getOperand(0)
                      .getDefiningOp<arith::ExtFOp>();
  return extended && getOperand(op, extended.getIn()) ? op.getDpsInputs()[0]
                                                      : value;
}

/// What `value` is the first elements of along each dimension; `value` where it
/// is something else.
static Value getWhole(Value value) {
  auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  bool isStart = slice && slice.hasUnitStride() &&
                 slice.getSourceType().getRank() == slice.getType().getRank() &&
                 llvm::all_of(slice.getMixedOffsets(), [](OpFoldResult offset) {
                   return isConstantIntValue(offset, 0);
                 });
  return isStart ? slice.getSource() : value;
}

/// The product of a code and a scale that what `op` yields is, or is computed
/// of and of nothing else but constants; null where there is none.
static arith::MulFOp getProduct(linalg::GenericOp op) {
  Value result = op.getBody()->getTerminator()->getOperand(0);
  llvm::SetVector<Value> work;
  arith::MulFOp product;
  work.insert(result);
  for (size_t next = 0; next < work.size(); ++next) {
    Operation *from = work[next].getDefiningOp();
    if (!from)
      return nullptr;
    if (from->hasTrait<OpTrait::ConstantLike>())
      continue;
    auto multiply = dyn_cast<arith::MulFOp>(from);
    if (multiply && product && multiply != product)
      return nullptr;
    if (multiply)
      product = multiply;
    else
      work.insert(from->operand_begin(), from->operand_end());
  }
  return product;
}

FailureOr<CodedWeights>
CodedWeights::match(Value weights, function_ref<void(const Twine &)> why) {
  auto fail = [&](const Twine &reason) {
    why(reason);
    return failure();
  };
  Value whole = getWhole(getWidened(weights));
  auto type = dyn_cast<RankedTensorType>(whole.getType());
  if (!type || type.getRank() != 2 || !type.hasStaticShape() ||
      type.getNumElements() == 0 || !isa<FloatType>(type.getElementType()) ||
      type.getElementTypeBitWidth() > 32)
    return fail("has weights that aren't a matrix of f32");
  auto collapse = whole.getDefiningOp<tensor::CollapseShapeOp>();
  auto op =
      (collapse ? collapse.getSrc() : whole).getDefiningOp<linalg::GenericOp>();
  if (!op || !isElementwiseOfInputs(op))
    return fail("has weights that aren't computed of integers");
  auto product = getProduct(op);
  if (!product || !product.getType().isF32())
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
  // Kernels subtract what zero points amount to from what codes do.
  Value result = op.getBody()->getTerminator()->getOperand(0);
  if (result != product && !scale->isNarrow() && zero->getNumber() != 0.0)
    return fail("has weights that are rounded twice");
  CodedWeights found(*codes, type, isSigned);
  found.scale = *scale;
  found.zero = *zero;
  found.product = product;
  found.result = result;
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

Value CodedWeights::buildRounded(OpBuilder &builder, Location loc,
                                 Value product) const {
  IRMapping map;
  map.map(this->product, product);
  Operation *first = this->product.getDefiningOp();
  for (Operation *op = first->getNextNode();
       !op->hasTrait<OpTrait::IsTerminator>(); op = op->getNextNode())
    if (llvm::all_of(op->getOperands(), [&](Value operand) {
          return map.contains(operand) || matchPattern(operand, m_Constant());
        }))
      builder.clone(*op, map);
  Value rounded = map.lookup(result);
  return rounded.getType().isF32()
             ? rounded
             : arith::ExtFOp::create(builder, loc, product.getType(), rounded)
                   .getResult();
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
