//===- VectorizeSparse.cpp - Executables of sparse products ---------------===//

#include "lowering/vector/VectorizeSparse.h"

#include "lowering/vector/Elementwise.h"
#include "lowering/vector/KernelSpace.h"
#include "lowering/vector/Prefetch.h"
#include "lowering/vector/ProductTile.h"
#include "lowering/vector/SparseTile.h"
#include "lowering/vector/SparseWriter.h"
#include "lowering/vector/Transpose.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

namespace {

//===----------------------------------------------------------------------===//
// Channels one by one
//===----------------------------------------------------------------------===//

/// Workgroups take some groups of channels, as many as a vector has lanes, for
/// one tile of rows.
class ChannelsWriter : public SparseWriter {
protected:
  using SparseWriter::SparseWriter;

  /// Computes the results of the channels of groups for the rows of the tile,
  /// and stores them.
  virtual void writeGroups(Value begin, Value end) {
    emitLoop(begin, end, 1,
             [&](Value group) { writeGroup(multiply(group, lanes)); });
  }
  virtual void writeGroup(Value firstChannel) = 0;
  virtual int64_t getTileRows() const = 0;
  /// The most groups of a workgroup.
  virtual int64_t getMostGroups() const { return getGroups(); }
  /// The number of tiles of a result whose first dimension has `size` elements.
  virtual Value countTiles(Value size) {
    return arith::CeilDivUIOp::create(builder, loc, size,
                                      constant(getTileRows()));
  }

  int64_t getGroups() const {
    return llvm::divideCeil(contraction.getChannels(), lanes);
  }

private:
  int64_t getBlock() const {
    int64_t rows = getRows(), tileRows = getTileRows();
    double work = getWork(tileRows, lanes);
    if (ShapedType::isDynamic(rows))
      return std::clamp<int64_t>(kUsualMicroseconds / work, 1, getMostGroups());
    return std::min(
        selectBlock(getGroups(), llvm::divideCeil(rows, tileRows), work),
        getMostGroups());
  }

  void writeCount(Block *count) override {
    Value first = asValue(getResultSizes(count)[0]);
    Executable::createCount(builder, loc,
                            constant(llvm::divideCeil(getGroups(), getBlock())),
                            countTiles(first));
  }

  void writeEntry(Block *entry) override {
    Value block = Executable::createWorkgroupId(builder, loc, 0);
    tile = Executable::createWorkgroupId(builder, loc, 1);
    memory = signature.createMemory(builder, entry);
    rowCount = asValue(getResultSizes(entry)[0]);
    prepare();
    auto [begin, end] =
        getRange(block, constant(getBlock()), constant(getGroups()));
    writeGroups(begin, end);
  }

  virtual void prepare() = 0;

protected:
  Value tile, rowCount;
};

/// Lanes are rows. The sums of a channel are in registers; those of a group
/// are turned in squares, so that lanes become channels.
class RowLanesWriter : public ChannelsWriter {
public:
  RowLanesWriter(OpBuilder &builder, func::FuncOp kernel,
                 const SparseContraction &contraction, const VectorUnit &unit,
                 SparseTile tile)
      : ChannelsWriter(builder, kernel, contraction, unit, tile.lanes),
        tileSize(tile) {}

protected:
  int64_t getTileRows() const override { return tileSize.getRows(); }
  unsigned getVectors() const { return tileSize.vectors; }

  void prepare() override { startTile(tile, rowCount, countGroups()); }

  /// The groups of channels whose sums are in memory at a time: with chunks, as
  /// many as use what is read of the rows while it stays in the first cache.
  int64_t countGroups() const {
    return contraction.getChunk() == 0 ? 1 : getMostGroups();
  }
  int64_t getMostGroups() const override {
    if (contraction.getChunk() == 0)
      return getGroups();
    return std::min(std::max<int64_t>(kChunkChannels / lanes, 1), getGroups());
  }

  /// Starts with the `number`-th tile of `rows` rows, for as many groups of
  /// channels at a time.
  void startTile(Value number, Value rows, int64_t groups) {
    sums = createBuffer({groups * lanes, getTileRows()});
    firstRow = multiply(number, getTileRows());
    left = arith::MinUIOp::create(
        builder, loc, arith::SubIOp::create(builder, loc, rows, firstRow),
        constant(getTileRows()));
  }

  /// The elements at `k` of the rows of a vector of the tile.
  virtual Value loadRows(Value k, unsigned vector) {
    return load(getMemory(contraction.getInput()),
                {tile, k, constant(vector * lanes)});
  }

  /// Has the epilogue done to the channels from `firstChannel` on of a row.
  virtual void finishRow(Value values, Value row, Value firstChannel,
                         Value mask) {
    getEpilogue().emit(values, {add(firstRow, row), firstChannel}, mask);
  }

  /// Turns the sums of the group of channels from `first` of the buffer on, and
  /// has what follows done to them.
  void finishGroup(Value first, Value firstChannel) {
    emitLoop(constant(0), left, lanes, [&](Value row) { turn(first, row); });
    Value mask = getChannelMask(firstChannel);
    emitLoop(constant(0), left, 1, [&](Value row) {
      Value inSquare =
          arith::RemUIOp::create(builder, loc, row, constant(lanes));
      Value values =
          load(sums, {add(first, inSquare),
                      arith::SubIOp::create(builder, loc, row, inSquare)});
      finishRow(values, row, firstChannel, mask);
    });
  }

  void writeGroups(Value begin, Value end) override {
    if (contraction.getChunk() == 0)
      return ChannelsWriter::writeGroups(begin, end);
    Value firstChannel = multiply(begin, lanes);
    Value channels =
        arith::SubIOp::create(builder, loc, multiply(end, lanes), firstChannel);
    addChunks(firstChannel, channels);
    emitLoop(begin, end, 1, [&](Value group) {
      Value channel = multiply(group, lanes);
      finishGroup(arith::SubIOp::create(builder, loc, channel, firstChannel),
                  channel);
    });
  }

  /// Writes the sums of channels chunk by chunk.
  void addChunks(Value firstChannel, Value channels) {
    Value chunks = constant(
        llvm::divideCeil(contraction.getInner(), contraction.getChunk()));
    auto eachChannel = [&](function_ref<void(Value)> emit) {
      emitLoop(constant(0), channels, 1, emit);
    };
    auto getPlace = [&](Value channel, unsigned vector) {
      return Values{channel, constant(vector * lanes)};
    };
    eachChannel([&](Value channel) {
      for (unsigned vector = 0; vector < getVectors(); ++vector)
        vec::StoreOp::create(builder, loc, getZeros(), sums,
                             getPlace(channel, vector));
    });
    writeSums(getVectors(), [&](unsigned vectors) {
      emitLoop(constant(0), chunks, 1, [&](Value chunk) {
        Value first = multiply(chunk, contraction.getChunk());
        eachChannel([&](Value channel) {
          Values before;
          for (unsigned vector = 0; vector < vectors; ++vector)
            before.push_back(load(sums, getPlace(channel, vector)));
          Values after =
              computeSums(getSegmentOfChunk(chunk, add(firstChannel, channel)),
                          first, before);
          for (auto [vector, sum] : llvm::enumerate(after))
            vec::StoreOp::create(builder, loc, sum, sums,
                                 getPlace(channel, vector));
        });
      });
    });
  }

  /// Where the values of a channel, which may be beyond the last one, start and
  /// end in a chunk.
  std::pair<Value, Value> getSegmentOfChunk(Value chunk, Value channel) {
    Value positions = getMemory(contraction.getPositions());
    Value channels = constant(contraction.getChannels());
    Value first = multiply(chunk, contraction.getChannels());
    auto start = [&](Value at) {
      return loadIndex(positions, add(first, arith::MinUIOp::create(
                                                 builder, loc, at, channels)));
    };
    return {start(channel), start(add(channel, 1))};
  }

  void writeGroup(Value firstChannel) override {
    writeSums(getVectors(), [&](unsigned vectors) {
      emitLoop(constant(0), constant(lanes), 1, [&](Value channel) {
        Values found = computeSums(
            getSegment(add(firstChannel, channel), contraction.getChannels()),
            nullptr, Values(vectors, getZeros()));
        for (auto [vector, sum] : llvm::enumerate(found))
          vec::StoreOp::create(builder, loc, sum, sums,
                               ValueRange{channel, constant(vector * lanes)});
      });
    });
    finishGroup(constant(0), firstChannel);
  }

  /// Writes the sums for as many vectors of rows as the tile has, of which
  /// there may be fewer in the last tile: by the code for the first number of
  /// `vectors`, half of it and so on that is enough.
  void writeSums(unsigned vectors, function_ref<void(unsigned)> write) {
    int64_t rows = getRows();
    bool isEven = !ShapedType::isDynamic(rows) &&
                  llvm::divideCeil(rows, lanes) % getVectors() == 0;
    if (vectors == 1 || isEven)
      return write(vectors);
    unsigned half = llvm::divideCeil(vectors, 2);
    Value isLess = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::ule, left, constant(half * lanes));
    auto branch =
        scf::IfOp::create(builder, loc, isLess, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(branch.thenBlock()->getTerminator());
    writeSums(half, write);
    builder.setInsertionPoint(branch.elseBlock()->getTerminator());
    write(vectors);
  }

  /// `start` plus the sums of the values of a segment, whose k are counted from
  /// `first` on (null: from 0).
  Values computeSums(std::pair<Value, Value> segment, Value first,
                     const Values &start) {
    unsigned vectors = start.size();
    Value coordinates = getMemory(contraction.getCoordinates());
    return emitSums(
        segment.first, segment.second, start, [&](Value at, Values into) {
          Value k = loadIndex(coordinates, at);
          if (first)
            k = add(first, k);
          Value weight = toVector(loadWeight(at));
          for (unsigned vector = 0; vector < vectors; ++vector)
            into[vector] = vec::FMAOp::create(
                builder, loc, weight, loadRows(k, vector), into[vector]);
          return into;
        });
  }

  /// Turns the square of sums of the channels from `first` on and the rows from
  /// `row` on in its place.
  void turn(Value first, Value row) {
    Values square;
    for (unsigned lane = 0; lane < lanes; ++lane)
      square.push_back(load(sums, {add(first, lane), row}));
    square = transposeSquare(builder, loc, square);
    for (unsigned lane = 0; lane < lanes; ++lane)
      vec::StoreOp::create(builder, loc, square[lane], sums,
                           ValueRange{add(first, lane), row});
  }

  /// The channels that use a chunk of the rows.
  static constexpr int64_t kChunkChannels = 64;

  SparseTile tileSize;
  /// The sums of groups of channels: [channels, rows].
  Value sums;
  Value firstRow, left;
};

/// Lanes are positions of an image, next to each other in the planes of its
/// channels. Those that are none of the result are computed, but not stored.
class ImageLanesWriter : public RowLanesWriter {
public:
  ImageLanesWriter(OpBuilder &builder, func::FuncOp kernel,
                   const SparseContraction &contraction, const VectorUnit &unit)
      : RowLanesWriter(builder, kernel, contraction, unit,
                       SparseTile::getOfImage(unit, countRows(contraction))) {}

private:
  /// The sizes of the result's spatial dimensions.
  static ArrayRef<int64_t> getSizes(const SparseContraction &contraction) {
    return contraction.getResultType().getShape().drop_front().drop_back();
  }
  /// From the first position to the last one.
  static int64_t countRows(const SparseContraction &contraction) {
    int64_t count = 1;
    for (auto [size, step] :
         llvm::zip(getSizes(contraction), contraction.getSteps()))
      count += (size - 1) * step;
    return count;
  }
  int64_t getRows() const override { return countRows(contraction); }
  int64_t getTilesOfImage() const {
    return llvm::divideCeil(getRows(), getTileRows());
  }

  /// The channels, and as many taps as the lines of a plane are longer than
  /// those of the result in each dimension.
  int64_t getDepth() const override {
    ArrayRef<int64_t> sizes = getSizes(contraction);
    SmallVector<int64_t> steps = contraction.getSteps();
    int64_t plane = sizes.front() * steps.front();
    int64_t channels = llvm::divideCeil(contraction.getInner(), plane);
    int64_t taps = 1;
    for (size_t dim = 1; dim < sizes.size(); ++dim)
      taps *= steps[dim - 1] / steps[dim] - sizes[dim] + 1;
    return channels * taps * (sizes.size() > 1 ? taps : 1);
  }

  Value countTiles(Value size) override {
    return multiply(size, getTilesOfImage());
  }

  void prepare() override {
    Value tiles = constant(getTilesOfImage());
    image = arith::DivUIOp::create(builder, loc, tile, tiles);
    startTile(arith::RemUIOp::create(builder, loc, tile, tiles),
              constant(getRows()), getMostGroups());
  }

  /// As many as have sums that stay in the first cache.
  int64_t getMostGroups() const override {
    constexpr int64_t most = 2;
    return std::min(most, getGroups());
  }

  Value loadRows(Value k, unsigned vector) override {
    return load(getMemory(contraction.getInput()),
                {image, add(add(firstRow, vector * lanes), k)});
  }

  void finishRow(Value values, Value row, Value firstChannel,
                 Value mask) override {
    ArrayRef<int64_t> sizes = getSizes(contraction);
    SmallVector<int64_t> steps = contraction.getSteps();
    Values at{image};
    Value isPosition, rest = add(firstRow, row);
    for (size_t dim = 0; dim < sizes.size(); ++dim) {
      Value step = constant(steps[dim]);
      at.push_back(arith::DivUIOp::create(builder, loc, rest, step));
      rest = arith::RemUIOp::create(builder, loc, rest, step);
      if (dim == 0 || steps[dim - 1] / steps[dim] == sizes[dim])
        continue;
      Value isInside =
          arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                at.back(), constant(sizes[dim]));
      isPosition =
          isPosition ? arith::AndIOp::create(builder, loc, isPosition, isInside)
                           .getResult()
                     : isInside;
    }
    at.push_back(firstChannel);
    auto finish = [&] { getEpilogue().emit(values, at, mask); };
    if (!isPosition)
      return finish();
    auto branch = scf::IfOp::create(builder, loc, isPosition,
                                    /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(branch.thenBlock()->getTerminator());
    finish();
  }

  Value image;
};

/// A few rows: with AVX-512, lanes are values of a channel, for which elements
/// of a row, which are anywhere in it, are gathered; else number by number. The
/// sums of a group become a vector for what follows.
class FewRowsWriter : public ChannelsWriter {
public:
  FewRowsWriter(OpBuilder &builder, func::FuncOp kernel,
                const SparseContraction &contraction, const VectorUnit &unit,
                unsigned lanes)
      : ChannelsWriter(builder, kernel, contraction, unit, lanes) {}

private:
  int64_t getTileRows() const override {
    return std::max<int64_t>(getRows(), 1);
  }

  void prepare() override {
    sums = createBuffer({getRows(), lanes});
    if (gathers())
      pointers = getPointers();
  }

  void writeGroup(Value firstChannel) override {
    emitLoop(constant(0), constant(lanes), 1, [&](Value channel) {
      Values found = gathers() ? gatherSums(add(firstChannel, channel))
                               : getSums(add(firstChannel, channel));
      for (auto [row, sum] : llvm::enumerate(found))
        memref::StoreOp::create(builder, loc, sum, sums,
                                ValueRange{constant(row), channel});
    });
    Value mask = getChannelMask(firstChannel);
    emitLoop(constant(0), constant(getRows()), 1, [&](Value row) {
      getEpilogue().emit(load(sums, {row, constant(0)}), {row, firstChannel},
                         mask);
    });
  }

  /// The sums of a channel, one for each row.
  Values getSums(Value channel) {
    Value coordinates = getMemory(contraction.getCoordinates());
    Value input = getMemory(contraction.getInput());
    auto [begin, end] = getSegment(channel, contraction.getChannels());
    Value zero = arith::ConstantOp::create(
        builder, loc, builder.getZeroAttr(type.getElementType()));
    return emitSums(
        begin, end, Values(getRows(), zero), [&](Value at, Values into) {
          Value k = loadIndex(coordinates, at);
          Value weight = loadWeight(at);
          for (auto [row, sum] : llvm::enumerate(into)) {
            Value element = memref::LoadOp::create(
                builder, loc, input, ValueRange{constant(row), k});
            sum = math::FmaOp::create(builder, loc, weight, element, sum);
          }
          return into;
        });
  }

  /// Whether an instruction gathers a register of elements at as many places.
  /// That of AVX2 takes longer than loading them one by one.
  bool gathers() const { return unit.bytes == kLanes * kElementBytes; }
  double getSpeed() const override { return 2'500; }

  /// Where each row starts.
  Values getPointers() {
    Value base = memref::ExtractAlignedPointerAsIndexOp::create(
        builder, loc, getMemory(contraction.getInput()));
    Values all;
    for (int64_t row = 0; row < getRows(); ++row) {
      Value address = arith::IndexCastOp::create(
          builder, loc, builder.getI64Type(),
          add(base, row * contraction.getInner() * kElementBytes));
      all.push_back(LLVM::IntToPtrOp::create(
          builder, loc, LLVM::LLVMPointerType::get(builder.getContext()),
          address));
    }
    return all;
  }

  /// The sums of a channel, one for each row, of as many values at a time as a
  /// register has lanes.
  Values gatherSums(Value channel) {
    auto [begin, end] = getSegment(channel, contraction.getChannels());
    Value left = arith::RemUIOp::create(
        builder, loc, arith::SubIOp::create(builder, loc, end, begin),
        constant(kLanes));
    Value full = arith::SubIOp::create(builder, loc, end, left);
    Value zeros = arith::ConstantOp::create(
        builder, loc,
        builder.getZeroAttr(VectorType::get(kLanes, builder.getF32Type())));
    auto loop = scf::ForOp::create(builder, loc, begin, full, constant(kLanes),
                                   Values(getRows(), zeros));
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(loop.getBody());
      Values next = addProducts(loop.getInductionVar(), constant(kLanes),
                                Values(loop.getRegionIterArgs()));
      scf::YieldOp::create(builder, loc, next);
    }
    Values all = addProducts(full, left, Values(loop.getResults()));
    for (Value &sum : all)
      sum = vec::ReductionOp::create(builder, loc, vec::CombiningKind::ADD, sum,
                                     arith::FastMathFlags::reassoc);
    return all;
  }

  /// Adds the products of `count` values from `at` on.
  Values addProducts(Value at, Value count, Values sums) {
    Value mask = vec::CreateMaskOp::create(
        builder, loc, VectorType::get(kLanes, builder.getI1Type()), count);
    auto read = [&](Value memory) -> Value {
      auto lanesType = VectorType::get(kLanes, getElementTypeOrSelf(memory));
      Value none = arith::ConstantOp::create(builder, loc,
                                             builder.getZeroAttr(lanesType));
      return vec::MaskedLoadOp::create(builder, loc, lanesType, memory, at,
                                       mask, none);
    };
    Value coordinates = getMemory(contraction.getCoordinates());
    Value values = getMemory(contraction.getValues());
    createPrefetch(builder, loc, coordinates, at, kLanes);
    createPrefetch(builder, loc, values, at, kLanes);
    Value places = read(coordinates);
    auto words = VectorType::get(kLanes, builder.getI32Type());
    if (places.getType() != words)
      places = arith::ExtUIOp::create(builder, loc, words, places);
    Value weights = widen(read(values));
    Value zeros = arith::ConstantOp::create(
        builder, loc, builder.getZeroAttr(weights.getType()));
    Value scale = arith::ConstantOp::create(
        builder, loc, builder.getI32IntegerAttr(kElementBytes));
    for (auto [pointer, sum] : llvm::zip(pointers, sums)) {
      Value elements =
          LLVM::CallIntrinsicOp::create(
              builder, loc, weights.getType(),
              builder.getStringAttr("llvm.x86.avx512.mask.gather.dps.512"),
              ValueRange{zeros, pointer, places, mask, scale})
              .getResult(0);
      sum = vec::FMAOp::create(builder, loc, weights, elements, sum);
    }
    return sums;
  }

  static constexpr int64_t kLanes = 16, kElementBytes = 4;

  Value sums;
  Values pointers;
};

} // namespace

Executable omb::kernels::vectorizeSparse(OpBuilder &builder,
                                         func::FuncOp kernel,
                                         const SparseContraction &contraction,
                                         const VectorUnit &unit) {
  constexpr unsigned elementBytes = 4;
  unsigned most = unit.getLanes(elementBytes);
  if (contraction.isOfImages())
    return ImageLanesWriter(builder, kernel, contraction, unit).write();
  if (contraction.isBlocked())
    return vectorizeSparseBlocks(builder, kernel, contraction, unit);
  if (contraction.getTile() == 1)
    return FewRowsWriter(builder, kernel, contraction, unit, most).write();
  int64_t rows = contraction.getResultType().getDimSize(0);
  SparseTile tile = SparseTile::get(unit, rows, contraction.getInner());
  tile.vectors = contraction.getTile() / tile.lanes;
  return RowLanesWriter(builder, kernel, contraction, unit, tile).write();
}
