//===- InferShapes.cpp - onnx-infer-shapes --------------------------------===//

#include "dialect/ir/Assert.h"
#include "dialect/ir/Constants.h"
#include "dialect/ir/GraphBody.h"
#include "dialect/ir/OnnxDialect.h"
#include "dialect/ir/ops/Constant.h"
#include "dialect/shape/ShapeInference.h"
#include "dialect/transforms/Passes.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AffineExprVisitor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace omb::onnx;

namespace omb::onnx {
#define GEN_PASS_DEF_INFERSHAPES
#include "dialect/transforms/Passes.h.inc"
} // namespace omb::onnx

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
  /// Puts the branch that `op` is known to take in its place, where it is
  /// known.
  LogicalResult inlineKnownBranch(IfOp op);
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

namespace {

/// Computes expressions that isComputable() takes. Sizes aren't negative, and
/// what is divided usually isn't either: such divisions are unsigned ones.
/// Signed ones that round down are made of selects, whose bounds take
/// upstream's analysis of value bounds a time that is exponential in how deeply
/// they are nested.
class SizeArithmetic : public AffineExprVisitor<SizeArithmetic, Value> {
public:
  SizeArithmetic(OpBuilder &builder, Location loc, ValueRange symbols)
      : builder(loc, builder), symbols(symbols) {}

  Value visitSymbolExpr(AffineSymbolExpr expr) {
    return symbols[expr.getPosition()];
  }
  Value visitConstantExpr(AffineConstantExpr expr) {
    return arith::ConstantIndexOp::create(builder, expr.getValue());
  }
  Value visitAddExpr(AffineBinaryOpExpr expr) { return expand(expr); }
  Value visitMulExpr(AffineBinaryOpExpr expr) { return expand(expr); }
  Value visitCeilDivExpr(AffineBinaryOpExpr expr) { return expand(expr); }
  Value visitFloorDivExpr(AffineBinaryOpExpr expr) {
    if (!isNonNegative(expr.getLHS()))
      return expand(expr);
    return arith::DivUIOp::create(builder, visit(expr.getLHS()),
                                  visit(expr.getRHS()));
  }
  Value visitModExpr(AffineBinaryOpExpr expr) {
    Value divisor = visit(expr.getRHS());
    if (isNonNegative(expr.getLHS()))
      return arith::RemUIOp::create(builder, visit(expr.getLHS()), divisor);
    AffineExpr opposite = -expr.getLHS();
    if (!isNonNegative(opposite))
      return expand(expr);
    Value over = arith::RemUIOp::create(builder, visit(opposite), divisor);
    Value under = arith::SubIOp::create(builder, divisor, over);
    return arith::RemUIOp::create(builder, under, divisor);
  }

private:
  static bool isNonNegative(AffineExpr expr);
  /// The operation between the values of its operands.
  Value expand(AffineBinaryOpExpr expr) {
    Value lhs = visit(expr.getLHS());
    AffineExpr symbol = getAffineSymbolExpr(0, builder.getContext());
    if (isa<AffineConstantExpr>(expr.getRHS()))
      return affine::expandAffineExpr(
          builder, builder.getLoc(),
          getAffineBinaryOpExpr(expr.getKind(), symbol, expr.getRHS()),
          /*dimValues=*/{}, lhs);
    AffineExpr other = getAffineSymbolExpr(1, builder.getContext());
    return affine::expandAffineExpr(
        builder, builder.getLoc(),
        getAffineBinaryOpExpr(expr.getKind(), symbol, other),
        /*dimValues=*/{}, {lhs, visit(expr.getRHS())});
  }

  ImplicitLocOpBuilder builder;
  ValueRange symbols;
};

} // namespace

bool SizeArithmetic::isNonNegative(AffineExpr expr) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue() >= 0;
  auto operation = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!operation)
    return true; // a size
  if (expr.getKind() == AffineExprKind::Mod)
    return true;
  return isNonNegative(operation.getLHS()) && isNonNegative(operation.getRHS());
}

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
  return SizeArithmetic(builder, op->getLoc(), symbols).visit(dim);
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
    return createConstant(
        builder, loc,
        ElementsAttr(DenseIntElementsAttr::get(tensorType, elements)));
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

/// Stops the run unless the condition of `op`, of one element, is `expected`.
static void requireCondition(IfOp op, bool expected) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  int64_t rank = cast<RankedTensorType>(op.getCond().getType()).getRank();
  Value condition = tensor::ExtractOp::create(builder, loc, op.getCond(),
                                              SmallVector<Value>(rank, zero));
  if (!expected) {
    Value isTrue = arith::ConstantIntOp::create(builder, loc, 1, /*width=*/1);
    condition = arith::XOrIOp::create(builder, loc, condition, isTrue);
  }
  omb::createAssert(builder, loc, condition,
                    "If takes a branch whose result has a rank that the ops "
                    "after it don't accept");
}

LogicalResult ShapeWriter::inlineKnownBranch(IfOp op) {
  std::optional<bool> condition = analysis.getAssumption(op);
  std::string why;
  std::optional<IfBranches> branches = getBranches(op, why);
  if (!condition || !branches)
    return failure();
  // What is known of the condition's contents needs no check.
  if (!analysis.getContents(op.getCond())) {
    if (!isa<RankedTensorType>(op.getCond().getType()))
      return failure();
    requireCondition(op, *condition);
  }
  GraphBody taken = *condition ? branches->thenBranch : branches->elseBranch;
  // The result may be declared more precisely than the value is known.
  for (auto [result, value] : llvm::zip(op.getResults(), taken.getOutputs())) {
    result.setType(analysis.refine(result));
    std::optional<Shape> shape = analysis.getShape(result);
    if (shape && value.getParentBlock() == taken.block)
      (void)analysis.setShape(value, *shape);
  }
  // Their addresses are free for other values soon.
  analysis.forget(op.getResults());
  analysis.forget(*condition ? op.getElseBranch() : op.getThenBranch());
  IRRewriter rewriter(op);
  return inlineBranch(rewriter, op, *condition);
}

void ShapeWriter::writeBlock(Block &block) {
  for (Value argument : block.getArguments()) {
    // The arguments of a function stay what they are declared.
    if (isa_and_nonnull<OnnxDialect>(block.getParentOp()->getDialect()))
      argument.setType(analysis.refine(argument));
    recordSources(argument);
  }
  // The ops of an inlined branch come next.
  for (auto next = block.begin(); next != block.end();) {
    Operation *previous = next == block.begin() ? nullptr : &*std::prev(next);
    auto ifOp = dyn_cast<IfOp>(&*next);
    if (ifOp && succeeded(inlineKnownBranch(ifOp))) {
      next = previous ? std::next(Block::iterator(previous)) : block.begin();
      continue;
    }
    for (Region &region : next->getRegions())
      for (Block &nested : region)
        writeBlock(nested);
    if (isa_and_nonnull<OnnxDialect>(next->getDialect()))
      writeOp(&*next);
    ++next;
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
