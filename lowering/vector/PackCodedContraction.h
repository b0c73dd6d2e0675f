//===- PackCodedContraction.h - Panels of coded weights ---------*- C++ -*-===//

#ifndef OMB_LOWERING_VECTOR_PACKCODEDCONTRACTION_H
#define OMB_LOWERING_VECTOR_PACKCODEDCONTRACTION_H

#include "lowering/vector/RegisterTile.h"

#include "mlir/IR/PatternMatch.h"

namespace omb::kernels {

/// Makes of products with coded weights such with panels that are computed.
void populatePackCodedContractionPatterns(mlir::RewritePatternSet &patterns,
                                          const VectorUnit &unit);

} // namespace omb::kernels

#endif // OMB_LOWERING_VECTOR_PACKCODEDCONTRACTION_H
