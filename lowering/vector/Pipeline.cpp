//===- Pipeline.cpp - omb-to-vector ---------------------------------------===//

#include "lowering/Passes.h"

#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void omb::buildToVectorPipeline(OpPassManager &passes,
                                const ToVectorOptions &options) {
  PackSparseContractionsOptions sparse;
  sparse.vectorBytes = options.vectorBytes;
  sparse.vectorRegisters = options.vectorRegisters;
  sparse.narrow = options.narrow;
  passes.addPass(createPackSparseContractions(sparse));
  passes.addPass(createDensifyConstants());
  passes.addPass(createConvertLayout());
  // Sizes of results are uses of them.
  passes.addPass(memref::createResolveShapedTypeResultDimsPass());
  passes.addPass(createOutlineAttention());
  // Of narrow factors, the transforms would lose too many digits.
  if (options.winograd && options.narrow.empty()) {
    WinogradConvolutionsOptions winograd;
    winograd.vectorBytes = options.vectorBytes;
    passes.addPass(createWinogradConvolutions(winograd));
  }
  PackContractionsOptions pack;
  pack.vectorBytes = options.vectorBytes;
  pack.vectorRegisters = options.vectorRegisters;
  pack.vectorDotBytes = options.vectorDotBytes;
  pack.vectorDotBFloats = options.vectorDotBFloats;
  pack.matrixBytes = options.matrixBytes;
  pack.matrixBFloats = options.matrixBFloats;
  pack.narrow = options.narrow;
  passes.addPass(createPackContractions(pack));
  // What several products read in another form is made once.
  passes.addPass(createCSEPass());
  passes.addPass(memref::createResolveShapedTypeResultDimsPass());
  passes.addPass(createFuseElementwise());
  ShapeReductionsOptions shape;
  shape.vectorBytes = options.vectorBytes;
  shape.vectorRegisters = options.vectorRegisters;
  passes.addPass(createShapeReductions(shape));
  passes.addPass(memref::createResolveShapedTypeResultDimsPass());
  passes.addPass(createCSEPass());
  OutlineKernelsOptions outline;
  outline.threads = options.threads;
  passes.addPass(createOutlineKernels(outline));
  passes.addPass(createShareKernels());
  VectorizeKernelsOptions vectorize;
  vectorize.vectorBytes = options.vectorBytes;
  vectorize.vectorRegisters = options.vectorRegisters;
  vectorize.vectorDotBytes = options.vectorDotBytes;
  vectorize.vectorDotBFloats = options.vectorDotBFloats;
  vectorize.matrixBytes = options.matrixBytes;
  vectorize.matrixBFloats = options.matrixBFloats;
  vectorize.threads = options.threads;
  passes.addPass(createVectorizeKernels(vectorize));
  passes.addPass(createCSEPass());
}
