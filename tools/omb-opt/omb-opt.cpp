//===- omb-opt.cpp - mlir-opt with this project's dialect and passes ------===//

#include "lowering/Registration.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  omb::registerDialects(registry);
  omb::registerPasses();
  omb::registerUpstreamPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "omb-opt: ONNX MLIR Bridge\n", registry));
}
