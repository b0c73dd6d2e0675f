//===- InferShapes.cpp - onnx-infer-shapes --------------------------------===//

#include "dialect/ir/OnnxDialect.h"
#include "dialect/ir/ops/Constant.h"
#include "dialect/shape/ShapeInference.h"
#include "dialect/transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace omb::onnx;

namespace omb::onnx {
#define GEN_PASS_DEF_INFERSHAPES
#include "dialect/transforms/Passes.h.inc"
} // namespace omb::onnx

/// Regions before the op that holds them: its results depend on what the
/// regions yield.
static LogicalResult inferRegion(Region &region, ShapeAnalysis &analysis) {
  for (Block &block : region) {
    for (Operation &op : block) {
      for (Region &nested : op.getRegions())
        if (failed(inferRegion(nested, analysis)))
          return failure();
      auto inference = dyn_cast<ShapeInferenceOpInterface>(&op);
      if (inference && failed(inference.inferShapes(analysis)))
        return failure();
    }
  }
  return success();
}

/// The elements of `value` as a constant; null where they aren't all known.
static ElementsAttr getConstantContents(Value value, ShapeAnalysis &analysis) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !type.hasStaticShape() || !type.getElementType().isInteger())
    return nullptr;
  std::optional<SmallVector<int64_t>> integers = analysis.getIntegers(value);
  if (!integers || int64_t(integers->size()) != type.getNumElements())
    return nullptr;
  unsigned width = type.getElementType().getIntOrFloatBitWidth();
  SmallVector<APInt> elements;
  for (int64_t integer : *integers)
    elements.emplace_back(width, integer, /*isSigned=*/true,
                          /*implicitTrunc=*/true);
  return DenseIntElementsAttr::get(
      RankedTensorType::get(type.getShape(), type.getElementType()), elements);
}

static void applyToOp(Operation *op, ShapeAnalysis &analysis) {
  for (Value result : op->getResults())
    result.setType(analysis.refine(result));
  if (isa<ConstantOp>(op))
    return;
  OpBuilder builder(op->getContext());
  builder.setInsertionPointAfter(op);
  for (Value result : op->getResults())
    if (!result.use_empty())
      if (ElementsAttr elements = getConstantContents(result, analysis))
        result.replaceAllUsesWith(ConstantOp::create(
            builder, op->getLoc(), TypeRange{result.getType()}, ValueRange{},
            builder.getNamedAttr("value", elements)));
}

static void updateFunctionType(func::FuncOp function) {
  if (function.isExternal())
    return;
  SmallVector<Type> results(function.getResultTypes());
  function.walk([&](func::ReturnOp op) {
    llvm::copy(op.getOperandTypes(), results.begin());
  });
  function.setType(
      FunctionType::get(function.getContext(), function.getArgumentTypes(), results));
}

namespace {

struct InferShapes : omb::onnx::impl::InferShapesBase<InferShapes> {
  void runOnOperation() override {
    ShapeAnalysis analysis(&getContext());
    for (Region &region : getOperation()->getRegions())
      if (failed(inferRegion(region, analysis)))
        return signalPassFailure();
    getOperation().walk([&](Operation *op) {
      if (isa_and_nonnull<OnnxDialect>(op->getDialect()))
        applyToOp(op, analysis);
    });
    getOperation().walk(updateFunctionType);
  }
};

} // namespace
