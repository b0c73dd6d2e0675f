//===- Constant.cpp - Lowering of constants -------------------------------===//

#include "dialect/ir/ops/Constant.h"
#include "lowering/to_linalg/Patterns.h"
#include "lowering/to_linalg/TypeConversion.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace omb::onnx;

namespace {

struct ConstantToArith : OpConversionPattern<ConstantOp> {
  using OpConversionPattern::OpConversionPattern;

  LogicalResult
  matchAndRewrite(ConstantOp op, OpAdaptor,
                  ConversionPatternRewriter &rewriter) const override {
    ElementsAttr elements = op.getValueAttr();
    if (!elements)
      return rewriter.notifyMatchFailure(op, "only 'value' is lowered");
    auto type = getTypeConverter()->convertType<RankedTensorType>(op.getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "the element type has no storage");
    type = RankedTensorType::get(elements.getShapedType().getShape(),
                                 type.getElementType());
    TypedAttr signless = withType(elements, type);
    if (!signless)
      return rewriter.notifyMatchFailure(op, "sparse constants aren't lowered");
    rewriter.replaceOpWithNewOp<arith::ConstantOp>(op, type, signless);
    return success();
  }

  /// The same bytes as a tensor of type `type`.
  static TypedAttr withType(ElementsAttr elements, RankedTensorType type) {
    if (auto dense = dyn_cast<DenseElementsAttr>(elements))
      return dense.getElementType() == type.getElementType()
                 ? dense
                 : DenseElementsAttr(dense.bitcast(type.getElementType()));
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements))
      return DenseResourceElementsAttr::get(type, resource.getRawHandle());
    return {};
  }
};

} // namespace

void omb::populateConstantToLinalgPatterns(const TypeConverter &converter,
                                           RewritePatternSet &patterns) {
  patterns.add<ConstantToArith>(converter, patterns.getContext());
}
