//===- Passes.h - Passes from onnx down to IREE -----------------*- C++ -*-===//

#ifndef OMB_LOWERING_PASSES_H
#define OMB_LOWERING_PASSES_H

#include "mlir/Pass/Pass.h"

namespace omb {

#define GEN_PASS_DECL
#include "lowering/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "lowering/Passes.h.inc"

/// Adds `omb-to-linalg`: omb-simplify and convert-onnx-to-linalg.
void buildToLinalgPipeline(mlir::OpPassManager &passes);

/// Adds `omb-to-iree`: what makes linalg a module that IREE compiles.
void buildToIREEPipeline(mlir::OpPassManager &passes);

} // namespace omb

#endif // OMB_LOWERING_PASSES_H
