//===- VectorizeImagePlanes.cpp - Executables of planes -------------------===//

#include "lowering/vector/VectorizeImagePlanes.h"

#include "lowering/vector/ExecutableWriter.h"
#include "lowering/vector/ProductTile.h"
#include "lowering/vector/Transpose.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

namespace {

/// A workgroup makes some lines, along the last dimension, of the planes of as
/// many channels as a vector has lanes: it turns squares of vectors of channels
/// in registers.
class ImagePlanesWriter : public ExecutableWriter {
public:
  ImagePlanesWriter(OpBuilder &builder, func::FuncOp kernel,
                    const ImagePlanes &planes, unsigned lanes)
      : ExecutableWriter(builder, kernel), planes(planes), lanes(lanes),
        type(VectorType::get(lanes, builder.getF32Type())) {}

private:
  /// The elements of a workgroup, about.
  static constexpr int64_t kUsualElements = 1 << 14;

  unsigned getRank() const { return planes.getRank(); }
  int64_t getChannels() const { return planes.getShape()[1]; }
  int64_t getPhases(unsigned dim) const { return planes.getShape()[2 + dim]; }
  int64_t getCount(unsigned dim) const {
    return planes.getShape()[2 + getRank() + dim];
  }
  int64_t getLength() const { return planes.getShape().back(); }
  /// The phases, then all positions but the last: what numbers lines.
  ArrayRef<int64_t> getBasis() const {
    return planes.getShape().drop_front(2).drop_back();
  }
  int64_t getLines() const {
    int64_t lines = 1;
    for (int64_t size : getBasis())
      lines *= size;
    return lines;
  }
  int64_t getBlock() const {
    return std::max<int64_t>(kUsualElements / (getLength() * lanes), 1);
  }
  int64_t getGroups() const { return llvm::divideCeil(getChannels(), lanes); }

  void writeCount(Block *count) override {
    Value groups = multiply(asValue(getResultSizes(count)[0]), getGroups());
    Executable::createCount(builder, loc,
                            constant(llvm::divideCeil(getLines(), getBlock())),
                            groups);
  }

  void writeEntry(Block *entry) override {
    Value block = Executable::createWorkgroupId(builder, loc, 0);
    Value number = Executable::createWorkgroupId(builder, loc, 1);
    auto memory = signature.createMemory(builder, entry);
    from = memory.at(planes.getSource());
    to = memory.at(Value());
    Value groups = constant(getGroups());
    image = arith::DivUIOp::create(builder, loc, number, groups);
    firstChannel =
        multiply(arith::RemUIOp::create(builder, loc, number, groups), lanes);
    channelsLeft = arith::SubIOp::create(builder, loc, constant(getChannels()),
                                         firstChannel);
    auto [begin, end] =
        getRange(block, constant(getBlock()), constant(getLines()));
    auto loop = scf::ForOp::create(builder, loc, begin, end, constant(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    writeLine(loop.getInductionVar());
  }

  void writeLine(Value line) {
    SmallVector<Value> at =
        affine::AffineDelinearizeIndexOp::create(builder, loc, line, getBasis())
            .getResults();
    SmallVector<Value> place{image};
    Value isInside;
    for (unsigned dim = 0; dim + 1 < getRank(); ++dim)
      place.push_back(locate(dim, at[getRank() + dim], at[dim], isInside));
    Value lastPhase = at[getRank() - 1];
    Value start = multiply(line, getLength());
    emitTiles(builder, loc, constant(0), constant(getLength()), getLength(),
              lanes, [&](Value position, int64_t count) {
                writeSquare(place, isInside, lastPhase, start, position, count);
              });
  }

  /// Where the source has a position of a phase; `isInside` is also whether it
  /// is there, null where it always is.
  Value locate(unsigned dim, Value position, Value phase, Value &isInside) {
    int64_t stride = planes.getStride(dim), low = planes.getLow(dim);
    int64_t size = cast<RankedTensorType>(planes.getSource().getType())
                       .getDimSize(1 + dim);
    Value index = add(multiply(position, stride), phase);
    int64_t last = (getCount(dim) - 1) * stride + getPhases(dim) - 1 - low;
    if (low == 0 && last < size)
      return index;
    index = arith::SubIOp::create(builder, loc, index, constant(low));
    Value isHere = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::ult, index, constant(size));
    isInside =
        isInside
            ? arith::AndIOp::create(builder, loc, isInside, isHere).getResult()
            : isHere;
    return index;
  }

  /// Turns the square of `count` positions from `first` on.
  void writeSquare(ArrayRef<Value> line, Value isInside, Value phase,
                   Value start, Value first, int64_t count) {
    Value zeros =
        arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
    SmallVector<Value> square(lanes, zeros);
    for (int64_t lane = 0; lane < count; ++lane) {
      SmallVector<Value> place(line);
      Value isHere = isInside;
      place.push_back(
          locate(getRank() - 1, add(first, constant(lane)), phase, isHere));
      place.push_back(firstChannel);
      square[lane] = read(place, isHere, zeros);
    }
    square = transposeSquare(builder, loc, square);
    for (unsigned lane = 0; lane < lanes; ++lane) {
      Value channel = add(firstChannel, constant(lane));
      Value at =
          add(add(multiply(channel, getLines() * getLength()), start), first);
      store(square[lane], channel, {image, at}, count);
    }
  }

  bool isWhole() const { return getChannels() % lanes == 0; }

  Value read(ArrayRef<Value> place, Value isInside, Value zeros) {
    if (!isInside && isWhole())
      return vec::LoadOp::create(builder, loc, type, from, place);
    Value count = isWhole() ? constant(lanes) : channelsLeft;
    if (isInside)
      count =
          arith::SelectOp::create(builder, loc, isInside, count, constant(0));
    return vec::MaskedLoadOp::create(builder, loc, type, from, place,
                                     getMask(count), zeros);
  }

  void store(Value values, Value channel, ArrayRef<Value> at, int64_t count) {
    if (isWhole() && count == lanes) {
      vec::StoreOp::create(builder, loc, values, to, at);
      return;
    }
    Value positions = constant(count);
    if (!isWhole()) {
      Value isChannel =
          arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                channel, constant(getChannels()));
      positions = arith::SelectOp::create(builder, loc, isChannel, positions,
                                          constant(0));
    }
    vec::MaskedStoreOp::create(builder, loc, to, at, getMask(positions),
                               values);
  }

  Value getMask(Value count) {
    return vec::CreateMaskOp::create(
        builder, loc, VectorType::get(lanes, builder.getI1Type()), count);
  }
  Value add(Value lhs, Value rhs) {
    return builder.createOrFold<arith::AddIOp>(loc, lhs, rhs);
  }
  Value multiply(Value lhs, int64_t rhs) {
    return builder.createOrFold<arith::MulIOp>(loc, lhs, constant(rhs));
  }

  ImagePlanes planes;
  unsigned lanes;
  VectorType type;
  Value from, to, image, firstChannel, channelsLeft;
};

} // namespace

Executable omb::kernels::vectorizeImagePlanes(OpBuilder &builder,
                                              func::FuncOp kernel,
                                              const ImagePlanes &planes,
                                              const VectorUnit &unit) {
  constexpr unsigned elementBytes = 4;
  return ImagePlanesWriter(builder, kernel, planes, unit.getLanes(elementBytes))
      .write();
}
