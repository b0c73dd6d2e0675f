//===- Elementwise.cpp - What is done to each element ---------------------===//

#include "lowering/vector/Elementwise.h"

#include "lowering/vector/Rounding.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace omb::kernels;

/// As linalg::isElementwise, of operands that may also be read at one place.
static bool isElementwise(linalg::GenericOp op) {
  return op.getNumLoops() == op.getNumParallelLoops() &&
         llvm::all_of(op.getIndexingMapsArray(),
                      [](AffineMap map) {
                        return map.isConstant() || map.isProjectedPermutation(
                                                       /*allowZeroInResults=*/
                                                       true);
                      }) &&
         linalg::hasOnlyScalarElementwiseOp(op.getRegion());
}

bool omb::kernels::isElementwiseOfInputs(linalg::GenericOp op) {
  return isElementwise(op) && op.getNumDpsInits() == 1 &&
         op.hasPureTensorSemantics() &&
         op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity() &&
         op.getBody()->getArguments().back().use_empty();
}

bool omb::kernels::isVectorElement(Type type) {
  return type.isF16() || type.isF32() || type.isF64() || type.isInteger(8) ||
         type.isInteger(16) || type.isInteger(32) || type.isInteger(64);
}

bool omb::kernels::isVectorizable(Block &body,
                                  function_ref<bool(Value)> isReadable) {
  auto isKnown = [&](Value value) {
    return value.getParentBlock() == &body ||
           matchPattern(value, m_Constant()) || isReadable(value);
  };
  return llvm::all_of(body, [&](Operation &op) {
    // Lanes beyond the last element divide by zero.
    return llvm::all_of(op.getOperands(), isKnown) &&
           (isa<linalg::YieldOp>(op) ||
            (OpTrait::hasElementwiseMappableTraits(&op) &&
             isSpeculatable(&op)));
  });
}

bool omb::kernels::callsFunctions(Block &body) {
  return llvm::any_of(body, [](Operation &op) {
    return isa<math::MathDialect>(op.getDialect()) &&
           !isa<math::AbsFOp, math::SqrtOp, math::FloorOp, math::CeilOp,
                math::FmaOp, math::RoundEvenOp>(op);
  });
}

Value LaneEmitter::get(Value value) {
  if (!values.contains(value)) // a constant from outside
    builder.clone(*value.getDefiningOp(), values);
  return values.lookup(value);
}

Value LaneEmitter::toVector(Value value) {
  if (isa<VectorType>(value.getType()))
    return value;
  auto type = VectorType::get(lanes, value.getType());
  return vector::BroadcastOp::create(builder, value.getLoc(), type, value);
}

Value LaneEmitter::convertToBFloats(Operation &op) {
  // Of a quarter of a register, there is no instruction without a mask.
  if (!convertsBFloats || lanes < 8 || !isa<arith::TruncFOp>(op) ||
      !op.getOperand(0).getType().isF32() ||
      !op.getResult(0).getType().isBF16())
    return nullptr;
  auto lanesType = VectorType::get(lanes, op.getResult(0).getType());
  std::string name =
      "llvm.x86.avx512bf16.cvtneps2bf16." + llvm::utostr(lanes * 32);
  return LLVM::CallIntrinsicOp::create(
             builder, op.getLoc(), lanesType, builder.getStringAttr(name),
             ValueRange{toVector(get(op.getOperand(0)))})
      .getResult(0);
}

Value LaneEmitter::roundToEven(Operation &op) {
  Type type = op.getResult(0).getType();
  if (!isa<math::RoundEvenOp>(op) || !(type.isF32() || type.isF64()))
    return nullptr;
  Value number = get(op.getOperand(0));
  return LLVM::CallIntrinsicOp::create(builder, op.getLoc(), number.getType(),
                                       builder.getStringAttr("llvm.roundeven"),
                                       ValueRange{number})
      .getResult(0);
}

Value LaneEmitter::multiplyByReciprocal(Operation &op) {
  if (&op != reciprocal)
    return nullptr;
  Value dividend = get(op.getOperand(0)), divisor = get(op.getOperand(1));
  if (!isa<VectorType>(dividend.getType()) ||
      isa<VectorType>(divisor.getType()))
    return nullptr;
  Value one = arith::ConstantOp::create(
      builder, op.getLoc(), builder.getFloatAttr(divisor.getType(), 1));
  Value factor = arith::DivFOp::create(builder, op.getLoc(), one, divisor);
  return arith::MulFOp::create(builder, op.getLoc(), dividend,
                               toVector(factor));
}

void LaneEmitter::emit(Operation &op) {
  if (Value number = getRoundTrip(op))
    return values.map(op.getResult(0), get(number));
  if (FloatAttr divisor = getRoundedDivisor(op))
    return values.map(op.getResult(0),
                      divideForRounding(builder, op.getLoc(),
                                        get(op.getOperand(0)), divisor));
  if (Value converted = convertToBFloats(op))
    return values.map(op.getResult(0), converted);
  if (Value rounded = roundToEven(op))
    return values.map(op.getResult(0), rounded);
  if (Value product = multiplyByReciprocal(op))
    return values.map(op.getResult(0), product);
  SmallVector<Value> operands = llvm::map_to_vector(
      op.getOperands(), [&](Value operand) { return get(operand); });
  bool isVector = llvm::any_of(operands, [](Value operand) {
    return isa<VectorType>(operand.getType());
  });
  OperationState state(op.getLoc(), op.getName(), operands, op.getResultTypes(),
                       op.getAttrs());
  if (isVector) {
    for (Value &operand : state.operands)
      operand = toVector(operand);
    for (Type &result : state.types)
      result = VectorType::get(lanes, result);
  }
  values.map(op.getResults(), builder.create(state)->getResults());
}

Value LaneEmitter::emitAll(Block &body) {
  for (Operation &op : body.without_terminator())
    if (!isa<linalg::IndexOp>(op))
      emit(op);
  return get(body.getTerminator()->getOperand(0));
}
