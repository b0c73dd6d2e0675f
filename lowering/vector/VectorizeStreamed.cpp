//===- VectorizeStreamed.cpp - Executables of two products ----------------===//

#include "lowering/vector/VectorizeStreamed.h"

#include "lowering/vector/ExecutableWriter.h"
#include "lowering/vector/TileLoops.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;

namespace {

/// A workgroup has some channels of some rows of an image.
class StreamedWriter : public ExecutableWriter {
public:
  StreamedWriter(OpBuilder &builder, func::FuncOp kernel,
                 const StreamedContraction &contraction, const VectorUnit &unit)
      : ExecutableWriter(builder, kernel), contraction(contraction),
        producer(KernelSpace::getTiles(contraction.producer, unit, {})),
        consumer(KernelSpace::getTiles(contraction.consumer, unit, {})),
        block(selectRows()) {}

private:
  ArrayRef<int64_t> getResultShape() const {
    return contraction.consumer.getResultType().getShape();
  }

  int64_t getGroupCount() const {
    return llvm::divideCeil(getResultShape().back(), contraction.channels);
  }

  /// The microseconds that a row of all channels of a workgroup takes.
  double getRowWork(const PackedContraction &each, const KernelSpace &space) {
    int64_t columns = each.getResultType().getDimSize(2);
    int64_t panels = contraction.channels / each.getPanelChannels();
    return space.getWork(each, columns) * panels;
  }

  /// The rows of a workgroup. It makes those of the image that its first window
  /// shares with the one before again.
  int64_t selectRows() {
    const SlidingWindow &rows = contraction.rows;
    double made = getRowWork(contraction.producer, producer);
    double work =
        rows.stride * made + getRowWork(contraction.consumer, consumer);
    int64_t shared = std::max<int64_t>(rows.getSpan() - rows.stride, 0);
    int64_t images = getResultShape()[0];
    if (ShapedType::isDynamic(images))
      images = 1;
    return selectBlock(getResultShape()[1], images * getGroupCount(), work,
                       shared * made);
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

  /// The sizes of what is between the two.
  SmallVector<OpFoldResult> getImageSizes(Block *entry) {
    SmallVector<OpFoldResult> sizes = getAsIndexOpFoldResult(
        builder.getContext(), contraction.getImageType().getShape());
    sizes.front() = getResultSizes(entry).front();
    return sizes;
  }

  void writeEntry(Block *entry) override {
    Value group = Executable::createWorkgroupId(builder, loc, 0);
    auto place = affine::AffineDelinearizeIndexOp::create(
        builder, loc, Executable::createWorkgroupId(builder, loc, 1),
        ArrayRef<int64_t>{getBlockCount()}, /*hasOuterBound=*/false);
    Value channel = arith::MulIOp::create(builder, loc, group,
                                          constant(contraction.channels));
    RowRing ring =
        RowRing::create(builder, loc, contraction.getRingShape(),
                        contraction.getImageType().getElementType(), channel);
    KernelMemory from, into;
    from.operands =
        signature.createMemory(builder, entry,
                               {{contraction.producer.getPanels(),
                                 getPanelsInMemory(contraction.producer)}});
    from.panelSizes =
        getPanelSizes(signature, builder, entry, contraction.producer);
    from.resultSizes = getImageSizes(entry);
    from.resultRing = &ring;
    into.operands = from.operands;
    into.panelSizes =
        getPanelSizes(signature, builder, entry, contraction.consumer);
    into.resultSizes = getResultSizes(entry);
    into.inputRing = &ring;
    TileLoops maker(builder, contraction.producer, producer, from);
    TileLoops reader(builder, contraction.consumer, consumer, into);

    Value image = place.getResult(0);
    auto [begin, end] = getRange(place.getResult(1), constant(block),
                                 constant(getResultShape()[1]));
    auto loop = scf::ForOp::create(builder, loc, begin, end, constant(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value row = loop.getInductionVar();
    makeRows(maker, group, image, row, begin);
    emitPanels(contraction.consumer, group,
               [&](Value panel) { reader.emitRow({image, row}, panel); });
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

  /// The panels of a workgroup.
  void emitPanels(const PackedContraction &each, Value group,
                  llvm::function_ref<void(Value)> emit) {
    int64_t panels = contraction.channels / each.getPanelChannels();
    if (panels == 1)
      return emit(group);
    auto [begin, end] =
        getRange(group, constant(panels), constant(each.getPanelCount()));
    auto loop = scf::ForOp::create(builder, loc, begin, end, constant(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    emit(loop.getInductionVar());
  }

  StreamedContraction contraction;
  KernelSpace producer, consumer;
  int64_t block;
};

} // namespace

Executable
omb::kernels::vectorizeStreamed(OpBuilder &builder, func::FuncOp kernel,
                                const StreamedContraction &contraction,
                                const VectorUnit &unit) {
  return StreamedWriter(builder, kernel, contraction, unit).write();
}
