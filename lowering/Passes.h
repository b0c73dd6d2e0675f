//===- Passes.h - Passes from onnx down to IREE -----------------*- C++ -*-===//

#ifndef OMB_LOWERING_PASSES_H
#define OMB_LOWERING_PASSES_H

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"

namespace omb {

#define GEN_PASS_DECL
#include "lowering/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "lowering/Passes.h.inc"

struct ToLinalgOptions : mlir::PassPipelineOptions<ToLinalgOptions> {
  Option<std::string> sparse{
      *this, "sparse",
      llvm::cl::desc("Which weights get sparse types: off, auto or on"),
      llvm::cl::init("auto")};
  Option<double> zeros{*this, "zeros",
                       llvm::cl::desc("The share of zeros that they have"),
                       llvm::cl::init(0.5)};
  Option<std::string> sparseCosts{
      *this, "sparse-costs",
      llvm::cl::desc("What computes them: kernels, matrix, loops or threads"),
      llvm::cl::init("kernels")};
};

/// Adds `omb-to-linalg`: omb-simplify and convert-onnx-to-linalg.
void buildToLinalgPipeline(mlir::OpPassManager &passes,
                           const ToLinalgOptions &options);

/// The vector registers of the CPU that omb-to-vector generates code for.
struct ToVectorOptions : mlir::PassPipelineOptions<ToVectorOptions> {
  Option<unsigned> vectorBytes{*this, "vector-bytes",
                               llvm::cl::desc("Bytes of a vector register"),
                               llvm::cl::init(64)};
  Option<unsigned> vectorRegisters{*this, "vector-registers",
                                   llvm::cl::desc("Number of vector registers"),
                                   llvm::cl::init(32)};
  Option<unsigned> vectorDotBytes{
      *this, "vector-dot-bytes",
      llvm::cl::desc("Products of bytes that an instruction adds to 32 bits"),
      llvm::cl::init(4)};
  Option<bool> vectorDotBFloats{
      *this, "vector-dot-bfloats",
      llvm::cl::desc("Whether an instruction adds products of bf16 to f32"),
      llvm::cl::init(true)};
  Option<bool> matrixBytes{
      *this, "matrix-bytes",
      llvm::cl::desc("Whether there is a matrix unit for products of bytes"),
      llvm::cl::init(false)};
  Option<bool> matrixBFloats{
      *this, "matrix-bfloats",
      llvm::cl::desc("Whether there is a matrix unit for products of bf16"),
      llvm::cl::init(false)};
  Option<unsigned> threads{
      *this, "threads",
      llvm::cl::desc("Among how many threads kernels of several convolutions "
                     "are divided; 0: nobody knows"),
      llvm::cl::init(0)};
  Option<std::string> narrow{
      *this, "narrow",
      llvm::cl::desc("The type of the factors of products of f32"),
      llvm::cl::init("")};
  Option<bool> winograd{
      *this, "winograd",
      llvm::cl::desc("Convolutions of 3x3 with fewer multiplications"),
      llvm::cl::init(true)};
};

/// Adds `omb-to-vector`: kernels of vector code for what decides the speed on
/// a CPU with these registers and fused multiply-add.
void buildToVectorPipeline(mlir::OpPassManager &passes,
                           const ToVectorOptions &options);

/// Adds `omb-to-iree`: what makes linalg a module that IREE compiles.
void buildToIREEPipeline(mlir::OpPassManager &passes);

} // namespace omb

#endif // OMB_LOWERING_PASSES_H
