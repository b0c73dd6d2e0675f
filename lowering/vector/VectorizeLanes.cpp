//===- VectorizeLanes.cpp - Executables that pack rows in tiles -----------===//

#include "lowering/vector/VectorizeSparse.h"

#include "lowering/vector/ExecutableWriter.h"
#include "lowering/vector/ProductTile.h"
#include "lowering/vector/SparseTile.h"
#include "lowering/vector/Transpose.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

namespace {

/// Packs rows [m, k] as tiles [t, k, v]. A workgroup turns squares of some of
/// the columns of one tile.
class LanesWriter : public ExecutableWriter {
public:
  LanesWriter(OpBuilder &builder, func::FuncOp kernel, linalg::PackOp pack,
              unsigned lanes)
      : ExecutableWriter(builder, kernel), pack(pack), lanes(lanes),
        type(VectorType::get(lanes, builder.getF32Type())) {}

private:
  /// As many workgroups as make use of several threads.
  static constexpr int64_t kChunks = 8;

  int64_t getTile() { return pack.getDestType().getShape().back(); }
  int64_t getInner() { return pack.getDestType().getDimSize(1); }
  int64_t getChunk() {
    return llvm::alignTo(llvm::divideCeil(getInner(), kChunks), lanes);
  }

  void writeCount(Block *count) override {
    Executable::createCount(builder, loc,
                            constant(llvm::divideCeil(getInner(), getChunk())),
                            asValue(getResultSizes(count)[0]));
  }

  void writeEntry(Block *entry) override {
    Value chunk = Executable::createWorkgroupId(builder, loc, 0);
    tile = Executable::createWorkgroupId(builder, loc, 1);
    auto memory = signature.createMemory(builder, entry);
    from = memory.at(pack.getSource());
    to = memory.at(Value());
    rows = asValue(signature.getSizes(builder, entry, pack.getSource())[0]);
    auto [begin, end] =
        getRange(chunk, constant(getChunk()), constant(getInner()));
    emitTiles(builder, loc, begin, end, getInner(), lanes,
              [&](Value column, int64_t columns) {
                auto loop =
                    scf::ForOp::create(builder, loc, constant(0),
                                       constant(getTile()), constant(lanes));
                OpBuilder::InsertionGuard guard(builder);
                builder.setInsertionPointToStart(loop.getBody());
                turn(loop.getInductionVar(), column, columns);
              });
  }

  /// Turns a square of rows, from `first` of the tile on, and `columns`
  /// columns.
  void turn(Value first, Value column, int64_t columns) {
    Value row = arith::AddIOp::create(
        builder, loc,
        arith::MulIOp::create(builder, loc, tile, constant(getTile())), first);
    SmallVector<Value> square;
    for (unsigned lane = 0; lane < lanes; ++lane)
      square.push_back(
          read(arith::AddIOp::create(builder, loc, row, constant(lane)), column,
               columns));
    square = transposeSquare(builder, loc, square);
    for (int64_t number = 0; number < columns; ++number)
      vec::StoreOp::create(
          builder, loc, square[number], to,
          ValueRange{
              tile,
              arith::AddIOp::create(builder, loc, column, constant(number)),
              first});
  }

  /// The columns of a row; zeros where there is no such row.
  Value read(Value row, Value column, int64_t columns) {
    auto source = cast<RankedTensorType>(pack.getSource().getType());
    bool isWhole = !source.isDynamicDim(0) &&
                   source.getDimSize(0) % getTile() == 0 && columns == lanes;
    if (isWhole)
      return vec::LoadOp::create(builder, loc, type, from,
                                 ValueRange{row, column});
    Value isRow = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                        row, rows);
    Value count = arith::SelectOp::create(builder, loc, isRow,
                                          constant(columns), constant(0));
    Value mask = vec::CreateMaskOp::create(
        builder, loc, VectorType::get(lanes, builder.getI1Type()), count);
    Value zeros =
        arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
    return vec::MaskedLoadOp::create(builder, loc, type, from,
                                     ValueRange{row, column}, mask, zeros);
  }

  linalg::PackOp pack;
  unsigned lanes;
  VectorType type;
  Value tile, from, to, rows;
};

} // namespace

Executable omb::kernels::vectorizeLanes(OpBuilder &builder, func::FuncOp kernel,
                                        linalg::PackOp pack,
                                        const VectorUnit &unit) {
  ArrayRef<int64_t> shape = pack.getSourceType().getShape();
  SparseTile tile = SparseTile::get(unit, shape[0], shape[1]);
  return LanesWriter(builder, kernel, pack, tile.lanes).write();
}
