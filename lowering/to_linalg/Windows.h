//===- Windows.h - Windows over tensors -------------------------*- C++ -*-===//

#ifndef OMB_LOWERING_TO_LINALG_WINDOWS_H
#define OMB_LOWERING_TO_LINALG_WINDOWS_H

#include "dialect/shape/Windows.h"
#include "lowering/to_linalg/IndexArithmetic.h"

namespace omb {

/// The windows in one spatial dimension, as sizes at run time.
struct WindowDim {
  mlir::Value input;
  /// How many elements a window has, and how far they reach.
  mlir::Value kernel;
  mlir::Value extent;
  int64_t stride;
  int64_t dilation;
  /// The padding before and after the input.
  mlir::Value low;
  mlir::Value high;
  /// At least `high`: what the last window needs to lie inside.
  mlir::Value reach;
  /// How many windows there are.
  mlir::Value count;
};

/// From the first element of a window to the last one.
mlir::Value getExtent(IndexArithmetic index, mlir::Value kernel,
                      int64_t dilation);

/// The windows of `name` over spatial dimensions of the sizes `input`. Stops
/// the run where there is no room for one.
llvm::SmallVector<WindowDim>
computeWindows(IndexArithmetic index, const onnx::WindowAttributes &attributes,
               mlir::ValueRange input, mlir::ValueRange kernel,
               llvm::StringRef name);

/// `input` (batch, channels, spatial dimensions) with padding all of `element`,
/// so that all windows lie inside.
mlir::Value padWindows(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value input, llvm::ArrayRef<WindowDim> windows,
                       mlir::Value element);

llvm::SmallVector<int64_t> getStrides(llvm::ArrayRef<WindowDim> windows);
llvm::SmallVector<int64_t> getDilations(llvm::ArrayRef<WindowDim> windows);

/// Combines `accumulator` with an element of a window; `others` are the
/// elements of further tensors for the whole window. linalg.index counts batch,
/// channel, window and position in the window.
using WindowBody = llvm::function_ref<mlir::Value(
    mlir::OpBuilder &, mlir::Location, mlir::Value element,
    mlir::ValueRange others, mlir::Value accumulator)>;

/// Reduces every window of `padded` to one element, by a linalg.generic that
/// starts with the elements of `init`. `others` have the shape of `init`.
mlir::Value reduceWindows(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value padded, llvm::ArrayRef<WindowDim> windows,
                          mlir::ValueRange others, mlir::Value init,
                          WindowBody body);

/// A tensor of `type` and `sizes` that has `element` everywhere.
mlir::Value createFilled(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::RankedTensorType type, mlir::ValueRange sizes,
                         mlir::Value element);

/// `tensor` with each element replaced by `body`, as `elementType`.
mlir::Value
mapElements(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tensor,
            mlir::Type elementType,
            llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                           mlir::Value)>
                body);

/// `tensor` with floats rounded or extended to `elementType`.
mlir::Value convertFloats(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value tensor, mlir::Type elementType);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_WINDOWS_H
