//===- VectorizeKernels.cpp - omb-vectorize-kernels -----------------------===//

#include "lowering/Passes.h"
#include "lowering/iree/Dialects.h"
#include "lowering/vector/Executable.h"
#include "lowering/vector/Kernels.h"
#include "lowering/vector/TileEmitter.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace omb::kernels;

namespace omb {
#define GEN_PASS_DEF_VECTORIZEKERNELS
#include "lowering/Passes.h.inc"
} // namespace omb

namespace {

/// Makes an executable of one kernel.
class KernelWriter {
public:
  KernelWriter(OpBuilder &builder, func::FuncOp kernel,
               const PackedContraction &contraction, const VectorUnit &unit)
      : builder(builder), kernel(kernel), contraction(contraction),
        space(KernelSpace::get(contraction, unit)), loc(kernel.getLoc()),
        result(contraction.getResultType()) {
    for (BlockArgument argument : kernel.getArguments()) {
      auto type = dyn_cast<RankedTensorType>(argument.getType());
      if (!type)
        continue;
      tensors.push_back(argument);
      sizeCount += type.getNumDynamicDims();
    }
    sizeCount += result.getNumDynamicDims();
  }

  Executable write() {
    Executable executable = Executable::create(builder, loc, kernel.getName(),
                                               sizeCount, tensors.size() + 1);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(executable.count);
    SmallVector<OpFoldResult> sizes =
        getSizes(executable.count, contraction.getResult());
    Value blocks = space.getBlockCount(builder, loc, getRowSizes(sizes),
                                       getColumnSize(sizes));
    sizes = getSizes(executable.count, contraction.getPanels());
    Executable::createCount(builder, loc, blocks,
                            asValue(sizes[contraction.getPanelDim()]));
    builder.setInsertionPointToEnd(executable.entry);
    writeEntry(executable.entry);
    func::ReturnOp::create(builder, loc);
    return executable;
  }

private:
  /// The sizes of a tensor that the kernel reads or of its result, in a block
  /// that takes the dynamic ones.
  SmallVector<OpFoldResult> getSizes(Block *block, Value tensor) {
    unsigned next = 0;
    for (Value other : tensors) {
      if (other == tensor)
        break;
      next += cast<RankedTensorType>(other.getType()).getNumDynamicDims();
    }
    SmallVector<OpFoldResult> sizes;
    for (int64_t size : cast<RankedTensorType>(tensor.getType()).getShape())
      sizes.push_back(ShapedType::isDynamic(size)
                          ? OpFoldResult(block->getArgument(next++))
                          : OpFoldResult(builder.getIndexAttr(size)));
    return sizes;
  }

  SmallVector<OpFoldResult> getRowSizes(ArrayRef<OpFoldResult> sizes) const {
    return llvm::map_to_vector(contraction.getRowDims(),
                               [&](unsigned dim) { return sizes[dim]; });
  }

  OpFoldResult getColumnSize(ArrayRef<OpFoldResult> sizes) {
    std::optional<unsigned> dim = contraction.getColumnDim();
    return dim ? sizes[*dim] : OpFoldResult(builder.getIndexAttr(1));
  }

  KernelMemory getMemory(Block *entry) {
    KernelMemory memory;
    ValueRange sizes = entry->getArguments().take_front(sizeCount);
    ValueRange bindings = entry->getArguments().drop_front(sizeCount);
    auto getNext = [&](RankedTensorType type) {
      Value subspan =
          Executable::createSubspan(builder, loc, bindings.front(), type,
                                    sizes.take_front(type.getNumDynamicDims()));
      sizes = sizes.drop_front(type.getNumDynamicDims());
      bindings = bindings.drop_front();
      return subspan;
    };
    for (Value tensor : tensors) {
      auto type = cast<RankedTensorType>(tensor.getType());
      if (tensor == contraction.getPanels())
        type = joinGroups(type);
      memory.operands[tensor] = getNext(type);
    }
    memory.result = getNext(result);
    memory.panelSizes = getSizes(entry, contraction.getPanels());
    memory.resultSizes = getSizes(entry, contraction.getResult());
    return memory;
  }

  /// The panels with the groups of all channels in one dimension, which vectors
  /// are read from.
  RankedTensorType joinGroups(RankedTensorType panels) const {
    if (contraction.getGroup() == 1)
      return panels;
    SmallVector<int64_t> shape(panels.getShape().drop_back());
    shape.back() *= contraction.getGroup();
    return RankedTensorType::get(shape, panels.getElementType());
  }

  void writeEntry(Block *entry) {
    Value block = Executable::createWorkgroupId(builder, loc, 0);
    Value panel = Executable::createWorkgroupId(builder, loc, 1);
    KernelMemory memory = getMemory(entry);
    TileEmitter tiles(builder, contraction, space, memory, panel);
    if (!contraction.getColumnDim())
      return tiles.emit({}, 1);
    Value columns = asValue(getColumnSize(memory.resultSizes));
    SmallVector<OpFoldResult> rows = getRowSizes(memory.resultSizes);
    if (rows.empty()) {
      auto [begin, end] =
          getRange(block, space.block * space.tileRows, columns);
      return writeColumns(tiles, {}, begin, end);
    }
    auto [begin, end] = getRange(block, space.block, getProduct(rows));
    auto loop = scf::ForOp::create(builder, loc, begin, end, constant(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    auto row = affine::AffineDelinearizeIndexOp::create(
        builder, loc, loop.getInductionVar(), rows);
    if (std::optional<PaddedWindow> window = getColumnWindow())
      return writePaddedColumns(tiles, row.getResults(), *window);
    writeColumns(tiles, row.getResults(), constant(0), columns);
  }

  /// The position of a row and a column in the order of the result's
  /// dimensions.
  SmallVector<Value> getPosition(ValueRange row, Value column) {
    SmallVector<Value> position(row.size() + 1, column);
    for (auto [dim, index] : llvm::zip(contraction.getRowDims(), row))
      position[dim] = index;
    return position;
  }

  std::optional<PaddedWindow> getColumnWindow() {
    for (const PaddedWindow &window : contraction.getWindows())
      if (window.position == contraction.getColumn())
        return window;
    return std::nullopt;
  }

  /// The tiles of a row of which some have columns in the padding: those one by
  /// one, the others between them in a loop.
  void writePaddedColumns(TileEmitter &tiles, ValueRange row,
                          const PaddedWindow &window) {
    int64_t columns = result.getDimSize(*contraction.getColumnDim());
    int64_t input = cast<RankedTensorType>(contraction.getInput().getType())
                        .getDimSize(window.dim);
    int64_t taps = contraction.product.getStaticLoopRanges()[window.tap];
    int64_t step = space.tileRows, first = 0;
    auto isInside = [&](int64_t column) {
      int64_t from = column * window.stride - window.low;
      int64_t to =
          from + (step - 1) * window.stride + (taps - 1) * window.dilation;
      return column + step <= columns && from >= 0 && to < input;
    };
    while (first < columns) {
      int64_t last = first;
      while (isInside(last))
        last += step;
      if (last == first) {
        tiles.emit(getPosition(row, constant(first)),
                   std::min(step, columns - first), first);
        first += step;
        continue;
      }
      auto loop = scf::ForOp::create(builder, loc, constant(first),
                                     constant(last), constant(step));
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(loop.getBody());
      tiles.emit(getPosition(row, loop.getInductionVar()), step);
      first = last;
    }
  }

  /// The tiles of the columns from `begin` to `end`: full ones, then, for what
  /// is left, ever smaller ones.
  void writeColumns(TileEmitter &tiles, ValueRange row, Value begin,
                    Value end) {
    int64_t columns = result.getDimSize(*contraction.getColumnDim());
    int64_t step = space.tileRows;
    Value left = arith::RemUIOp::create(
        builder, loc, arith::SubIOp::create(builder, loc, end, begin),
        constant(step));
    Value full = arith::SubIOp::create(builder, loc, end, left);
    auto loop = scf::ForOp::create(builder, loc, begin, full, constant(step));
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(loop.getBody());
      tiles.emit(getPosition(row, loop.getInductionVar()), step);
    }
    if (!ShapedType::isDynamic(columns)) {
      if (int64_t rest = columns % step)
        writeIf(isEqual(left, rest),
                [&] { tiles.emit(getPosition(row, full), rest); });
      return;
    }
    for (int64_t rest = llvm::PowerOf2Ceil(step) / 2; rest > 0; rest /= 2) {
      Value bit = arith::AndIOp::create(builder, loc, left, constant(rest));
      // The larger tiles, whose bits are above, come first.
      Value above =
          arith::AndIOp::create(builder, loc, left, constant(-2 * rest));
      Value first = arith::AddIOp::create(builder, loc, full, above);
      writeIf(isEqual(bit, rest),
              [&] { tiles.emit(getPosition(row, first), rest); });
    }
  }

  void writeIf(Value condition, function_ref<void()> body) {
    auto branch =
        scf::IfOp::create(builder, loc, condition, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(branch.thenBlock()->getTerminator());
    body();
  }

  Value isEqual(Value value, int64_t number) {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, value,
                                 constant(number));
  }

  /// The `block`-th range of `step` below `size`.
  std::pair<Value, Value> getRange(Value block, int64_t step, Value size) {
    Value begin = arith::MulIOp::create(builder, loc, block, constant(step));
    Value end = arith::AddIOp::create(builder, loc, begin, constant(step));
    return {begin, arith::MinUIOp::create(builder, loc, end, size)};
  }

  Value getProduct(ArrayRef<OpFoldResult> sizes) {
    Value product = asValue(sizes[0]);
    for (OpFoldResult size : sizes.drop_front())
      product = arith::MulIOp::create(builder, loc, product, asValue(size));
    return product;
  }

  Value asValue(OpFoldResult size) {
    return getValueOrCreateConstantIndexOp(builder, loc, size);
  }

  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }

  OpBuilder &builder;
  func::FuncOp kernel;
  PackedContraction contraction;
  KernelSpace space;
  Location loc;
  RankedTensorType result;
  SmallVector<Value> tensors;
  unsigned sizeCount = 0;
};

struct VectorizeKernels : omb::impl::VectorizeKernelsBase<VectorizeKernels> {
  using VectorizeKernelsBase::VectorizeKernelsBase;

  void runOnOperation() override {
    SymbolTableCollection tables;
    SymbolUserMap users(tables, getOperation());
    for (auto kernel :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (!kernel->hasAttr(kKernelAttrName))
        continue;
      auto unpacks = kernel.getOps<linalg::UnPackOp>();
      FailureOr<PackedContraction> contraction =
          unpacks.empty() ? FailureOr<PackedContraction>(failure())
                          : PackedContraction::match(*unpacks.begin());
      if (failed(contraction)) {
        kernel.emitError("isn't a kernel of omb-outline-kernels");
        return signalPassFailure();
      }
      OpBuilder builder(kernel);
      Executable executable =
          KernelWriter(builder, kernel, *contraction,
                       VectorUnit{vectorBytes, vectorRegisters, vectorDotBytes})
              .write();
      for (Operation *user : users.getUsers(kernel))
        dispatch(cast<func::CallOp>(user), executable);
      kernel.erase();
    }
  }

private:
  static void dispatch(func::CallOp call, const Executable &executable) {
    OpBuilder builder(call);
    SmallVector<Value> sizes, tensors, resultSizes;
    for (Value operand : call.getOperands()) {
      if (!isa<RankedTensorType>(operand.getType())) {
        resultSizes.push_back(operand);
        continue;
      }
      tensors.push_back(operand);
      for (OpFoldResult size :
           tensor::getMixedSizes(builder, call.getLoc(), operand))
        if (auto value = dyn_cast<Value>(size))
          sizes.push_back(value);
    }
    sizes.append(resultSizes);
    Value result = executable.createDispatch(
        builder, call.getLoc(), sizes, tensors,
        cast<RankedTensorType>(call.getResult(0).getType()));
    call.getResult(0).replaceAllUsesWith(result);
    call.erase();
  }
};

} // namespace
