//===- VectorizeProducts.cpp - Executables of packed products -------------===//

#include "lowering/vector/VectorizeProducts.h"

#include "lowering/vector/ExecutableWriter.h"
#include "lowering/vector/TileLoops.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace omb::kernels;

namespace {

class ProductWriter : public ExecutableWriter {
public:
  ProductWriter(OpBuilder &builder, func::FuncOp kernel,
                const PackedContraction &contraction, const VectorUnit &unit)
      : ExecutableWriter(builder, kernel), contraction(contraction),
        space(KernelSpace::get(contraction, unit)) {}

private:
  void writeCount(Block *count) override {
    SmallVector<OpFoldResult> sizes = getResultSizes(count);
    Value blocks = space.getBlockCount(
        builder, loc, getRowSizes(contraction, space, sizes),
        getColumnSize(builder, loc, contraction, space, sizes));
    Value panels =
        space.hasAllPanels
            ? constant(1)
            : getPanelCount(
                  builder, loc, contraction,
                  getPanelSizes(signature, builder, count, contraction), sizes);
    if (space.sharesRows)
      std::swap(blocks, panels);
    Executable::createCount(builder, loc, blocks, panels);
  }

  void writeEntry(Block *entry) override {
    unsigned inner = space.sharesRows ? 1 : 0;
    Value block = Executable::createWorkgroupId(builder, loc, inner);
    Value panel = Executable::createWorkgroupId(builder, loc, 1 - inner);
    KernelMemory memory;
    memory.operands = signature.createMemory(
        builder, entry,
        {{contraction.getPanels(), getPanelsInMemory(contraction)}});
    memory.panelSizes = getPanelSizes(signature, builder, entry, contraction);
    memory.resultSizes = getResultSizes(entry);
    TileLoops tiles(builder, contraction, space, memory);
    if (!space.hasAllPanels)
      return tiles.emitBlock(block, panel);
    auto loop =
        scf::ForOp::create(builder, loc, constant(0),
                           getPanelCount(builder, loc, contraction,
                                         memory.panelSizes, memory.resultSizes),
                           constant(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    tiles.emitBlock(block, loop.getInductionVar());
  }

  PackedContraction contraction;
  KernelSpace space;
};

} // namespace

Executable omb::kernels::vectorizeProduct(OpBuilder &builder,
                                          func::FuncOp kernel,
                                          const PackedContraction &contraction,
                                          const VectorUnit &unit) {
  return ProductWriter(builder, kernel, contraction, unit).write();
}
