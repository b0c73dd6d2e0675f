//===- Registration.h - All dialects and passes of this project -*- C++ -*-===//

#ifndef OMB_LOWERING_REGISTRATION_H
#define OMB_LOWERING_REGISTRATION_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace omb {

/// Registers the onnx dialect and the upstream dialects that it is lowered to,
/// with their extensions.
void registerDialects(mlir::DialectRegistry &registry);

/// Registers the project's own passes and pipelines.
void registerPasses();

/// Registers the upstream passes that are of use beside them.
void registerUpstreamPasses();

} // namespace omb

#endif // OMB_LOWERING_REGISTRATION_H
