//===- VectorizeWinograd.cpp - Executables of transforms ------------------===//

#include "lowering/vector/VectorizeWinograd.h"

#include "lowering/vector/EpilogueEmitter.h"
#include "lowering/vector/ExecutableWriter.h"
#include "lowering/vector/KernelSpace.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace omb::kernels;
namespace vec = mlir::vector;

namespace {

using Values = SmallVector<Value>;

/// Writes M x M^T of squares of vectors, for a matrix M.
class TransformEmitter {
public:
  TransformEmitter(OpBuilder &builder, Location loc, VectorType type,
                   const TransformMatrix &matrix)
      : builder(builder), loc(loc), type(type), matrix(matrix) {}

  /// `square` row by row; so is the result.
  Values emit(ArrayRef<Value> square) {
    int64_t from = matrix.columns, to = matrix.getRows();
    // The columns first, each of which becomes shorter.
    Values half(to * from), result;
    for (int64_t column = 0; column < from; ++column) {
      Values values;
      for (int64_t row = 0; row < from; ++row)
        values.push_back(square[row * from + column]);
      for (int64_t row = 0; row < to; ++row)
        half[row * from + column] = getSum(row, values);
    }
    for (int64_t row = 0; row < to; ++row)
      for (int64_t column = 0; column < to; ++column)
        result.push_back(
            getSum(column, ArrayRef(half).slice(row * from, from)));
    return result;
  }

private:
  /// A row of the matrix times a vector of vectors.
  Value getSum(int64_t row, ArrayRef<Value> values) {
    Value sum;
    for (auto [column, value] : llvm::enumerate(values)) {
      double factor = matrix.at(row, column);
      if (factor != 0)
        sum = add(sum, factor, value);
    }
    return sum;
  }

  Value add(Value sum, double factor, Value value) {
    if (!sum && factor == 1)
      return value;
    if (!sum)
      return arith::MulFOp::create(builder, loc, constant(factor), value);
    if (factor == 1)
      return arith::AddFOp::create(builder, loc, sum, value);
    if (factor == -1)
      return arith::SubFOp::create(builder, loc, sum, value);
    return vec::FMAOp::create(builder, loc, constant(factor), value, sum);
  }

  Value constant(double value) {
    return arith::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(type, float(value)));
  }

  OpBuilder &builder;
  Location loc;
  VectorType type;
  const TransformMatrix &matrix;
};

/// A tile: its row and column among the tiles, and its image.
struct TilePlace {
  Value row, column, image;
};

/// What the two transforms have in common: workgroups of tiles, and vectors of
/// channels of each.
class TransformWriter : public ExecutableWriter {
protected:
  /// `tiles`: the squares, [alpha, alpha, rows, columns, images, channels];
  /// null where they are the result.
  TransformWriter(OpBuilder &builder, func::FuncOp kernel,
                  const Winograd &winograd, Value tiles, const VectorUnit &unit)
      : ExecutableWriter(builder, kernel), winograd(winograd), tiles(tiles),
        lanes(unit.getLanes(4)),
        type(VectorType::get(lanes, builder.getF32Type())) {
    auto tilesType = tiles ? cast<RankedTensorType>(tiles.getType())
                           : signature.getResultType();
    ArrayRef<int64_t> shape = tilesType.getShape();
    channelCount = shape.back();
    // Half a microsecond for the squares of alpha^2 values of 64 channels.
    double perVector = 0.0035 * winograd.getAlpha() * winograd.getAlpha();
    double perTile = perVector * channelCount / lanes;
    ArrayRef<int64_t> counts = shape.slice(2, 3);
    block = ShapedType::isDynamicShape(counts)
                ? std::max<int64_t>(1, kUsualMicroseconds / perTile)
                : selectBlock(llvm::product_of(counts), 1, perTile);
  }

  /// Writes the transform of the channels from `channel` on.
  virtual void writeTile(const TilePlace &tile, Value channel) = 0;
  /// Writes what comes before the loops.
  virtual void begin(Block *entry) {}

  int64_t getAlpha() const { return winograd.getAlpha(); }

  /// The indices of the values of a tile: [i, j, row, column, image, channel].
  Values getTileIndices(int64_t place, const TilePlace &tile, Value channel) {
    return {constant(place / getAlpha()),
            constant(place % getAlpha()),
            tile.row,
            tile.column,
            tile.image,
            channel};
  }

  Value apply(AffineExpr expr, ArrayRef<OpFoldResult> operands) {
    return asValue(affine::makeComposedFoldedAffineApply(
        builder, loc, AffineMap::get(operands.size(), 0, expr), operands));
  }

  const Winograd &winograd;
  Value tiles;
  unsigned lanes;
  VectorType type;
  DenseMap<Value, Value> memory;

private:
  /// The sizes of the dimensions that count tiles.
  SmallVector<OpFoldResult> getTileCounts(Block *block) {
    SmallVector<OpFoldResult> sizes = signature.getSizes(builder, block, tiles);
    return {sizes[2], sizes[3], sizes[4]};
  }

  void writeCount(Block *count) override {
    Value blocks = arith::CeilDivUIOp::create(
        builder, loc, getProduct(getTileCounts(count)), constant(block));
    Executable::createCount(builder, loc, blocks, constant(1));
  }

  void writeEntry(Block *entry) override {
    Value number = Executable::createWorkgroupId(builder, loc, 0);
    memory = signature.createMemory(builder, entry);
    begin(entry);
    SmallVector<OpFoldResult> counts = getTileCounts(entry);
    auto [first, last] = getRange(number, constant(block), getProduct(counts));
    auto loop = scf::ForOp::create(builder, loc, first, last, constant(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    auto place = affine::AffineDelinearizeIndexOp::create(
        builder, loc, loop.getInductionVar(), counts);
    TilePlace tile{place.getResult(0), place.getResult(1), place.getResult(2)};
    auto channels = scf::ForOp::create(builder, loc, constant(0),
                                       constant(channelCount), constant(lanes));
    builder.setInsertionPointToStart(channels.getBody());
    writeTile(tile, channels.getInductionVar());
  }

  int64_t channelCount, block;
};

class InputWriter : public TransformWriter {
public:
  InputWriter(OpBuilder &builder, func::FuncOp kernel,
              const WinogradInput &input, const VectorUnit &unit)
      : TransformWriter(builder, kernel, input.getAlgorithm(),
                        /*tiles=*/nullptr, unit),
        input(input),
        source(cast<RankedTensorType>(input.getSource().getType())) {}

private:
  void writeTile(const TilePlace &tile, Value channel) override {
    auto [lowRow, lowColumn] = input.getLow();
    AffineExpr number = builder.getAffineDimExpr(0);
    Value row = apply(number * winograd.outputs - lowRow, {tile.row}),
          column = apply(number * winograd.outputs - lowColumn, {tile.column});
    auto readInside = [&](int64_t i, int64_t j) {
      return load(tile, plus(row, i), plus(column, j), channel);
    };
    if (!input.pad)
      return writeSquare(tile, channel, readInside);
    // No tile is inside an image that is smaller than one.
    if (source.getDimSize(1) < getAlpha() || source.getDimSize(2) < getAlpha())
      return writeBorder(tile, row, column, channel);
    Value isInside = arith::AndIOp::create(
        builder, loc, isRangeInside(row, source.getDimSize(1)),
        isRangeInside(column, source.getDimSize(2)));
    auto branch =
        scf::IfOp::create(builder, loc, isInside, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    writeSquare(tile, channel, readInside);
    builder.setInsertionPointToStart(branch.elseBlock());
    writeBorder(tile, row, column, channel);
  }

  /// The square from this row and column on, with zeros where it leaves the
  /// image.
  void writeBorder(const TilePlace &tile, Value row, Value column,
                   Value channel) {
    SmallVector<std::pair<Value, Value>> rows = getBorder(row, 1),
                                         columns = getBorder(column, 2);
    Value zero =
        arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
    writeSquare(tile, channel, [&](int64_t i, int64_t j) -> Value {
      Value values = load(tile, rows[i].first, columns[j].first, channel);
      Value isInside = arith::AndIOp::create(builder, loc, rows[i].second,
                                             columns[j].second);
      return arith::SelectOp::create(builder, loc, isInside, values, zero);
    });
  }

  /// Transforms what `read` gives for each place in the square.
  void writeSquare(const TilePlace &tile, Value channel,
                   function_ref<Value(int64_t, int64_t)> read) {
    Values square;
    for (int64_t place = 0; place < getAlpha() * getAlpha(); ++place)
      square.push_back(read(place / getAlpha(), place % getAlpha()));
    Values transformed =
        TransformEmitter(builder, loc, type, winograd.input).emit(square);
    for (auto [place, values] : llvm::enumerate(transformed))
      vec::StoreOp::create(builder, loc, values, memory.at(tiles),
                           getTileIndices(place, tile, channel));
  }

  Value load(const TilePlace &tile, Value row, Value column, Value channel) {
    return vec::LoadOp::create(builder, loc, type, memory.at(input.getSource()),
                               ValueRange{tile.image, row, column, channel});
  }

  Value plus(Value index, int64_t more) {
    return apply(builder.getAffineDimExpr(0) + more, {index});
  }

  /// Whether a tile's rows or columns from `first` on all exist.
  Value isRangeInside(Value first, int64_t size) {
    // The first may be less than 0, which is large without a sign.
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ule, first,
                                 constant(size - getAlpha()));
  }

  /// A tile's rows or columns from `first` on, or the first one in place of
  /// those that don't exist; and whether they do.
  SmallVector<std::pair<Value, Value>> getBorder(Value first, int64_t dim) {
    SmallVector<std::pair<Value, Value>> border;
    for (int64_t number = 0; number < getAlpha(); ++number) {
      Value index = plus(first, number);
      Value exists =
          arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, index,
                                constant(source.getDimSize(dim)));
      border.push_back(
          {arith::SelectOp::create(builder, loc, exists, index, constant(0)),
           exists});
    }
    return border;
  }

  WinogradInput input;
  RankedTensorType source;
};

class OutputWriter : public TransformWriter {
public:
  OutputWriter(OpBuilder &builder, func::FuncOp kernel,
               const WinogradOutput &output, const VectorUnit &unit)
      : TransformWriter(builder, kernel, output.getAlgorithm(),
                        getTiles(output), unit),
        output(output), convertsBFloats(unit.dotsBFloats) {}

private:
  static Value getTiles(const WinogradOutput &output) {
    auto transform = output.transform;
    return transform.getValue();
  }

  void begin(Block *entry) override {
    sizes = getResultSizes(entry);
    int64_t outputs = winograd.outputs;
    buffer = memref::AllocaOp::create(
        builder, loc,
        MemRefType::get({outputs, outputs, lanes}, type.getElementType()));
  }

  /// The epilogue goes through the outputs of a tile that exist in loops.
  void writeTile(const TilePlace &tile, Value channel) override {
    Values square;
    for (int64_t place = 0; place < getAlpha() * getAlpha(); ++place)
      square.push_back(
          vec::LoadOp::create(builder, loc, type, memory.at(tiles),
                              getTileIndices(place, tile, channel)));
    Values values =
        TransformEmitter(builder, loc, type, winograd.output).emit(square);
    Value zero = constant(0);
    for (auto [number, each] : llvm::enumerate(values))
      vec::StoreOp::create(builder, loc, each, buffer,
                           ValueRange{constant(number / winograd.outputs),
                                      constant(number % winograd.outputs),
                                      zero});
    EpilogueEmitter epilogue(builder, loc, output.epilogue, output.getOutputs(),
                             memory, lanes, convertsBFloats);
    OpBuilder::InsertionGuard guard(builder);
    auto [row, i] = createLoop(tile.row, sizes[1]);
    auto [column, j] = createLoop(tile.column, sizes[2]);
    Value sums =
        vec::LoadOp::create(builder, loc, type, buffer, ValueRange{i, j, zero});
    epilogue.emit(sums, {tile.image, row, column, channel}, /*mask=*/nullptr);
  }

  /// A loop through the rows or columns of a tile, of the `size` that there
  /// are: a row's number in the image and in the tile.
  std::pair<Value, Value> createLoop(Value tile, OpFoldResult size) {
    AffineExpr number, within;
    bindDims(builder.getContext(), number, within);
    Value first = apply(number * winograd.outputs, {tile});
    Value left = arith::SubIOp::create(builder, loc, asValue(size), first);
    Value count =
        arith::MinUIOp::create(builder, loc, left, constant(winograd.outputs));
    auto loop =
        scf::ForOp::create(builder, loc, constant(0), count, constant(1));
    builder.setInsertionPointToStart(loop.getBody());
    Value inTile = loop.getInductionVar();
    return {apply(number + within, {first, inTile}), inTile};
  }

  WinogradOutput output;
  bool convertsBFloats;
  SmallVector<OpFoldResult> sizes;
  Value buffer;
};

} // namespace

Executable omb::kernels::vectorizeWinogradInput(OpBuilder &builder,
                                                func::FuncOp kernel,
                                                const WinogradInput &input,
                                                const VectorUnit &unit) {
  return InputWriter(builder, kernel, input, unit).write();
}

Executable omb::kernels::vectorizeWinogradOutput(OpBuilder &builder,
                                                 func::FuncOp kernel,
                                                 const WinogradOutput &output,
                                                 const VectorUnit &unit) {
  return OutputWriter(builder, kernel, output, unit).write();
}
