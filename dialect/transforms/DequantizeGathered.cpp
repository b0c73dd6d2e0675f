//===- DequantizeGathered.cpp - onnx-dequantize-gathered ------------------===//

#include "dialect/ir/ops/Elementwise.h"
#include "dialect/ir/ops/Indexing.h"
#include "dialect/ir/ops/Quantization.h"
#include "dialect/transforms/Passes.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace omb::onnx;

namespace omb::onnx {
#define GEN_PASS_DEF_DEQUANTIZEGATHERED
#include "dialect/transforms/Passes.h.inc"
} // namespace omb::onnx

/// `axis` of a tensor of `rank` dimensions, counted from the front.
static int64_t fromFront(int64_t axis, int64_t rank) {
  return axis < 0 ? axis + rank : axis;
}

/// Integers of less than a byte, which Gather doesn't take, as bytes.
static Value toBytes(OpBuilder &builder, Location loc, Value value) {
  auto tensor = cast<RankedTensorType>(value.getType());
  auto type = dyn_cast<IntegerType>(tensor.getElementType());
  if (!type || type.getWidth() >= 8)
    return value;
  auto byte = IntegerType::get(builder.getContext(), 8, type.getSignedness());
  constexpr int64_t kUint8 = 2, kInt8 = 3; // of TensorProto
  return CastOp::create(
      builder, loc, tensor.clone(byte), value, builder.getStringAttr("up"),
      builder.getI64IntegerAttr(1),
      builder.getI64IntegerAttr(type.isUnsigned() ? kUint8 : kInt8));
}

namespace {

/// Gather(DequantizeLinear(x)) as DequantizeLinear(Gather(x)).
struct DequantizeLater : OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GatherOp op,
                                PatternRewriter &rewriter) const override {
    auto dequantize = op.getData().getDefiningOp<DequantizeLinearOp>();
    if (!dequantize)
      return rewriter.notifyMatchFailure(op, "gathers nothing dequantized");
    auto data = dyn_cast<RankedTensorType>(op.getData().getType()),
         stored = dyn_cast<RankedTensorType>(dequantize.getX().getType()),
         indices = dyn_cast<RankedTensorType>(op.getIndices().getType()),
         result = dyn_cast<RankedTensorType>(op.getType());
    if (!data || !stored || !indices || !result)
      return rewriter.notifyMatchFailure(op, "has tensors of unknown rank");
    if (!isa<IntegerType>(stored.getElementType()))
      return rewriter.notifyMatchFailure(op, "gathers no integers");
    if (result.hasStaticShape() && data.hasStaticShape() &&
        result.getNumElements() > data.getNumElements())
      return rewriter.notifyMatchFailure(op, "gathers more than there is");
    int64_t rank = data.getRank(), gathered = fromFront(op.getAxis(), rank),
            axis = fromFront(dequantize.getAxis(), rank);
    Value scale = dequantize.getXScale(), zero = dequantize.getXZeroPoint();
    auto scales = dyn_cast<RankedTensorType>(scale.getType());
    if (!scales || (zero && !isa<RankedTensorType>(zero.getType())))
      return rewriter.notifyMatchFailure(op, "has scales of unknown rank");
    bool isBlocked = dequantize.getBlockSize() != 0;
    bool isOneForAll = !isBlocked && scales.getRank() == 0;
    if (!isOneForAll && axis == gathered)
      return rewriter.notifyMatchFailure(op, "gathers along the scales' axis");

    auto gather = [&](Value value) -> Value {
      value = toBytes(rewriter, op.getLoc(), value);
      auto type = cast<RankedTensorType>(value.getType());
      SmallVector<int64_t> shape(type.getShape());
      shape.erase(shape.begin() + gathered);
      shape.insert(shape.begin() + gathered, indices.getShape().begin(),
                   indices.getShape().end());
      return GatherOp::create(
          rewriter, op.getLoc(), TypeRange{type.clone(shape)},
          ValueRange{value, op.getIndices()}, op->getAttrs());
    };
    SmallVector<Value> operands{gather(dequantize.getX()), scale};
    if (zero)
      operands.push_back(toBytes(rewriter, op.getLoc(), zero));
    if (isBlocked)
      for (Value &parameter : MutableArrayRef(operands).drop_front())
        parameter = gather(parameter);
    NamedAttrList attributes(dequantize->getAttrs());
    if (axis > gathered)
      axis += indices.getRank() - 1;
    if (!isOneForAll)
      attributes.set("axis", rewriter.getI64IntegerAttr(axis));
    rewriter.replaceOpWithNewOp<DequantizeLinearOp>(op, TypeRange{result},
                                                    operands, attributes);
    return success();
  }
};

struct DequantizeGathered
    : omb::onnx::impl::DequantizeGatheredBase<DequantizeGathered> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<DequantizeLater>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
