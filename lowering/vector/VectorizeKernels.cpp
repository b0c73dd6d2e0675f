//===- VectorizeKernels.cpp - omb-vectorize-kernels -----------------------===//

#include "lowering/Passes.h"
#include "lowering/iree/Dialects.h"
#include "lowering/vector/ExecutableWriter.h"
#include "lowering/vector/Kernels.h"
#include "lowering/vector/ProductTile.h"
#include "lowering/vector/TileEmitter.h"
#include "lowering/vector/VectorizeAttention.h"
#include "lowering/vector/VectorizeColumns.h"
#include "lowering/vector/VectorizeImagePlanes.h"
#include "lowering/vector/VectorizeRows.h"
#include "lowering/vector/VectorizeShuffle.h"
#include "lowering/vector/VectorizeSparse.h"
#include "lowering/vector/VectorizeWinograd.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
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

/// Makes an executable of one product.
class ProductWriter : public ExecutableWriter {
public:
  ProductWriter(OpBuilder &builder, func::FuncOp kernel,
                const PackedContraction &contraction, const VectorUnit &unit)
      : ExecutableWriter(builder, kernel), contraction(contraction),
        space(KernelSpace::get(contraction, unit)),
        result(contraction.getResultType()) {}

private:
  void writeCount(Block *count) override {
    SmallVector<OpFoldResult> sizes = getResultSizes(count);
    Value blocks = space.getBlockCount(builder, loc, getRowSizes(sizes),
                                       getColumnSize(sizes));
    Value panels = space.hasAllPanels
                       ? constant(1)
                       : getPanelCount(getPanelSizes(count), sizes);
    if (space.sharesRows)
      std::swap(blocks, panels);
    Executable::createCount(builder, loc, blocks, panels);
  }

  Value getPanelCount(ArrayRef<OpFoldResult> panelSizes,
                      ArrayRef<OpFoldResult> resultSizes) {
    if (!contraction.isPool())
      return asValue(panelSizes[contraction.getPanelDim()]);
    AffineExpr channels = builder.getAffineSymbolExpr(0);
    return asValue(affine::makeComposedFoldedAffineApply(
        builder, loc, channels.ceilDiv(contraction.getPanelChannels()),
        resultSizes.back()));
  }

  SmallVector<OpFoldResult> getPanelSizes(Block *block) {
    if (contraction.decode || contraction.isPool())
      return getAsIndexOpFoldResult(builder.getContext(),
                                    contraction.getPanelsType().getShape());
    return signature.getSizes(builder, block, contraction.getPanels());
  }

  /// The panels with the groups of all channels in one dimension, which vectors
  /// are read from.
  RankedTensorType getPanelsInMemory() const {
    auto panels = cast<RankedTensorType>(contraction.getPanels().getType());
    if (contraction.getGroup() == 1)
      return panels;
    SmallVector<int64_t> shape(panels.getShape().drop_back());
    shape.back() *= contraction.getGroup();
    return RankedTensorType::get(shape, panels.getElementType());
  }

  SmallVector<OpFoldResult> getRowSizes(ArrayRef<OpFoldResult> sizes) const {
    if (!space.basis.empty())
      return {};
    return llvm::map_to_vector(contraction.getRowDims(),
                               [&](unsigned dim) { return sizes[dim]; });
  }

  OpFoldResult getColumnSize(ArrayRef<OpFoldResult> sizes) {
    if (!space.basis.empty()) {
      // The number of the last position, plus one.
      AffineExpr last = builder.getAffineSymbolExpr(0) - 1;
      for (auto [size, base] : llvm::drop_begin(llvm::zip(sizes, space.basis)))
        last = last * base + (*getConstantIntValue(size) - 1);
      OpFoldResult count = affine::makeComposedFoldedAffineApply(
          builder, loc, last + 1, {sizes.front()});
      if (std::optional<int64_t> known = getConstantIntValue(count))
        return builder.getIndexAttr(std::max<int64_t>(*known, 0));
      if (!space.hasGaps)
        return count;
      // Of no images, the last position would be before the first.
      return arith::MaxSIOp::create(builder, loc, asValue(count), constant(0))
          .getResult();
    }
    std::optional<unsigned> dim = contraction.getColumnDim();
    return dim ? sizes[*dim] : OpFoldResult(builder.getIndexAttr(1));
  }

  KernelMemory getMemory(Block *entry) {
    KernelMemory memory;
    memory.operands = signature.createMemory(
        builder, entry, {{contraction.getPanels(), getPanelsInMemory()}});
    memory.panelSizes = getPanelSizes(entry);
    memory.resultSizes = getResultSizes(entry);
    return memory;
  }

  void writeEntry(Block *entry) override {
    unsigned inner = space.sharesRows ? 1 : 0;
    Value block = Executable::createWorkgroupId(builder, loc, inner);
    Value panel = Executable::createWorkgroupId(builder, loc, 1 - inner);
    memory = getMemory(entry);
    std::unique_ptr<TileEmitter> emitter =
        TileEmitter::create(builder, contraction, space, memory);
    if (!space.hasAllPanels)
      return writePanel(*emitter, block, panel);
    auto loop = scf::ForOp::create(
        builder, loc, constant(0),
        getPanelCount(memory.panelSizes, memory.resultSizes), constant(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    writePanel(*emitter, block, loop.getInductionVar());
  }

  /// The tiles of a block of one panel.
  void writePanel(TileEmitter &tiles, Value block, Value panel) {
    tiles.setPanel(panel);
    if (!contraction.getColumnDim())
      return tiles.emit({}, {1});
    Value columns = asValue(getColumnSize(memory.resultSizes));
    SmallVector<OpFoldResult> rows = getRowSizes(memory.resultSizes);
    if (rows.empty()) {
      auto [begin, end] =
          getRange(block, constant(space.block * space.tileRows), columns);
      return writeColumns(tiles, {}, begin, end);
    }
    auto [begin, end] =
        getRange(block, constant(space.block), getProduct(rows));
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
    if (!space.basis.empty())
      return affine::AffineDelinearizeIndexOp::create(
                 builder, loc, column, ArrayRef(space.basis).drop_front(),
                 /*hasOuterBound=*/false)
          .getResults();
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
                   {unsigned(std::min(step, columns - first)), nullptr, first});
        first += step;
        continue;
      }
      auto loop = scf::ForOp::create(builder, loc, constant(first),
                                     constant(last), constant(step));
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(loop.getBody());
      tiles.emit(getPosition(row, loop.getInductionVar()), {unsigned(step)});
      first = last;
    }
  }

  /// The tiles of the columns from `begin` to `end`.
  void writeColumns(TileEmitter &tiles, ValueRange row, Value begin,
                    Value end) {
    int64_t size = contraction.getTileDemand().rows;
    auto emit = [&](Value first, int64_t count) {
      tiles.emit(getPosition(row, first), {unsigned(count)});
    };
    if (!space.matrix || !ShapedType::isDynamic(size))
      return emitTiles(builder, loc, begin, end, size, space.tileRows, emit);
    // What is left is one tile with some of its columns.
    emitTilesAndRest(builder, loc, begin, end, space.tileRows, emit,
                     [&](Value first, Value left) {
                       tiles.emit(getPosition(row, first),
                                  {space.tileRows, left});
                     });
  }

  PackedContraction contraction;
  KernelSpace space;
  RankedTensorType result;
  KernelMemory memory;
};

/// The executable of a kernel; fails where it is of no known kind.
FailureOr<Executable> vectorize(OpBuilder &builder, func::FuncOp kernel,
                                const VectorUnit &unit) {
  if (auto unpacks = kernel.getOps<linalg::UnPackOp>(); !unpacks.empty()) {
    FailureOr<SparseContraction> sparse =
        SparseContraction::match(*unpacks.begin());
    if (succeeded(sparse))
      return vectorizeSparse(builder, kernel, *sparse, unit);
    FailureOr<PackedContraction> contraction =
        PackedContraction::match(*unpacks.begin());
    if (failed(contraction))
      return failure();
    return ProductWriter(builder, kernel, *contraction, unit).write();
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
      FailureOr<Executable> executable =
          vectorize(builder, kernel,
                    VectorUnit{vectorBytes, vectorRegisters, vectorDotBytes,
                               vectorDotBFloats, matrixBytes, matrixBFloats});
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
