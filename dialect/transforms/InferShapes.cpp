//===- InferShapes.cpp - onnx-infer-shapes --------------------------------===//

#include "dialect/ir/OnnxDialect.h"
#include "dialect/ir/ops/Constant.h"
#include "dialect/shape/ShapeInference.h"
#include "dialect/transforms/Passes.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Dominance.h"
#include "llvm/ADT/MapVector.h"

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

/// Whether code can compute `dim`: quotients and remainders by constants only.
static bool isComputable(DimExpr dim) {
  bool isComputable = true;
  dim.walk([&](AffineExpr expr) {
    auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
    if (!binary ||
        llvm::is_contained({AffineExprKind::Add, AffineExprKind::Mul},
                           binary.getKind()))
      return;
    auto divisor = dyn_cast<AffineConstantExpr>(binary.getRHS());
    isComputable &= divisor && divisor.getValue() > 0;
  });
  return isComputable;
}

namespace {

/// Writes what the analysis found into the IR.
class ShapeWriter {
public:
  ShapeWriter(ShapeAnalysis &analysis, Operation *root)
      : analysis(analysis), dominance(root) {}

  void writeBlock(Block &block);

private:
  void writeOp(Operation *op);
  /// Remembers where the sizes of `value` can be read.
  void recordSources(Value value);
  /// The tensor of `type` that holds `contents`; null where code at `op` can't
  /// compute them.
  Value materialize(Operation *op, Type type, ArrayRef<DimExpr> contents);
  /// `dim` at `op`, as an index.
  Value compute(OpBuilder &builder, Operation *op, DimExpr dim);

  ShapeAnalysis &analysis;
  DominanceInfo dominance;
  /// By symbol: a dimension of a value that has this size.
  llvm::MapVector<DimExpr, std::pair<Value, int64_t>> sources;
};

} // namespace

void ShapeWriter::recordSources(Value value) {
  std::optional<Shape> shape = analysis.getShape(value);
  if (!shape)
    return;
  for (auto [index, dim] : llvm::enumerate(*shape))
    if (isa<AffineSymbolExpr>(dim))
      sources.try_emplace(dim, value, index);
}

Value ShapeWriter::compute(OpBuilder &builder, Operation *op, DimExpr dim) {
  SmallVector<Value> symbols;
  bool isKnown = isComputable(dim);
  dim.walk([&](AffineExpr expr) {
    auto symbol = dyn_cast<AffineSymbolExpr>(expr);
    if (!symbol || !isKnown)
      return;
    auto source = sources.find(symbol);
    isKnown = source != sources.end() &&
              dominance.properlyDominates(source->second.first, op);
    if (symbols.size() <= symbol.getPosition())
      symbols.resize(symbol.getPosition() + 1);
    if (isKnown && !symbols[symbol.getPosition()])
      symbols[symbol.getPosition()] = tensor::DimOp::create(
          builder, op->getLoc(), source->second.first, source->second.second);
  });
  if (!isKnown)
    return nullptr;
  return affine::expandAffineExpr(builder, op->getLoc(), dim, /*dimValues=*/{},
                                  symbols);
}

Value ShapeWriter::materialize(Operation *op, Type type,
                               ArrayRef<DimExpr> contents) {
  auto tensorType = dyn_cast<RankedTensorType>(type);
  if (!tensorType || !tensorType.hasStaticShape() ||
      !isa<IntegerType>(tensorType.getElementType()) ||
      tensorType.getNumElements() != int64_t(contents.size()))
    return nullptr;
  OpBuilder builder(op);
  Location loc = op->getLoc();
  if (llvm::all_of(contents, getConstantSize)) {
    unsigned width = tensorType.getElementTypeBitWidth();
    SmallVector<APInt> elements;
    for (DimExpr element : contents)
      elements.emplace_back(width, *getConstantSize(element),
                            /*isSigned=*/true, /*implicitTrunc=*/true);
    return ConstantOp::create(
        builder, loc, TypeRange{type}, ValueRange{},
        builder.getNamedAttr("value",
                             DenseIntElementsAttr::get(tensorType, elements)));
  }
  // A contents' elements are sizes: unsigned and narrow types don't hold them.
  if (!tensorType.getElementType().isSignlessInteger(32) &&
      !tensorType.getElementType().isSignlessInteger(64))
    return nullptr;
  SmallVector<Value> elements;
  for (DimExpr element : contents) {
    Value index = compute(builder, op, element);
    if (!index)
      return nullptr;
    elements.push_back(arith::IndexCastOp::create(
        builder, loc, tensorType.getElementType(), index));
  }
  return tensor::FromElementsOp::create(builder, loc, tensorType, elements);
}

void ShapeWriter::writeOp(Operation *op) {
  for (Value result : op->getResults()) {
    result.setType(analysis.refine(result));
    recordSources(result);
  }
  if (isa<ConstantOp>(op))
    return;
  for (Value result : op->getResults()) {
    std::optional<Shape> contents = analysis.getContents(result);
    if (!contents || result.use_empty())
      continue;
    if (Value known = materialize(op, result.getType(), *contents))
      result.replaceAllUsesWith(known);
  }
}

void ShapeWriter::writeBlock(Block &block) {
  for (Value argument : block.getArguments())
    recordSources(argument);
  for (Operation &op : block) {
    for (Region &region : op.getRegions())
      for (Block &nested : region)
        writeBlock(nested);
    if (isa_and_nonnull<OnnxDialect>(op.getDialect()))
      writeOp(&op);
  }
}

static void updateFunctionType(func::FuncOp function) {
  if (function.isExternal())
    return;
  SmallVector<Type> results(function.getResultTypes());
  function.walk([&](func::ReturnOp op) {
    llvm::copy(op.getOperandTypes(), results.begin());
  });
  function.setType(FunctionType::get(function.getContext(),
                                     function.getArgumentTypes(), results));
}

namespace {

struct InferShapes : omb::onnx::impl::InferShapesBase<InferShapes> {
  void runOnOperation() override {
    ShapeAnalysis analysis(&getContext());
    if (failed(inferRegion(getOperation().getBodyRegion(), analysis)))
      return signalPassFailure();
    ShapeWriter(analysis, getOperation()).writeBlock(*getOperation().getBody());
    getOperation().walk(updateFunctionType);
  }
};

} // namespace
