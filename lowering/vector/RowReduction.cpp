//===- RowReduction.cpp - One value of each row ---------------------------===//

#include "lowering/vector/RowReduction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace omb::kernels;

/// Whether the last loop, and no other, is reduced, and the result has the
/// others in their order.
static bool reducesLast(linalg::GenericOp op) {
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  unsigned rows = map.getNumDims() - 1;
  AffineMap all = AffineMap::getMultiDimIdentityMap(rows + 1, op.getContext());
  return op.getNumReductionLoops() == 1 && map == all.dropResult(rows);
}

FailureOr<RowReduction>
RowReduction::match(linalg::LinalgOp op,
                    function_ref<void(const Twine &)> why) {
  auto refuse = [&](const Twine &reason) {
    why(reason);
    return failure();
  };
  RowReduction found;
  found.op = dyn_cast<linalg::GenericOp>(*op);
  if (!found.op || op.getNumDpsInits() != 1 || !op.hasPureTensorSemantics() ||
      op.getNumReductionLoops() == 0)
    return refuse("isn't one generic reduction of tensors");
  if (!reducesLast(found.op))
    return refuse("doesn't reduce the last dimension alone");
  Type type = getElementTypeOrSelf(op.getDpsInits()[0].getType());
  if (!type.isF32() && !type.isF64())
    return refuse("isn't of f32 or f64");
  found.fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  if (!found.fill || !matchPattern(found.fill.value(), m_Constant()))
    return refuse("starts with something that isn't a constant");
  FailureOr<Combiner> combiner = Combiner::match(*found.op.getBody());
  if (failed(combiner))
    return refuse("is neither a sum, a product, a maximum nor a minimum");
  static_cast<Combiner &>(found) = *combiner;
  return found;
}

FloatType RowReduction::getType() const {
  return cast<FloatType>(combine->getResult(0).getType());
}

TypedAttr RowReduction::getNeutral(OpBuilder &builder) const {
  FloatType type = getType();
  const llvm::fltSemantics &semantics = type.getFloatSemantics();
  auto get = [&]() -> APFloat {
    switch (kind) {
    case vector::CombiningKind::ADD:
      return APFloat::getZero(semantics, /*Negative=*/true);
    case vector::CombiningKind::MUL:
      return APFloat::getOne(semantics);
    case vector::CombiningKind::MAXIMUMF:
      return APFloat::getInf(semantics, /*Negative=*/true);
    case vector::CombiningKind::MINIMUMF:
      return APFloat::getInf(semantics);
    default: // of a number and none, these give the number
      return APFloat::getNaN(semantics);
    }
  };
  return builder.getFloatAttr(type, get());
}

Value RowReduction::createScalar(OpBuilder &builder, Value lanes) const {
  Location loc = combine->getLoc();
  // In which order a reduction adds isn't defined.
  Value all = vector::ReductionOp::create(builder, loc, kind, lanes,
                                          arith::FastMathFlags::reassoc);
  auto filled = fill;
  Attribute start;
  matchPattern(filled.value(), m_Constant(&start));
  Value first = arith::ConstantOp::create(builder, loc, cast<TypedAttr>(start));
  return create(builder, first, all);
}

bool omb::kernels::hasLongRows(ArrayRef<int64_t> shape) {
  constexpr int64_t fewRows = 4, longRow = 16384;
  return !ShapedType::isDynamicShape(shape) &&
         llvm::product_of(shape.drop_back()) < fewRows &&
         shape.back() > longRow;
}
