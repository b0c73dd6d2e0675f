//===- Pipeline.cpp - omb-simplify ----------------------------------------===//

#include "dialect/transforms/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

void omb::onnx::buildSimplifyPipeline(mlir::OpPassManager &passes) {
  DensifyConstantsOptions others;
  others.keepFactors = true;
  passes.addPass(createDensifyConstants(others));
  passes.addPass(mlir::createCanonicalizerPass());
  passes.addPass(createInferShapes());
  passes.addPass(mlir::createCanonicalizerPass());
  passes.addPass(mlir::createCSEPass());
}
