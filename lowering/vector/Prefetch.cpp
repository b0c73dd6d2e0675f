//===- Prefetch.cpp - Fetching what is read later -------------------------===//

#include "lowering/vector/Prefetch.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

static constexpr int64_t kLineBytes = 64;

void omb::kernels::createPrefetch(OpBuilder &builder, Location loc,
                                  Value memory, ValueRange at, int64_t count,
                                  int64_t aheadBytes) {
  int64_t bytes = getElementTypeOrSelf(memory).getIntOrFloatBitWidth() / 8;
  AffineExpr first = builder.getAffineDimExpr(0);
  for (int64_t offset = 0; offset < count * bytes; offset += kLineBytes) {
    OpFoldResult ahead = affine::makeComposedFoldedAffineApply(
        builder, loc,
        AffineMap::get(1, 0, first + (aheadBytes + offset) / bytes),
        {OpFoldResult(at.back())});
    SmallVector<Value> indices(at);
    indices.back() = getValueOrCreateConstantIndexOp(builder, loc, ahead);
    memref::PrefetchOp::create(builder, loc, memory, indices,
                               /*isWrite=*/false, /*localityHint=*/3,
                               /*isDataCache=*/true);
  }
}
