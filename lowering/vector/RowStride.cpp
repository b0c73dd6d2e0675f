//===- RowStride.cpp - How far the rows of a tile are apart ---------------===//

#include "lowering/vector/RowStride.h"

#include "lowering/vector/LoopFactors.h"

using namespace mlir;

bool omb::kernels::sharesCacheSet(RankedTensorType input,
                                  ArrayRef<AffineExpr> exprs, unsigned loops,
                                  unsigned column) {
  constexpr int64_t setBytes = 4096;
  int64_t size = input.getElementTypeBitWidth() / 8, stride = 0;
  for (size_t dim = exprs.size(); dim-- > 0;) {
    auto factors = getLoopFactors(exprs[dim], loops);
    if (!factors)
      return false;
    stride += (*factors)[column] * size;
    if (dim == 0 || stride != 0)
      break;
    if (input.isDynamicDim(dim))
      return false;
    size *= input.getDimSize(dim);
  }
  return stride != 0 && stride % setBytes == 0;
}
