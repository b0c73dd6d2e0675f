//===- VectorizeShuffle.cpp - Executables of shuffles ---------------------===//

#include "lowering/vector/VectorizeShuffle.h"

#include "lowering/vector/ExecutableWriter.h"
#include "lowering/vector/KernelSpace.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

namespace {

/// Makes an executable of one shuffle. A workgroup has some positions; of each
/// it reads a vector of every group at a time.
class ShuffleWriter : public ExecutableWriter {
public:
  ShuffleWriter(OpBuilder &builder, func::FuncOp kernel,
                const ChannelShuffle &shuffle, const VectorUnit &unit)
      : ExecutableWriter(builder, kernel), groups(shuffle.getGroups()),
        channels(shuffle.getChannels()), source(shuffle.getSource()),
        lanes(unit.getLanes(4, channels)),
        block(selectPositions(shuffle.getSourceType())) {}

private:
  /// How many positions a workgroup has.
  int64_t selectPositions(RankedTensorType type) const {
    constexpr double vectorMicroseconds = 0.003;
    double work =
        vectorMicroseconds * groups * llvm::divideCeil(channels, lanes);
    ArrayRef<int64_t> positions = type.getShape().drop_back(2);
    if (ShapedType::isDynamicShape(positions) ||
        llvm::is_contained(positions, 0))
      return std::max<int64_t>(1, kUsualMicroseconds / work);
    return selectBlock(llvm::product_of(positions), 1, work);
  }

  void writeCount(Block *count) override {
    SmallVector<OpFoldResult> sizes = getResultSizes(count);
    sizes.pop_back();
    Value blocks = arith::CeilDivUIOp::create(builder, loc, getProduct(sizes),
                                              constant(block));
    Executable::createCount(builder, loc, blocks, constant(1));
  }

  void writeEntry(Block *entry) override {
    Value number = Executable::createWorkgroupId(builder, loc, 0);
    DenseMap<Value, Value> memory = signature.createMemory(builder, entry);
    from = memory.at(source);
    to = memory.at(Value());
    SmallVector<OpFoldResult> sizes = getResultSizes(entry);
    sizes.pop_back();
    auto [begin, end] = getRange(number, constant(block), getProduct(sizes));
    auto loop = scf::ForOp::create(builder, loc, begin, end, constant(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    if (sizes.empty())
      return writePosition({});
    auto position = affine::AffineDelinearizeIndexOp::create(
        builder, loc, loop.getInductionVar(), sizes);
    writePosition(position.getResults());
  }

  void writePosition(ValueRange position) {
    int64_t full = channels / lanes * lanes;
    auto loop = scf::ForOp::create(builder, loc, constant(0), constant(full),
                                   constant(lanes));
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(loop.getBody());
      writeVectors(position, loop.getInductionVar());
    }
    // The last vector of each group, some of which is there already.
    if (full < channels)
      writeVectors(position, constant(channels - lanes));
  }

  void writeVectors(ValueRange position, Value channel) {
    auto type = VectorType::get(lanes, builder.getF32Type());
    SmallVector<Value> at(position), vectors;
    at.append({Value(), channel});
    for (int64_t group = 0; group < groups; ++group) {
      at[position.size()] = constant(group);
      vectors.push_back(vec::LoadOp::create(builder, loc, type, from, at));
    }
    at.assign(position.begin(), position.end());
    at.emplace_back();
    Value first =
        arith::MulIOp::create(builder, loc, channel, constant(groups));
    for (int64_t part = 0; part < groups; ++part) {
      at.back() =
          arith::AddIOp::create(builder, loc, first, constant(part * lanes));
      vec::StoreOp::create(builder, loc, interleave(vectors, part), to, at);
    }
  }

  /// The `part`-th vector of the elements of `vectors` in turns: of each, those
  /// that it has are put among those of the ones before.
  Value interleave(ArrayRef<Value> vectors, int64_t part) {
    Value result = vectors.front();
    for (int64_t group = 1; group < groups; ++group) {
      SmallVector<int64_t> chosen;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        int64_t place = part * lanes + lane;
        int64_t owner = place % groups, element = place / groups;
        bool isSettled = group > 1 && owner < group;
        chosen.push_back(owner == group ? lanes + element
                         : isSettled    ? lane
                                        : element);
      }
      result =
          vec::ShuffleOp::create(builder, loc, result, vectors[group], chosen);
    }
    return result;
  }

  int64_t groups, channels;
  Value source;
  int64_t lanes, block;
  Value from, to;
};

} // namespace

Executable omb::kernels::vectorizeShuffle(OpBuilder &builder,
                                          func::FuncOp kernel,
                                          const ChannelShuffle &shuffle,
                                          const VectorUnit &unit) {
  return ShuffleWriter(builder, kernel, shuffle, unit).write();
}
