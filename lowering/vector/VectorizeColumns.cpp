//===- VectorizeColumns.cpp - Executables of column reductions ------------===//

#include "lowering/vector/VectorizeColumns.h"

#include "lowering/vector/Elementwise.h"
#include "lowering/vector/EpilogueEmitter.h"
#include "lowering/vector/ExecutableWriter.h"
#include "lowering/vector/KernelSpace.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace omb::kernels;

namespace {

/// Makes an executable of one reduction. A workgroup has some positions of one
/// panel of channels, for each of which it goes through all that is reduced;
/// what that gives stays in registers.
class ColumnWriter : public ExecutableWriter {
public:
  ColumnWriter(OpBuilder &builder, func::FuncOp kernel,
               const ColumnReduction &reduction, const VectorUnit &unit)
      : ExecutableWriter(builder, kernel), reduction(reduction),
        lanes(reduction.getLanes(unit)), vectors(reduction.getVectors(unit)),
        type(VectorType::get(lanes, reduction.getSumType())),
        block(selectPositions(unit)) {}

private:
  using Values = SmallVector<Value>;

  /// How many positions a workgroup has.
  int64_t selectPositions(const VectorUnit &unit) const {
    constexpr int64_t usual = 64;
    double work = reduction.getMicroseconds(unit, usual);
    ArrayRef<int64_t> shape = reduction.getResultType().getShape();
    if (ShapedType::isDynamicShape(shape) || llvm::is_contained(shape, 0))
      return std::max<int64_t>(1, kUsualMicroseconds / work);
    return selectBlock(llvm::product_of(shape.drop_back()),
                       llvm::divideCeil(shape.back(), vectors * lanes), work);
  }

  Value getPositionCount(ArrayRef<OpFoldResult> sizes) {
    return getProduct(sizes.drop_back());
  }

  void writeCount(Block *count) override {
    SmallVector<OpFoldResult> sizes = getResultSizes(count);
    Value blocks = arith::CeilDivUIOp::create(
        builder, loc, getPositionCount(sizes), constant(block));
    Value panels =
        arith::CeilDivUIOp::create(builder, loc, asValue(sizes.back()),
                                   constant(int64_t(vectors) * lanes));
    Executable::createCount(builder, loc, blocks, panels);
  }

  void writeEntry(Block *entry) override {
    Value number = Executable::createWorkgroupId(builder, loc, 0);
    Value panel = Executable::createWorkgroupId(builder, loc, 1);
    memory = signature.createMemory(builder, entry);
    SmallVector<OpFoldResult> sizes = getResultSizes(entry);
    Value channel = arith::MulIOp::create(builder, loc, panel,
                                          constant(int64_t(vectors) * lanes));
    setChannels(channel, sizes.back());
    auto [begin, end] =
        getRange(number, constant(block), getPositionCount(sizes));
    auto loop = scf::ForOp::create(builder, loc, begin, end, constant(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    sizes.pop_back();
    if (sizes.empty())
      return writePosition({});
    auto position = affine::AffineDelinearizeIndexOp::create(
        builder, loc, loop.getInductionVar(), sizes);
    writePosition(Values(position.getResults()));
  }

  /// Where the vectors of the panel start, and which of their lanes there are.
  void setChannels(Value first, OpFoldResult count) {
    std::optional<int64_t> known = getConstantIntValue(count);
    bool isFull = known && *known % (vectors * lanes) == 0;
    for (unsigned vector = 0; vector < vectors; ++vector) {
      channels.push_back(arith::AddIOp::create(
          builder, loc, first, constant(int64_t(vector) * lanes)));
      masks.push_back(nullptr);
      if (isFull)
        continue;
      Value left =
          arith::SubIOp::create(builder, loc, asValue(count), channels.back());
      masks.back() = vector::CreateMaskOp::create(
          builder, loc, VectorType::get(lanes, builder.getI1Type()), left);
    }
  }

  void writePosition(Values position) {
    auto op = reduction.op;
    indices.assign(op.getNumLoops(), nullptr);
    for (auto [loop, index] : llvm::zip(reduction.positions, position))
      indices[loop] = index;
    Attribute start;
    auto fill = reduction.fill;
    matchPattern(fill.value(), m_Constant(&start));
    Value first = arith::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(type, start));
    Values sums = writeLoops(reduction.reductions, Values(vectors, first));
    EpilogueEmitter finish(builder, loc, reduction.epilogue, op.getResult(0),
                           memory, lanes, /*convertsBFloats=*/false);
    position.push_back(nullptr);
    for (auto [sum, channel, mask] : llvm::zip(sums, channels, masks)) {
      position.back() = channel;
      finish.emit(sum, position, mask);
    }
  }

  /// The number of values along a loop.
  Value getLoopSize(unsigned loop) {
    auto op = reduction.op;
    if (int64_t size = reduction.getSize(loop); !ShapedType::isDynamic(size))
      return constant(size);
    for (OpOperand *operand : op.getDpsInputOperands()) {
      AffineMap map = op.getMatchingIndexingMap(operand);
      if (std::optional<unsigned> dim =
              map.getResultPosition(builder.getAffineDimExpr(loop)))
        return asValue(memref::getMixedSize(builder, loc,
                                            memory.at(operand->get()), *dim));
    }
    llvm_unreachable("a loop is a dimension of what it reads");
  }

  Values writeLoops(ArrayRef<unsigned> loops, Values sums) {
    if (loops.empty())
      return writeStep(sums);
    auto loop =
        scf::ForOp::create(builder, loc, constant(0),
                           getLoopSize(loops.front()), constant(1), sums);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    indices[loops.front()] = loop.getInductionVar();
    Values inner =
        writeLoops(loops.drop_front(), Values(loop.getRegionIterArgs()));
    scf::YieldOp::create(builder, loc, inner);
    return Values(loop.getResults());
  }

  /// Where the operand is for the indices and a channel.
  Values getIndices(AffineMap map, Value channel) {
    SmallVector<OpFoldResult> operands;
    for (Value index : indices)
      operands.push_back(index ? index : channel);
    Values at;
    for (AffineExpr expr : map.getResults())
      at.push_back(asValue(affine::makeComposedFoldedAffineApply(
          builder, loc, AffineMap::get(map.getNumDims(), 0, expr), operands)));
    return at;
  }

  Values writeStep(Values sums) {
    auto op = reduction.op;
    EpilogueEmitter reader(builder, loc, nullptr, nullptr, memory, lanes,
                           /*convertsBFloats=*/false);
    for (auto [sum, channel, mask] : llvm::zip(sums, channels, masks)) {
      LaneEmitter emitter(builder, lanes);
      for (OpOperand *operand : op.getDpsInputOperands()) {
        AffineMap map = op.getMatchingIndexingMap(operand);
        Values at = getIndices(map, channel);
        Value source = memory.at(operand->get());
        Value read = map.isFunctionOfDim(reduction.channel)
                         ? reader.readVector(source, at, mask)
                         : memref::LoadOp::create(builder, loc, source, at);
        emitter.map(op.getMatchingBlockArgument(operand), read);
      }
      for (Operation &inner : op.getBody()->without_terminator())
        if (&inner != reduction.combiner.combine)
          emitter.emit(inner);
      Value element = emitter.toVector(emitter.get(reduction.combiner.element));
      sum = reduction.combiner.createShort(builder, sum, element);
    }
    return sums;
  }

  const ColumnReduction &reduction;
  unsigned lanes, vectors;
  VectorType type;
  int64_t block;
  DenseMap<Value, Value> memory;
  /// Of the vectors of the panel: the first channel, and the lanes that are
  /// channels (null where all are).
  Values channels, masks;
  /// The value of each loop; null that of the channels.
  Values indices;
};

} // namespace

Executable omb::kernels::vectorizeColumns(OpBuilder &builder,
                                          func::FuncOp kernel,
                                          const ColumnReduction &reduction,
                                          const VectorUnit &unit) {
  return ColumnWriter(builder, kernel, reduction, unit).write();
}
