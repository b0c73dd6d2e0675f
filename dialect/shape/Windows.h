//===- Windows.h - What convolutions and poolings slide ---------*- C++ -*-===//
//
// Convolutions and poolings have the same attributes for the windows that they
// slide over the spatial dimensions of their input. Here those are read and
// checked, and the sizes of results are computed as expressions; the lowerings
// compute them from sizes at run time (lowering/to_linalg/Windows.h).
//
//===----------------------------------------------------------------------===//

#ifndef OMB_DIALECT_SHAPE_WINDOWS_H
#define OMB_DIALECT_SHAPE_WINDOWS_H

#include "dialect/shape/ShapeInference.h"

namespace omb::onnx {

enum class AutoPad { NotSet, Valid, SameUpper, SameLower };

/// The attributes of an op with `getRank()` spatial dimensions, with the
/// defaults filled in. All numbers are of 32 bits, and none is negative.
struct WindowAttributes {
  AutoPad autoPad = AutoPad::NotSet;
  /// Whether a last window may reach beyond the padded input.
  bool ceilMode = false;
  /// Empty where the op's weights say it.
  llvm::SmallVector<int64_t> kernel;
  llvm::SmallVector<int64_t> strides;
  llvm::SmallVector<int64_t> dilations;
  /// Before and after the input; 0 where autoPad isn't NotSet.
  llvm::SmallVector<int64_t> padsLow;
  llvm::SmallVector<int64_t> padsHigh;

  int64_t getRank() const { return strides.size(); }
  bool isSame() const {
    return autoPad == AutoPad::SameUpper || autoPad == AutoPad::SameLower;
  }
};

/// The attributes `auto_pad`, `ceil_mode`, `kernel_shape`, `strides`,
/// `dilations` and `pads` of `op`, as far as it has them. Fails with a
/// diagnostic at `op` where they don't fit `rank` spatial dimensions.
mlir::FailureOr<WindowAttributes> getWindowAttributes(mlir::Operation *op,
                                                      int64_t rank);

/// The list `name` of `op`, of `count` numbers that are at least `minimum`; all
/// are `fallback` where `op` hasn't the list. Fails with a diagnostic.
mlir::FailureOr<llvm::SmallVector<int64_t>>
getSpatialAttribute(mlir::Operation *op, llvm::StringRef name, int64_t count,
                    int64_t minimum, int64_t fallback);

/// The spatial dimensions of the result of a convolution or pooling: how many
/// windows the dimensions of the input have room for. Fails with a diagnostic
/// at `op` where there is none.
mlir::FailureOr<Shape> countWindows(mlir::Operation *op,
                                    const WindowAttributes &windows,
                                    llvm::ArrayRef<DimExpr> input,
                                    llvm::ArrayRef<DimExpr> kernel,
                                    const ShapeAnalysis &analysis);

/// From the first element of a window to the last one.
DimExpr getExtent(DimExpr kernel, int64_t dilation);

} // namespace omb::onnx

#endif // OMB_DIALECT_SHAPE_WINDOWS_H
