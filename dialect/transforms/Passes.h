//===- Passes.h - Passes from onnx to onnx ----------------------*- C++ -*-===//

#ifndef OMB_DIALECT_TRANSFORMS_PASSES_H
#define OMB_DIALECT_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir {
class RewritePatternSet;
class TypeConverter;
} // namespace mlir

namespace omb::onnx {

#define GEN_PASS_DECL
#include "dialect/transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "dialect/transforms/Passes.h.inc"

/// Adds `omb-simplify`: shapes, folding, canonical form, no duplicates.
void buildSimplifyPipeline(mlir::OpPassManager &passes);

/// What onnx-decompose-sequences does with the ops of sequences and optionals,
/// and with those that pass them on.
void populateDecomposeSequencesPatterns(const mlir::TypeConverter &converter,
                                        mlir::RewritePatternSet &patterns);

} // namespace omb::onnx

#endif // OMB_DIALECT_TRANSFORMS_PASSES_H
