//===- Plugin.cpp - The dialect and the passes, for a stock mlir-opt ------===//
//
// Linked to nothing of MLIR: the program that loads it brings that.
//
//===----------------------------------------------------------------------===//

#include "dialect/ir/OnnxDialect.h"
#include "lowering/Registration.h"

#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

extern "C" LLVM_ATTRIBUTE_WEAK mlir::DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "onnx", OMB_VERSION,
          [](mlir::DialectRegistry *registry) {
            registry->insert<omb::onnx::OnnxDialect>();
          }};
}

extern "C" LLVM_ATTRIBUTE_WEAK mlir::PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "onnx", OMB_VERSION,
          [] { omb::registerPasses(); }};
}
