//===- VectorizeStreamed.cpp - Executables of several products ------------===//

#include "lowering/vector/VectorizeStreamed.h"

#include "lowering/vector/ExecutableWriter.h"
#include "lowering/vector/TileLoops.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"
#include <numeric>

using namespace mlir;
using namespace omb::kernels;

namespace {

/// A workgroup has some channels, or all, of some rows of an image.
class StreamedWriter : public ExecutableWriter {
public:
  StreamedWriter(OpBuilder &builder, func::FuncOp kernel,
                 const StreamedContraction &contraction, const VectorUnit &unit)
      : ExecutableWriter(builder, kernel), contraction(contraction),
        parts(contraction.getParts()), channels(contraction.getChannels()) {
    for (const PackedContraction &part : parts)
      spaces.push_back(KernelSpace::getTiles(part, unit, {}));
    if (contraction.last)
      shareMatrices(unit);
    block = selectRows(unit);
  }

private:
  ArrayRef<int64_t> getResultShape() const {
    return contraction.getLast().getResultType().getShape();
  }

  int64_t getGroupCount() const {
    return llvm::divideCeil(contraction.getImageType().getShape().back(),
                            channels);
  }

  /// Has the first product and the last one share the registers of a matrix
  /// unit, each of which has matrices of one size in all of a kernel. Where
  /// they can't, the last one's vectors are multiplied.
  void shareMatrices(const VectorUnit &unit) {
    std::optional<MatrixTile> &first = spaces.front().matrix;
    std::optional<MatrixTile> &last = spaces.back().matrix;
    if (!first || !last || fitMatrixUnit({*first, *last}))
      return;
    unsigned common = std::gcd(first->groups, last->groups);
    MatrixTile sharedFirst = *first, sharedLast = *last;
    sharedFirst.groups = sharedLast.groups = common;
    if (common >= kLeastGroups && fitMatrixUnit({sharedFirst, sharedLast})) {
      first = sharedFirst;
      last = sharedLast;
      return;
    }
    VectorUnit vectors = unit;
    vectors.multipliesByteMatrices = vectors.multipliesBFloatMatrices = false;
    spaces.back() =
        KernelSpace::getTiles(contraction.getLast(), vectors, /*basis=*/{});
  }

  /// How many panels of a part a workgroup has.
  int64_t getPanels(const PackedContraction &part) const {
    int64_t all = part.getPanelCount();
    return contraction.last ? all
                            : std::min(all, channels / part.getPanelChannels());
  }

  /// The rows of a workgroup. It makes those of the image that its first window
  /// shares with the one before again.
  int64_t selectRows(const VectorUnit &unit) const {
    const SlidingWindow &rows = contraction.rows;
    double made = 0, work = 0;
    for (auto [part, space] : llvm::zip(parts, spaces)) {
      double row = space.getWork(part, part.getResultType().getDimSize(2)) *
                   getPanels(part);
      if (work == 0)
        made = row;
      work += work == 0 ? rows.stride * row : row;
    }
    int64_t shared = std::max<int64_t>(rows.getSpan() - rows.stride, 0);
    int64_t images = getResultShape()[0];
    if (ShapedType::isDynamic(images))
      images = 1;
    return selectBlock(getResultShape()[1], images * getGroupCount(), work,
                       shared * made, unit.threads);
  }

  int64_t getBlockCount() const {
    return llvm::divideCeil(getResultShape()[1], block);
  }

  void writeCount(Block *count) override {
    Value blocks = affine::makeComposedAffineApply(
        builder, loc, builder.getAffineSymbolExpr(0) * getBlockCount(),
        {getResultSizes(count).front()});
    Executable::createCount(builder, loc, constant(getGroupCount()), blocks);
  }

  /// The sizes of a part's result.
  SmallVector<OpFoldResult> getSizes(const PackedContraction &part,
                                     Block *entry) {
    SmallVector<OpFoldResult> sizes = getAsIndexOpFoldResult(
        builder.getContext(), part.getResultType().getShape());
    sizes.front() = getResultSizes(entry).front();
    return sizes;
  }

  /// The memory that all parts have but for what is between them.
  SmallVector<KernelMemory> getMemories(Block *entry) {
    llvm::SmallDenseMap<Value, RankedTensorType> views;
    for (const PackedContraction &part : parts)
      views[part.getPanels()] = getPanelsInMemory(part);
    KernelMemory memory;
    memory.operands = signature.createMemory(builder, entry, views);
    SmallVector<KernelMemory> memories(parts.size(), memory);
    for (auto [part, own] : llvm::zip(parts, memories)) {
      own.panelSizes = getPanelSizes(signature, builder, entry, part);
      own.resultSizes = getSizes(part, entry);
    }
    return memories;
  }

  void writeEntry(Block *entry) override {
    Value group = Executable::createWorkgroupId(builder, loc, 0);
    auto place = affine::AffineDelinearizeIndexOp::create(
        builder, loc, Executable::createWorkgroupId(builder, loc, 1),
        ArrayRef<int64_t>{getBlockCount()}, /*hasOuterBound=*/false);
    Value channel =
        arith::MulIOp::create(builder, loc, group, constant(channels));
    SmallVector<KernelMemory> memories = getMemories(entry);
    RowRing ring =
        RowRing::create(builder, loc, contraction.getRingShape(),
                        contraction.getImageType().getElementType(), channel);
    RowRing row;
    memories[0].resultRing = memories[1].inputRing = &ring;
    if (contraction.last) {
      Type element = contraction.consumer.getResultType().getElementType();
      row = RowRing::create(builder, loc, contraction.getRowShape(), element,
                            channel);
      memories[1].resultRing = memories[2].inputRing = &row;
    }
    SmallVector<std::unique_ptr<TileLoops>> tiles;
    for (auto [part, space, memory] : llvm::zip(parts, spaces, memories))
      tiles.push_back(
          std::make_unique<TileLoops>(builder, part, space, memory));

    auto [begin, end] = getRange(place.getResult(1), constant(block),
                                 constant(getResultShape()[1]));
    auto loop = scf::ForOp::create(builder, loc, begin, end, constant(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value image = place.getResult(0), number = loop.getInductionVar();
    makeRows(*tiles[0], group, image, number, begin);
    for (size_t part = 1; part < parts.size(); ++part)
      emitPanels(parts[part], group, [&](Value panel) {
        tiles[part]->emitRow({image, number}, panel);
      });
  }

  /// The rows of the image that the windows of this row are the first to need.
  void makeRows(TileLoops &maker, Value group, Value image, Value row,
                Value begin) {
    const SlidingWindow &rows = contraction.rows;
    AffineExpr first = builder.getAffineDimExpr(0) * rows.stride - rows.low;
    AffineExpr end = first + rows.getSpan();
    auto apply = [&](AffineExpr expr) {
      return asValue(
          affine::makeComposedFoldedAffineApply(builder, loc, expr, {row}));
    };
    Value isFirst = arith::CmpIOp::create(builder, loc,
                                          arith::CmpIPredicate::eq, row, begin);
    // Those before were made for the row before.
    int64_t next = std::max<int64_t>(rows.getSpan() - rows.stride, 0);
    Value lower = arith::MaxSIOp::create(
        builder, loc, constant(0),
        arith::SelectOp::create(builder, loc, isFirst, apply(first),
                                apply(first + next)));
    Value upper = arith::MinSIOp::create(
        builder, loc, apply(end),
        constant(contraction.getImageType().getDimSize(1)));
    emitPanels(contraction.producer, group, [&](Value panel) {
      auto loop = scf::ForOp::create(builder, loc, lower, upper, constant(1));
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(loop.getBody());
      maker.emitRow({image, loop.getInductionVar()}, panel);
    });
  }

  /// A part's panels of a workgroup.
  void emitPanels(const PackedContraction &part, Value group,
                  llvm::function_ref<void(Value)> emit) {
    int64_t panels = getPanels(part);
    if (panels == 1)
      return emit(group);
    auto [begin, end] =
        getRange(group, constant(panels), constant(part.getPanelCount()));
    auto loop = scf::ForOp::create(builder, loc, begin, end, constant(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    emit(loop.getInductionVar());
  }

  StreamedContraction contraction;
  SmallVector<PackedContraction> parts;
  SmallVector<KernelSpace> spaces;
  int64_t channels, block;
};

} // namespace

Executable
omb::kernels::vectorizeStreamed(OpBuilder &builder, func::FuncOp kernel,
                                const StreamedContraction &contraction,
                                const VectorUnit &unit) {
  return StreamedWriter(builder, kernel, contraction, unit).write();
}
