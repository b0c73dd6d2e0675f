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
static int64_t getUnitCount(ArrayRef<int64_t> rows, int64_t columns,
                            int64_t tileRows) {
  if (ShapedType::isDynamicShape(rows) || ShapedType::isDynamic(columns))
    return ShapedType::kDynamic;
  return rows.empty() ? llvm::divideCeil(columns, tileRows)
                      : llvm::product_of(rows);
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
  ArrayRef<int64_t> shape = contraction.getResultType().getShape();
  std::optional<unsigned> columnDim = contraction.getColumnDim();
  int64_t columns = columnDim ? shape[*columnDim] : 1;
  SmallVector<int64_t> rows;
  for (unsigned dim : contraction.getRowDims())
    rows.push_back(shape[dim]);
  KernelSpace space;
  space.lanes = unit.getLanes(panels.getElementTypeBitWidth() / 8);
  unsigned panelDim = contraction.getPanelDim();
  space.vectors = panels.getShape().back() / space.lanes;
  space.tileRows = selectRows(unit, space.vectors, columns);

  int64_t perUnit =
      getPanelSize(panels.getShape().drop_front(panelDim + 1)) *
      (rows.empty() || ShapedType::isDynamic(columns) ? space.tileRows
                                                      : columns);
  space.block =
      std::max<int64_t>(1, kBlockWork / std::max<int64_t>(perUnit, 1));
  int64_t units = getUnitCount(rows, columns, space.tileRows);
  int64_t count = panels.getDimSize(panelDim);
  if (!ShapedType::isDynamic(units) && !ShapedType::isDynamic(count))
    space.block =
        std::clamp<int64_t>(units * count / kWorkgroups, 1, space.block);
  return space;
}

Value KernelSpace::getBlockCount(OpBuilder &builder, Location loc,
                                 ArrayRef<OpFoldResult> rows,
                                 OpFoldResult columns) const {
  AffineExpr units = builder.getAffineSymbolExpr(0);
  for (size_t dim = 1; dim < rows.size(); ++dim)
    units = units * builder.getAffineSymbolExpr(dim);
  int64_t size = rows.empty() ? block * tileRows : block;
  OpFoldResult count = affine::makeComposedFoldedAffineApply(
      builder, loc, units.ceilDiv(size),
      rows.empty() ? ArrayRef(columns) : rows);
  return getValueOrCreateConstantIndexOp(builder, loc, count);
}
