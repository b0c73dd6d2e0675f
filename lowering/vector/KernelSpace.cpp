//===- KernelSpace.cpp - Which workgroup computes what --------------------===//

#include "lowering/vector/KernelSpace.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;

/// Multiplications and additions of a workgroup: some 20 µs, beside which
/// starting it costs nothing.
static constexpr int64_t kBlockWork = 1 << 20;

/// Workgroups that a kernel has at least, if it is large enough, so that all
/// threads end at about the same time.
static constexpr int64_t kWorkgroups = 16;

/// What blocks are made of: rows, or tiles where there are no rows.
static int64_t getUnitCount(ArrayRef<int64_t> positions, int64_t tileRows) {
  if (positions.empty())
    return 1;
  if (ShapedType::isDynamicShape(positions))
    return ShapedType::kDynamic;
  if (positions.size() == 1)
    return llvm::divideCeil(positions[0], tileRows);
  return llvm::product_of(positions.drop_back());
}

/// The values of a panel; where a size isn't known, with a usual one.
static int64_t getPanelSize(ArrayRef<int64_t> shape) {
  constexpr int64_t usual = 128;
  int64_t size = 1;
  for (int64_t each : shape)
    size *= ShapedType::isDynamic(each) ? usual : each;
  return size;
}

KernelSpace KernelSpace::get(const PackedContraction &contraction,
                             const VectorUnit &unit) {
  RankedTensorType panels = contraction.getPanelsType();
  ArrayRef<int64_t> positions =
      contraction.getResultType().getShape().drop_back();
  KernelSpace space;
  space.lanes = unit.getLanes(panels.getElementTypeBitWidth() / 8);
  unsigned panelDim = contraction.getPanelDim();
  space.vectors = panels.getShape().back() / space.lanes;
  int64_t columns = positions.empty() ? 1 : positions.back();
  space.tileRows = selectRows(unit, space.vectors, columns);

  int64_t perUnit =
      getPanelSize(panels.getShape().drop_front(panelDim + 1)) *
      (positions.size() < 2 || ShapedType::isDynamic(columns) ? space.tileRows
                                                              : columns);
  space.block =
      std::max<int64_t>(1, kBlockWork / std::max<int64_t>(perUnit, 1));
  int64_t units = getUnitCount(positions, space.tileRows);
  int64_t count = panels.getDimSize(panelDim);
  if (!ShapedType::isDynamic(units) && !ShapedType::isDynamic(count))
    space.block =
        std::clamp<int64_t>(units * count / kWorkgroups, 1, space.block);
  return space;
}

Value KernelSpace::getBlockCount(OpBuilder &builder, Location loc,
                                 ArrayRef<OpFoldResult> sizes) const {
  if (sizes.empty())
    return arith::ConstantIndexOp::create(builder, loc, 1);
  bool hasRows = sizes.size() > 1;
  AffineExpr units = hasRows ? builder.getAffineConstantExpr(1)
                             : builder.getAffineSymbolExpr(0);
  for (size_t dim = 0; dim + 1 < sizes.size(); ++dim)
    units = units * builder.getAffineSymbolExpr(dim);
  int64_t size = hasRows ? block : block * tileRows;
  OpFoldResult count = affine::makeComposedFoldedAffineApply(
      builder, loc, units.ceilDiv(size), sizes);
  return getValueOrCreateConstantIndexOp(builder, loc, count);
}
