//===- Registration.cpp - All dialects and passes of this project ---------===//

#include "lowering/Registration.h"

#include "dialect/ir/OnnxDialect.h"
#include "dialect/transforms/Passes.h"
#include "lowering/Passes.h"
#include "lowering/iree/Dialects.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Complex/IR/Complex.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/IR/TensorInferTypeOpInterfaceImpl.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void omb::registerDialects(DialectRegistry &registry) {
  registry.insert<onnx::OnnxDialect, affine::AffineDialect, arith::ArithDialect,
                  bufferization::BufferizationDialect, cf::ControlFlowDialect,
                  complex::ComplexDialect, func::FuncDialect,
                  linalg::LinalgDialect, LLVM::LLVMDialect, math::MathDialect,
                  memref::MemRefDialect, quant::QuantDialect, scf::SCFDialect,
                  sparse_tensor::SparseTensorDialect, tensor::TensorDialect,
                  vector::VectorDialect, iree::FlowDialect, iree::StreamDialect,
                  iree::UtilDialect>();
  func::registerInlinerExtension(registry);
  tensor::registerInferTypeOpInterfaceExternalModels(registry);
}

void omb::registerPasses() {
  onnx::registerOnnxPasses();
  ::omb::registerLoweringPasses();
  PassPipelineRegistration<>(
      "omb-simplify",
      "onnx to onnx: infer shapes, fold, canonicalize, remove duplicates",
      onnx::buildSimplifyPipeline);
  PassPipelineRegistration<ToLinalgOptions>(
      "omb-to-linalg", "onnx to linalg: omb-simplify, then lower every op",
      buildToLinalgPipeline);
  PassPipelineRegistration<ToVectorOptions>(
      "omb-to-vector", "linalg to kernels of vector code, for a CPU",
      buildToVectorPipeline);
  PassPipelineRegistration<>(
      "omb-to-iree", "linalg to what IREE compiles: weights become parameters",
      buildToIREEPipeline);
}

void omb::registerUpstreamPasses() {
  registerTransformsPasses();
  registerLinalgPasses();
  memref::registerMemRefPasses();
}
