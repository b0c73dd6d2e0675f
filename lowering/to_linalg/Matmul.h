//===- Matmul.h - The dimensions of matrix products -------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_MATMUL_H
#define OMB_LOWERING_TO_LINALG_MATMUL_H

#include "lowering/to_linalg/Contraction.h"

#include "mlir/Transforms/DialectConversion.h"

namespace omb {

/// Labels of the dimensions of matrices; those of a batch are negative, counted
/// from the last one.
enum : int64_t { kRows, kColumns, kInner };

/// The labels of two operands, multiplied as NumPy's matmul does, and of their
/// product.
struct MatmulLabels {
  llvm::SmallVector<int64_t> lhs, rhs, result;

  MatmulLabels(int64_t lhsRank, int64_t rhsRank, int64_t resultRank);
};

/// Makes the sizes of two factors equal: those of kInner are, or the run stops,
/// the others are broadcast.
void alignMatrices(mlir::OpBuilder &builder, mlir::Location loc,
                   llvm::MutableArrayRef<Factor> factors);

/// Stops the run where `bias`, of the type `type` before conversion, is larger
/// than the product that it is added to.
void requireBiasFits(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value bias, mlir::RankedTensorType type,
                     mlir::Value product, mlir::RankedTensorType result);

/// Those of the quantized products' patterns whose weights are sparse.
void populateSparseQuantizedMatmulToLinalgPatterns(
    const mlir::TypeConverter &converter, mlir::RewritePatternSet &patterns);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_MATMUL_H
