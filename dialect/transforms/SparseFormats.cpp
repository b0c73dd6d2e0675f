//===- SparseFormats.cpp - Encodings of sparse matrices -------------------===//

#include "dialect/transforms/SparseFormats.h"

#include "dialect/transforms/SparseConstants.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::sparse_tensor;
using namespace omb::onnx;

SparseTensorEncodingAttr SparseFormat::getEncoding(MLIRContext *context) const {
  AffineExpr k, n;
  bindDims(context, k, n);
  LevelType dense(LevelFormat::Dense), compressed(LevelFormat::Compressed);
  auto get = [&](ArrayRef<LevelType> levels, ArrayRef<AffineExpr> exprs) {
    return SparseTensorEncodingAttr::get(
        context, levels, AffineMap::get(2, 0, exprs, context), AffineMap(),
        /*posWidth=*/0, /*crdWidth=*/0);
  };
  if (name == "coo")
    return get(
        {*buildLevelType(LevelFormat::Compressed, /*ordered=*/true,
                         /*unique=*/false),
         *buildLevelType(LevelFormat::Singleton, {LevelPropNonDefault::SoA})},
        {k, n});
  if (name == "csr")
    return get({dense, compressed}, {k, n});
  if (name == "csc")
    return getChannelEncoding(context);
  if (name == "bsr") {
    // A dimension that isn't divided has no level within blocks.
    SmallVector<LevelType> levels{dense, compressed};
    SmallVector<AffineExpr> exprs{k, n};
    for (auto [dim, size] :
         {std::pair(k, blockRows), std::pair(n, blockColumns)}) {
      if (size == 1)
        continue;
      exprs[dim == k ? 0 : 1] = dim.floorDiv(size);
      exprs.push_back(dim % size);
      levels.push_back(dense);
    }
    return get(levels, exprs);
  }
  if (name == "nm")
    return get({dense, dense,
                *buildLevelType(LevelFormat::NOutOfM, /*ordered=*/true,
                                /*unique=*/true, kept, group)},
               {n, k.floorDiv(group), k % group});
  return nullptr;
}

std::string omb::onnx::findFormatObstacle(SparseElementsAttr elements,
                                          const SparseFormat &format) {
  ArrayRef<int64_t> shape = elements.getShapedType().getShape();
  auto isDivided = [&](int64_t dim, int64_t by) {
    return shape[dim] % by == 0;
  };
  if (format.name == "bsr" &&
      (!isDivided(0, format.blockRows) || !isDivided(1, format.blockColumns)))
    return "its sizes aren't multiples of the block's";
  if (format.name != "nm")
    return "";
  if (!isDivided(0, format.group))
    return "its rows aren't a multiple of a group";
  llvm::DenseMap<std::pair<uint64_t, uint64_t>, int64_t> counts;
  auto at = elements.getIndices().value_begin<uint64_t>();
  for (int64_t left = elements.getValues().getNumElements(); left > 0; --left) {
    uint64_t row = *at++, column = *at++;
    int64_t count = ++counts[{row / format.group, column}];
    if (count > format.kept)
      return llvm::formatv("rows {0} to {1} have more than {2} values in "
                           "column {3}",
                           row / format.group * format.group,
                           (row / format.group + 1) * format.group - 1,
                           format.kept, column)
          .str();
  }
  return "";
}
