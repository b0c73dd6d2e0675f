//===- SequenceFolding.cpp - Sequences whose tensors are known ------------===//
//
// Most sequences are made from tensors that are in the same graph, and only
// take them from one op to the next: canonicalization makes them disappear.
//
//===----------------------------------------------------------------------===//

#include "dialect/ir/Constants.h"
#include "dialect/ir/OnnxDialect.h"
#include "dialect/ir/ops/DataMovement.h"
#include "dialect/ir/ops/Sequence.h"
#include "dialect/shape/ShapeInference.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace omb::onnx;

/// The tensors of a sequence; nullopt where they aren't known.
static std::optional<SmallVector<Value>> getTensors(Value sequence) {
  if (auto construct = sequence.getDefiningOp<SequenceConstructOp>())
    return SmallVector<Value>(construct.getInputs());
  if (sequence.getDefiningOp<SequenceEmptyOp>())
    return SmallVector<Value>();
  return std::nullopt;
}

/// `position`, or `absent` where it is null, in a sequence of `length`, counted
/// from the front; nullopt where it isn't constant or not below `limit`.
static std::optional<int64_t> getPosition(Value position, int64_t absent,
                                          int64_t length, int64_t limit) {
  int64_t number = absent;
  if (position) {
    DenseIntElementsAttr constant;
    if (!matchPattern(position, m_Constant(&constant)) ||
        constant.getNumElements() != 1)
      return std::nullopt;
    number = (*constant.begin()).getSExtValue();
    number = number < 0 ? number + length : number;
  }
  if (number < 0 || number >= limit)
    return std::nullopt;
  return number;
}

/// Replaces `op` by `value`, whose type may say more or less of the shape.
static void replaceByTensor(PatternRewriter &rewriter, Operation *op,
                            Value value) {
  Type type = op->getResult(0).getType();
  if (value.getType() != type)
    value = IdentityOp::create(rewriter, op->getLoc(), type, value);
  rewriter.replaceOp(op, value);
}

static void replaceBySequence(PatternRewriter &rewriter, Operation *op,
                              ArrayRef<Value> tensors) {
  rewriter.replaceOpWithNewOp<SequenceConstructOp>(
      op, op->getResult(0).getType(), tensors);
}

static constexpr StringLiteral kUnknownTensors =
    "the tensors of the sequence aren't known";
static constexpr StringLiteral kUnknownPosition =
    "the position isn't constant, or out of range";

namespace {

struct TakeKnownTensor : OpRewritePattern<SequenceAtOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SequenceAtOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<SmallVector<Value>> tensors =
        getTensors(op.getInputSequence());
    if (!tensors)
      return rewriter.notifyMatchFailure(op, kUnknownTensors);
    std::optional<int64_t> position = getPosition(
        op.getPosition(), /*absent=*/-1, tensors->size(), tensors->size());
    if (!position)
      return rewriter.notifyMatchFailure(op, kUnknownPosition);
    replaceByTensor(rewriter, op, (*tensors)[*position]);
    return success();
  }
};

struct CountKnownTensors : OpRewritePattern<SequenceLengthOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SequenceLengthOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<SmallVector<Value>> tensors =
        getTensors(op.getInputSequence());
    if (!tensors)
      return rewriter.notifyMatchFailure(op, kUnknownTensors);
    auto type = RankedTensorType::get({}, rewriter.getI64Type());
    auto value = DenseElementsAttr::get(type, int64_t(tensors->size()));
    replaceByTensor(rewriter, op,
                    createConstant(rewriter, op.getLoc(), ElementsAttr(value)));
    return success();
  }
};

struct InsertIntoKnownTensors : OpRewritePattern<SequenceInsertOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SequenceInsertOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<SmallVector<Value>> tensors =
        getTensors(op.getInputSequence());
    if (!tensors)
      return rewriter.notifyMatchFailure(op, kUnknownTensors);
    int64_t length = tensors->size();
    std::optional<int64_t> position =
        getPosition(op.getPosition(), /*absent=*/length, length, length + 1);
    if (!position)
      return rewriter.notifyMatchFailure(op, kUnknownPosition);
    tensors->insert(tensors->begin() + *position, op.getTensor());
    replaceBySequence(rewriter, op, *tensors);
    return success();
  }
};

struct EraseFromKnownTensors : OpRewritePattern<SequenceEraseOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SequenceEraseOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<SmallVector<Value>> tensors =
        getTensors(op.getInputSequence());
    if (!tensors)
      return rewriter.notifyMatchFailure(op, kUnknownTensors);
    int64_t length = tensors->size();
    std::optional<int64_t> position =
        getPosition(op.getPosition(), /*absent=*/length - 1, length, length);
    // An empty SequenceConstruct is no valid op.
    if (!position || length == 1)
      return rewriter.notifyMatchFailure(op, kUnknownPosition);
    tensors->erase(tensors->begin() + *position);
    replaceBySequence(rewriter, op, *tensors);
    return success();
  }
};

struct ConcatKnownTensors : OpRewritePattern<ConcatFromSequenceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ConcatFromSequenceOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<SmallVector<Value>> tensors =
        getTensors(op.getInputSequence());
    if (!tensors || tensors->empty())
      return rewriter.notifyMatchFailure(op, kUnknownTensors);
    Location loc = op.getLoc();
    Type type = op.getConcatResult().getType();
    if (op.getNewAxis() != 0) {
      auto unranked =
          UnrankedTensorType::get(cast<TensorType>(type).getElementType());
      Value axis =
          createConstant(rewriter, loc, ArrayRef<int64_t>(op.getAxis()));
      for (Value &tensor : *tensors)
        tensor = UnsqueezeOp::create(rewriter, loc, unranked, tensor, axis);
    }
    rewriter.replaceOpWithNewOp<ConcatOp>(op, type, *tensors, op.getAxisAttr());
    return success();
  }
};

struct SplitIntoKnownTensors : OpRewritePattern<SplitToSequenceOp> {
  using OpRewritePattern::OpRewritePattern;

  /// More parts stay one tensor.
  static constexpr int64_t kMaxParts = 64;

  LogicalResult matchAndRewrite(SplitToSequenceOp op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getInput().getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "the input's rank isn't known");
    std::optional<int64_t> axis = normalizeAxis(op.getAxis(), type.getRank());
    if (!axis)
      return rewriter.notifyMatchFailure(op, "the axis is out of range");
    std::optional<SmallVector<int64_t>> sizes =
        getSizes(op.getSplit(), type.getDimSize(*axis));
    if (!sizes)
      return rewriter.notifyMatchFailure(
          op, "the number of parts isn't known, or large");
    Location loc = op.getLoc();
    auto unranked = UnrankedTensorType::get(type.getElementType());
    SmallVector<Type> types(sizes->size(), unranked);
    auto split = SplitOp::create(
        rewriter, loc, types, op.getInput(),
        createConstant(rewriter, loc, ArrayRef<int64_t>(*sizes)),
        rewriter.getI64IntegerAttr(*axis),
        /*num_outputs=*/IntegerAttr());
    SmallVector<Value> tensors(split->getResults());
    if (!op.getSplit() && op.getKeepdims() == 0) {
      Value axes = createConstant(rewriter, loc, ArrayRef<int64_t>(*axis));
      for (Value &tensor : tensors)
        tensor = SqueezeOp::create(rewriter, loc, unranked, tensor, axes);
    }
    replaceBySequence(rewriter, op, tensors);
    return success();
  }

private:
  /// The sizes of the parts of a dimension; nullopt where they aren't known.
  static std::optional<SmallVector<int64_t>> getSizes(Value split,
                                                      int64_t dim) {
    DenseIntElementsAttr constant;
    if (split && !matchPattern(split, m_Constant(&constant)))
      return std::nullopt;
    if (split && constant.getType().getRank() == 1) {
      SmallVector<int64_t> sizes;
      for (const APInt &size : constant)
        sizes.push_back(size.getSExtValue());
      return isReasonable(sizes.size()) ? std::optional(sizes) : std::nullopt;
    }
    int64_t part = split ? (*constant.begin()).getSExtValue() : 1;
    if (part <= 0 || ShapedType::isDynamic(dim) ||
        !isReasonable(llvm::divideCeil(dim, part)))
      return std::nullopt;
    SmallVector<int64_t> sizes(dim / part, part);
    if (dim % part != 0)
      sizes.push_back(dim % part);
    return sizes;
  }

  static bool isReasonable(int64_t numParts) {
    return numParts > 0 && numParts <= kMaxParts;
  }
};

struct KnowWhetherElement : OpRewritePattern<OptionalHasElementOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(OptionalHasElementOp op,
                                PatternRewriter &rewriter) const override {
    Value input = op.getInput();
    if (input && isa<OptionalType>(input.getType())) {
      auto optional = input.getDefiningOp<OptionalOp>();
      if (!optional)
        return rewriter.notifyMatchFailure(op,
                                           "where it comes from is unknown");
      input = optional.getInput();
    }
    replaceByTensor(rewriter, op,
                    createBoolean(rewriter, op.getLoc(), input != nullptr));
    return success();
  }
};

struct GetKnownElement : OpRewritePattern<OptionalGetElementOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(OptionalGetElementOp op,
                                PatternRewriter &rewriter) const override {
    Value input = op.getInput();
    if (isa<OptionalType>(input.getType())) {
      auto optional = input.getDefiningOp<OptionalOp>();
      if (!optional || !optional.getInput())
        return rewriter.notifyMatchFailure(op, "what it holds is unknown");
      input = optional.getInput();
    }
    replaceByTensor(rewriter, op, input);
    return success();
  }
};

} // namespace

void ConcatFromSequenceOp::getCanonicalizationPatterns(
    RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ConcatKnownTensors>(context);
}

void OptionalGetElementOp::getCanonicalizationPatterns(
    RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<GetKnownElement>(context);
}

void OptionalHasElementOp::getCanonicalizationPatterns(
    RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<KnowWhetherElement>(context);
}

void SequenceAtOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                               MLIRContext *context) {
  patterns.add<TakeKnownTensor>(context);
}

void SequenceEraseOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                  MLIRContext *context) {
  patterns.add<EraseFromKnownTensors>(context);
}

void SequenceInsertOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                   MLIRContext *context) {
  patterns.add<InsertIntoKnownTensors>(context);
}

void SequenceLengthOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                   MLIRContext *context) {
  patterns.add<CountKnownTensors>(context);
}

void SplitToSequenceOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                                    MLIRContext *context) {
  patterns.add<SplitIntoKnownTensors>(context);
}
