//===- VectorizeKernels.cpp - omb-vectorize-kernels -----------------------===//

#include "lowering/Passes.h"
#include "lowering/iree/Dialects.h"
#include "lowering/vector/KernelSignature.h"
#include "lowering/vector/Kernels.h"
#include "lowering/vector/VectorizeAttention.h"
#include "lowering/vector/VectorizeColumns.h"
#include "lowering/vector/VectorizeImagePlanes.h"
#include "lowering/vector/VectorizeProducts.h"
#include "lowering/vector/VectorizeRows.h"
#include "lowering/vector/VectorizeShuffle.h"
#include "lowering/vector/VectorizeSparse.h"
#include "lowering/vector/VectorizeStreamed.h"
#include "lowering/vector/VectorizeWinograd.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace omb::kernels;

namespace omb {
#define GEN_PASS_DEF_VECTORIZEKERNELS
#include "lowering/Passes.h.inc"
} // namespace omb

namespace {

/// The executable of a kernel; fails where it is of no known kind.
FailureOr<Executable> vectorize(OpBuilder &builder, func::FuncOp kernel,
                                const VectorUnit &unit) {
  if (auto unpacks = kernel.getOps<linalg::UnPackOp>(); !unpacks.empty()) {
    FailureOr<SparseContraction> sparse =
        SparseContraction::match(*unpacks.begin());
    if (succeeded(sparse))
      return vectorizeSparse(builder, kernel, *sparse, unit);
    for (linalg::UnPackOp unpack : unpacks) {
      FailureOr<StreamedContraction> streamed =
          StreamedContraction::match(unpack);
      if (succeeded(streamed))
        return vectorizeStreamed(builder, kernel, *streamed, unit);
    }
    FailureOr<PackedContraction> contraction =
        PackedContraction::match(*unpacks.begin());
    if (failed(contraction) || !llvm::hasSingleElement(unpacks))
      return failure();
    return vectorizeProduct(builder, kernel, *contraction, unit);
  }
  auto inputs = kernel.getOps<linalg::WinogradInputTransformOp>();
  if (!inputs.empty()) {
    FailureOr<WinogradInput> input = WinogradInput::match(*inputs.begin());
    if (failed(input))
      return failure();
    return vectorizeWinogradInput(builder, kernel, *input, unit);
  }
  auto outputs = kernel.getOps<linalg::WinogradOutputTransformOp>();
  if (!outputs.empty()) {
    FailureOr<WinogradOutput> output = WinogradOutput::match(*outputs.begin());
    if (failed(output))
      return failure();
    return vectorizeWinogradOutput(builder, kernel, *output, unit);
  }
  Operation *last = kernel.front().getTerminator();
  if (auto pack = last->getOperand(0).getDefiningOp<linalg::PackOp>())
    return vectorizeLanes(builder, kernel, pack, unit);
  if (auto collapse =
          last->getOperand(0).getDefiningOp<tensor::CollapseShapeOp>()) {
    FailureOr<ChannelShuffle> shuffle = ChannelShuffle::match(collapse);
    if (succeeded(shuffle))
      return vectorizeShuffle(builder, kernel, *shuffle, unit);
  }
  if (auto insert =
          last->getOperand(0).getDefiningOp<tensor::InsertSliceOp>()) {
    FailureOr<ImagePlanes> planes = ImagePlanes::match(insert);
    if (failed(planes))
      return failure();
    return vectorizeImagePlanes(builder, kernel, *planes, unit);
  }
  for (auto product : kernel.getOps<linalg::GenericOp>()) {
    FailureOr<SparseContraction> sparse = SparseContraction::match(product);
    if (succeeded(sparse))
      return vectorizeSparse(builder, kernel, *sparse, unit);
  }
  for (auto product : kernel.getOps<linalg::LinalgOp>()) {
    FailureOr<Attention> attention =
        Attention::match(product, [](const Twine &) {});
    if (succeeded(attention))
      return vectorizeAttention(builder, kernel, *attention, unit);
  }
  for (auto op : kernel.getOps<linalg::GenericOp>()) {
    FailureOr<ColumnReduction> columns =
        ColumnReduction::match(op, [](const Twine &) {});
    if (succeeded(columns))
      return vectorizeColumns(builder, kernel, *columns, unit);
  }
  auto root = last->getOperand(0).getDefiningOp<linalg::GenericOp>();
  FailureOr<RowKernel> rows = root
                                  ? RowKernel::match(root, [](const Twine &) {})
                                  : FailureOr<RowKernel>(failure());
  if (failed(rows))
    return failure();
  return vectorizeRows(builder, kernel, *rows, unit);
}

struct VectorizeKernels : omb::impl::VectorizeKernelsBase<VectorizeKernels> {
  using VectorizeKernelsBase::VectorizeKernelsBase;

  void runOnOperation() override {
    SymbolTableCollection tables;
    SymbolUserMap users(tables, getOperation());
    for (auto kernel :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (!kernel->hasAttr(kKernelAttrName))
        continue;
      OpBuilder builder(kernel);
      FailureOr<Executable> executable = vectorize(
          builder, kernel,
          VectorUnit{vectorBytes, vectorRegisters, vectorDotBytes,
                     vectorDotBFloats, matrixBytes, matrixBFloats, threads});
      if (failed(executable)) {
        kernel.emitError("isn't a kernel of omb-outline-kernels");
        return signalPassFailure();
      }
      for (Operation *user : users.getUsers(kernel))
        KernelSignature::replaceCall(cast<func::CallOp>(user), *executable);
      kernel.erase();
    }
  }
};

} // namespace
