//===- VectorizeAttention.cpp - Executables of attention ------------------===//

#include "lowering/vector/VectorizeAttention.h"

#include "lowering/vector/AttentionEmitter.h"
#include "lowering/vector/ExecutableWriter.h"
#include "lowering/vector/KernelSpace.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;

namespace {

/// Makes an executable of one kernel of attention. Its tiles of queries are
/// numbered, those of one batch after the other.
class AttentionWriter : public ExecutableWriter {
public:
  AttentionWriter(OpBuilder &builder, func::FuncOp kernel,
                  const Attention &attention, const VectorUnit &unit)
      : ExecutableWriter(builder, kernel), attention(attention),
        tile(AttentionTile::get(attention, unit)), block(selectTiles()) {}

private:
  /// The tiles of a workgroup.
  int64_t selectTiles() const {
    constexpr double perProduct = 1. / 50'000, perScore = 0.0005;
    constexpr int64_t usualKeys = 128;
    int64_t keys = attention.getSize(attention.getKeyLoop());
    if (ShapedType::isDynamic(keys))
      keys = usualKeys;
    int64_t products = attention.getSize(attention.getSumLoop()) +
                       attention.getSize(attention.getValueLoop());
    double work =
        double(tile.getQueries()) * keys * (products * perProduct + perScore);
    int64_t tiles = attention.getSize(attention.getQueryLoop());
    bool isKnown = !ShapedType::isDynamic(tiles);
    if (isKnown)
      tiles = llvm::divideCeil(tiles, tile.getQueries());
    for (unsigned batch : attention.getBatches()) {
      isKnown &= !ShapedType::isDynamic(attention.getSize(batch));
      tiles *= attention.getSize(batch);
    }
    return isKnown ? selectBlock(tiles, 1, work)
                   : std::max<int64_t>(1, kUsualMicroseconds / work);
  }

  void writeCount(Block *count) override {
    Value tiles = getTileCount(getResultSizes(count));
    Value blocks =
        arith::CeilDivUIOp::create(builder, loc, tiles, constant(block));
    Executable::createCount(builder, loc, blocks, constant(1));
  }

  Value getTilesOfBatch(ArrayRef<OpFoldResult> sizes) {
    return arith::CeilDivUIOp::create(builder, loc,
                                      asValue(sizes[attention.getQueryLoop()]),
                                      constant(tile.getQueries()));
  }

  Value getTileCount(ArrayRef<OpFoldResult> sizes) {
    Value count = getTilesOfBatch(sizes);
    for (unsigned batch : attention.getBatches())
      count = arith::MulIOp::create(builder, loc, count, asValue(sizes[batch]));
    return count;
  }

  void writeEntry(Block *entry) override {
    Value number = Executable::createWorkgroupId(builder, loc, 0);
    AttentionMemory memory;
    memory.tensors = signature.createMemory(builder, entry);
    for (auto [index, argument] :
         llvm::zip(signature.getIndices(), entry->getArguments()))
      memory.indices[index] = argument;
    memory.resultSizes = getResultSizes(entry);
    AttentionEmitter emitter(builder, attention, tile, memory);
    auto [begin, end] =
        getRange(number, constant(block), getTileCount(memory.resultSizes));
    auto loop = scf::ForOp::create(builder, loc, begin, end, constant(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    SmallVector<OpFoldResult> basis;
    for (unsigned batch : attention.getBatches())
      basis.push_back(memory.resultSizes[batch]);
    basis.push_back(getTilesOfBatch(memory.resultSizes));
    auto split = affine::AffineDelinearizeIndexOp::create(
        builder, loc, loop.getInductionVar(), basis);
    SmallVector<Value> loops(attention.getType().getRank(), constant(0));
    for (auto [batch, index] :
         llvm::zip(attention.getBatches(), split.getResults()))
      loops[batch] = index;
    Value first = arith::MulIOp::create(builder, loc, split.getResults().back(),
                                        constant(tile.getQueries()));
    writeTile(emitter, loops, first,
              asValue(memory.resultSizes[attention.getQueryLoop()]));
  }

  /// A full tile, or what is left, perhaps with fewer vectors.
  void writeTile(AttentionEmitter &emitter, ValueRange loops, Value first,
                 Value queries) {
    int64_t full = tile.getQueries();
    int64_t known = attention.getSize(attention.getQueryLoop());
    Value left = arith::SubIOp::create(builder, loc, queries, first);
    if (!ShapedType::isDynamic(known)) {
      int64_t rest = known % full;
      unsigned vectors = llvm::divideCeil(rest, tile.lanes);
      auto writeFull = [&] {
        emitter.emit(loops, first, tile.queryVectors, constant(full), full);
      };
      auto writeRest = [&] {
        emitter.emit(loops, first, vectors, constant(rest), rest);
      };
      if (rest == 0)
        return writeFull();
      if (known < full)
        return writeRest();
      return writeIf(isLess(left, full), writeRest, writeFull);
    }
    Value count = arith::MinUIOp::create(builder, loc, left, constant(full));
    auto write = [&](unsigned vectors) {
      emitter.emit(loops, first, vectors, count, ShapedType::kDynamic);
    };
    if (tile.queryVectors == 1)
      return write(1);
    writeIf(
        isLess(left, tile.lanes + 1), [&] { write(1); },
        [&] { write(tile.queryVectors); });
  }

  Value isLess(Value value, int64_t number) {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, value,
                                 constant(number));
  }

  void writeIf(Value condition, function_ref<void()> then,
               function_ref<void()> otherwise) {
    auto branch =
        scf::IfOp::create(builder, loc, condition, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(branch.thenBlock()->getTerminator());
    then();
    builder.setInsertionPoint(branch.elseBlock()->getTerminator());
    otherwise();
  }

  const Attention &attention;
  AttentionTile tile;
  int64_t block;
};

} // namespace

Executable omb::kernels::vectorizeAttention(OpBuilder &builder,
                                            func::FuncOp kernel,
                                            const Attention &attention,
                                            const VectorUnit &unit) {
  return AttentionWriter(builder, kernel, attention, unit).write();
}
