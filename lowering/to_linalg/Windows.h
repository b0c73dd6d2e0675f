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
/// so that all windows lie inside. `result` has an element for each window; in
/// dimensions where it shows that there is only one, the rest of the input is
/// cut off: linalg takes the size of a loop from any of the tensors, once there
/// are no strides between windows.
mlir::Value padWindows(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value input, llvm::ArrayRef<WindowDim> windows,
                       mlir::RankedTensorType result, mlir::Value element);

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

/// Combines `accumulator` with what there is at the positions `at` of the
/// result and `within` of what is reduced.
using PositionBody = llvm::function_ref<mlir::Value(
    mlir::OpBuilder &, mlir::Location, mlir::ValueRange at,
    mlir::ValueRange within, mlir::Value accumulator)>;

/// For every element of `init`, reduces over all positions in `counts`, by a
/// linalg.generic that starts with the element.
mlir::Value reducePositions(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::ValueRange counts, mlir::Value init,
                            PositionBody body);

} // namespace omb

#endif // OMB_LOWERING_TO_LINALG_WINDOWS_H
