//===- ConvertSparseConstants.cpp - onnx-convert-sparse-constants ---------===//

#include "dialect/ir/OnnxDialect.h"
#include "dialect/ir/SparseTypes.h"
#include "dialect/ir/ops/Constant.h"
#include "dialect/transforms/Passes.h"
#include "dialect/transforms/SparseFormats.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace omb::onnx;

namespace omb::onnx {
#define GEN_PASS_DEF_CONVERTSPARSECONSTANTS
#include "dialect/transforms/Passes.h.inc"
} // namespace omb::onnx

namespace {

struct ConvertSparseConstants
    : omb::onnx::impl::ConvertSparseConstantsBase<ConvertSparseConstants> {
  using ConvertSparseConstantsBase::ConvertSparseConstantsBase;

  void runOnOperation() override {
    SparseFormat format{to, blockRows, blockColumns, kept, group};
    if (blockRows < 1 || blockColumns < 1 || group < 2 || kept < 1 ||
        kept > group) {
      getOperation().emitError() << "a block or group has no such sizes";
      return signalPassFailure();
    }
    auto encoding = format.getEncoding(&getContext());
    if (!encoding) {
      getOperation().emitError()
          << "there is no format '" << to << "', but coo, csr, csc, bsr and nm";
      return signalPassFailure();
    }
    getOperation().walk([&](ConstantOp op) {
      if (isConvertible(op) && failed(convert(op, format, encoding)))
        signalPassFailure();
    });
  }

private:
  /// Whether `op` is a sparse matrix that only ops of this dialect use, which
  /// take any format.
  static bool isConvertible(ConstantOp op) {
    auto elements =
        dyn_cast_if_present<SparseElementsAttr>(op.getSparseValueAttr());
    return elements && isSparse(op.getType()) &&
           elements.getShapedType().getRank() == 2 &&
           llvm::all_of(op->getUsers(), [](Operation *user) {
             return isa_and_nonnull<OnnxDialect>(user->getDialect());
           });
  }

  static LogicalResult
  convert(ConstantOp op, const SparseFormat &format,
          sparse_tensor::SparseTensorEncodingAttr encoding) {
    auto elements = cast<SparseElementsAttr>(op.getSparseValueAttr());
    if (std::string why = findFormatObstacle(elements, format); !why.empty())
      return op.emitError()
             << "can't have the format " << format.name << ": " << why;
    ShapedType old = elements.getShapedType();
    auto type =
        RankedTensorType::get(old.getShape(), old.getElementType(), encoding);
    op.setSparseValueAttr(SparseElementsAttr::get(type, elements.getIndices(),
                                                  elements.getValues()));
    op.getResult().setType(RankedTensorType::get(
        old.getShape(), cast<RankedTensorType>(op.getType()).getElementType(),
        encoding));
    return success();
  }
};

} // namespace
