//===- VectorizeSparseBlocks.cpp - Executables of blocks of channels ------===//

#include "lowering/vector/VectorizeSparse.h"

#include "lowering/vector/Elementwise.h"
#include "lowering/vector/KernelSpace.h"
#include "lowering/vector/ProductTile.h"
#include "lowering/vector/SparseWriter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

namespace {

/// Lanes are channels of a block. A workgroup goes through some tiles of rows,
/// and with each through some blocks of channels: the rows of a tile stay in
/// the first cache, and the weights of the blocks in the second.
class BlocksWriter : public SparseWriter {
public:
  BlocksWriter(OpBuilder &builder, func::FuncOp kernel,
               const SparseContraction &contraction, const VectorUnit &unit,
               unsigned lanes)
      : SparseWriter(builder, kernel, contraction, unit, lanes) {
    constexpr int64_t setBytes = 4096;
    vectors = contraction.getTile() / lanes;
    TileDemand demand{getRows(), contraction.getChannels(),
                      /*isDepthwise=*/false,
                      contraction.getInner() * 4 % setBytes == 0};
    tileRows = selectRows(unit, vectors, demand);
    double work = getWork(tileRows, kGroup * contraction.getTile());
    block = std::max<int64_t>(kUsualMicroseconds / work, 1);
    if (!ShapedType::isDynamic(getRows()))
      block =
          selectBlock(llvm::divideCeil(getRows(), tileRows), getGroups(), work);
  }

private:
  /// The blocks of channels of a workgroup.
  static constexpr int64_t kGroup = 8;

  int64_t getOuter() const {
    return contraction.getChannels() / contraction.getTile();
  }
  int64_t getGroups() const { return llvm::divideCeil(getOuter(), kGroup); }

  void writeCount(Block *count) override {
    Value rows = asValue(getResultSizes(count)[0]);
    Value blocks = arith::CeilDivUIOp::create(builder, loc, rows,
                                              constant(block * tileRows));
    Executable::createCount(builder, loc, blocks, constant(getGroups()));
  }

  void writeEntry(Block *entry) override {
    Value rowBlock = Executable::createWorkgroupId(builder, loc, 0);
    Value group = Executable::createWorkgroupId(builder, loc, 1);
    memory = signature.createMemory(builder, entry);
    auto epilogue = contraction.epilogue;
    if (epilogue && callsFunctions(*epilogue.getBody()))
      buffer = createBuffer({tileRows * vectors, lanes});
    auto [begin, end] = getRange(rowBlock, constant(block * tileRows),
                                 asValue(getResultSizes(entry)[0]));
    auto [first, last] =
        getRange(group, constant(kGroup), constant(getOuter()));
    emitTiles(builder, loc, begin, end, getRows(), tileRows,
              [&, first = first, last = last](Value row, int64_t rows) {
                emitLoop(first, last, 1,
                         [&](Value outer) { writeTile(row, rows, outer); });
              });
  }

  void writeTile(Value row, int64_t rows, Value outer) {
    Value coordinates = getMemory(contraction.getCoordinates());
    Value input = getMemory(contraction.getInput());
    auto [begin, end] = getSegment(outer, getOuter());
    Values sums = emitSums(
        begin, end, Values(rows * vectors, getZeros()),
        [&](Value at, Values into) {
          Value k = loadIndex(coordinates, at);
          Value start = multiply(at, contraction.getTile());
          Values block;
          for (unsigned vector = 0; vector < vectors; ++vector)
            block.push_back(loadWeights(add(start, vector * lanes)));
          return emitProducts(builder, loc, std::move(into), block, 0, rows,
                              [&](unsigned number) {
                                Value value = memref::LoadOp::create(
                                    builder, loc, input,
                                    ValueRange{add(row, number), k});
                                return Values(vectors, toVector(value));
                              });
        });
    store(row, outer, sums);
  }

  /// Where a vector of the tile's results is.
  Values getPlace(Value row, Value outer, Value number) {
    Value inRow =
        arith::RemUIOp::create(builder, loc, number, constant(vectors));
    Value channel =
        add(multiply(outer, contraction.getTile()), multiply(inRow, lanes));
    return {add(row, arith::DivUIOp::create(builder, loc, number,
                                            constant(vectors))),
            channel};
  }

  void store(Value row, Value outer, const Values &sums) {
    EpilogueEmitter epilogue = getEpilogue();
    if (!buffer) {
      for (auto [number, sum] : llvm::enumerate(sums))
        epilogue.emit(sum, getPlace(row, outer, constant(number)), nullptr);
      return;
    }
    Value zero = constant(0);
    for (auto [number, sum] : llvm::enumerate(sums))
      vec::StoreOp::create(builder, loc, sum, buffer,
                           ValueRange{constant(number), zero});
    emitLoop(zero, constant(sums.size()), 1, [&](Value number) {
      epilogue.emit(load(buffer, {number, zero}), getPlace(row, outer, number),
                    nullptr);
    });
  }

  unsigned vectors, tileRows;
  int64_t block;
  /// Memory for a tile's sums; null where the epilogue needs no loop.
  Value buffer;
};

} // namespace

Executable
omb::kernels::vectorizeSparseBlocks(OpBuilder &builder, func::FuncOp kernel,
                                    const SparseContraction &contraction,
                                    const VectorUnit &unit) {
  constexpr unsigned elementBytes = 4;
  int64_t lanes =
      std::min<int64_t>(unit.getLanes(elementBytes), contraction.getTile());
  return BlocksWriter(builder, kernel, contraction, unit, lanes).write();
}
